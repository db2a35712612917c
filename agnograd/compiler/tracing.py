"""A trace: one run of a function on traced arrays, which writes down what it does."""

from __future__ import annotations

import itertools
import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from agnograd.compiler import shapes
from agnograd.compiler.interpreting import Values
from agnograd.compiler.program import Guard, Program, Step, Var, variables
from agnograd.core.array import Array, innermost
from agnograd.core.operands import SCALARS
from agnograd.core.table import Space, spaces
from agnograd.core.trace import Traced, current, traced_type
from agnograd.errors import EscapedError, TraceError

# How many times the function may branch on values.
_GUARDS = 1000


class LateInputsError(Exception):
    """A program reads arrays that are no inputs yet."""

    def __init__(self, indices: list[int]) -> None:
        super().__init__(indices)
        self.indices = indices


class Recorder:
    """A `agnograd.core.trace.Trace` that builds a program.

    Attributes
    ----------
    program : Program
        What was recorded so far.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.kind: type[Traced] = traced_type(space)
        self.program: Program = Program(space, [], [])
        self.numbers: Iterator[int] = itertools.count()
        self.values: Values | None = Values(self.program)
        self.closed: bool = False
        self._constants: dict[int, Traced] = {}
        self._outcomes: dict[tuple[int, Any], Any] = {}
        self._late: dict[Var, int] = {}
        # Calls to shapes and dtypes: most calls are like an earlier one.
        self._facts: dict[Any, tuple[tuple[int, ...], Any]] = {}

    # -- what goes in ------------------------------------------------------------------------------------------------

    def input(self, x: Any) -> Traced:
        """A traced array in the place of an argument, whose value is known as long as the function runs."""
        shape = tuple(x.shape)
        if any(map(shapes.is_unknown, shape)):
            shown = tuple([None if shapes.is_unknown(n) else n for n in shape])
            msg = (
                f"an argument of shape {shown} cannot be compiled: shapes must be known. Compute the sizes of its "
                f"chunks first, or use fallback=True."
            )
            raise TraceError(msg)
        traced = self._new(shape, x.dtype, self.space.device(x))
        self.program.inputs.append(traced.variable)
        if self.values is not None:
            self.values.set(traced.variable, x)
        return traced

    def late_input(self, x: Any, index: int) -> Traced:
        """A traced array in the place of one that the function finds, and that the program is not known to read."""
        traced = self._new(tuple(x.shape), x.dtype, self.space.device(innermost(x)))
        self._late[traced.variable] = index
        if self.values is not None:
            self.values.set(traced.variable, innermost(x))
        return traced

    def _check_late(self) -> None:
        if self._late:
            read = {v for step in self.program.steps for v in step.reads} | set(self.program.results)
            indices = [index for v, index in self._late.items() if v in read]
            if indices:
                raise LateInputsError(indices)

    def input_like(self, x: Traced) -> Traced:
        """A traced array in the place of a cotangent of a traced array: while the function runs it is one."""
        traced = self._new(x.shape, x.dtype, x.device)
        self.program.inputs.append(traced.variable)
        if self.values is not None:
            ones = self.space.ones(x.shape, dtype=x.dtype, device=x.device)
            self.values.set(traced.variable, ones)
        return traced

    def constant(self, x: Any) -> Traced:
        """A traced array in the place of an array that the function made or found."""
        found = self._constants.get(id(x))
        if found is None:
            found = self._constants[id(x)] = self._new(tuple(x.shape), x.dtype, self.space.device(x))
            self.program.constants[found.variable] = x
        return found

    def lifted(self, data: Sequence[Any]) -> tuple[Any, ...]:
        """Operands of one operation, arrays of the backend as traced ones."""
        return tuple([x if type(x) in SCALARS or isinstance(x, Traced) else self._lift(x) for x in data])

    def _lift(self, x: Any) -> Any:
        space = spaces[type(x)]
        if space is self.space:
            return self.constant(x)
        if space.is_scalar is not None and space.is_scalar(x):
            return x.item()
        if space.is_scalar is not None and not self.space.backend.lazy:
            msg = f"an array of NumPy meets traced arrays of {self.space.name}: convert it with agnograd.asarray first"
            raise TraceError(msg)
        msg = f"an array of {space.name} meets traced arrays of {self.space.name}: nothing is converted silently"
        raise TraceError(msg)

    # -- what is done ------------------------------------------------------------------------------------------------

    def emit(self, name: str, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Record a call, and return the arrays that stand for its results."""
        if self.closed:
            msg = (
                "a traced array was used after its function had been compiled. Return it from the function: what a "
                "compiled function stores elsewhere is not there when the program runs."
            )
            raise EscapedError(msg)
        flat = None if params else self._flat(name, args)
        if flat is not None:
            known = self._facts.get(flat[0])
            if known is not None:
                out = self._new(*known, flat[2])
                self.program.steps.append(Step(name, flat[1], {}, (out.variable,)))
                return out
        given = tuple([self._operand(x) for x in args])
        named = {key: self._operand(x) for key, x in params.items()} if params else {}
        by_values = False
        try:
            found = shapes.results(self.space, name, given, named)
        except TraceError as error:
            error.add_note(f"in {name}, called at {user_line()}")
            raise
        except Exception:
            if self.values is None:
                raise
            # Stand-ins will not do: the values themselves.
            by_values = True
            found = self.values.facts(name, given, named)
        device = self._device(given, named)
        if type(found) is tuple and len(found) == 2 and type(found[0]) is tuple and not isinstance(found[1], tuple):
            if flat is not None and not by_values:
                self._facts[flat[0]] = found
            out = self._new(*found, device)
            self.program.steps.append(Step(name, given, named, (out.variable,)))
            return out
        outs = [self._new(shape, dtype, device) for shape, dtype in found]
        self.program.steps.append(Step(name, given, named, [x.variable for x in outs], several=True))
        return type(found)(*outs) if hasattr(found, "_fields") else tuple(outs)

    def _flat(self, name: str, args: Sequence[Any]) -> tuple[Any, list[Any], Any] | None:
        """A call of arrays and numbers only: what shape and dtype of its result follow from, operands, and device."""
        key: list[Any] = [name]
        given: list[Any] = []
        device = None
        for x in args:
            kind = type(x)
            if kind is self.kind and x.trace is self:
                given.append(x.variable)
                key += (x.shape, x.dtype)
                if device is None:
                    device = x.device
            elif kind in SCALARS:
                given.append(x)
                key += (kind, x)
            else:
                return None
        return None if device is None else (tuple(key), given, device)

    def _operand(self, x: Any) -> Any:
        kind = type(x)
        if kind in SCALARS or x is None or kind is str:
            return x
        if isinstance(x, Traced):
            if x.trace is not self:
                msg = "a traced array of another function that is being compiled was used here: pass it as an argument"
                raise EscapedError(msg)
            return x.variable
        if kind is tuple:
            return tuple([self._operand(y) for y in x])
        if kind is list:
            return [self._operand(y) for y in x]
        if kind is slice:
            # What is not a whole number yet becomes one, with a guard.
            parts = (x.start, x.stop, x.step)
            return slice(*[None if y is None else operator.index(y) for y in parts])
        if isinstance(x, Array):
            return self._operand(innermost(x))
        # A dtype or an ellipsis is no array: nothing needs to be loaded to know that.
        space = spaces.known(kind) if kind is not type and hasattr(x, "dtype") else None
        if space is None:
            return x
        y: Any = self._lift(x)
        return y.variable if isinstance(y, Traced) else y

    def _device(self, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """The device of a result: the one that was asked for, or that of the first operand."""
        if params.get("device") is not None:
            return params["device"]
        first = next(variables((args, params)), None)
        if first is not None:
            return first.device
        return self.program.inputs[0].device if self.program.inputs else None

    def _new(self, shape: tuple[int, ...], dtype: Any, device: Any) -> Traced:
        return self.kind(self, Var(next(self.numbers), shape, dtype, device), shape, dtype, device)

    # -- what depends on values --------------------------------------------------------------------------------------

    def outcome(self, x: Traced, convert: Callable[[Any], Any]) -> Any:
        """The value of an array of one element, with a guard: the program holds where it comes out the same."""
        if self.closed or self.values is None:
            msg = f"the value of a traced array (shape {x.shape}, {x.dtype}) is not known, at {user_line()}"
            raise TraceError(msg)
        if x.size != 1:
            msg = f"the truth value or number of an array of shape {x.shape} is ambiguous: use any() or all()"
            raise (ValueError if convert is bool else TypeError)(msg)
        key = x.variable.number, convert
        if key not in self._outcomes:
            value = convert(self.values.of(x.variable))
            place = len(self.program.steps)
            self.program.guards.append(Guard(x.variable, convert, value, user_line(), place))
            if len(self.program.guards) > _GUARDS:
                msg = f"a function that branches on values {_GUARDS} times cannot be compiled, at {user_line()}"
                raise TraceError(msg)
            self._outcomes[key] = value
        return self._outcomes[key]

    def finish(self, outputs: Sequence[Var]) -> Program:
        """Say what the program returns.

        Raises
        ------
        LateInputsError
            If it reads arrays that are not among its inputs.
        """
        self.program.outputs = list(outputs)
        self._check_late()
        return self.program

    def close(self) -> Program:
        """End the trace, drop all values, and return the program."""
        self.closed = True
        self.values = None
        self._constants.clear()
        self._outcomes.clear()
        self._facts.clear()
        return self.program


@contextmanager
def recording(recorder: Recorder) -> Iterator[Recorder]:
    """Make a trace the one that creation functions belong to; no value outlives it."""
    token = current.set(recorder)
    try:
        yield recorder
    finally:
        current.reset(token)
        recorder.close()


def user_line() -> str:
    """Where in the user's code the call comes from, ``file:line``."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module != "agnograd" and not module.startswith("agnograd."):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return "?"
