"""Which variables share memory, and when memory is needed for the last time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agnograd.compiler.program import Program, Step, Var

# The result may share the memory of the first argument. A reshape may, and may be a copy.
VIEWS = frozenset(
    (
        *("reshape", "permute_dims", "expand_dims", "squeeze", "moveaxis", "flip", "matrix_transpose", "broadcast_to"),
        *("unstack", "linalg.diagonal", "linalg.matrix_transpose", "real", "imag", "broadcast_arrays", "getitem"),
        *("conj", "astype", "asarray", "meshgrid", "linalg.trace", "unpack"),
    )
)
WRITES = frozenset(("set", "add_into"))

# The result is an array of its own. Of all other functions it may be an argument, or share the memory of one: that of
# ``floor`` for whole numbers is, with some libraries.
_FRESH = frozenset(
    (
        *("add", "subtract", "multiply", "divide", "negative", "pow", "remainder", "floor_divide", "reciprocal"),
        *("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "square", "abs", "sign", "hypot", "logaddexp"),
        *("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
        *("maximum", "minimum", "where", "copysign", "nextafter", "equal", "not_equal", "less", "less_equal"),
        *("greater", "greater_equal", "isfinite", "isinf", "isnan", "signbit", "logical_and", "logical_or"),
        *("logical_xor", "logical_not", "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_invert"),
        *("sum", "prod", "max", "min", "mean", "var", "std", "any", "all", "argmax", "argmin", "count_nonzero"),
        *("matmul", "linalg.matmul", "tensordot", "vecdot", "linalg.outer", "outer_of_stacks", "concat", "stack"),
        *("full", "zeros", "ones", "empty", "full_like", "zeros_like", "ones_like", "empty_like", "eye", "arange"),
        *("copy", "set", "add_into", "scatter_add", "take", "tril", "triu", "cumulative_sum", "cumulative_prod"),
        *("sort", "argsort", "linspace", "region", "pack"),
    )
)


class Liveness:
    """Storage of the variables of a program.

    Attributes
    ----------
    root : dict
        A variable to the one whose memory it shares; itself, if nobody's.
    last : dict
        A root to the number of the last step that needs its memory; that after all steps for outputs.
    ends : dict
        A step to the variables whose name is read for the last time there, or was never.
    in_place : set of int
        Steps that write, and may do so into the array that they are given, because it is needed no longer and the
        program has made it.
    """

    def __init__(self, program: Program) -> None:
        self.root: dict[Var, Var] = {}
        self.last: dict[Var, int] = {}
        self.in_place: set[int] = set()
        self.ends: dict[int, list[Var]] = {}
        self._foreign = {*program.inputs, *program.constants}
        self._uses = _last_uses(program)
        # A root to those whose memory it may share, and to variables that may share its own.
        self._shares: dict[Var, set[Var]] = {}
        self._sharers: dict[Var, list[Var]] = {}
        self._made: dict[Var, Step] = {}
        for k, step in enumerate(program.steps):
            self._place(k, step)
        for v in self._made:
            self.ends.setdefault(self._uses.get(v, -1), []).append(v)
        unused = [(k, v) for k, step in enumerate(program.steps) for v in step.outs if v not in self._uses]
        for k, v in unused:
            self.ends.setdefault(k, []).append(v)
        for v, k in self._uses.items():
            root = self.root.get(v, v)
            if self.last.get(root, -1) < k:
                self.last[root] = k
        for step in reversed(program.steps) if self._shares else ():
            for v in step.outs:
                for root in self._shares.get(v, ()):
                    self.last[root] = max(self.last.get(root, -1), self.last.get(self._of(v), -1))
        self._dying: dict[int, list[Var]] = {}
        for root, k in self.last.items():
            self._dying.setdefault(k, []).append(root)
        for k, v in unused:
            if v not in self.last and self._of(v) is v:
                self._dying.setdefault(k, []).append(v)

    def _place(self, k: int, step: Step) -> None:
        shared = None
        if step.name in VIEWS and step.reads:
            # The other operands, an index say, are read and not kept.
            shared = self._of(step.reads[0])
        elif step.name in WRITES and type(step.args[0]) is Var and self._may_write(k, step, step.args[0]):
            self.in_place.add(k)
            shared = self._of(step.args[0])
        for v in step.outs:
            self._made[v] = step
            self.root[v] = v if shared is None else shared
            self._sharers.setdefault(self.root[v], []).append(v)
            if step.name not in _FRESH and step.name not in VIEWS:
                self._shares[v] = {self._of(x) for x in step.reads}
                for root in self._shares[v]:
                    self._sharers.setdefault(root, []).append(v)

    def _may_write(self, k: int, step: Step, x: Var) -> bool:
        root = self._of(x)
        # A view of something else is not to be written to, nor what a function may have handed on.
        own = root not in self._foreign and self._made[x].name in _FRESH and self._made[root].name in _FRESH
        return own and step.reads.count(x) == 1 and not self._is_needed(root, k)

    def may_take(self, k: int, x: Var) -> bool:
        """Whether step `k` may write its result over an operand: an array of the program that nothing else needs."""
        own = self._of(x) is x and x not in self._foreign and self._made[x].name in _FRESH
        return own and not self._is_needed(x, k)

    def _is_needed(self, root: Var, k: int) -> bool:
        """Whether the memory of a root is needed after step `k`."""
        waiting, seen = [root], {root}
        while waiting:
            v = waiting.pop()
            if self._uses.get(v, -1) > k:
                return True
            more = [x for x in self._sharers.get(v, ()) if x not in seen]
            seen.update(more)
            waiting += more
        return False

    def _of(self, v: Var) -> Var:
        return self.root.get(v, v)

    def beneath(self, variables: Iterable[Var]) -> set[Var]:
        """The roots whose memory is, or may be, that of some variables."""
        waiting = [self._of(v) for v in variables]
        found: set[Var] = set()
        while waiting:
            root = waiting.pop()
            if root not in found:
                found.add(root)
                waiting += self._shares.get(root, ())
        return found

    def dying(self, k: int) -> Sequence[Var]:
        """Roots whose memory step `k` is the last to need."""
        return self._dying.get(k, ())


def _last_uses(program: Program) -> dict[Var, int]:
    """Variables to the last step that reads them; outputs are read after all steps."""
    uses: dict[Var, int] = {}
    for k, step in enumerate(program.steps):
        for v in step.reads:
            uses[v] = k
    for v in program.results:
        uses[v] = len(program.steps)
    return uses
