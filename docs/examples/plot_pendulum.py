"""
A pendulum's friction from a film of it
=======================================

Someone has noted the angle of a pendulum ten times a second. How long is it, and how much friction does it have? The
differential equation is solved step by step, and the gradient goes back through all steps, so that least squares can
fit the parameters.

Run on NumPy, dask and array-api-strict, and on CuPy where there is a GPU.
"""

# %%
# The equation is :math:`\\ddot\\theta = -g/l\\,\\sin\\theta - c\\,\\dot\\theta`. It is solved by Runge and Kutta's
# method, written for any array library.

import matplotlib.pyplot as plt
import numpy as np

import agnograd as ag
from agnograd import plugins

STEP, STEPS = 0.05, 160


def velocity(state, params):
    angle, speed = state
    return speed, -9.81 / params["length"] * ag.sin(angle) - params["friction"] * speed


def moved(state, by, rate):
    return tuple(x + by * dx for x, dx in zip(state, rate, strict=True))


def swing(params, steps=STEPS):
    state = params["angle"], params["angle"] * 0.0
    angles = []
    for _ in range(steps):
        k1 = velocity(state, params)
        k2 = velocity(moved(state, STEP / 2, k1), params)
        k3 = velocity(moved(state, STEP / 2, k2), params)
        k4 = velocity(moved(state, STEP, k3), params)
        state = tuple(
            x + STEP / 6 * (a + 2 * b + 2 * c + d) for x, a, b, c, d in zip(state, k1, k2, k3, k4, strict=True)
        )
        angles.append(state[0])
    return ag.stack(angles)


# %%
# The film: a pendulum of 1.3 m, with noise.

truth = {"length": np.asarray(1.3), "friction": np.asarray(0.25), "angle": np.asarray(1.2)}
seen = slice(1, None, 2)
rng = np.random.default_rng(0)
film = swing(truth)[seen] + 0.05 * rng.normal(size=STEPS // 2)

# %%
# Least squares wants residuals; its Jacobian is that of the solver, by forward mode.

guess = {"length": np.asarray(1.0), "friction": np.asarray(0.05), "angle": np.asarray(1.0)}
found = ag.optimize.least_squares(lambda params, film: swing(params)[seen] - film, guess, args=(film,))
{name: round(float(value), 3) for name, value in found.x.items()}

# %%
# On each library of this machine: the sum of squares over the first second, and how far its gradient is from NumPy's.

gradients = {}
for name in ("numpy", "dask", "strict", "cupy"):
    if plugins.manager.unavailable(name) is None:
        params, angles = ag.tree.map(lambda x, name=name: ag.asarray(ag.to_backend(x, name)), (guess, film[:10]))
        squares = ag.value_and_grad(lambda params, film: ag.sum((swing(params, 20)[seen] - film) ** 2))
        value, gradient = ag.compute(*squares(params, angles))
        gradients[name] = np.stack([np.asarray(ag.to_backend(gradient[part], "numpy")) for part in guess])
        print(f"{name}: {float(value):.6f}, {np.max(np.abs(gradients[name] - gradients['numpy'])):.0e}")

# %%

times = STEP * np.arange(1, STEPS + 1)
fig, ax = plt.subplots(layout="constrained")
ax.plot(times[seen], film, ".", color="0.6", label="film")
ax.plot(times, swing(guess), "--", label="guess")
ax.plot(times, swing(found.x), label="fit")
ax.set(xlabel="time, s", ylabel="angle")
ax.legend()
plt.show()
