"""cuRAND: what is behind ``cupy.random``'s functions and generators, with NumPy's numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from ..counts import record_library_call
from .memory import host_view, on_device, vector
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


def log_normal(dtype: type) -> Callable[..., None]:
    """Fill with the exponential of a normal distribution."""
    fill_normal = normal(dtype)

    def fill(handle: int, address: int, count: int, mean: float, deviation: float) -> None:
        fill_normal(handle, address, count, mean, deviation)
        numbers = vector(address, count, np.dtype(dtype))
        np.exp(numbers, out=numbers)

    return fill


def generator_class(cupy: ModuleType) -> type:
    """Return what replaces ``cupy.random.Generator``, whose kernels are compiled for a GPU only."""

    class Generator:
        """Draws as NumPy's generator of the same seed does, into device memory."""

        def __init__(self, bit_generator: Any) -> None:
            self.bit_generator = bit_generator
            self._numpy = np.random.default_rng(bit_generator._seed_seq)

        def __getattr__(self, name: str) -> Callable[..., Any]:
            method = getattr(self._numpy, name)

            def draw(*arguments: Any, **keywords: Any) -> Any:
                record_library_call(f"curand.{name}")
                numbers = method(
                    *map(_host, arguments), **{key: _host(value) for key, value in keywords.items()}
                )
                return on_device(cupy, np.asarray(numbers))

            return draw

    def _host(value: Any) -> Any:
        return host_view(value) if isinstance(value, cupy.ndarray) else value

    return Generator


def module() -> StandIn:
    """Return the stand-in for ``cupy_backends.cuda.libs.curand``."""
    functions: dict[str, Callable[..., Any]] = {
        "generate": bits,
        "generateUniform": uniform(np.float32),
        "generateUniformDouble": uniform(np.float64),
        "generateNormal": normal(np.float32),
        "generateNormalDouble": normal(np.float64),
        "generateLogNormal": log_normal(np.float32),
        "generateLogNormalDouble": log_normal(np.float64),
    }
    housekeeping = {
        "createGenerator": create_generator,
        "destroyGenerator": destroy_generator,
        "setPseudoRandomGeneratorSeed": seed,
        "setGeneratorOffset": answer(None),
    }
    return StandIn("cupy_backends.cuda.libs.curand", CONSTANTS, functions, housekeeping)
