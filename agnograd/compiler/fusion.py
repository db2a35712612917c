"""Elementwise steps in groups, each of which a backend can run as one kernel.

To find them, steps are put into *phases*: in each, groups come first, one for each shape, and then the steps that are
called as they are. A step is in the earliest phase in which all that it reads is there, so that what waits for nothing
joins what is there anyway; afterwards it goes back to the latest one that is not too late, where that keeps less in
memory. What is small against its readers, a number or a row, is computed within each group that reads it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from agnograd.compiler.liveness import WRITES, Liveness
from agnograd.compiler.program import Program, Step, Var
from agnograd.compiler.shapes import nbytes

# What may be repeated for the sake of one reader, in cheap steps, and what a step counts that is not cheap.
_REPEATED, _DEAR = 8, 4
# Bytes of results of unrelated steps that one group may have, and how many results of any size.
_SMALL, _RESULTS = 1 << 20, 4


@dataclass
class Group:
    """Elementwise steps that run together.

    Attributes
    ----------
    shape : tuple of int
        That of all results.
    steps : list of Step
    reads : list of Var
        Arrays that broadcast to `shape`.
    outs : list of Var
        What others need.
    """

    shape: tuple[int, ...]
    steps: list[Step]
    reads: list[Var]
    outs: list[Var]


@dataclass(frozen=True)
class Limits:
    """What one kernel may be.

    Attributes
    ----------
    steps : int
    arguments : callable
        ``arguments(ndim)``, how many arrays of that many axes it may read and write.
    """

    steps: int
    arguments: Callable[[int], int]


def fused(
    program: Program,
    fits: Callable[[Step], bool],
    *,
    spreads: Callable[[Step], bool],
    cheap: Callable[[Step], bool],
    limits: Limits,
) -> tuple[Program, dict[int, Group]]:
    """A program in which each group is one step, and the groups by the identities of these steps.

    Parameters
    ----------
    fits : callable
        Whether a step can be in a group.
    spreads : callable
        Whether a step that can be in a group costs nothing as a call of its own, a view or a constant: it joins those
        that read it, and never is a reason for a group.
    cheap : callable
        Whether a step may be repeated for each element of a larger array; a single number always may.
    """
    schedule = _Schedule(program, fits, spreads, cheap)
    if not schedule.fitting:
        return program, {}
    schedule.place()
    schedule.sink()
    steps: list[Step] = []
    groups: dict[int, Group] = {}
    for phase in schedule.phases():
        for kernel in phase:
            if isinstance(kernel, Step):
                steps.append(kernel)
                continue
            for together in schedule.connected(kernel):
                for group in schedule.parts(together, limits):
                    if len(group.steps) == 1:
                        steps += group.steps
                        continue
                    step = Step("region", group.reads, {}, group.outs, several=len(group.outs) > 1)
                    groups[id(step)] = group
                    steps.append(step)
    return replace(program, steps=schedule.ordered(steps, groups)), groups


def _without_arrays(program: Program, possible: set[int]) -> set[int]:
    """Steps that could be in a group, and go back to numbers alone: a kernel takes its size from an array."""
    found: set[int] = set()
    numbers: set[Var] = set()
    for step in program.steps:
        if id(step) in possible and numbers.issuperset(step.reads):
            found.add(id(step))
            numbers.update(step.outs)
    return found


class _Schedule:
    def __init__(
        self,
        program: Program,
        fits: Callable[[Step], bool],
        spreads: Callable[[Step], bool],
        cheap: Callable[[Step], bool],
    ) -> None:
        self.program = program
        self.results = set(program.results)
        self.made = {v: step for step in program.steps for v in step.outs}
        possible = {id(step) for step in program.steps if not step.several and fits(step)}
        spread = {id(step) for step in program.steps if id(step) in possible and spreads(step)}
        # Steps that groups are made of, and those that any group which reads them may repeat.
        self.fitting = possible - spread - _without_arrays(program, possible)
        self.spread = spread
        self.numbers = {id(step): k for k, step in enumerate(program.steps)}
        self.weight: dict[int, int] = {}
        otherwise = self._needed_otherwise()
        for step in program.steps:
            own = 1 if id(step) in spread or step.out.size == 1 or cheap(step) else _DEAR
            if id(step) in spread or (id(step) in self.fitting and (own == 1 or step.out not in otherwise)):
                beneath = [self._weight_of(v) for v in dict.fromkeys(step.reads)]
                if id(step) in spread:
                    beneath = [n for n in beneath if n <= _REPEATED]
                self.weight[id(step)] = own + sum(beneath)
        self.phase: dict[int, int] = {}
        self.steps = self._needed()
        self.readers: dict[Var, list[Step]] = {}
        for step in self.steps:
            for v in self.sources(step):
                self.readers.setdefault(v, []).append(step)

    def _needed_otherwise(self) -> set[Var]:
        """What is computed in any case, for other readers than larger groups."""
        return self.results | {
            v
            for step in self.program.steps
            for v in step.reads
            if id(step) not in self.fitting or step.out.size <= v.size
        }

    def _weight_of(self, v: Var) -> int:
        step = self.made.get(v)
        return 0 if step is None else self.weight.get(id(step), 0)

    def repeats(self, v: Var, step: Step) -> bool:
        """Whether `v` is computed within the group of a step that reads it."""
        made = self.made.get(v)
        if made is None or id(step) not in self.fitting:
            return False
        if id(made) in self.spread:
            return True
        return v.size < step.out.size and self.weight.get(id(made), _REPEATED + 1) <= _REPEATED

    def sources(self, step: Step) -> list[Var]:
        """What a step waits for: what it reads, and in the place of what its group repeats, what that reads."""
        found: dict[Var, None] = {}
        waiting = list(step.reads)
        while waiting:
            v = waiting.pop(0)
            if self.repeats(v, step):
                waiting = [*self.made[v].reads, *waiting]
            else:
                found[v] = None
        return list(found)

    def _needed(self) -> list[Step]:
        needed = set(self.results)
        kept = []
        for step in reversed(self.program.steps):
            if not needed.isdisjoint(step.outs):
                kept.append(step)
                needed.update(self.sources(step))
        return kept[::-1]

    # -- when ----------------------------------------------------------------------------------------------------------

    def place(self) -> None:
        """Put each step into the earliest phase."""
        self.live = Liveness(self.program)
        root = self.live.root
        # Who has read an array comes before who writes to it.
        latest: dict[Var, int] = {}
        for step in self.steps:
            k = max((self._after(self.made[v], step) for v in self.sources(step) if v in self.made), default=0)
            if step.name in WRITES and isinstance(step.args[0], Var):
                target = step.args[0]
                k = max(k, latest.get(root.get(target, target), 0))
            self.phase[id(step)] = k
            for v in self.sources(step):
                above = root.get(v, v)
                latest[above] = max(latest.get(above, 0), k)

    def _after(self, made: Step, step: Step) -> int:
        """The phase in which a step can be whose operand another one makes."""
        return self.phase[id(made)] + self._distance(made, step)

    def _distance(self, made: Step, step: Step) -> int:
        if id(step) not in self.fitting:
            return 0
        together = id(made) in self.fitting and made.out.shape == step.out.shape
        return 0 if together else 1

    def sink(self) -> None:
        """Put steps off as long as that keeps no more memory: results that only later groups read are made there."""
        root = self.live.root
        given = {*self.program.inputs, *self.program.constants}
        written = {root.get(s.args[0], s.args[0]) for s in self.steps if s.name in WRITES}
        members: dict[tuple[tuple[int, ...], int], int] = {}
        for step in self.steps:
            if id(step) in self.fitting:
                place = step.out.shape, self.phase[id(step)]
                members[place] = members.get(place, 0) + 1
        for step in reversed(self.steps):
            readers = [reader for v in step.outs for reader in self.readers.get(v, ())]
            if not readers or not self.results.isdisjoint(step.outs):
                continue
            sources = [v for v in self.sources(step) if v not in given]
            if step.name in WRITES or any(root.get(v, v) in written for v in (*sources, *step.outs)):
                continue
            now = self.phase[id(step)]
            late = min(self.phase[id(reader)] - self._distance(step, reader) for reader in readers)
            if id(step) in self.fitting:
                shape = step.out.shape
                # Alone it may stand anywhere; otherwise it is to be no group more.
                alone = members[shape, now] == 1
                late = next((k for k in range(late, now, -1) if members.get((shape, k))), late if alone else now)
            if late <= now or self._kept(sources, step, late) > sum(map(nbytes, step.outs)):
                continue
            self.phase[id(step)] = late
            if id(step) in self.fitting:
                members[step.out.shape, now] -= 1
                members[step.out.shape, late] = members.get((step.out.shape, late), 0) + 1

    def _kept(self, sources: list[Var], step: Step, late: int) -> int:
        """Bytes that would be kept for a step if it ran later."""
        return sum(
            nbytes(v)
            for v in sources
            if v not in self.results
            and all(self.phase[id(reader)] < late for reader in self.readers[v] if reader is not step)
        )

    # -- what together -------------------------------------------------------------------------------------------------

    def phases(self) -> Iterator[list[Step | list[Step]]]:
        """For each phase its groups, as lists of steps, and the steps that are called."""
        count = max(self.phase.values(), default=-1) + 1
        groups: list[dict[tuple[int, ...], list[Step]]] = [{} for _ in range(count)]
        others: list[list[Step]] = [[] for _ in range(count)]
        for step in self.steps:
            k = self.phase[id(step)]
            if id(step) in self.fitting:
                groups[k].setdefault(step.out.shape, []).append(step)
            else:
                others[k].append(step)
        return iter([[*first.values(), *second] for first, second in zip(groups, others, strict=True)])

    def connected(self, steps: list[Step]) -> Iterator[list[Step]]:
        """The steps of a group by what they have to do with one another.

        Those that have nothing are together as long as their results are small: one after another they would not need
        memory for all of them at a time.
        """
        above: dict[Var, Var] = {}

        def top(v: Var) -> Var:
            while above[v] is not v:
                above[v] = above[above[v]]
                v = above[v]
            return v

        for step in steps:
            above[step.out] = step.out
            for v in self.sources(step):
                if v in above:
                    above[top(v)] = step.out
        members: dict[Var, list[Step]] = {}
        for step in steps:
            members.setdefault(top(step.out), []).append(step)
        most = max(_SMALL, _RESULTS * nbytes(steps[0].out))
        found: list[Step] = []
        total = 0
        for part in members.values():
            own = {id(step) for step in part}
            size = sum(nbytes(step.out) for step in part if self._is_read_outside(step, own))
            if found and total + size > most:
                yield sorted(found, key=self._number)
                found, total = [], 0
            found += part
            total += size
        yield sorted(found, key=self._number)

    def _number(self, step: Step) -> int:
        return self.numbers[id(step)]

    def _is_read_outside(self, step: Step, own: set[int]) -> bool:
        return step.out in self.results or any(id(reader) not in own for reader in self.readers.get(step.out, ()))

    def ordered(self, steps: list[Step], groups: dict[int, Group]) -> list[Step]:
        """Steps in an order near that in which they were recorded: each when its last part was, or when it is read."""
        root = self.live.root
        made = {v: k for k, step in enumerate(steps) for v in step.outs}
        before: list[set[int]] = [{made[v] for v in step.reads if v in made} for step in steps]
        reading: dict[Var, list[int]] = {}
        for k, step in enumerate(steps):
            if step.name in WRITES and isinstance(step.args[0], Var):
                before[k].update(reading.get(root.get(step.args[0], step.args[0]), ()))
            for v in step.reads:
                reading.setdefault(root.get(v, v), []).append(k)
        own = [max(map(self._number, groups[id(s)].steps)) if id(s) in groups else self._number(s) for s in steps]
        after: list[list[int]] = [[] for _ in steps]
        for k in reversed(range(len(steps))):
            for j in before[k]:
                after[j].append(k)
                own[j] = min(own[j], own[k])
        missing = [len(needed) for needed in before]
        ready = [(own[k], k) for k, n in enumerate(missing) if not n]
        heapq.heapify(ready)
        done = []
        while ready:
            _, k = heapq.heappop(ready)
            done.append(steps[k])
            for j in after[k]:
                missing[j] -= 1
                if not missing[j]:
                    heapq.heappush(ready, (own[j], j))
        return done

    def parts(self, steps: list[Step], limits: Limits) -> Iterator[Group]:
        """The kernels of a group, each within the limits."""
        shape = steps[0].out.shape
        most = limits.arguments(len(shape))
        while steps:
            count = self._fitting_in(steps, most, limits.steps)
            yield self._group(shape, steps[:count])
            steps = steps[count:]

    def _fitting_in(self, steps: list[Step], most: int, most_steps: int) -> int:
        """How many of the steps, from the first on, are one kernel."""
        reads: set[Var] = set()
        waiting: dict[Var, int] = {}
        counted: set[int] = set()
        best = 1
        for k, step in enumerate(steps):
            counted.add(id(step))
            counted.update(id(s) for s in self._repeated(step))
            if len(counted) > most_steps:
                break
            for v in self.sources(step):
                if v not in waiting:
                    reads.add(v)
                    continue
                waiting[v] -= 1
                if not waiting[v] and v not in self.results:
                    del waiting[v]
            n = len(self.readers.get(step.out, ()))
            waiting[step.out] = n
            outs = len(waiting)
            if len(reads) + outs <= most:
                best = k + 1
        return best

    def _repeated(self, step: Step) -> list[Step]:
        """The steps that are repeated within the group of a step that reads them, in order."""
        found: dict[int, Step] = {}

        def visit(v: Var) -> None:
            if self.repeats(v, step) and id(self.made[v]) not in found:
                for x in self.made[v].reads:
                    visit(x)
                found[id(self.made[v])] = self.made[v]

        for v in step.reads:
            visit(v)
        return list(found.values())

    def _group(self, shape: tuple[int, ...], steps: list[Step]) -> Group:
        everything: dict[int, Step] = {}
        own = {id(step) for step in steps}
        for step in steps:
            for inner in (*self._repeated(step), step):
                everything.setdefault(id(inner), inner)
        inside = {step.out for step in everything.values()}
        reads = dict.fromkeys(v for step in everything.values() for v in step.reads if v not in inside)
        outs = [step.out for step in steps if self._is_read_outside(step, own)]
        return Group(shape, list(everything.values()), list(reads), outs)
