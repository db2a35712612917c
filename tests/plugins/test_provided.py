"""What a plugin provides: operations and kernels, a backend, observers."""

from __future__ import annotations

import contextlib
import pickle

import numpy as np
import pytest
import tiny_arrays
from made_plugins import TINY, Plugin, cube, record_of

import agnograd as ag
from agnograd.core.sample import Sample, Uniform
from agnograd.core.table import find, spaces
from agnograd.core.tiers import composite, elementwise, nondifferentiable
from agnograd.errors import (
    ForeignArrayError,
    MissingRuleError,
    MixedBackendsError,
    UnknownBackendError,
    UnknownOperationError,
)


def test_one_plugin_provides_a_backend_an_operation_a_kernel_and_an_observer(install, load):
    install(
        "my-dist",
        "mine = my_plugin",
        my_plugin="""
            import contextlib
            from agnograd.core.sample import Sample, Uniform
            from agnograd.core.tiers import elementwise

            @hookimpl
            def agnograd_backends():
                yield Backend(
                    name="tiny", namespace="tiny_arrays", array_types=("tiny_arrays:Tiny",), to_host=lambda x: x.values,
                    device=lambda x: x.device,
                )

            @hookimpl
            def agnograd_ops():
                yield elementwise(
                    "mine.double(x, /)", body=lambda xp, x: x + x, x=lambda xp, g: g + g, samples=[Sample((Uniform(),))]
                )

            @hookimpl
            def agnograd_kernels():
                yield Kernel(op="mine.double", backend="tiny", body=lambda x: 2 * x)

            @hookimpl
            def agnograd_observers():
                yield ObserverSpec(name="silent", factory=contextlib.nullcontext)
            """,
    )
    manager, messages = load()
    assert messages == []
    record = record_of(manager, "mine")
    assert (record.status, record.label) == ("loaded", "mine (my-dist 1.0)")
    assert record.provides == {
        "agnograd_backends": ["tiny"],
        "agnograd_ops": ["mine.double"],
        "agnograd_kernels": ["mine.double@tiny"],
        "agnograd_observers": ["silent"],
    }
    assert manager.provider("mine.double") == "mine (my-dist 1.0)"
    assert manager.find_observer("silent").factory is contextlib.nullcontext
    assert ag.mine.double(tiny_arrays.Tiny([1.0, 2.0])).values.tolist() == [2.0, 4.0]


def test_a_library_nobody_has_heard_of_is_differentiated(manager):
    manager.register(Plugin(backends=[TINY]), "tiny")
    x = ag.asarray(tiny_arrays.Tiny([0.5, 1.0]), requires_grad=True)
    assert x.__array_namespace__() is ag.namespace("tiny")
    y = (ag.sin(x) * x + 1.0).sum()
    y.backward()
    assert isinstance(x.grad.array, tiny_arrays.Tiny)
    np.testing.assert_allclose(x.grad.tolist(), np.cos([0.5, 1.0]) * [0.5, 1.0] + np.sin([0.5, 1.0]))
    (first,) = ag.autograd.grad((x**3).sum(), x, create_graph=True)
    (second,) = ag.autograd.grad(first.sum(), x)
    assert second.tolist() == [3.0, 6.0]
    raw = ag.grad(lambda x: ag.sum(x * x))(tiny_arrays.Tiny([1.0, 2.0]))
    assert isinstance(raw, tiny_arrays.Tiny)
    assert raw.values.tolist() == [2.0, 4.0]
    with pytest.raises(MixedBackendsError, match=r"add got arrays of two backends, tiny and numpy: .*on shelf.*on cpu"):
        x + np.ones(2)
    manager.unregister("tiny")
    with pytest.raises(UnknownBackendError):
        ag.namespace("tiny")
    with pytest.raises(ForeignArrayError, match=r"sin got an object of type tiny_arrays\.Tiny \(shape \(2,\), f"):
        ag.sin(tiny_arrays.Tiny([1.0, 2.0]))


def test_an_operation_of_a_plugin_is_differentiable_on_every_backend(manager, agnograd_backend):
    manager.register(Plugin(ops=[cube()]), "cubes")
    xp = ag.namespace(agnograd_backend)
    x = xp.asarray([1.0, 2.0]).requires_grad_()
    xp.tests.cube(x).sum().backward()
    assert x.grad.tolist() == [3.0, 12.0]
    second = ag.grad(lambda x: ag.grad(lambda x: ag.tests.cube(x).sum())(x).sum())(xp.asarray([1.0, 2.0]))
    assert second.tolist() == [6.0, 12.0]
    _, tangent = ag.jvp(ag.tests.cube, (xp.asarray([1.0, 2.0]),), (xp.asarray([1.0, 1.0]),))
    assert tangent.tolist() == [3.0, 12.0]
    raw = spaces.named(agnograd_backend).module.asarray([1.0, 2.0])
    assert type(ag.tests.cube(raw)) is type(raw)


@pytest.mark.parametrize("name", ["tests.cube", "plaincube", "tests.deep.cube", "linalg.cube"])
def test_an_operation_appears_everywhere_and_goes_again(manager, name):
    xp = ag.namespace("numpy")

    def reached(owner):
        for part in name.split("."):
            owner = getattr(owner, part)
        return owner

    for _ in range(2):
        manager.register(Plugin(ops=[cube(name)]), "cubes")
        x = ag.tensor([2.0], requires_grad=True)
        for owner in (ag, xp, x.__array_namespace__()):
            assert reached(owner) is find(name).call
            assert name.partition(".")[0] in dir(owner)
        reached(xp)(x).sum().backward()
        assert x.grad.tolist() == [12.0]
        assert reached(spaces.named("numpy"))(np.asarray([2.0])).tolist() == [8.0]
        manager.unregister("cubes")
        for owner in (ag, xp):
            with pytest.raises(AttributeError, match="has no attribute"):
                reached(owner)
        with pytest.raises(UnknownOperationError, match=f"no operation named '{name}'"):
            manager.find_op(name)
        with pytest.raises(Exception, match="has no"):
            reached(spaces.named("numpy"))
    assert xp.linalg.matmul is ag.matmul


def test_the_namespace_of_a_plugins_package_lists_its_operations_and_pickles(manager):
    manager.register(Plugin(ops=[cube("tests.cube"), cube("tests.deep.cube")]), "cubes")
    assert dir(ag.tests) == ["cube", "deep"]
    assert repr(ag.namespace("numpy").tests) == "<array namespace 'agnograd.namespaces.numpy.tests'>"
    assert pickle.loads(pickle.dumps(ag.tests)).cube is ag.tests.cube


def test_a_kernel_replaces_the_body_on_its_backend_only_and_until_it_is_unregistered(manager):
    seen = []

    def sin(x):
        seen.append(type(x))
        return np.sin(x)

    x = ag.tensor([1.0], requires_grad=True)
    before = ag.sin(x)  # the body is looked up and kept: the kernel must displace it
    manager.register(Plugin(kernels=[ag.Kernel(op="sin", backend="numpy", body=sin)]), "faster")
    after = ag.sin(x)
    assert seen == [np.ndarray]
    assert after.tolist() == before.tolist()
    after.sum().backward()
    assert x.grad.tolist() == np.cos([1.0]).tolist()
    ag.sin(np.ones(1))
    ag.cos(x).backward()  # its rule calls xp.sin
    assert len(seen) == 3
    ag.sin(ag.namespace("strict").ones(2))
    assert len(seen) == 3
    manager.unregister("faster")
    ag.sin(x)
    assert len(seen) == 3


def test_a_kernel_that_was_there_before_the_backend_is_used(manager):
    body = ag.Kernel(op="tests.cube", backend="strict", body=lambda x: x)
    manager.register(Plugin(ops=[cube()], kernels=[body]), "cubes")
    assert ag.tests.cube(ag.namespace("strict").asarray([2.0])).tolist() == [2.0]
    assert ag.tests.cube(ag.tensor([2.0])).tolist() == [8.0]


def test_a_kernel_gives_way_to_the_backends_own_when_it_is_unregistered(manager):
    own = spaces.named("numpy").sum
    manager.register(Plugin(kernels=[ag.Kernel(op="sum", backend="numpy", body=lambda x, **_: x)]), "wrong")
    assert ag.sum(ag.ones(2)).shape == (2,)
    manager.unregister("wrong")
    assert ag.sum(ag.ones(2)).shape == ()
    assert spaces.named("numpy").sum is own


def test_an_operation_without_a_rule_for_an_argument_says_so_when_that_is_differentiated(manager):
    scale = elementwise(
        "tests.scale(x1, x2, /)",
        body=lambda xp, x1, x2: x1 * x2,
        x1=lambda xp, g, x2: g * x2,
        samples=[Sample((Uniform(), Uniform()))],
    )
    manager.register(Plugin(ops=[scale]), "scales")
    x, y = ag.tensor([2.0], requires_grad=True), ag.tensor([3.0])
    ag.tests.scale(x, y).sum().backward()
    assert x.grad.tolist() == [3.0]
    with pytest.raises(MissingRuleError, match=r"'tests\.scale' has no derivative with respect to its argument 'x2'"):
        ag.tests.scale(y, x)
    assert ag.tests.scale(y, x.detach()).tolist() == [6.0]


def test_other_tiers_from_a_plugin(manager):
    ops = [
        composite("tests.twice(x, /)", body=lambda xp, x: xp.add(x, x), samples=[Sample((Uniform(),))]),
        nondifferentiable("tests.positive(x, /)", body=lambda xp, x: x > 0, samples=[Sample((Uniform(),))]),
    ]
    manager.register(Plugin(ops=ops), "others")
    x = ag.tensor([1.0, -1.0], requires_grad=True)
    ag.tests.twice(x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
    assert ag.tests.positive(x).tolist() == [True, False]


def test_an_operation_says_how_it_runs_in_a_batch(install, load):
    install(
        "my-dist",
        "mine = my_plugin",
        my_plugin="""
            from agnograd.hookspecs import Mapped, Sample, Uniform, batching, linear

            def moved(run, arrays, mapped, by):
                (x,) = arrays
                if isinstance(by, Mapped):
                    return (x if mapped[0] else x[None, ...]) + by.array[:, None]
                return run(x, by=by)

            @hookimpl
            def agnograd_ops():
                yield linear(
                    "mine.first(x, /, *, axis=0)",
                    body=lambda xp, x, *, axis=0: xp.take(x, xp.zeros(1, dtype=xp.int64), axis=axis),
                    x=lambda xp, g, x_spec, axis: xp.concat([g, xp.zeros_like(g)], axis=axis),
                    samples=[Sample((Uniform(shape=(2, 3)),))],
                    batch=batching.along("axis", 0),
                )
                yield linear(
                    "mine.moved(x, /, *, by)",
                    body=lambda xp, x, *, by: x + by,
                    x=lambda xp, g: g,
                    samples=[Sample((Uniform(),), {"by": 1.0})],
                    batch=moved,
                    batch_statics=moved,
                )
            """,
    )
    load()
    x = np.arange(24.0).reshape(4, 2, 3)
    np.testing.assert_array_equal(ag.vmap(ag.mine.first)(x), x[:, :1])
    np.testing.assert_array_equal(ag.vmap(lambda x: ag.mine.first(x, axis=-1))(x), x[..., :1])
    by = np.arange(4.0)
    for axis in (0, None):
        given = x[:, 0] if axis == 0 else x[0, 0]
        out = ag.vmap(lambda x, by: ag.mine.moved(x, by=by), (axis, 0))(given, by)
        np.testing.assert_array_equal(out, np.broadcast_to(given, (4, 3)) + by[:, None])
