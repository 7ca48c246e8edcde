"""Errors with cupy's texts, and the switches by which a test plays a machine."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

# What cudaGetErrorString says of the codes that occur here.
STRINGS = {
    "cudaErrorMemoryAllocation": "out of memory",
    "cudaErrorInsufficientDriver": "CUDA driver version is insufficient for CUDA runtime version",
    "cudaErrorNoDevice": "no CUDA-capable device is detected",
    "cudaErrorIllegalAddress": "an illegal memory access was encountered",
    "cudaErrorStreamCaptureUnsupported": "operation not permitted when stream is capturing",
    "cudaErrorIllegalState": "the operation cannot be performed in the present state",
    "cudaErrorInvalidValue": "invalid argument",
    "cudaErrorInvalidDevice": "invalid device ordinal",
}
CODES = {
    "cudaErrorInvalidValue": 1, "cudaErrorMemoryAllocation": 2, "cudaErrorInsufficientDriver": 35,
    "cudaErrorNoDevice": 100, "cudaErrorInvalidDevice": 101, "cudaErrorIllegalState": 401,
    "cudaErrorIllegalAddress": 700, "cudaErrorStreamCaptureUnsupported": 900,
}  # fmt: skip


class CUDARuntimeError(RuntimeError):
    """As `cupy.cuda.runtime.CUDARuntimeError`, made from a name rather than a number."""

    def __init__(self, name: str, detail: str = "") -> None:
        self.status = CODES[name]
        super().__init__(f"{name}: {STRINGS[name]}" + (f" ({detail})" if detail else ""))


class CUDADriverError(RuntimeError):
    """As `cupy.cuda.driver.CUDADriverError`."""


class CompileException(Exception):
    """As `cupy.cuda.compiler.CompileException`: what NVRTC said of a source."""

    def __init__(
        self, msg: str, source: str, name: str, options: tuple[str, ...], backend: str = "nvrtc"
    ) -> None:
        super().__init__(msg)
        self._msg, self.source, self.name, self.options, self.backend = msg, source, name, options, backend

    def __str__(self) -> str:
        return self._msg

    def get_message(self) -> str:
        """The compiler's messages."""
        return self._msg


class OutOfMemoryError(MemoryError):
    """As `cupy.cuda.memory.OutOfMemoryError`."""

    def __init__(self, size: int, total: int, limit: int = 0) -> None:
        self._size, self._total, self._limit = size, total, limit
        text = f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes"
        super().__init__(text + (f", limit set to: {limit:,} bytes)." if limit else ")."))


@dataclass
class Counts:
    """What the machine has done since a test began: `CONTROL.counts`."""

    allocations: int = 0  # arrays and pointers that asked the pool for memory
    device_allocations: int = 0  # of these, how many the pool had to ask the device for
    host_to_device: int = 0  # copies
    device_to_host: int = 0
    launches: int = 0  # of kernels, by calls and by graphs
    calls: int = 0  # of functions of cupy that compute
    synchronizations: int = 0
    graphs: int = 0  # launches of graphs


@dataclass
class Control:
    """How the machine is: a test sets what it plays, `reset()` makes it whole again.

    Attributes:
        missing: the error that every use of the device raises: "cudaErrorNoDevice" or
            "cudaErrorInsufficientDriver"; empty: there is one.
        libraries: wheels that are not there, "nvrtc" or "cublas": their first use raises ImportError.
        driver, runtime: version numbers, 13000 for CUDA 13.0.
        memory: bytes of the device.
        refuse_allocation: the number of the allocation from now on that fails; 0: none does.
        checked: kernels run with bounds, races and alignment checked.
        orders: thread orders that launches take in turn.
        ftz: float32 denormals flush to zero, as cupy has it.
        name, capability: of the device.
    """

    missing: str = ""
    libraries: frozenset[str] = frozenset()
    driver: int = 13000
    runtime: int = 13000
    memory: int = 8 << 30
    refuse_allocation: int = 0
    checked: bool = True
    orders: tuple[int, ...] = (0, 1, 2)
    name: str = "Stand-in for a CUDA device"
    capability: str = "80"
    counts: Counts = field(default_factory=Counts)
    log: list[str] = field(default_factory=list)  # the names of what streams have run, in order

    def reset(self) -> None:
        """A whole machine that has done nothing yet."""
        fresh = Control()
        for each in fields(self):
            setattr(self, each.name, getattr(fresh, each.name))

    def require_device(self) -> None:
        """Raise what every use of the device raises where there is none."""
        if self.missing:
            raise CUDARuntimeError(self.missing)

    def require_library(self, name: str) -> None:
        """Raise what the first use of a library raises whose wheel is not installed."""
        if name in self.libraries:
            file = f"lib{name}.so.13" if name != "cublas" else "libcublasLt.so.13 or libcublasLt.so.12"
            raise ImportError(f'Failure finding "{file}": No such file: {file}, No such file: {file}')

    @contextmanager
    def playing(self, **switches: Any) -> Any:
        """The machine as the switches say, for one `with` block."""
        before = {name: getattr(self, name) for name in switches}
        for name, value in switches.items():
            setattr(self, name, value)
        try:
            yield self
        finally:
            for name, value in before.items():
                setattr(self, name, value)


CONTROL = Control()
