"""Grad modes: whether operations are recorded, in this thread or asyncio task."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextvars import ContextVar
from types import TracebackType
from typing import Any, ClassVar, TypeVar

from agnograd.core.level import recording, set_recording

F = TypeVar("F", bound=Callable[..., Any])

# What the blocks that are open here will restore, innermost first. As local as the mode itself, so that one object may
# be entered in several threads and tasks, and again while it is active.
_outer: ContextVar[tuple[bool | int, ...]] = ContextVar("agnograd_outer_modes", default=())


class _Mode:
    """A context manager and decorator that sets the grad mode."""

    _mode: ClassVar[bool]

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        """A block's mode; without parentheses, the decorated function."""
        made = super().__new__(cls)
        return made if function is None else made(function)

    def __enter__(self) -> None:
        _outer.set((recording(), *_outer.get()))
        set_recording(self._mode)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        mode, *rest = _outer.get()
        _outer.set(tuple(rest))
        set_recording(mode)

    def __call__(self, function: F) -> F:
        mode = type(self)
        given: Any = function
        if not callable(given) or inspect.isclass(given):
            what = f"class {given.__name__}" if inspect.isclass(given) else f"an object of type {type(given).__name__}"
            msg = f"{mode.__name__} decorates functions, got {what}. As a context manager: `with {mode.__name__}():`"
            raise TypeError(msg)
        if inspect.isasyncgenfunction(function):
            wrapped = _async_steps(function, mode)
        elif inspect.isgeneratorfunction(function):
            wrapped = _steps(function, mode)
        elif inspect.iscoroutinefunction(function):

            async def wrapped(*args: Any, **kwargs: Any) -> Any:
                with mode():
                    return await function(*args, **kwargs)

        else:

            def wrapped(*args: Any, **kwargs: Any) -> Any:
                with mode():
                    return function(*args, **kwargs)

        return functools.wraps(function)(wrapped)  # type: ignore[return-value]


def _steps(function: Callable[..., Any], mode: type[_Mode]) -> Callable[..., Any]:
    """Run each step of a generator in `mode`; between the steps there is the mode of whoever asks for them."""

    def stepwise(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = function(*args, **kwargs)
        advance, value = generator.send, None
        while True:
            try:
                with mode():
                    item = advance(value)
            except StopIteration as end:
                return end.value
            try:
                advance, value = generator.send, (yield item)
            except GeneratorExit:
                with mode():
                    generator.close()
                raise
            except BaseException as error:
                advance, value = generator.throw, error

    return stepwise


def _async_steps(function: Callable[..., Any], mode: type[_Mode]) -> Callable[..., Any]:
    """The same for asynchronous generators."""

    async def stepwise(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator = function(*args, **kwargs)
        advance, value = generator.asend, None
        while True:
            try:
                with mode():
                    item = await advance(value)
            except StopAsyncIteration:
                return
            try:
                advance, value = generator.asend, (yield item)
            except GeneratorExit:
                with mode():
                    await generator.aclose()
                raise
            except BaseException as error:
                advance, value = generator.athrow, error

    return stepwise


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
