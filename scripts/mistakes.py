"""Write docs/mistakes.md: what PyTorch and agnograd say to the same mistakes.

    python scripts/mistakes.py

Each mistake is a few lines that both run, agnograd imported as torch. Where torch is not installed, or is another
version than the page was written with, its half stays as it is; a test checks that agnograd's half is current.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import agnograd

PAGE = Path(__file__).parent.parent / "docs" / "mistakes.md"
WIDTH = 100

MISTAKES: dict[str, str] = {
    "Backward from what has no graph": """\
x = torch.tensor([1.0, 2.0])
x.sum().backward()
""",
    "Backward from more than one element": """\
x = torch.tensor([1.0, 2.0], requires_grad=True)
(x * 2).backward()
""",
    "Backward from a complex number": """\
x = torch.tensor([1.0, 2.0], requires_grad=True)
(x * 1j).sum().backward()
""",
    "A second pass through a graph": """\
x = torch.tensor([1.0, 2.0], requires_grad=True)
loss = (x * x).sum()
loss.backward()
loss.backward()
""",
    "A gradient of another shape": """\
x = torch.tensor([1.0, 2.0], requires_grad=True)
(x * 2).backward(torch.tensor([1.0, 1.0, 1.0]))
""",
    "A gradient that is no tensor": """\
x = torch.tensor([1.0, 2.0], requires_grad=True)
(x * 2).backward([1.0, 1.0])
""",
    "Integers that require a gradient": """\
x = torch.tensor([1, 2], requires_grad=True)
""",
    "A leaf that is written to": """\
x = torch.tensor([1.0, 2.0], requires_grad=True)
x += 1
""",
    "A saved value that was written to": """\
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = torch.exp(x)
y += 1
y.sum().backward()
print(x.grad)
""",
    "An input that was not used": """\
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = torch.tensor([3.0], requires_grad=True)
torch.autograd.grad(x.sum(), [x, y])
""",
    "An input that requires no gradient": """\
x = torch.tensor([1.0, 2.0], requires_grad=True)
torch.autograd.grad(x.sum(), [x, torch.tensor([3.0])])
""",
    "No inputs at all": """\
x = torch.tensor([1.0, 2.0], requires_grad=True)
torch.autograd.grad(x.sum(), [])
""",
    "The flag of a computed tensor": """\
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x * 2
y.requires_grad = False
""",
    "The gradient of a computed tensor": """\
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x * 2
y.sum().backward()
print(y.grad)
""",
    "A tensor with a graph as an array of NumPy": """\
x = torch.tensor([1.0, 2.0], requires_grad=True)
x.numpy()
""",
    "A grad of another shape": """\
x = torch.tensor([1.0, 2.0], requires_grad=True)
x.grad = torch.tensor([1.0])
""",
    "A hook that returns a number": """\
x = torch.tensor([1.0, 2.0], requires_grad=True)
x.register_hook(lambda g: 3)
x.sum().backward()
""",
    "A hook on a constant": """\
torch.tensor([1.0, 2.0]).register_hook(print)
""",
    "A custom function with a gradient missing": """\
class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        return x * y
    @staticmethod
    def backward(ctx, g):
        return g

x = torch.tensor([1.0, 2.0], requires_grad=True)
F.apply(x, x).sum().backward()
""",
    "A custom function whose gradient has another shape": """\
class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1
    @staticmethod
    def backward(ctx, g):
        return torch.ones(3, 2)

x = torch.tensor([1.0, 2.0], requires_grad=True)
F.apply(x).sum().backward()
print(x.grad)
""",
    "A NaN in a gradient": """\
x = torch.tensor([0.0, 1.0], requires_grad=True)
with torch.autograd.set_detect_anomaly(True):
    y = torch.sqrt(x)
    (y * 0).sum().backward()
""",
}

TEXT = """\
# What is said to mistakes

The same lines, with `import torch` and with `import agnograd as torch`. What agnograd says names the
operands by shape, dtype, backend and device, never by their values, and says what to do instead. Its
errors are those of `agnograd.errors`, which derive from the ones that PyTorch raises:

```python
>>> import agnograd as torch
>>> x = torch.tensor([1.0, 2.0], requires_grad=True)
>>> try:
...     x += 1
... except RuntimeError as error:
...     print(type(error).__name__)
InplaceError
```

{mistakes}
This page was written by `scripts/mistakes.py` with PyTorch {version}.
"""


def outcome(name: str, code: str) -> str:
    """What comes of a mistake: the error with its notes, or what was printed and warned."""
    module = importlib.import_module(name)
    printed: list[str] = []

    def show(*values: Any) -> None:
        printed.append(" ".join(map(str, values)))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            # Compiled as one text, under a name by which anomaly mode may know it.
            exec(compile(code, "mistake.py", "exec"), {"torch": module, "print": show, "__name__": "mistake"})
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            return "\n".join([text, *getattr(error, "__notes__", ())])
    said = [f"{type(w.message).__name__}: {w.message}" for w in caught if issubclass(w.category, UserWarning)]
    return "\n".join([*said, *printed]) or "nothing"


def tidy(text: str) -> str:
    """Lines of a bearable length, without what differs between machines."""
    text = re.sub(r" \(Triggered internally at [^)]*\)", "", text)
    text = re.sub(r"0x[0-9a-f]+", "0x...", text)
    lines = []
    for line in text.strip().split("\n"):
        if len(line) <= WIDTH:
            lines.append(line.rstrip())
            continue
        current = ""
        for word in line.rstrip().split(" "):
            if current and len(current) + 1 + len(word) > WIDTH:
                lines.append(current)
                current = word
            else:
                current = f"{current} {word}" if current else word
        lines.append(current)
    return "\n".join(lines)


def written() -> dict[str, tuple[str, str]]:
    """What the page has: for each mistake what PyTorch and agnograd say."""
    if not PAGE.exists():
        return {}
    pattern = r"^## (.*?)\n\n```\n.*?\n```\n\nPyTorch:\n\n```text\n(.*?)\n```\n\nagnograd:\n\n```text\n(.*?)\n```\n"
    found = re.findall(pattern, PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return {title: (theirs, ours) for title, theirs, ours in found}


def page() -> str:
    """The text of the page."""
    kept = written()
    version = re.search(r"with PyTorch ([\d.]+)\.$", PAGE.read_text(encoding="utf-8")) if kept else None
    shown = version[1] if version else ""
    has_torch = importlib.util.find_spec("torch") is not None
    if has_torch:
        installed = ".".join(importlib.import_module("torch").__version__.split(".")[:2])
        has_torch = not kept or installed == shown or "--torch" in sys.argv
        shown = installed if has_torch else shown
    parts = []
    for title, code in MISTAKES.items():
        theirs = tidy(outcome("torch", code)) if has_torch else kept[title][0]
        ours = tidy(outcome("agnograd", code))
        parts.append(
            f"## {title}\n\n```\n{code}```\n\nPyTorch:\n\n```text\n{theirs}\n```\n\nagnograd:\n\n```text\n{ours}\n```\n"
        )
    return TEXT.format(mistakes="\n".join(parts), version=shown)


if __name__ == "__main__":
    agnograd.set_default_backend("numpy")
    PAGE.write_text(page(), encoding="utf-8")
