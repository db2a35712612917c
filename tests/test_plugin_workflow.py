"""The workflow that plugins reuse: its steps, run on the template as GitHub would run them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import projects
import pytest

ROOT = Path(__file__).parent.parent
WORKFLOW = ROOT / ".github" / "workflows" / "plugin-matrix.yml"
TEMPLATE = ROOT / "plugins" / "agnograd-template"

pytestmark = pytest.mark.skipif(not WORKFLOW.exists(), reason="workflows travel with the source tree only")


@pytest.fixture(scope="module")
def workflow():
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))


@pytest.fixture
def step(workflow, tmp_path):
    """Run a step in the template's folder; variables stand for the inputs that it takes."""
    path = projects.install(TEMPLATE, tmp_path)

    def run(name, **variables):
        (found,) = [step for step in workflow["jobs"]["test"]["steps"] if step.get("name") == name]
        assert variables.keys() - {"BACKEND"} == found.get("env", {}).keys()
        environment = {name: value for name, value in os.environ.items() if not name.startswith(projects.ENVIRONMENT)}
        environment |= {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_ADDOPTS": "-p no:cacheprovider",
            "AGNOGRAD_LOAD_PLUGINS": "agnograd-template",
            "AGNOGRAD_PLUGIN_ERRORS": "raise",
            **variables,
        }
        command = ["bash", "-e", "-c", found["run"]]
        return subprocess.run(command, cwd=TEMPLATE, env=environment, capture_output=True, text=True, check=False)

    return run


def test_the_plugin_has_to_load(step):
    done = step("The plugin loads", PLUGIN="template")
    assert done.returncode == 0, done.stderr
    done = step("The plugin loads", PLUGIN="templates")
    assert done.returncode == 1
    assert "AssertionError: ['cupy', 'dask', 'numpy', 'observers', 'strict', 'template']" in done.stderr


def test_its_tests_run_on_the_backend(step):
    done = step("Test", BACKEND="template", OPTIONS="-q -k differentiated")
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    done = step("Test", BACKEND="templates", OPTIONS="-q")
    assert done.returncode == 4
    assert "no backend named 'templates'; did you mean 'template'?" in done.stderr


def test_operations_run_through_the_conformance_tests(step):
    done = step("The tests that every operation passes", BACKEND="template", OPERATIONS="template.*")
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d\d passed", done.stdout)


def test_inputs_reach_the_shell_as_variables_and_actions_are_pinned(workflow):
    steps = workflow["jobs"]["test"]["steps"]
    assert not any("${{" in step.get("run", "") for step in steps)
    used = [step["uses"] for step in steps if "uses" in step]
    assert len(used) == 2
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) for action in used)


def test_inputs_that_are_documented_are_used(workflow):
    text = WORKFLOW.read_text(encoding="utf-8")
    # YAML reads the key `on` as a truth value.
    inputs = workflow[True]["workflow_call"]["inputs"]
    assert all(given["description"] and "default" in given for given in inputs.values())
    assert set(re.findall(r"inputs\.(\w+)", text)) == set(inputs)
