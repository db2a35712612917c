"""A storage in pure Python, NumPy inside and CuPy's manners outside.

It fails where CuPy fails, and also where CuPy silently leaves a result undefined. It needs no CuPy
and costs little: fit for every run of the test matrix. Each trait is copied from a place in CuPy
14.2 or in array-api-compat's CuPy namespace, or is stricter where a comment says so:

- NumPy arrays are refused as operands, and nothing converts to one implicitly.
- Two devices; work happens on the current one, which is a matter of the thread. An operand
  elsewhere is an error (CuPy warns and puts the result on the wrong device).
- Whatever needs a value on the host is a synchronisation: counted, and refused under
  ``forbid_synchronisation``.
- Memory of ``empty`` holds NaN; assignment to repeated indices and writes into broadcast views are
  errors; scatter-add happens in random order, as atomics do.
- Singular matrices give NaN, not LinAlgError; ``solve`` does not broadcast.

``xp`` is the Array API namespace.
"""

from . import namespace as xp
from .array import Array, Device
from .state import (
    DeviceError,
    SynchronisationError,
    counting,
    forbid_host_indices,
    forbid_masks,
    forbid_synchronisation,
)

__all__ = [
    "Array",
    "Device",
    "DeviceError",
    "SynchronisationError",
    "counting",
    "forbid_host_indices",
    "forbid_masks",
    "forbid_synchronisation",
    "xp",
]
