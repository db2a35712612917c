"""Check that `import agnograd` is quick and loads no array library.

    python scripts/import_time.py [--limit MS] [--runs N]

Each run is a fresh interpreter under `-X importtime`. "Own time" is what the modules of agnograd
took themselves; what they import from elsewhere is listed beside it. The fastest run counts, since
other work on the machine only ever adds.
"""

import argparse
import re
import subprocess
import sys

LIBRARIES = ("array_api_strict", "cupy", "dask", "jax", "numpy", "scipy", "sklearn", "torch")
LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|\s*(\S+)")


def import_times() -> dict[str, int]:
    """Import agnograd in a new interpreter; return microseconds of own time by module."""
    command = [sys.executable, "-X", "importtime", "-c", "import agnograd"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return {name: int(own) for own, _, name in LINE.findall(done.stderr)}


def is_part(name: str, package: str) -> bool:
    """Say whether the module is the package or inside it."""
    return name == package or name.startswith(f"{package}.")


def main() -> None:
    """Measure, print, and leave with an error where a promise is broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--limit", type=float, default=60.0, metavar="MS")
    parser.add_argument("--runs", type=int, default=7, metavar="N")
    options = parser.parse_args()

    runs = [import_times() for _ in range(options.runs)]
    names = set().union(*runs)
    loaded = [lib for lib in LIBRARIES if any(is_part(name, lib) for name in names)]
    own = min(sum(us for name, us in run.items() if is_part(name, "agnograd")) for run in runs)
    fastest = min(runs, key=lambda run: sum(run.values()))
    slowest_modules = sorted(fastest.items(), key=lambda item: -item[1])[:10]

    print(f"import agnograd: {own / 1000:.1f} ms of its own, {len(names)} modules in all")
    for name, us in slowest_modules:
        print(f"  {us / 1000:6.1f} ms  {name}")
    if loaded:
        sys.exit(f"import agnograd loads {', '.join(loaded)}; it must load no array library")
    if own > options.limit * 1000:
        sys.exit(f"import agnograd takes {own / 1000:.1f} ms of its own; at most {options.limit}")


if __name__ == "__main__":
    main()
