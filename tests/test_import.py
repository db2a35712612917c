"""`import agnograd` loads no array library, and neither does the question whose array something is."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

LIBRARIES = ("numpy", "dask", "cupy", "torch", "jax", "array_api_strict", "array_api_compat", "scipy", "sklearn")

QUESTIONS = {
    "import": "import agnograd",
    "everything that is public": "import agnograd as ag; [getattr(ag, name) for name in ag.__all__]; dir(ag)",
    "the backends": "import agnograd as ag; ag.plugins.manager.backends(); ag.plugins.manager.find_backend('cupy')",
    "whose array": """
        import agnograd as ag
        from agnograd.core.table import spaces

        class Stranger:
            dtype = shape = None

        assert spaces.known(Stranger) is None
        assert spaces.known(list) is None
        for call in (lambda: ag.sin(Stranger()), lambda: ag.add(Stranger(), Stranger()), lambda: ag.sum([1.0])):
            try:
                call()
            except ag.errors.ForeignArrayError:
                continue
            raise AssertionError
        """,
    "grad modes, hooks and declarations": """
        import agnograd as ag
        from agnograd.core.sample import Sample, Uniform
        from agnograd.core.tiers import elementwise

        class Plugin:
            @ag.hookimpl
            def agnograd_ops(self):
                yield elementwise("mine.same(x, /)", body=lambda xp, x: x, x=1, samples=[Sample((Uniform(),))])

        with ag.no_grad(), ag.plugins.isolated() as manager:
            manager.register(Plugin(), "mine")
            ag.mine.same
        """,
    "an unknown backend": """
        import agnograd as ag

        try:
            ag.namespace("nobody")
        except ag.errors.UnknownBackendError:
            pass
        """,
}


def loaded(code):
    """Which of the libraries a fresh process has loaded after `code`."""
    code = f"{textwrap.dedent(code)}\nimport sys\nprint(*(name for name in {LIBRARIES} if name in sys.modules))"
    # Installed plugins may load what they like.
    environment = {**os.environ, "AGNOGRAD_DISABLE_PLUGINS": "*"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_array_library_is_loaded_by(question):
    assert loaded(QUESTIONS[question]) == []


def test_backends_that_are_not_used_are_described_and_no_more():
    code = "import sys, agnograd; print(*(name for name in sys.modules if name.startswith('agnograd.backends.dask_')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


def test_the_first_array_loads_its_library_and_no_other():
    assert loaded("import agnograd as ag; (ag.ones(2) + 1).sum()") == ["numpy", "array_api_compat"]


def test_an_array_of_a_library_that_is_there_loads_no_other():
    code = """
        import agnograd as ag
        import array_api_strict

        x = ag.asarray(array_api_strict.ones(2), requires_grad=True)
        (x * x).sum().backward()
        """
    assert "dask" not in loaded(code)
    assert "cupy" not in loaded(code)
