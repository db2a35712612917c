"""What every operation of the table must do on every backend.

Run it for a plugin's operations or backend, once they are installed::

    pytest --pyargs agnograd.testing.conformance --agnograd-ops='special.*' --agnograd-backends=numpy,dask

Samples come from the table; what they are tested for is written here once.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

from agnograd import jvp, vjp, vmap
from agnograd.autograd import backward
from agnograd.autograd.hosts import compute, like
from agnograd.core.array import Array, innermost
from agnograd.core.batching import UnknownShape
from agnograd.core.op import Op
from agnograd.core.sample import Uniform
from agnograd.core.table import OPS, Space, forget_bodies, spaces
from agnograd.errors import BatchedValueError
from agnograd.namespaces import namespace
from agnograd.tensors import Tensor
from agnograd.testing.batches import SIZE, batch, derivatives, stacked, without_loops
from agnograd.testing.gradcheck import (
    check_first_order,
    check_kept,
    check_second_order,
    leaves,
    rebuild,
)
from agnograd.testing.matrix import DOUBLE, SINGLE, Row, during_calls, during_rules, over_cases, rows
from agnograd.testing.references import outputs, reference
from agnograd.testing.samples import Arguments, Case, invoke

# -- values ------------------------------------------------------------------------------------------------------------


@over_cases()
def test_value(agnograd_row: Row, agnograd_case: Case, agnograd_precision: str) -> None:
    """Values, shapes and dtypes are NumPy's, results are tensors on the device of the arguments."""
    case, row = agnograd_case, agnograd_row
    made = case.build(row, agnograd_precision)
    arrays = [Tensor(x, None) if hasattr(x, "dtype") else x for x in made.arrays]
    with _passes(row, case):
        out = outputs(case.op, invoke(case.op, _function(row, case.op), arrays, made.params))
        raw = outputs(case.op, invoke(case.op, case.op.call, made.arrays, made.params))
    assert all(type(x) is Tensor and not x.requires_grad for x in out), [type(x) for x in out]
    assert not any(isinstance(x, Array) for x in raw), [type(x) for x in raw]
    expected = reference(case, made)
    _assert_close(out, expected, agnograd_precision)
    _assert_close(raw, expected, agnograd_precision)
    if not case.op.changes_backend:
        device = next(str(row.space.device(x)) for x in made.arrays if hasattr(x, "dtype"))
        assert [str(x.device) for x in out] == [device] * len(out)


@over_cases(lambda case: case.op.tier == "none")
def test_no_gradient(agnograd_row: Row, agnograd_case: Case, agnograd_precision: str) -> None:
    """Where nothing carries a gradient, wrappers of every kind give the plain result, and it requires none."""
    case, row = agnograd_case, agnograd_row
    made = case.build(row, agnograd_precision)
    floats = [i for i, x in enumerate(made.host) if hasattr(x, "dtype") and x.dtype.kind in "fc"]
    seen: list[Any] = []

    def f(*primals: Any) -> Any:
        out = made.function(only=floats)(*primals)
        seen.append(out)
        return primals

    primals = tuple(made.arrays[i] for i in floats)
    with _passes(row, case):
        if floats:
            f(*[Tensor(x, None).requires_grad_() for x in primals])
            vjp(f, *primals)
            jvp(f, primals, primals)
            jvp(lambda *x: vjp(f, *x)[0], primals, primals)
            vjp(lambda *x: jvp(f, x, x)[0], *primals)
        else:
            f()
    expected = reference(case, made)
    for out in seen:
        assert not isinstance(out, Tensor) or not out.requires_grad or case.op.reconnect is not None
        _assert_close(leaves(out), expected, agnograd_precision)


# -- derivatives -------------------------------------------------------------------------------------------------------


def _smooth(case: Case) -> bool:
    return case.op.tier != "none" and not case.is_edge


@over_cases(_smooth, precisions=(DOUBLE,))
def test_first_order(agnograd_row: Row, agnograd_case: Case, agnograd_precision: str) -> None:
    """VJP against differences, JVP against VJP; shape, dtype and device of a gradient are its argument's."""
    case, row = agnograd_case, agnograd_row
    made = case.build(row, agnograd_precision)
    check_first_order(
        made.function(_function(row, case.op)),
        made.primals,
        passes=lambda: _passes(row, case),
        rules=lambda: _rules(row, case),
    )


@over_cases(_smooth, precisions=(DOUBLE,), slow_on=("dask",))
def test_second_order(agnograd_row: Row, agnograd_case: Case, agnograd_precision: str) -> None:
    """The four pairs of modes against differences and one another."""
    case, row = agnograd_case, agnograd_row
    made = case.build(row, agnograd_precision)
    check_second_order(made.function(_function(row, case.op)), made.primals, passes=lambda: _passes(row, case))


@over_cases(_smooth, precisions=(SINGLE,))
def test_single_precision(agnograd_row: Row, agnograd_case: Case, agnograd_precision: str) -> None:
    """float32 stays float32 in both modes, and the derivatives are those of double precision on NumPy."""
    case, row = agnograd_case, agnograd_row
    made = case.build(row, agnograd_precision)
    results = _derivatives(row, case, made)
    value, gradients, tangents = results
    check_kept(gradients, made.primals)
    check_kept(tangents, value)
    host = rows(["numpy"])[0]
    double = case.build(host, DOUBLE)
    expected = _derivatives(host, case, double)
    for got, wanted in zip(compute(results)[1:], compute(expected)[1:], strict=True):
        for a, b in zip(got, wanted, strict=True):
            assert a.shape == b.shape
            difference = abs(a - b).max() if a.size else 0.0
            assert difference <= 1e-5 * (1 + (abs(b).max() if b.size else 0)), (a, b)


def _derivatives(row: Row, case: Case, made: Arguments) -> tuple[list[Any], list[Any], list[Any]]:
    """Values, gradients and tangents for weights that count up."""
    import numpy as np

    def weights(x: Any) -> Any:
        size = int(np.prod(x.shape))
        return like(innermost(x), (np.arange(size) % 3 - 0.5).reshape(tuple(x.shape)))

    f = made.function()
    primals = tuple(made.primals)
    with _passes(row, case):
        value, pullback = vjp(f, *primals)
    cotangent = rebuild(value, [weights(y) for y in leaves(value)])
    with _passes(row, case), _rules(row, case):
        gradients = list(pullback(cotangent))
        _, tangent = jvp(f, primals, tuple(weights(x) for x in primals))
    return leaves(value), gradients, leaves(tangent)


@over_cases(lambda case: case.is_edge)
def test_edge(agnograd_row: Row, agnograd_case: Case, agnograd_precision: str) -> None:
    """At values where the derivative is a convention it is what the table says, in both modes."""
    case, row = agnograd_case, agnograd_row
    made = case.build(row, agnograd_precision)
    given = case.sample.gradient
    assert given is not None
    wanted = [given[i] for i in made.positions]
    f = made.function()
    primals = tuple(made.primals)
    with _passes(row, case):
        value, pullback = vjp(f, *primals)
        with _rules(row, case):
            gradients = pullback(row.space.ones_like(value))
            tangents = [
                jvp(f, primals, tuple(_ramp(x) if i == k else row.space.zeros_like(x) for i, x in enumerate(primals)))[
                    1
                ]
                for k in range(len(primals))
            ]
    check_kept(gradients, primals)
    gradients, tangents, ramps = compute((list(gradients), tangents, [_ramp(x) for x in primals]))
    _assert_close(gradients, wanted, agnograd_precision, dtypes=False)
    for tangent, ramp, expected in zip(tangents, ramps, wanted, strict=True):
        _assert_close([tangent.sum().real], [(ramp.conj() * expected).sum().real], agnograd_precision, dtypes=False)


def _ramp(x: Any) -> Any:
    """1, 2, 3 ... in the shape of `x`: each element tells in a sum."""
    import numpy as np

    return like(x, np.arange(1.0, 1 + int(np.prod(x.shape))).reshape(tuple(x.shape)))


@over_cases(lambda case: bool(case.op.differentiable), precisions=(DOUBLE,), slow_on=("dask",))
def test_backward(agnograd_row: Row, agnograd_case: Case, agnograd_precision: str) -> None:
    """Tensors that require grad get the gradients of `vjp`, all together and each alone."""
    case, row = agnograd_case, agnograd_row
    made = case.build(row, agnograd_precision)
    f = made.function(_function(row, case.op))
    primals = made.primals
    value, pullback = vjp(f, *primals)
    ones = [row.space.ones_like(y) if not case.op.changes_backend else y * 0 + 1 for y in leaves(value)]
    expected = list(pullback(rebuild(value, ones)))

    everything = tuple(range(len(primals)))

    def pass_back(chosen: tuple[int, ...]) -> list[Any]:
        tensors = [Tensor(x, None).requires_grad_(i in chosen) for i, x in enumerate(primals)]
        with _passes(row, case):
            out = leaves(f(*tensors))
            roots = [(y, Tensor(g, None)) for y, g in zip(out, ones, strict=True) if y.requires_grad]
            assert len(roots) == len(out) or chosen != everything
            with _rules(row, case):
                backward([y for y, _ in roots], [g for _, g in roots])
        assert all(x.grad is None for i, x in enumerate(tensors) if i not in chosen)
        return [tensors[i].grad for i in chosen]

    together = pass_back(everything)
    check_kept(together, primals)
    alone = [pass_back((i,))[0] for i in everything] if len(everything) > 1 else []
    expected, together, alone = compute((expected, together, alone))
    _assert_close(together, expected, agnograd_precision)
    if alone:
        _assert_close(alone, expected, agnograd_precision)


# -- batches -----------------------------------------------------------------------------------------------------------


def _in_a_batch(case: Case) -> bool:
    return any(isinstance(x, (Uniform, list)) for x in case.sample.arrays)


@over_cases(_in_a_batch, precisions=(DOUBLE,), slow_on=("dask", "strict"))
def test_batched(agnograd_row: Row, agnograd_case: Case, agnograd_precision: str) -> None:
    """Under `vmap`, an operation gives what a loop gives, whichever arguments are batched, without one."""
    case, row = agnograd_case, agnograd_row
    op = case.op
    made = batch(case, row, agnograd_precision)

    def f(*arrays: Any, params: Any = made.first.params) -> list[Any]:
        return outputs(op, invoke(op, op.call, arrays, params))

    for chosen in made.choices():
        for axis in (0, -1):
            mapped = vmap(f, tuple(made.axes(chosen, axis)), axis)
            with without_loops(), _passes(row, case), _rules(row, case):
                if _refuses(op, chosen):
                    with _refused(op):
                        mapped(*made.arguments(chosen, axis))
                    continue
                out = mapped(*made.arguments(chosen, axis))
            expected = stacked([f(*made.member(k, chosen), params=made.host.params) for k in range(SIZE)], axis)
            assert not any(isinstance(x, Array) for x in out), [type(x) for x in out]
            assert [x.shape for x in out] == [x.shape for x in expected]
            _assert_close(out, expected, agnograd_precision)
            if axis == 0:
                with without_loops(), _passes(row, case):
                    out = mapped(*made.nobody(chosen))
                assert [x.shape for x in out] == [(0, *x.shape[1:]) for x in expected]


@contextlib.contextmanager
def _refused(op: Op) -> Iterator[None]:
    """Fail unless the operation is refused by name; pytest's `raises` would make users install it to check a GPU."""
    said = ""
    try:
        yield
    except BatchedValueError as error:
        said = str(error)
    assert op.name in said, said or "no BatchedValueError said that the shape differs from member to member"


def _refuses(op: Op, chosen: tuple[int, ...]) -> bool:
    """Whether the shape of a result depends on values that differ from member to member."""
    return isinstance(op.batch, UnknownShape) and any(i in op.batch.arguments for i in chosen)


@over_cases(lambda case: bool(case.op.differentiable), precisions=(DOUBLE,), slow_on=("dask", "strict"))
def test_batched_derivatives(agnograd_row: Row, agnograd_case: Case, agnograd_precision: str) -> None:
    """Derivatives in both modes under `vmap`, of `vmap`, and of one member for many cotangents are those of a loop."""
    case, row = agnograd_case, agnograd_row
    made = batch(case, row, agnograd_precision)
    first = made.first
    chosen = tuple(i for i in made.positions if not _refuses(case.op, (i,)))
    arguments, axes = made.arguments(chosen), made.axes(chosen)
    primals = [arguments[i] for i in first.positions]
    value, of_sample = vjp(made.host.function(), *made.host.primals)
    cotangents = [rebuild(value, [_weights(x, k) for x in leaves(value)]) for k in range(SIZE)]
    tangents = [[_weights(x, k) for x in made.host.primals] for k in range(SIZE)]
    looped = [
        derivatives(made.host.of(made.member(k, chosen)), g, t)
        for k, (g, t) in enumerate(zip(cotangents, tangents, strict=True))
    ]
    with _passes(row, case):
        value, of_many = vjp(first.function(), *first.primals)
    g = rebuild(value, list(map(_beside(row, case), leaves(stacked(cotangents)))))
    t = tuple(map(row.asarray, stacked(tangents)))

    def mapped(*p: Any) -> Any:
        inner = iter(p)
        full = [next(inner) if i in first.positions else x for i, x in enumerate(arguments)]
        return vmap(lambda arrays: first.of(arrays).function()(*first.of(arrays).primals), (axes,))(full)

    with without_loops(), _passes(row, case):
        of_batch = vjp(mapped, *primals)[1]
        with _rules(row, case):
            each = vmap(lambda arrays, g, t: derivatives(first.of(arrays), g, t), (axes, 0, 0))(arguments, g, t)
            many = vmap(of_many)(g)
            whole = of_batch(g)
            forward = jvp(mapped, tuple(primals), t)[1]
    gradients, along = stacked(looped)
    expected = leaves((gradients, along, gradients, along, stacked([of_sample(x) for x in cotangents])))
    _assert_close(leaves((*each, whole, forward, many)), expected, agnograd_precision)


def _weights(x: Any, k: int) -> Any:
    """Values that count up, others for each member."""
    import numpy as np

    size = int(np.prod(x.shape))
    return like(innermost(x), (np.arange(size) % 3 - 0.5 + k).reshape(tuple(x.shape)))


def _beside(row: Row, case: Case) -> Callable[[Any], Any]:
    """What makes an array of the row, or of the backend that results go over to."""
    return (lambda host: host) if case.op.changes_backend else row.asarray


@over_cases(
    lambda case: _in_a_batch(case) and not _refuses(case.op, (0,)),
    precisions=(DOUBLE,),
    slow_on=("numpy", "dask", "strict"),
)
def test_batched_twice(agnograd_row: Row, agnograd_case: Case, agnograd_precision: str) -> None:
    """`vmap` in `vmap`: both axes in every argument, and the inner one in the last, the outer one in those before."""
    case, row = agnograd_case, agnograd_row
    made = batch(case, row, agnograd_precision)
    chosen = tuple(i for i in made.positions if not _refuses(case.op, (i,)))
    *rest, last = chosen

    def f(arrays: Any, sample: Arguments = made.first) -> Any:
        return sample.of(arrays).function(only=())()

    def nested(inner: Sequence[int], outer: Sequence[int], arguments: list[Any]) -> list[Any]:
        return leaves(vmap(vmap(f, (made.axes(inner),)), (made.axes(outer),))(arguments))

    with without_loops(), _passes(row, case), _rules(row, case):
        out = nested(chosen, chosen, made.arguments(chosen, shifts=range(SIZE)))
        out += nested([last], rest, made.arguments(chosen)) if rest else []
    members = [f(made.member(k, chosen), made.host) for k in range(SIZE)]
    expected = leaves(stacked([stacked([members[k - shift] for k in range(SIZE)]) for shift in range(SIZE)]))
    if rest:
        table = [[f(made.member(i, rest, j, [last]), made.host) for j in range(SIZE)] for i in range(SIZE)]
        expected += leaves(stacked(list(map(stacked, table))))
    _assert_close(out, expected, agnograd_precision)


# -- rules -------------------------------------------------------------------------------------------------------------

# What rules may ask of the namespace beside the standard's names and the table's operations.
_ENGINE = {"add_into", "copy", "device", "floats", "fft", "linalg", "reals", "set"}
# Bodies of these reach through to the backend: that is what they are for.
_REACH_THROUGH = {"to_backend": {"backend"}, "to_device": {"backend"}}
# Each of these makes a GPU wait or a lazy array compute on some backend.
_FORBIDDEN = {"clip", "nonzero", "repeat", "sign", "unique_all", "unique_counts", "unique_inverse", "unique_values"}


@over_cases(lambda case: not case.op.changes_backend, precisions=(DOUBLE,), backends=("numpy",))
def test_names(agnograd_row: Row, agnograd_case: Case, agnograd_precision: str) -> None:
    """Rules and bodies use names of the standard and of the table only, and none that synchronises."""
    import array_api_strict

    case, row = agnograd_case, agnograd_row
    made = case.build(row, agnograd_precision)
    primals = tuple(made.primals)
    with _spying() as names:
        if primals:
            value, pullback = vjp(made.function(), *primals)
            pullback(rebuild(value, [row.space.ones_like(y) for y in leaves(value)]))
            jvp(made.function(), primals, tuple(row.space.ones_like(x) for x in primals))
        else:
            made.function()()
    own = {part for name in OPS for part in name.split(".")}
    allowed = {*dir(array_api_strict), *own, *_ENGINE, *_REACH_THROUGH.get(case.op.name, ())}
    assert names <= allowed, f"not in the standard: {sorted(names - allowed)}"
    assert not names & _FORBIDDEN, f"synchronises: {sorted(names & _FORBIDDEN)}"


# Who asks: rules of the package, what they call, and plugins; not the engine, nor Python.
_RULES = ("agnograd.core.op", "agnograd.core.formulas")
_NO_RULES = ("agnograd", "array_api_compat", "contextlib", "functools")


class _Spy(Space):
    """NumPy's namespace, where the table's own operations run in standard names; remembers what rules ask it for."""

    names: ClassVar[set[str]] = set()

    def __getattribute__(self, name: str) -> Any:
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if caller.startswith("agnograd.ops.") or caller in _RULES or caller.partition(".")[0] not in _NO_RULES:
            _Spy.names.add(name)
        return super().__getattribute__(name)


def _has_no_body(space: Space, name: str) -> bool:
    """Whether a kernel is all that there is: for a function of the module, or one that its library alone computes."""
    op = OPS.get(name)
    return hasattr(space.module, name) or (op is not None and op.body is None and "." in name)


@contextlib.contextmanager
def _spying() -> Iterator[set[str]]:
    real = spaces.named("numpy")
    spy = _Spy(
        real.name,
        real.module,
        kernels={name: kernel for name, kernel in real.kernels.items() if _has_no_body(real, name)},
        device=real.device,
        copy=real.copy,
        is_scalar=real.is_scalar,
        backend=real.backend,
    )
    replaced = {type_: space for type_, space in spaces.items() if space is real}
    _Spy.names = set()
    spaces.update(dict.fromkeys(replaced, spy))
    forget_bodies()
    try:
        yield _Spy.names
    finally:
        spaces.update(replaced)
        forget_bodies()


# -- helpers -----------------------------------------------------------------------------------------------------------


def _passes(row: Row, case: Case) -> contextlib.AbstractContextManager[Any]:
    # Going over to another library is the one operation that has to compute and to wait.
    return contextlib.nullcontext() if case.op.changes_backend else during_calls(row.backend)


def _rules(row: Row, case: Case) -> contextlib.AbstractContextManager[Any]:
    return contextlib.nullcontext() if case.op.changes_backend else during_rules(row.backend)


def _function(row: Row, op: Op) -> Callable[..., Any]:
    """The operation as the backend's namespace has it."""
    found: Any = namespace(row.backend)
    for part in op.name.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


def _assert_close(got: list[Any], expected: list[Any], precision: str, *, dtypes: bool = True) -> None:
    import numpy as np

    tolerance = 1e-12 if precision == DOUBLE else 1e-5
    values = compute(got)
    assert len(values) == len(expected)
    for a, b in zip(values, expected, strict=True):
        b = np.asarray(b)
        assert a.shape == b.shape
        if dtypes:
            assert a.dtype == b.dtype
        single = a.dtype in ("float32", "complex64") or b.dtype in ("float32", "complex64")
        np.testing.assert_allclose(a, b, rtol=1e-5 if single else tolerance, atol=1e-5 if single else tolerance)
