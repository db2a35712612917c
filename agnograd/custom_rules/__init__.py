"""Functions with a derivative of their own, as in JAX: `custom_vjp`, `custom_jvp` and `custom_gradient`.

A call runs at the highest level among its arguments: the rule is called with what that level holds, and what it returns
becomes a node of its graph or its tangent. Derivatives of derivatives are those of the rules themselves, which are made
of operations.

============= ==========================================================================================
module        holds
============= ==========================================================================================
calls         arguments of a call: by position, flat, and those that are no part of it
rules         what is known of a call, and how it runs at a level
batches       the same for all members of a batch
nodes         the node of a call in a graph
============= ==========================================================================================
"""

from __future__ import annotations

from agnograd.custom_rules.forward_rule import custom_jvp
from agnograd.custom_rules.gradient import custom_gradient
from agnograd.custom_rules.reverse_rule import custom_vjp

__all__ = ["custom_gradient", "custom_jvp", "custom_vjp"]
