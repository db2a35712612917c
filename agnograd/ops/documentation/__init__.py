"""The docstrings of the operations: a line and an example of each, and what their parameters have in common.

They are composed here for what comes with agnograd. An operation of a plugin says what its plugin wrote.
"""

from __future__ import annotations

from agnograd.core.op import Op, default_doc
from agnograd.ops.documentation import arrays, elementwise, matrices

TEXTS: dict[str, tuple[str, str, str]] = {**elementwise.TEXTS, **arrays.TEXTS, **matrices.TEXTS}

_ARRAY = "Tensor, array or number"
_AXES = "int or tuple of int, optional"
_NORM = '{"backward", "ortho", "forward"}'

# Parameter, or operation and parameter: its type and what it is.
PARAMETERS: dict[str, tuple[str, str]] = {
    "x": (_ARRAY, "The argument."),
    "x1": (_ARRAY, "The first argument."),
    "x2": (_ARRAY, "The second argument; the two broadcast."),
    "arrays": ("sequence of Tensor or array", "The arrays."),
    "atol": ("float", "Absolute tolerance."),
    "axes": (_AXES, "The axes; all of them, where none are given."),
    "axis": (_AXES, "The axis or axes to run along; all of them, where none is given."),
    "chunks": ("int, tuple or dict", "The chunks, as dask takes them."),
    "condition": ("Tensor or array", "Truth values."),
    "constant_values": ("number", "What is put around the array."),
    "copy": ("bool, optional", "Whether the result must, or must not, be a copy."),
    "correction": ("float", "What is taken from the number of elements before dividing by it."),
    "descending": ("bool", "Whether the largest comes first."),
    "destination": ("int or tuple of int", "Where the axes go."),
    "device": ("device, optional", "The device of the result; that of the argument, if none is given."),
    "dtype": ("dtype, optional", "The dtype of the result."),
    "equal_nan": ("bool", "Whether NaN is equal to NaN."),
    "fill_value": ("number", "The value."),
    "full_matrices": ("bool", "Whether the matrices of singular vectors are square."),
    "high": ("number, optional", "The upper bound."),
    "include_initial": ("bool", "Whether to start with the value for no elements."),
    "indices": ("Tensor or array of int", "The indices."),
    "invert": ("bool", "Whether to tell what is not among them."),
    "k": ("int", "The diagonal at which the triangle ends, counted upwards from the main one."),
    "keepdims": ("bool", "Whether axes that were summed over stay, with one element."),
    "key": ("index", "What stands between the brackets."),
    "keys": ("sequence of index", "What stands between the brackets, for each array."),
    "labels": ("tuple of str", "Letters for the axes of the first array, of the second and of the result."),
    "lifted": ("bool", "Leave the gradient in the other library."),
    "low": ("number, optional", "The lower bound."),
    "max": ("number or array, optional", "The upper bound."),
    "min": ("number or array, optional", "The lower bound."),
    "mode": ("str", "What is put around the array."),
    "n": ("int, optional", "How many elements are transformed; all, if none is given."),
    "name": ("str", "Name of the backend."),
    "norm": (_NORM, "The direction that is divided by the number of elements, or both by its root."),
    "offset": ("int", "The diagonal, counted upwards from the main one."),
    "optimize": ("bool or str", "How the order of products is chosen, as opt_einsum takes it."),
    "ord": ("number or str", "The kind of norm, as the standard names it."),
    "pad_width": ("int or sequence of pairs", "How many elements come before and after, along each axis."),
    "reason": ("str", "What the condition means, for the message if it does not hold."),
    "repeats": ("int or array of int", "How often."),
    "repetitions": ("tuple of int", "How often, along each axis."),
    "rtol": ("float, optional", "Relative tolerance."),
    "s": ("tuple of int, optional", "How many elements are transformed along each axis; all, if none is given."),
    "shape": ("tuple of int", "The shape."),
    "shift": ("int or tuple of int", "By how many places."),
    "side": ('{"left", "right"}', "Whether to insert before or after elements that are equal."),
    "sorter": ("array of int, optional", "Indices that sort the first argument."),
    "source": ("int or tuple of int", "Where the axes are."),
    "stable": ("bool", "Whether elements that are equal keep their order."),
    "stream": ("stream, optional", "The stream of the device to copy on."),
    "subscripts": ("str", "Letters for the axes of each array, and after an arrow those of the result."),
    "upper": ("bool", "Whether the factor is an upper triangle."),
    "value": ("Tensor, array or number", "What is put there."),
    "argsort.axis": ("int", "The axis to sort along."),
    "astype.copy": ("bool", "Whether to copy an array that has the dtype already."),
    "astype.dtype": ("dtype", "The dtype of the result."),
    "concat.axis": ("int, optional", "The axis to join along; None flattens the arrays first."),
    "diff.append": ("array, optional", "What is put after the array before."),
    "diff.axis": ("int", "The axis."),
    "diff.n": ("int", "How often differences are taken."),
    "diff.prepend": ("array, optional", "What is put before the array before."),
    "expand_dims.axis": ("int or tuple of int", "Where the new axis is in the result."),
    "linalg.cross.axis": ("int", "The axis of the vectors."),
    "linalg.matrix_power.n": ("int", "The exponent; a negative one inverts the matrix."),
    "linalg.qr.mode": (
        '{"reduced", "complete"}',
        "Whether the orthogonal factor has as many columns as it needs, or all.",
    ),
    "linalg.solve.x1": ("Tensor or array", "The matrix, or a stack of them."),
    "linalg.solve.x2": ("Tensor or array", "The right-hand sides."),
    "solve_triangular.x1": ("Tensor or array", "The matrix, or a stack of them."),
    "solve_triangular.x2": ("Tensor or array", "The right-hand sides, as columns of a matrix."),
    "solve_triangular.upper": ("bool", "Whether the triangle is the upper one."),
    "diagonal_matrix.x": ("Tensor or array", "The elements of the diagonal, along the last axis."),
    "diagonal_matrix.shape": ("tuple of int", "Rows and columns of a matrix."),
    "cholesky_pullback.x1": ("Tensor or array", "The lower factor, or a stack of them."),
    "cholesky_pullback.x2": ("Tensor or array", "The gradient in it."),
    "matmul.x2": ("Tensor or array", "The second argument; stacks of matrices broadcast."),
    "permute_dims.axes": ("tuple of int", "For each axis of the result, which one of the array it is."),
    "searchsorted.x1": ("Tensor or array", "The array that is sorted."),
    "searchsorted.x2": (_ARRAY, "What would be inserted."),
    "sort.axis": ("int", "The axis to sort along."),
    "squeeze.axis": ("int or tuple of int", "The axes to drop."),
    "stack.axis": ("int", "Where the new axis is in the result."),
    "take.axis": ("int", "The axis; it may be left out for arrays of one axis."),
    "take_along_axis.axis": ("int", "The axis."),
    "tensordot.axes": ("int or pair of tuples of int", "How many axes, or which ones of either array."),
    "tile.x": ("Tensor or array", "The array."),
    "to_device.device": ("device", "The device."),
    "unstack.axis": ("int", "The axis."),
    "vecdot.axis": ("int", "The axis."),
    **{f"fft.{kind}.axis": ("int", "The axis.") for kind in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")},
}

# What operations return that return more than one array.
RETURNS: dict[str, str] = {
    "broadcast_arrays": "tuple of Tensor or array",
    "linalg.eig": "tuple of Tensor or array: eigenvalues and eigenvectors",
    "linalg.eigh": "tuple of Tensor or array: eigenvalues and eigenvectors",
    "linalg.qr": "tuple of Tensor or array: Q and R",
    "linalg.slogdet": "tuple of Tensor or array: sign and logabsdet",
    "linalg.svd": "tuple of Tensor or array: U, S and Vh",
    "nonzero": "tuple of Tensor or array",
    "unique_all": "tuple of Tensor or array: values, indices, inverse_indices and counts",
    "unique_counts": "tuple of Tensor or array: values and counts",
    "unique_inverse": "tuple of Tensor or array: values and inverse_indices",
    "unstack": "tuple of Tensor or array",
}


def docstring(op: Op) -> str:
    """The docstring of an operation's function.

    Parameters
    ----------
    op : Op

    Returns
    -------
    str
    """
    line, typed, shown = TEXTS[op.name]
    constant = "" if op.connected or op.reconnect is not None else "What it returns carries no gradient.\n\n"
    parameters = "\n".join([_parameter(op, name) for name in op.signature.parameters])
    returns = RETURNS.get(op.name, "Tensor or array")
    notes = "" if op.doc == default_doc(op.name) else f"Notes\n-----\n{op.doc}\n\n"
    example = "\n>>> ".join(["import agnograd as ag", *typed.split("\n")])
    return (
        f"{line}\n\n{constant}Parameters\n----------\n{parameters}\n\nReturns\n-------\n{returns}\n\n"
        f"{notes}Examples\n--------\n>>> {example}\n{shown}\n"
    )


def _parameter(op: Op, name: str) -> str:
    kind, meaning = PARAMETERS.get(f"{op.name}.{name}") or PARAMETERS[name]
    shown = f"*{name}" if op.starred and name == "arrays" else name
    return f"{shown} : {kind}\n    {meaning}"
