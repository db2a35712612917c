"""Projects with a pyproject.toml of their own, put into place as pip would do it, but without network and build tools.

`install` leaves what an editable install leaves: the metadata of the distribution, beside a path to its sources.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

ENVIRONMENT = ("PYTEST", "COV", "AGNOGRAD", "PYTHON")


def install(project, site):
    """Make the metadata of a project in the folder `site`; what has to be on the path is returned."""
    told = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # importlib.metadata reads the name off the folder: it has to be spelt with underscores.
    info = site / f"{told['name'].replace('-', '_')}-{told['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {told['name']}\nVersion: {told['version']}\n")
    lines = []
    for group, points in told.get("entry-points", {}).items():
        lines += [f"[{group}]", *(f"{name} = {where}" for name, where in points.items())]
    (info / "entry_points.txt").write_text("\n".join([*lines, ""]))
    return [str(site), str(project)]


def run(*command, folder, path=(), **environment):
    """Run Python in a folder, with folders on the path, and nothing of the settings of this run."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT)}
    variables |= {"PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
