"""A function of tensors, called once on the user's own graph, and passes back from its results.

What `agnograd.autograd.functional` computes is put together from these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NoReturn

from agnograd.core.array import Array
from agnograd.core.facts import carries, describe, raw_space
from agnograd.core.gradient import gradients
from agnograd.core.level import ROOT
from agnograd.core.nodes import shown, wrap
from agnograd.core.table import OPS
from agnograd.core.views import settled
from agnograd.errors import CotangentError, EscapedError, GradientError, NonScalarError
from agnograd.grad_mode import enable_grad
from agnograd.transforms import jvp, vmap

Tensors = tuple[Any, ...]
FUNCTION = "the user-provided function"
STRICT = "This is not allowed in strict mode"


def pull(
    outputs: Sequence[Any],
    inputs: Sequence[Any],
    cotangents: Sequence[Any],
    *,
    create_graph: bool = False,
    keep: bool = False,
) -> list[Any]:
    """Cotangents of `inputs`, None for those that no output depends on.

    Parameters
    ----------
    outputs : sequence of Tensor or None
        Those that do not require grad are left out.
    inputs, cotangents : sequence of Tensor
    create_graph : bool
        Whether the pass is recorded, whatever the grad mode.
    keep : bool
        Whether the graph keeps what it saved, for another pass.
    """
    roots = [(y, g) for y, g in zip(outputs, cotangents, strict=True) if y is not None and y.level is ROOT]
    if not roots:
        return [None] * len(inputs)
    ys, gs = zip(*roots, strict=True)
    nodes = [settled(x)._node for x in inputs]
    with enable_grad() if create_graph else nullcontext():
        found = gradients(ys, gs, retain_graph=create_graph or keep, create_graph=create_graph, targets=nodes)
    return [shown(found.get(node)) for node in nodes]


class Call:
    """One call of a function on inputs of its own, and passes back from its results."""

    def __init__(
        self,
        name: str,
        func: Callable[..., Any],
        inputs: Any,
        create_graph: bool,
        strict: bool,
        vectorize: bool = False,
    ) -> None:
        self.name = name
        self.func = func
        self.create_graph = create_graph
        self.strict = strict
        self.vectorize = vectorize
        self.inputs_single: bool
        given, self.inputs_single = self.tensors(inputs, "inputs")
        # New objects, so that an argument is told from the same tensor where the function closes over it.
        self.inputs: tuple[Any, ...] = tuple([self._fresh(settled(x)) for x in given])
        self.outputs: Tensors = ()
        self.outputs_single: bool = True

    def _fresh(self, x: Any) -> Any:
        if self.create_graph and x.level is ROOT:
            with enable_grad():
                return OPS["clone"].call(x)
        return wrap(x._array, None).requires_grad_()

    def mode(self) -> AbstractContextManager[Any]:
        """The grad mode in which results are computed."""
        return enable_grad() if self.create_graph else nullcontext()

    def tensors(self, given: Any, what: str) -> tuple[Tensors, bool]:
        """Tensors given as one or as a tuple, and whether it was one."""
        single = not isinstance(given, tuple)
        found = (given,) if single else given
        if not found:
            msg = f"The {what} given to {self.name} must not be empty."
            raise GradientError(msg)
        for i, x in enumerate(found):
            if not isinstance(x, Array):
                where = f"the given {what} has type" if single else f"the value at index {i} has type"
                msg = (
                    f"The {what} given to {self.name} must be either a Tensor or a tuple of Tensors but {where} "
                    f"{type(x).__name__}. Make a tensor of an array with agnograd.asarray."
                )
                raise TypeError(msg)
            level = settled(x).level
            if level is not None and level is not ROOT:
                msg = (
                    f"The {what} given to {self.name} belong to the transformation {level.name!r} ({describe(x)}), and "
                    f"agnograd.autograd.functional works on the user's own graph. Inside a transformation use "
                    f"agnograd.grad, vjp, jvp or hvp."
                )
                raise EscapedError(msg)
        return tuple([settled(x) for x in found]), single

    def run(self) -> None:
        """Call the function."""
        with enable_grad():
            out = self.func(*self.inputs)
        self.outputs, self.outputs_single = self.tensors(out, f"outputs of {FUNCTION}")
        for i, y in enumerate(self.outputs):
            if self.strict and y.level is None:
                self._refuse(
                    f"Output {i} of {FUNCTION} does not require gradients. The outputs must be computed in a "
                    f"differentiable manner from the input when running in strict mode."
                )

    def run_scalar(self) -> list[Any]:
        """Call a function of one element, and return its gradient, which can be differentiated."""
        self.run()
        self.scalar(self.outputs[0] if self.outputs_single else self.outputs)
        with enable_grad():
            found = self.pull(self.outputs, self.inputs, (None,), create_graph=True)
        for i, g in enumerate(found):
            if self.strict and g is None:
                self._refuse(f"The output of {FUNCTION} is independent of input {i}. {STRICT}.")
            if self.strict and g.level is None:
                self._refuse(
                    f"While computing the hessian, found that the jacobian of {FUNCTION} with respect to input {i} is "
                    f"independent of the input. {STRICT}. You should ensure that your function is twice differentiable "
                    f"and that the jacobian depends on the inputs (this would be violated by a linear function for "
                    f"example)."
                )
        return [_zeros(x) if g is None else g for g, x in zip(found, self.inputs, strict=True)]

    def scalar(self, out: Any) -> Any:
        """The one element that a function returns, without axes."""
        if isinstance(out, tuple):
            msg = f"The function given to {self.name} should return a single Tensor, got a tuple of {len(out)}."
            raise NonScalarError(msg)
        if not isinstance(out, Array):
            msg = (
                f"The function given to {self.name} should return a single Tensor, got an object of type "
                f"{type(out).__name__}."
            )
            raise TypeError(msg)
        if not one_element((out,)):
            msg = (
                f"The Tensor returned by the function given to {self.name} should contain a single element, it has "
                f"{describe(out)}. Reduce it, for example with .sum()."
            )
            raise NonScalarError(msg)
        return out if out.shape == () else OPS["reshape"].call(out, ())

    # -- vectors -----------------------------------------------------------------------------------------------------

    def tangents(self, v: Any) -> Sequence[Any]:
        """Vectors like the inputs; one, where there is a single input of one element."""
        if v is None and one_element(self.inputs):
            return (OPS["ones_like"].call(self.inputs[0].detach()),)
        return self.given(v, self.inputs, self.inputs_single, f"the input to {FUNCTION} is")

    def given(self, v: Any, like: Tensors, single: bool, condition: str) -> Sequence[Any]:
        """The vectors that were given, checked."""
        if v is None:
            msg = f"The vector v can only be None if {condition} a single Tensor with a single element."
            raise CotangentError(msg)
        found, _ = self.tensors(v, "v")
        if len(found) != len(like):
            msg = (
                "The given v should contain a single Tensor."
                if single
                else f"v is a tuple of invalid length: should be {len(like)} but got {len(found)}."
            )
            raise CotangentError(msg)
        for i, (x, y) in enumerate(zip(found, like, strict=True)):
            if x.shape != y.shape:
                entry = "" if single else f"Entry {i} in "
                msg = f"{entry}v has invalid size: should be {y.shape} but got {x.shape}."
                raise CotangentError(msg)
        return [x if self.create_graph else wrap(x._array, None) for x in found]

    # -- passes ------------------------------------------------------------------------------------------------------

    def pull(
        self,
        outputs: Sequence[Any],
        inputs: Sequence[Any],
        cotangents: Sequence[Any],
        create_graph: bool | None = None,
        *,
        keep: bool = False,
    ) -> list[Any]:
        """`pull`, recorded as this call asks for."""
        create_graph = self.create_graph if create_graph is None else create_graph
        return pull(outputs, inputs, cotangents, create_graph=create_graph, keep=keep)

    def push(self, outputs: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        """Tangents of `outputs`: a pass back is linear in its cotangent, and that map's transpose goes forward."""
        probes = [_zeros(y).requires_grad_() if carries(y) and y.level is not None else None for y in outputs]
        there = [w for w in probes if w is not None]
        if not there:
            return [None] * len(outputs)
        back = self.pull([y for y, w in zip(outputs, probes, strict=True) if w is not None], self.inputs, there, True)
        for i, g in enumerate(back):
            if self.strict and g is None:
                self._refuse(f"The output of {FUNCTION} is independent of input {i}. {STRICT}.")
        found = iter(self.pull(back, there, tangents))
        return [None if w is None else next(found) for w in probes]

    def rows(self, i: int, y: Any) -> list[Any]:
        """The derivatives of output number `i` by each input, from one pass for each of its elements."""
        if y.size is None:
            msg = f"{self.name} needs one pass for each element of output {i}, whose number is unknown ({describe(y)})"
            raise GradientError(msg)
        if not _is_real(y):
            msg = (
                f"{self.name} is defined for real outputs but got {describe(y)} for output {i}: what a complex "
                f"function does to a complex direction is not one matrix. Return its real and imaginary parts, or use "
                f"vjp."
            )
            raise NonScalarError(msg)
        found = self._each(lambda g: tuple(self.pull([y], self.inputs, [g], keep=True)), y)
        out = []
        for k, (x, gx) in enumerate(zip(self.inputs, found, strict=True)):
            if self.strict and gx is None and y.size:
                self._refuse(f"Output {i} of {FUNCTION} is independent of input {k}. {STRICT}.")
            if gx is not None:
                self._check_depends(gx, self.name, k)
            out.append(_reshaped(gx, (*y.shape, *x.shape), x))
        return out

    def _each(self, f: Callable[[Any], tuple[Any, ...]], x: Any) -> Sequence[Any]:
        """What a linear function makes of each element of a basis, stacked; None where it gives None."""
        basis = _basis(x)
        if not basis:
            return [None] * len(f(_zeros(x)))
        if self.vectorize:
            return vmap(f)(OPS["stack"].call(basis))  # type: ignore[no-any-return]
        columns = zip(*[f(g) for g in basis], strict=True)
        return [None if column[0] is None else OPS["stack"].call(list(column)) for column in columns]

    def columns(self, func: Callable[..., Any]) -> tuple[list[list[Any]], bool]:
        """The derivatives of each output by each input, from one pass forward for each element of the inputs."""
        primals = [x if self.create_graph else wrap(x._array, None) for x in self.inputs]
        parts: list[Sequence[Any]] = []
        outputs: Tensors = ()
        single = True

        def along(k: int, t: Any) -> Tensors:
            nonlocal outputs, single
            value, tangent = jvp(func, primals, [t if n == k else None for n in range(len(self.inputs))])
            outputs, single = self.tensors(value, f"outputs of {FUNCTION}")
            return (tangent,) if single else tangent

        for k, x in enumerate(self.inputs):
            if not _is_real(x):
                msg = (
                    f"{self.name} in forward mode is defined for real inputs but got {describe(x)} for input {k}. Use "
                    f"the strategy reverse-mode, or agnograd.jvp."
                )
                raise NonScalarError(msg)
            parts.append(self._each(partial(along, k), x))
        table = [
            [
                _reshaped(None if t is None else OPS["moveaxis"].call(t, 0, -1), (*y.shape, *x.shape), y)
                for t, x in zip(column, self.inputs, strict=True)
            ]
            for y, column in zip(outputs, zip(*parts, strict=True), strict=True)
        ]
        return table, single

    # -- results -----------------------------------------------------------------------------------------------------

    def filled(self, found: Sequence[Any], like: Sequence[Any], absent: str, what: str) -> list[Any]:
        """Zeros for None; in strict mode an error."""
        for i, g in enumerate(found):
            if self.strict and g is None:
                self._refuse(f"{absent.format(i=i)}. {STRICT}.")
            self._check_depends(g, what, i)
        return [_zeros(x) if g is None else g for g, x in zip(found, like, strict=True)]

    def value(self) -> Any:
        """What the function returned."""
        return self.result(self.outputs, self.outputs_single)

    def result(self, tensors: Sequence[Any], single: bool) -> Any:
        """Tensors for the user, with a graph only if it was asked for."""
        done = tuple([x if self.create_graph else wrap(settled(x)._array, None) for x in tensors])
        return done[0] if single else done

    def nested(self, table: Sequence[Sequence[Any]], single: bool) -> Any:
        """Results by output and input."""
        done = tuple([self.result(row, self.inputs_single) for row in table])
        return done[0] if single else done

    def _check_depends(self, g: Any, what: str, i: int) -> None:
        if self.strict and self.create_graph and g.level is None:
            self._refuse(f"The {what} of {FUNCTION} is independent of input {i}. {STRICT} when create_graph=True.")

    def _refuse(self, msg: str) -> NoReturn:
        raise GradientError(msg)


def one_element(tensors: Tensors) -> bool:
    """Whether some tensors are a single one of a single element."""
    return len(tensors) == 1 and bool(tensors[0].size == 1)


def _is_real(x: Any) -> bool:
    return not raw_space(x).isdtype(x.dtype, "complex floating")


def _zeros(x: Any) -> Any:
    return wrap(OPS["zeros_like"].call(settled(x)._array), None)


def _basis(x: Any) -> list[Any]:
    """The arrays of the shape of `x` with a one and zeros."""
    xp = x.__array_namespace__()
    where = xp.reshape(xp.arange(x.size, device=x.device), x.shape)
    return [xp.astype(where == k, x.dtype) for k in range(x.size)]


def _reshaped(x: Any, shape: tuple[int, ...], like: Any) -> Any:
    """Derivatives in their shape; zeros for None."""
    xp = like.__array_namespace__()
    return xp.zeros(shape, dtype=like.dtype, device=like.device) if x is None else xp.reshape(x, shape)
