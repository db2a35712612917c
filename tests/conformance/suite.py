"""Runs data-apis/array-api-tests, from a checkout of it, on the namespaces of tensors.

``python tests/conformance/suite.py --suite CHECKOUT [--backend numpy] [--raw] [pytest's own options]``, or
``nox -s conformance -- --suite CHECKOUT ...``, which installs what the suite needs. What may fail on a backend is
listed in its file beside this one. The suite draws its examples at random; here they are the same in each run, but some
of its special cases pass or fail by what else is drawn, so a listed test may pass.

This module is both the command and the plugin that it gives to pytest.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
VERSIONS = ("2025.12", "2024.12")
# What is wrapped: `--raw` runs the suite on these, without a list of what may fail.
LIBRARIES = {
    "numpy": "array_api_compat.numpy",
    "strict": "array_api_strict",
    "dask": "array_api_compat.dask.array",
    "cupy": "array_api_compat.cupy",
}
BACKEND = "AGNOGRAD_CONFORMANCE_BACKEND"


# -- the command -------------------------------------------------------------------------------------------------------


def main(arguments):
    parser = argparse.ArgumentParser(description="The Array API test suite on namespaces of tensors.")
    parser.add_argument(
        "--suite", type=Path, required=True, help="a checkout of data-apis/array-api-tests, with its submodule"
    )
    parser.add_argument(
        "--backend", action="append", choices=LIBRARIES, help="may be given several times; by default all"
    )
    parser.add_argument("--version", default=VERSIONS[0], choices=VERSIONS, help="of the standard")
    parser.add_argument("--examples", type=int, default=20, help="how many examples of each test are drawn")
    parser.add_argument("--raw", action="store_true", help="run on the wrapped libraries instead, for comparison")
    options, rest = parser.parse_known_args(arguments)
    if not (options.suite / "array-api" / "src").is_dir():
        parser.error(f"{options.suite} is no checkout of data-apis/array-api-tests with its submodule array-api")
    failed = [name for name in options.backend or LIBRARIES if run(name, options, rest)]
    return f"unexpected failures on {', '.join(failed)}" if failed else 0


def run(backend, options, rest):
    module = LIBRARIES[backend] if options.raw else f"exec('import agnograd; xp = agnograd.namespace(\"{backend}\")')"
    command = [sys.executable, "-m", "pytest", "array_api_tests", "-p", "suite", "-p", "no:cacheprovider", "-q"]
    command += [
        "--derandomize",
        "--disable-deadline",
        f"--max-examples={options.examples}",
        "--tb=short",
        "-rfE",
        "--disable-warnings",
    ]
    if not options.raw:
        command += [f"--xfails-file={HERE / backend}.txt"]
    path = [str(HERE), str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "ARRAY_API_TESTS_MODULE": module,
        "ARRAY_API_TESTS_VERSION": options.version,
        "ARRAY_API_STRICT_API_VERSION": options.version,
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(path),
        BACKEND: backend,
    }
    return subprocess.run([*command, *rest], cwd=options.suite, env=environment, check=False).returncode


# -- the plugin --------------------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config):
    """Prepare the process before the suite's own conftest.py imports the namespace."""
    backend = os.environ.get(BACKEND)
    if backend is None:
        return
    from hypothesis import Phase, settings

    # The suite makes its profile from what is loaded here. To shrink examples takes long and decides nothing.
    settings.register_profile("agnograd", phases=(Phase.explicit, Phase.generate), database=None, print_blob=False)
    settings.load_profile("agnograd")
    if backend == "cupy":
        import cupy_cpu

        reason = None if cupy_cpu.real_gpu() else cupy_cpu.unsupported()
        if reason is not None:
            pytest.exit(reason, returncode=cupy_cpu.UNSUPPORTED)
        cupy_cpu.load()
    if backend == "dask":
        # The suite asks every result for its shape.
        from agnograd.backends.dask_indexing import known_shapes

        early_config.add_cleanup(entered(known_shapes()))


def entered(context):
    context.__enter__()
    return lambda: context.__exit__(None, None, None)


def pytest_terminal_summary(terminalreporter):
    backend = os.environ.get(BACKEND)
    if backend is None:
        return
    counts = {kind: len(terminalreporter.stats.get(kind, ())) for kind in KINDS}
    failed = counts["failed"] + counts["error"] + counts["xfailed"]
    terminalreporter.write_line(
        f"{os.environ['ARRAY_API_TESTS_MODULE']}, {os.environ['ARRAY_API_TESTS_VERSION']}: "
        f"{counts['passed'] + counts['xpassed']} passed, {failed} failed, of which {counts['xfailed']} are known; "
        f"{counts['xpassed']} known failures passed, {counts['skipped']} skipped"
    )


KINDS = ("passed", "failed", "error", "xfailed", "xpassed", "skipped")

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
