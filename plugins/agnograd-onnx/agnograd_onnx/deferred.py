"""Arrays that stand for values without showing them, and the values of an array.

ndonnx computes whatever it can while it traces: an operation on constants alone runs at once, each in a session of its
own, which takes ten times as long as to record it. Here values are hidden: what is done with them is recorded, and all
of it runs in one session when somebody asks. So nothing can look at a value by accident, either.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import ndonnx as ndx
import numpy as np
import onnx
import onnxruntime
import spox
from agnograd.errors import AgnogradError
from onnx import helper, numpy_helper

Array = Any

# The opset of the operators that ndonnx uses.
_OPSET = 21
_HIDDEN = "agnograd_hidden"


class TracedValueError(AgnogradError, TypeError, ValueError):
    """The value of an array was asked for that has none, because a model is being traced."""


@cache
def _hidden() -> Array:
    # An input of every model with hidden values, which it does not use: what rests on an input is unknown to ndonnx.
    return ndx.argument(shape=(0,), dtype=ndx.bool)


def array(host: Any) -> Array:
    """An array that stands for the values of a NumPy array.

    Raises
    ------
    TypeError
        If ONNX has no such dtype, or ndonnx does not: complex numbers.
    """
    host = np.asarray(host)
    ndx.from_numpy_dtype(host.dtype)
    dtype = helper.np_dtype_to_tensor_dtype(host.dtype)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["values"], ["array"])],
        "hidden",
        [helper.make_tensor_value_info(_HIDDEN, onnx.TensorProto.BOOL, (0,))],
        [helper.make_tensor_value_info("array", dtype, host.shape)],
        [numpy_helper.from_array(np.ascontiguousarray(host).reshape(host.shape), "values")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    return ndx.asarray(spox.inline(model)(**{_HIDDEN: _hidden().unwrap_spox()})["array"])


def values(x: Array) -> Any:
    """The values of an array as a NumPy array.

    Raises
    ------
    TracedValueError
        If they depend on inputs of a model that is being traced.
    """
    try:
        return x.unwrap_numpy()
    except ValueError:
        pass
    try:
        model = build({}, {"values": x})
    except KeyError:
        msg = (
            f"the values of an array of shape {x.shape} and dtype {x.dtype} are not known: they depend on the inputs "
            f"of a model that is being traced. Choose with agnograd.where in the place of `if`, and repeat a fixed "
            f"number of times in the place of `while`; what does not depend on inputs may be anything."
        )
        raise TracedValueError(msg) from None
    return session(model).run(None, {})[0]


def build(inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> onnx.ModelProto:
    """The model that computes `outputs` from `inputs`, in which hidden values are constants.

    Raises
    ------
    KeyError
        If it needs other inputs.
    """
    model = ndx.build({_HIDDEN: _hidden(), **inputs}, dict(outputs))
    kept = [given for given in model.graph.input if given.name != _HIDDEN]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    # ndonnx describes inputs for its own use, this one too.
    del model.metadata_props[:]
    return model


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """A session on the CPU."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
