"""Modes of this thread or asyncio task: whether operations are recorded, and whether zero cotangents stay zero."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextvars import ContextVar
from types import TracebackType
from typing import Any, ClassVar, TypeVar

from agnograd.core import level
from agnograd.core.level import recording
from agnograd.core.saved import recorded_mode, update_mode

F = TypeVar("F", bound=Callable[..., Any])

# What the blocks that are open here will restore, innermost first. As local as the modes themselves, so that one object
# may be entered in several threads and tasks, and again while it is active.
_outer: ContextVar[tuple[bool | int, ...]] = ContextVar("agnograd_outer_modes", default=())


class _Mode:
    """A context manager and decorator that sets a mode."""

    _variable: ClassVar[ContextVar[Any]]
    _mode: ClassVar[bool]
    _records: ClassVar[bool] = False

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        """A block's mode; without parentheses, the decorated function."""
        made = super().__new__(cls)
        return made if function is None else made(function)

    def __enter__(self) -> None:
        _outer.set((self._variable.get(), *_outer.get()))
        self._variable.set(recorded_mode() if self._records else self._mode)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        mode, *rest = _outer.get()
        _outer.set(tuple(rest))
        self._variable.set(mode)

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


class _Inside:
    """What holds within the steps of a generator: its mode, which blocks of its own may have changed, and those blocks.

    They outlast a step, and whoever asks for the steps sees nothing of them.
    """

    def __init__(self, mode: type[_Mode]) -> None:
        self._variable = mode._variable
        self._other: tuple[Any, tuple[bool | int, ...]] = (mode._mode, ())

    def __enter__(self) -> None:
        self._swap()
        # The path may be another one than at the last step.
        update_mode()

    def __exit__(self, *error: object) -> None:
        self._swap()

    def _swap(self) -> None:
        mode, blocks = self._other
        self._other = self._variable.get(), _outer.get()
        self._variable.set(mode)
        _outer.set(blocks)


def _steps(function: Callable[..., Any], mode: type[_Mode]) -> Callable[..., Any]:
    """Run each step of a generator in `mode`; between the steps there is the mode of whoever asks for them."""

    def stepwise(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = function(*args, **kwargs)
        inside = _Inside(mode)
        advance, value = generator.send, None
        while True:
            try:
                with inside:
                    item = advance(value)
            except StopIteration as end:
                return end.value
            try:
                advance, value = generator.send, (yield item)
            except GeneratorExit:
                with inside:
                    generator.close()
                raise
            except BaseException as error:
                advance, value = generator.throw, error

    return stepwise


def _async_steps(function: Callable[..., Any], mode: type[_Mode]) -> Callable[..., Any]:
    """The same for asynchronous generators."""

    async def stepwise(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator = function(*args, **kwargs)
        inside = _Inside(mode)
        advance, value = generator.asend, None
        while True:
            try:
                with inside:
                    item = await advance(value)
            except StopAsyncIteration:
                return
            try:
                advance, value = generator.asend, (yield item)
            except GeneratorExit:
                with inside:
                    await generator.aclose()
                raise
            except BaseException as error:
                advance, value = generator.athrow, error

    return stepwise


class no_grad(_Mode):  # noqa: N801 - PyTorch's name
    """Record nothing within a block or function.

    Parameters
    ----------
    function : callable, optional
        What is decorated.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.ones(2, requires_grad=True)
    >>> with ag.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    _variable = level._recording
    _mode = False


class enable_grad(_Mode):  # noqa: N801 - PyTorch's name
    """Record again within a `no_grad` block.

    Parameters
    ----------
    function : callable, optional
        What is decorated.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.ones(2, requires_grad=True)
    >>> with ag.no_grad(), ag.enable_grad():
    ...     (x * 2).requires_grad
    True
    """

    _variable = level._recording
    _mode = True
    _records = True


class inference_mode(_Mode):  # noqa: N801 - PyTorch's name
    """`no_grad` by another name: values are immutable, so there is nothing more to save.

    Parameters
    ----------
    mode : bool
        False leaves the mode as it is.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.ones(2, requires_grad=True)
    >>> with ag.inference_mode():
    ...     (x * 2).requires_grad
    False
    """

    _variable = level._recording
    _mode = False

    def __new__(cls, mode: Any = True) -> Any:
        """A block's mode; ``inference_mode(False)`` leaves it as it is; without parentheses, the decorated function."""
        if mode is False:
            return set_grad_enabled(is_grad_enabled())
        return super().__new__(cls, None if mode is True else mode)


class set_grad_enabled:  # noqa: N801 - PyTorch's name
    """Record, or do not, from now on; as a context manager or decorator for a block or function only.

    Parameters
    ----------
    mode : bool
        Whether to record.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.ones(2, requires_grad=True)
    >>> with ag.set_grad_enabled(False):
    ...     (x * 2).requires_grad
    False
    """

    def __init__(self, mode: Any) -> None:
        if not isinstance(mode, bool):
            msg = f"set_grad_enabled takes a bool, got {type(mode).__name__}"
            raise TypeError(msg)
        self.mode = mode
        self._outer = recording()
        level.set_recording(recorded_mode() if mode else False)

    def __repr__(self) -> str:
        return f"set_grad_enabled(mode={self.mode})"

    def __enter__(self) -> None:
        level.set_recording(recorded_mode() if self.mode else False)

    def __exit__(self, *error: object) -> None:
        level.set_recording(self._outer)

    def __call__(self, function: F) -> F:
        """A function that runs in this mode; the mode around it stays what it was."""
        level.set_recording(self._outer)
        mode = enable_grad if self.mode else no_grad
        return mode()(function)  # type: ignore[no-any-return]


class zero_safe(_Mode):  # noqa: N801 - a mode, like those above
    """Keep zero cotangents zero in the backward passes within a block or function, and zero tangents in forward mode.

    A rule multiplies a cotangent by a derivative. Where a value is masked out afterwards, or overwritten, its cotangent
    is zero and its derivative may be infinite or NaN: the product is NaN, though the value had no part in the result.
    Within the block, zero times anything is zero, on either side, in the rules of elementwise operations. It is the
    pass that has to be within the block, not the computation that it goes back through. An infinity or a NaN that is
    multiplied by anything else remains.

    A factor may be zero by coincidence, too: the gradient of ``(x**0.5)**2`` at 0 is 0 within the block, not 1. Nor
    does the block stop the warnings of NumPy, which computes the infinity and the product all the same.

    Parameters
    ----------
    function : callable, optional
        What is decorated.

    Examples
    --------
    >>> import agnograd as ag
    >>> import numpy as np
    >>> x = ag.tensor([0.0, 4.0], requires_grad=True)
    >>> y = ag.where(x > 0, x**0.5, 0)
    >>> with ag.zero_safe(), np.errstate(all="ignore"):
    ...     y.sum().backward()
    >>> x.grad
    tensor([0.0000, 0.2500])
    """

    _variable = level.zero_safety
    _mode = True


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require grad are recorded now.

    Returns
    -------
    bool

    Examples
    --------
    >>> import agnograd as ag
    >>> with ag.no_grad():
    ...     ag.is_grad_enabled()
    False
    """
    return level.records(level.ROOT)
