"""How each library records a workload and takes it back: in the way that its own users would write it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from benchmarks.workloads import Workload


class Engine:
    """A library, loaded when an instance is made.

    Attributes
    ----------
    name : str
    label : str
        How tables call it.
    package : str
        What has to be installed.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    package: ClassVar[str]

    @classmethod
    def installed(cls) -> bool:
        """Whether the library can be imported; it is not imported to find out."""
        return importlib.util.find_spec(cls.package) is not None

    def leaves(self, workload: Workload) -> list[Any]:
        """Fresh arrays that need a gradient."""
        return workload.leaves

    def constants(self, workload: Workload) -> list[Any]:
        """The other arguments."""
        return workload.constants

    def record(self, workload: Workload, leaves: Sequence[Any], constants: Sequence[Any]) -> Any:
        """Run the workload, and return what `backward` starts from."""
        raise NotImplementedError

    def backward(self, root: Any, leaves: Sequence[Any]) -> list[Any]:
        """The gradients of the leaves, as arrays of the library."""
        raise NotImplementedError

    def to_numpy(self, x: Any) -> np.ndarray:
        """A gradient as an ndarray."""
        return np.asarray(x)


class Hand(Engine):
    """The gradient written by hand in NumPy: what no engine can beat that makes the same calls."""

    name = "hand"
    label = "NumPy by hand"
    package = "numpy"

    def record(self, workload: Workload, _leaves: Sequence[Any], _constants: Sequence[Any]) -> Any:
        return workload, workload.forward()[1]

    def backward(self, root: Any, _leaves: Sequence[Any]) -> list[Any]:
        workload, saved = root
        return workload.backward(saved)


class Agnograd(Engine):
    """agnograd on NumPy."""

    name = "agnograd"
    label = "agnograd"
    package = "agnograd"

    def __init__(self) -> None:
        import agnograd

        self.xp = agnograd

    def leaves(self, workload: Workload) -> list[Any]:
        return [self.xp.tensor(x, requires_grad=True) for x in workload.leaves]

    def constants(self, workload: Workload) -> list[Any]:
        return [self.xp.asarray(x) if isinstance(x, np.ndarray) else x for x in workload.constants]

    def record(self, workload: Workload, leaves: Sequence[Any], constants: Sequence[Any]) -> Any:
        return workload.function(self.xp, *leaves, *constants)

    def backward(self, root: Any, leaves: Sequence[Any]) -> list[Any]:
        root.backward()
        return [x.grad for x in leaves]


class Hips(Engine):
    """HIPS/autograd."""

    name = "hips"
    label = "HIPS autograd"
    package = "autograd"

    def __init__(self) -> None:
        import autograd
        import autograd.numpy

        self.xp = autograd.numpy
        self.make_vjp = autograd.make_vjp

    def record(self, workload: Workload, leaves: Sequence[Any], constants: Sequence[Any]) -> Any:
        def function(*xs: Any) -> Any:
            return workload.function(self.xp, *xs, *constants)

        argnum = 0 if len(leaves) == 1 else tuple(range(len(leaves)))
        return self.make_vjp(function, argnum)(*leaves)[0]

    def backward(self, root: Any, leaves: Sequence[Any]) -> list[Any]:
        found = root(1.0)
        return [found] if len(leaves) == 1 else list(found)


class Torch(Engine):
    """PyTorch, eager, on the CPU."""

    name = "torch"
    label = "torch eager"
    package = "torch"

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(1)
        self.xp = torch

    def leaves(self, workload: Workload) -> list[Any]:
        return [self.xp.tensor(x, requires_grad=True) for x in workload.leaves]

    def constants(self, workload: Workload) -> list[Any]:
        return [self.xp.from_numpy(x) if isinstance(x, np.ndarray) else x for x in workload.constants]

    def record(self, workload: Workload, leaves: Sequence[Any], constants: Sequence[Any]) -> Any:
        return workload.function(self.xp, *leaves, *constants)

    def backward(self, root: Any, leaves: Sequence[Any]) -> list[Any]:
        root.backward()
        return [x.grad for x in leaves]


ENGINES: dict[str, type[Engine]] = {engine.name: engine for engine in (Hand, Agnograd, Hips, Torch)}


def installed() -> list[str]:
    """Names of the engines that this environment has."""
    return [name for name, engine in ENGINES.items() if engine.installed()]
