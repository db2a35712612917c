"""Contractions of any number of arrays by Einstein's summation convention.

``einsum`` takes its operands together two at a time, in the order that opt_einsum finds (D. G. A. Smith and J. Gray,
*opt_einsum - A Python package for optimizing contraction order for einsum-like expressions*, JOSS 3 (2018), 753). Two
of them are one operation, ``contract``, which is linear in both. Its transposes are contractions again: with
``out = sum a b`` the cotangent of a is the sum of ``g conj(b)`` over all labels that a does not have.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from agnograd.core import batched_products
from agnograd.core.cotangent import Spec
from agnograd.core.formulas import is_complex
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import composite, linear

Array = Any
Labels = tuple[str, str, str]
# An array with a letter for each of its axes.
Operand = tuple[Array, str]

# -- two arrays --------------------------------------------------------------------------------------------------------


def _permuted(xp: Any, x: Array, labels: str, wanted: str) -> Array:
    return x if labels == wanted else xp.permute_dims(x, tuple(labels.index(a) for a in wanted))


def _aligned(xp: Any, x: Array, labels: str, out: str) -> Array:
    """Axes in the order of `out`, and one of size one for each label that is missing."""
    x = _permuted(xp, x, labels, "".join(a for a in out if a in labels))
    return x[tuple(slice(None) if a in labels else None for a in out)]


def _contract(xp: Any, x1: Array, x2: Array, /, *, labels: Labels) -> Array:
    in1, in2, out = labels
    shared = [a for a in in1 if a in in2]
    batch = "".join(a for a in shared if a in out)
    summed = "".join(a for a in shared if a not in out)
    free1 = "".join(a for a in in1 if a not in in2)
    free2 = "".join(a for a in in2 if a not in in1)
    if not summed:
        return _aligned(xp, x1, in1, out) * _aligned(xp, x2, in2, out)
    if not batch:
        axes = tuple(map(in1.index, summed)), tuple(map(in2.index, summed))
        return _permuted(xp, xp.tensordot(x1, x2, axes=axes), free1 + free2, out)
    sizes = dict(zip(in1 + in2, (*x1.shape, *x2.shape), strict=True))

    def shape(*groups: str) -> tuple[int, ...]:
        return (*(sizes[a] for a in batch), *(math.prod(sizes[a] for a in group) for group in groups))

    left = xp.reshape(_permuted(xp, x1, in1, batch + free1 + summed), shape(free1, summed))
    right = xp.reshape(_permuted(xp, x2, in2, batch + summed + free2), shape(summed, free2))
    whole = xp.reshape(xp.matmul(left, right), shape(*free1, *free2))
    return _permuted(xp, whole, batch + free1 + free2, out)


def _cast(xp: Any, g: Array, spec: Spec) -> Array:
    """A cotangent in the dtype of its primal. Its shape is right, though on dask it may be unknown."""
    if g.dtype == spec.dtype:
        return g
    return xp.astype(xp.real(g) if is_complex(xp, g) and spec.dtype in xp.reals else g, spec.dtype)


def _contract_left(xp: Any, g: Array, x1_spec: Spec, x2: Array, labels: Labels) -> Array:
    in1, in2, out = labels
    return _cast(xp, xp.contract(g, xp.conj(x2), labels=(out, in2, in1)), x1_spec)


def _contract_right(xp: Any, g: Array, x1: Array, x2_spec: Spec, labels: Labels) -> Array:
    in1, in2, out = labels
    return _cast(xp, xp.contract(xp.conj(x1), g, labels=(in1, out, in2)), x2_spec)


def _pair(shape1: tuple[int, ...], shape2: tuple[int, ...], labels: str, *kinds: str) -> Sample:
    in1, in2, out = labels.replace("->", ",").split(",")
    kind1, kind2 = kinds or ("real", "real")
    return Sample((Uniform(shape=shape1, kind=kind1), Uniform(shape=shape2, kind=kind2)), {"labels": (in1, in2, out)})


contract: Op = linear(
    "contract(x1, x2, /, *, labels)",
    batch=batched_products.contract,
    body=_contract,
    x1=_contract_left,
    x2=_contract_right,
    doc="sum of products of two arrays; labels=(of x1, of x2, of the output), a letter for an axis, none twice in one "
    "array. An axis that only one array has stays in the output",
    samples=[
        _pair((2, 3), (3, 4), "ij,jk->ik"),
        _pair((2, 3), (3, 4), "ij,jk->ki"),
        _pair((3,), (3,), "i,i->"),
        _pair((2,), (3,), "i,j->ji"),
        _pair((2, 3), (3, 2), "ij,ji->ij"),
        _pair((), (2, 3), ",ij->ji"),
        _pair((2, 3, 4), (4, 2, 5), "bij,jbk->kbi"),
        _pair((2, 3, 2, 2), (2, 3, 3, 2), "abcd,dbef->fabec"),
        _pair((2, 3, 2, 2), (2, 2, 3, 2), "abij,kjbi->bka"),
        _pair((0, 3), (3, 2), "ij,jk->ik"),
        _pair((2, 0, 3), (2, 0, 3), "bij,bij->bi"),
        _pair((2, 3, 0), (2, 0, 2), "bij,bjk->bik"),
        _pair((2, 3), (3, 2), "ij,jk->ik", "complex", "complex"),
        _pair((2, 3), (2, 3), "ij,ij->i", "complex", "real"),
    ],
)

# -- any number of arrays ----------------------------------------------------------------------------------------------


def _refused(subscripts: str, shapes: Sequence[tuple[int | None, ...]], why: str) -> ValueError:
    shown = ", ".join(map(str, shapes))
    return ValueError(
        f"einsum cannot read {subscripts!r} for operands of shape {shown}: {why}. Write a letter for each axis, '...' "
        f"for those that broadcast, commas between the operands and, if the output is meant explicitly, '->' before it."
    )


@functools.lru_cache(maxsize=512)
def _plan(
    subscripts: str, shapes: tuple[tuple[int | None, ...], ...], optimize: Any
) -> tuple[tuple[str, ...], str, tuple[tuple[int, ...], ...]]:
    """Labels of the operands and of the output, and which operands to take together, step by step.

    A size of one broadcasts: a label is left out of an operand that has such an axis where others have more, and a
    blank stands in its place.
    """
    from opt_einsum import contract_path
    from opt_einsum.parser import parse_einsum_input

    # The sizes of a lazy array may be unknown; they decide over nothing but the order.
    known = [tuple(10 if n is None else n for n in shape) for shape in shapes]
    try:
        inputs, output, _ = parse_einsum_input((subscripts, *known), shapes=True)
    except ValueError as error:
        raise _refused(subscripts, shapes, str(error).rstrip(".")) from None
    terms = inputs.split(",")
    sizes: dict[str, int | None] = {}
    for i, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        if len(term) != len(shape):
            raise _refused(subscripts, shapes, f"operand {i} has {len(shape)} axes and {len(term)} labels")
        own: dict[str, int | None] = {}
        for a, n in zip(term, shape, strict=True):
            if not a.isalpha():
                raise _refused(subscripts, shapes, f"{a!r} is no letter")
            if None not in {n, own.setdefault(a, n)} and own[a] != n:
                raise _refused(subscripts, shapes, f"the axes {a!r} of operand {i} have the sizes {own[a]} and {n}")
        for a, n in own.items():
            old = sizes.get(a, 1)
            if old == 1:
                sizes[a] = n
            elif n != 1 and None not in {n, old} and n != old:
                raise _refused(subscripts, shapes, f"label {a!r} has the sizes {old} and {n}")
    terms = [
        "".join(" " if n == 1 and sizes[a] != 1 else a for a, n in zip(term, shape, strict=True))
        for term, shape in zip(terms, shapes, strict=True)
    ]
    if len(terms) < 3:
        return tuple(terms), output, (tuple(range(len(terms))),)
    bare = ",".join("".join(dict.fromkeys(t.replace(" ", ""))) for t in terms)
    cost = [tuple(sizes[a] or 10 for a in t) for t in bare.split(",")]
    steps = list(optimize) if isinstance(optimize, tuple) else optimize
    try:
        path, _ = contract_path(f"{bare}->{output}", *cost, shapes=True, optimize=steps)
    except (KeyError, TypeError, ValueError) as error:
        msg = f"einsum has no order of contraction for optimize={optimize!r}: {error}. See opt_einsum.contract_path."
        raise ValueError(msg) from None
    return tuple(terms), output, tuple(tuple(step) for step in path)


def _diagonal(xp: Any, x: Array, labels: str) -> Operand:
    """The array without axes of size one that broadcast, and with the diagonal of axes that share a label."""
    blank = tuple(i for i, a in enumerate(labels) if a == " ")
    if blank:
        x, labels = xp.squeeze(x, blank), labels.replace(" ", "")
    for a in labels:
        while labels.count(a) > 1:
            i = labels.index(a)
            j = labels.index(a, i + 1)
            rest = tuple(k for k in range(len(labels)) if k not in {i, j})
            x = xp.linalg.diagonal(xp.permute_dims(x, (*rest, i, j)))
            labels = "".join(labels[k] for k in rest) + a
    return x, labels


def _summed(xp: Any, operand: Operand, wanted: str) -> Operand:
    """The array summed over axes that nothing else has."""
    x, labels = operand
    axes = tuple(i for i, a in enumerate(labels) if a not in wanted)
    if not axes:
        return operand
    return xp.sum(x, axis=axes, dtype=x.dtype), "".join(a for a in labels if a in wanted)


def _together(xp: Any, first: Operand, second: Operand, others: str, output: str) -> Operand:
    x1, in1 = _summed(xp, first, second[1] + others + output)
    x2, in2 = _summed(xp, second, first[1] + others + output)
    out = "".join(a for a in dict.fromkeys(in1 + in2) if a in others + output)
    out = output if sorted(out) == sorted(output) else out
    return xp.contract(x1, x2, labels=(in1, in2, out)), out


def _einsum(xp: Any, subscripts: Any, /, *arrays: Any, optimize: Any = "auto") -> Array:
    if not isinstance(subscripts, str):
        from opt_einsum.parser import convert_interleaved_input

        subscripts, arrays = convert_interleaved_input([subscripts, *arrays])
    for i, x in enumerate(arrays):
        if not hasattr(x, "shape"):
            msg = f"einsum takes arrays, operand {i} is of type {type(x).__name__}. Make it one with agnograd.asarray."
            raise TypeError(msg)
        if xp.isdtype(x.dtype, "bool"):
            msg = f"einsum takes numbers, operand {i} is boolean. Convert it with astype."
            raise TypeError(msg)
    # What dask does not know is a NaN.
    shapes = tuple(tuple(n if n == n else None for n in x.shape) for x in arrays)  # noqa: PLR0124
    terms, output, path = _plan(subscripts.replace(" ", ""), shapes, _hashable(optimize))
    waiting = [_diagonal(xp, x, term) for x, term in zip(arrays, terms, strict=True)]
    for step in (*path, tuple(range(len(arrays)))):
        chosen = [waiting[i] for i in step if i < len(waiting)]
        waiting = [operand for i, operand in enumerate(waiting) if i not in step]
        whole = chosen[0]
        for k, operand in enumerate(chosen[1:], 2):
            others = "".join(labels for _, labels in (*chosen[k:], *waiting))
            whole = _together(xp, whole, operand, others, output)
        waiting.append(whole)
    x, labels = _summed(xp, waiting[0], output)
    out = _permuted(xp, x, labels, output)
    return xp.positive(out) if out is arrays[0] else out


def _hashable(optimize: Any) -> Any:
    if not isinstance(optimize, (list, tuple)):
        return optimize
    # NumPy writes a word before the steps.
    return tuple(tuple(step) for step in optimize if not isinstance(step, str))


def _of(subscripts: str, *shapes: tuple[int, ...], kind: str = "real", **params: Any) -> Sample:
    arrays = tuple(Uniform(shape=shape, kind=kind) for shape in shapes)
    return Sample(arrays, {"subscripts": subscripts, **params})


einsum: Op = composite(
    "einsum(subscripts, /, *arrays, optimize='auto')",
    arrays=("arrays",),
    body=_einsum,
    doc="sum of products by Einstein's convention: 'ij,jk->ik' multiplies matrices, 'ii' is a trace, '...' broadcasts",
    samples=[
        _of("ij->ji", (2, 3)),
        _of("ij->", (2, 3)),
        _of("ba", (2, 3)),
        _of("ii", (3, 3)),
        _of("ii->i", (3, 3)),
        _of("iji->j", (2, 3, 2)),
        _of("iii->i", (2, 2, 2)),
        _of("iijj->ij", (2, 2, 3, 3)),
        _of("...ii->...i", (2, 3, 3)),
        _of("->", ()),
        _of("i,i", (3,), (3,)),
        _of("i,j->ij", (2,), (3,)),
        _of("ij,jk", (2, 3), (3, 2)),
        _of("ij,kl->il", (2, 3), (2, 2)),
        _of("bij,bjk->bik", (2, 3, 2), (2, 2, 3)),
        _of("...ij,...jk->...ik", (2, 1, 2, 3), (2, 3, 2)),
        _of("ij,ij->ij", (1, 3), (2, 3)),
        _of("ij,ij->j", (2, 1), (1, 3)),
        _of("ii,i->i", (3, 3), (3,)),
        _of(",ij->ij", (), (2, 2)),
        _of("ij,jk->ik", (0, 3), (3, 2)),
        _of("ij,jk,kl->il", (2, 3), (3, 2), (2, 3)),
        _of("ij,jk,kl->il", (2, 3), (3, 2), (2, 3), optimize=False),
        _of("ij,jk,kl->il", (2, 3), (3, 2), (2, 3), optimize=("einsum_path", (1, 2), (0, 1))),
        _of("i,i,i->", (3,), (3,), (3,)),
        _of("ij,jk->ik", (2, 3), (3, 2), kind="complex"),
        _of("ii->i", (3, 3), kind="complex"),
        _of("ai,bi,ci->abc", (2, 3), (2, 3), (2, 3), kind="complex"),
    ],
)
