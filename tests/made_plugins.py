"""Plugins made up on the spot, and what they provide: an operation, the text of one, a backend."""

from __future__ import annotations

import agnograd as ag
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import elementwise


class Plugin:
    """A plugin made on the spot: ``Plugin(ops=[...], kernels=[...])``."""

    def __init__(self, **provided):
        for hook, items in provided.items():
            setattr(self, f"agnograd_{hook}", ag.hookimpl(lambda items=items: items))


def cube(name="tests.cube"):
    return elementwise(
        f"{name}(x, /)",
        body=lambda xp, x: x * x * x,
        x=lambda xp, g, x: 3 * g * x * x,
        samples=[Sample((Uniform(),))],
        doc="x to the third",
    )


CUBE = """
    from agnograd.hookspecs import Sample, Uniform, elementwise

    @hookimpl
    def agnograd_ops():
        yield elementwise(
            "{name}(x, /)",
            body=lambda xp, x: x * x * x,
            x=lambda xp, g, x: 3 * g * x * x,
            samples=[Sample((Uniform(),))],
        )
"""

TINY = ag.Backend(
    name="tiny",
    namespace="tiny_arrays",
    array_types=("tiny_arrays:Tiny",),
    to_host=lambda x: x.values,
    device=lambda x: x.device,
)


def record_of(manager, name):
    (record,) = [r for r in manager.records if r.name == name and not r.built_in]
    return record
