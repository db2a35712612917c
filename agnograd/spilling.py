"""Ready hooks for what a graph saves: keep it in the memory of the host, or on disk.

A deep model whose saved values exceed the memory there is can be trained with them. What is worth recomputing instead
goes into `agnograd.checkpoint`.

Inside a transformation, values that one further outside differentiates stay where they are: they are places in its
graph, which no copy would be. What that graph saves itself is packed like everything else.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

from agnograd.core.array import innermost
from agnograd.core.facts import describe, raw_space
from agnograd.core.nodes import wrap
from agnograd.core.saved import saved_tensors_hooks
from agnograd.core.table import Space
from agnograd.core.views import settled
from agnograd.errors import SavedError


def _to_host(x: Any) -> tuple[Any, Space, Any]:
    raw = innermost(settled(x))
    space = raw_space(raw)
    return space.backend.to_host(raw), space, space.device(raw)


def _from_host(values: Any, space: Space, device: Any) -> Any:
    raw = space.backend.from_host(values)
    if str(space.device(raw)) != str(device):
        raw = space.to_device(raw, device)
    return wrap(raw, None)


def _leaves(x: Any, min_bytes: int) -> bool:
    """Whether a value is packed at all: it is large enough, and has no derivative of its own."""
    return settled(x).level is None and size_in_bytes(x) >= min_bytes


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
        return _to_host(x) if _leaves(x, self._min_bytes) else x

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

    Raises
    ------
    OSError
        Where an array cannot be written, for example because the disk is full.
    SavedError
        In the backward pass, if a file was deleted or changed.

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
            self.directory: Path = Path(tempfile.mkdtemp(prefix="agnograd-"))
            weakref.finalize(self, shutil.rmtree, self.directory, ignore_errors=True)
        else:
            self.directory = Path(directory)
            self.directory.mkdir(parents=True, exist_ok=True)
        # Files by the identity of the array in them, which is another's once that is gone.
        self._written: weakref.WeakValueDictionary[int, _File] = weakref.WeakValueDictionary()

    def _pack(self, x: Any) -> Any:
        if not _leaves(x, self._min_bytes):
            return x
        raw = innermost(settled(x))
        file = self._written.get(id(raw))
        if file is None or file.source() is not raw:
            file = self._written[id(raw)] = _File(self, raw)
        return file

    def _unpack(self, packed: Any) -> Any:
        return packed.read() if type(packed) is _File else packed


class _File:
    """An array on disk; the file goes with the object.

    Attributes
    ----------
    source : callable
        Gives the array whose values these are, as long as it lives.
    """

    __slots__ = ("__weakref__", "_about", "_device", "_path", "_space", "_spill", "source")

    def __init__(self, spill_: spill, raw: Any) -> None:
        values, self._space, self._device = _to_host(raw)
        self._path = _write(values, spill_.directory)
        # A temporary directory lives as long as a file in it is needed.
        self._spill = spill_
        self._about = describe(raw)
        try:
            self.source: Any = weakref.ref(raw)
        except TypeError:
            self.source = _gone
        weakref.finalize(self, _delete, self._path)

    def read(self) -> Any:
        """The values, as a tensor on the device that they came from."""
        import numpy as np

        try:
            values = np.load(self._path)
        except (OSError, ValueError, EOFError) as error:
            msg = (
                f"a value that the graph saved in a file ({self._about}) cannot be read back: the file was deleted or "
                f"changed. Leave the directory of a spill alone until the backward pass is over."
            )
            raise SavedError(msg) from error
        return _from_host(values, self._space, self._device)


def _write(values: Any, directory: Path) -> Path:
    """Put an array in a new file; no part of one is left where that fails."""
    import numpy as np

    path = None
    try:
        handle, name = tempfile.mkstemp(suffix=".npy", dir=directory)
        path = Path(name)
        with os.fdopen(handle, "wb") as file:
            np.save(file, values)
    except BaseException as error:
        error.add_note(f"while {values.nbytes} bytes that the graph saves were written to the directory of a spill")
        if path is not None:
            _delete(path)
        raise
    return path


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
