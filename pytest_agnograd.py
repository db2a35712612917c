"""The pytest plugin: options, fixtures and markers that run tests on several backends.

Its entry point loads it in every pytest run where agnograd is installed. So it is a module beside the package, imports
nothing of it until a test asks for one of its fixtures, and measurements of coverage miss nothing.

Fixtures
--------
agnograd_backend
    Name of a backend; the test runs once for each that was chosen.
agnograd_xp
    The namespace of that backend.
agnograd_device
    A device of that backend, to be given as ``device=``; the test runs once for each row of the test matrix, among them
    devices of array-api-strict that are not the default one.
agnograd_row, agnograd_case, agnograd_precision
    A row of the test matrix, a case of the table and a dtype: for tests decorated by `agnograd.testing.over_cases`.

Markers
-------
skip_backends(*names, reason="")
    Do not run the test on these backends, or rows of the test matrix.
xfail_backends(*names, reason, raises=None, strict=True)
    It is known to fail there.

Hooks
-----
pytest_agnograd_gap, pytest_agnograd_slow
    What a ``conftest.py`` says about single runs of tests that are decorated by `over_cases`, agnograd's own tests of
    the table among them: that one is known to fail, and why; that one is marked slow. See `Hooks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from agnograd.testing.matrix import Row
    from agnograd.testing.samples import Case

# Its assertions say what differs.
pytest.register_assert_rewrite("agnograd.testing.conformance")

_CASE_ARGUMENTS = ("agnograd_row", "agnograd_case", "agnograd_precision")
_backends = pytest.StashKey[list[str]]()


class Hooks:
    """What a ``conftest.py`` may implement; the first answer that is not None counts.

    The limits of a library belong into one table of a plugin's tests, say ``capabilities.GAPS``, with a reason each::

        def pytest_agnograd_gap(test, row, case):
            return capabilities.GAPS.get((case.op.name, test))

    A hook names the arguments that it needs: `test` is the name of the test function, `row` has the name of the
    ``backend``, `case` the operation as ``op``, the name of the sample as ``id`` and what it is as ``sample``, and
    `precision` is ``"float64"`` or ``"float32"``.
    """

    @pytest.hookspec(firstresult=True)
    def pytest_agnograd_gap(self, test: str, row: Row, case: Case, precision: str) -> str | None:
        """Why this run is known to fail, or None. The mark is strict: what starts to work fails until it is removed."""

    @pytest.hookspec(firstresult=True)
    def pytest_agnograd_slow(self, test: str, row: Row, case: Case, precision: str) -> bool | None:
        """Whether this run is marked slow, so that ``-m 'not slow'`` leaves it out."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Let a ``conftest.py`` implement the hooks."""
    pluginmanager.add_hookspecs(Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("agnograd")
    group.addoption(
        "--agnograd-backends",
        metavar="NAMES",
        help="backends to test, separated by commas; 'available' (the default) for all that work here, 'all' for all",
    )
    group.addoption(
        "--agnograd-ops",
        metavar="PATTERNS",
        default="*",
        help="operations to test, as in a shell ('special.*'), separated by commas",
    )
    group.addoption(
        "--agnograd-samples",
        choices=["all", "few"],
        help="how many samples of each operation; 'few' is the default for CuPy, where each new one compiles kernels",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    config.addinivalue_line("markers", "slow: exhaustive, left out by -m 'not slow'")
    config.addinivalue_line("markers", "skip_backends(*names, reason=''): do not run on these backends")
    config.addinivalue_line(
        "markers", "xfail_backends(*names, reason, raises=None, strict=True): known to fail on these backends"
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse backends that were asked for and do not work, before anything is collected."""
    if session.config.getoption("agnograd_backends"):
        chosen_backends(session.config)


def chosen_backends(config: pytest.Config) -> list[str]:
    """Names of the backends that this run tests.

    Raises
    ------
    pytest.UsageError
        If one was asked for by name and does not work here; the message says how to install it.
    """
    if _backends not in config.stash:
        from agnograd.errors import AgnogradError
        from agnograd.testing.matrix import backend_names

        try:
            config.stash[_backends] = backend_names(config.getoption("agnograd_backends") or "available")
        except AgnogradError as error:
            msg = f"--agnograd-backends: {error}"
            raise pytest.UsageError(msg) from None
    return config.stash[_backends]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test for each backend, row or case."""
    wanted = set(metafunc.fixturenames)
    if {"agnograd_case", "agnograd_row"} & wanted:
        from agnograd.testing.matrix import rows

        chosen = rows(chosen_backends(metafunc.config))
        if "agnograd_case" in wanted:
            found = parameters(metafunc.config, metafunc.function, chosen)
            metafunc.parametrize(_CASE_ARGUMENTS, found)
        else:
            metafunc.parametrize("agnograd_row", chosen, ids=[row.name for row in chosen])
    elif "agnograd_device" in wanted:
        from agnograd.testing.matrix import rows

        chosen = rows(chosen_backends(metafunc.config))
        values = [(row.backend, row) for row in chosen]
        ids = [row.name for row in chosen]
        metafunc.parametrize(("agnograd_backend", "agnograd_device"), values, ids=ids, indirect=["agnograd_device"])
    elif "agnograd_backend" in wanted or "agnograd_xp" in wanted:
        metafunc.parametrize("agnograd_backend", chosen_backends(metafunc.config))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Apply the markers; leave out tests of cases for which the chosen backends and operations have none."""
    empty = [
        item for item in items if "agnograd_case" in _params(item) and not hasattr(_params(item)["agnograd_case"], "op")
    ]
    if empty:
        config.hook.pytest_deselected(items=empty)
        items[:] = [item for item in items if item not in empty]
    for item in items:
        _apply_markers(item)
        if "agnograd_case" in _params(item):
            _ask_hooks(item)


def _ask_hooks(item: Any) -> None:
    """Mark a run of a case as a ``conftest.py`` above it says."""
    row, case, precision = (item.callspec.params[name] for name in _CASE_ARGUMENTS)
    run = {"test": item.originalname, "row": row, "case": case, "precision": precision}
    if item.ihook.pytest_agnograd_slow(**run):
        item.add_marker(pytest.mark.slow)
    why = item.ihook.pytest_agnograd_gap(**run)
    if why is not None:
        if not why or not isinstance(why, str):
            msg = f"{item.nodeid}: pytest_agnograd_gap gives the reason why it is known to fail, or None, got {why!r}"
            raise pytest.UsageError(msg)
        item.add_marker(pytest.mark.xfail(reason=why, strict=True))


def _apply_markers(item: pytest.Item) -> None:
    names = _places(_params(item))
    for marker in item.iter_markers("skip_backends"):
        given, options = _read(item, marker, {"reason": ""})
        if not names.isdisjoint(given):
            item.add_marker(pytest.mark.skip(reason=options["reason"] or f"not for {', '.join(sorted(names))}"))
    for marker in item.iter_markers("xfail_backends"):
        given, options = _read(item, marker, {"reason": "", "raises": None, "strict": True})
        if not options["reason"]:
            msg = f"{item.nodeid}: xfail_backends needs a reason: @pytest.mark.xfail_backends('dask', reason='...')"
            raise pytest.UsageError(msg)
        if not names.isdisjoint(given):
            item.add_marker(pytest.mark.xfail(**options))


def _places(params: dict[str, Any]) -> set[str]:
    """The names of a test's backend and row."""
    names = {params[name] for name in ("agnograd_backend",) if name in params}
    for name in ("agnograd_row", "agnograd_device"):
        if name in params:
            names |= {params[name].backend, params[name].name}
    return names


def _read(item: pytest.Item, marker: pytest.Mark, defaults: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    unknown = sorted(marker.kwargs.keys() - defaults.keys())
    if unknown or not marker.args or not all(isinstance(name, str) for name in marker.args):
        taken = ", ".join(defaults)
        got = ", ".join([*map(repr, marker.args), *(f"{name}=" for name in marker.kwargs)]) or "nothing"
        msg = f"{item.nodeid}: {marker.name} takes names of backends and {taken}, got {got}"
        raise pytest.UsageError(msg)
    return marker.args, {**defaults, **marker.kwargs}


def _params(item: pytest.Item) -> dict[str, Any]:
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec is not None else {}


def parameters(config: pytest.Config, function: Any, chosen: list[Row]) -> list[Any]:
    """Row, case and precision of each run of a test that is decorated by `over_cases`."""
    from agnograd.testing.runs import runs

    return [
        pytest.param(run.row, run.case, run.precision, id=run.id, marks=[pytest.mark.slow] if run.slow else [])
        for run in runs(function, chosen, config.getoption("agnograd_ops"), config.getoption("agnograd_samples"))
    ]


@pytest.fixture
def agnograd_xp(agnograd_backend: str) -> Any:
    """The namespace of a backend."""
    import agnograd

    return agnograd.namespace(agnograd_backend)


@pytest.fixture
def agnograd_device(request: pytest.FixtureRequest) -> Any:
    """A device of a backend."""
    row: Row = request.param
    if row.device is not None:
        return row.place()
    return row.space.device(row.space.module.asarray(0.0))
