"""Readable Python source of a program, over the array namespace: what every backend can replay."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from agnograd.compiler.liveness import Liveness
from agnograd.compiler.program import Program, Step, Var
from agnograd.compiler.shapes import function_of
from agnograd.core.table import Space


class GuardFailedError(Exception):
    """A value on which the function branched came out otherwise."""

    def __init__(self, index: int, value: Any) -> None:
        super().__init__(index, value)
        self.index = index
        self.value = value


def same(found: Any, expected: Any) -> bool:
    """Whether a guarded value is what it was; NaN is NaN."""
    return bool(found == expected) or bool(found != found and expected != expected)  # noqa: PLR0124


class Writer:
    """Source in the making, with the names that it refers to.

    Attributes
    ----------
    lines : list of str
        The body of the function.
    scope : dict
        Global names of the source.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {"GuardFailedError": GuardFailedError, "same": same}
        self._constants = {v: f"c{v.number}" for v in program.constants}
        self.scope.update((name, program.constants[v]) for v, name in self._constants.items())
        self._others: dict[int, str] = {}

    def write(self, line: str) -> None:
        """Add a line to the function."""
        self.lines.append(line)

    def name(self, v: Var) -> str:
        """A variable in the source."""
        return self._constants.get(v) or f"v{v.number}"

    def text(self, value: Any) -> str:
        """A static value or variable in the source."""
        kind = type(value)
        if kind is Var:
            return self.name(value)
        if kind in (bool, int, str) or value is None:
            return repr(value)
        if kind is float and math.isfinite(value):
            return repr(value)
        if value is Ellipsis:
            return "..."
        if kind is tuple:
            return f"({', '.join(map(self.text, value))}{',' if len(value) == 1 else ''})"
        if kind is list:
            return f"[{', '.join(map(self.text, value))}]"
        if kind is slice:
            return f"slice({', '.join(map(self.text, (value.start, value.stop, value.step)))})"
        return self.refer(value)

    def refer(self, value: Any, hint: str = "s") -> str:
        """A global name for what has no literal."""
        name = self._others.get(id(value))
        if name is None:
            name = self._others[id(value)] = f"{hint}{len(self._others)}"
            self.scope[name] = value
        return name

    def arguments(self, step: Step) -> str:
        """The arguments of a call."""
        return ", ".join([*map(self.text, step.args), *(f"{k}={self.text(x)}" for k, x in step.params.items())])

    def guard(self, index: int) -> None:
        """Check a value on which the function branched."""
        guard = self.program.guards[index]
        convert = self.refer(guard.convert, "as_")
        expected = self.text(guard.value)
        self.write(f"found = {convert}({self.name(guard.variable)})")
        self.write(f"if not same(found, {expected}): raise GuardFailedError({index}, found)")

    def source(self, results: Sequence[str] | None = None, name: str = "program") -> str:
        """The function as text."""
        inputs = ", ".join(map(self.name, self.program.inputs))
        outputs = ", ".join(map(self.name, self.program.outputs) if results is None else results)
        body = [*self.lines, f"return ({outputs}{',' if len(self.program.outputs) == 1 else ''})"]
        return f"def {name}({inputs}):\n" + "".join([f"    {line}\n" for line in body])


def guards_after(program: Program) -> dict[int, list[int]]:
    """Steps to the guards that can be checked after them; -1 stands for the beginning."""
    made = {v: k for k, step in enumerate(program.steps) for v in step.outs}
    places: dict[int, list[int]] = {}
    latest = -1
    for i, guard in enumerate(program.guards):
        # In the order in which the function asked.
        latest = max(latest, made.get(guard.variable, -1))
        places.setdefault(latest, []).append(i)
    return places


class Code:
    """A program as something to call.

    Attributes
    ----------
    run : callable
        Takes the inputs and returns a tuple of outputs.
    notes : list of str
        What was done to make it fast, for `agnograd.explain`.
    as_array : callable or None
        Makes an array of a scalar of the backend, where its generator knows a faster way than the namespace's.
    draft : Draft or None
        What else `source` needs, where code can be made of it anew.
    """

    def __init__(
        self,
        source: str | Callable[[], str],
        run: Callable[..., tuple[Any, ...]],
        notes: Sequence[str] = (),
        as_array: Callable[[Any], Any] | None = None,
        draft: Any = None,
    ) -> None:
        self.as_array = as_array
        self.draft = draft
        self._source = source
        self.run = run
        self.notes: list[str] = list(notes)

    @property
    def source(self) -> str:
        """What is run; it is written when somebody asks, where running does not need it."""
        if not isinstance(self._source, str):
            self._source = self._source()
        return self._source


class Draft(NamedTuple):
    """What source refers to.

    Attributes
    ----------
    setup : str
        Assignments of arrays that a run has for itself: buffers, and views of them.
    scope : dict
        All other global names.
    """

    setup: str
    scope: dict[str, Any]


class Kernel(NamedTuple):
    """What runs several steps at once.

    Attributes
    ----------
    name : str
        A function of the source.
    source : str
        Its definition.
    scope : dict
        Global names that it needs.
    more : list of str
        What it is called with besides the arrays that it reads.
    """

    name: str
    source: str
    scope: dict[str, Any]
    more: list[str]


def plain(program: Program, kernels: Mapping[int, Kernel] | None = None, notes: Sequence[str] = ()) -> Code:
    """Straight-line Python over the array namespace: the calls that were recorded, in their order.

    Parameters
    ----------
    kernels : mapping, optional
        Identities of steps to what is called for them.
    notes : sequence of str
        What else was done.
    """
    writer = Writer(program)
    kernels = kernels or {}
    live = Liveness(program)
    space = program.space
    namespace = SimpleNamespace()
    checks = guards_after(program)
    for i in checks.get(-1, ()):
        writer.guard(i)
    for k, step in enumerate(program.steps):
        target = ", ".join(map(writer.name, step.outs)) + ("," if step.several and len(step.outs) == 1 else "")
        kernel = kernels.get(id(step))
        if kernel is None:
            call = _called(writer, namespace, space, step, k in live.in_place)
        else:
            writer.scope.update(kernel.scope)
            call = f"{kernel.name}({', '.join([*map(writer.text, step.args), *kernel.more])})"
        writer.write(f"{target} = {call}")
        for i in checks.get(k, ()):
            writer.guard(i)
        dying = _dying(program, live, k)
        if dying:
            writer.write(f"del {', '.join(map(writer.name, dying))}")
    writer.scope["xp"] = namespace
    source = "".join([f"{kernel.source}\n\n" for kernel in kernels.values()]) + writer.source()
    return Code(source, compiled(source, writer.scope), [*notes, f"replayed call by call on {space.name}"])


def _dying(program: Program, live: Liveness, k: int) -> list[Var]:
    """Names that are needed no longer after a step, so that their memory is free."""
    return [v for v in live.ends.get(k, ()) if v not in program.constants and v not in program.inputs]


def _called(writer: Writer, namespace: SimpleNamespace, space: Space, step: Step, in_place: bool) -> str:
    if step.name in ("set", "add_into"):
        x = writer.text(step.args[0])
        target = x if in_place else f"xp.copy({x})"
        namespace.copy = space.copy
        setattr(namespace, step.name, getattr(space, step.name))
        rest = Step(step.name, step.args[1:], step.params, step.outs)
        return f"xp.{step.name}({target}, {writer.arguments(rest)})"
    place = namespace
    *parts, last = step.name.split(".")
    for part in parts:
        if not hasattr(place, part):
            setattr(place, part, SimpleNamespace())
        place = getattr(place, part)
    setattr(place, last, function_of(space, step.name))
    return f"xp.{step.name}({writer.arguments(step)})"


def pooled(source: str, draft: Draft) -> Callable[..., Any]:
    """The function ``program`` of a source, of which each run that is under way has one, with buffers of its own."""
    code = compile(draft.setup + source, "<agnograd program>", "exec")
    # What the source needs it is given: nothing else is in reach.
    scope = {**draft.scope, "__builtins__": {}, "slice": slice}

    def fresh() -> Callable[..., Any]:
        own = scope.copy()
        exec(code, own)
        return own["program"]  # type: ignore[no-any-return]

    if not draft.setup:
        return fresh()
    idle: list[Callable[..., Any]] = [fresh()]

    def run(*inputs: Any) -> Any:
        try:
            program = idle.pop()
        except IndexError:
            program = fresh()
        try:
            return program(*inputs)
        finally:
            idle.append(program)

    return run


def compiled(source: str, scope: dict[str, Any], name: str = "program") -> Callable[..., Any]:
    """The function that a source defines."""
    code = compile(source, f"<agnograd {name}>", "exec")
    exec(code, scope)
    return scope[name]  # type: ignore[no-any-return]
