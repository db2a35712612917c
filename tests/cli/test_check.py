"""``python -m agnograd check``: it passes where all is well, says what fails where not, and needs no pytest."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from agnograd import plugins
from agnograd.cli import check, main
from agnograd.hookspecs import Sample, Uniform, elementwise, hookimpl
from agnograd.testing import capabilities, rows
from agnograd.testing.outcomes import Outcome, failure, outcome, planned


@pytest.fixture
def report(capsys):
    def read(*arguments, status=0):
        assert main(["check", *arguments, "--json"]) == status
        return json.loads(capsys.readouterr().out)

    return read


class Wrong:
    """A plugin with a derivative that is none."""

    @hookimpl
    def agnograd_ops(self):
        yield elementwise(
            "wrong.cube(x, /)",
            body=lambda xp, x: x * x * x,
            x=lambda xp, x: 2 * x * x,
            samples=[Sample((Uniform(),))],
            doc="x to the third",
        )


@pytest.fixture
def wrong():
    with plugins.isolated() as manager:
        manager.register(Wrong(), "wrong")
        yield


def test_all_is_well(report):
    found = report("--ops", "tanh,sum", "--backend", "numpy")
    assert found["failures"] == found["surprises"] == []
    assert found["checks"] == found["planned"] == found["rows"][0]["passed"] > 20
    assert found["interrupted"] is False
    env = found["environment"]
    assert env["devices"] == {"numpy": ["cpu"]}
    assert env["dependencies"]["numpy"]


def test_backends_may_be_several_and_strict_has_its_rows(report):
    found = report("--ops", "tanh", "--backend", "numpy", "strict")
    names = [row["name"] for row in found["rows"]]
    assert names == [row.name for row in rows(["numpy", "strict"])]
    assert all(row["passed"] for row in found["rows"])


def test_few_samples_come_in_each_precision():
    checks = planned(rows(["numpy"]), "exp")
    assert {check.run.precision for check in checks} == {"float64", "float32"}
    assert len(planned(rows(["numpy"]), "exp", "all")) > len(checks)


def test_a_wrong_derivative_is_told_with_its_traceback(report, wrong):
    found = report("--ops", "wrong.*", "--backend", "numpy", status=1)
    names = {failure["check"].partition("[")[0] for failure in found["failures"]}
    assert "test_first_order" in names
    assert "test_value" not in names
    (first,) = [failure for failure in found["failures"] if failure["check"].startswith("test_first_order")]
    assert first["operation"] == "wrong.cube"
    assert first["error"].startswith("GradcheckError: reverse mode")
    assert "Traceback" in first["traceback"]
    assert str(check.__file__).rpartition("/agnograd/")[0] not in first["traceback"]


def test_the_report_says_how_to_see_failures_again(capsys, wrong):
    assert main(["check", "--ops", "wrong.*", "--backend", "numpy"]) == 1
    out = capsys.readouterr().out
    assert "FAILED test_first_order[numpy-wrong.cube-" in out
    assert "python -m agnograd check --backend numpy --ops 'wrong.cube' --samples few --json" in out


def test_known_limits_are_no_failures(report, monkeypatch):
    key = capabilities.Key("numpy", "tanh", "test_value")
    monkeypatch.setitem(capabilities.GAPS, key, "made up")
    monkeypatch.setattr("agnograd.testing.conformance.test_value", _broken_value())
    found = report("--ops", "tanh", "--backend", "numpy")
    assert {known["reason"] for known in found["known"]} == {"made up"}
    assert found["rows"][0]["known"] == len(found["known"]) > 0


def _broken_value():
    from agnograd.testing import conformance

    def test_value(agnograd_row, agnograd_case, agnograd_precision):
        assert agnograd_row is None

    test_value.agnograd_selection = conformance.test_value.agnograd_selection
    return test_value


def test_a_known_limit_that_does_not_show_is_a_surprise(report, monkeypatch):
    monkeypatch.setitem(capabilities.GAPS, capabilities.Key("numpy", "tanh", "test_value"), "made up")
    found = report("--ops", "tanh", "--backend", "numpy")
    assert {surprise["reason"] for surprise in found["surprises"]} == {"made up"}
    assert found["failures"] == []


def test_an_assertion_without_a_text_is_told_by_its_source():
    (first, *_) = planned(rows(["numpy"]), "tanh")
    error = failure(_broken_value(), first.run)
    assert isinstance(error, AssertionError)
    text = Outcome(first, "failed", 0.0, error=AssertionError().with_traceback(error.__traceback__)).text
    assert "assert agnograd_row is None (test_check.py:" in text


def test_warnings_about_a_next_release_do_not_fail_a_users_check():
    import warnings

    (first, *_) = planned(rows(["numpy"]), "tanh")

    def deprecated(**_):
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    def wrong(**_):
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)

    assert failure(deprecated, first.run, lenient=True) is None
    assert isinstance(failure(deprecated, first.run), DeprecationWarning)
    assert isinstance(failure(wrong, first.run, lenient=True), RuntimeWarning)


def test_an_interruption_tells_what_was_done(report, monkeypatch):
    done = []

    def interrupted(check):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(check)
        return outcome(check)

    monkeypatch.setattr("agnograd.testing.outcomes.outcome", interrupted)
    found = report("--ops", "tanh", "--backend", "numpy", status=130)
    assert (found["checks"], found["interrupted"]) == (3, True)
    assert found["planned"] > 3


def test_unknown_names(capsys):
    assert main(["check", "--backend", "numpi"]) == 1
    assert "did you mean 'numpy'?" in capsys.readouterr().err
    assert main(["check", "--ops", "tanhh", "--backend", "numpy"]) == 1
    assert "no operation matches 'tanhh'. Did you mean tanh" in capsys.readouterr().err


def test_it_needs_no_pytest(tmp_path):
    (tmp_path / "pytest.py").write_text("raise ImportError('there is none')\n")
    command = ["-m", "agnograd", "check", "--ops", "negative", "--backend", "numpy"]
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, env=env, timeout=120, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "checks passed" in done.stdout
    assert all(c.isprintable() or c == "\n" for c in done.stdout)


def test_without_assertions_nothing_passes():
    code = "import sys; from agnograd.cli import main; sys.exit(main(['check', '--backend', 'numpy']))"
    done = subprocess.run([sys.executable, "-O", "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert "checks are assertions" in done.stderr


def test_a_terminal_sees_a_bar():
    import pty

    main_end, end = pty.openpty()
    command = [sys.executable, "-m", "agnograd", "check", "--ops", "*an*", "--backend", "numpy"]
    done = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=end, env={**os.environ, "TERM": "xterm"})
    os.close(end)
    seen = b""
    try:
        while part := os.read(main_end, 4096):
            seen += part
    except OSError:  # the other end was closed
        pass
    os.close(main_end)
    assert done.wait(timeout=120) == 0
    assert b"check" in seen
    assert b"numpy " in seen
