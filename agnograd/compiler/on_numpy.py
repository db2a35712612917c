"""NumPy's generator: the same calls with nothing allocated that need not be, and large arrays in blocks.

Results go into buffers that a program keeps (`storage`); a view of a buffer is made once. Single numbers are computed
by operators, which take a sixth of the time of a function. Constants are arrays without axes: NumPy takes them faster
than Python's numbers. A program may run in several threads at once, or within itself: each run has buffers of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np  # noqa: TID253 - this module is imported for programs on NumPy only

from agnograd.compiler.blocks import BY_NAME, taken, write_region
from agnograd.compiler.liveness import VIEWS, Liveness
from agnograd.compiler.numpy_views import TEXTS, adds_ones_only, is_basic, key_text, selects_one
from agnograd.compiler.program import Program, Step, Var, name_of
from agnograd.compiler.regions import Region, blocked
from agnograd.compiler.shapes import function_of
from agnograd.compiler.source import Code, Writer, guards_after
from agnograd.compiler.stacks import stacks
from agnograd.compiler.storage import MOST, Buffers

# Bytes from which on memory is given back before a program ends.
_SMALL = 1 << 12
# Writes and views from which on an array is worth a copy, so that its parts are always at the same place.
_MANY = 8

_OPERATORS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "equal": "==",
    "not_equal": "!=",
}


def generate(program: Program) -> Code:
    """The code of a program."""
    return _Generator(program).code()


class _Generator:
    def __init__(self, program: Program) -> None:
        self.space = program.space
        self._ufuncs: dict[int, tuple[Any, Step]] = {}
        program, self.regions = blocked(program, self._is_blockwise)
        self.program = program
        self.writer = Writer(program)
        self.live = Liveness(program)
        self.buffers = Buffers()
        self.notes: list[str] = []
        # Variables that are always at the same place, and how that is made: (name of the base, function of it).
        self.static: dict[Var, str] = {}
        self.placed: dict[Var, int] = {}
        self.views: list[tuple[str, Callable[[dict[str, Any]], Any]]] = []
        # Variables that are rows of stacks, and steps that are part of a call on one.
        self.rows: dict[Var, str] = {}
        self.in_stacks: set[int] = set()
        self.fills: dict[Var, Any] = {}
        # Variables that are another one, written to.
        self.alias: dict[Var, str] = {}
        self.outside = self.live.beneath(program.outputs)
        self.copied = self._often_written()
        self.outside -= self.copied
        self.foreign = {*program.inputs, *program.constants}
        self.written: set[Var] = {self.live.root.get(s.args[0], s.args[0]) for k, s in self._writes()}
        # Arrays in one piece, as which a reshape of them is a view.
        self.whole: set[Var] = set()
        self._helpers: list[str] = []
        self._numbers: dict[Any, str] = {}
        # The first of these that can write a step does.
        self._attempts = (self._view, self._scalar, self._elementwise, self._product, self._reduction, self._cast)
        for v, x in program.constants.items():
            self.static[v] = self.writer.name(v)
            if isinstance(x, np.ndarray) and x.flags.c_contiguous:
                self.whole.add(v)

    def _often_written(self) -> set[Var]:
        """Outputs that are put together from many parts: that is done in a buffer, and a copy is returned."""
        counts: dict[Var, int] = {}
        for k, step in self._writes():
            if k in self.live.in_place:
                root = self.live.root[step.out]
                counts[root] = counts.get(root, 0) + 1
        found = {v for v, n in counts.items() if n >= _MANY and v in self.outside and v.shape and fits(v)}
        # Those only that are returned whole.
        return {
            v
            for v in found
            if all(v is not self.live.root.get(x, x) or x.shape == v.shape for x in self.program.outputs)
        }

    def _often_viewed(self) -> list[Var]:
        """Inputs of which many parts are used: they are copied into a buffer, where each part has a fixed place."""
        counts: dict[Var, int] = {}
        for step in self.program.steps:
            if step.name in TEXTS and not step.several and step.reads[0] in self.program.inputs:
                counts[step.reads[0]] = counts.get(step.reads[0], 0) + 1
        returned = self.live.beneath(self.program.outputs)
        return [
            v for v, n in counts.items() if v.shape and fits(v) and n >= _MANY + v.size // 1000 and v not in returned
        ]

    def _writes(self) -> list[tuple[int, Step]]:
        return [(k, s) for k, s in enumerate(self.program.steps) if s.name in ("set", "add_into")]

    def _is_blockwise(self, step: Step) -> bool:
        return self._ufunc(step) is not None or step.name == "where"

    def _ufunc(self, step: Step) -> Any:
        """The universal function of a step, if it is one call of one with arrays and numbers only."""
        found = self._ufuncs.get(id(step))
        if found is None:
            # With the step, so that no other one gets its identity.
            found = self._ufuncs[id(step)] = self._found_ufunc(step), step
        return found[0]

    def _found_ufunc(self, step: Step) -> Any:
        if step.params or step.several or not step.reads:
            return None
        found = function_of(self.space, step.name)
        if not isinstance(found, np.ufunc) or found.nout != 1 or found.nin != len(step.args) or found.signature:
            return None
        return found if all(type(x) in (Var, int, float, complex, bool) for x in step.args) else None

    # -- the whole ---------------------------------------------------------------------------------------------------

    def code(self) -> Code:
        """Write all steps."""
        checks = guards_after(self.program)
        for v in self._often_viewed():
            buffer = self.buffers.take(v.size * v.dtype.itemsize)
            if buffer is not None:
                place = self._at(v, buffer)
                del self.placed[v]
                self.writer.scope["copyto"] = np.copyto
                self.writer.write(f"copyto({place}, {self.writer.name(v)})")
        for i in checks.get(-1, ()):
            self.writer.guard(i)
        stacked = self._stack()
        for k, step in enumerate(self.program.steps):
            region = self.regions.get(id(step))
            if region is not None:
                self._region(k, step, region)
            elif id(step) not in self.in_stacks:
                self._step(k, step)
            for line in stacked.get(k, ()):
                self.writer.write(line)
            for i in checks.get(k, ()):
                self.writer.guard(i)
            self._release(k)
        outputs = [self.text(v) + (".copy()" if v in self._copies() else "") for v in self.program.outputs]
        source = "".join(self._helpers) + self.writer.source(outputs)
        return Code(source, self._runner(source), self._described(), np.asarray)

    def _stack(self) -> dict[int, list[str]]:
        """Give stacks their places; the calls on them, by the step after which they stand."""
        lines: dict[int, list[str]] = {}
        for i, stack in enumerate(stacks(self.program, self._ufunc, self._can_place)):
            calls = []
            for name, rows in ((f"stack{i}", stack.operands), (f"results{i}", [s.out for s in stack.steps])):
                shape, dtype = (len(rows), *rows[0].shape), rows[0].dtype
                self.writer.scope[name] = None
                self.views.append((name, functools.partial(_empty, shape, dtype)))
                for k, v in enumerate(rows):
                    row = f"{name}_{k}"
                    self.writer.scope[row] = None
                    self.views.append((row, functools.partial(_row, name, k)))
                    self.rows[v] = row
                    self.whole.add(v)
                calls.append(name)
            step = stack.steps[0]
            for s in stack.steps:
                self.in_stacks.add(id(s))
                self.static[s.out] = self.rows[s.out]
            own = stack.operands[0]
            operands = [calls[0] if x is own else text for x, text in zip(step.args, self._operands(step), strict=True)]
            call = f"{self._function(step.name)}({', '.join(operands)}, {output(step.name)}{calls[1]})"
            lines.setdefault(stack.place, []).append(call)
            self.notes.append(f"{len(stack.steps)} calls of {step.name} in one")
        return lines

    def _can_place(self, step: Step, v: Var) -> bool:
        root = self.live.root.get(v, v)
        own = root is v and v not in self.written and v not in self.outside
        return own and id(step) not in self.regions and self._ufunc(step) is not None

    def _copies(self) -> set[Var]:
        return {v for v in self.program.outputs if self.live.root.get(v, v) in self.copied and v in self.static} | {
            v for v in self.program.outputs if v in self.static and (v in self.fills or v in self.program.constants)
        }

    def _described(self) -> list[str]:
        regions = [f"{len(r.steps)} elementwise steps on {r.shape} in blocks" for r in self.regions.values()]
        kept = sum(self.buffers.sizes)
        return [
            *regions,
            *self.notes,
            f"results in buffers: {len(self.placed)} in {len(self.buffers.sizes)}, of {kept} bytes in all",
        ]

    def _runner(self, source: str) -> Callable[..., Any]:
        code = compile(source, "<agnograd program>", "exec")
        scope = self.writer.scope
        sizes, views = self.buffers.sizes, self.views

        def fresh() -> Callable[..., Any]:
            own = dict(scope)
            for i, size in enumerate(sizes):
                own[f"b{i}"] = np.empty(size, np.uint8)
            for name, make in views:
                own[name] = make(own)
            exec(code, own)
            return own["program"]  # type: ignore[no-any-return]

        if not sizes and not views:
            return fresh()
        idle: list[Callable[..., Any]] = [fresh()]

        def run(*inputs: Any) -> Any:
            try:
                program = idle.pop()
            except IndexError:
                program = fresh()
            try:
                return program(*inputs)
            finally:
                idle.append(program)

        return run

    def _release(self, k: int) -> None:
        for root in self.live.dying(self.program, k):
            buffer = self.placed.get(root)
            if buffer is not None:
                self.buffers.give(buffer)
        names = [self.writer.name(v) for v in self.live.ends.get(k, ()) if self._has_name(v)]
        if names:
            self.writer.write(f"del {', '.join(names)}")

    def _has_name(self, v: Var) -> bool:
        """Whether a name must go for memory to be free."""
        root = self.live.root.get(v, v)
        return not (
            v in self.static
            or v in self.foreign
            or v in self.alias
            or v in self.fills
            or root in self.written
            or root in self.foreign
            or root in self.static
            or v.size * v.dtype.itemsize < _SMALL
        )

    # -- where a variable is -----------------------------------------------------------------------------------------

    def text(self, x: Any) -> str:
        """An operand in the source."""
        if type(x) is Var:
            return self.static.get(x) or self.alias.get(x) or self.writer.name(x)
        return self.writer.text(x)

    def number(self, value: Any, dtype: Any) -> str:
        """A number as an array without axes."""
        if type(value) is complex or name_of(dtype) not in ("float64", "float32", "complex128", "complex64"):
            return self.writer.text(value)
        key = (type(value), repr(value), name_of(dtype))
        if key not in self._numbers:
            self._numbers[key] = self.writer.refer(np.array(value, dtype), "k")
        return self._numbers[key]

    def place(self, v: Var, k: int, reuse: tuple[Var, ...] = ()) -> str | None:
        """A buffer for the result of step `k`, as a name in the source; None where it must be allocated."""
        row = self.rows.get(v)
        if row is not None:
            self.static[v] = row
            return row
        root = self.live.root.get(v, v)
        if root in self.outside or v.size == 0 or v.shape == ():
            return None
        for x in reuse:
            if self._dies(x, k) and x.shape == v.shape and x.dtype == v.dtype:
                return self._at(v, self.placed.pop(x))
        buffer = self.buffers.take(v.size * v.dtype.itemsize)
        return None if buffer is None else self._at(v, buffer)

    def _dies(self, x: Var, k: int) -> bool:
        return x in self.placed and self.live.last.get(x, -1) == k and self.live.root.get(x, x) is x

    def _at(self, v: Var, buffer: int) -> str:
        self.placed[v] = buffer
        kind = f"b{buffer}_{name_of(v.dtype)}_{'x'.join(map(str, v.shape))}"
        if kind not in self.writer.scope:
            self.writer.scope[kind] = None
            count, dtype, shape = v.size, v.dtype, v.shape
            self.views.append(
                (kind, lambda own: own[f"b{buffer}"][: count * dtype.itemsize].view(dtype).reshape(shape))
            )
        self.static[v] = kind
        self.whole.add(v)
        return kind

    # -- one step ----------------------------------------------------------------------------------------------------

    def _step(self, k: int, step: Step) -> None:
        if step.name == "full":
            self._full(step)
        elif step.name in ("set", "add_into"):
            self._write(k, step)
        elif not any(attempt(k, step) for attempt in self._attempts):
            self._plain(step)

    def _assign(self, step: Step, call: str) -> None:
        target = ", ".join(map(self.writer.name, step.outs)) + ("," if step.several and len(step.outs) == 1 else "")
        self.writer.write(f"{target} = {call}")

    def _function(self, name: str) -> str:
        short = name.replace(".", "_")
        self.writer.scope.setdefault(short, function_of(self.space, name))
        return short

    def _plain(self, step: Step) -> None:
        parts = [*map(self._nested, step.args), *(f"{key}={self._nested(x)}" for key, x in step.params.items())]
        self._assign(step, f"{self._function(step.name)}({', '.join(parts)})")

    def _nested(self, x: Any) -> str:
        if type(x) is tuple:
            return f"({', '.join(map(self._nested, x))}{',' if len(x) == 1 else ''})"
        if type(x) is list:
            return f"[{', '.join(map(self._nested, x))}]"
        return self.text(x)

    def _full(self, step: Step) -> None:
        v = step.out
        value = step.args[1]
        self.fills[v] = value
        root = self.live.root.get(v, v)
        if v in self.outside or root in self.written:
            place = self.place(v, -1)
            if place is not None:
                self.writer.write(f"{place}.fill({self.writer.text(value)})")
                return
            self.writer.scope["full"] = np.full
            call = f"full({v.shape!r}, {self.writer.text(value)}, {self.writer.refer(v.dtype)})"
            if value == 0 and str(value) in ("0", "0.0", "False"):
                self.writer.scope["zeros"] = np.zeros
                call = f"zeros({v.shape!r}, {self.writer.refer(v.dtype)})"
            self._assign(step, call)
            return
        fixed = np.array(value, v.dtype)
        spread = fixed[()] if v.shape == () else np.broadcast_to(fixed, v.shape)
        self.static[v] = self.writer.refer(spread, "f")

    def _scalar(self, _: int, step: Step) -> bool:
        args = step.args
        if step.several or step.outs[0].shape != () or step.params:
            return False
        if any(type(x) not in (Var, int, float, bool) for x in args):
            return False
        if any(x.shape != () or x.dtype.kind not in "fc" for x in step.reads):
            return False
        if len(args) == 2 and step.name in _OPERATORS:
            self._assign(step, f"{self.text(args[0])} {_OPERATORS[step.name]} {self.text(args[1])}")
            return True
        if step.name == "negative":
            self._assign(step, f"-{self.text(args[0])}")
            return True
        return False

    def _operands(self, step: Step) -> list[str]:
        kinds = [v.dtype for v in step.reads if v.shape] or [v.dtype for v in step.reads]
        same = len({name_of(d) for d in kinds}) == 1
        return [self.text(x) if type(x) is Var or not same else self.number(x, kinds[0]) for x in step.args]

    def _elementwise(self, k: int, step: Step) -> bool:
        if self._ufunc(step) is None:
            return False
        operands = self._operands(step)
        place = self.place(step.out, k, step.reads)
        call = f"{self._function(step.name)}({', '.join(operands)}"
        if place is None:
            taken = self._taken(k, step)
            self._assign(step, f"{call})" if taken is None else f"{call}, {output(step.name)}{self.text(taken)})")
        else:
            self.writer.write(f"{call}, {output(step.name)}{place})")
        return True

    def _taken(self, k: int, step: Step) -> Var | None:
        """A large array, allocated by this call, that the result may be written over: memory is slow to come by."""
        v = step.out
        return next((x for x in step.reads if (x.shape, x.dtype) == (v.shape, v.dtype) and self._may_take(k, x)), None)

    def _may_take(self, k: int, x: Var) -> bool:
        plain = x not in self.static and x not in self.alias and x not in self.fills and x not in self.written
        return plain and not fits(x) and self.live.may_take(k, x)

    def _cast(self, _: int, step: Step) -> bool:
        x = step.args[0] if step.args else None
        if step.name == "copy":
            self._assign(step, f"{self.text(x)}.copy()" if step.out.shape else f"+{self.text(x)}")
            return True
        if step.name == "astype" and len(step.args) == 2 and not step.params and step.out.shape:
            self._assign(step, f"{self.text(x)}.astype({self.writer.refer(step.out.dtype)})")
            return True
        return False

    def _product(self, k: int, step: Step) -> bool:
        if step.name not in ("matmul", "linalg.matmul"):
            return False
        x, y = step.args
        if name_of(x.dtype) not in ("float64", "float32", "complex128", "complex64") or x.dtype != y.dtype:
            return False
        if not (len(x.shape) == 2 and len(y.shape) in (1, 2)) and not (len(x.shape) == 1 and len(y.shape) == 2):
            return False
        if 0 in x.shape or 0 in y.shape:
            return False
        place = self.place(step.out, k)
        self.writer.scope["dot"] = np.dot
        call = f"dot({self.text(x)}, {self.text(y)}"
        if place is None:
            self._assign(step, f"{call})")
        else:
            self.writer.write(f"{call}, {place})")
        return True

    def _reduction(self, k: int, step: Step) -> bool:
        if step.name not in ("sum", "max", "min", "mean"):
            return False
        x = step.args[0]
        params = dict(step.params)
        axis, keepdims = params.pop("axis", None), params.pop("keepdims", False)
        known = name_of(x.dtype) in ("float64", "float32") or (step.name == "sum" and x.dtype.kind == "c")
        if len(step.args) > 1 or params.pop("dtype", None) is not None or params or not known or not x.shape:
            return False
        if x.size == 0 or isinstance(axis, list):
            return False
        ufunc = {"sum": np.add, "mean": np.add, "max": np.maximum, "min": np.minimum}[step.name]
        name = f"reduce_{ufunc.__name__}"
        self.writer.scope[name] = ufunc.reduce
        place = self.place(step.out, k)
        more = "" if place is None and not keepdims else f", None, {place}{', True' if keepdims else ''}"
        call = f"{name}({self.text(x)}, {axis!r}{more})"
        if place is None:
            self._assign(step, call)
        else:
            self.writer.write(call)
        if step.name == "mean":
            count = x.size // max(step.out.size, 1)
            out = self.text(step.out)
            if step.out.shape == ():
                self.writer.write(f"{out} = {out} / {count}")
            else:
                self.writer.scope["divide"] = np.divide
                self.writer.write(f"divide({out}, {self.number(float(count), x.dtype)}, {out})")
        return True

    def _view(self, _: int, step: Step) -> bool:
        if step.name not in VIEWS or step.several or not step.reads:
            return False
        x, out = step.reads[0], step.out
        if x.shape == () or step.name in ("astype", "conj", "asarray") or len(step.reads) > 1:
            return False
        make = TEXTS.get(step.name)
        text = make(step, self.writer) if make is not None else None
        if text is None:
            return False
        base = self.static.get(x)
        whole = step.name != "reshape" or x in self.whole or adds_ones_only(x.shape, out.shape)
        if base is not None and out.shape != () and whole:
            self.static[out] = self._once(self.writer.name(out), text, base)
            if step.name in ("reshape", "expand_dims", "squeeze") and x in self.whole:
                self.whole.add(out)
            return True
        self._assign(step, text.format(self.text(x)))
        return True

    def _once(self, name: str, text: str, base: str) -> str:
        """A global name for a part of an array that is always at the same place."""
        scope = self.writer.scope
        maker = eval(f"lambda x: {text.format('x')}", scope)
        scope.setdefault(name, None)
        self.views.append((name, lambda own: maker(own[base])))
        return name

    def _write(self, k: int, step: Step) -> None:
        x = step.args[0]
        if step.name == "set":
            key, value = step.args[1], step.args[2]
        else:
            value, key = step.args[1], step.args[2]
        out = step.out
        if out.shape == ():
            self._plain(step)
            return
        basic = is_basic(key)
        if k in self.live.in_place:
            if x in self.static:
                self.static[out] = self.static[x]
            else:
                self.alias[out] = self.text(x)
        else:
            place = self.place(out, k)
            if place is None:
                self._assign(step, f"{self.text(x)}.copy()")
            else:
                self.writer.scope["copyto"] = np.copyto
                self.writer.write(f"copyto({place}, {self.text(x)})")
        target = self.text(out)
        if step.name == "set":
            text = key_text(key, self.writer) if basic else self._nested(key)
            self.writer.write(f"{target}[{text}] = {self.text(value)}")
            return
        if not basic:
            self.writer.scope["add_at"] = np.add.at
            self.writer.write(f"add_at({target}, {self._nested(key)}, {self.text(value)})")
            return
        if out in self.static and not (type(value) is Var and value.shape == () and selects_one(key, out)):
            name = self._once(f"{self.writer.name(out)}_part", f"{{}}[{key_text(key, self.writer)}]", target)
            self.writer.scope["add"] = np.add
            self.writer.write(f"add({name}, {self.text(value)}, {name})")
        else:
            self.writer.write(f"{target}[{key_text(key, self.writer)}] += {self.text(value)}")

    def _region(self, k: int, step: Step, region: Region) -> None:
        name = f"region{len(self._helpers)}"
        into = {v: self.text(x) for v, x in taken(region, functools.partial(self._may_take, k)).items()}
        for v in region.outs:
            place = None if v in into else self.place(v, k)
            if place is not None:
                into[v] = place
        source, kept = write_region(name, region, self.writer, self._ufunc, self._operands_in, into)
        self._helpers.append(source)
        for buffer, size, dtype in kept:
            self.writer.scope[buffer] = None
            self.views.append((buffer, functools.partial(_empty, (size,), dtype)))
        arguments = [*map(self.text, [*region.arrays, *region.scalars]), *[into[v] for v in region.outs if v in into]]
        self._assign(step, f"{name}({', '.join(arguments)})")

    def _operands_in(self, step: Step, names: Callable[[Var], str]) -> list[str]:
        kinds = [v.dtype for v in step.reads]
        same = len({name_of(d) for d in kinds}) == 1
        return [
            names(x) if type(x) is Var else self.number(x, kinds[0]) if same else self.writer.text(x) for x in step.args
        ]


def _empty(shape: tuple[int, ...], dtype: Any, _: dict[str, Any]) -> Any:
    return np.empty(shape, dtype)


def _row(name: str, k: int, own: dict[str, Any]) -> Any:
    return own[name][k]


def output(name: str) -> str:
    """How the array for a result is given."""
    return "out=" if name in BY_NAME else ""


def fits(v: Var) -> bool:
    """Whether an array is small enough for a buffer that stays."""
    return bool(v.size * v.dtype.itemsize <= MOST)
