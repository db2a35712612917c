"""Stand-ins, on NumPy and SciPy, for the closed CUDA libraries that CuPy calls."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from . import cublas, cufft, curand, cusolver, thrust
from .stand_in import StandIn


def install_before_cupy() -> None:
    """Put stand-ins for the libraries that CuPy looks up while it is imported."""
    parent = importlib.import_module("cupy_backends.cuda.libs")
    modules = [cublas.module(), cusolver.module(), curand.module()]
    modules.append(StandIn(f"{parent.__name__}.cusparse"))
    for module in modules:
        _put(parent, module)


def install_into_cupy(cupy: ModuleType) -> None:
    """Put stand-ins for the parts of CuPy itself that are linked with a CUDA library."""
    import cupyx

    _put(cupy.cuda, cufft.module(cupy))
    _put(cupyx, cusolver.cupyx_module(cupy))
    # `cupy.random` looks the class up in the module, and keeps what it once found.
    generator = curand.generator_class(cupy)
    importlib.import_module("cupy.random._generator_api").Generator = generator
    cupy.random.Generator = generator
    for name, function in thrust.functions().items():
        setattr(cupy.cuda.thrust, name, function)


def _put(parent: ModuleType, module: ModuleType) -> None:
    sys.modules[module.__name__] = module
    setattr(parent, module.__name__.rpartition(".")[2], module)
