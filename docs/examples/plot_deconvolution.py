"""
A sharp picture from a blurred one
==================================

A camera that shakes and noise on top. The blur is a convolution, which is a product after Fourier transforms; the
picture is what explains the blurred one and has few edges. The gradient goes through the transforms.

Run on NumPy, dask and array-api-strict, and on CuPy where there is a GPU.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

import agnograd as ag
from agnograd import plugins

# %%
# A photograph that comes with scikit-learn, small and grey.

sharp = load_sample_image("china.jpg").mean(axis=2)[60:316:2, 200:456:2] / 255.0

size = sharp.shape[0]
t = np.linspace(0, 1, 200)
blur = np.histogram2d(4 + 8 * t, 4 + 5 * np.sin(4 * t) + 5 * t, bins=size, range=[[0, size]] * 2)[0]
blur /= blur.sum()
spectrum = np.fft.rfft2(blur)

rng = np.random.default_rng(0)


def blurred(picture, spectrum):
    return ag.fft.irfftn(ag.fft.rfftn(picture) * spectrum, s=(size, size), axes=(0, 1))


seen = blurred(sharp, spectrum) + 0.01 * rng.normal(size=sharp.shape)

# %%


def loss(picture, spectrum, seen):
    right = picture - ag.roll(picture, 1, axis=0)
    down = picture - ag.roll(picture, 1, axis=1)
    edges = ag.sum(ag.sqrt(right**2 + down**2 + 1e-5))
    return ag.sum((blurred(picture, spectrum) - seen) ** 2) + 2e-3 * edges


found = ag.optimize.minimize(loss, seen, args=(spectrum, seen), method="L-BFGS-B", options={"maxiter": 120})


def error(picture):
    return np.sqrt(np.mean((picture - sharp) ** 2))


print(f"root mean square error: {error(np.roll(seen, (-8, -8), (0, 1))):.3f} blurred, {error(found.x):.3f} found")

# %%
# The same loss on each library of this machine, and how far its gradient is from NumPy's.

gradients = {}
for name in ("numpy", "dask", "strict", "cupy"):
    if plugins.manager.unavailable(name) is None:
        arrays = [ag.asarray(ag.to_backend(x, name)) for x in (seen, spectrum, seen)]
        value, gradient = ag.compute(*ag.value_and_grad(loss)(*arrays))
        gradients[name] = np.asarray(ag.to_backend(gradient, "numpy"))
        print(f"{name}: {float(value):.6f}, {np.max(np.abs(gradients[name] - gradients['numpy'])):.0e}")

# %%

fig, axes = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
kernel = blur[:24, :24]
for ax, title, picture in zip(
    axes, ("the camera's way", "blurred", "found", "sharp"), (kernel, seen, found.x, sharp), strict=True
):
    ax.imshow(picture, cmap="gray")
    ax.set(title=title)
    ax.set_axis_off()
plt.show()
