"""NumPy's functions written with those of a tensor's namespace: NumPy's parameters, the table's derivatives.

Each takes the namespace first and then what NumPy's function of that name takes, in its order. A parameter that is left
out here is one that is not supported. ``out`` is dealt with by `agnograd.interop.numpy_dispatch`.
"""

from agnograd.interop.numpy_functions import constants, differences, elements, places, products, reductions, shapes
from agnograd.interop.numpy_functions.registry import CONSTANTS, FUNCTIONS, by_name
from agnograd.interop.numpy_functions.ufuncs import UFUNCS

__all__ = [
    "CONSTANTS",
    "FUNCTIONS",
    "UFUNCS",
    "by_name",
    "constants",
    "differences",
    "elements",
    "places",
    "products",
    "reductions",
    "shapes",
]
