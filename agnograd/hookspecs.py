"""What a plugin may provide: the one file that its author must read.

A plugin is a module (or any object) with functions of these names, marked by `hookimpl`, in a distribution that
declares it in the entry-point group ``agnograd``::

    [project.entry-points.agnograd]
    mypackage = "mypackage.agnograd_plugin"

Everything that an author needs is a name of this module: `Backend`, `Kernel`, `ObserverSpec` and `Call`, and for
operations the
tiers `elementwise`, `linear`, `general`, `nondifferentiable` and `composite` with `Sample` and `Uniform`. How a rule is
written is told in `agnograd.core.op`. An operation with several outputs says how many, ``general(..., outputs=2)``: its
rules take and return tuples, with None for what is zero. A rule of several arguments that broadcast brings a cotangent
back to the shape of one with ``fit(xp, g, x_spec)``.

Under ``vmap`` an elementwise operation and a composite run for all members of a batch at once by themselves. Others say
how with ``batch=``, and run in a loop, which warns, where they do not. Most take a rule of the module `batching`::

    batch=batching.stacks                # matrices, or whatever else it finds in its last axes
    batch=batching.reduced               # a reduction, with parameters ``axis`` and ``keepdims``
    batch=batching.along("axis", -1)     # along an axis, named by a parameter with that default
    batch=batching.UnknownShape("name")  # the shape of the result depends on values: it is refused

A rule of one's own is ``rule(run, arrays, mapped, **params)``, written in operations: ``run(*arrays, **params)`` is the
operation itself, and ``mapped[i]`` says whether ``arrays[i]`` is a batch, with the members along its first axis. So is
what it returns. Where static parameters differ from member to member, an index say, ``batch_statics=`` is asked: those
come as `Mapped`, whose ``array`` has the values.

Hooks return descriptions. They are called once, when plugins are first needed, so that everything can be attributed to
its plugin, validated and checked for conflicts before anything changes. A plugin that fails is skipped as a whole with
a warning that names it, and never breaks the import of agnograd. What is built in cannot be replaced. Where two plugins
claim one name, using that name raises and names both.

Tests of a plugin are one call of `agnograd.testing.assert_plugin`, and what its author adds. These register it with
``agnograd.plugins.isolated()``, which leaves the tables of the process alone. In continuous integration
``AGNOGRAD_PLUGIN_ERRORS=raise`` turns the warnings into errors.

Compatibility: `API_VERSION` is (major, minor). A minor version adds hooks, arguments or fields with defaults; what
exists is removed only with a new major version, after a warning for at least one minor version. A plugin that uses a
hook newer than the oldest agnograd it supports marks it ``@hookimpl(optionalhook=True)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pluggy

from agnograd.core import batching
from agnograd.core.batch import Mapped
from agnograd.core.cotangent import Spec, fit
from agnograd.core.observing import Call
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import composite, elementwise, general, linear, nondifferentiable
from agnograd.errors import PluginError

__all__ = [
    "API_VERSION",
    "Backend",
    "Call",
    "Kernel",
    "Mapped",
    "ObserverSpec",
    "Op",
    "Sample",
    "Spec",
    "Uniform",
    "batching",
    "composite",
    "elementwise",
    "fit",
    "general",
    "hookimpl",
    "linear",
    "nondifferentiable",
]

API_VERSION = (1, 0)

hookspec: pluggy.HookspecMarker = pluggy.HookspecMarker("agnograd")
hookimpl: pluggy.HookimplMarker = pluggy.HookimplMarker("agnograd")

Array = Any


def _identity(x: Array) -> Array:
    return x


@dataclass(frozen=True, kw_only=True)
class Backend:
    """An array library.

    Names of modules, types and functions are strings where that spares an import: describing a backend must not import
    its library.

    Parameters
    ----------
    name : str
        Name by which users choose it.
    namespace : str
        Importable module with the functions of the Array API standard, such as ``"array_api_compat.cupy"``.
    array_types : tuple of str
        Types of its arrays as ``"module:Class"``. Subclasses are recognised too.
    requires : tuple of str
        Modules that must be importable.
    extra : str
        The extra of agnograd that installs it, or a requirement for pip.
    probe : callable or None
        ``probe()`` raises where the library is installed but cannot work, for want of a device say. Called once, when
        the backend is first used.
    lazy : bool
        Whether arrays are computed only on demand.
    writeable : bool
        Whether arrays can be written in place.
    to_host : callable
        ``to_host(x)``, a NumPy array with the values of `x`.
    from_host : callable or None
        ``from_host(array)``, an array of the backend. By default the namespace's ``asarray``.
    expose : callable
        ``expose(x)``, what users get of an internal value; NumPy gives a read-only view.
    copy : callable or None
        ``copy(x)``, an independent array. By default the namespace's ``asarray(x, copy=True)``.
    device : callable or None
        ``device(x)``. By default what array-api-compat answers.
    to_device : callable or None
        ``to_device(x, device, stream)``. By default what array-api-compat does.
    guard : callable or None
        Called once, when the backend is first used. Returns ``guard(x)``, which gives a context manager under which
        work on `x` must run (the current device of a GPU), or None where the machine needs none.
    kernels : callable or None
        Returns a mapping of operation names to functions on raw arrays: faster bodies, and those that the namespace
        lacks. Called once, when the backend is first used.
    kernels_of : callable or None
        ``kernels_of(type)``, the same for arrays of one of its types, such as NumPy's scalars, where neither `kernels`
        nor a plugin has one. Called once for each operation and type.
    synchronise : callable or None
        Waits until all work is done, for timing.
    memory : callable or None
        ``memory()``, the bytes that its arrays hold now, and the most that they held since it was last asked; twice the
        former where nobody knows. For the observer ``memory``, which counts the sizes of results where this is None.
    shape : callable or None
        ``shape(x)``, the tuple that rules are told as the shape of an array, which may know more than sizes: that of
        dask knows chunks, so that what is broadcast to it or embedded in zeros of it has the same.
    seed : callable or None
        ``seed(root)``, ones like the root of a backward pass; by default the namespace's ``ones``. A lazy backend may
        give a number by name, of which no array is made.
    settle : callable or None
        ``settle(g, like)``, a gradient as users get it, of the array `like`, or of nobody knows which for None: where
        cotangents may be products by name, or in other chunks than their arrays, they become ordinary here.
    finish : callable or None
        ``finish(gradients)``, all that one pass has found, after `settle`, which it needs: the same values in a form
        that is cheaper to compute. That of dask reads data again where it would wait in memory for a reduction of it.
    describe : callable or None
        ``describe(x)``, the part of a tensor's text that stands for the values, or None for the usual one, of which
        only what is shown is moved to the host. It must not compute a lazy array and must not move a large one.
    hold : callable or None
        ``hold(arrays, question)``, lazy arrays computed and kept where their chunks are, and whether the element of
        `question` is true, in one go: for iterations that look at a value in each step, and go on from there.
    randn, rand : callable or None
        ``randn(shape, dtype=..., device=..., seed=...)``, normally distributed values for `agnograd.randn`, and evenly
        distributed ones from [0, 1) for `agnograd.rand`. The seed is a number below 2**31, another for each call, drawn
        from the one that users gave; the device is None where they named none. By default, and where it returns None,
        NumPy's, moved to the backend: the same numbers as on others.
    is_scalar : callable or None
        ``is_scalar(x)``: whether a value may be taken as a Python scalar by other backends.
    lifts : mapping
        Names of backends whose arrays, up to a number of bytes, become arrays of this one where both meet in an
        operation and lie on the same device. For lazy backends: parameters in memory beside data that are not. A
        gradient does not come back from there unasked, since its values would have to be computed.
    lift : callable or None
        ``lift(x)``, an array of this backend with the values of one of those of `lifts`, on its device. By default the
        values go through NumPy.
    generator : str
        What makes code of a program that `agnograd.compile` has recorded, ``"module:function"``: takes an
        `agnograd.compiler.program.Program` and returns an `agnograd.compiler.source.Code`. By default the program is
        replayed call by call.
    deferral : str
        What puts off rules of passes back, to run several at once, ``"module:function"``: takes the namespace of raw
        arrays, and returns an `agnograd.core.table.Deferral`. By default each rule runs when its turn comes.
    doc, url : str
        A sentence for listings, and where the library is documented.

    Examples
    --------
    >>> Backend(name="mylib", namespace="mylib.array_api", array_types=("mylib:Array",), requires=("mylib",)).name
    'mylib'
    """

    name: str
    namespace: str
    array_types: tuple[str, ...]
    requires: tuple[str, ...] = ()
    extra: str = ""
    probe: Callable[[], None] | None = None
    lazy: bool = False
    writeable: bool = True
    to_host: Callable[[Array], Any] = _identity
    from_host: Callable[[Any], Array] | None = None
    expose: Callable[[Array], Array] = _identity
    copy: Callable[[Array], Array] | None = None
    device: Callable[[Array], Any] | None = None
    to_device: Callable[[Array, Any, Any], Array] | None = None
    guard: Callable[[], Callable[[Array], Any] | None] | None = None
    kernels: Callable[[], Mapping[str, Callable[..., Any]]] | None = None
    kernels_of: Callable[[type], Mapping[str, Callable[..., Any]]] | None = None
    synchronise: Callable[[], None] | None = None
    memory: Callable[[], tuple[int, int]] | None = None
    shape: Callable[[Array], tuple[int, ...]] | None = None
    seed: Callable[[Array], Array] | None = None
    settle: Callable[[Array, Array | None], Array] | None = None
    finish: Callable[[Sequence[Array]], Sequence[Array]] | None = None
    hold: Callable[[Sequence[Array], Array], tuple[Sequence[Array], bool]] | None = None
    describe: Callable[[Array], str | None] | None = None
    randn: Callable[..., Array] | None = None
    rand: Callable[..., Array] | None = None
    is_scalar: Callable[[Array], bool] | None = None
    generator: str = ""
    deferral: str = ""
    lifts: Mapping[str, int] = field(default_factory=dict, hash=False)
    lift: Callable[[Any], Array] | None = None
    doc: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        """Refuse a description that could never be used.

        Raises
        ------
        PluginError
            If `array_types` or `requires` are one string, or a type is not written ``"module:Class"``.
        """
        types: Any = self.array_types
        requires: Any = self.requires
        if isinstance(types, str) or not all(isinstance(t, str) and t.count(":") == 1 for t in types):
            msg = f"array_types of backend {self.name!r} must be a tuple of 'module:Class' strings, got {types!r}"
            raise PluginError(msg)
        if isinstance(requires, str):
            msg = f"requires of backend {self.name!r} must be a tuple of modules, got the string {requires!r}"
            raise PluginError(msg)


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A faster body of one operation on one backend, with the same mathematics.

    It takes the place of the backend's own, in rules too. An operation that is made of others has no body of its own.

    Parameters
    ----------
    op : str
        Name of the operation, ``"linalg.cholesky"``.
    backend : str
        Name of the backend.
    body : callable
        ``body(*arrays, **params)`` on the backend's raw arrays.
    optional : bool
        Whether the backend may be missing, since another distribution describes it: then the kernel is left aside
        without a word. Where the backend is described, an unknown operation is an error as ever.

    Examples
    --------
    >>> import numpy as np
    >>> from agnograd.hookspecs import Kernel
    >>> Kernel(op="linalg.cholesky", backend="numpy", body=np.linalg.cholesky).op
    'linalg.cholesky'
    """

    op: str
    backend: str
    body: Callable[..., Any]
    optional: bool = False

    @property
    def name(self) -> str:
        """Operation and backend, for messages."""
        return f"{self.op}@{self.backend}"


@dataclass(frozen=True, kw_only=True)
class ObserverSpec:
    """Something that can watch operations run. Installing a plugin never switches it on: users do, by name.

    ``agnograd.observe(name)`` enters the context manager that `factory` returns, and hands out what that gives. If this
    has a method ``watch(call, run)``, it is called in the place of each operation on raw arrays and of each rule in a
    pass: it returns ``run()``, and does before and after what it likes. `Call` says what runs. Operations that an
    operation or a rule is made of count to it, and are not shown.

    Parameters
    ----------
    name : str
        Name by which users switch it on.
    factory : callable
        ``factory(**options)`` returns a context manager.
    doc : str
        A sentence for listings.
    options : mapping
        Options where users give none.

    Examples
    --------
    >>> from contextlib import contextmanager
    >>> class Names(list):
    ...     def watch(self, call, run):
    ...         self.append(call.op)
    ...         return run()
    >>> @contextmanager
    ... def names():
    ...     yield Names()
    >>> ObserverSpec(name="names", factory=names, doc="the names of operations, in order").name
    'names'
    """

    name: str
    factory: Callable[..., Any]
    doc: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@hookspec
def agnograd_backends() -> Iterable[Backend]:  # type: ignore[empty-body]
    """Return the backends that the plugin adds.

    .. versionadded:: 1.0

    Examples
    --------
    >>> @hookimpl
    ... def agnograd_backends():
    ...     yield Backend(name="mylib", namespace="mylib.array_api", array_types=("mylib:Array",))
    """


@hookspec
def agnograd_ops() -> Iterable[Op]:  # type: ignore[empty-body]
    """Return the operations that the plugin adds; their names carry a prefix.

    ``mypackage.softplus`` is then called as ``agnograd.mypackage.softplus(x)``, and so on every namespace.

    .. versionadded:: 1.0

    Examples
    --------
    >>> from agnograd.hookspecs import Sample, Uniform, elementwise
    >>> @hookimpl
    ... def agnograd_ops():
    ...     yield elementwise(
    ...         "mypackage.softplus(x, /)",
    ...         body=lambda xp, x: xp.logaddexp(x, xp.zeros_like(x)),
    ...         x=lambda xp, g, x: g / (1 + xp.exp(-x)),
    ...         samples=[Sample((Uniform(),))],
    ...     )
    """


@hookspec
def agnograd_kernels() -> Iterable[Kernel]:  # type: ignore[empty-body]
    """Return faster bodies for operations that exist.

    .. versionadded:: 1.0

    Examples
    --------
    >>> @hookimpl
    ... def agnograd_kernels():
    ...     import numpy as np
    ...
    ...     yield Kernel(op="exp", backend="numpy", body=np.exp)
    """


@hookspec
def agnograd_observers() -> Iterable[ObserverSpec]:  # type: ignore[empty-body]
    """Return observers that users may switch on by name.

    .. versionadded:: 1.0

    Examples
    --------
    >>> import contextlib
    >>> @hookimpl
    ... def agnograd_observers():
    ...     yield ObserverSpec(name="silent", factory=contextlib.nullcontext, doc="watches nothing")
    """
