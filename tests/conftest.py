"""Which backends the tests run on, CuPy's emulator, and the marks of what is known to fail.

CuPy has a process of its own: its emulator must be there before anything imports CuPy or dask. So with
``--agnograd-backends=cupy`` it is installed here, first of all; where CuPy is one of several backends,
test_cupy_column.py runs it in a subprocess.
"""

import contextlib
import importlib.util
import os

import capabilities
import cupy_cpu
import pytest

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # SciPy asks once, when it is imported
# Compiled code is not to be found on disk, nor left there: tests/compiler/test_cache.py has directories of its own.
os.environ.setdefault("AGNOGRAD_CACHE", "0")
DEFAULT_BACKENDS = "numpy,dask,strict,cupy"
column = pytest.StashKey[bool]()
emulation = pytest.StashKey[contextlib.ExitStack]()
counts = pytest.StashKey[cupy_cpu.Counts]()


def pytest_configure(config):
    names = (config.getoption("agnograd_backends") or DEFAULT_BACKENDS).split(",")
    alone = names == ["cupy"]
    config.stash[column] = "cupy" in names and not alone
    if config.stash[column]:
        names.remove("cupy")
    config.option.agnograd_backends = ",".join(names)
    if alone:
        start_cupy(config)


def start_cupy(config):
    from agnograd.testing import matrix

    reason = None if cupy_cpu.real_gpu() else cupy_cpu.unsupported()
    if reason is not None:
        raise pytest.UsageError(f"--agnograd-backends=cupy: {reason}")
    _, emulated = cupy_cpu.load()
    matrix.GUARDS["cupy"] = cupy_cpu.forbid_synchronisation
    stack = config.stash[emulation] = contextlib.ExitStack()
    if emulated:
        config.stash[counts] = stack.enter_context(cupy_cpu.counting())


def pytest_ignore_collect(collection_path, config):
    # The column must not start itself, nor run where CuPy was not asked for.
    return True if collection_path.name == "test_cupy_column.py" and not config.stash[column] else None


def pytest_collection_modifyitems(items):
    for item in items:
        params = getattr(item, "callspec", None) and item.callspec.params
        if params and "agnograd_case" in params:
            row, case = params["agnograd_row"], params["agnograd_case"]
            why = capabilities.reason(row.name, row.backend, case.op.name, item.originalname, case.id)
            if why is not None:
                item.add_marker(pytest.mark.xfail(reason=why, strict=True))


def pytest_runtest_teardown(item):
    if counts in item.config.stash:
        cupy_cpu.check_errors()


def pytest_terminal_summary(terminalreporter, config):
    if importlib.util.find_spec("torch") is None:
        terminalreporter.write_line(
            "tests/oracle is not collected: it needs torch, see the extra `oracle` in pyproject.toml"
        )
    found = config.stash.get(counts, None)
    if found is not None:
        terminalreporter.write_line(
            f"cupy: {found.launches} launches of {len(found.kernels)} kernels, {found.library_calls} library calls, "
            f"{found.copies} copies, {found.synchronisations} host synchronisations, {found.allocations} allocations"
        )


def pytest_sessionfinish(session, exitstatus):
    session.config.stash[status] = int(exitstatus)


status = pytest.StashKey[int]()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    # CuPy's modules cannot be taken down on the emulator in any order. A worker of xdist has a report to send first.
    if emulation in config.stash and not hasattr(config, "workerinput"):
        cupy_cpu.exit(config.stash.get(status, 1))
