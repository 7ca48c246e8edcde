"""Kernels: CUDA C through the emulator, arguments packed exactly as cupy packs them."""

from __future__ import annotations

import ctypes
import itertools
from typing import Any

import numpy as np

from . import memory
from .creation import array
from .errors import CONTROL, CompileException, CUDADriverError
from .streams import chosen
from .values import is_device

PASSED = frozenset(map(np.dtype, "?bhilBHILfd"))  # dtypes of numbers that kernels take
ACCEPTS = {"p": "p", "i": "iu", "u": "iu", "b": "b", "f": "f"}  # parameter's kind → arguments' kinds
LARGEST_BLOCK = 1024
SHARED = 48 << 10
_turn = itertools.count()


def packed(x: Any) -> tuple[Any, str]:
    """An argument as cupy passes it to the driver, and its kind.

    Python's int goes as int64, its float as float64, whatever the kernel takes; NumPy's scalars keep theirs.
    """
    if is_device(x):
        return ctypes.c_void_p(x.data.ptr), "p"
    if isinstance(x, memory.MemoryPointer):
        return ctypes.c_void_p(x.ptr), "p"
    if x is None:
        return ctypes.c_void_p(0), "p"
    if isinstance(x, np.ndarray):
        if x.size != 1:
            raise TypeError(
                f"You are trying to pass a numpy.ndarray of shape {x.shape} as a kernel parameter. Only "
                "numpy.ndarrays of size one can be passed by value. If you meant to pass a pointer to "
                "__global__ memory, you need to pass a cupy.ndarray instead."
            )
        x = x.reshape(())[()]
    if isinstance(x, bool):
        x = np.bool_(x)
    elif isinstance(x, int):
        x = np.int64(x)
    elif isinstance(x, float):
        x = np.float64(x)
    if hasattr(x, "__cuda_array_interface__"):
        return packed(array(x, copy=False))
    if not isinstance(x, np.generic) or x.dtype not in PASSED:
        raise TypeError(f"Unsupported type {type(x)}")
    return np.ctypeslib.as_ctypes_type(x.dtype)(x.item()), x.dtype.kind


class RawKernel:
    """As `cupy.RawKernel`."""

    def __init__(
        self, code: str, name: str, options: tuple[str, ...] = (), backend: str = "nvrtc",
        translate_cucomplex: bool = False, *, enable_cooperative_groups: bool = False, jitify: Any = None,
        _module: RawModule | None = None,
    ) -> None:  # fmt: skip
        self.code, self.name, self.options, self.backend = code, name, options, backend
        self._module = _module or RawModule(code=code, options=options, backend=backend)
        self._max_dynamic_shared = SHARED

    def compile(self, log_stream: Any = None) -> None:
        """Compile now."""
        self._module.compile(log_stream)

    @property
    def kernel(self) -> Any:
        """What the emulator runs."""
        kernels = self._module._emulated.kernels
        if self.name not in kernels:
            raise CUDADriverError("CUDA_ERROR_NOT_FOUND: named symbol not found")
        return kernels[self.name]

    @property
    def attributes(self) -> dict[str, int]:
        """As the driver says them, those that do not depend on a compiler."""
        return {
            "max_threads_per_block": LARGEST_BLOCK,
            "max_dynamic_shared_size_bytes": self._max_dynamic_shared,
        }

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        """Bytes of dynamic shared memory that a launch may ask for."""
        return self._max_dynamic_shared

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, bytes: int) -> None:
        self._max_dynamic_shared = bytes

    def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int = 0, stream: Any = None) -> None:
        """Queue a launch."""
        CONTROL.require_device()
        grid, block = _three(grid, "grid"), _three(block, "block")
        values = self._arguments(args)
        if block[0] * block[1] * block[2] > LARGEST_BLOCK or shared_mem > self._max_dynamic_shared:
            raise CUDADriverError("CUDA_ERROR_INVALID_VALUE: invalid argument")
        order = CONTROL.orders[next(_turn) % len(CONTROL.orders)]
        pointers = [v.value for v, kind in values if kind == "p" and v.value]

        def run() -> None:
            CONTROL.counts.launches += 1
            for pointer in pointers:
                memory.block_at(pointer)  # a pointer that is stale when the kernel runs
            self.kernel.launch(grid, block, [v for v, _ in values], shared_mem, order, memory.regions())
            memory.check_zones()

        chosen(stream).push(self.name, run, tuple(args))

    def _arguments(self, args: Any) -> list[tuple[Any, str]]:
        """The packed arguments, held against the signature: the card would read whatever bytes there are."""
        values, wanted = [packed(a) for a in args], self.kernel.signature
        if len(values) != len(wanted):
            raise TypeError(f"{self.name} takes {len(wanted)} arguments, {len(values)} were passed")
        for k, ((value, kind), (expected, width)) in enumerate(zip(values, wanted, strict=True)):
            if kind not in ACCEPTS[expected] or ctypes.sizeof(value) != width:
                given = f"{kind}{8 * ctypes.sizeof(value)}"
                raise TypeError(
                    f"{self.name}: argument {k} is {given}, the kernel takes {expected}{8 * width}: "
                    "the card would read other bytes than were meant"
                )
        return values


def _three(size: Any, what: str) -> tuple[int, int, int]:
    if not isinstance(size, tuple):
        raise TypeError(f"{what} must be a tuple, got {type(size).__name__}")
    x, y, z = (*map(int, size), 1, 1)[:3]
    return (max(x, 1), max(y, 1), max(z, 1))  # cupy launches an empty grid as one block


class RawModule:
    """As `cupy.RawModule`."""

    def __init__(
        self, code: str | None = None, *, path: str | None = None, options: tuple[str, ...] = (),
        backend: str = "nvrtc", translate_cucomplex: bool = False, enable_cooperative_groups: bool = False,
        name_expressions: Any = None, jitify: Any = None,
    ) -> None:  # fmt: skip
        if (code is None) == (path is None):
            raise TypeError("Exactly one of `code` and `path` keyword arguments must be given.")
        if not isinstance(options, tuple):
            raise TypeError(
                f"Argument 'options' has incorrect type (expected tuple, got {type(options).__name__})"
            )
        if code is None:
            assert path is not None
            with open(path) as file:
                code = file.read()
        self.code, self.options, self.backend = code, options, backend
        self._module: Any = None

    @property
    def _emulated(self) -> Any:
        self.compile()
        return self._module

    def compile(self, log_stream: Any = None) -> None:
        """Compile now.

        Raises:
            CompileException: the source does not compile.
        """
        CONTROL.require_device()
        if self._module is None:
            from .. import harness

            CONTROL.require_library("nvrtc")

            try:
                self._module = harness.Module(self.code, checked=CONTROL.checked)
            except harness.CompileError as error:
                raise CompileException(str(error), self.code, "kernel.cu", self.options) from None

    def get_function(self, name: str) -> RawKernel:
        """A kernel by its name."""
        kernel = RawKernel(self.code, name, self.options, _module=self)
        _ = kernel.kernel
        return kernel
