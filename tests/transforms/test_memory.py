"""Forward mode holds no history: its memory does not grow with the length of a chain of operations."""

import tracemalloc

import numpy as np
import pytest

import agnograd as ag

ELEMENTS = 10_000
BYTES = 8 * ELEMENTS


def chain(length):
    def f(x):
        for _ in range(length // 2):
            x = ag.sin(x) * 1.01
        return x

    return f


def forward(length):
    x = np.linspace(0.1, 1.0, ELEMENTS)
    return lambda: ag.jvp(chain(length), (x,), (np.ones(ELEMENTS),))


def batch_of_directions(length):
    x = np.linspace(0.1, 1.0, ELEMENTS // 10)
    directions = np.ones((10, ELEMENTS // 10))
    return lambda: ag.vmap(lambda t: ag.jvp(chain(length), (x,), (t,))[1])(directions)


def reverse(length):
    x = np.linspace(0.1, 1.0, ELEMENTS)
    return lambda: ag.vjp(chain(length), x)


def peak(run):
    """Bytes of arrays that were alive at once, beyond those that were there before."""
    run()  # what is loaded or made once
    tracemalloc.start()
    try:
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        out = run()
        found = tracemalloc.get_traced_memory()[1] - held
        del out
        return found
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("run", [forward, batch_of_directions])
def test_memory_of_forward_mode_is_constant_in_the_length_of_a_chain(run):
    short, long = peak(run(10)), peak(run(1000))
    assert long < short + 0.1 * BYTES
    # A value and a tangent with their successors, and what a rule has in between.
    assert long < 8 * BYTES


def test_that_of_reverse_mode_is_not():
    # The same measure sees what reverse mode saves: an array for each sine.
    assert peak(reverse(1000)) > peak(reverse(10)) + 490 * BYTES
