"""Write docs/numpy.md: what NumPy's own functions do with a tensor.

    python scripts/numpy_page.py

The lists are read off the tables that the functions are run from. Tests check what they say, and that they are current.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

import agnograd  # noqa: F401 - fills the tables
from agnograd.interop.numpy_dispatch import full_name, status
from agnograd.interop.numpy_functions import FUNCTIONS

PAGE = Path(__file__).parent.parent / "docs" / "numpy.md"

# What a result is not different by, and what every function takes.
_ALWAYS = {"out", "casting", "order", "subok", "like", "overwrite_input", "copy", "device", "kwargs"}

TEXT = """\
# NumPy's functions on tensors

NumPy asks its arguments to do the work: `np.exp(t)`, `np.sum(t)` and `ndarray * t` run operations of
agnograd and keep the gradient, in reverse and in forward mode and to any order. Code that was written
for NumPy often needs no change.

```python
>>> import numpy as np
>>> import agnograd as ag
>>> x = ag.tensor([[3.0, 1.0], [1.0, 2.0]], requires_grad=True)
>>> y = np.linalg.slogdet(x).logabsdet + np.einsum("ij,ij->", x, np.ones((2, 2)))
>>> y.backward()
>>> x.grad
tensor([[1.4000, 0.8000],
        [0.8000, 1.6000]])
```

No gradient is lost in silence. A function, or a parameter, that has no derivative here raises
`GradientLostError` if one of its arguments carries a gradient; on other tensors NumPy itself does the
work. So it is with a plain array as `out=`; a tensor as `out=` is written to and keeps the gradient.

```python
>>> np.sinc(x)
Traceback (most recent call last):
agnograd.errors.GradientLostError: an array that carries a gradient cannot be given to numpy.sinc ...
```

Functions that agnograd has run on tensors of every backend; what is left to NumPy runs on NumPy's.

## Which keep the gradient

In brackets: parameters that are refused, or left to NumPy where there is no gradient. So are all modes
of `pad` but `constant`, methods of `quantile` and `percentile` but `linear`, spacings of `gradient` that
are arrays, and the upper triangle of `eigh` and `eigvalsh`.

**Universal functions.** {ufuncs}.

Their methods: `reduce` of `add`, `multiply`, `maximum`, `minimum`, `logaddexp`, `logical_and` and `logical_or`,
`accumulate` of `add` and `multiply`, `outer` of all of two arguments, `at` of `add` and `subtract`.

**`numpy`.** {numpy}.

**`numpy.linalg`.** {linalg}. Eigenvalues of a real matrix are complex, as in the array API standard.

**`numpy.fft`.** {fft}.

## Which have no derivative

Their results are truth values, indices, shapes or new arrays: {none}.

## Which raise

{raises}.

This page was written by `scripts/numpy_page.py` with NumPy {version}.
"""


def dispatched(module: Any) -> dict[str, Any]:
    """The functions of a module that ask their arguments, by full name."""
    kind = type(np.sum)
    found = (getattr(module, name) for name in dir(module))
    return {full_name(f): f for f in found if isinstance(f, kind) and f.__module__ == module.__name__}


def ufuncs() -> dict[str, Any]:
    """NumPy's universal functions by name."""
    return {f.__name__: f for f in (getattr(np, name) for name in dir(np)) if isinstance(f, np.ufunc)}


def listed(names: Iterable[str], functions: dict[str, Any] | None = None) -> str:
    """Names in order, with what is not taken."""
    shown = [f"`{name}`{_without(name, functions[name]) if functions else ''}" for name in sorted(names)]
    return ", ".join(shown) or "none"


def _without(name: str, function: Any) -> str:
    own = FUNCTIONS.get(name)
    if own is None:
        return ""
    taken = inspect.signature(own).parameters
    if any(p.kind is p.VAR_KEYWORD for p in taken.values()):
        return ""
    theirs = [p.name for p in inspect.signature(function).parameters.values() if p.kind is not p.POSITIONAL_ONLY]
    count = sum(p.kind is not p.KEYWORD_ONLY for p in inspect.signature(function).parameters.values())
    by_position = sum(p.kind is not p.KEYWORD_ONLY for p in taken.values()) - 1
    missing = [
        n for i, n in enumerate(theirs) if n not in taken and n not in _ALWAYS and not i < min(by_position, count)
    ]
    return f" ({', '.join(f'`{n}`' for n in missing)})" if missing else ""


def page() -> str:
    """The text of the page."""
    functions = {m.__name__[6:] or "numpy": dispatched(m) for m in (np, np.linalg, np.fft)}
    every = {name: f for of_module in functions.values() for name, f in of_module.items()}
    universal = ufuncs()

    def kept(key: str) -> str:
        return listed((n for n in functions[key] if status(n) == "kept"), every)

    def other(what: str) -> str:
        names = [n for n in every if status(n) == what] + [n for n in universal if status(n, ufunc=True) == what]
        return listed(names)

    text = TEXT.format(
        ufuncs=listed(n for n in universal if status(n, ufunc=True) == "kept"),
        numpy=kept("numpy"),
        linalg=kept("linalg"),
        fft=kept("fft"),
        none=other("none"),
        raises=other("raises"),
        version=".".join(np.__version__.split(".")[:2]),
    )
    return "\n".join(_wrapped(line) for line in text.split("\n"))


def _wrapped(line: str, width: int = 100) -> str:
    """A long line of names on several."""
    if len(line) <= 120 or "Error" in line:
        return line
    lines, current = [], ""
    for word in line.split(" "):
        if current and len(current) + 1 + len(word) > width:
            lines.append(current)
            current = word
        else:
            current = f"{current} {word}".strip()
    return "\n".join([*lines, current])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
