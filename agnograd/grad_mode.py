"""Grad modes: whether operations are recorded, in this thread or asyncio task."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, ClassVar, TypeVar

from agnograd.core.level import recording, reset_recording, set_recording

F = TypeVar("F", bound=Callable[..., Any])


class _Mode:
    """A context manager and decorator that sets the grad mode; it may be entered again while it is active."""

    _mode: ClassVar[bool]

    def __new__(cls, function: Any = None) -> Any:
        """Decorate at once where a function is given, as in ``@no_grad`` without parentheses."""
        made = super().__new__(cls)
        made._tokens = []
        return made if function is None else made(function)

    def __init__(self) -> None:
        self._tokens: list[Any]

    def __enter__(self) -> None:
        self._tokens.append(set_recording(self._mode))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reset_recording(self._tokens.pop())

    def __call__(self, function: F) -> F:
        mode = type(self)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def asynchronous(*args: Any, **kwargs: Any) -> Any:
                with mode():
                    return await function(*args, **kwargs)

            return asynchronous  # type: ignore[return-value]

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with mode():
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


class no_grad(_Mode):  # noqa: N801 - PyTorch's name
    """Record nothing within a block or function.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.ones(2, requires_grad=True)
    >>> with ag.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    _mode = False


class enable_grad(_Mode):  # noqa: N801 - PyTorch's name
    """Record again within a `no_grad` block.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.ones(2, requires_grad=True)
    >>> with ag.no_grad(), ag.enable_grad():
    ...     (x * 2).requires_grad
    True
    """

    _mode = True


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require grad are recorded now."""
    return recording() is True
