"""Values on JAX's arrays: ``jax.scipy.special``, and SciPy for what it lacks, where the memory is the host's anyway.

Under ``jax.jit`` SciPy is called back to, by ``jax.pure_callback``. Where JAX has another device than the CPU, what it
lacks is an error: values would leave the device and come back without being asked to.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from agnograd.errors import UnsupportedError

from agnograd_special.libraries import on_numpy

Array = Any
Body = Callable[..., Array]


def in_jax(name: str) -> Body:
    """A function on JAX's arrays."""
    return lambda *args: _body(name)(*args)


@cache
def _body(name: str) -> Body:
    import jax
    import jax.numpy as jnp
    import jax.scipy.special

    native = getattr(jax.scipy.special, name, None)
    if name in ("beta", "betaln"):
        native = _beta if name == "beta" else _betaln

    def body(*args: Any) -> Array:
        arrays = [x for x in args if isinstance(x, jax.Array)]
        floats = [x.dtype for x in arrays if x.dtype.kind in "fc"]
        dtype = jnp.result_type(*floats) if floats else jnp.result_type(float)
        if native is not None and dtype.kind != "c":
            numbers = [jnp.asarray(x, dtype=dtype) for x in args]
            if name == "polygamma":
                numbers[0] = jnp.asarray(args[0], dtype=int)
            return native(*numbers)
        return _on_host(name, args, dtype)

    return body


def _betaln(a: Array, b: Array) -> Array:
    # JAX's own has six digits, in double precision too.
    from jax.scipy.special import gammaln

    return gammaln(a) + gammaln(b) - gammaln(a + b)


def _beta(a: Array, b: Array) -> Array:
    import jax.numpy as jnp
    from jax.scipy.special import gammasgn

    return gammasgn(a) * gammasgn(b) * gammasgn(a + b) * jnp.exp(_betaln(a, b))


def _on_host(name: str, args: tuple[Any, ...], dtype: Any) -> Array:
    import jax
    import jax.numpy as jnp
    import numpy as np

    def values(*arrays: Any) -> Any:
        return np.asarray(on_numpy(name)(*map(np.asarray, arrays)), dtype=dtype)

    arrays = [x for x in args if isinstance(x, jax.Array)]
    traced = any(isinstance(x, jax.core.Tracer) for x in arrays)
    platforms = {jax.default_backend()} if traced else {d.platform for x in arrays for d in x.devices()}
    if platforms != {"cpu"}:
        msg = (
            f"JAX has no special.{name} of {dtype}, and SciPy, which has it, only in the memory of the host. The array "
            f"is on {', '.join(sorted(platforms))}: move it there and back with to_device('cpu')."
        )
        raise UnsupportedError(msg)
    if not traced:
        return jnp.asarray(values(*args), device=arrays[0].device)
    # Of one shape, since jax.vmap puts its axis in front of all.
    same = jnp.broadcast_arrays(*args)
    shape = jax.ShapeDtypeStruct(same[0].shape, dtype)
    return jax.pure_callback(values, shape, *same, vmap_method="broadcast_all")
