"""
A network that reads digits
===========================

Two layers, 1,797 handwritten digits, and the optimiser Adam in ten lines. Parameters are a list of dicts, and so is
their gradient.

Run on NumPy, dask and array-api-strict, and on CuPy where there is a GPU. ``python -m agnograd tour``
trains such a classifier on each library of a machine.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import agnograd as ag
from agnograd import plugins

images, labels = load_digits(return_X_y=True)
images = images / 16.0
rng = np.random.default_rng(0)
train = rng.random(labels.size) < 0.8


def network(layers, x):
    for layer in layers[:-1]:
        x = ag.tanh(x @ layer["w"] + layer["b"])
    return x @ layers[-1]["w"] + layers[-1]["b"]


def loss(layers, x, targets):
    return -ag.mean(ag.sum(targets * ag.log_softmax(network(layers, x), axis=-1), axis=-1))


def layer(inputs, outputs):
    return {"w": rng.normal(size=(inputs, outputs)) / np.sqrt(inputs), "b": np.zeros(outputs)}


# %%
# Adam keeps running means of the gradient and of its square, which are trees like the parameters.


def adam(params, batches, rate=0.01, decay=0.9, decay_of_squares=0.999):
    mean = square = ag.tree.map(ag.zeros_like, params)
    for i, batch in enumerate(batches, 1):
        value, gradient = ag.value_and_grad(loss)(params, *batch)
        mean = ag.tree.map(lambda m, g: decay * m + (1 - decay) * g, mean, gradient)
        square = ag.tree.map(lambda s, g: decay_of_squares * s + (1 - decay_of_squares) * g**2, square, gradient)
        size = rate * (1 - decay_of_squares**i) ** 0.5 / (1 - decay**i)
        params = ag.tree.map(lambda p, m, s, size=size: p - size * m / (ag.sqrt(s) + 1e-8), params, mean, square)
        # On dask this computes the step; without it the graph would grow from step to step.
        value, params, mean, square = ag.compute(value, params, mean, square)
        yield params, float(value)


def batches(count, size=64):
    places = np.flatnonzero(train)
    for _ in range(count):
        chosen = rng.choice(places, size)
        yield images[chosen], np.eye(10)[labels[chosen]]


# %%

start = [layer(64, 48), layer(48, 10)]
course = []
for trained, value in adam(start, batches(400)):  # noqa: B007 - it is there afterwards
    course.append(value)

guess = network(trained, images[~train]).argmax(axis=1)
right = guess == labels[~train]
print(f"right on digits that it has not seen: {right.mean():.1%}")

# %%
# Nothing in the network or in Adam names a library. A few steps on each that this machine has, with the same batches:

first = list(batches(5))
for name in ("numpy", "dask", "strict", "cupy"):
    if plugins.manager.unavailable(name) is None:
        params, data = ag.tree.map(lambda x, name=name: ag.asarray(ag.to_backend(x, name)), (start, first))
        print(f"{name}: loss", *(f"{value:.6f}" for _, value in adam(params, data)))

# %%
# What each weight of an image adds to the network's confidence in its answer is a gradient, too: the *saliency*. A
# batch of them is ``vmap`` of ``grad``.

shown = images[~train][:8]


def confidence(image):
    return ag.max(ag.log_softmax(network(trained, image)))


saliency = ag.vmap(ag.grad(confidence))(shown)

fig = plt.figure(figsize=(9, 4.5), layout="constrained")
grid = fig.add_gridspec(3, 8, height_ratios=[1.5, 1, 1])
ax = fig.add_subplot(grid[0, :])
ax.plot(course)
ax.set(xlabel="step", ylabel="loss", yscale="log")
for i in range(8):
    for row, (picture, colours) in enumerate([(shown[i], "gray_r"), (saliency[i], "PuOr")]):
        ax = fig.add_subplot(grid[row + 1, i])
        most = abs(picture).max()
        ax.imshow(picture.reshape(8, 8), cmap=colours, vmin=-most if row else 0, vmax=most)
        ax.set_axis_off()
        if row == 0:
            ax.set_title(str(guess[i]))
plt.show()
