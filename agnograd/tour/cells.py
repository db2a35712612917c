"""PyTorch's autograd tutorial as cells of code, and how they are run on a backend.

The first line of the first cell is all that differs from PyTorch. Values are shown with ``tolist`` where the tutorial
shows a gradient, because a lazy array prints its shape and computes nothing.
"""

from __future__ import annotations

import ast
import functools
import io
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agnograd.namespaces import use_backend


class Cell(NamedTuple):
    """A piece of code, and a sentence that leads to it."""

    text: str
    code: str


TUTORIAL = (
    Cell("PyTorch's tutorial, with one line changed.", "import agnograd as torch"),
    Cell(
        "A tensor that records what is done with it.",
        "x = torch.ones(2, 2, requires_grad=True)\nprint(x)",
    ),
    Cell("The result of an operation knows where it came from.", "y = x + 2\nprint(y)\nprint(y.grad_fn)"),
    Cell("More operations.", "z = y * y * 3\nout = z.mean()\n\nprint(z, out)"),
    Cell(
        "requires_grad is False unless it is asked for, and can be set in place.",
        "torch.manual_seed(0)\n"
        "a = torch.randn(2, 2)\n"
        "a = (a * 3) / (a - 1)\n"
        "print(a.requires_grad)\n"
        "a.requires_grad_(True)\n"
        "print(a.requires_grad)\n"
        "b = (a * a).sum()\n"
        "print(b.grad_fn)",
    ),
    Cell("Backwards from a scalar: d out / d x = 3 (x + 2) / 2.", "out.backward()\nprint(x.grad)\nx.grad.tolist()"),
    Cell(
        "As many operations as the data ask for.",
        "x = torch.tensor([0.6772, -1.3979, -1.3614], requires_grad=True)\n"
        "\n"
        "y = x * 2\n"
        "while y.data.norm() < 1000:\n"
        "    y = y * 2\n"
        "\n"
        "print(y)\n"
        "y.tolist()",
    ),
    Cell(
        "From a vector, backwards with a vector: the vector-Jacobian product.",
        "gradients = torch.tensor([0.1, 1.0, 0.0001], dtype=torch.float)\n"
        "y.backward(gradients)\n"
        "\n"
        "print(x.grad)\n"
        "x.grad.tolist()",
    ),
    Cell(
        "Nothing is recorded under no_grad.",
        "print(x.requires_grad)\n"
        "print((x ** 2).requires_grad)\n"
        "\n"
        "with torch.no_grad():\n"
        "    print((x ** 2).requires_grad)",
    ),
)

BEYOND = (
    Cell(
        "A gradient is a tensor too: second order, with create_graph.",
        "x = torch.tensor(2.0, requires_grad=True)\n"
        "(first,) = torch.autograd.grad(x ** 4, x, create_graph=True)\n"
        "(second,) = torch.autograd.grad(first, x)\n"
        "first.item(), second.item()",
    ),
    Cell(
        "The same as JAX's users write it: functions of functions, on tensors or on plain arrays.",
        "import agnograd as ag\n"
        "\n"
        "def f(x):\n"
        "    return ag.sum(ag.sin(x) * x)\n"
        "\n"
        "x = ag.tensor([0.0, 1.0, 2.0])\n"
        "v = ag.tensor([1.0, 0.0, 1.0])\n"
        "print(ag.grad(f)(x).tolist())\n"
        "print(ag.jvp(f, (x,), (v,))[1].tolist())\n"
        "print(ag.hvp(f, (x,), (v,)).tolist())",
    ),
)


@dataclass
class Notebook:
    """The variables of one run of the cells on one backend.

    Attributes
    ----------
    backend : str
    error : str
        What ended the run early.
    """

    backend: str
    error: str = ""
    variables: dict[str, Any] = field(default_factory=lambda: {"__name__": "tour"})

    def run(self, code: str) -> str:
        r"""Execute a cell; return what it prints, and the value of its last expression as a notebook shows it.

        Examples
        --------
        >>> Notebook("numpy").run("a = 2\nprint(a)\na + 1")
        '2\n3\n'
        """
        out = io.StringIO()
        # A print of its own, rather than a redirected standard output, which would belong to every thread.
        self.variables["print"] = functools.partial(print, file=out)
        tree = ast.parse(code)
        last = tree.body[-1]
        if isinstance(last, ast.Expr):
            tree.body[-1] = ast.Assign([ast.Name("_", ast.Store())], last.value)
        self.variables["_"] = None
        with use_backend(self.backend):
            exec(compile(ast.fix_missing_locations(tree), "<cell>", "exec"), self.variables)
        if self.variables["_"] is not None:
            print(repr(self.variables["_"]), file=out)
        return out.getvalue()
