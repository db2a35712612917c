"""Whether a case gives on tensors what it gives on NumPy's arrays, and the derivative that finite differences have."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

import agnograd as ag
from agnograd.core import conversions
from agnograd.errors import GradientLostWarning

if TYPE_CHECKING:
    from clients.case import Case

DIRECTIONS = 4
STEP = 1e-4
FIELDS = ("statistic", "pvalue")  # of results that are neither dataclasses nor dictionaries


class RefusedError(Exception):
    """The call tells that it cannot differentiate: it raises, warns that a tensor becomes a number, or gives NaN."""


def check(case: Case, backend: str = "numpy") -> bool:
    """Compare values and derivatives, reverse and forward; False where the derivative is zero and there is no graph.

    Raises
    ------
    RefusedError
        If the call raises, warns that it loses a gradient, or gives one that is NaN.
    AssertionError
        If a value or a derivative is wrong, or missing though finite differences are not zero.
    """
    plain = [np.array(x) if i in case.wrt else x for i, x in enumerate(case.args)]
    with quiet():
        expected = [np.asarray(x) for x in leaves(case.call(*plain, **case.options))]
    assert any(np.any(np.isfinite(x)) for x in expected), "the case has no output to differentiate"
    weights = [_weights(x, seed) for seed, x in enumerate(expected)]

    xp = ag.namespace(backend)
    with quiet() as caught:
        wrapped = [xp.asarray(x) if isinstance(x, np.ndarray) else x for x in plain]
        options = {k: xp.asarray(v) if isinstance(v, np.ndarray) else v for k, v in case.options.items()}
        inputs = [wrapped[i].requires_grad_() for i in case.wrt]
        conversions._warned_sites.clear()
        try:
            with ag.zero_safe() if case.zero_safe else contextlib.nullcontext():
                found = list(leaves(case.call(*wrapped, **options)))
                _compare_values(found, expected, case.tolerance)
                gradients = _gradients(found, weights, inputs)
        except AssertionError:
            raise
        except Exception as error:
            raise RefusedError(f"{type(error).__name__}: {error}") from error
    lost = [str(w.message) for w in caught if issubclass(w.category, GradientLostWarning)]

    connected = gradients is not None
    slopes = list(_slopes(case, plain, weights))
    for slope, directions in slopes:
        got = sum(_dot(g, d) for g, d in zip(gradients, directions, strict=True)) if connected else 0.0
        scale = max(1.0, abs(slope), *(float(np.sqrt(_dot(g, g))) for g in gradients or ()))
        if abs(got - slope) <= case.tolerance * scale:
            continue
        if lost:
            raise RefusedError(f"GradientLostWarning: {lost[0]}")
        if not np.isfinite(got):
            raise RefusedError(f"NotFinite: the derivative of {case.name} is {got!r}")
        what = f"{got!r} instead of {slope!r}" if connected else f"lost in silence, finite differences give {slope!r}"
        raise AssertionError(f"derivative of {case.name}: {what}")
    slope, directions = slopes[0]
    tangent = _forward(xp, case, plain, weights, directions)
    assert abs(tangent - slope) <= case.tolerance * scale, f"tangent of {case.name}: {tangent!r} instead of {slope!r}"
    return connected


def check_second(case: Case) -> None:
    """Compare second derivatives, forward mode over reverse mode, with differences of the gradient.

    Raises
    ------
    AssertionError
        If they differ.
    """
    plain = [np.array(x) if i in case.wrt else x for i, x in enumerate(case.args)]
    with quiet():
        weights = [_weights(np.asarray(x), seed) for seed, x in enumerate(leaves(case.call(*plain, **case.options)))]
    call = _of_primals(ag.namespace("numpy"), case, plain)

    def gradient(*primals: Any) -> Any:
        return ag.vjp(call, *primals)[1](weights)

    primals = [plain[i] for i in case.wrt]
    rng = np.random.default_rng(1)
    directions = [_direction(rng, x) for x in primals]
    with quiet(), ag.zero_safe() if case.zero_safe else contextlib.nullcontext():
        _, found = ag.jvp(gradient, tuple(primals), tuple(directions))
        ahead, behind = [
            gradient(*[x + step * d for x, d in zip(primals, directions, strict=True)]) for step in (STEP, -STEP)
        ]
    for t, y1, y2 in zip(found, ahead, behind, strict=True):
        expected = (y1 - y2) / (2 * STEP)
        scale = max(1.0, float(np.max(np.abs(expected))))
        np.testing.assert_allclose(t, expected, rtol=0, atol=1e-4 * scale)


def leaves(result: Any) -> Iterator[Any]:
    """The floating-point arrays and numbers of a result."""
    if isinstance(result, (float, complex)) or (hasattr(result, "dtype") and hasattr(result, "shape")):
        if not hasattr(result, "dtype") or "float" in str(result.dtype) or "complex" in str(result.dtype):
            yield result
    elif isinstance(result, Mapping):
        for value in result.values():
            yield from leaves(value)
    elif isinstance(result, (tuple, list)):
        for value in result:
            yield from leaves(value)
    elif dataclasses.is_dataclass(result):
        for entry in dataclasses.fields(result):
            yield from leaves(getattr(result, entry.name))
    elif hasattr(result, FIELDS[0]):
        for name in FIELDS:
            yield from leaves(getattr(result, name))


def quiet() -> Any:
    """NumPy's warnings are the function's own business; those of agnograd are recorded."""
    return _Quiet(record=True)


class _Quiet(warnings.catch_warnings):
    def __enter__(self) -> Any:
        caught = super().__enter__()
        warnings.simplefilter("always")
        self.errors = np.errstate(all="ignore")
        self.errors.__enter__()
        return caught

    def __exit__(self, *details: Any) -> None:
        self.errors.__exit__(*details)
        super().__exit__(*details)


def _weights(x: Any, seed: int) -> Any:
    draw = np.random.default_rng(seed).uniform
    weights = draw(0.5, 1.5, size=x.shape)
    if np.iscomplexobj(x):
        weights = weights + 1j * draw(0.5, 1.5, size=x.shape)
    return np.where(np.isfinite(x), weights, 0)


def _dot(x: Any, y: Any) -> float:
    return float(np.sum(np.real(np.conj(x) * y)))


def _loss(outputs: list[Any], weights: list[Any]) -> float:
    return sum(_dot(w, np.where(w == 0, 0, x)) for w, x in zip(weights, outputs, strict=True))


def _gradients(outputs: list[Any], weights: list[Any], inputs: list[Any]) -> list[Any] | None:
    """Cotangents of the inputs as NumPy arrays; None where no output has a graph."""
    joined = [(x, w) for x, w in zip(outputs, weights, strict=True) if isinstance(x, ag.Tensor) and x.requires_grad]
    if not joined:
        return None
    roots = [x for x, _ in joined]
    seeds = [x.__array_namespace__().asarray(w, dtype=x.dtype) for x, w in joined]
    found = ag.autograd.grad(roots, inputs, seeds, allow_unused=True)
    return [np.zeros(x.shape) if g is None else _host(g) for g, x in zip(found, inputs, strict=True)]


def _host(x: Any) -> Any:
    """Values as NumPy's array."""
    x = x.detach() if isinstance(x, ag.Tensor) else x
    return np.asarray(ag.to_backend(x, "numpy") if hasattr(x, "dtype") else x)


def _forward(xp: Any, case: Case, plain: list[Any], weights: list[Any], directions: list[Any]) -> float:
    """The derivative in a direction by forward mode."""
    with quiet(), ag.zero_safe() if case.zero_safe else contextlib.nullcontext():
        primals, tangents = [[xp.asarray(x).array for x in xs] for xs in ([plain[i] for i in case.wrt], directions)]
        _, found = ag.jvp(_of_primals(xp, case, plain), tuple(primals), tuple(tangents))
    return _loss([_host(t) for t in found], weights)


def _of_primals(xp: Any, case: Case, plain: list[Any]) -> Callable[..., list[Any]]:
    """The case as a function of what is differentiated."""

    def call(*primals: Any) -> list[Any]:
        args = [xp.asarray(x) if isinstance(x, np.ndarray) else x for x in plain]
        for i, x in zip(case.wrt, primals, strict=True):
            args[i] = x
        options = {k: xp.asarray(v) if isinstance(v, np.ndarray) else v for k, v in case.options.items()}
        return [xp.asarray(x) for x in leaves(case.call(*args, **options))]

    return call


def _compare_values(found: list[Any], expected: list[Any], tolerance: float) -> None:
    assert len(found) == len(expected), f"{len(found)} outputs instead of {len(expected)}"
    for x, y in zip(found, expected, strict=True):
        x = _host(x)
        assert x.shape == y.shape, f"shape {x.shape} instead of {y.shape}"
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def _slopes(case: Case, plain: list[Any], weights: list[Any]) -> Iterator[tuple[float, list[Any]]]:
    """Directional derivatives by central differences of fourth order, each with its directions."""
    rng = np.random.default_rng(1)

    def loss(step: float, directions: list[Any]) -> float:
        moved = list(plain)
        for i, d in zip(case.wrt, directions, strict=True):
            moved[i] = plain[i] + step * d
        with quiet():
            return _loss([np.asarray(x) for x in leaves(case.call(*moved, **case.options))], weights)

    for _ in range(DIRECTIONS):
        directions = [_direction(rng, plain[i]) for i in case.wrt]
        near = loss(STEP, directions) - loss(-STEP, directions)
        far = loss(2 * STEP, directions) - loss(-2 * STEP, directions)
        yield (8 * near - far) / (12 * STEP), directions


def _direction(rng: Any, x: Any) -> Any:
    d = rng.normal(size=x.shape)
    if np.iscomplexobj(x):
        d = d + 1j * rng.normal(size=x.shape)
    return d * np.where(x == 0, 1, np.minimum(1, np.nan_to_num(np.abs(x))))
