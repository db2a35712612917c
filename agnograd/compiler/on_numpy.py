"""NumPy's generator: the same calls with nothing allocated that need not be, and large arrays in blocks.

Results go into buffers that a program keeps (`storage`); a view of a buffer is made once. Single numbers are computed
by operators, which take a sixth of the time of a function. Constants are arrays without axes: NumPy takes them faster
than Python's numbers. A program may run in several threads at once, or within itself: each run has buffers of its own.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np  # noqa: TID253 - this module is imported for programs on NumPy only

from agnograd.compiler.blocks import BY_NAME, taken, write_region
from agnograd.compiler.liveness import VIEWS
from agnograd.compiler.numpy_places import Places, fits
from agnograd.compiler.numpy_views import TEXTS, adds_ones_only, is_basic, key_text, selects_one
from agnograd.compiler.packing import is_unary
from agnograd.compiler.program import Program, Step, Var, name_of
from agnograd.compiler.regions import Region, blocked
from agnograd.compiler.shapes import function_of
from agnograd.compiler.source import Code, Draft, guards_after, pooled
from agnograd.compiler.stacks import stacks

# Elements from which on a call of what Numba compiles is the faster one.
_MANY = 32

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

_OPERANDS = frozenset((Var, int, float, complex, bool))


def generate(program: Program, *, native: bool = False) -> Code:
    """The code of a program.

    Parameters
    ----------
    native : bool
        Have elementary functions of many elements computed by what Numba compiles.
    """
    kernels: dict[str, Callable[..., Any]] = {}
    if native:
        from agnograd.compiler.vectors import KERNELS as kernels  # noqa: N811
    return _Generator(program, kernels).code()


class _Generator(Places):
    def __init__(self, program: Program, kernels: Mapping[str, Callable[..., Any]]) -> None:
        self.space = program.space
        self._kernels = kernels
        self._ufuncs: dict[int, tuple[Any, Step]] = {}
        self._by_name: dict[str, tuple[Any, int]] = {}
        program, self.regions = blocked(program, self._is_blockwise)
        super().__init__(program)
        self.notes: list[str] = []
        # Steps that are part of a call on a stack.
        self.in_stacks: set[int] = set()
        self._helpers: list[str] = []
        self._native: set[int] = set()
        self._flattened: set[str] = set()
        # The first of these that can write a step does.
        self._attempts = (self._view, self._scalar, self._elementwise, self._product, self._reduction, self._cast)

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
        found, operands = self._called(step.name)
        plain = operands == len(step.args) and _OPERANDS.issuperset(map(type, step.args))
        return found if plain else None

    def _called(self, name: str) -> tuple[Any, int]:
        """The universal function of a name, and how many operands it takes; -1 where it is none."""
        if name not in self._by_name:
            found: Any = function_of(self.space, name)
            fits = isinstance(found, np.ufunc) and found.nout == 1 and not found.signature
            self._by_name[name] = found, found.nin if fits else -1
        return self._by_name[name]

    # -- the whole ---------------------------------------------------------------------------------------------------

    def code(self) -> Code:
        """Write all steps."""
        checks = guards_after(self.program)
        for v in self.often_viewed():
            buffer = self.buffers.take(v.size * v.dtype.itemsize)
            if buffer is not None:
                place = self.at(v, buffer)
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
            self.release(k)
        outputs = [self.text(v) + (".copy()" if v in self.copies() else "") for v in self.program.outputs]
        source = "".join(self._helpers) + self.writer.source(outputs)
        setup = [(f"b{i}", self.empty((size,), np.dtype(np.uint8))) for i, size in enumerate(self.buffers.sizes)]
        draft = Draft("".join([f"{name} = {text}\n" for name, text in (*setup, *self.views)]), self.writer.scope)
        return Code(source, pooled(source, draft), self._described(), np.asarray, draft)

    def _stack(self) -> dict[int, list[str]]:
        """Give stacks their places; the calls on them, by the step after which they stand."""
        lines: dict[int, list[str]] = {}
        for i, stack in enumerate(stacks(self.program, self._ufunc, self._can_place)):
            calls = []
            for name, rows in ((f"stack{i}", stack.operands), (f"results{i}", [s.out for s in stack.steps])):
                shape, dtype = (len(rows), *rows[0].shape), rows[0].dtype
                self.views.append((name, self.empty(shape, dtype)))
                parts = [f"{name}_{k}" for k in range(len(rows))]
                self.views.append((f"{', '.join(parts)},", name))
                self.rows.update(zip(rows, parts, strict=True))
                self.whole.update(rows)
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
        free = v not in self.rows and self.is_own(v)
        return free and id(step) not in self.regions and self._ufunc(step) is not None

    def _described(self) -> list[str]:
        regions = [f"{len(r.steps)} elementwise steps on {r.shape} in blocks" for r in self.regions.values()]
        kept = sum(self.buffers.sizes)
        native = f"{len(self._native)} elementary functions run natively"
        return [
            *regions,
            *([native] if self._native else []),
            *self.notes,
            f"results in buffers: {len(self.placed)} in {len(self.buffers.sizes)}, of {kept} bytes in all",
        ]

    # -- one step ----------------------------------------------------------------------------------------------------

    def _step(self, k: int, step: Step) -> None:
        if step.name == "full":
            self._full(step)
        elif step.name in ("set", "add_into"):
            self._write(k, step)
        elif step.name == "pack":
            self._pack(step)
        elif step.name == "unpack":
            self._unpack(step)
        else:
            for attempt in self._attempts:
                if attempt(k, step):
                    return
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
        kernel = None if place is None or step.reads[0] not in self.whole else self._kernel(step)
        if kernel is not None:
            self.writer.write(f"{kernel}({', '.join([self._flat(x) for x in (*step.reads, step.out)])})")
            return True
        call = f"{self._function(step.name)}({', '.join(operands)}"
        if place is None:
            taken = self._taken(k, step)
            self._assign(step, f"{call})" if taken is None else f"{call}, {output(step.name)}{self.text(taken)})")
        else:
            self.writer.write(f"{call}, {output(step.name)}{place})")
        return True

    def _flat(self, x: Var) -> str:
        """An array in one piece without its axes."""
        place = self.text(x)
        if len(x.shape) == 1:
            return place
        if x not in self.static:
            return f"{place}.reshape(-1)"
        name = f"{place}_flat"
        if name not in self._flattened:
            self._flattened.add(name)
            self.views.append((name, f"{place}.reshape(-1)"))
        return name

    def _kernel(self, step: Step) -> str | None:
        """What Numba compiles for a step on arrays in one piece, if that is worth it."""
        x, out = step.reads[0], step.out
        if step.name not in self._kernels or out.size < _MANY or (x.shape, x.dtype) != (out.shape, out.dtype):
            return None
        if name_of(x.dtype) != "float64":
            return None
        name = f"native_{step.name}"
        self.writer.scope[name] = self._kernels[step.name]
        self._native.add(id(step))
        return name

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
            self.static[out] = self.once(self.writer.name(out), text, base)
            if step.name in ("reshape", "expand_dims", "squeeze") and x in self.whole:
                self.whole.add(out)
            return True
        self._assign(step, text.format(self.text(x)))
        return True

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
            name = self.once(f"{self.writer.name(out)}_part", f"{{}}[{key_text(key, self.writer)}]", target)
            self.writer.scope["add"] = np.add
            self.writer.write(f"add({name}, {self.text(value)}, {name})")
        else:
            self.writer.write(f"{target}[{key_text(key, self.writer)}] += {self.text(value)}")

    def _pack(self, step: Step) -> None:
        self.writer.scope["copyto"] = np.copyto
        for v, part in self.packs[step.out]:
            if self.text(v) != part:
                self.writer.write(f"copyto({part}, {self.text(v)})")
        self._assign(step, f"{self.writer.name(step.out)}_all.copy()")

    def _unpack(self, step: Step) -> None:
        x = step.reads[0]
        if x in self.outside:
            # A caller may get a part.
            start = 0
            for v in step.outs:
                self.writer.write(
                    f"{self.writer.name(v)} = {self.text(x)}[{start}:{start + v.size}].reshape({v.shape!r})"
                )
                start += v.size
            return
        self.writer.scope["copyto"] = np.copyto
        self.writer.write(f"copyto({self.writer.name(x)}_all, {self.text(x)})")
        self.static.update(self.parts(x, step.outs))
        self.whole.update(step.outs)
        wanted = {s.args[0]: s for s in self.program.steps if is_unary(s) and self._can_place(s, s.out)}
        start = 0
        for (name, shape), group in itertools.groupby(step.outs, lambda v: (v in wanted and wanted[v].name, v.shape)):
            rows = list(group)
            size = sum(v.size for v in rows)
            if name and len(rows) > 1:
                self._together(f"{self.writer.name(x)}_all[{start}:{start + size}]", [wanted[v] for v in rows], shape)
            start += size

    def _together(self, operands: str, steps: list[Step], shape: tuple[int, ...]) -> None:
        """One call for several steps, whose operands lie side by side."""
        name = f"results{len(self.in_stacks)}_{steps[0].name}"
        shape = (len(steps), *shape)
        self.views.append((name, self.empty(shape, steps[0].out.dtype)))
        self.views.append((f"{name}_of", f"{operands}.reshape({shape!r})"))
        for i, step in enumerate(steps):
            self.views.append((f"{name}_{i}", f"{name}[{i}]"))
            self.rows[step.out] = self.static[step.out] = f"{name}_{i}"
            self.whole.add(step.out)
            self.in_stacks.add(id(step))
        self.writer.write(f"{self._function(steps[0].name)}({name}_of, {name})")

    def _region(self, k: int, step: Step, region: Region) -> None:
        name = f"region{len(self._helpers)}"
        into = {v: self.text(x) for v, x in taken(region, functools.partial(self._may_take, k)).items()}
        for v in region.outs:
            place = None if v in into else self.place(v, k)
            if place is not None:
                into[v] = place
        source, kept = write_region(name, region, self.writer, self._ufunc, self._operands_in, self._kernel, into)
        self._helpers.append(source)
        for buffer, size, dtype in kept:
            self.views.append((buffer, self.empty((size,), dtype)))
        arguments = [*map(self.text, [*region.arrays, *region.scalars]), *[into[v] for v in region.outs if v in into]]
        self._assign(step, f"{name}({', '.join(arguments)})")

    def _operands_in(self, step: Step, names: Callable[[Var], str]) -> list[str]:
        kinds = [v.dtype for v in step.reads]
        same = len({name_of(d) for d in kinds}) == 1
        return [
            names(x) if type(x) is Var else self.number(x, kinds[0]) if same else self.writer.text(x) for x in step.args
        ]


def output(name: str) -> str:
    """How the array for a result is given."""
    return "out=" if name in BY_NAME else ""
