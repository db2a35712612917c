"""From a function to an ONNX model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import agnograd as ag
import ndonnx as ndx
import numpy as np
from agnograd import tree

from agnograd_onnx import deferred

if TYPE_CHECKING:
    import onnx


def export(f: Callable[..., Any], example_args: tuple[Any, ...]) -> onnx.ModelProto:
    """The ONNX model that computes a function, of the shapes and dtypes of examples.

    The function runs once, on arrays without values. It may be made by any transformation of agnograd, and may call
    ``backward()``; what it computes is recorded. Arrays of NumPy among the examples, in nested lists, tuples and dicts
    too, are the inputs of the model, and tensors around ndonnx's to the function. Numbers and strings are fixed.

    What the function holds in itself becomes a constant of the model. Arrays of NumPy have to be brought over first, as
    between any two libraries: ``x.__array_namespace__().asarray(w)``, or ``agnograd.to_backend(w, "onnx")``.

    Parameters
    ----------
    f : callable
        Returns an array, or a tree of arrays and numbers.
    example_args : tuple
        One argument each. Only shapes and dtypes of arrays count.

    Returns
    -------
    onnx.ModelProto
        Inputs are named as the parameters of `f`, followed by keys and positions where they are trees: ``weights.w``,
        ``layers.0.b``. One output is named ``output``, those of a tree ``output.w`` or ``output.0``.

    Raises
    ------
    TracedValueError
        If the function asks for a value, in an ``if`` say.

    Examples
    --------
    >>> import agnograd as ag, numpy as np, onnxruntime
    >>> gradient = export(ag.grad(lambda x: ag.sum(x**3)), (np.ones(3),))
    >>> session = onnxruntime.InferenceSession(gradient.SerializeToString())
    >>> session.run(["output"], {"x": np.asarray([1.0, 2.0, 3.0])})
    [array([ 3., 12., 27.])]
    """
    inputs: dict[str, Any] = {}

    def traced(name: str, argument: Any) -> Any:
        leaves, structure = tree.flatten(argument)
        names = _names(name, argument)
        return tree.unflatten(structure, [_input(inputs, n, x) for n, x in zip(names, leaves, strict=True)])

    arguments = [traced(name, x) for name, x in zip(_parameters(f, len(example_args)), example_args, strict=True)]
    with ag.use_backend("onnx"):
        result = f(*arguments)
        outputs = {name: _raw(x) for name, x in zip(_names("output", result), tree.leaves(result), strict=True)}
    return deferred.build(inputs, outputs)


def _parameters(f: Callable[..., Any], count: int) -> Iterator[str]:
    """Names of the first parameters; of several that are taken as one, ``*args``, they are numbered."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # a function written in C
        parameters = []
    for i in range(count):
        named = parameters[i : i + 1]
        known = named and named[0].kind in {named[0].POSITIONAL_ONLY, named[0].POSITIONAL_OR_KEYWORD}
        yield named[0].name if known else f"input{i}"


def _names(root: str, argument: Any) -> list[str]:
    return [".".join(map(str, (root, *path))) for path in tree.paths(argument)]


def _input(inputs: dict[str, Any], name: str, example: Any) -> Any:
    if not isinstance(example, (np.ndarray, np.generic, ag.Tensor)):
        return example
    dtype = np.dtype(str(example.dtype))
    inputs[name] = ndx.argument(shape=tuple(example.shape), dtype=ndx.from_numpy_dtype(dtype))
    # A tensor, for agnograd's indexing and operators: those of ndonnx are fewer.
    return ag.asarray(inputs[name])


def _raw(x: Any) -> Any:
    return ag.asarray(x).array
