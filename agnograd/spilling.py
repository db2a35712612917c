"""Ready hooks for what a graph saves: keep it in the memory of the host, or on disk.

A deep model whose saved values exceed the memory there is can be trained with them. What is worth recomputing instead
goes into `agnograd.checkpoint`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

from agnograd.core.array import innermost
from agnograd.core.reverse import raw_space, wrap
from agnograd.core.saved import saved_tensors_hooks
from agnograd.core.table import Space
from agnograd.core.views import settled


def _to_host(x: Any) -> tuple[Any, Space, Any]:
    raw = innermost(settled(x))
    space = raw_space(raw)
    return space.backend.to_host(raw), space, space.device(raw)


def _from_host(values: Any, space: Space, device: Any) -> Any:
    raw = space.backend.from_host(values)
    if str(space.device(raw)) != str(device):
        raw = space.to_device(raw, device)
    return wrap(raw, None)


class save_on_host(saved_tensors_hooks):  # noqa: N801 - as the hooks that it is made of
    """Within a block, keep what operations save in the memory of the host, as NumPy arrays.

    Of use where another device computes: its memory is left to the forward pass, and copies come back one by one in
    the backward pass. Dask arrays are computed.

    Parameters
    ----------
    min_bytes : int
        Smaller arrays stay where they are. In bytes.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.tensor([1.0, 2.0], requires_grad=True)
    >>> with ag.autograd.graph.save_on_host(min_bytes=0):
    ...     y = ag.exp(x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([2.7183, 7.3891])
    """

    def __init__(self, *, min_bytes: int = 1 << 16) -> None:
        super().__init__(self._pack, self._unpack)
        self._min_bytes = min_bytes

    def _pack(self, x: Any) -> Any:
        return _to_host(x) if size_in_bytes(x) >= self._min_bytes else x

    def _unpack(self, packed: Any) -> Any:
        return _from_host(*packed) if type(packed) is tuple else packed


class spill(saved_tensors_hooks):  # noqa: N801 - as the hooks that it is made of
    """Within a block, keep what operations save in files, one ``.npy`` for each array.

    A file is deleted as soon as nothing needs it: the backward pass has used it, or the graph is gone. An array that
    several operations save while it lives is written once.

    Parameters
    ----------
    directory : path, optional
        Where to put the files, by default a temporary directory of its own.
    min_bytes : int
        Smaller arrays stay in memory. In bytes.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.ones((200, 200), requires_grad=True)
    >>> with ag.autograd.graph.spill() as files:
    ...     y = (x * x).exp().sum()
    >>> len(list(files.directory.iterdir()))
    2
    >>> y.backward()
    >>> len(list(files.directory.iterdir()))
    0
    """

    def __init__(self, directory: str | os.PathLike[str] | None = None, *, min_bytes: int = 1 << 16) -> None:
        super().__init__(self._pack, self._unpack)
        self._min_bytes = min_bytes
        if directory is None:
            self.directory = Path(tempfile.mkdtemp(prefix="agnograd-"))
            weakref.finalize(self, shutil.rmtree, self.directory, ignore_errors=True)
        else:
            self.directory = Path(directory)
            self.directory.mkdir(parents=True, exist_ok=True)
        # Arrays that live and are in a file already, by their identity.
        self._written: dict[int, weakref.ref[_File]] = {}

    def _pack(self, x: Any) -> Any:
        if size_in_bytes(x) < self._min_bytes:
            return x
        raw = innermost(settled(x))
        known = self._written.get(id(raw))
        file = None if known is None else known()
        if file is None or file.source() is not raw:
            file = _File(self, *_to_host(x))
            file.remember(raw)
            self._written[id(raw)] = weakref.ref(file)
        return file

    def _unpack(self, packed: Any) -> Any:
        return packed.read() if type(packed) is _File else packed


class _File:
    """An array on disk; the file goes with the object."""

    __slots__ = ("__weakref__", "_device", "_path", "_space", "_spill", "source")

    def __init__(self, spill_: spill, values: Any, space: Space, device: Any) -> None:
        import numpy as np

        handle, name = tempfile.mkstemp(suffix=".npy", dir=spill_.directory)
        with os.fdopen(handle, "wb") as file:
            np.save(file, values)
        # A temporary directory lives as long as a file in it is needed.
        self._spill = spill_
        self._path = Path(name)
        self._space = space
        self._device = device
        weakref.finalize(self, _delete, self._path)

    def remember(self, raw: Any) -> None:
        """Know the array whose values these are, as long as it lives."""
        try:
            self.source: Any = weakref.ref(raw)
        except TypeError:
            self.source = _gone

    def read(self) -> Any:
        """The values, as a tensor on the device that they came from."""
        import numpy as np

        return _from_host(np.load(self._path), self._space, self._device)


def _gone() -> None:
    return None


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)


def size_in_bytes(x: Any) -> int:
    """Bytes that the elements of an array take; 0 where its size is unknown."""
    raw = innermost(settled(x))
    size = 1
    for n in raw.shape:
        if n is None or n != n:  # noqa: PLR0124 - what a lazy backend does not know is a NaN
            return 0
        size *= n
    return int(size * raw.dtype.itemsize) if hasattr(raw.dtype, "itemsize") else size * 8
