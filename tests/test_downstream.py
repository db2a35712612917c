"""Somebody else's project uses the pytest plugin: `downstream`, with a pyproject.toml and a run of its own."""

import shutil
from pathlib import Path

import projects
import pytest

HERE = Path(__file__).parent


def run(folder, *options):
    return projects.run("-m", "pytest", "-q", "-p", "no:cacheprovider", *options, folder=folder, path=[str(folder)])


@pytest.fixture
def project(tmp_path):
    return shutil.copytree(HERE / "downstream", tmp_path / "downstream", ignore=shutil.ignore_patterns("__pycache__"))


def test_three_backends(project):
    pytest.importorskip("dask")
    done = run(project)
    assert done.returncode == 0, done.stdout
    # NumPy 5, dask 4 and 1 that is known to fail, array-api-strict 7 on four devices and 1 left out.
    assert "16 passed, 1 skipped, 1 xfailed" in done.stdout


def test_one_backend_by_the_option(project):
    done = run(project, "--agnograd-backends=strict")
    assert "7 passed, 1 skipped" in done.stdout, done.stdout


def test_a_gradient_that_they_lose_is_noticed_on_each_backend(project):
    path = project / "smoothing.py"
    path.write_text(path.read_text().replace("(left + right) / 2", "(left + right.detach()) / 2"))
    done = run(project, "-k", "derivatives", "--agnograd-backends=numpy,strict")
    assert "2 failed" in done.stdout, done.stdout
