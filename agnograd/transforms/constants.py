"""What is constant to every transformation."""

from __future__ import annotations

from typing import Any

import optree

from agnograd.core.array import Array
from agnograd.core.batch import detached
from agnograd.core.nodes import wrap
from agnograd.core.views import settled


def stop_gradient(x: Any) -> Any:
    """The same values, constant to every transformation and graph; takes a tree.

    Parameters
    ----------
    x : tree
        Arrays or trees of them.

    Returns
    -------
    tree

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.grad(lambda x: x * ag.stop_gradient(x))(ag.tensor(3.0))
    tensor(3.)
    """
    return optree.tree_map(lambda leaf: wrap(detached(settled(leaf)), None) if isinstance(leaf, Array) else leaf, x)
