"""The project's tasks. `nox` runs the checks of a pull request; `nox --list` shows them all."""

import argparse
import tempfile
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PYTHONS = ["3.11", "3.12", "3.13"]
BACKENDS = ["numpy", "dask", "strict", "cupy"]

nox.needs_version = ">=2025.11.12"
nox.options.default_venv_backend = "uv|virtualenv"


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test suite on every backend: the command of the README."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", "-n", "auto", *session.posargs)


@nox.session(python=PYTHONS, default=False)
@nox.parametrize("backend", BACKENDS)
def matrix(session: nox.Session, backend: str) -> None:
    """Run the test suite on one backend under one Python."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", f"--agnograd-backends={backend}", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check format, style and the direction of imports."""
    session.install("-e", ".[dev]")
    session.run("ruff", "format", "--check")
    session.run("ruff", "check")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package, and those that editors are told of."""
    session.install("-e", ".[dev,test-core]")
    session.run("mypy")
    session.run("python", "scripts/signatures.py", "--check")


@nox.session(default=False)
def verifytypes(session: nox.Session) -> None:
    """Check that at least 95 % of the public names have a type that every type checker knows."""
    session.install("-e", ".[dev]")
    session.run("python", "scripts/verifytypes.py", *session.posargs)


@nox.session(default=False)
def imports(session: nox.Session) -> None:
    """Check that `import agnograd` is quick and loads no array library."""
    session.install(".")
    session.run("python", "scripts/import_time.py", *session.posargs)


@nox.session(default=False)
def wheel(session: nox.Session) -> None:
    """Build the distribution, and try the wheel in an empty folder."""
    with tempfile.TemporaryDirectory() as name:
        empty = Path(name)
        session.install("build")
        session.run("python", "-m", "build", "--outdir", str(empty / "dist"))
        (built,) = (empty / "dist").glob("*.whl")
        session.install("--force-reinstall", str(built))
        with session.chdir(empty):
            session.run("python", str(ROOT / "scripts" / "smoke.py"), "--installed")


@nox.session(default=False)
def plugins(session: nox.Session) -> None:
    """Run the test suite of each distribution under plugins/."""
    found = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
    if not found:
        session.skip("there is no distribution under plugins/")
    session.install("-e", ".[test]")
    for plugin in found:
        builds = plugin / "ci-requirements.txt"
        if builds.exists():
            session.install("-r", builds, "--extra-index-url", "https://download.pytorch.org/whl/cpu")
        session.install("-e", f"{plugin}[test]")
        with session.chdir(plugin):
            session.run("python", "-m", "pytest", "-n", "auto", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure against the peers; torch takes part where its wheel can be installed by hand."""
    session.install("-e", ".[bench]")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(default=False)
def conformance(session: nox.Session) -> None:
    """Run data-apis/array-api-tests: nox -s conformance -- --suite CHECKOUT [--backend numpy]."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--suite", type=Path)
    suite = parser.parse_known_args(session.posargs)[0].suite
    if suite is None:
        session.error("name a checkout of data-apis/array-api-tests, with its submodule: -- --suite CHECKOUT")
    session.install("-e", ".[test]", "-r", str(suite / "requirements.txt"))
    session.run("python", "tests/conformance/suite.py", *session.posargs)


@nox.session(default=False)
def oracle(session: nox.Session) -> None:
    """Hold values and gradients of every operation against torch's."""
    session.install("-e", ".[oracle]", "--extra-index-url", "https://download.pytorch.org/whl/cpu")
    session.run("python", "-m", "pytest", "tests/oracle", *session.posargs)


@nox.session(default=False)
def nvrtc(session: nox.Session) -> None:
    """Compile the kernels in CUDA C++ by CUDA's own compiler, which runs without a GPU."""
    session.install("-e", ".[test,nvrtc]")
    session.run("python", "-m", "pytest", "tests/on_cupy/test_nvrtc.py", "-m", "slow", "--agnograd-backends=cupy")


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Build the documentation, executing its code: every warning is an error."""
    session.install("-e", ".[docs]", "-e", "plugins/agnograd-special", "-e", "plugins/agnograd-scipy")
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session(default=False)
def changelog(session: nox.Session) -> None:
    """Show what the changelog of the next release would say."""
    session.install("-e", ".[dev]")
    session.run("towncrier", "build", "--draft", "--version", "next")
