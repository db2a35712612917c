"""Names that people bring along from PyTorch, NumPy and JAX, and what to write instead: read when one is not there."""

from __future__ import annotations

# The same function under the name of the array API standard.
RENAMED = {
    "absolute": "abs",
    "amax": "max",
    "amin": "min",
    "arccos": "acos",
    "arcsin": "asin",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "bmm": "matmul",
    "cat": "concat",
    "clamp": "clip",
    "cumprod": "cumulative_prod",
    "cumsum": "cumulative_sum",
    "gather": "take_along_axis",
    "index_select": "take",
    "inner": "vecdot",
    "invert": "bitwise_invert",
    "mm": "matmul",
    "mv": "matmul",
    "outer": "linalg.outer",
    "permute": "permute_dims",
    "power": "pow",
    "swapaxes": "permute_dims",
    "t": "matrix_transpose",
    "take_along_dim": "take_along_axis",
    "unsqueeze": "expand_dims",
}

_TENSOR = "agnograd.tensor, which copies, or agnograd.asarray, which shares memory"
_DEVICE = "x.to_device(device) moves within an array library, agnograd.to_backend(x, 'cupy') to another: to a GPU, say"
_LAYERS = "there are no layers here: write functions of trees of parameters; agnograd.optimize fits them"
_TYPE = "x.astype(dtype) converts, with a dtype of x.__array_namespace__()"
_STACK = "use concat or stack"
_WRITE = "write x[...] = value under agnograd.no_grad()"

# What has no counterpart of one name.
OTHERWISE = {
    "Function": "it is agnograd.autograd.Function",
    "Parameter": "it is agnograd.tensor(data, requires_grad=True)",
    "Variable": "it is agnograd.tensor(data, requires_grad=True)",
    "add_": "write x += y",
    "array": f"use {_TENSOR}",
    "as_tensor": "use agnograd.asarray",
    "at": "write in place, x[i] = value: agnograd's writes keep the gradient",
    "backward": "it is a method, loss.backward(); for several at once there is agnograd.autograd.backward",
    "block_until_ready": "NumPy's arrays are there at once; others wait in x.item() and agnograd.compute(x)",
    "contiguous": "leave it out: how an array lies in memory is the backend's matter",
    "copy_": _WRITE,
    "cpu": "agnograd.to_backend(x, 'numpy') brings an array to the host",
    "cuda": _DEVICE,
    "device": "x.device has one; __array_namespace_info__().devices() of a namespace lists those that there are",
    "dim": "use x.ndim",
    "div_": "write x /= y",
    "dot": "use vecdot, matmul or tensordot",
    "double": _TYPE,
    "erf": "it is agnograd.special.erf, which comes with a plugin: agnograd-special",
    "expand": "use broadcast_to",
    "fill_": _WRITE,
    "float": _TYPE,
    "from_numpy": "use agnograd.asarray",
    "func": "its functions are agnograd.grad, vjp, jvp, vmap, jacrev, jacfwd and hessian",
    "half": _TYPE,
    "hstack": _STACK,
    "is_cuda": "x.device tells where an array is",
    "is_tensor": "use isinstance(x, agnograd.Tensor)",
    "jit": "use agnograd.compile",
    "load": "use pickle, or numpy.load",
    "long": _TYPE,
    "masked_fill": "use where(mask, value, x)",
    "mse_loss": "write agnograd.mean((x - y) ** 2)",
    "mul_": "write x *= y",
    "ndarray": "the class is agnograd.Tensor",
    "nn": _LAYERS,
    "norm": "it is linalg.vector_norm or linalg.matrix_norm",
    "numel": "use x.size",
    "optim": "agnograd.optimize hands parameters to SciPy; a step of gradient descent is a line of agnograd.tree.map",
    "pmap": "use agnograd.vmap; arrays of dask are computed in parallel",
    "relu": "use maximum(x, 0)",
    "rsqrt": "write 1 / sqrt(x)",
    "save": "use pickle, or numpy.save",
    "scan": "write a loop",
    "set_default_dtype": "the default is the backend's own; creation functions take dtype=",
    "sigmoid": "write 1 / (1 + exp(-x)), or use agnograd.special.expit of the plugin agnograd-special",
    "split": "index with slices",
    "sub_": "write x -= y",
    "to": _DEVICE,
    "topk": "use sort or argsort, and a slice",
    "vstack": _STACK,
    "zero_": "to clear a gradient, write x.grad = None; to write zeros, x[...] = 0 under agnograd.no_grad()",
}

_PARAMETERS = {"dim": "axis", "dims": "axes", "keepdim": "keepdims", "unbiased": "correction", "ddof": "correction"}

# Array libraries whose plugins are known, to the distributions that bring them along.
_BACKENDS = {"jax": "agnograd-jax", "pytorch": "agnograd-torch", "torch": "agnograd-torch"}


def parameter_hint(name: str) -> str:
    """What the standard calls a parameter, to be put behind its name; empty if nothing is known."""
    return f" (here it is {_PARAMETERS[name]!r})" if name in _PARAMETERS else ""


def backend_hint(name: str) -> str:
    """A sentence about the plugin that brings a backend along; empty if none is known."""
    found = _BACKENDS.get(name)
    return f" It comes with a plugin: pip install {found}." if found else ""


def hint(name: str) -> str:
    """The end of a message that says what to write for a name; empty if nothing is known.

    Parameters
    ----------
    name : str

    Returns
    -------
    str

    Examples
    --------
    >>> from agnograd.elsewhere import hint
    >>> hint("cat")
    ': the array API standard calls it concat'
    """
    if name in RENAMED:
        return f": the array API standard calls it {RENAMED[name]}"
    return f": {OTHERWISE[name]}" if name in OTHERWISE else ""
