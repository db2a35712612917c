"""The tables of the core, brought in line with what plugins claim."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from agnograd.backends.storage import distance, make_space
from agnograd.core import table
from agnograd.core.table import OPS, Space, spaces
from agnograd.hookspecs import Backend, Kernel
from agnograd.plugins.claims import Claims
from agnograd.plugins.contract import BACKENDS, KERNELS, OPERATIONS, similar


class Tables:
    """What of the claims is in use.

    Operations and kernels are written into the tables of the process, backends and their namespaces are kept here.

    Attributes
    ----------
    backends : dict
        Name to description; the first of several.
    spaces : dict
        Name of a backend to its namespace, for those that were used.
    """

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self.backends: dict[str, Backend] = {}
        self.spaces: dict[str, Space] = {}

    def settle(self, hook: str, name: str) -> None:
        """Bring the tables in line with who claims a name now."""
        if hook == BACKENDS:
            self._settle_backend(name)
        elif hook == KERNELS:
            self._settle_kernels(name.rpartition("@")[2])
        elif hook == OPERATIONS:
            self._settle_operation(name)

    def _settle_operation(self, name: str) -> None:
        claimed = self._claims.named(OPERATIONS, name)
        table.unregister(name)
        table.contested.pop(name, None)
        if len(claimed) == 1:
            table.register(claimed[0])
        elif claimed:
            # Which of them is meant cannot be told: neither runs.
            table.contested[name] = partial(self._claims.conflict, OPERATIONS, name)

    def _settle_backend(self, name: str) -> None:
        descriptions = self._claims.named(BACKENDS, name)
        if descriptions:
            self.backends[name] = descriptions[0]
        else:
            self.backends.pop(name, None)
        spaces.foreign.clear()
        former = self.spaces.pop(name, None)
        known = list(spaces.items())
        stale = [t for t, s in known if s is former or any(distance(d, t) is not None for d in descriptions)]
        for type_ in stale:
            del spaces[type_]
        if stale:
            table.forget_bodies()

    def _settle_kernels(self, backend: str) -> None:
        space = self.spaces.get(backend)
        if space is not None:
            space.kernels.clear()
            space.kernels.update(space.backend.own_kernels)
            space.kernels.update(self._given_kernels(backend))
            table.forget_bodies()

    def _given_kernels(self, backend: str) -> dict[str, Callable[..., Any]]:
        """Operation name to the kernel of a plugin; where two give one, to a function that says so."""
        found = {}
        for kernel in self._claims.items(KERNELS):
            if kernel.backend == backend:
                contested = kernel.op in found
                conflict = partial(self._claims.conflict, KERNELS, kernel.name)
                found[kernel.op] = _raising(conflict) if contested else kernel.body
        return found

    def space(self, backend: Backend) -> Space:
        """The namespace of a backend's raw arrays, made at the first call.

        Raises
        ------
        BackendUnavailableError
            If the library is not installed, or does not work on this machine.
        """
        found = self.spaces.get(backend.name)
        if found is None:
            found = self.spaces[backend.name] = make_space(backend, self._given_kernels(backend.name))
        return found

    def idle(self, kernel: Kernel) -> str:
        """Why a kernel is never used; empty if it is, or if it is for a backend that need not be there."""
        if kernel.optional and kernel.backend not in self.backends:
            return ""
        for kind, name, known in (("operation", kernel.op, OPS), ("backend", kernel.backend, self.backends)):
            if name not in known and name not in table.contested:
                return f"kernel {kernel.name!r} is for an unknown {kind}{similar(name, known)}"
        return ""


def _raising(error: Callable[[], Exception]) -> Callable[..., Any]:
    def raising(*_: Any, **__: Any) -> Any:
        raise error()

    return raising


@contextmanager
def set_aside(operations: Iterable[str]) -> Iterator[None]:
    """Empty the tables of the process but for agnograd's own operations; all comes back afterwards.

    Parameters
    ----------
    operations : iterable of str
        Names of those that are not agnograd's own.
    """
    tables: tuple[dict[Any, Any], ...] = (spaces, OPS, table.contested)
    kept = [dict(content) for content in tables]
    for name in operations:
        OPS.pop(name, None)
    spaces.clear()
    spaces.foreign.clear()
    table.contested.clear()
    table.forget_bodies()
    try:
        yield
    finally:
        for content, former in zip(tables, kept, strict=True):
            content.clear()
            content.update(former)
        spaces.foreign.clear()
        table.forget_bodies()
