"""Grad modes: blocks and decorators, generators and coroutines, threads and tasks, and that all of them restore."""

from __future__ import annotations

import asyncio
import inspect
import threading

import pytest

import agnograd as ag


@pytest.fixture
def x():
    return ag.ones(2, requires_grad=True)


@pytest.fixture(autouse=True)
def _restored():
    yield
    assert ag.is_grad_enabled()


DECORATORS = pytest.mark.parametrize("make", [ag.no_grad(), ag.no_grad], ids=["with parentheses", "without"])
MODES = pytest.mark.parametrize(("mode", "records"), [(ag.no_grad, False), (ag.enable_grad, True)])


@MODES
def test_a_block(x, mode, records):
    with ag.no_grad() if records else ag.enable_grad():
        with mode():
            assert ag.is_grad_enabled() is records
            assert (x * 2).requires_grad is records
        assert ag.is_grad_enabled() is not records
    assert (x * 2).requires_grad


def test_what_no_grad_leaves_as_it_is(x):
    with ag.no_grad():
        assert x.requires_grad
        assert ag.ones(2, requires_grad=True).requires_grad
        assert x.detach().requires_grad_().requires_grad
        y = x * 2
    assert y.is_leaf
    assert y.grad_fn is None


@MODES
@pytest.mark.parametrize("parentheses", [True, False])
def test_a_function(x, mode, records, parentheses):
    def double(x, *, times=2):
        """Doubles."""
        return x * times

    decorated = (mode() if parentheses else mode)(double)
    for outer in (ag.no_grad, ag.enable_grad):
        with outer():
            assert decorated(x, times=3).requires_grad is records
            assert ag.is_grad_enabled() is (outer is ag.enable_grad)
    assert decorated.__name__ == "double"
    assert decorated.__doc__ == "Doubles."
    assert list(inspect.signature(decorated).parameters) == ["x", "times"]


def test_a_method_and_recursion(x):
    class Model:
        @ag.no_grad()
        def depth(self, n):
            return (x * n).requires_grad or (n > 0 and self.depth(n - 1))

    assert Model().depth(3) is False


@DECORATORS
def test_an_exception_restores(x, make):
    with pytest.raises(KeyError), ag.no_grad():
        raise KeyError
    assert ag.is_grad_enabled()

    @make
    def fails():
        assert not ag.is_grad_enabled()
        raise KeyError

    with pytest.raises(KeyError):
        fails()


def test_one_object_may_be_entered_again():
    mode = ag.no_grad()
    with mode:
        with ag.enable_grad(), mode:
            assert not ag.is_grad_enabled()
            with mode:
                assert not ag.is_grad_enabled()
        assert not ag.is_grad_enabled()
    assert ag.is_grad_enabled()


@pytest.mark.parametrize("given", [5, "text", True])
def test_what_is_no_function_is_refused(given):
    with pytest.raises(
        TypeError, match=r"no_grad decorates functions, got an object of type \w+\. As a context manager"
    ):
        ag.no_grad(given)


def test_a_class_is_refused():
    with pytest.raises(TypeError, match="no_grad decorates functions, got class Model"):

        @ag.no_grad()
        class Model:
            pass


# -- generators --------------------------------------------------------------------------------------------------------


@DECORATORS
def test_a_generator_switches_for_each_of_its_steps(x, make):
    @make
    def steps():
        received = []
        for _ in range(2):
            assert not (x * 2).requires_grad
            received.append((yield ag.is_grad_enabled()))
        return received

    assert inspect.isgeneratorfunction(steps)
    running = steps()
    assert next(running) is False
    assert (x * 2).requires_grad  # between the steps the caller's mode holds
    assert running.send("a") is False
    with ag.no_grad():
        pass
    with pytest.raises(StopIteration) as end:
        running.send("b")
    assert end.value.value == ["a", "b"]


def test_a_generator_that_is_thrown_at_and_closed():
    log = []

    @ag.no_grad
    def steps():
        try:
            yield 1
        except KeyError:
            log.append(("caught", ag.is_grad_enabled()))
            yield 2
        finally:
            log.append(("closed", ag.is_grad_enabled()))

    running = steps()
    assert next(running) == 1
    assert running.throw(KeyError()) == 2
    assert ag.is_grad_enabled()
    running.close()
    assert log == [("caught", False), ("closed", False)]
    failing = steps()
    next(failing)
    with pytest.raises(OSError, match="disk"):
        failing.throw(OSError("disk"))
    unfinished = steps()
    next(unfinished)
    del unfinished
    assert log[-1] == ("closed", False)


def test_a_generator_that_raises():
    @ag.no_grad
    def steps():
        yield 1
        raise KeyError

    running = steps()
    next(running)
    with pytest.raises(KeyError):
        next(running)


def test_interleaved_generators():
    def steps():
        for _ in range(3):
            yield ag.is_grad_enabled()

    off, on = ag.no_grad(steps)(), ag.enable_grad(steps)()
    with ag.no_grad():
        assert list(zip(off, on, strict=True)) == [(False, True)] * 3


# -- asyncio -----------------------------------------------------------------------------------------------------------


@DECORATORS
def test_a_coroutine_keeps_its_mode_while_others_run(x, make):
    async def observe(n):
        found = []
        for _ in range(n):
            await asyncio.sleep(0)
            found.append((x * 2).requires_grad)
        return found

    quiet = make(observe)
    assert inspect.iscoroutinefunction(quiet)

    async def main():
        return await asyncio.gather(quiet(3), observe(3), quiet(2), observe(2))

    first, second, third, fourth = asyncio.run(main())
    assert first + third == [False] * 5
    assert second + fourth == [True] * 5


def test_one_object_serves_many_tasks():
    mode = ag.no_grad()

    async def block(pause):
        with mode:
            await asyncio.sleep(pause)
            inside = ag.is_grad_enabled()
        return inside, ag.is_grad_enabled()

    async def main():
        return await asyncio.gather(block(0.02), block(0.0), block(0.01))

    assert asyncio.run(main()) == [(False, True)] * 3


def test_a_task_starts_in_the_mode_of_who_makes_it():
    async def observe():
        return ag.is_grad_enabled()

    async def main():
        with ag.no_grad():
            task = asyncio.create_task(observe())
        return await task, await asyncio.create_task(observe())

    assert asyncio.run(main()) == (False, True)


def test_an_asynchronous_generator():
    log = []

    @ag.no_grad
    async def steps():
        try:
            received = yield ag.is_grad_enabled()
            await asyncio.sleep(0)
            yield received, ag.is_grad_enabled()
        except KeyError:
            yield "caught", ag.is_grad_enabled()
        finally:
            log.append(ag.is_grad_enabled())

    assert inspect.isasyncgenfunction(steps)

    async def main():
        found = []
        running = steps()
        found.append(await running.asend(None))
        found.append(ag.is_grad_enabled())
        found.append(await running.asend("sent"))
        found.append(await running.athrow(KeyError()))
        await running.aclose()
        found.append([item async for item in steps()])
        return found

    found = asyncio.run(main())
    assert found == [False, True, ("sent", False), ("caught", False), [False, (None, False)]]
    assert log == [False, False]


# -- threads -----------------------------------------------------------------------------------------------------------


def in_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_a_thread_starts_enabled_and_keeps_to_itself():
    with ag.no_grad():
        assert in_thread(ag.is_grad_enabled)

        def disable():
            with ag.no_grad():
                return ag.is_grad_enabled()

        assert in_thread(disable) is False
        assert not ag.is_grad_enabled()
    assert ag.is_grad_enabled()


def test_one_object_serves_many_threads():
    mode = ag.no_grad()
    barrier = threading.Barrier(4)
    found = []

    def block():
        with mode:
            barrier.wait()
            inside = ag.is_grad_enabled()
            barrier.wait()
        found.append((inside, ag.is_grad_enabled()))

    threads = [threading.Thread(target=block) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(False, True)] * 4


def cube(x):
    return x**3


@pytest.mark.parametrize(
    "derive",
    [
        lambda x: ag.grad(ag.grad(cube))(x),
        lambda x: ag.grad(lambda z: ag.jvp(cube, (z,), (ag.ones(()),))[1])(x),
        lambda x: ag.jvp(ag.grad(cube), (x,), (ag.ones(()),))[1],
        lambda x: ag.vjp(lambda z: ag.grad(cube)(z), x)[1](ag.ones(()))[0],
        lambda x: ag.grad(ag.grad(ag.grad(lambda z: z**4 / 4)))(x),
    ],
    ids=["reverse-reverse", "reverse-forward", "forward-reverse", "vjp", "third order"],
)
def test_transformations_nest_within_no_grad(derive):
    x = ag.tensor(2.0)
    with ag.no_grad():
        assert derive(x).item() == pytest.approx(12.0)


def test_no_grad_within_a_transformation_cuts_what_is_further_out():
    x = ag.tensor(2.0)

    def inner(z):
        with ag.no_grad():
            return ag.grad(lambda y: y**3 * z)(z)

    assert inner(x).item() == pytest.approx(24.0)
    assert ag.grad(inner)(x).item() == 0.0
