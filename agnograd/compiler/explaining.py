"""`agnograd.explain`: what became of a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agnograd.compiler.compiled import Compiled
from agnograd.errors import TraceError


class Explanation:
    """What `agnograd.explain` found; its text is made to be read.

    Attributes
    ----------
    compiled : bool
        Whether the function was compiled.
    reason : str
        Why it was not; empty if it was.
    source : str
        The code.
    lines : list of str
        What was done, a line for each.
    """

    def __init__(self, lines: list[str], source: str, reason: str = "") -> None:
        self.compiled: bool = not reason
        self.reason = reason
        self.source = source
        self.lines = lines

    def __repr__(self) -> str:
        return "\n".join(self.lines)


def explain(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Explanation:
    """Compile a function for some arguments, and say what was fused, what runs in blocks, what is called as it is.

    Parameters
    ----------
    f : callable
        A function, or what `agnograd.compile` returned for one.
    *args, **kwargs
        What it is called with.

    Returns
    -------
    Explanation
        Its text is the report, its attribute ``source`` the code.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.explain(lambda x: ag.sum(ag.sin(x) * x), ag.ones(3))
    <lambda> is compiled
      3 calls recorded, 3 left: multiply, sin, sum
      results in buffers: 1 in 1, of 64 bytes in all
    """
    compiled = f if isinstance(f, Compiled) else Compiled(f)
    try:
        compiled(*args, **kwargs)
    except TraceError as error:
        notes = [f"  {note}" for note in getattr(error, "__notes__", ())]
        return Explanation([f"{compiled.name} is not compiled: {error}", *notes], "", str(error))
    lines = [f"{compiled.name} is compiled"]
    lines += _about(compiled)
    return Explanation(lines, compiled.source)


def _about(compiled: Compiled) -> list[str]:
    latest = compiled._latest
    assert latest is not None
    lines: list[str] = []
    hoisted = latest.hoisted
    if hoisted:
        lines.append(f"  {hoisted} arrays that are found outside of its arguments are inputs")
    every = [made for programs in latest.operation.programs.values() for made in programs]
    for number, made in enumerate(every):
        lead = "  " if len(every) == 1 else f"  program {number}: "
        calls = made.calls
        listed = ", ".join(f"{n} {name}" if n > 1 else name for name, n in sorted(calls.items()))
        lines.append(f"{lead}{made.recorded} calls recorded, {sum(calls.values())} left: {listed}")
        lines += [f"  branches on the value at {guard.line}" for guard in made.guards]
        codes = [made.code]
        if hasattr(made, "backward"):
            lines.append(f"  a pass back follows: {made.residuals} residuals of {made.residual_bytes} bytes between")
            codes.append(made.backward)
        for code in codes:
            lines += [f"  {note}" for note in code.notes]
    return lines
