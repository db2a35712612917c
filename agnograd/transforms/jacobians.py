"""Jacobians and Hessians: the products with a basis, all of them in one batched pass."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from agnograd.transforms.arguments import Argnums, check_callable
from agnograd.transforms.jacobian_modes import Call
from agnograd.transforms.sparsity import Pattern

Function = Callable[..., Any]


def jacfwd(
    f: Function,
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
    sparsity: Any = None,
) -> Function:
    """The Jacobian of a function by forward mode, a column for each element of its input.

    The function runs once, on tangents with one axis more: for few inputs and many outputs.

    Parameters
    ----------
    f : callable
        Function of arrays, or trees of arrays, to a tree of arrays.
    argnums : int, str or sequence of them
        The arguments to differentiate with respect to, by position or by name; a name may be that of a keyword
        argument. A sequence gives a tuple of Jacobians.
    has_aux : bool
        Whether `f` returns ``(value, aux)``; the result is ``(jacobian, aux)`` then.
    holomorphic : bool
        Whether `f` is a holomorphic function of complex numbers, with complex values: what is returned then are its
        complex derivatives.
    chunk_size : int, optional
        At most so many columns at once, which bounds the memory of a pass; the function runs for each chunk.
    sparsity : scipy.sparse array or matrix, or boolean array, optional
        Where the Jacobian may differ from zero: a row for each element of the output, a column for each of the input,
        each of which must be one array. Columns without a common row are found together, as many as there are colours
        in a greedy colouring [1]_.

    Returns
    -------
    callable
        Takes what `f` takes. The Jacobian is a tree like the value of `f` with, in the place of each array, a tree like
        the argument of blocks of shape ``(*output.shape, *input.shape)``. With `sparsity` it is a
        ``scipy.sparse.csr_array`` on the host.

    Raises
    ------
    NotDifferentiableError
        If an argument is integer or boolean, or complex without `holomorphic`, or real with it; if a value is.
    SparsityError
        If the Jacobian has entries outside of `sparsity`, which one more product, with a random vector, tells.

    References
    ----------
    .. [1] A. R. Curtis, M. J. D. Powell and J. K. Reid, On the estimation of sparse Jacobian matrices, 1974.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.jacfwd(lambda x: x**2)(ag.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    >>> ag.jacfwd(lambda x, y: {"product": x * y}, ("x", "y"))(ag.tensor(2.0), ag.tensor(3.0))
    {'product': (tensor(3.), tensor(2.))}

    Of a function that takes each element from two neighbours, in three products however many elements there are:

    >>> import numpy as np
    >>> from scipy import sparse
    >>> pattern = sparse.diags_array([np.ones(100), np.ones(99)], offsets=[0, -1])
    >>> jacobian = ag.jacfwd(lambda x: x * x - ag.concat([0 * x[:1], x[:-1]]), sparsity=pattern)
    >>> jacobian(np.ones(100))[:3, :3].toarray()
    array([[ 2.,  0.,  0.],
           [-1.,  2.,  0.],
           [ 0., -1.,  2.]])
    """
    return _transformed("jacfwd", Call.forward, f, argnums, has_aux, holomorphic, chunk_size, sparsity)


def jacrev(
    f: Function,
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
    sparsity: Any = None,
) -> Function:
    """The Jacobian of a function by reverse mode, a row for each element of its value.

    The function runs once and is recorded, and its graph is walked back once, on cotangents with one axis more: for
    many inputs and few outputs.

    Parameters and results are those of `jacfwd`, but `chunk_size` counts rows, and with `sparsity` rows without a
    common column are found together. Values must be real, or with `holomorphic` complex. With respect to complex
    arguments, a row is the conjugate Wirtinger derivative, as from `grad`.

    Raises
    ------
    NotDifferentiableError
        If an argument or a value is integer or boolean, or, with `holomorphic`, real; if a value is complex without it.
    SparsityError
        If the Jacobian has entries outside of `sparsity`.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.jacrev(lambda x: x**2)(ag.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    >>> ag.jacrev(lambda p: p["a"] * p["b"])({"a": ag.tensor(2.0), "b": ag.tensor([1.0, 5.0])})
    {'a': tensor([1., 5.]), 'b': tensor([[2., 0.],
            [0., 2.]])}
    """
    return _transformed("jacrev", Call.reverse, f, argnums, has_aux, holomorphic, chunk_size, sparsity)


def jacobian(
    f: Function,
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
    sparsity: Any = None,
) -> Function:
    """The Jacobian of a function, by the mode that takes fewer products.

    That is reverse mode for no more outputs than inputs, counted in elements, and forward mode otherwise; with
    `sparsity`, the mode of fewer colours. Real functions of complex numbers need reverse mode, complex functions of
    real numbers forward mode. The function runs once to count its outputs, and again where forward mode was chosen.

    Parameters, results and errors are those of `jacfwd` and `jacrev`.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.jacobian(lambda x: ag.stack([x[0] * x[1], x[0]]))(ag.tensor([2.0, 3.0]))
    tensor([[3., 2.],
            [1., 0.]])
    """
    return _transformed("jacobian", Call.either, f, argnums, has_aux, holomorphic, chunk_size, sparsity)


def hessian(
    f: Function,
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Function:
    """The Hessian of a function: forward mode over reverse mode, in one batched pass.

    Parameters are those of `jacfwd`. The function need not be scalar.

    Returns
    -------
    callable
        Takes what `f` takes. The Hessian is a tree like the value of `f` of trees like the argument, twice: blocks of
        shape ``(*output.shape, *input1.shape, *input2.shape)``.

    Notes
    -----
    A sparse one is ``jacfwd(grad(f), sparsity=...)``, products with it are those of `hvp`.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.hessian(lambda x: x[0] ** 2 * x[1])(ag.tensor([1.0, 2.0]))
    tensor([[4., 2.],
            [2., 0.]])
    """
    inner = _transformed("hessian", Call.reverse, f, argnums, has_aux, holomorphic, chunk_size, None)
    return _transformed("hessian", Call.forward, inner, argnums, has_aux, holomorphic, chunk_size, None)


def _transformed(
    name: str,
    mode: Callable[[Call, int | None, Pattern | None], Any],
    f: Function,
    argnums: Argnums,
    has_aux: bool,
    holomorphic: bool,
    chunk_size: int | None,
    sparsity: Any,
) -> Function:
    check_callable(f, name)
    if chunk_size is not None and chunk_size < 1:
        msg = f"chunk_size is the number of products that run at once, 1 or more, got {chunk_size}"
        raise ValueError(msg)
    pattern = None if sparsity is None else Pattern(sparsity)

    @functools.wraps(f)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        call = Call(name, f, argnums, args, kwargs, has_aux=has_aux, holomorphic=holomorphic)
        out = mode(call, chunk_size, pattern)
        return (out, call.aux) if has_aux else out

    return transformed
