"""The plugin in runs of its own, as the author of another package meets it."""

import os
import subprocess
import sys
import textwrap
from importlib.metadata import entry_points
from types import SimpleNamespace

import pytest

import pytest_agnograd

DEMO = """
    import agnograd
    from agnograd.core.sample import Sample, Uniform
    from agnograd.core.tiers import elementwise
    from agnograd.hookspecs import Backend, hookimpl

    class Plugin:
        @hookimpl
        def agnograd_ops(self):
            yield elementwise(
                "demo.cube(x, /)", body=lambda xp, x: x * x * x, x=lambda xp, g, x: FACTOR * x * x * g,
                samples=[Sample((Uniform(),)), Sample((Uniform(kind="complex"),))],
            )

        @hookimpl
        def agnograd_backends(self):
            yield Backend(
                name="absent", namespace="no_such_library", array_types=("no_such_library:Array",),
                requires=("no_such_library",), extra="no-such-library",
            )

    agnograd.plugins.manager.register(Plugin(), "demo")
"""

USER_TEST = """
    def test_name(agnograd_backend):
        assert agnograd_backend in ("numpy", "strict")

    def test_namespace(agnograd_xp):
        assert agnograd_xp.sum(agnograd_xp.ones(3)).item() == 3

    def test_row(agnograd_row):
        assert agnograd_row.space.name in ("numpy", "strict")
"""


def start(folder, *options):
    """A run of pytest in a folder that has nothing to do with agnograd."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))}
    # Other plugins that are installed here may import what agnograd does not: zarr's imports dask.
    variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def run(tmp_path):
    def run(*options, factor=3, test=USER_TEST):
        (tmp_path / "demo_plugin.py").write_text(textwrap.dedent(DEMO).replace("FACTOR", str(factor)))
        (tmp_path / "test_user.py").write_text(textwrap.dedent(test))
        return start(tmp_path, "-p", "pytest_agnograd", "-p", "demo_plugin", *options)

    return run


def test_fixtures_run_on_each_backend(run):
    done = run("--agnograd-backends=numpy,strict")
    assert "9 passed" in done.stdout, done.stdout


def test_operation_of_a_plugin_enters_the_tests(run):
    options = ("--pyargs", "agnograd.testing.conformance", "--agnograd-ops=demo.*", "-c", "pytest.ini")
    done = run(*options, "--agnograd-backends=numpy,strict")
    assert done.returncode == 0, done.stdout
    assert "78 passed" in done.stdout, done.stdout
    done = run(*options, "--agnograd-backends=numpy", factor=4)
    assert done.returncode == 1
    assert "finite differences" in done.stdout


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("numpy,absent", "pip install 'no-such-library'"),
        ("numpi", "numpy"),
    ],
)
def test_backend_that_cannot_be_used_is_refused(run, names, says):
    done = run(f"--agnograd-backends={names}")
    assert done.returncode == 4
    assert says in done.stderr
    assert "passed" not in done.stdout


def test_available_leaves_out_what_does_not_work(run):
    done = run(
        "--agnograd-backends=available", test="def test_name(agnograd_backend): assert agnograd_backend != 'absent'"
    )
    assert done.returncode == 0, done.stdout


def test_a_run_that_asks_for_nothing_pays_for_nothing(run):
    test = """
        import sys

        def test_loaded():
            assert not {"dask", "array_api_strict", "cupy"} & set(sys.modules)
    """
    done = run(test=test)
    assert done.returncode == 0, done.stdout


# -- markers and devices ----------------------------------------------------------------------------------------------

MARKED = """
    import pytest

    @pytest.mark.skip_backends("strict", reason="it has no such thing")
    def test_skipped(agnograd_xp):
        assert agnograd_xp.__name__.endswith("numpy")

    @pytest.mark.xfail_backends("numpy", reason="NumPy is too lenient", raises=AssertionError)
    def test_fails(agnograd_backend):
        assert agnograd_backend == "strict"

    @pytest.mark.skip_backends("strict-no_float64", "strict-device2")
    def test_device(agnograd_xp, agnograd_device):
        x = agnograd_xp.ones(3, dtype=agnograd_xp.float64, device=agnograd_device)
        assert agnograd_xp.sum(x).device == agnograd_device

    @pytest.mark.skip_backends("numpy")
    def test_row(agnograd_row):
        assert agnograd_row.backend == "strict"

    @pytest.mark.skip_backends("numpy")
    def test_neither():
        pass
"""


def test_markers(run):
    done = run("--agnograd-backends=numpy,strict", "-rsx", "--strict-markers", test=MARKED)
    # Rows: numpy and four devices of array-api-strict.
    assert "10 passed, 4 skipped, 1 xfailed" in done.stdout, done.stdout
    assert "it has no such thing" in done.stdout
    assert "not for strict, strict-device2" in done.stdout
    assert "NumPy is too lenient" in done.stdout


def test_xfail_is_strict_unless_it_is_said(run):
    test = """
        import pytest

        @pytest.mark.xfail_backends("numpy", reason="mended")
        def test_passes(agnograd_backend):
            pass

        @pytest.mark.xfail_backends("numpy", reason="mended", strict=False)
        def test_passes_now_and_then(agnograd_backend):
            pass
    """
    assert "1 failed, 2 passed, 1 xpassed" in run("--agnograd-backends=numpy,strict", test=test).stdout


class Item:
    """A test that runs on one backend."""

    nodeid = "test_it"
    callspec = SimpleNamespace(params={"agnograd_backend": "numpy"})

    def __init__(self, marker):
        self.marker = marker.mark

    def iter_markers(self, name):
        return [self.marker] if name == self.marker.name else []


@pytest.mark.parametrize(
    ("marker", "says"),
    [
        (pytest.mark.skip_backends(), "skip_backends takes names of backends and reason, got nothing"),
        (pytest.mark.skip_backends(3), "skip_backends takes names of backends and reason, got 3"),
        (pytest.mark.skip_backends("numpy", why="x"), "skip_backends takes .* and reason, got 'numpy', why="),
        (pytest.mark.xfail_backends("dask"), "xfail_backends needs a reason"),
    ],
    ids=["no backend", "no name", "an unknown option", "no reason"],
)
def test_a_marker_that_says_nothing_is_refused(marker, says):
    with pytest.raises(pytest.UsageError, match=f"test_it: {says}"):
        pytest_agnograd._apply_markers(Item(marker))


def test_a_run_with_such_a_marker_ends_before_it_begins(run):
    test = """
        import pytest

        @pytest.mark.xfail_backends("dask")
        def test_name(agnograd_backend):
            pass
    """
    done = run("--agnograd-backends=numpy", test=test)
    assert done.returncode == 4, done.stdout
    assert "xfail_backends needs a reason" in done.stderr


# -- what a conftest.py says of single runs ---------------------------------------------------------------------------

KNOWN_TO_FAIL = """
    import pytest

    def pytest_agnograd_gap(test, row, case, precision):
        if (row.name, case.op.name, test) == ("strict", "demo.cube", "test_fails") and precision == "float32":
            return {reason!r}

    def pytest_agnograd_slow(case):
        return not case.few or None
"""
OVER_CASES = """
    from agnograd.testing import over_cases

    @over_cases(lambda case: not case.is_complex)
    def test_fails(agnograd_row, agnograd_case, agnograd_precision):
        assert agnograd_row.name != "strict" or agnograd_precision == "float64"

    @over_cases(lambda case: case.is_complex)
    def test_passes(agnograd_row, agnograd_case, agnograd_precision):
        pass
"""
OPTIONS = ("--agnograd-backends=numpy,strict", "--agnograd-ops=demo.*", "-rx")


def test_a_gap_is_a_strict_xfail_with_its_reason(run, tmp_path):
    (tmp_path / "conftest.py").write_text(textwrap.dedent(KNOWN_TO_FAIL.format(reason="the demo is narrow")))
    done = run(*OPTIONS, test=OVER_CASES)
    # Rows: numpy and four devices of array-api-strict, one of which has single precision only; two samples.
    assert "17 passed, 1 xfailed" in done.stdout, done.stdout
    assert "the demo is narrow" in done.stdout
    done = run(*OPTIONS, test=OVER_CASES.replace("assert", "assert True or"))
    assert "1 failed, 17 passed" in done.stdout, done.stdout
    assert "XPASS(strict)" in done.stdout


def test_a_gap_needs_a_reason(run, tmp_path):
    (tmp_path / "conftest.py").write_text(textwrap.dedent(KNOWN_TO_FAIL.format(reason="")))
    done = run(*OPTIONS, test=OVER_CASES)
    assert done.returncode == 4, done.stdout
    assert "pytest_agnograd_gap gives the reason why it is known to fail" in done.stderr


def test_runs_are_marked_slow(run, tmp_path):
    (tmp_path / "conftest.py").write_text(
        "def pytest_agnograd_slow(test, row):\n    return test == 'test_fails' and row.device is not None\n"
    )
    done = run(*OPTIONS, "-m", "slow", "--collect-only", test=OVER_CASES)
    assert "5/18 tests collected" in done.stdout, done.stdout


# -- nothing is imported before it is needed --------------------------------------------------------------------------

STRANGER = """
    import sys

    def test_nothing_is_there():
        assert "pytest_agnograd" in sys.modules
        assert not [name for name in sys.modules if name.partition(".")[0] in {"agnograd", "numpy", "array_api_compat"}]
"""


def test_a_run_that_knows_nothing_of_agnograd_imports_nothing_of_it(tmp_path):
    (tmp_path / "test_stranger.py").write_text(textwrap.dedent(STRANGER))
    done = start(tmp_path, "-p", "pytest_agnograd")
    assert done.returncode == 0, done.stdout


def test_the_entry_point_is_that_module():
    (point,) = [point for point in entry_points(group="pytest11") if point.dist.name == "agnograd"]
    assert point.value == "pytest_agnograd"
