"""The pytest plugin: options and fixtures that run tests on several backends.

Loaded by its entry point in every pytest run where agnograd is installed, so it does nothing until a test asks for one
of its fixtures, and imports nothing of agnograd at the top.

Fixtures
--------
agnograd_backend
    Name of a backend; the test runs once for each that was chosen.
agnograd_xp
    The namespace of that backend.
agnograd_row, agnograd_case, agnograd_precision
    A row of the test matrix, a case of the table and a dtype: for tests decorated by `agnograd.testing.over_cases`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from agnograd.testing.matrix import Row
    from agnograd.testing.samples import Case

_CASE_ARGUMENTS = ("agnograd_row", "agnograd_case", "agnograd_precision")
_backends = pytest.StashKey[list[str]]()


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
    """Register the marker of exhaustive tests."""
    config.addinivalue_line("markers", "slow: exhaustive, left out by -m 'not slow'")


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
    elif "agnograd_backend" in wanted or "agnograd_xp" in wanted:
        metafunc.parametrize("agnograd_backend", chosen_backends(metafunc.config))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests of cases for which the chosen backends and operations have none."""
    empty = [
        item for item in items if "agnograd_case" in _params(item) and not hasattr(_params(item)["agnograd_case"], "op")
    ]
    if empty:
        config.hook.pytest_deselected(items=empty)
        items[:] = [item for item in items if item not in empty]


def _params(item: pytest.Item) -> dict[str, Any]:
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec is not None else {}


def parameters(config: pytest.Config, function: Any, chosen: list[Row]) -> list[Any]:
    """Row, case and precision of each run of a test that is decorated by `over_cases`."""
    from agnograd.testing.matrix import DOUBLE
    from agnograd.testing.samples import cases

    selection = function.agnograd_selection
    pattern = config.getoption("agnograd_ops")
    out = []
    for row in chosen:
        if selection.backends is not None and row.backend not in selection.backends:
            continue
        some = {case.key for case in cases(pattern, few=True)}
        amount = config.getoption("agnograd_samples") or ("few" if row.backend == "cupy" else "all")
        for case in cases(pattern):
            if not selection.keep(case) or (amount == "few" and case.key not in some):
                continue
            marks = [pytest.mark.slow] if row.backend in selection.slow_on and case.key not in some else []
            out += [
                pytest.param(row, case, precision, id=_id(row, case, precision), marks=marks)
                for precision in selection.precisions
                if precision in row.precisions and (amount == "all" or precision == DOUBLE)
            ]
    return out


def _id(row: Row, case: Case, precision: str) -> str:
    short = {"float64": "f8", "float32": "f4"}
    return f"{row.name}-{case.op.name}-{case.id}-{short[precision]}"


@pytest.fixture
def agnograd_xp(agnograd_backend: str) -> Any:
    """The namespace of a backend."""
    import agnograd

    return agnograd.namespace(agnograd_backend)
