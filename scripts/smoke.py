"""Try an installed agnograd in a few seconds, with nothing but what it depends on.

    python scripts/smoke.py [--installed]

With `--installed` the package must come from site-packages, typed, and not from a source tree.
"""

import argparse
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import agnograd as ag


def check_place() -> None:
    """Check that the package under test is the installed wheel."""
    folder = Path(ag.__file__).parent
    if "site-packages" not in folder.parts:
        sys.exit(f"agnograd was imported from {folder}, not from an installed wheel")
    if not (folder / "py.typed").exists():
        sys.exit(f"{folder} has no py.typed: the wheel lost its types")
    version = importlib.metadata.version("agnograd")
    if version != ag.__version__:
        sys.exit(f"the metadata say {version}, agnograd.__version__ says {ag.__version__}")


def check_gradients() -> None:
    """Check a first and a second derivative on the default backend."""
    x = ag.ones(2, 2, requires_grad=True)
    y = x + 2
    (y * y * 3).mean().backward()
    if x.grad.tolist() != [[4.5, 4.5], [4.5, 4.5]]:
        sys.exit(f"wrong gradient: {x.grad!r}")

    second = ag.grad(ag.grad(lambda v: v**3))(ag.tensor(2.0))
    if float(second) != 12.0:
        sys.exit(f"wrong second derivative: {second!r}")


def check_command_line() -> None:
    """Check that the command line tells what it finds."""
    command = [sys.executable, "-m", "agnograd", "backends", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    json.loads(done.stdout)


def main() -> None:
    """Run all checks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--installed", action="store_true")
    options = parser.parse_args()
    if options.installed:
        check_place()
    check_gradients()
    check_command_line()
    print(f"agnograd {ag.__version__} works on Python {sys.version.partition(' ')[0]}")


if __name__ == "__main__":
    main()
