"""agnograd: gradients on any array library that speaks the Python Array API standard.

Users of PyTorch find ``Tensor``, ``requires_grad``, ``backward`` and `agnograd.autograd`; users of JAX `grad`, `vjp`,
`jvp` and `hvp`. Both work on NumPy, CuPy, dask and whatever a plugin adds, and differentiate third-party code that
knows only the standard. Importing agnograd imports no array library.

Every operation of the table is also a function here, ``agnograd.sin``, which runs on the backend of its arguments.

Examples
--------
>>> import agnograd as ag
>>> x = ag.tensor([1.0, 2.0], requires_grad=True)
>>> ag.sum(ag.exp(x) * x).backward()
>>> x.grad.shape
(2,)
"""

from __future__ import annotations

import typing as _typing
from collections.abc import Callable as _Callable
from importlib import import_module as _import_module
from importlib.util import find_spec as _find_spec
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any

from agnograd import autograd, errors, hookspecs, interop, plugins
from agnograd import printing as _printing  # noqa: F401 - gives tensors their text
from agnograd.core.table import OPS as _OPS
from agnograd.core.table import spaces as _spaces
from agnograd.factories import (
    arange,
    asarray,
    empty,
    eye,
    full,
    linspace,
    manual_seed,
    ones,
    rand,
    randn,
    tensor,
    zeros,
)
from agnograd.grad_mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled, zero_safe
from agnograd.hookspecs import Backend, Kernel, ObserverSpec, hookimpl
from agnograd.namespaces import DTYPES as _DTYPES
from agnograd.namespaces import (
    Extension as _Extension,
)
from agnograd.namespaces import (
    Namespace,
    default_backend,
    namespace,
    set_default_backend,
    to_backend,
    use_backend,
)
from agnograd.namespaces import (
    default_float as _default_float,
)
from agnograd.namespaces import (
    member as _member,
)
from agnograd.rematerialisation import checkpoint
from agnograd.tensors import Tensor
from agnograd.transforms import grad, hvp, jvp, remat, stop_gradient, value_and_grad, vjp, vmap

if _TYPE_CHECKING:
    import builtins as _builtins

    from agnograd import dask, implicit, optimize, tree
    from agnograd._signatures import *  # noqa: F403 - all that the table has, and its own __all__ says
    from agnograd._signatures import Fourier as _Fourier
    from agnograd._signatures import Linalg as _Linalg
    from agnograd.compiler import compile, explain
    from agnograd.custom_rules import custom_gradient, custom_jvp, custom_vjp
    from agnograd.dask.computing import compute, persist
    from agnograd.observation import observe
    from agnograd.options import config, implicit_computes
    from agnograd.progress import Progress
    from agnograd.raveling import ravel_tree
    from agnograd.testing import check_grads
    from agnograd.transforms import (
        hessian,
        jacfwd,
        jacobian,
        jacrev,
        linear_transpose,
        linearize,
        print_saved_residuals,
        saved_residuals,
    )
    from agnograd.viz import draw

    linalg: _Linalg
    fft: _Fourier
    e: _builtins.float
    inf: _builtins.float
    nan: _builtins.float
    newaxis: None
    pi: _builtins.float
    # Of the plugins agnograd-special and agnograd-scipy, where they are installed.
    special: Any
    scipy: Any
    # Data types of the default backend, which are of a class that each library has of its own.
    bool: Any
    int8: Any
    int16: Any
    int32: Any
    int64: Any
    uint8: Any
    uint16: Any
    uint32: Any
    uint64: Any
    float32: Any
    float64: Any
    complex64: Any
    complex128: Any
    int: Any
    float: Any
    cfloat: Any

__version__ = "0.1.0"

# PyTorch's names of the default float and integer types; any backend's dtypes are reached through these too.
_DEFAULT_TYPES = {"float": "real floating", "int": "integral", "cfloat": "complex floating"}

# Imported when they are asked for: `import agnograd` is not to take longer for them.
_MODULES = ("dask", "implicit", "optimize", "tree")
_LATER = {
    "Progress": "progress",
    "check_grads": "testing",
    "compile": "compiler",
    "compute": "dask.computing",
    "config": "options",
    "custom_gradient": "custom_rules",
    "custom_jvp": "custom_rules",
    "custom_vjp": "custom_rules",
    "draw": "viz",
    "explain": "compiler",
    "hessian": "transforms",
    "implicit_computes": "options",
    "jacfwd": "transforms",
    "jacobian": "transforms",
    "jacrev": "transforms",
    "linear_transpose": "transforms",
    "linearize": "transforms",
    "observe": "observation",
    "persist": "dask.computing",
    "print_saved_residuals": "transforms",
    "ravel_tree": "raveling",
    "saved_residuals": "transforms",
}

__all__ = [
    "Backend",
    "Kernel",
    "Namespace",
    "ObserverSpec",
    "Progress",
    "Tensor",
    "arange",
    "asarray",
    "autograd",
    "check_grads",
    "checkpoint",
    "compile",
    "compute",
    "concatenate",
    "config",
    "custom_gradient",
    "custom_jvp",
    "custom_vjp",
    "dask",
    "default_backend",
    "draw",
    "empty",
    "enable_grad",
    "errors",
    "explain",
    "eye",
    "full",
    "grad",
    "hessian",
    "hookimpl",
    "hookspecs",
    "hvp",
    "implicit",
    "implicit_computes",
    "inference_mode",
    "interop",
    "is_grad_enabled",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "linear_transpose",
    "linearize",
    "linspace",
    "manual_seed",
    "namespace",
    "no_grad",
    "observe",
    "ones",
    "optimize",
    "persist",
    "plugins",
    "print_saved_residuals",
    "rand",
    "randn",
    "ravel_tree",
    "remat",
    "saved_residuals",
    "set_default_backend",
    "set_grad_enabled",
    "stop_gradient",
    "tensor",
    "to_backend",
    "transpose",
    "tree",
    "use_backend",
    "value_and_grad",
    "vjp",
    "vmap",
    "zero_safe",
    "zeros",
]

if _TYPE_CHECKING:
    # A name that is not listed would be private to pyright.
    from agnograd import _signatures

    __all__ += _signatures.__all__
    __all__ += ["e", "fft", "inf", "linalg", "nan", "newaxis", "pi", "scipy", "special"]

# What comes with agnograd is an attribute like any other: asking `__getattr__` takes longer than a small operation.
globals().update({name: op.call for name, op in _OPS.items() if name.isidentifier() and name not in globals()})
# opt_einsum and autoray look for NumPy's names in the package that an array comes from.
concatenate: _Callable[..., Any] = _OPS["concat"].call
transpose: _Callable[..., Any] = interop.numpy_methods.transpose


# Type checkers know all names by the imports above, and so report others, which a function for any name would hide.
# They recognise no alias of this constant.
if not _typing.TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        op = _OPS.get(name)
        if op is not None:
            # Not kept: an operation of a plugin may be withdrawn.
            return op.call
        if name in _DEFAULT_TYPES:
            space = _spaces.named(default_backend())
            if name == "float":
                return _default_float(space)
            return space.module.__array_namespace_info__().default_dtypes(device=None)[_DEFAULT_TYPES[name]]
        if name in _DTYPES:
            return getattr(_spaces.named(default_backend()).module, name)
        if name in ("newaxis", "pi", "e", "inf", "nan"):
            return getattr(Namespace, name)
        if name in ("linalg", "fft"):
            return _Extension("agnograd", name)
        if name in _MODULES:
            return _import_module(f"agnograd.{name}")
        if name in _LATER:
            found = globals()[name] = getattr(_import_module(f"agnograd.{_LATER[name]}"), name)
            return found
        if _find_spec(f"agnograd.{name}") is not None:
            # `from agnograd import cli` asks here first: no reason to load plugins.
            msg = f"module 'agnograd' has no attribute {name!r}; it is a module of its own, to be imported"
            raise AttributeError(msg)
        return _member("agnograd", name)


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__", *(n.partition(".")[0] for n in _OPS), *_DTYPES})
