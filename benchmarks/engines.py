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
    transforms : frozenset of str
        The transformations of functions that it has.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    package: ClassVar[str]
    transforms: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def installed(cls) -> bool:
        """Whether the library can be imported; it is not imported to find out."""
        spec = importlib.util.find_spec(cls.package)
        # A folder of the same name, tests/autograd for one, is a package without an origin.
        return spec is not None and spec.origin is not None

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

    def transformed(self, workload: Workload, constants: Sequence[Any]) -> list[Any]:
        """What the transformation gives that the workload asks for."""
        transform = getattr(self, f"_{workload.transform}")
        found = transform(workload, self.points(workload), constants)
        return list(found) if isinstance(found, (tuple, list)) else [found]

    def points(self, workload: Workload) -> list[Any]:
        """The arrays at which a function is transformed."""
        return workload.leaves

    def to_numpy(self, x: Any) -> np.ndarray:
        """A gradient as an ndarray."""
        return np.asarray(x)


_EVERYTHING = frozenset(("jacfwd", "jacrev", "hessian", "grad", "samples", "jvp"))


class Hand(Engine):
    """The gradient written by hand in NumPy: what no engine can beat that makes the same calls."""

    name = "hand"
    label = "NumPy by hand"
    package = "numpy"
    transforms = _EVERYTHING

    def record(self, workload: Workload, _leaves: Sequence[Any], _constants: Sequence[Any]) -> Any:
        return workload, workload.forward()[1]

    def backward(self, root: Any, _leaves: Sequence[Any]) -> list[Any]:
        workload, saved = root
        return workload.backward(saved)

    def transformed(self, workload: Workload, _constants: Sequence[Any]) -> list[Any]:
        return workload.derivative()


class Agnograd(Engine):
    """agnograd on NumPy."""

    name = "agnograd"
    label = "agnograd"
    package = "agnograd"
    transforms = _EVERYTHING

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

    def _jacfwd(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        return self.xp.jacfwd(lambda x: workload.function(self.xp, x, *constants))(*points)

    def _jacrev(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        return self.xp.jacrev(lambda x: workload.function(self.xp, x, *constants))(*points)

    def _hessian(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        return self.xp.hessian(lambda x: workload.function(self.xp, x, *constants))(*points)

    def _grad(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        return self.xp.grad(lambda xs, *rest: workload.function(self.xp, *xs, *rest))(points, *constants)

    def _samples(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        gradient = self.xp.grad(lambda xs, *rest: workload.function(self.xp, *xs, *rest))
        return self.xp.vmap(gradient, in_axes=(None, 0, 0))(points, *constants)

    def _jvp(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        ones = [np.ones_like(x) for x in points]
        return self.xp.jvp(lambda x: workload.function(self.xp, x, *constants), points, ones)[1]


class Hips(Engine):
    """HIPS/autograd."""

    name = "hips"
    label = "HIPS autograd"
    package = "autograd"
    transforms = frozenset(("jacfwd", "jacrev", "hessian", "grad"))

    def __init__(self) -> None:
        import autograd
        import autograd.numpy

        self.autograd = autograd
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

    def _jacfwd(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        # It has one Jacobian, by reverse mode.
        return self._jacrev(workload, points, constants)

    def _jacrev(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        return self.autograd.jacobian(lambda x: workload.function(self.xp, x, *constants))(*points)

    def _hessian(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        return self.autograd.hessian(lambda x: workload.function(self.xp, x, *constants))(*points)

    def _grad(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        return self.autograd.grad(lambda xs, *rest: workload.function(self.xp, *xs, *rest))(points, *constants)


class Torch(Engine):
    """PyTorch, eager, on the CPU."""

    name = "torch"
    label = "torch eager"
    package = "torch"
    transforms = _EVERYTHING

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

    def points(self, workload: Workload) -> list[Any]:
        return [self.xp.from_numpy(x) for x in workload.leaves]

    def _jacfwd(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        return self.xp.func.jacfwd(lambda x: workload.function(self.xp, x, *constants))(*points)

    def _jacrev(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        return self.xp.func.jacrev(lambda x: workload.function(self.xp, x, *constants))(*points)

    def _hessian(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        return self.xp.func.hessian(lambda x: workload.function(self.xp, x, *constants))(*points)

    def _grad(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        return self.xp.func.grad(lambda xs, *rest: workload.function(self.xp, *xs, *rest))(points, *constants)

    def _samples(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        gradient = self.xp.func.grad(lambda xs, *rest: workload.function(self.xp, *xs, *rest))
        return self.xp.vmap(gradient, in_dims=(None, 0, 0))(points, *constants)

    def _jvp(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        ones = tuple(map(self.xp.ones_like, points))
        return self.xp.func.jvp(lambda x: workload.function(self.xp, x, *constants), tuple(points), ones)[1]


ENGINES: dict[str, type[Engine]] = {engine.name: engine for engine in (Hand, Agnograd, Hips, Torch)}


def installed() -> list[str]:
    """Names of the engines that this environment has."""
    return [name for name, engine in ENGINES.items() if engine.installed()]
