"""What the tests of bad input share: operands by name, and a look at the message and at what is left behind.

A case is ``(error, call, *words)``. The parameters of `call` say what it is given, as those of a test name fixtures:
``lambda leaf, strict: leaf + strict``. The words have to be in the message: what was asked with shapes, dtypes,
backends and devices, why it cannot be done, what to do. No message may hold a value of an array, since formatting it
would compute a lazy array and synchronise a GPU.
"""

from __future__ import annotations

import contextlib
import inspect
import traceback

import array_api_strict
import numpy as np
import pytest

import agnograd as ag
from agnograd import errors
from agnograd.core.array import innermost
from agnograd.core.facts import raw_space
from agnograd.core.level import recording
from agnograd.core.views import settled

# Values that no message may show, in any way that a library prints them.
A, B, C = 0.8414709, 0.5403023, 0.9092974
SHOWN = ("0.84", "0.54", "0.91", "0.909")

CPU = array_api_strict.Device("CPU_DEVICE")
DEVICE1 = array_api_strict.Device("device1")

# What users catch who never heard of agnograd's own classes.
BUILTINS = {
    errors.GradientError: RuntimeError,
    errors.AnomalyError: (FloatingPointError, RuntimeError),
    errors.FunctionError: (TypeError, RuntimeError),
    errors.HookError: (TypeError, RuntimeError),
    errors.CotangentError: (ValueError, RuntimeError),
    errors.BatchedValueError: (TypeError, ValueError),
    errors.TraceError: (TypeError, ValueError, RuntimeError),
    errors.LinearityError: ValueError,
    errors.NotDifferentiableError: (TypeError, ValueError, RuntimeError),
    errors.InplaceError: RuntimeError,
    errors.GradientLostError: (TypeError, BufferError, RuntimeError),
    errors.MixedBackendsError: TypeError,
    errors.MixedDevicesError: ValueError,
    errors.ForeignArrayError: TypeError,
    errors.EscapedError: RuntimeError,
    errors.ImplicitComputeError: TypeError,
    errors.BlocksError: (TypeError, ValueError),
    errors.LevelError: RuntimeError,
    errors.TreeError: ValueError,
    errors.SparsityError: ValueError,
    errors.ConvergenceError: RuntimeError,
    errors.MissingLibraryError: ImportError,
    errors.ConformanceError: AssertionError,
    errors.GradcheckError: (AssertionError, RuntimeError),
    errors.MissingRuleError: NotImplementedError,
    errors.UnsupportedError: NotImplementedError,
    errors.RuleError: TypeError,
    errors.UnknownOperationError: LookupError,
    errors.UnknownBackendError: LookupError,
    errors.UnknownPluginError: LookupError,
    errors.BackendUnavailableError: ImportError,
    errors.ConflictError: LookupError,
    errors.PluginError: TypeError,
}


class Unknown:
    """An array of a library that nobody has described. Looking at its values is an error."""

    shape = (3,)
    dtype = "float64"

    def __repr__(self):
        raise AssertionError("the values were looked at")

    __str__ = __array__ = __float__ = __repr__


OPERANDS = {
    "leaf": lambda: ag.tensor([A, B, C], requires_grad=True),
    "constant": lambda: ag.tensor([A, B, C]),
    "integers": lambda: ag.tensor([1, 2, 3]),
    "raw": lambda: np.array([A, B, C]),
    "strict": lambda: ag.tensor(array_api_strict.asarray([A, B, C])),
    "strict_leaf": lambda: ag.tensor(array_api_strict.asarray([A, B, C]), requires_grad=True),
    "strict_integers": lambda: ag.tensor(array_api_strict.asarray([1, 2, 3])),
    "strict_raw": lambda: array_api_strict.asarray([A, B, C]),
    "on_device1": lambda: ag.tensor(array_api_strict.asarray([A, B, C], device=DEVICE1)),
    "leaf_on_device1": lambda: ag.tensor(array_api_strict.asarray([A, B, C], device=DEVICE1), requires_grad=True),
    "raw_on_device1": lambda: array_api_strict.asarray([A, B, C], device=DEVICE1),
    "unknown": Unknown,
}


@contextlib.contextmanager
def unchanged(*operands):
    """Grad mode, level, default backend and the operands - value, node and gradient - are the same after a failure."""

    def state(x):
        if isinstance(x, Unknown):
            return x
        raw = innermost(settled(x))
        grad = getattr(x, "_grad", None)
        value = (type(raw), raw_space(raw).backend.to_host(raw).tolist(), x.shape, x.dtype, str(x.device))
        return value, getattr(settled(x), "_node", None), id(grad), None if grad is None else grad.tolist()

    def everything():
        return recording(), ag.default_backend(), [state(x) for x in operands]

    before = everything()
    yield
    assert everything() == before


def check(case, *given):
    """Run a case, and look at the message and at what is left behind; returns the message with its notes."""
    error, call, *words = case
    operands = given or [OPERANDS[name]() for name in inspect.signature(call).parameters]
    with unchanged(*operands):
        with pytest.raises(error) as caught:
            call(*operands)
        raised = caught.value
        text = "\n".join([str(raised), *getattr(raised, "__notes__", ())])
        for word in words:
            assert word in text, f"{word!r} is not in: {text}"
        assert not any(value in text for value in SHOWN), f"a value is in: {text}"
        # Said once: no attempt that failed before on another path is told as well.
        assert "another exception occurred" not in "".join(traceback.format_exception(raised))
        for class_, builtin in BUILTINS.items():
            assert not isinstance(raised, class_) or isinstance(raised, builtin)
        del caught, raised
    return text


def over(cases):
    """Parametrise a test over a table of cases, by their names."""
    return pytest.mark.parametrize("case", list(cases.values()), ids=list(cases))


def write(x, key, value):
    x[key] = value
