"""The benchmark's workloads are right and its machinery runs. Nothing is timed here."""

import io
import json
import time

import numpy as np
import pytest
from rich.console import Console

from benchmarks import __main__ as command
from benchmarks import bars, compare, guard, ledger, models, on_torch, publish, report, transforms, workloads
from benchmarks.compare import Once, Ratio, Timing, WrongGradientError
from benchmarks.engines import ENGINES
from benchmarks.results import Results, surroundings
from benchmarks.session import Session
from benchmarks.startup import Startup
from benchmarks.transforms import make
from benchmarks.worker import Times, Worker, environment
from benchmarks.workloads import TIMED

NAMES = [*workloads.NAMES, *models.MAKERS]


def gradients(engine, name):
    session = Session(engine)
    session.prepare(name, small=True)
    return session.gradients()


@pytest.mark.parametrize("name", NAMES)
def test_gradients_by_hand_are_differences(name):
    workload = make(name, small=True)
    found = workload.backward(workload.forward()[1])
    draw = np.random.default_rng(0)
    for leaf, g in zip(workload.leaves, found, strict=True):
        direction, step = draw.normal(size=leaf.shape), 1e-6
        values = []
        for sign in (1, -1):
            leaf += sign * step * direction
            values.append(workload.forward()[0])
            leaf -= sign * step * direction
        np.testing.assert_allclose((values[0] - values[1]) / (2 * step), np.sum(g * direction), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_agnograd_agrees_with_the_gradient_by_hand(name):
    compare.check(name, "agnograd", gradients("agnograd", name), gradients("hand", name))


@pytest.mark.parametrize("name", NAMES)
def test_function_and_gradient_by_hand_belong_together(name):
    workload = make(name, small=True)
    np.testing.assert_allclose(workload.function(np, *workload.leaves, *workload.constants), workload.forward()[0])


# torch's forward mode compiles something when it is used first, and warns of its own compiler.
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", [*transforms.NAMES, *models.MAKERS])
def test_derivatives_by_hand_agree_with_all_engines(name):
    expected = gradients("hand", name)
    own = transforms.able(name, [engine for engine in ENGINES if ENGINES[engine].installed()])
    assert {"hand", "agnograd"} <= set(own)
    for engine in own:
        compare.check(name, engine, gradients(engine, name), expected)


def test_derivatives_by_hand_are_differences():
    workload = transforms.make("hessian", small=True)
    (p,) = workload.leaves
    (found,) = workload.derivative()
    step = 1e-4

    def value(*moved):
        q = p.copy()
        for i, sign in moved:
            q[i] += sign * step
        return workload.function(np, q, *workload.constants)

    for i in range(len(p)):
        for j in range(len(p)):
            corners = [(s * t, value((i, s), (j, t))) for s in (1, -1) for t in (1, -1)]
            difference = sum(s * v for s, v in corners) / (4 * step**2)
            np.testing.assert_allclose(difference, found[i, j], rtol=1e-4, atol=1e-4)


def test_an_engine_without_a_transformation_is_left_out():
    assert transforms.able("gradients-of-samples", ["hand", "agnograd", "hips"]) == ["hand", "agnograd"]
    assert transforms.able("chain", ["hand", "hips"]) == ["hand", "hips"]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda gs: gs[:-1],
        lambda gs: [*gs[:-1], gs[-1][1:]],
        lambda gs: [*gs[:-1], gs[-1].astype("float32")],
        lambda gs: [*gs[:-1], gs[-1] * (1 + 1e-6)],
        lambda gs: [*gs[:-1], gs[-1] * np.nan],
    ],
    ids=["number", "shape", "dtype", "value", "nan"],
)
def test_a_wrong_gradient_is_refused(wrong):
    right = gradients("hand", "b")
    compare.check("b", "hand", right, right)
    with pytest.raises(WrongGradientError, match="'b'"):
        compare.check("b", "hand", wrong(right), right)


def test_rounds_are_paired():
    rounds = []
    (timing,) = compare.timings(["chain"], ["hand", "agnograd"], rounds=3, small=True, done=lambda: rounds.append(1))
    assert len(rounds) == 3
    assert {engine: len(samples) for engine, samples in timing.samples.items()} == {"hand": 3, "agnograd": 3}
    assert timing.ratio("hand", "hand") == Ratio(1, 1, 1)
    assert timing.microseconds("agnograd").backward > 0


def test_one_run_in_a_fresh_process():
    hand, own = compare.once("l", ["hand", "agnograd"], small=True)
    assert (hand.engine, own.engine) == ("hand", "agnograd")
    assert own.peak >= 0


def test_a_worker_that_fails_is_reported(capfd):
    with Worker("hand") as worker, pytest.raises(RuntimeError, match="failed at prepare"):
        worker.ask("prepare", "no such workload")
    assert "KeyError" in capfd.readouterr().err


def test_workers_measure_one_thread_and_choose_their_own_kernels(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert environment()["OMP_NUM_THREADS"] == "1"
    assert "multi_thread_eigen=false" in environment()["XLA_FLAGS"]
    assert environment(2)["OMP_NUM_THREADS"] == "2"
    assert "XLA_FLAGS" not in environment(2)
    assert "OPENBLAS_CORETYPE" not in environment()


def test_several_threads_are_timed_by_the_clock_on_the_wall():
    assert Session("hand").clock is time.process_time
    assert Session("hand", threads=2).clock is time.perf_counter
    assert report.where(surroundings(["hand"], 2)).endswith("; 2 threads, wall clock")
    assert report.where(surroundings(["hand"])).endswith("; one thread, CPU time")


def test_engines_say_whether_they_are_installed(monkeypatch):
    assert ENGINES["hand"].installed()
    monkeypatch.setattr(ENGINES["torch"], "package", "no_such_package")
    assert not ENGINES["torch"].installed()


# -- bars -------------------------------------------------------------------------------------------------------------


def timing(name, **times):
    samples = {engine: [Times(t / 2, t / 2, 0.0)] * 3 for engine, t in {"hand": 1.0, "agnograd": 3.0, **times}.items()}
    return Timing(name, "made up", 1000, samples)


def made_up(
    *,
    hips=10.0,
    torch=10.0,
    torch_peak=100,
    own_import=30.0,
    sliced=3.0,
    slices_peak=100,
    common=4.0,
    jacobian=31.0,
    samples=8.0,
    direction=105,
):
    return Results(
        ["hand", "agnograd"],
        timings=[
            timing("chain", hips=hips, torch=torch),
            timing("slices", hips=10.0),
            timing("slices-few", agnograd=sliced),
            timing("slices-smaller"),
            *(timing(workloads.common(n, size), hips=common) for n in workloads.COMMON for size in workloads.SIZES),
        ],
        memory=[Once("agnograd", Times(1, 1, 0), 100), Once("torch", Times(1, 1, 0), torch_peak)],
        slices=[Once("agnograd", Times(1, 1, 0), slices_peak), Once("hand", Times(1, 1, 0), 50)],
        startup=Startup(own_import, 50.0, 100, [], {"agnograd": 50.0}),
        transforms=[
            *(timing(name, hips=jacobian) for name in ("jacfwd", "jacrev", "hessian")),
            timing("gradient"),
            timing("gradients-of-samples", agnograd=samples),
        ],
        directions=[Once("agnograd", Times(1, 0, 0), direction)],
        short_directions=[Once("agnograd", Times(1, 0, 0), 100)],
    )


@pytest.mark.parametrize(
    ("missed", "results"),
    [
        ([], made_up()),
        (["1000 operations"], made_up(hips=8.0)),
        (["the same over that of torch"], made_up(torch=4.0)),
        (["50 layers"], made_up(torch_peak=90)),
        (["200 small slices"], made_up(sliced=6.5)),
        (["200 slices: peak"], made_up(slices_peak=120)),
        ([f"{name} of {size} elements" for name in workloads.COMMON for size in workloads.SIZES], made_up(common=2.8)),
        ([f"{name} of 10 elements" for name in workloads.COMMON], made_up(common=2.95)),
        (["Jacobian, 100 in", "the same by reverse mode", "Hessian in 50"], made_up(jacobian=29.0)),
        (["gradients for each of 256"], made_up(samples=9.5)),
        (["derivative along a direction"], made_up(direction=120)),
        (["import agnograd: own time"], made_up(own_import=61.0)),
    ],
)
def test_bars(missed, results):
    verdicts = bars.judge(results)
    found = [verdict.what for verdict in verdicts if not verdict.kept]
    assert [what.startswith(start) for what, start in zip(found, missed, strict=True)] == [True] * len(missed)
    text = io.StringIO()
    report.show(results, verdicts, Console(file=text, width=200))
    assert text.getvalue().count("NO") == len(missed)


def test_what_was_not_measured_misses_no_bar():
    assert {verdict.kept for verdict in bars.judge(Results(["hand", "agnograd"]))} == {None}


@pytest.mark.parametrize("limit", [1e-6, 1e6])
def test_check_decides_the_exit_code(monkeypatch, tmp_path, limit, capsys):
    bar = bars.Bar("chain", limit, "x", lambda results: results.timing("chain").ratio("agnograd", "hand").median)
    monkeypatch.setattr(bars, "BARS", [bar])
    monkeypatch.setattr(
        compare, "timings", lambda *args, done, **options: [made_up().timings[0]._replace(workload="chain")]
    )
    arguments = ["--only", "time", "--engines", "agnograd", "--rounds", "2", "--json", str(tmp_path / "out.json")]
    assert command.main([*arguments, "--check"]) == (limit < 1)
    assert command.main(arguments) == 0
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["timings"][0]["engines"]["agnograd"]["ratio to hand"]["median"] == 3.0
    assert written["bars"][0]["kept"] is (limit > 1)
    assert written["where"]["versions"]["numpy"] == np.__version__
    capsys.readouterr()


def test_workloads_are_chosen_in_each_part(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(compare, "timings", lambda names, *args, **options: asked.append((names, options)) or [])
    assert command.main(["--only", "models", "--only", "time", "--workloads", "c", "b", "--threads", "2"]) == 0
    assert [names for names, _ in asked] == [["b"], ["b", "c"]]
    assert {options["threads"] for _, options in asked} == {2}
    capsys.readouterr()


# -- on PyTorch's tensors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", on_torch.NAMES)
def test_gradients_by_hand_in_pytorch(name):
    torch = pytest.importorskip("torch", exc_type=ImportError)  # the command itself checks them before it times
    workload = on_torch.make(name, small=True)
    arrays = [torch.from_numpy(x) for x in workload.leaves + workload.constants]
    on_torch.check(name, on_torch._BY_HAND[name](torch, workload, *arrays), workload.backward(workload.forward()[1]))


def test_on_pytorch_says_what_is_missing_and_what_is_not_kept(monkeypatch, capsys):
    monkeypatch.setattr(on_torch, "installed", lambda: False)
    assert command.main(["on-torch"]) == 2
    assert "pip install torch plugins/agnograd-torch" in " ".join(capsys.readouterr().out.split())
    row = {f"{engine} us": 1.0 for engine in ("hand", "torch", "agnograd")} | {
        "torch ratio": 2.0,
        "agnograd ratio": 3.0,
        "over torch": 1.5,
        "quartiles": [1.4, 1.6],
        "name": "a",
        "added over torch": 2.0,
        "kept": False,
    }
    monkeypatch.setattr(on_torch, "installed", lambda: True)
    monkeypatch.setattr(on_torch, "in_process", lambda name, seconds: row)
    assert command.main(["on-torch", "a"]) == 0
    assert command.main(["on-torch", "a", "--check"]) == 1
    assert "1.50 (1.40-1.60)" in capsys.readouterr().out


# -- ledger and guard -------------------------------------------------------------------------------------------------


def test_every_row_of_the_ledger_can_be_measured():
    entries = ledger.measure(rounds=2, operations=6)
    assert [entry.feature for entry in entries[3:]] == [row.feature for row in ledger.ROWS]
    page = ledger.markdown(entries)
    for row in ledger.ROWS:
        assert row.feature in page
    for feature in ledger.ABSENT:
        assert f"| {feature} | absent | 0 |" in page


def test_a_row_that_the_engine_has_outgrown_fails():
    row = ledger.Row("gone", ledger.MULTIPLY, {"no such text": ""})
    with pytest.raises(LookupError, match="bring the ledger's row 'gone' up to date"):
        ledger.without(row)


def test_the_guard_watches_workloads_that_exist():
    assert set(guard.LIMITS) <= set(TIMED)


# -- the page on performance -------------------------------------------------------------------------------------------


def test_the_published_figures_are_those_of_the_command():
    written = publish.PATH.read_text(encoding="utf-8")
    figures = json.loads(written)
    assert publish.text(figures) == written
    assert [row["name"] for row in figures["programs"]] == list(transforms.LETTERS)
    assert set(figures["compiled"]) == set(publish.COMPILED)
    assert set(figures["native"]) == set(publish.NATIVE)
    assert {"date", "cpu", "versions"} <= set(figures["where"])
    assert len(figures["busy"]) == 2


def test_a_timing_is_published_with_its_quartiles():
    found = publish._timing(timing("chain", hips=6.0))
    assert found["engines"]["agnograd"] == {"microseconds": 3e6, "over hand": [3.0, 3.0, 3.0]}
    assert found["engines"]["hips"]["over hand"] == [6.0, 6.0, 6.0]
