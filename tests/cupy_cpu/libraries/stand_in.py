"""A module in the place of a CUDA library: some functions, all counted, the others refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ..counts import record_library_call


class StandIn(ModuleType):
    """A module that answers for a CUDA library.

    Parameters
    ----------
    name : str
        Full name of the module of CuPy that it replaces.
    constants : mapping of str to int, optional
        Constants of the library, by name.
    functions : mapping of str to callable, optional
        Functions that compute; each call is counted.
    housekeeping : mapping of str to callable, optional
        Functions that create handles, tell sizes and the like; not counted.
    """

    # What CuPy asks before it uses an optional library.
    available = True

    def __init__(
        self,
        name: str,
        constants: Mapping[str, int] | None = None,
        functions: Mapping[str, Callable[..., Any]] | None = None,
        housekeeping: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        super().__init__(name)
        for key, constant in (constants or {}).items():
            setattr(self, key, constant)
        for key, function in (housekeeping or {}).items():
            setattr(self, key, function)
        for key, function in (functions or {}).items():
            setattr(self, key, self._counted(key, function))

    def _counted(self, key: str, function: Callable[..., Any]) -> Callable[..., Any]:
        name = f"{self.__name__.rpartition('.')[2]}.{key}"

        def call(*arguments: Any) -> Any:
            record_library_call(name)
            return function(*arguments)

        call.__name__ = key  # CuPy names the function in its error messages
        return call

    def __getattr__(self, key: str) -> Any:
        """Refuse what is not emulated, when it is called: CuPy picks functions in advance."""
        if key.startswith("__") or key.isupper():
            raise AttributeError(f"{self.__name__} is emulated without {key}")

        def refuse(*arguments: Any, **keywords: Any) -> None:
            raise NotImplementedError(f"{self.__name__}.{key} is not emulated")

        return refuse


def answer(value: Any) -> Callable[..., Any]:
    """Return a function that gives ``value`` whatever its arguments."""

    def function(*arguments: Any) -> Any:
        return value

    return function
