"""A stand-in for cupy on machines without a card: its names, its own memory, kernels emulated.

    with cupy_standin.standing_in() as cupy:
        x = cupy.asarray(np.ones(3))

puts it in `sys.modules["cupy"]` for one `with` block. `CONTROL` plays machines (no driver, little memory, a
missing wheel) and counts what is done. It is stricter than the card where it can be: red zones around arrays,
the use of freed memory, width and kind of kernels' arguments, work that runs only when it is waited for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from . import array as arrays
from . import creation, functions, kernels, linear, memory, products, runtime, streams, ufuncs, values
from .errors import (
    CONTROL,
    CompileException,
    Control,
    Counts,
    CUDADriverError,
    CUDARuntimeError,
    OutOfMemoryError,
)
from .signatures import words

__all__ = [
    "CONTROL", "CUDADriverError", "CUDARuntimeError", "CompileException", "Control", "Counts",
    "OutOfMemoryError", "build", "standing_in",
]  # fmt: skip

VERSION = "14.2.0"
BORROWED = words(  # cupy has NumPy's own
    "bool_ int8 int16 int32 int64 intp uint8 uint16 uint32 uint64 float16 float32 float64 complex64 "
    "complex128 dtype generic number floating integer inexact pi e inf nan newaxis "
    "promote_types broadcast_shapes isscalar issubdtype"
)
CREATION = words(
    "array asarray asanyarray ascontiguousarray asfortranarray asnumpy empty full zeros ones empty_like "
    "full_like zeros_like ones_like arange linspace eye identity tri ix_ copyto from_dlpack get_array_module"
)
QUESTIONS = words("shape ndim size result_type can_cast iscomplexobj isrealobj")


def _module(name: str, **members: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(members)
    return module


def build() -> dict[str, ModuleType]:
    """The modules by their names in `sys.modules`."""
    cupy = _module(
        "cupy",
        __version__=VERSION,
        __path__=[],
        __file__=__file__,
        ndarray=arrays.ndarray,
        ufunc=ufuncs.ufunc,
    )
    cupy.__dict__.update({name: getattr(np, name) for name in BORROWED})
    cupy.__dict__.update({name: getattr(creation, name) for name in CREATION})
    cupy.__dict__.update({name: getattr(functions, name) for name in QUESTIONS})
    cupy.__dict__.update(ufuncs.ufuncs)
    for table in (functions.functions, functions.views):
        cupy.__dict__.update({name: function for name, function in table.items() if "." not in name})
    cupy.__dict__.update(
        RawKernel=kernels.RawKernel, RawModule=kernels.RawModule,
        is_available=runtime.is_available, get_default_memory_pool=memory.get_default_memory_pool,
        matmul=products.matmul,
    )  # fmt: skip
    linalg = _module("cupy.linalg", LinAlgError=np.linalg.LinAlgError, matmul=products.matmul)
    fft = _module("cupy.fft")
    for name, function in {**functions.functions, **functions.views}.items():
        part, _, last = name.partition(".")
        if part == "linalg":
            setattr(linalg, last, linear.guarded(last, function) if last in linear.ROUTINES else function)
        elif part == "fft":
            setattr(fft, last, function)
    modules = {"cupy": cupy, "cupy.linalg": linalg, "cupy.fft": fft, **_cuda(), **_cupyx()}
    for name, module in modules.items():
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(modules[parent], last, module)
    values.namespace["cupy"] = cupy
    return modules


def _cuda() -> dict[str, ModuleType]:
    own_runtime = _module("cupy.cuda.runtime", **vars(runtime.module))
    own_memory = _module(
        "cupy.cuda.memory", OutOfMemoryError=OutOfMemoryError, MemoryPointer=memory.MemoryPointer,
        MemoryPool=memory.MemoryPool, UnownedMemory=memory.UnownedMemory, alloc=memory.alloc,
        set_allocator=memory.set_allocator,
    )  # fmt: skip
    cuda = _module(
        "cupy.cuda", Stream=streams.Stream, Event=streams.Event, Graph=streams.Graph, Device=runtime.Device,
        get_current_stream=streams.get_current_stream, get_elapsed_time=streams.get_elapsed_time,
        is_available=runtime.is_available, get_local_runtime_version=runtime.get_local_runtime_version,
        alloc=memory.alloc, set_allocator=memory.set_allocator, using_allocator=memory.using_allocator,
        MemoryPointer=memory.MemoryPointer, MemoryPool=memory.MemoryPool, BaseMemory=memory.BaseMemory,
        UnownedMemory=memory.UnownedMemory, get_cuda_path=lambda: None, __getattr__=_of_cuda,
    )  # fmt: skip
    return {
        "cupy.cuda": cuda, "cupy.cuda.runtime": own_runtime, "cupy.cuda.memory": own_memory,
        "cupy.cuda.stream": _module("cupy.cuda.stream", Stream=streams.Stream, Event=streams.Event),
        "cupy.cuda.compiler": _module("cupy.cuda.compiler", CompileException=CompileException),
        "cupy.cuda.driver": _module("cupy.cuda.driver", CUDADriverError=CUDADriverError),
        "cupy.cuda.nvrtc": _module("cupy.cuda.nvrtc", getVersion=_nvrtc_version),
    }  # fmt: skip


def _of_cuda(name: str) -> Any:
    """cupy.cuda.cublas is loaded when it is asked for."""
    if name != "cublas":
        raise AttributeError(name)
    CONTROL.require_library("cublas")
    return _module("cupy.cuda.cublas")


def _nvrtc_version() -> tuple[int, int]:
    CONTROL.require_library("nvrtc")
    return CONTROL.runtime // 1000, CONTROL.runtime % 1000 // 10


def _scatter_add(a: Any, slices: Any, value: Any) -> None:
    a.scatter_add(slices, value)


def _cupyx() -> dict[str, ModuleType]:
    return {
        "cupyx": _module("cupyx", __path__=[], errstate=linear.errstate, scatter_add=_scatter_add),
        "cupyx.scipy": _module("cupyx.scipy", __path__=[]),
        "cupyx.scipy.special": _module(
            "cupyx.scipy.special", **ufuncs.special, **functions.special_functions
        ),
        "cupyx.scipy.linalg": _module(
            "cupyx.scipy.linalg", solve_triangular=linear.solve_triangular, expm=linear.expm
        ),
    }


def _exchange(modules: dict[str, ModuleType]) -> dict[str, ModuleType]:
    """Put modules where `import cupy` finds them; those that were there."""
    names = [name for name in sys.modules if name.partition(".")[0] in ("cupy", "cupyx")]
    before = {name: sys.modules.pop(name) for name in names}
    sys.modules.update(modules)
    return before


@contextmanager
def standing_in() -> Iterator[Any]:
    """The stand-in as `cupy` for one `with` block, on a whole machine; whatever was there is put back."""
    CONTROL.reset()
    memory.reset()
    streams.reset()
    modules = build()
    before = _exchange(modules)
    try:
        yield modules["cupy"]
    finally:
        CONTROL.reset()
        streams.reset()
        _exchange(before)
