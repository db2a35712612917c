"""Smoothing of signals, on whatever array library they are of. It has never heard of agnograd."""

from array_api_compat import array_namespace


def smooth(x, /, *, weight=0.5):
    """A weighted mean of each element and its neighbours; the ends keep half of theirs."""
    xp = array_namespace(x)
    left = xp.concat([x[:1], x[:-1]])
    right = xp.concat([x[1:], x[-1:]])
    return (1 - weight) * x + weight * (left + right) / 2


def roughness(x, /):
    """The mean square of differences between neighbours."""
    xp = array_namespace(x)
    return xp.mean((x[1:] - x[:-1]) ** 2)


def denoise(x, /, *, threshold):
    """`x` without what lies below a threshold."""
    return x[abs(x) >= threshold]
