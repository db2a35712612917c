"""The hooks: what the plugin brings. They return descriptions, and import nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator

from agnograd.hookspecs import Backend, Op, hookimpl
from agnograd_template import operations


@hookimpl
def agnograd_ops() -> Iterator[Op]:
    """The operations."""
    yield operations.log_cosh


@hookimpl
def agnograd_backends() -> Iterator[Backend]:
    """The backend: names of modules and classes are strings, so that describing it does not import its library."""
    yield Backend(
        name="template",
        namespace="agnograd_template.arrays",
        array_types=("agnograd_template.arrays:Array",),
        to_host=lambda x: x.data,
        doc="the array library of agnograd-template",
    )
