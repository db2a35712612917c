"""Exceptions and warnings.

Every exception derives from `AgnogradError` and from the builtin that users catch for that kind of mistake::

    AgnogradError
    ├── GradientError(RuntimeError)             a backward pass cannot be carried out
    │   ├── NoGraphError                        the tensor has no graph
    │   ├── NonScalarError                      the cotangent of a non-scalar is not implied
    │   ├── GraphFreedError                     saved values were freed by an earlier pass
    │   ├── CheckpointError                     a function did something else when it was run again
    │   ├── SavedError                          what a graph saved did not come back, or hooks are disabled
    │   ├── UndefinedGradientError              the function depends on what is determined only up to a choice
    │   └── UnusedInputError                    an input did not take part
    ├── AnomalyError(FloatingPointError, RuntimeError)      a NaN or infinity, in anomaly mode
    ├── FunctionError(TypeError, RuntimeError)  methods of a custom function do not fit together
    ├── HookError(TypeError, RuntimeError)      a hook returned what a pass cannot go on with
    ├── LinearityError(ValueError)              a function that must be linear, and is not
    ├── CotangentError(ValueError, RuntimeError)    shape, dtype, backend or device of a given cotangent
    ├── NotDifferentiableError(TypeError, ValueError, RuntimeError)     a dtype that cannot carry a gradient
    ├── InplaceError(RuntimeError)              a write that would make a gradient wrong
    ├── GradientLostError(TypeError, BufferError, RuntimeError)     data would leave the graph silently
    ├── MixedBackendsError(TypeError)           arrays of two libraries in one operation
    ├── MixedDevicesError(ValueError)           arrays of two devices in one operation
    ├── ForeignArrayError(TypeError)            an array of a library that no backend describes
    ├── EscapedError(RuntimeError)              a value outlived its transformation
    ├── BatchedValueError(TypeError, ValueError)        a value for each member of a batch, where one is needed
    ├── TraceError(TypeError, ValueError, RuntimeError)     a function that cannot be compiled
    ├── ImplicitComputeError(TypeError)         a lazy array would be computed, which was ruled out
    ├── BlocksError(TypeError, ValueError)      blocks of dask's arrays that do not fit together
    ├── LevelError(RuntimeError)                a level of forward mode that is not open
    ├── TreeError(ValueError)                   trees of different structure, a vector that does not fit its tree
    ├── SparsityError(ValueError)               a sparsity that does not fit its Jacobian
    ├── ConvergenceError(RuntimeError)          an iteration has not come to its end
    ├── MissingLibraryError(ImportError)        an optional library that is not installed
    ├── GradcheckError(AssertionError, RuntimeError)    a derivative is wrong
    ├── ConformanceError(AssertionError)        an operation or a backend that fails tests which all pass
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


class HookError(AgnogradError, TypeError, RuntimeError):
    """A hook that returned what a backward pass cannot go on with."""


class SavedError(GradientError):
    """What a graph saved cannot be had in the form that was asked for."""


class FunctionError(AgnogradError, TypeError, RuntimeError):
    """A custom function whose methods do not fit together."""


class AnomalyError(AgnogradError, FloatingPointError, RuntimeError):
    """A NaN or an infinity where anomaly mode looks for them."""


class CheckpointError(GradientError):
    """A function did something else when it was run again for a backward pass."""


class CotangentError(AgnogradError, ValueError, RuntimeError):
    """A cotangent does not fit its output in shape, dtype, backend or device."""


class LinearityError(AgnogradError, ValueError):
    """A function that is to be transposed is not linear."""


class NotDifferentiableError(AgnogradError, TypeError, ValueError, RuntimeError):
    """A dtype cannot carry a gradient."""


class InplaceError(AgnogradError, RuntimeError):
    """A write in place would make a gradient wrong."""


class GradientLostError(AgnogradError, TypeError, BufferError, RuntimeError):
    """Data would leave the graph silently."""


class MixedBackendsError(AgnogradError, TypeError):
    """One operation was given arrays of two libraries."""


class MixedDevicesError(AgnogradError, ValueError):
    """One operation was given arrays of two devices."""


class ForeignArrayError(AgnogradError, TypeError):
    """An array belongs to a library that no registered backend describes."""


class EscapedError(AgnogradError, RuntimeError):
    """A value was used after the transformation that made it had ended."""


class BatchedValueError(AgnogradError, TypeError, ValueError):
    """Under vmap there is a value for each member of a batch, where one is needed, or a shape depends on it."""


class TraceError(AgnogradError, TypeError, ValueError, RuntimeError):
    """A function cannot be compiled as it is; the message says why, and where."""


class ImplicitComputeError(AgnogradError, TypeError):
    """A Python value was asked of a lazy array, where `agnograd.config` rules out that it is computed for that."""


class BlocksError(AgnogradError, TypeError, ValueError):
    """Blocks of arrays of dask do not fit together, or what a function of blocks returns does not fit them."""


class LevelError(AgnogradError, RuntimeError):
    """A level of forward mode was named that is not open here."""


class TreeError(AgnogradError, ValueError):
    """Trees have different structures, or a vector does not fit its tree."""


class SparsityError(AgnogradError, ValueError):
    """A pattern of sparsity that is not that of the Jacobian."""


class ConvergenceError(AgnogradError, RuntimeError):
    """An iteration did not reach its tolerance in the steps it was given."""


class MissingLibraryError(AgnogradError, ImportError):
    """An optional library that was asked for is not installed."""


class GradcheckError(AgnogradError, AssertionError, RuntimeError):
    """A derivative is wrong; the message says which, and by how much."""


class ConformanceError(AgnogradError, AssertionError):
    """An operation or a backend fails tests that all have to pass; the message says which."""


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


class BatchLoopWarning(AgnogradWarning):
    """An operation without a batching rule runs in a loop."""


class GradientLostWarning(AgnogradWarning):
    """A value left the graph through a conversion to a Python scalar."""
