"""The shortest way into a program: a function that checks what arguments are, runs it, and builds the result.

It is made for one kind of arguments, all of them plain arrays or tensors without a graph, and gives up, by returning
`MISSED`, wherever anything is otherwise. What it saves is a few microseconds of each call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import optree

from agnograd.compiler.source import GuardFailedError
from agnograd.core.level import recording
from agnograd.core.nodes import NOTHING, Node, classes, next_number

MISSED = object()


def quick(
    arguments: Sequence[Any],
    run: Callable[..., Any],
    structure: Any,
    scalars: Sequence[int],
    *,
    holds: Callable[[], bool] | None,
    as_array: Callable[[Any], Any],
) -> Callable[..., Any]:
    """The function for arguments like these.

    Parameters
    ----------
    arguments : sequence
        Plain arrays, or tensors around them.
    run : callable
        The program.
    structure : PyTreeSpec
        Of the result, whose leaves are the program's outputs.
    scalars : sequence of int
        The outputs that are single numbers, and may be scalars of the backend.
    holds : callable or None
        Whether all else that the program rests on is as it was.
    as_array : callable
        Makes an array of a scalar of the backend.
    """
    plain = classes.plain
    scope: dict[str, Any] = {"MISSED": MISSED, "run": run, "holds": holds, "as_array": as_array, "plain": plain}
    scope |= {"failed": GuardFailedError, "unflatten": optree.tree_unflatten, "structure": structure}
    names = [f"x{i}" for i in range(len(arguments))]
    lines = []
    tensors = False
    for name, x in zip(names, arguments, strict=True):
        if type(x) is plain:
            tensors = True
            lines.append(f"if type({name}) is not plain or {name}._node is not None: return MISSED")
            lines.append(f"{name} = {name}._array")
            x = x._array
        scope |= {f"kind_{name}": type(x), f"shape_{name}": x.shape, f"dtype_{name}": x.dtype}
        test = f"type({name}) is not kind_{name} or {name}.shape != shape_{name} or {name}.dtype is not dtype_{name}"
        lines.append(f"if {test}: return MISSED")
    if holds is not None:
        lines.append("if not holds(): return MISSED")
    count = structure.num_leaves
    outs = [f"y{i}" for i in range(count)]
    lines += ["try:", f"    {', '.join(outs)}{',' if count else '_'} = run({', '.join(names)})"]
    if not count:
        lines[-1] = f"    run({', '.join(names)})"
    lines += ["except failed:", "    return MISSED"]
    shown = [f"plain({y}, None)" if tensors else f"as_array({y})" if i in scalars else y for i, y in enumerate(outs)]
    lines.append(f"return {_literal(structure, shown)}")
    source = f"def quick({', '.join(names)}):\n" + "".join([f"    {line}\n" for line in lines])
    exec(compile(source, "<agnograd quick>", "exec"), scope)
    return scope["quick"]  # type: ignore[no-any-return]


def quick_recorded(
    arguments: Sequence[Any], made: Any, variant: Any, structure: Any, *, holds: Callable[[], bool] | None
) -> Callable[..., Any]:
    """The same for tensors of which some have a place in one graph: the call becomes a node of it."""
    plain = classes.plain
    scope: dict[str, Any] = {"MISSED": MISSED, "run": made.code.run, "plain": plain, "failed": GuardFailedError}
    scope |= {"Node": Node, "number": next_number, "recording": recording, "variant": variant, "NOTHING": NOTHING}
    scope |= {"unflatten": optree.tree_unflatten, "structure": structure, "holds": holds}
    names = [f"x{i}" for i in range(len(arguments))]
    lines = ["if recording() is not True: return MISSED"]
    if holds is not None:
        lines.append("if not holds(): return MISSED")
    parents: list[str] = []
    for i, (name, x) in enumerate(zip(names, arguments, strict=True)):
        if type(x) is plain:
            lines.append(f"if type({name}) is not plain: return MISSED")
            if i in variant.needs:
                lines.append(f"node{i} = {name}._node")
                lines.append(f"if node{i} is None: return MISSED")
                if parents:
                    lines.append(f"if node{i}.level is not level: return MISSED")
                else:
                    lines += [f"level = node{i}.level", "if level.closed: return MISSED"]
                parents.append(f"node{i}")
            else:
                lines.append(f"if {name}._node is not None: return MISSED")
            lines.append(f"{name} = {name}._array")
            x = x._array
        scope |= {f"kind_{name}": type(x), f"shape_{name}": x.shape, f"dtype_{name}": x.dtype}
        test = f"type({name}) is not kind_{name} or {name}.shape != shape_{name} or {name}.dtype is not dtype_{name}"
        lines.append(f"if {test}: return MISSED")
    outs = [f"y{i}" for i in range(made.values)]
    residuals = [f"r{i}" for i in range(made.residuals)]
    lines += ["try:", f"    {', '.join([*outs, *residuals])}, = run({', '.join(names)})"]
    lines += ["except failed:", "    return MISSED"]
    ordered = [names[i] for i in variant.order]
    saved = [*ordered[: variant.first], *residuals, *ordered[variant.first :]]
    first, *rest = parents
    second = "None" if not rest else rest[0] if len(rest) == 1 else f"({', '.join(rest)})"
    lines.append(f"node = Node(number(), variant, ({', '.join(saved)},), {first}, {second}, level)")
    shown = []
    for k, y in enumerate(outs):
        if len(outs) == 1:
            shown.append(f"plain({y}, node)")
        elif variant.specs[k][3]:
            scope[f"part{k}"] = variant.op.projection(k)
            shown.append(f"plain({y}, Node(number(), part{k}, NOTHING, node, None, level))")
        else:
            shown.append(f"plain({y}, None)")
    lines.append(f"return {_literal(structure, shown)}")
    source = f"def quick({', '.join(names)}):\n" + "".join([f"    {line}\n" for line in lines])
    exec(compile(source, "<agnograd quick>", "exec"), scope)
    return scope["quick"]  # type: ignore[no-any-return]


def _literal(structure: Any, leaves: list[str]) -> str:
    """A tree as it is written, where tuples and lists are all that it is made of."""
    text = _written(optree.tree_unflatten(structure, leaves))
    return f"unflatten(structure, [{', '.join(leaves)}])" if text is None else text


def _written(tree: Any) -> str | None:
    if type(tree) is str:
        return tree
    if type(tree) not in (tuple, list):
        return None
    items = [_written(item) for item in tree]
    if None in items:
        return None
    inner = ", ".join(items)  # type: ignore[arg-type]
    if type(tree) is list:
        return f"[{inner}]"
    return f"({inner},)" if len(items) == 1 else f"({inner})"
