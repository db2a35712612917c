"""One operation, or a whole plugin, through the tests of the table in one call."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from agnograd import plugins
from agnograd.core.op import Op, default_doc
from agnograd.core.table import OPS
from agnograd.errors import ConformanceError, PluginError, UnknownPluginError
from agnograd.hookspecs import hookimpl
from agnograd.plugins.contract import BACKENDS, OPERATIONS, check_hooks
from agnograd.testing.matrix import backend_names, rows
from agnograd.testing.outcomes import failure
from agnograd.testing.runs import runs

# So many failures are told one by one.
_TOLD = 10


def check_op(op: Op | str, backends: str = "available", *, samples: str | None = None) -> None:
    """Check one operation with all its samples: values, derivatives of first and second order in both modes, batches.

    These are the tests of `agnograd.testing.conformance`, which pytest runs one by one. Here they run without it.

    Parameters
    ----------
    op : Op or str
        An operation, which need not be registered, or the name of one that is.
    backends : str
        Names separated by commas; ``"available"`` for those that work here, ``"all"`` for all.
    samples : str or None
        ``"all"`` or ``"few"``; by default few on CuPy, where each new one compiles kernels.

    Raises
    ------
    ConformanceError
        If a check fails; the message tells which, and why.

    Examples
    --------
    >>> from agnograd.hookspecs import Sample, Uniform, elementwise
    >>> from agnograd.testing import check_op
    >>> cube = elementwise(
    ...     "mine.cube(x, /)",
    ...     body=lambda xp, x: x * x * x,
    ...     x=lambda xp, g, x: 2 * g * x * x,
    ...     samples=[Sample((Uniform(),))],
    ...     doc="x to the third",
    ... )
    >>> check_op(cube, "numpy")
    Traceback (most recent call last):
        ...
    agnograd.errors.ConformanceError: mine.cube: 1 of 10 checks failed
    - test_first_order[numpy-mine.cube-3-f8]: GradcheckError: reverse mode: ...
    """
    with _registered(op) as found:
        _check(found.name, found.name, backend_names(backends), samples)


def assert_plugin(plugin: object, backends: str = "available", *, ops: str = "*", samples: str | None = None) -> None:
    """Check a plugin: its contract, each of its operations on every backend, and each of its backends.

    Parameters
    ----------
    plugin : module, object or str
        What carries the hooks, or the name of the entry point of an installed plugin.
    backends : str
        On which backends its operations are checked: names separated by commas; ``"available"`` for those that work
        here, those of the plugin among them.
    ops : str
        Which of agnograd's operations are checked on the plugin's backends, as in a shell, separated by commas.
    samples : str or None
        ``"all"`` or ``"few"`` samples of the plugin's own operations. Those of agnograd are checked with few.

    Raises
    ------
    PluginError
        If the plugin breaks the contract of `agnograd.hookspecs`, is broken otherwise, or if its operations have no
        prefix or no documentation.
    UnknownPluginError
        If no plugin of that name is installed.
    BackendUnavailableError
        If a backend of the plugin does not work here.
    ConformanceError
        If a check fails.

    Examples
    --------
    >>> from agnograd.hookspecs import Sample, Uniform, hookimpl, linear
    >>> from agnograd.testing import assert_plugin
    >>> class Plugin:
    ...     @hookimpl
    ...     def agnograd_ops(self):
    ...         yield linear(
    ...             "mine.twice(x, /)",
    ...             body=lambda xp, x: x + x,
    ...             x=lambda xp, g: g + g,
    ...             samples=[Sample((Uniform(),))],
    ...             doc="the double of x",
    ...         )
    >>> assert_plugin(Plugin(), "numpy,strict")
    Traceback (most recent call last):
        ...
    agnograd.errors.ConformanceError: plugin Plugin: ... of ... checks failed
    - test_batched[numpy-mine.twice-3-f8]: BatchLoopWarning: ...
    ...
    """
    label = plugin if isinstance(plugin, str) else getattr(plugin, "__name__", type(plugin).__name__)
    with _loaded(plugin) as record:
        own = record.provides[OPERATIONS]
        _check_names(label, own)
        described = record.provides[BACKENDS]
        # Those that are asked for have to work, and so do the plugin's own.
        chosen = backend_names(backends)
        for name in described:
            plugins.manager.space(name)
        if own:
            _check(f"plugin {label}", ",".join(own), chosen, samples)
        if described:
            theirs = [name for name in OPS if plugins.manager.provider(name) == "agnograd"]
            _check(f"plugin {label}", ops, described, "few", keep=set(theirs))


class _Holder:
    """A plugin that has one operation."""

    def __init__(self, op: Op) -> None:
        self.agnograd_ops = hookimpl(lambda: [op])


@contextlib.contextmanager
def _registered(op: Op | str) -> Iterator[Op]:
    """An operation in the table: for the while, if it is not there."""
    if isinstance(op, str):
        yield plugins.manager.find_op(op)
    elif OPS.get(op.name) is op:
        yield op
    else:
        with plugins.isolated() as manager:
            manager.register(_Holder(op), op.name)
            yield op


@contextlib.contextmanager
def _loaded(plugin: object) -> Iterator[plugins.Record]:
    """What became of a plugin: of an installed one, or of one that is registered for the while."""
    if not isinstance(plugin, str):
        check_hooks(plugin)
        with plugins.isolated() as manager:
            yield manager.register(plugin, getattr(plugin, "__name__", type(plugin).__name__))
        return
    manager = plugins.manager
    manager.load()
    known = [record for record in manager.records if not record.built_in]
    found = [record for record in known if plugin in (record.name, record.distribution)]
    if not found:
        names = ", ".join(sorted(record.label for record in known)) or "none"
        msg = f"no plugin named {plugin!r} is installed. Installed: {names}."
        raise UnknownPluginError(msg)
    for record in found:
        if record.status != "loaded" or record.error:
            msg = f"plugin {record.label} is {record.status}{record.error and ': '}{record.error}"
            raise PluginError(msg)
        for error in manager.conflicts():
            if record.label in error:
                raise PluginError(error)
        yield record
        return


def _check_names(plugin: str, names: list[str]) -> None:
    bare = [name for name in names if "." not in name]
    if bare:
        msg = (
            f"plugin {plugin}: operations {_listed(bare)} have no prefix. Call them 'mypackage.{bare[0]}': names "
            f"without one are for those that agnograd itself may bring."
        )
        raise PluginError(msg)
    # What an operation says that was given no text.
    silent = [name for name in names if OPS[name].doc == default_doc(name)]
    if silent:
        msg = f"plugin {plugin}: operations {_listed(silent)} have no documentation. Give them doc='...'."
        raise PluginError(msg)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_TOLD])
    return f"{shown} and {len(names) - _TOLD} more" if len(names) > _TOLD else shown


def _check(label: str, pattern: str, backends: list[str], samples: str | None, keep: set[str] | None = None) -> None:
    from agnograd.testing import conformance

    chosen = rows(backends)
    tests = [value for name, value in vars(conformance).items() if name.startswith("test_")]
    failures: dict[str, Exception] = {}
    count = 0
    for test in tests:
        for run in runs(test, chosen, pattern, samples):
            if keep is not None and run.case.op.name not in keep:
                continue
            count += 1
            error = failure(test, run)
            if error is not None:
                failures[f"{test.__name__}[{run.id}]"] = error
    if not count:
        msg = f"{label}: there is nothing to check on {', '.join(backends) or 'no backend'}"
        raise ConformanceError(msg)
    if failures:
        raise ConformanceError(_told(label, count, failures)) from next(iter(failures.values()))


def _told(label: str, count: int, failures: Mapping[str, Exception]) -> str:
    lines = [f"{label}: {len(failures)} of {count} checks failed"]
    for name, error in list(failures.items())[:_TOLD]:
        text = " ".join(str(error).split())
        lines.append(f"- {name}: {type(error).__name__}: {text[:300]}{'...' if len(text) > 300 else ''}")
    if len(failures) > _TOLD:
        lines.append(f"- and {len(failures) - _TOLD} more")
    return "\n".join(lines)
