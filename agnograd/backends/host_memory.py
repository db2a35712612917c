"""What arrays in the memory of the host hold, for backends whose library tells Python's tracemalloc of them."""

from __future__ import annotations


def memory() -> tuple[int, int]:
    """Bytes that are held now, and the most that were since this was last asked, or since tracing began."""
    import tracemalloc

    if not tracemalloc.is_tracing():
        tracemalloc.start()
    held = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    return held
