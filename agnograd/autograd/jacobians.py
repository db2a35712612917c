"""One function at one point: its Jacobians by forward mode, reverse mode and central differences, held against another.

Complex numbers are pairs of reals here. The gradient ``dL/dRe + i dL/dIm`` of a real loss is then the ordinary one, the
cotangents 1 and i of a complex output give the gradients of its real and of its imaginary part, and every Jacobian is a
real matrix. It is looked at through directions: all of them, one by one, or in fast mode a random one on either side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

import optree

from agnograd.autograd.calls import pull
from agnograd.autograd.hosts import compute, kind, like, pairs, unpaired
from agnograd.core.array import Array, innermost
from agnograd.core.facts import carries, describe, raw_space, short
from agnograd.core.level import ROOT
from agnograd.core.nodes import wrap
from agnograd.core.table import OPS, spaces
from agnograd.core.views import settled
from agnograd.errors import GradcheckError
from agnograd.transforms import jvp

Function = Callable[..., Any]


class Options(NamedTuple):
    """What `agnograd.autograd.gradcheck` was asked for."""

    eps: float
    atol: float
    rtol: float
    nondet_tol: float
    check_grad_dtypes: bool
    fast_mode: bool


class Check:
    """A function at a point, its Jacobians in several ways, and what they must fulfil.

    Parameters
    ----------
    func, transformed : callable
        The function for tensors on the user's own graph, and for wrappers of any level.
    inputs : tuple
    options : Options
    """

    def __init__(self, func: Function, transformed: Function, inputs: tuple[Any, ...], options: Options) -> None:
        self.func = func
        self.transformed = transformed
        self.inputs = inputs
        self.options = options
        self.varied: list[int] = [i for i, x in enumerate(inputs) if requires_grad(x)]
        self.primals: list[Any] = [inputs[i] for i in self.varied]
        self.point: Any = compute(self.primals)
        self.returned: list[Any] = leaves(func(*inputs))
        self.places: list[int] = [i for i, y in enumerate(self.returned) if requires_grad(y)]
        self.outputs: list[Any] = [self.returned[i] for i in self.places]
        self.values: Any = compute(self.outputs)
        # Not the same on either side: an antisymmetric part of a Jacobian would not be seen.
        self.directions: list[Any] = self._vectors(self.point, 0)
        self.weights: list[Any] = self._vectors(self.values, 1)

    def _vectors(self, hosts: Sequence[Any], seed: int) -> list[Any]:
        import numpy as np

        sizes = [pairs(x).size for x in hosts]
        if not self.options.fast_mode:
            return [np.eye(n) for n in sizes]
        generator = np.random.default_rng(seed)
        drawn = [generator.random((1, n)) for n in sizes]
        return [v / np.linalg.norm(v) if v.size else v for v in drawn]

    # -- Jacobians: for each input and output, a matrix with a row for each direction and a column for each weight -----

    def numerical(self) -> list[list[Any]]:
        """By central differences."""
        eps = self.options.eps
        moved = [
            [self._at(k, x + sign * eps * unpaired(u, x)) for u in self.directions[k] for sign in (1, -1)]
            for k, x in enumerate(self.point)
        ]
        table = []
        for k, hosts in enumerate(compute(moved)):
            for i, y in enumerate(self.values):
                self._check_like(y, [found[i] for found in hosts], k)
            slopes = [
                [(pairs(a) - pairs(b)) / (2 * eps) for a, b in zip(up, down, strict=True)]
                for up, down in zip(hosts[::2], hosts[1::2], strict=True)
            ]
            table.append([_matrix([s[i] for s in slopes], w) for i, w in enumerate(self.weights)])
        return table

    def _at(self, k: int, host: Any) -> list[Any]:
        """The outputs where input number `k` has other values."""
        arguments = list(self.inputs)
        arguments[self.varied[k]] = wrap(like(innermost(settled(self.primals[k])), host), None).requires_grad_()
        found = leaves(self.func(*arguments))
        # Where nothing requires grad, all that is returned has to be constant.
        return [found[i] for i in self.places] if self.places else [y for y in found if _is_float(y)]

    def _check_like(self, y: Any, found: Sequence[Any], k: int) -> None:
        for z in found:
            for name in ("shape", "dtype"):
                if getattr(z, name) != getattr(y, name):
                    msg = (
                        f"Expected `func` to return outputs with the same {name} when input {k} is perturbed by "
                        f"{self.options.eps}, but got: {name}s {getattr(y, name)} and {getattr(z, name)}."
                    )
                    raise GradcheckError(msg)

    def pulled(self) -> list[list[Any]]:
        """By reverse mode."""
        gradients = [[self._pull([y], [g]) for g in self._cotangents(i)] for i, y in enumerate(self.outputs)]
        again = [[self._pull([y], [g]) for g in self._cotangents(i)] for i, y in enumerate(self.outputs)]
        for found in gradients:
            for row in found:
                self._check_kept(row, self.options.check_grad_dtypes)
        first, second = compute((self._zeroed(gradients), self._zeroed(again)))
        table = []
        for k, directions in enumerate(self.directions):
            rows = [[pairs(row[k]) for row in found] for found in first]
            others = [[pairs(row[k]) for row in found] for found in second]
            self._check_same(rows, others)
            table.append([_matrix(found, directions).T for found in rows])
        return table

    def _pull(self, outputs: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        return pull(outputs, self.primals, cotangents, keep=True)

    def _cotangents(self, i: int) -> list[Any]:
        return [like(innermost(self.outputs[i]), unpaired(w, self.values[i])) for w in self.weights[i]]

    def _zeroed(self, table: list[list[list[Any]]]) -> list[list[list[Any]]]:
        return [[self._with_zeros(row) for row in found] for found in table]

    def _with_zeros(self, row: Sequence[Any]) -> list[Any]:
        return [_zeros(x) if g is None else g for g, x in zip(row, self.primals, strict=True)]

    def pushed(self) -> list[list[Any]]:
        """By forward mode."""
        columns = []
        for k, (x, h) in enumerate(zip(self.primals, self.point, strict=True)):
            tangents = [[None] * k + [like(innermost(settled(x)), unpaired(u, h))] for u in self.directions[k]]
            columns.append([self._push(ts + [None] * (len(self.primals) - k - 1)) for ts in tangents])
        return [
            [_matrix([pairs(column[i]) for column in found], w) for i, w in enumerate(self.weights)]
            for found in compute(columns)
        ]

    def _push(self, tangents: Sequence[Any]) -> list[Any]:
        arguments = list(self.inputs)

        def f(*primals: Any) -> Any:
            for i, x in zip(self.varied, primals, strict=True):
                arguments[i] = x
            found = leaves(self.transformed(*arguments))
            return [found[i] for i in self.places]

        values, found = jvp(f, [_constant(x) for x in self.primals], tangents)
        for y, t in zip(values, found, strict=True):
            if self.options.check_grad_dtypes and t.dtype != y.dtype:
                self._fail(f"Forward AD gradient has dtype mismatch: {short(t.dtype)} for an output ({describe(y)})")
        return list(found)

    # -- checks ------------------------------------------------------------------------------------------------------

    def run(self, forward: bool, backward: bool, undefined: bool, batched: bool) -> None:
        """Every check that was asked for."""
        if forward:
            self._compare(self.pushed, "computed with forward mode ")
            if undefined:
                self.undefined_tangents()
        if backward:
            self._compare(self.pulled, "")
            self.zero_cotangents()
            if batched:
                self.batched_cotangents()
            if undefined:
                self.undefined_cotangents()

    def _compare(self, analytical: Callable[[], list[list[Any]]], mode: str) -> None:
        if not self.outputs:
            self._check_constant()
            return
        try:
            for k, (found, expected) in enumerate(zip(analytical(), self.numerical(), strict=True)):
                for i, (a, n) in enumerate(zip(found, expected, strict=True)):
                    self._agree(a, n, mode, i, k)
        except _Mismatch as error:
            if not self.options.fast_mode:
                raise GradcheckError(str(error)) from None
            slow = Check(self.func, self.transformed, self.inputs, self.options._replace(fast_mode=False))
            slow._compare(slow.pushed if mode else slow.pulled, mode)
            msg = f"{error}. That is a random projection, in fast mode; element by element the derivatives agree."
            raise GradcheckError(msg) from None

    def _agree(self, a: Any, n: Any, mode: str, i: int, k: int) -> None:
        import numpy as np

        # Entries of a projected Jacobian are sums.
        scale = np.outer(np.sum(self.directions[k], axis=1), np.sum(self.weights[i], axis=1))
        allowed = self.options.atol * scale + self.options.rtol * abs(n)
        wrong = ~(abs(a - n) <= allowed)
        if not np.any(wrong):
            return
        far = np.where(wrong, np.nan_to_num(abs(a - n), nan=np.inf), -1)
        u, w = np.unravel_index(np.argmax(far), far.shape)
        x, y = self.primals[k], self.outputs[i]
        if self.options.fast_mode:
            place = ""
        else:
            place = (
                f" at {_place(int(w), self.values[i])} of the output and {_place(int(u), self.point[k])} of the input"
            )
        msg = (
            f"Jacobian {mode}mismatch for output {self.places[i]} with respect to input {self.varied[k]}, "
            f"numerical: {_size(n)}, analytical: {_size(a)}; {int(np.sum(wrong))} of {wrong.size} entries differ, most"
            f"{place}: by {abs(a - n)[u, w]:.2g}, allowed {allowed[u, w]:.2g} (output: {describe(y)}; input: "
            f"{describe(x)})"
        )
        raise _Mismatch(msg)

    def _check_constant(self) -> None:
        import numpy as np

        floats = [y for y in self.returned if _is_float(y)]
        self.values = compute(floats)
        self.weights = [np.eye(pairs(y).size) for y in self.values]
        for k, found in enumerate(self.numerical()):
            for i, n in enumerate(found):
                if np.any(abs(n) > self.options.nondet_tol):
                    self._fail(
                        f"Numerical gradient for function expected to be zero: no output requires grad, and output {i} "
                        f"({describe(floats[i])}) depends on input {self.varied[k]}. If the function calls detach() or "
                        f"no_grad(), its gradient is lost."
                    )

    def _check_same(self, rows: list[list[Any]], others: list[list[Any]]) -> None:
        import numpy as np

        for found, other in zip(rows, others, strict=True):
            for a, b in zip(found, other, strict=True):
                if not np.all(np.isclose(a, b, rtol=0, atol=self.options.nondet_tol, equal_nan=True)):
                    self._fail(
                        f"Backward is not reentrant, i.e., running backward with same input and grad_output multiple "
                        f"times gives different values: they differ by {np.max(abs(a - b)):.2g}. The tolerance for "
                        f"nondeterminism was {self.options.nondet_tol}."
                    )

    def _check_kept(self, row: Sequence[Any], dtypes: bool) -> None:
        for k, (g, x) in enumerate(zip(row, self.primals, strict=True)):
            if g is None:
                continue
            about = f"of input {self.varied[k]} ({describe(g)}; the input: {describe(x)})"
            if tuple(g.shape) != tuple(x.shape):
                self._fail(f"Analytical gradient has incorrect size: that {about}")
            if raw_space(g) is not raw_space(x) or str(g.device) != str(x.device):
                self._fail(f"grad is incorrect device: that {about}")
            if dtypes and g.dtype != x.dtype:
                self._fail(f"Gradient has dtype mismatch: that {about}")

    def zero_cotangents(self) -> None:
        """A pass back is linear: zeros give zeros."""
        if not self.outputs:
            return
        found = self._pull(self.outputs, [_zeros(y) for y in self.outputs])
        self._check_kept(found, dtypes=True)
        for k, g in enumerate(compute(self._with_zeros(found))):
            if (g != 0).any():
                self._fail(
                    f"backward not multiplied by grad_output: where that is zero, the gradient of input "
                    f"{self.varied[k]} ({describe(self.primals[k])}) is not."
                )

    def undefined_cotangents(self) -> None:
        """An output without a cotangent counts as one whose cotangent is zero."""
        given = random_like(self.outputs)
        for i, left_out in enumerate(self.outputs):
            rest = [n for n in range(len(given)) if n != i]
            if not rest:
                return
            try:
                undefined = self._pull([self.outputs[n] for n in rest], [given[n] for n in rest])
            except Exception as error:
                msg = (
                    f"Expected backward function to handle undefined output grads: it fails where output "
                    f"{self.places[i]} ({describe(left_out)}) has none. Take None for zero, or leave "
                    f"set_materialize_grads(True)."
                )
                raise GradcheckError(msg) from error
            zero = self._pull(self.outputs, [_zeros(y) if n == i else given[n] for n, y in enumerate(self.outputs)])
            self._check_close(
                undefined,
                zero,
                f"Expected an undefined grad of output {self.places[i]} ({describe(left_out)}) to count as zero",
            )

    def undefined_tangents(self) -> None:
        """An input without a tangent counts as one whose tangent is zero."""
        given = random_like(self.primals)
        for k, left_out in enumerate(self.primals) if len(given) > 1 and self.outputs else ():
            undefined = self._push([None if n == k else t for n, t in enumerate(given)])
            zero = self._push([_zeros(left_out) if n == k else t for n, t in enumerate(given)])
            what = f"Mismatch in tangent values when input {self.varied[k]} has an undefined tangent value"
            self._check_close(undefined, zero, what, [*self.outputs])

    def batched_cotangents(self) -> None:
        """A batch of cotangents gives a batch of gradients."""
        from agnograd.autograd import grad

        for i, y in enumerate(self.outputs):
            pair = random_like([y, y])
            together = grad(y, self.primals, wrap(raw_space(y).stack(pair), None), True, False, True, True)
            for n, g in enumerate(pair):
                alone = [None if b is None else b[n, ...] for b in together]
                what = f"Batched gradients of output {self.places[i]} ({describe(y)}) are not those of its cotangents"
                self._check_close(alone, self._pull([y], [g]), what)

    def _check_close(
        self, found: Sequence[Any], expected: Sequence[Any], what: str, like: Sequence[Any] | None = None
    ) -> None:
        import numpy as np

        if like is None:
            found, expected = self._with_zeros(found), self._with_zeros(expected)
        for n, (a, b) in enumerate(zip(*compute((list(found), list(expected))), strict=True)):
            if not np.allclose(a, b, equal_nan=True):
                where = f"input {self.varied[n]}" if like is None else f"output {self.places[n]}"
                self._fail(f"{what}: the derivative of {where} differs by {np.max(abs(a - b)):.2g}.")

    def _fail(self, msg: str) -> NoReturn:
        raise GradcheckError(msg)


class _Mismatch(Exception):  # noqa: N818 - turned into an error of gradcheck's
    """A Jacobian differs from the numerical one."""


# -- arrays ------------------------------------------------------------------------------------------------------------


def leaves(value: Any) -> list[Any]:
    """What a function returned, as a list."""
    return [settled(x) for x in optree.tree_leaves(value)]


def requires_grad(x: Any) -> bool:
    """Whether `x` is a tensor on the user's own graph."""
    x = settled(x)
    return isinstance(x, Array) and x.level is ROOT


def _is_float(x: Any) -> bool:
    return (isinstance(x, Array) or spaces.known(type(x)) is not None) and carries(x)


def _constant(x: Any) -> Any:
    return wrap(innermost(settled(x)), None)


def _zeros(x: Any) -> Any:
    return OPS["zeros_like"].call(_constant(x))


def random_like(arrays: Sequence[Any], every_other: bool = False) -> list[Any]:
    """Raw arrays of the shapes and dtypes of others, with random elements; or every other element of such arrays."""
    import numpy as np

    generator = np.random.default_rng(0)
    found = []
    for x in arrays:
        raw = innermost(settled(x))
        shape = tuple(raw.shape)
        host = generator.uniform(-1, 1, shape)
        made = like(raw, host + 1j * generator.uniform(-1, 1, shape) if kind(raw) == "c" else host)
        found.append(raw_space(raw).stack([made, made], axis=-1)[..., 0] if every_other else made)
    return found


def _matrix(rows: Sequence[Any], vectors: Any) -> Any:
    """Rows of derivatives, each seen through some vectors."""
    import numpy as np

    return (np.stack(rows) if rows else np.zeros((0, vectors.shape[1]))) @ vectors.T


def _place(n: int, host: Any) -> str:
    """The real number `n` of `pairs`, as a user finds it."""
    import numpy as np

    part = ("the real part of ", "the imaginary part of ")[n % 2] if host.dtype.kind == "c" else ""
    index = np.unravel_index(n // 2 if part else n, host.shape)
    return f"{part}element {tuple(int(i) for i in index)}"


def _size(matrix: Any) -> str:
    return f"entries of up to {abs(matrix).max():.3g}"
