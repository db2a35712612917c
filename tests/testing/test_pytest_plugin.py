"""The plugin in runs of its own, as the author of another package meets it."""

import os
import subprocess
import sys
import textwrap

import pytest

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


@pytest.fixture
def run(tmp_path):
    def run(*options, factor=3, test=USER_TEST):
        (tmp_path / "demo_plugin.py").write_text(textwrap.dedent(DEMO).replace("FACTOR", str(factor)))
        (tmp_path / "test_user.py").write_text(textwrap.dedent(test))
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "demo_plugin", *options]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    return run


def test_fixtures_run_on_each_backend(run):
    done = run("--agnograd-backends=numpy,strict")
    assert "9 passed" in done.stdout, done.stdout


def test_operation_of_a_plugin_enters_the_tests(run):
    options = ("--pyargs", "agnograd.testing.conformance", "--agnograd-ops=demo.*", "-c", "pytest.ini")
    done = run(*options, "--agnograd-backends=numpy,strict")
    assert done.returncode == 0, done.stdout
    assert "54 passed" in done.stdout, done.stdout
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
