"""What ONNX cannot do, by ndonnx: the only place where a test of the matrix is expected to fail, and strictly so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agnograd.testing import Case

_COMPLEX = "ndonnx has no complex numbers, and ONNX has operators on none but Fourier transforms"
_DECOMPOSITION = "ONNX has no decompositions of matrices"
_FOURIER = "results or arguments are complex numbers, which ndonnx has not"
_DERIVATIVES = (
    *("test_first_order", "test_second_order", "test_single_precision", "test_edge", "test_backward"),
    "test_batched_derivatives",
)

# Operations, on whatever arguments.
OPERATIONS: dict[str, str] = {
    "nextafter": "ONNX has no operator that takes a number for its bits",
    **dict.fromkeys(
        ("fft.fft", "fft.ifft", "fft.rfft", "fft.irfft", "fft.fftn", "fft.ifftn", "fft.rfftn", "fft.irfftn"), _FOURIER
    ),
    **dict.fromkeys(("fft.hfft", "fft.ihfft"), _FOURIER),
    **dict.fromkeys(
        ("linalg.eig", "linalg.eigh", "linalg.eigvals", "linalg.eigvalsh", "linalg.qr", "linalg.svd", "linalg.svdvals"),
        _DECOMPOSITION,
    ),
    **dict.fromkeys(("linalg.matrix_rank", "linalg.pinv"), _DECOMPOSITION),
}

# (operation, test, part of the sample), where an empty one stands for all.
GAPS: dict[tuple[str, str, str], str] = {
    **{("linalg.matrix_norm", "", f"ord={order}"): _DECOMPOSITION for order in ("2", "-2", "nuc")},
    # Their own values are minors here; the derivatives of these are formulas with singular values.
    **{("cofactors", test, ""): _DECOMPOSITION for test in _DERIVATIVES},
    **{("linalg.det", test, ""): _DECOMPOSITION for test in ("test_second_order",)},
}


def reason(case: Case, test: str) -> str | None:
    """Why a test is expected to fail; None if it is not."""
    if case.is_complex or case.sample.params.get("dtype") in {"complex64", "complex128"}:
        return _COMPLEX
    if case.op.name in OPERATIONS:
        return OPERATIONS[case.op.name]
    for (op, of_test, part), why in GAPS.items():
        if op == case.op.name and of_test in {"", test} and (not part or part in case.id.split("-", 1)[-1]):
            return why
    return None
