"""Check that `import agnograd` is quick and loads no array library.

    python scripts/import_time.py [--limit MS] [--runs N] [--plugins N]

Each run is a fresh interpreter under `-X importtime`. "Own time" is what the modules of agnograd
took themselves; what they import from elsewhere is listed beside it. The fastest run counts, since
other work on the machine only ever adds.

With `--plugins N` there are as many plugins as well, each of them slow to import: that must load the same
modules until a plugin is needed. The modules are what is checked, since what is not imported takes no
time; the times are printed, for on a busy machine they tell little.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

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


# Each plugin takes so many seconds.
SLOW = 0.1

PLUGIN = f"""
import time

from agnograd import hookimpl

time.sleep({SLOW})


@hookimpl
def agnograd_ops():
    return []
"""

IMPORT = """
import sys, time

start = time.perf_counter()
import agnograd
print(time.perf_counter() - start, *sys.modules)
agnograd.plugins.manager.load()
print(time.perf_counter() - start, *sys.modules)
"""


def install_slow_plugins(folder: Path, count: int) -> None:
    """Put distributions with an entry point into a folder, as pip would leave them."""
    for i in range(count):
        info = folder / f"slow_{i}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: slow-{i}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[agnograd]\nslow{i} = slow_plugin_{i}\n")
        (folder / f"slow_plugin_{i}.py").write_text(PLUGIN)


def time_and_modules(folder: str, count: int) -> list[tuple[float, set[str]]]:
    """Seconds and modules of an import, and once plugins are needed, in a new interpreter."""
    path = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    # Plugins that happen to be installed have no part in it.
    considered = ",".join(f"slow-{i}" for i in range(count))
    environment = {**os.environ, "PYTHONPATH": path, "AGNOGRAD_LOAD_PLUGINS": considered}
    done = subprocess.run([sys.executable, "-c", IMPORT], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    lines = [line.split() for line in done.stdout.splitlines()]
    return [(float(seconds), set(names)) for seconds, *names in lines]


def compare_with_plugins(count: int, runs: int) -> None:
    """Import with and without plugins by turns; leave with an error if they make a difference."""
    with tempfile.TemporaryDirectory() as folder:
        install_slow_plugins(Path(folder), count)
        pairs = [(time_and_modules("", count), time_and_modules(folder, count)) for _ in range(runs)]
    (without, few), (among, many) = (min((run[0] for run in column), key=first) for column in zip(*pairs, strict=True))
    needed, all_modules = min((run[1] for _, run in pairs), key=first)
    print(f"with {count} plugins: {among * 1000:.1f} ms, without: {without * 1000:.1f} ms")
    if many != few:
        sys.exit(f"with plugins, import agnograd loads other modules: {', '.join(sorted(many ^ few))}")
    print(f"the same {len(many)} modules")
    loaded = sum(name.startswith("slow_plugin_") for name in all_modules)
    print(f"when one is needed, {loaded} are loaded: {needed * 1000:.1f} ms")
    if loaded != count:
        sys.exit(f"{count} plugins are installed, and {loaded} were found")


def first(run: tuple[float, set[str]]) -> float:
    """The time of a run."""
    return run[0]


def main() -> None:
    """Measure, print, and leave with an error where a promise is broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--limit", type=float, default=60.0, metavar="MS")
    parser.add_argument("--runs", type=int, default=7, metavar="N")
    parser.add_argument("--plugins", type=int, default=0, metavar="N")
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
    if options.plugins:
        compare_with_plugins(options.plugins, options.runs)


if __name__ == "__main__":
    main()
