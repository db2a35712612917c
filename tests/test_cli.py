"""``python -m agnograd``: what the commands tell, as tables and as JSON; bad input; exit status."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys

import pytest

import agnograd as ag
from agnograd import plugins
from agnograd.cli import main
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import elementwise
from agnograd.hookspecs import API_VERSION, Backend, hookimpl


def run(*arguments, **environment):
    """Run the module as a user does; without a terminal."""
    command = [sys.executable, "-m", "agnograd", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}, timeout=120
    )


@pytest.fixture
def data(capsys):
    """Run a command with --json and read what it prints."""

    def read(*arguments, status=0):
        assert main([*arguments, "--json"]) == status
        return json.loads(capsys.readouterr().out)

    return read


@pytest.fixture
def manager():
    with plugins.isolated() as manager:
        yield manager


class Shifted:
    """A plugin with a backend that is not installed, and an operation."""

    @hookimpl
    def agnograd_backends(self):
        yield Backend(
            name="far",
            namespace="far_away.array_api",
            array_types=("far_away:Array",),
            requires=("far_away",),
            extra="far-away>=2",
        )

    @hookimpl
    def agnograd_ops(self):
        yield elementwise(
            "shifted.shift(x, /)", body=lambda xp, x: x + 1, x=1, doc="x + 1", samples=[Sample((Uniform(),))]
        )


class Broken:
    """A plugin that would work with an array library which does not."""

    @hookimpl
    def agnograd_backends(self):
        yield Backend(
            name="broken", namespace="array_api_compat.numpy", array_types=("nowhere:Array",), probe=lambda: 1 / 0
        )


# -- info --------------------------------------------------------------------------------------------------------------


def test_info_tells_versions(data):
    found = data("info")
    assert found["agnograd"] == ag.__version__
    assert found["python"].endswith(sys.version.split()[0])
    assert found["hook_api"] == ".".join(map(str, API_VERSION))
    assert found["default_backend"] == "numpy"
    assert found["default_backend_error"] is None
    assert found["dependencies"]["numpy"] == importlib.metadata.version("numpy")


def test_info_knows_required_and_optional_dependencies_but_not_those_of_developers(data):
    names = data("info")["dependencies"]
    assert list(names)[:6] == ["array-api-compat", "numpy", "opt-einsum", "optree", "pluggy", "rich"]
    assert {"dask", "array-api-strict", "cupy-cuda12x", "scikit-learn"} <= set(names)
    assert not {"pytest", "ruff", "sphinx"} & set(names)


def test_a_dependency_that_is_missing_is_said_to_be(data, capsys, monkeypatch):
    def version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert set(data("info")["dependencies"].values()) == {None}
    main(["info"])
    assert "not installed" in capsys.readouterr().out


def test_info_is_the_default(data, capsys):
    assert data() == data("info")
    assert main([]) == 0
    assert f"agnograd          {ag.__version__}" in capsys.readouterr().out


def test_json_may_stand_before_the_command(capsys):
    main(["--json", "info"])
    assert json.loads(capsys.readouterr().out)["agnograd"] == ag.__version__


def test_a_default_backend_that_does_not_exist_is_reported(data, monkeypatch):
    monkeypatch.setenv("AGNOGRAD_BACKEND", "numpi")
    found = data("info")
    assert found["default_backend"] == "numpi"
    assert "did you mean 'numpy'?" in found["default_backend_error"]


# -- backends ----------------------------------------------------------------------------------------------------------


def test_backends_tells_what_works(data):
    found = {b["name"]: b for b in data("backends")}
    assert list(found)[:4] == ["numpy", "dask", "strict", "cupy"]
    assert found["numpy"] == {
        "name": "numpy",
        "available": True,
        "reason": None,
        "install": "pip install 'numpy'",
        "default": True,
        "devices": ["cpu"],
        "lazy": False,
        "namespace": "array_api_compat.numpy",
        "array_types": ["numpy:ndarray", "numpy:generic"],
        "provider": "numpy (agnograd)",
        "doc": "NumPy arrays in the memory of the host",
        "url": "https://numpy.org",
    }
    assert found["dask"]["lazy"] is True
    assert found["cupy"]["install"] == "pip install 'agnograd[cuda12]'"


def test_what_is_said_to_work_works(data):
    for found in data("backends"):
        if found["available"]:
            assert found["devices"]
            with ag.use_backend(found["name"]):
                assert ag.ones(2).sum().item() == 2
        else:
            assert found["reason"]
            with pytest.raises(ImportError, match=found["name"]):
                ag.namespace(found["name"])


def test_a_backend_that_is_not_installed_says_how_to_install_it(data, capsys, manager):
    manager.register(Shifted(), "shifted")
    (found,) = [b for b in data("backends") if b["name"] == "far"]
    assert found["available"] is False
    assert found["devices"] == []
    assert found["provider"] == "shifted"
    assert found["install"] == "pip install 'far-away>=2'"
    assert "needs 'far_away', which is not installed" in found["reason"]
    assert main(["backends"]) == 0
    assert found["reason"] in capsys.readouterr().out


def test_a_backend_that_is_installed_and_does_not_work_says_why(data, manager):
    manager.register(Broken(), "broken")
    (found,) = [b for b in data("backends") if b["name"] == "broken"]
    assert found["available"] is False
    assert "does not work on this machine: ZeroDivisionError: division by zero" in found["reason"]


# -- plugins -----------------------------------------------------------------------------------------------------------


def test_plugins_tells_who_provides_what(data, manager):
    manager.register(Shifted(), "shifted")
    found = data("plugins", "--check")
    assert found["conflicts"] == []
    assert found["plugins"][0] == {
        "name": "numpy",
        "distribution": "agnograd",
        "version": ag.__version__,
        "status": "loaded",
        "provides": {"agnograd_backends": ["numpy"]},
        "error": "",
    }
    assert found["plugins"][-1]["provides"] == {"agnograd_backends": ["far"], "agnograd_ops": ["shifted.shift"]}


def test_two_plugins_for_one_name_fail_the_check(data, capsys, manager):
    manager.register(Shifted(), "one")
    manager.register(Shifted(), "two")
    conflicts = data("plugins", "--check", status=1)["conflicts"]
    assert len(conflicts) == 2
    assert all("one" in text and "two" in text for text in conflicts)
    assert main(["plugins"]) == 0
    assert "backend 'far' is provided by 2 plugins" in capsys.readouterr().out
    # The commands that use the name go on.
    (far, *_) = [b for b in data("backends") if b["name"] == "far"]
    assert "2 plugins" in far["reason"]


@pytest.fixture
def broken_distribution(tmp_path):
    """A folder with an installed distribution whose plugin cannot be imported."""
    (tmp_path / "broken_plugin.py").write_text("raise RuntimeError('no licence found')\n")
    info = tmp_path / "broken_plugin-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-plugin\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text("[agnograd]\nbroken = broken_plugin\n")
    return str(tmp_path)


def test_a_broken_plugin_is_listed_and_fails_the_check(broken_distribution):
    done = run("plugins", "--json", PYTHONPATH=broken_distribution)
    assert (done.returncode, done.stderr) == (0, "")
    (found,) = [p for p in json.loads(done.stdout)["plugins"] if p["name"] == "broken"]
    assert found == {
        "name": "broken",
        "distribution": "broken-plugin",
        "version": "1.5",
        "status": "failed",
        "provides": {},
        "error": "RuntimeError: no licence found",
    }
    assert run("plugins", "--check", PYTHONPATH=broken_distribution).returncode == 1


def test_a_broken_plugin_does_not_disturb_the_other_commands(broken_distribution):
    done = run("info", "--json", PYTHONPATH=broken_distribution)
    assert done.returncode == 0
    assert json.loads(done.stdout)["agnograd"] == ag.__version__
    assert done.stderr == "agnograd: plugin broken (broken-plugin 1.5): RuntimeError: no licence found\n"


def test_a_broken_plugin_can_be_made_an_error(broken_distribution):
    done = run("ops", PYTHONPATH=broken_distribution, AGNOGRAD_PLUGIN_ERRORS="raise")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "no licence found" in done.stderr
    assert "Traceback" not in done.stderr


# -- ops ---------------------------------------------------------------------------------------------------------------


def test_ops_tells_all_operations(data):
    found = {op["name"]: op for op in data("ops")}
    assert list(found) == sorted(plugins.manager.operations())
    assert found["sin"] == {
        "name": "sin",
        "signature": "(x, /)",
        "tier": "elementwise",
        "differentiable": ["x"],
        "provider": "agnograd",
        "view": False,
        "standard": True,
        "doc": found["sin"]["doc"],
    }
    assert found["where"]["differentiable"] == ["x1", "x2"]
    assert found["clip"]["differentiable"] == ["x"]
    assert found["argmax"]["differentiable"] == []
    assert found["reshape"]["view"] is True
    assert found["getitem"]["standard"] is True
    assert found["scatter_add"]["standard"] is False


def test_ops_takes_a_pattern_of_the_shell(data):
    assert [op["name"] for op in data("ops", "log?p")] == ["log1p"]
    assert {op["name"] for op in data("ops", "log*")} > {"log", "log1p", "logaddexp"}


def test_ops_of_a_plugin_name_their_provider(data, manager):
    manager.register(Shifted(), "shifted")
    (found,) = data("ops", "shifted.*")
    assert (found["provider"], found["standard"], found["doc"]) == ("shifted", False, "x + 1")


def test_a_pattern_without_a_match_proposes_names(capsys):
    assert main(["ops", "tanhh"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("agnograd: no operation matches 'tanhh'. Did you mean tanh")
    assert main(["ops", "#*", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == []
    assert "`python -m agnograd ops` lists all" in err


# -- the command line itself -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["info", "backends", "plugins", "ops"])
def test_without_a_terminal_there_are_no_control_characters(command):
    done = run(command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    assert all(c.isprintable() or c == "\n" for c in done.stdout)
    assert all(line == line.rstrip() for line in done.stdout.splitlines())


def test_a_stream_that_knows_only_ascii_gets_ascii():
    done = run("backends", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.returncode == 0
    assert done.stdout.isascii()


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_a_reader_that_has_gone_gets_no_traceback(options):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "agnograd", "ops", *options]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["backend"], "invalid choice: 'backend' (choose from"),
        (["ops", "sin", "cos"], "unrecognized arguments: cos"),
        (["plugins", "--chek"], "unrecognized arguments: --chek"),
        (["tour", "--steps", "none"], "'none' is no positive whole number"),
        (["tour", "--steps", "0"], "'0' is no positive whole number"),
    ],
)
def test_a_command_line_that_cannot_be_understood(capsys, arguments, message):
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    out, err = capsys.readouterr()
    assert raised.value.code == 2
    assert out == ""
    assert message in err


def test_the_version(capsys):
    with pytest.raises(SystemExit) as raised:
        main(["--version"])
    assert raised.value.code == 0
    assert capsys.readouterr().out == f"agnograd {ag.__version__}\n"


def test_the_commands_import_no_array_library_that_they_do_not_ask():
    code = (
        "import sys; from agnograd.cli import main; main(['plugins']); print('numpy' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr == "False\n"
