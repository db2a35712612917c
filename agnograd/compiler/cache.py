"""Generated code on disk, so that another process has no need to find it again.

A function is traced in every process: guards, and arrays that it finds, are objects there. What is kept is what becomes
of the trace, by its hash: source, never bytecode nor a pickle. What is read is not trusted. Directory and files must be
the user's own and nobody else's to write, the content must have been signed with the key that lies there, and the
source is read word by word (`agnograd.compiler.drafts`). Wherever anything is otherwise, the code is made as it would
be without a cache, in silence.

No element of any array is written: programs whose text depends on values are not kept.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import secrets
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agnograd.compiler.program import Program, Var, name_of
from agnograd.compiler.source import Code

# Calls from which on making code takes longer than looking for it.
LEAST = 200
# Bytes of one file, and of all.
_LARGEST, TOTAL = 1 << 23, 1 << 26
_KEY = "key"


class Kept(NamedTuple):
    """What became of a trace.

    Attributes
    ----------
    codes : list of Code
    facts : dict
        What else is to be known about it, of what JSON can write.
    """

    codes: list[Code]
    facts: dict[str, Any]


def made(program: Program, kind: Sequence[Any], make: Callable[[], tuple[list[Code], dict[str, Any]]]) -> Kept:
    """What becomes of a program: from the cache, or made and put there.

    Parameters
    ----------
    program : Program
        As it was recorded.
    kind : sequence
        What is made of it: numbers and flags.
    make : callable
        Returns codes and facts.
    """
    directory = _directory() if _may_keep(program) else None
    text = None if directory is None else text_of(program)
    if directory is None or text is None:
        return Kept(*make())
    name = hashlib.blake2b(f"{_versions()}\n{kind}\n{text}".encode(), digest_size=20).hexdigest()
    found = _read(directory / name, program)
    if found is None:
        found = Kept(*make())
        with contextlib.suppress(OSError):
            _write(directory, name, program, found)
    return found


def _may_keep(program: Program) -> bool:
    # What the function branched on, and arrays without axes, which become numbers, are values.
    plain = not program.guards and all(v.shape for v in program.constants)
    return plain and len(program.steps) >= LEAST and program.space.name == "numpy"


# -- what it is found by ---------------------------------------------------------------------------------------------


@functools.cache
def _versions() -> str:
    """All that code depends on besides the program: the libraries, Python, and this package's own sources."""
    import array_api_compat
    import numpy as np

    own = hashlib.blake2b(digest_size=20)
    # Their content, a millisecond: where packages are built reproducibly, times and sizes tell nothing.
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        own.update(path.read_bytes())
    return repr((own.hexdigest(), np.__version__, array_api_compat.__version__, sys.version, sys.byteorder))


def text_of(program: Program) -> str | None:
    """A program as text, equal for programs that do the same; None where something in it has none."""
    kinds: dict[Any, str] = {}

    def declared(v: Var) -> str:
        key = v.shape, v.dtype
        if key not in kinds:
            kinds[key] = f"{v.shape}{name_of(v.dtype)}"
        return f"v{v.number}:{kinds[key]}"

    lines = [f"{declared(v)} {x.strides}" for v, x in program.constants.items()]
    lines.append(",".join(map(declared, program.inputs)))
    try:
        for step in program.steps:
            args = [f"v{x.number}" if type(x) is Var else _text(x) for x in step.args]
            if step.params:
                args += [f"{key}={_text(x)}" for key, x in step.params.items()]
            outs = declared(step.outs[0]) if len(step.outs) == 1 else ",".join(map(declared, step.outs))
            lines.append(f"{outs}={step.several:d}{step.name}({','.join(args)})")
    except TypeError:
        return None
    lines.append(",".join(map(declared, program.outputs)))
    return "\n".join(lines)


def _text(x: Any) -> str:
    kind = type(x)
    if kind is Var:
        return f"v{x.number}"
    if kind in (bool, int, float, complex, str) or x is None or x is Ellipsis:
        return repr(x)
    if kind in (tuple, list):
        return f"{kind.__name__}({','.join(map(_text, x))})"
    if kind is slice:
        return f"slice({_text(x.start)},{_text(x.stop)},{_text(x.step)})"
    if kind.__module__ == "numpy.dtypes":
        return repr(x)
    if kind is type and x.__module__ == "numpy":
        return f"numpy.{x.__name__}"
    raise TypeError(kind)


# -- files -----------------------------------------------------------------------------------------------------------


def _directory() -> Path | None:
    """Where files are; None where there is to be no cache, or no safe one."""
    if os.environ.get("AGNOGRAD_CACHE", "1") == "0":
        return None
    given = os.environ.get("AGNOGRAD_CACHE_DIR")
    if given == "":
        return None
    try:
        found = _users() / "agnograd" / "programs" if given is None else Path(given)
        found.mkdir(mode=0o700, parents=True, exist_ok=True)
        return found if _is_own(found.stat(), stat.S_ISDIR) else None
    except (OSError, RuntimeError):
        return None


def _users() -> Path:
    """The directory for caches. The package platformdirs says the same, and takes 30 ms to be imported."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    given = Path(os.environ.get("XDG_CACHE_HOME") or "")
    return given if given.is_absolute() else Path.home() / ".cache"


def _is_own(found: os.stat_result, kind: Callable[[int], bool]) -> bool:
    """Whether something is the user's, and nobody else may write to it."""
    if not kind(found.st_mode):
        return False
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)


def _content(path: Path) -> bytes | None:
    """The bytes of a file that is safe to read."""
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    with os.fdopen(number, "rb") as file:
        found = os.fstat(number)
        return file.read() if _is_own(found, stat.S_ISREG) and found.st_size <= _LARGEST else None


def _key(directory: Path) -> bytes | None:
    """What files are signed with: whoever can write a file there, but not read one, cannot make code of it."""
    path = directory / _KEY
    if not path.exists():
        with contextlib.suppress(OSError), _temporary(directory, secrets.token_bytes(32)) as own:
            os.link(own, path)  # the first of several processes wins
    key = _content(path)
    return key if key is not None and len(key) == 32 else None


def _signature(key: bytes, name: str, content: bytes) -> bytes:
    return hashlib.blake2b(name.encode() + b"\n" + content, key=key).hexdigest().encode()


def _read(path: Path, program: Program) -> Kept | None:
    """What a file holds; None where there is none, or none to be trusted."""
    content = _content(path)
    if content is None:
        return None
    key = _key(path.parent)
    signature, _, body = content.partition(b"\n")
    if key is None or not secrets.compare_digest(signature, _signature(key, path.name, body)):
        return None
    try:
        from agnograd.compiler.drafts import from_data

        data = json.loads(body)
        kept = Kept([from_data(code, program) for code in data["codes"]], data["facts"])
    except Exception:
        return None  # whatever it is, it is not what was written there
    for code in kept.codes:
        code.notes.append(f"code from {path}")
    with contextlib.suppress(OSError):
        os.utime(path)
    return kept


def _write(directory: Path, name: str, program: Program, kept: Kept) -> None:
    from agnograd.compiler.drafts import to_data

    try:
        data = {"codes": [to_data(code, program) for code in kept.codes], "facts": kept.facts}
        body = json.dumps(data, allow_nan=False, separators=(",", ":")).encode()
    except Exception:
        return  # what cannot be written is not kept, whatever it is: the code is there
    key = _key(directory)
    if key is None or len(body) + 200 > _LARGEST:
        return
    _make_room(directory, len(body))
    with _temporary(directory, _signature(key, name, body) + b"\n" + body) as own:
        Path(own).replace(directory / name)


@contextlib.contextmanager
def _temporary(directory: Path, content: bytes) -> Iterator[str]:
    """A file for a moment, which only the user can read: to be renamed, so that nobody sees a part of it."""
    number, name = tempfile.mkstemp(dir=directory)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        yield name
    finally:
        with contextlib.suppress(OSError):
            Path(name).unlink()


def _make_room(directory: Path, nbytes: int) -> None:
    """Delete files that were not used for the longest time, until there is room for another."""
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name != _KEY and entry.is_file(follow_symlinks=False):
                about = entry.stat(follow_symlinks=False)
                found.append((about.st_mtime, about.st_size, entry.path))
    size = nbytes + sum(size for _, size, _ in found)
    for _, own, path in sorted(found):
        if size <= TOTAL:
            return
        with contextlib.suppress(OSError):
            Path(path).unlink()
        size -= own
