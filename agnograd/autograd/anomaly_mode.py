"""PyTorch's ``torch.autograd.anomaly_mode``: find the operation that made a NaN, and the line that called it."""

from __future__ import annotations

from agnograd.core import anomaly
from agnograd.core.anomaly import Checks
from agnograd.core.level import anomaly_checks
from agnograd.core.saved import update_mode

__all__ = ["detect_anomaly", "set_detect_anomaly"]


class set_detect_anomaly:  # noqa: N801 - PyTorch's name
    """Turn anomaly mode on or off from now on; as a context manager for a block only.

    Parameters
    ----------
    mode : bool
        Whether it is on.
    check_nan, check_inf : bool
        Whether a NaN or an infinity in a gradient raises.
    check_forward : bool
        Whether one that an operation computes raises, too. Everything is recorded on a slow path then.

    Examples
    --------
    >>> import agnograd as ag
    >>> with ag.autograd.set_detect_anomaly(True):
    ...     x = ag.tensor([4.0], requires_grad=True)
    ...     ag.sum(ag.sqrt(x)).backward()
    >>> x.grad
    tensor([0.2500])
    """

    def __init__(
        self, mode: bool, check_nan: bool = True, *, check_inf: bool = False, check_forward: bool = False
    ) -> None:
        self._outer = anomaly_checks.get()
        self._mode = mode
        if mode:
            anomaly.enable()
            anomaly_checks.set(Checks(check_nan, check_inf, check_forward))
        else:
            if self._outer is not None:
                anomaly.disable()
            anomaly_checks.set(None)
        update_mode()

    def __enter__(self) -> None:
        """Go on in the mode that was set."""

    def __exit__(self, *error: object) -> None:
        if self._mode:
            anomaly.disable()
        elif self._outer is not None:
            anomaly.enable()
        anomaly_checks.set(self._outer)
        update_mode()


class detect_anomaly:  # noqa: N801 - PyTorch's name
    """Within a block, note where operations are called, and raise where a backward pass makes a NaN.

    To note a line costs a fraction of a microsecond for an operation, and nothing outside of such blocks. The backward
    pass looks at all gradients: lazy arrays are computed, and a GPU is waited for.

    Parameters
    ----------
    check_nan, check_inf : bool
        Whether a NaN or an infinity in a gradient raises.
    check_forward : bool
        Whether one that an operation computes raises, too.

    Raises
    ------
    AnomalyError
        In the backward pass (or, with `check_forward`, at once); it names the operation and the line.

    Examples
    --------
    >>> import agnograd as ag
    >>> import numpy as np
    >>> x = ag.tensor([0.0, 1.0], requires_grad=True)
    >>> with ag.autograd.detect_anomaly(), np.errstate(all="ignore"):
    ...     (ag.sqrt(x) * 0).sum().backward()
    Traceback (most recent call last):
        ...
    agnograd.errors.AnomalyError: function 'SqrtBackward0' returned nan values in its 0th output.
    the operation was called here:
      File "<doctest agnograd.autograd.anomaly_mode.detect_anomaly[3]>", line 2, in <module>
        (ag.sqrt(x) * 0).sum().backward()
    """

    def __init__(self, check_nan: bool = True, *, check_inf: bool = False, check_forward: bool = False) -> None:
        self._options = {"check_nan": check_nan, "check_inf": check_inf, "check_forward": check_forward}

    def __enter__(self) -> None:
        self._block = set_detect_anomaly(True, **self._options)

    def __exit__(self, *error: object) -> None:
        self._block.__exit__(*error)
