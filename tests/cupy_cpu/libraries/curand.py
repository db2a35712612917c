"""cuRAND: the generators behind ``cupy.random``'s functions, with NumPy's numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from .memory import vector
from .stand_in import StandIn, answer

CONSTANTS = {
    "CURAND_RNG_PSEUDO_DEFAULT": 100,
    "CURAND_RNG_PSEUDO_XORWOW": 101,
    "CURAND_RNG_PSEUDO_MRG32K3A": 121,
    "CURAND_RNG_PSEUDO_MTGP32": 141,
    "CURAND_RNG_PSEUDO_MT19937": 142,
    "CURAND_RNG_PSEUDO_PHILOX4_32_10": 161,
}

_handles = itertools.count(1)
_generators: dict[int, np.random.Generator] = {}


def create_generator(method: int) -> int:
    """Return a handle."""
    handle = next(_handles)
    _generators[handle] = np.random.default_rng(0)
    return handle


def destroy_generator(handle: int) -> None:
    """Forget a generator."""
    _generators.pop(handle, None)


def seed(handle: int, value: int) -> None:
    """Start the sequence of a seed."""
    _generators[handle] = np.random.default_rng(value)


def bits(handle: int, address: int, count: int) -> None:
    """Fill with 32 random bits each."""
    dtype = np.dtype(np.uint32)
    vector(address, count, dtype)[...] = _generators[handle].integers(
        1 << 32, size=count, dtype=dtype
    )


def uniform(dtype: type) -> Callable[..., None]:
    """Fill from (0, 1]."""

    def fill(handle: int, address: int, count: int) -> None:
        numbers = _generators[handle].random(count, dtype)
        vector(address, count, np.dtype(dtype))[...] = 1 - numbers

    return fill


def normal(dtype: type) -> Callable[..., None]:
    """Fill from a normal distribution."""

    def fill(handle: int, address: int, count: int, mean: float, deviation: float) -> None:
        numbers = _generators[handle].standard_normal(count, dtype)
        vector(address, count, np.dtype(dtype))[...] = mean + deviation * numbers

    return fill


def module() -> StandIn:
    """Return the stand-in for ``cupy_backends.cuda.libs.curand``."""
    functions: dict[str, Callable[..., Any]] = {
        "generate": bits,
        "generateUniform": uniform(np.float32),
        "generateUniformDouble": uniform(np.float64),
        "generateNormal": normal(np.float32),
        "generateNormalDouble": normal(np.float64),
    }
    housekeeping = {
        "createGenerator": create_generator,
        "destroyGenerator": destroy_generator,
        "setPseudoRandomGeneratorSeed": seed,
        "setGeneratorOffset": answer(None),
    }
    return StandIn("cupy_backends.cuda.libs.curand", CONSTANTS, functions, housekeeping)
