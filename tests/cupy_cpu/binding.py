"""Puts Python functions in the place of CuPy's CUDA calls.

CuPy's Cython modules call one another through tables of C function pointers: each module that
offers C functions has a dictionary ``__pyx_capi__`` from their names to capsules, and the name of a
capsule is the C signature. A module reads the tables of those it uses once, when it is imported. So
the entries of ``cupy_backends.cuda.api.runtime`` and ``.driver``, through which every CUDA call
passes, can be exchanged after these two modules are imported and before the rest of CuPy is.
"""

from __future__ import annotations

import atexit
import ctypes
import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from .counts import errors

# Raises the exception of an error code: CuPy's own does that without a device.
_UNTOUCHED = frozenset({"check_status"})

_SKIP_DISPATCH = "__pyx_skip_dispatch"
_OPTIONAL = "__pyx_optional_args"
_TYPES: dict[str, Any] = {
    "int": ctypes.c_int,
    "unsigned int": ctypes.c_uint,
    "size_t": ctypes.c_size_t,
    "intptr_t": ctypes.c_ssize_t,
    "uintmax_t": ctypes.c_uint64,
    "float": ctypes.c_float,
    "PyObject *": ctypes.py_object,
    "CUdevice": ctypes.c_int,
    "cudaMemcpyKind": ctypes.c_int,
}

_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_capsule_name = ctypes.pythonapi.PyCapsule_GetName
_capsule_name.restype = ctypes.c_char_p
_capsule_name.argtypes = [ctypes.py_object]
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]

# Filled at exit. From then on callbacks do nothing: what CuPy frees while the interpreter is taken
# down would otherwise run Python functions whose modules are gone.
_closed: list[bool] = []
atexit.register(_closed.append, True)


class Signature(NamedTuple):
    """The C signature of an entry of a table, and how many arguments a Python caller gives."""

    text: bytes
    result: Any
    parameters: tuple[Any, ...]
    arity: int


def _ctype(text: str) -> Any:
    text = text.strip()
    if text in _TYPES:
        return _TYPES[text]
    if text.startswith("struct") and "PointerAttributes" in text:
        return ctypes.py_object
    raise TypeError(f"C type {text!r} is not known")


def _parse(text: bytes) -> Signature | None:
    """Parse the name of a capsule; None for a variable, TypeError for types not understood."""
    result, parenthesis, rest = text.decode().partition("(")
    if not parenthesis:
        return None
    names = [name for name in rest.rstrip(")").split(",") if name.strip() not in ("", "void")]
    parameters: list[Any] = []
    arity = 0
    for name in names:
        # The two that Cython adds after a function's own arguments.
        if _SKIP_DISPATCH in name:
            parameters.append(ctypes.c_int)
        elif _OPTIONAL in name:
            parameters.append(ctypes.c_void_p)
        else:
            parameters.append(_ctype(name))
            arity += 1
    return Signature(text, _ctype(result), tuple(parameters), arity)


def misfit(module: ModuleType, functions: Mapping[str, Callable[..., Any]]) -> str | None:
    """Say why ``functions`` cannot stand in for those of ``module``, or None if they can."""
    table: dict[str, Any] = getattr(module, "__pyx_capi__", {})
    for name, function in functions.items():
        if name not in table:
            if hasattr(module, name):
                continue  # a function that only Python code calls
            return f"{module.__name__} has no function {name}"
        text = _capsule_name(table[name])
        try:
            signature = _parse(text)
            if signature is None:
                return f"{module.__name__}.{name} is a variable"
            inspect.signature(function).bind(*range(signature.arity))
        except TypeError as error:
            return f"{module.__name__}.{name} has the signature {text.decode()!r}: {error}"
    return None


def bind(
    module: ModuleType,
    functions: Mapping[str, Callable[..., Any]],
    without_effect: frozenset[str],
) -> None:
    """Replace every function of ``module``, for C callers and for Python callers.

    Parameters
    ----------
    module : module
        A Cython module of CuPy.
    functions : mapping of str to callable
        What to call instead, by name.
    without_effect : frozenset of str
        Functions that succeed and do nothing. All that are named nowhere raise NotImplementedError:
        a call that silently did nothing would give wrong values.
    """
    table = module.__pyx_capi__
    for name in (set(table) | set(functions)) - _UNTOUCHED:
        function = functions.get(name)
        if function is None:
            function = _do_nothing if name in without_effect else _not_implemented(module, name)
        if name in table:
            try:
                signature = _parse(_capsule_name(table[name]))
            except TypeError:
                continue  # structures by value: textures and the like, which stay CuPy's own
            if signature is None:
                continue
            table[name] = _capsule(name, signature, function)
        if hasattr(module, name):
            setattr(module, name, function)


def observe(module: ModuleType, observers: Mapping[str, Callable[..., None]]) -> None:
    """Tell ``observers`` of calls, for C callers and for Python callers, once these have succeeded.

    Parameters
    ----------
    module : module
        A Cython module of CuPy, as it is or with functions that ``bind`` put there.
    observers : mapping of str to callable
        ``observer(result, *arguments)``, by name of the function.
    """
    table = module.__pyx_capi__
    for name, observer in observers.items():
        capsule = table[name]
        signature = _parse(_capsule_name(capsule))
        assert signature is not None
        arity = signature.arity
        table[name] = _capsule(
            name, signature, _observed(_function(capsule, signature), observer, arity), whole=True
        )
        if hasattr(module, name):
            setattr(module, name, _observed(getattr(module, name), observer, arity))


def _function(capsule: Any, signature: Signature) -> Callable[..., Any]:
    """The C function in a capsule. An exception that it sets is raised."""
    address = _capsule_pointer(capsule, signature.text)
    return ctypes.PYFUNCTYPE(signature.result, *signature.parameters)(address)


def _observed(
    function: Callable[..., Any], observer: Callable[..., None], arity: int
) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        result = function(*arguments)
        observer(result, *arguments[:arity])
        return result

    return call


def _do_nothing(*arguments: Any) -> None:
    """Succeed."""


def _not_implemented(module: ModuleType, name: str) -> Callable[..., Any]:
    def fail(*arguments: Any, **keywords: Any) -> None:
        raise NotImplementedError(f"{module.__name__}.{name} is not emulated")

    return fail


def _capsule(
    name: str, signature: Signature, function: Callable[..., Any], *, whole: bool = False
) -> Any:
    """Wrap ``function`` as a C function pointer in a capsule.

    With ``whole`` it is given what Cython adds to the arguments, too.
    """
    default = None if signature.result is ctypes.py_object else 0
    arity = len(signature.parameters) if whole else signature.arity
    closed = _closed

    def callback(*arguments: Any) -> Any:
        if closed:
            return default
        try:
            result = function(*arguments[:arity])
        except BaseException as error:
            error.add_note(f"in {name}{arguments[:arity]}")
            errors.append(error)
            return default
        return default if result is None else result

    pointer = ctypes.PYFUNCTYPE(signature.result, *signature.parameters)(callback)
    # C code keeps the addresses until the process ends, beyond the life of any Python reference.
    for kept in (pointer, signature.text):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))
    return _new_capsule(ctypes.cast(pointer, ctypes.c_void_p).value, signature.text, None)
