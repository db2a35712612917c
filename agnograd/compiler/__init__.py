"""Compiled functions: traced once for each kind of arguments, made into straight-line code, and replayed.

A function runs on traced arrays (`agnograd.core.trace`), which write a program (`program`, `tracing`); passes make it
shorter (`passes`), a generator of the backend makes source of it (`source`, `generating`), and `operation` runs it at
whatever level of transformations the arguments are. docs/compile.md tells users about it.
"""

from agnograd.compiler.compiled import Compiled, CompileWarning, compile
from agnograd.compiler.explaining import Explanation, explain

__all__ = ["CompileWarning", "Compiled", "Explanation", "compile", "explain"]
