"""``python -m agnograd check``: the tests of the table on the user's own machine, as a report that can be sent on.

They are the tests that agnograd's own suite runs (`agnograd.testing.conformance`), by the package's own functions: no
pytest is needed, and no checkout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from agnograd import plugins
from agnograd.cli import collect
from agnograd.cli import show as _show
from agnograd.errors import BackendUnavailableError, ConformanceError
from agnograd.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console

    from agnograd.testing.outcomes import Outcome

# So many failures are told one by one; ``--json`` has all, with their tracebacks.
_TOLD = 20
_LONGEST = 400


def run(backends: Sequence[str] | None, ops: str, samples: str, console: Console) -> dict[str, Any]:
    """Run the checks.

    Parameters
    ----------
    backends : sequence of str or None
        By default those that work here.
    ops : str
        Which operations, as in a shell; several separated by commas.
    samples : str
        ``"few"`` or ``"all"`` of each operation.
    console : rich.console.Console
        Where the progress is shown.

    Returns
    -------
    dict
        The environment, a count for each row of the matrix, failures and known limits.

    Raises
    ------
    UnknownBackendError, BackendUnavailableError
        If a backend that was asked for is not there.
    ConformanceError
        If Python was told to leave out assertions.
    """
    if not __debug__:
        msg = "checks are assertions, which `python -O` and PYTHONOPTIMIZE leave out: run without them"
        raise ConformanceError(msg)
    from agnograd.testing.matrix import backend_names, rows
    from agnograd.testing.outcomes import FAILED, KNOWN, SURPRISE, VERDICTS, outcome, planned

    names = backend_names(",".join(backends) if backends else "available")
    if not names:
        msg = "no backend works here; `python -m agnograd backends` says why"
        raise BackendUnavailableError(msg)
    chosen = rows(names)
    checks = planned(chosen, ops, samples)
    counts = {row.name: dict.fromkeys((*VERDICTS, "seconds"), 0.0) for row in chosen}
    told: dict[str, list[Outcome]] = {FAILED: [], KNOWN: [], SURPRISE: []}
    done: Counter[str] = Counter()
    interrupted = False
    start = perf_counter()
    try:
        with Progress(minimum=0.0, console=console).task("check", total=len(checks)) as task:
            for check in checks:
                found = outcome(check)
                row = counts[check.run.row.name]
                row[found.verdict] += 1
                row["seconds"] += found.seconds
                done[found.verdict] += 1
                if found.verdict in told:
                    told[found.verdict].append(found)
                failed = f", {done[FAILED]} failed" if done[FAILED] else ""
                task.advance(note=f"{check.run.row.name} {check.run.case.op.name}{failed}")
    except KeyboardInterrupt:
        interrupted = True
    return {
        "environment": environment(names),
        "ops": ops,
        "samples": samples,
        "planned": len(checks),
        "checks": done.total(),
        "interrupted": interrupted,
        "seconds": round(perf_counter() - start, 2),
        "rows": [
            {"name": name, **{k: int(v) if k in VERDICTS else round(v, 2) for k, v in row.items()}}
            for name, row in counts.items()
        ],
        "failures": [
            {"check": o.check.id, "operation": o.check.run.case.op.name, "error": o.text, "traceback": o.trace}
            for o in told[FAILED]
        ],
        "known": [{"check": o.check.id, "reason": o.reason} for o in told[KNOWN]],
        "surprises": [{"check": o.check.id, "reason": o.reason} for o in told[SURPRISE]],
    }


def environment(names: Sequence[str]) -> dict[str, Any]:
    """Versions, backends with their devices, and plugins: what a bug report has to say."""
    info = collect.versions()
    found = {b["name"]: b for b in collect.backends()}
    return {
        **{key: info[key] for key in ("agnograd", "python", "platform")},
        "dependencies": {name: version for name, version in info["dependencies"].items() if version},
        "devices": {name: devices(name, found[name]["devices"]) for name in names},
        "plugins": [
            f"{p['distribution']} {p['version']}"
            + ("" if p["status"] == "loaded" else f" ({p['error'] or p['status']})")
            for p in collect.plugins()["plugins"]
            if p["distribution"] not in ("", "agnograd")
        ],
    }


def devices(name: str, found: Sequence[str]) -> list[str]:
    """The devices of a backend, GPUs by the name that is written on them."""
    if name != "cupy":
        return list(found)
    runtime = plugins.manager.space(name).module.cuda.runtime
    version = runtime.runtimeGetVersion()
    return [
        f"{device}: {runtime.getDeviceProperties(i)['name'].decode()}, CUDA {version // 1000}.{version % 1000 // 10}"
        for i, device in enumerate(found)
    ]


def show(data: dict[str, Any]) -> None:
    """Print the report: the environment, a count for each row of the matrix, what failed and how to see it again."""
    env = data["environment"]
    _show.pairs(
        [
            ("agnograd", env["agnograd"]),
            ("Python", env["python"]),
            ("platform", env["platform"]),
            ("libraries", ", ".join(f"{name} {version}" for name, version in env["dependencies"].items())),
            *((f"{name} devices", "; ".join(found)) for name, found in env["devices"].items()),
            ("plugins", ", ".join(env["plugins"]) or "none"),
        ]
    )
    out = _show.console()
    out.print()
    _show.table(
        ["backend", "passed", "failed", "known limits", "seconds"],
        [
            [r["name"], *(f"{r[k]}" for k in ("passed", "failed", "known")), f"{r['seconds']:.1f}"]
            for r in data["rows"]
            if r["seconds"]
        ],
    )
    for failure in data["failures"][:_TOLD]:
        text = failure["error"]
        out.print(f"\nFAILED {failure['check']}", soft_wrap=True, style="bold red")
        out.print(f"  {text[:_LONGEST]}{'...' if len(text) > _LONGEST else ''}", soft_wrap=True)
    rest = data["failures"][_TOLD:]
    if rest:
        out.print(f"\nand {len(rest)} more; --json has them all, with tracebacks")
    for surprise in data["surprises"]:
        out.print(f"\n{surprise['check']} works here, though it is said not to: {surprise['reason']}", soft_wrap=True)
    out.print(f"\n{_verdict(data)}", soft_wrap=True)


def _verdict(data: dict[str, Any]) -> str:
    checks, seconds = data["checks"], data["seconds"]
    if data["interrupted"]:
        return f"Interrupted after {checks} of {data['planned']} checks: {len(data['failures'])} failed."
    if not data["failures"]:
        known = len(data["known"])
        but = f", but for {known} known limits" if known else ""
        return f"All of {checks} checks passed{but}, in {seconds:.0f} s."
    names = ",".join(dict.fromkeys(failure["operation"] for failure in data["failures"]))
    backend = " ".join(data["environment"]["devices"])
    return (
        f"{len(data['failures'])} of {checks} checks failed, in {seconds:.0f} s. With tracebacks, for a bug report: "
        f"python -m agnograd check --backend {backend} --ops '{names}' --samples {data['samples']} --json"
    )
