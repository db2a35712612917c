"""Trees: the names of ``jax.tree``, classes that are registered, and trees as vectors."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, field

import numpy as np
import optree
import pytest
from made_tensors import constant, host, leaf, raw, same

import agnograd as ag
from agnograd import tree
from agnograd.errors import ForeignArrayError, MixedBackendsError, TreeError
from agnograd.raveling import ravel_real
from agnograd.testing.matrix import during_calls

Point = namedtuple("Point", ["x", "y"])


@tree.register_dataclass
@dataclass
class Layer:
    weights: object
    bias: object
    name: str = field(default="", metadata={"static": True})


class Pair:
    def __init__(self, first, second):
        self.both = first, second


tree.register_pytree_node(Pair, lambda pair: (pair.both, None), lambda _, children: Pair(*children))


def test_the_names_of_jax():
    nested = {"b": (1, None), "a": [2, 3]}
    assert tree.leaves(nested) == [2, 3, 1]
    leaves, structure = tree.flatten(nested)
    assert tree.unflatten(structure, leaves) == nested
    assert tree.structure(nested) == structure
    assert tree.map(lambda x: x + 1, nested) == {"b": (2, None), "a": [3, 4]}
    assert tree.reduce(lambda x, y: x + y, nested) == 6
    assert tree.all(nested)
    assert tree.paths(nested) == [("a", 0), ("a", 1), ("b", 0)]
    outer, inner = tree.structure((0, 0)), tree.structure({"k": 0})
    assert tree.transpose(outer, inner, ({"k": 1}, {"k": 2})) == {"k": (1, 2)}
    assert all(hasattr(tree, name) for name in tree.__all__)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"a": 1, "b": [1, 2]}, ["different types", "tree['b']"]),
        ({"a": 1, "b": (1, 2, 3)}, ["different numbers of pytree children", "tree['b']"]),
        ({"a": 1, "c": (1, 2)}, ["keys", "b", "c"]),
    ],
)
def test_a_mismatch_says_where(other, words):
    first = {"a": 1, "b": (1, 2)}
    with pytest.raises(TreeError, match="tree 2 of 2 after the first one has another structure") as caught:
        tree.map(lambda *x: sum(x), first, first, other)
    for word in words:
        assert word in str(caught.value)


def test_an_error_of_the_function_itself_stays():
    def refuse(x, y):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        tree.map(refuse, (1,), (2,))


@pytest.mark.parametrize("made", [Layer, Pair, Point], ids=["dataclass", "registered", "namedtuple"])
def test_transformations_take_registered_classes(made, agnograd_backend):
    w, b = constant(agnograd_backend, [1.0, 2.0]), constant(agnograd_backend, [3.0, 4.0])

    def loss(parameters):
        first, second = tree.leaves(parameters)
        return ag.sum(first * second)

    g = ag.grad(loss)(made(w, b))
    assert type(g) is made
    same(tree.leaves(g)[0], [3.0, 4.0])
    same(tree.leaves(g)[1], [1.0, 2.0])


def test_static_fields_belong_to_the_structure():
    one, two = Layer(1.0, 2.0, "one"), Layer(1.0, 2.0, "two")
    assert tree.structure(one) != tree.structure(two)
    assert tree.map(lambda x: x, one) == one
    assert tree.paths(one) == [("weights",), ("bias",)]


def test_fields_that_are_named():
    @dataclass
    class Model:
        scale: float
        rate: float

    tree.register_dataclass(Model, data_fields=["rate"], meta_fields=["scale"])
    assert tree.leaves(Model(1.0, 2.0)) == [2.0]
    assert tree.map(lambda x: -x, Model(1.0, 2.0)) == Model(1.0, -2.0)

    @dataclass
    class Other:
        scale: float
        rate: float

    with pytest.raises(TreeError, match="each field of Other once"):
        tree.register_dataclass(Other, data_fields=["rate"], meta_fields=[])
    with pytest.raises(TreeError, match="takes a dataclass"):
        tree.register_dataclass(dict)
    tree.register_dataclass(Other, meta_fields=["scale"])
    assert tree.leaves(Other(1.0, 2.0)) == [2.0]


def test_classes_are_registered_for_all_users_of_optree():
    assert optree.tree_leaves(Layer(1.0, 2.0)) == [1.0, 2.0]


# -- trees as vectors ------------------------------------------------------------------------------------------------


def some_tree(backend, made=raw):
    return {
        "w": made(backend, [[1.0, 2.0], [3.0, 4.0]]),
        "c": (made(backend, 5.0), made(backend, np.asarray([6.0, 7.0], dtype=np.float32))),
        "none": None,
        "empty": made(backend, np.zeros((0, 3))),
    }


def test_there_and_back(agnograd_backend):
    given = some_tree(agnograd_backend)
    with during_calls(agnograd_backend):
        flat, unravel = ag.ravel_tree(given)
        back = unravel(flat)
    assert not isinstance(flat, ag.Tensor)
    same(flat, [5.0, 6.0, 7.0, 1.0, 2.0, 3.0, 4.0])
    assert tree.structure(back) == tree.structure(given)
    for x, y in zip(tree.leaves(back), tree.leaves(given), strict=True):
        assert type(x) is type(y)
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        same(x, host(y))


def test_tensors_stay_tensors_on_their_graph(agnograd_backend):
    given = some_tree(agnograd_backend, leaf)
    flat, unravel = ag.ravel_tree(given)
    weights = constant(agnograd_backend, np.arange(1.0, 8.0))
    ag.sum(flat * weights).backward()
    same(given["c"][0].grad, 1.0)
    same(given["c"][1].grad, [2.0, 3.0])
    assert given["c"][1].grad.dtype == given["c"][1].dtype
    same(given["w"].grad, [[4.0, 5.0], [6.0, 7.0]])
    vector = leaf(agnograd_backend, np.arange(7.0))
    ag.sum(unravel(vector)["w"] ** 2).backward()
    same(vector.grad, [0, 0, 0, 6, 8, 10, 12])


def test_both_ways_in_both_modes_and_to_second_order(agnograd_backend):
    given = {"a": raw(agnograd_backend, [0.5, 1.5]), "b": raw(agnograd_backend, 2.0)}
    flat, unravel = ag.ravel_tree(given)

    def of_tree(parameters):
        return ag.sum(ag.sin(ag.ravel_tree(parameters)[0]) ** 3)

    def of_vector(vector):
        parts = unravel(vector)
        return ag.sum(ag.sin(parts["a"]) ** 3) + ag.sin(parts["b"]) ** 3

    x = host(flat)
    slope = 3 * np.sin(x) ** 2 * np.cos(x)
    curvature = 6 * np.sin(x) * np.cos(x) ** 2 - 3 * np.sin(x) ** 3
    g = ag.grad(of_tree)(given)
    same(g["a"], slope[:2])
    same(g["b"], slope[2])
    same(ag.grad(of_vector)(flat), slope)
    same(ag.jvp(of_vector, (flat,), (flat,))[1], slope @ x)
    same(ag.jvp(of_tree, (given,), (given,))[1], slope @ x)
    same(ag.hvp(of_vector, (flat,), (flat,)), curvature * x)
    h = ag.hvp(of_tree, (given,), (given,))
    same(h["a"], (curvature * x)[:2])
    same(h["b"], (curvature * x)[2])


def test_under_vmap(agnograd_backend):
    batch = {"a": raw(agnograd_backend, [[1.0, 2.0], [3.0, 4.0]]), "b": raw(agnograd_backend, [5.0, 6.0])}
    flat = ag.vmap(lambda t: ag.ravel_tree(t)[0])(batch)
    same(flat, [[1, 2, 5], [3, 4, 6]])
    _, unravel = ag.ravel_tree({"a": raw(agnograd_backend, [0.0, 0.0]), "b": raw(agnograd_backend, 0.0)})
    back = ag.vmap(unravel)(flat)
    same(back["a"], host(batch["a"]))
    same(back["b"], host(batch["b"]))


@pytest.mark.parametrize(
    ("leaves", "dtype"),
    [
        (["float32", "float32"], "float32"),
        (["float32", "float64"], "float64"),
        (["int64", "float32"], "float32"),
        (["bool", "int32"], "int32"),
        (["float64", "complex64"], "complex128"),
        (["float32", "complex64", "bool"], "complex64"),
        (["float32", 1.0], "float32"),
        (["float32", 1], "float32"),
        (["int64", 1.5], "float64"),
        ([True, "int32"], "int32"),
        ([1, 2.0], "float64"),
        ([1.0, 2j], "complex128"),
        ([True], "bool"),
        ([], "float64"),
    ],
)
def test_dtypes_promote_and_come_back(leaves, dtype, agnograd_backend):
    given = [raw(agnograd_backend, np.ones(2, x)) if isinstance(x, str) else x for x in leaves]
    with ag.use_backend(agnograd_backend):
        flat, unravel = ag.ravel_tree(given)
    assert str(flat.dtype).rpartition(".")[2] == dtype
    for x, y in zip(unravel(flat), given, strict=True):
        if hasattr(y, "dtype"):
            assert x.dtype == y.dtype
        same(x, y if not hasattr(y, "dtype") else host(y))


def test_numbers_become_arrays_of_the_backend_of_the_others(agnograd_backend):
    x = raw(agnograd_backend, [1.0])
    flat, unravel = ag.ravel_tree((2.0, x))
    assert type(unravel(flat)[0]) is type(x)
    assert unravel(flat)[0].shape == ()


def test_complex_parts_as_numbers_of_their_own(agnograd_backend):
    given = (raw(agnograd_backend, np.asarray([1 + 2j, 3 + 4j])), raw(agnograd_backend, [5.0]), 6 + 7j)
    flat, unravel = ravel_real(given)
    same(flat, [1, 3, 2, 4, 5, 6, 7])
    for x, y in zip(unravel(flat), given, strict=True):
        same(x, host(y) if hasattr(y, "dtype") else y)


def test_refusals(agnograd_backend):
    _, unravel = ag.ravel_tree([raw(agnograd_backend, [1.0, 2.0])])
    wrong = [raw(agnograd_backend, [1.0]), raw(agnograd_backend, [[1.0, 2.0]]), raw(agnograd_backend, np.ones(2, "f4"))]
    for x in wrong:
        with pytest.raises(TreeError, match=r"unravel takes a vector like .*shape \(2,\), float64"):
            unravel(x)
    with pytest.raises(ForeignArrayError, match="type str"):
        ag.ravel_tree(["a"])


def test_backends_do_not_mix():
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(MixedBackendsError):
        ag.ravel_tree([np.ones(2), strict.ones(2)])
    _, unravel = ag.ravel_tree([np.ones(2)])
    with pytest.raises(TreeError, match=r"numpy .*got one of .*strict"):
        unravel(strict.ones(2))


def test_a_shape_that_is_not_known_yet():
    da = pytest.importorskip("dask.array")
    x = da.arange(5.0, chunks=2)
    with pytest.raises(TreeError, match=r"leaf tree\['a'\]"):
        ag.ravel_tree({"a": x[x > 1]})
