"""Exceptions and warnings.

Every exception derives from `AgnogradError` and from the builtin that users catch for that kind of mistake::

    AgnogradError
    ├── GradientError(RuntimeError)             a backward pass cannot be carried out
    │   ├── NoGraphError                        the tensor has no graph
    │   ├── NonScalarError                      the cotangent of a non-scalar is not implied
    │   ├── GraphFreedError                     saved values were freed by an earlier pass
    │   ├── UndefinedGradientError              the function depends on what is determined only up to a choice
    │   └── UnusedInputError                    an input did not take part
    ├── CotangentError(ValueError, RuntimeError)    shape, dtype, backend or device of a given cotangent
    ├── NotDifferentiableError(TypeError, RuntimeError)     a dtype that cannot carry a gradient
    ├── InplaceError(RuntimeError)              a write that would make a gradient wrong
    ├── GradientLostError(TypeError, BufferError)   data would leave the graph silently
    ├── MixedBackendsError(TypeError)           arrays of two libraries in one operation
    ├── MixedDevicesError(ValueError)           arrays of two devices in one operation
    ├── ForeignArrayError(TypeError)            an array of a library that no backend describes
    ├── EscapedError(RuntimeError)              a value outlived its transformation
    ├── MissingRuleError(NotImplementedError)   an operation without a derivative
    ├── UnsupportedError(NotImplementedError)   an operation that a backend lacks
    ├── RuleError(TypeError)                    a rule that cannot be registered
    ├── UnknownOperationError(LookupError)      no operation of that name
    ├── UnknownBackendError(LookupError)        no backend of that name
    ├── BackendUnavailableError(ImportError)    a known backend that is not installed or does not work
    ├── UnknownPluginError(LookupError)         no plugin or observer of that name
    ├── ConflictError(LookupError)              two plugins claim one name
    └── PluginError(TypeError)                  a plugin that breaks the contract of hookspecs

Messages say what was asked, why it cannot be done and what to do. They name shapes, dtypes, backends and devices,
never the values of an array: formatting values would compute a lazy array and synchronise a GPU.
"""

from __future__ import annotations


class AgnogradError(Exception):
    """Base class of all exceptions that agnograd raises on its own account."""


class GradientError(AgnogradError, RuntimeError):
    """A backward pass cannot be carried out."""


class NoGraphError(GradientError):
    """The tensor does not require grad and has no graph."""


class NonScalarError(GradientError):
    """The cotangent of an output with more than one element is not implied."""


class GraphFreedError(GradientError):
    """The values that the graph had saved were freed by an earlier backward pass."""


class UnusedInputError(GradientError):
    """An input was not used to compute the output."""


class UndefinedGradientError(GradientError):
    """The function depends on what is determined only up to a choice, such as the phase of an eigenvector."""


class CotangentError(AgnogradError, ValueError, RuntimeError):
    """A cotangent does not fit its output in shape, dtype, backend or device."""


class NotDifferentiableError(AgnogradError, TypeError, RuntimeError):
    """A dtype cannot carry a gradient."""


class InplaceError(AgnogradError, RuntimeError):
    """A write in place would make a gradient wrong."""


class GradientLostError(AgnogradError, TypeError, BufferError):
    """Data would leave the graph silently."""


class MixedBackendsError(AgnogradError, TypeError):
    """One operation was given arrays of two libraries."""


class MixedDevicesError(AgnogradError, ValueError):
    """One operation was given arrays of two devices."""


class ForeignArrayError(AgnogradError, TypeError):
    """An array belongs to a library that no registered backend describes."""


class EscapedError(AgnogradError, RuntimeError):
    """A value was used after the transformation that made it had ended."""


class MissingRuleError(AgnogradError, NotImplementedError):
    """An operation has no derivative rule for what was asked."""


class UnsupportedError(AgnogradError, NotImplementedError):
    """A backend lacks an operation, and it cannot be expressed by others."""


class RuleError(AgnogradError, TypeError):
    """A derivative rule cannot be registered as it is."""


class UnknownOperationError(AgnogradError, LookupError):
    """The table holds no operation of that name."""


class UnknownBackendError(AgnogradError, LookupError):
    """No backend has that name."""


class UnknownPluginError(AgnogradError, LookupError):
    """No plugin that is loaded, or no observer of one, has that name."""


class BackendUnavailableError(AgnogradError, ImportError):
    """A backend is known, but the library behind it is missing or does not work."""


class ConflictError(AgnogradError, LookupError):
    """Two plugins claim one name."""


class PluginError(AgnogradError, TypeError):
    """A plugin breaks the contract of `agnograd.hookspecs`."""


class AgnogradWarning(UserWarning):
    """Base class of the warnings."""


class PluginLoadWarning(AgnogradWarning):
    """A plugin was skipped."""


class GradientLostWarning(AgnogradWarning):
    """A value left the graph through a conversion to a Python scalar."""
