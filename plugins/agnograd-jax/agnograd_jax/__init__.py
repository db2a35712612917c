"""JAX's arrays as a storage of agnograd: ``ag.namespace("jax")``, and tensors around ``jax.Array``.

Derivatives are agnograd's own; JAX computes values, and compiles what is run under ``jax.jit``.
"""

__version__ = "0.1.0"
