"""Data on disk for the examples: random, from a fixed seed, written a chunk of rows at a time."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import zarr

SEED = 2026


def options(description: str | None, *, rows: int, columns: int, chunk: int, steps: int) -> argparse.ArgumentParser:
    """What all examples can be told on the command line; small unless they are."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=rows, help="rows of the data (%(default)s)")
    parser.add_argument("--columns", type=int, default=columns, help="columns of the data (%(default)s)")
    parser.add_argument("--chunk", type=int, default=chunk, help="rows in a chunk (%(default)s)")
    parser.add_argument("--steps", type=int, default=steps, help="steps of training (%(default)s)")
    parser.add_argument("--folder", type=Path, help="where to keep the data; a temporary folder by default")
    return parser


@contextmanager
def folder(chosen: Path | None) -> Iterator[Path]:
    """The folder for the data; a temporary one is removed afterwards."""
    if chosen is not None:
        chosen.mkdir(parents=True, exist_ok=True)
        yield chosen
    else:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)


def written(path: Path, rows: int, chunk: int, draw: Callable[[np.random.Generator, int], Any]) -> list[da.Array]:
    """Lazy arrays over what `draw` gives for each chunk of rows: an array, or several whose rows belong together.

    Parameters
    ----------
    path : Path
        Folder of the arrays.
    rows, chunk : int
        Rows of all data, and of a chunk.
    draw : callable
        ``draw(rng, n)``, a tuple of arrays of `n` rows.
    """
    stores: list[Any] = []
    for i, start in enumerate(range(0, rows, chunk)):
        n = min(chunk, rows - start)
        parts = draw(np.random.default_rng([SEED, i]), n)
        if not stores:
            stores = [
                zarr.create_array(
                    path / f"{k}.zarr",
                    shape=(rows, *x.shape[1:]),
                    chunks=(min(chunk, rows), *x.shape[1:]),
                    dtype=x.dtype,
                    overwrite=True,
                )
                for k, x in enumerate(parts)
            ]
        for store, x in zip(stores, parts, strict=True):
            store[start : start + n] = x
    return [da.from_zarr(path / f"{k}.zarr") for k in range(len(stores))]
