"""How each library records a workload and takes it back: in the way that its own users would write it."""

from __future__ import annotations

import importlib.util
import os
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
    lacks : frozenset of str
        Workloads whose functions it does not have.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    package: ClassVar[str]
    transforms: ClassVar[frozenset[str]] = frozenset()
    lacks: ClassVar[frozenset[str]] = frozenset()

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


_EVERYTHING = frozenset(("jacfwd", "jacrev", "hessian", "grad", "samples", "jvp", "hvp"))


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

    def _hvp(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        def function(*xs: Any) -> Any:
            return workload.function(self.xp, *xs, *constants)

        return self.xp.hvp(function, tuple(points), tuple(workload.vectors))


class Hips(Engine):
    """HIPS/autograd."""

    name = "hips"
    label = "HIPS autograd"
    package = "autograd"
    transforms = frozenset(("jacfwd", "jacrev", "hessian", "grad", "hvp"))

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

    def _hvp(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        return self.autograd.make_hvp(lambda xs: workload.function(self.xp, *xs, *constants))(tuple(points))[0](
            tuple(workload.vectors)
        )


class MyGrad(Engine):
    """MyGrad."""

    name = "mygrad"
    label = "MyGrad"
    package = "mygrad"
    lacks = frozenset(("k",))  # it has no decompositions of matrices

    def __init__(self) -> None:
        import mygrad

        self.xp = mygrad

    def leaves(self, workload: Workload) -> list[Any]:
        return [self.xp.tensor(x) for x in workload.leaves]

    def record(self, workload: Workload, leaves: Sequence[Any], constants: Sequence[Any]) -> Any:
        return workload.function(self.xp, *leaves, *constants)

    def backward(self, root: Any, leaves: Sequence[Any]) -> list[Any]:
        root.backward()
        return [x.grad for x in leaves]


class Jax(Engine):
    """JAX, compiled: the first call of a workload is not part of its time."""

    name = "jax"
    label = "jax.jit"
    package = "jax"
    transforms = frozenset(("jacfwd", "jacrev", "hessian", "grad", "samples", "jvp", "hvp"))

    def __init__(self) -> None:
        import jax
        import jax.numpy

        jax.config.update("jax_enable_x64", True)
        self.jax = jax
        self.xp = jax.numpy
        self._compiled: dict[Workload, Any] = {}

    def points(self, workload: Workload) -> list[Any]:
        return [self.xp.asarray(x) for x in workload.leaves]

    leaves = points

    def constants(self, workload: Workload) -> list[Any]:
        return [self.xp.asarray(x) if isinstance(x, np.ndarray) else x for x in workload.constants]

    def _call(self, workload: Workload, make: Any, *args: Any) -> Any:
        if workload not in self._compiled:
            self._compiled[workload] = self.jax.jit(make())
        return self.jax.block_until_ready(self._compiled[workload](*args))

    def record(self, workload: Workload, leaves: Sequence[Any], constants: Sequence[Any]) -> Any:
        def make() -> Any:
            return self.jax.value_and_grad(lambda xs, ys: workload.jax_function(self.jax, *xs, *ys))

        return self._call(workload, make, list(leaves), list(constants))

    def backward(self, root: Any, _leaves: Sequence[Any]) -> list[Any]:
        return list(root[1])

    def transformed(self, workload: Workload, constants: Sequence[Any]) -> list[Any]:
        def function(*xs: Any) -> Any:
            return workload.jax_function(self.jax, *xs)

        points, rest = self.points(workload), list(constants)
        jax = self.jax

        def make() -> Any:
            def call(xs: Any, ys: Any) -> Any:
                first = lambda *zs: function(*zs, *ys)  # noqa: E731
                match workload.transform:
                    case "hvp":
                        gradient = jax.grad(first, argnums=tuple(range(len(xs))))
                        return jax.jvp(gradient, tuple(xs), tuple(workload.vectors))[1]
                    case "jvp":
                        return jax.jvp(first, tuple(xs), tuple(map(self.xp.ones_like, xs)))[1]
                    case "grad":
                        return jax.grad(lambda zs: first(*zs))(xs)
                    case "samples":
                        gradient = jax.grad(lambda zs, *data: function(*zs, *data))
                        return jax.vmap(gradient, in_axes=(None, 0, 0))(xs, *ys)
                    case name:
                        return getattr(jax, str(name))(first)(*xs)

            return call

        found = self._call(workload, make, points, rest)
        return list(found) if isinstance(found, (tuple, list)) else [found]


class Torch(Engine):
    """PyTorch, eager, on the CPU."""

    name = "torch"
    label = "torch eager"
    package = "torch"
    transforms = _EVERYTHING

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
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

    def _hvp(self, workload: Workload, points: Sequence[Any], constants: Sequence[Any]) -> Any:
        xs = [x.detach().requires_grad_() for x in points]
        gradient = self.xp.autograd.grad(workload.function(self.xp, *xs, *constants), xs, create_graph=True)
        return self.xp.autograd.grad(gradient, xs, [self.xp.from_numpy(v) for v in workload.vectors])


ENGINES: dict[str, type[Engine]] = {engine.name: engine for engine in (Hand, Agnograd, Hips, MyGrad, Torch, Jax)}


def installed() -> list[str]:
    """Names of the engines that this environment has."""
    return [name for name, engine in ENGINES.items() if engine.installed()]
