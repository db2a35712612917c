"""cuFFT, as the module ``cupy.cuda.cufft`` shows it: plans, which transform without normalising."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from ..counts import record_library_call
from .memory import host_view
from .stand_in import StandIn, answer

CONSTANTS = {
    "CUFFT_C2C": 0x29,
    "CUFFT_R2C": 0x2A,
    "CUFFT_C2R": 0x2C,
    "CUFFT_Z2Z": 0x69,
    "CUFFT_D2Z": 0x6A,
    "CUFFT_Z2D": 0x6C,
    "CUFFT_FORWARD": -1,
    "CUFFT_INVERSE": 1,
}
_REAL_TO_COMPLEX = (CONSTANTS["CUFFT_R2C"], CONSTANTS["CUFFT_D2Z"])
_COMPLEX_TO_REAL = (CONSTANTS["CUFFT_C2R"], CONSTANTS["CUFFT_Z2D"])
_OUTPUT_DTYPES = {
    CONSTANTS["CUFFT_C2C"]: np.complex64,
    CONSTANTS["CUFFT_R2C"]: np.complex64,
    CONSTANTS["CUFFT_C2R"]: np.float32,
    CONSTANTS["CUFFT_Z2Z"]: np.complex128,
    CONSTANTS["CUFFT_D2Z"]: np.complex128,
    CONSTANTS["CUFFT_Z2D"]: np.float64,
}


def transform(a: np.ndarray, out: np.ndarray, kind: int, axes: tuple[int, ...], sign: int) -> None:
    """Transform ``a`` along ``axes`` into ``out``."""
    if kind in _REAL_TO_COMPLEX:
        out[...] = np.fft.rfftn(a, axes=axes)
    elif kind in _COMPLEX_TO_REAL:
        lengths = [out.shape[axis] for axis in axes]
        out[...] = np.fft.irfftn(a, lengths, axes, norm="forward")
    elif sign == CONSTANTS["CUFFT_FORWARD"]:
        out[...] = np.fft.fftn(a, axes=axes)
    else:
        out[...] = np.fft.ifftn(a, axes=axes, norm="forward")


def module(cupy: ModuleType) -> StandIn:
    """Return the stand-in for ``cupy.cuda.cufft``."""

    class Plan:
        """What CuPy keeps in its cache of plans, and asks of one."""

        # A plan runs on one device and needs no work area.
        gpus = None
        work_area = None
        fft_type: int
        axes: tuple[int, ...]
        last_axis: int
        last_size: int | None

        def get_output_array(self, a: Any, order: str = "C") -> Any:
            shape = list(a.shape)
            if self.last_size is not None:
                shape[self.last_axis] = self.last_size
            return cupy.empty(shape, _OUTPUT_DTYPES[self.fft_type], order=order)

        def fft(self, a: Any, out: Any, direction: int) -> None:
            record_library_call("cufft.exec")
            transform(host_view(a), host_view(out), self.fft_type, self.axes, direction)

    class Plan1d(Plan):
        """Transforms along the last axis."""

        def __init__(self, nx: int, fft_type: int, batch: int, devices: Any = None) -> None:
            self.nx = nx
            self.fft_type = fft_type
            self.batch = batch
            self.axes = (-1,)
            self.last_axis = -1
            self.last_size = nx // 2 + 1 if fft_type in _REAL_TO_COMPLEX else nx

    class PlanNd(Plan):
        """Transforms along up to three adjacent axes, of which ``last_axis`` is the last."""

        def __init__(
            self,
            shape: tuple[int, ...],
            inembed: Any, istride: int, idist: int, onembed: Any, ostride: int, odist: int,
            fft_type: int,
            batch: int,
            order: str,
            last_axis: int,
            last_size: int | None,
        ) -> None:  # fmt: skip
            self.shape = tuple(shape)
            self.fft_type = fft_type
            self.order = order
            self.axes = tuple(range(last_axis + 1 - len(self.shape), last_axis + 1))
            self.last_axis = last_axis
            self.last_size = last_size

    stand_in = StandIn(
        "cupy.cuda.cufft", CONSTANTS, housekeeping={"get_current_plan": answer(None)}
    )
    stand_in.Plan1d = Plan1d
    stand_in.PlanNd = PlanNd
    return stand_in
