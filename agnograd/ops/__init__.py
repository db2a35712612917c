"""The rules, one module for each page of the standard.

A module is a table to read: every `Op` among its names is registered, in order.
"""

from __future__ import annotations

from types import ModuleType

from agnograd.core.op import Op
from agnograd.core.table import register
from agnograd.ops import (
    activation,
    chunking,
    contraction,
    creation,
    data_type,
    documentation,
    elementwise,
    fft,
    indexing,
    linalg,
    linear_algebra,
    manipulation,
    searching,
    sets,
    sorting,
    statistical,
    utility,
)

FAMILIES: tuple[ModuleType, ...] = (
    elementwise,
    statistical,
    linear_algebra,
    manipulation,
    indexing,
    searching,
    sorting,
    sets,
    data_type,
    creation,
    utility,
    fft,
    linalg,
    contraction,
    activation,
    chunking,
)

for _family in FAMILIES:
    for _value in list(vars(_family).values()):
        if isinstance(_value, Op):
            register(_value).call.__doc__ = documentation.docstring(_value)
