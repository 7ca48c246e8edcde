"""What kernels need beyond numba's Python: memory by address, calls by address, atomics.

Self-contained: the kernel cache copies this file beside the kernels, and its text is part of their key.
"""
# mypy: ignore-errors

from __future__ import annotations

import platform

from llvmlite import ir

from .entries import intrinsic, types

__all__ = [
    "call_chunk", "compare_exchange", "f32_at", "f64_at", "fetch_min", "i32_at", "i64_at",
    "invoke0", "invoke1", "invoke2", "load_shared", "pause", "store_shared", "u8_at",
]  # fmt: skip

_I64 = ir.IntType(64)
_X86 = platform.machine().lower() in ("x86_64", "amd64")


def _view(element, native):
    """The address of an array as a pointer that indexes like one."""

    @intrinsic
    def at(context, address):
        def emit(_context, builder, _signature, args):
            return builder.inttoptr(args[0], native.as_pointer())

        return types.CPointer(element)(types.int64), emit

    return at


u8_at = _view(types.uint8, ir.IntType(8))
i32_at = _view(types.int32, ir.IntType(32))
i64_at = _view(types.int64, _I64)
f32_at = _view(types.float32, ir.FloatType())
f64_at = _view(types.float64, ir.DoubleType())


def _invoke(arity):
    """A call of the C function at an address, with `arity` word-sized arguments; returns a word."""

    def emit(_context, builder, _signature, args):
        function = ir.FunctionType(_I64, [_I64] * arity)
        return builder.call(builder.inttoptr(args[0], function.as_pointer()), args[1:])

    return types.int64(*[types.int64] * (arity + 1)), emit


@intrinsic
def invoke0(context, function):
    """`function()` by address."""
    return _invoke(0)


@intrinsic
def invoke1(context, function, a):
    """`function(a)` by address."""
    return _invoke(1)


@intrinsic
def invoke2(context, function, a, b):
    """`function(a, b)` by address."""
    return _invoke(2)


@intrinsic
def call_chunk(context, kernel, block, chunk):
    """Run one chunk of a kernel, `void(int64* block, int64 chunk)`, by address."""

    def emit(context, builder, _signature, args):
        function = ir.FunctionType(ir.VoidType(), [_I64, _I64])
        builder.call(builder.inttoptr(args[0], function.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), emit


def _word(builder, address):
    return builder.inttoptr(address, _I64.as_pointer())


# Sequentially consistent throughout: parking needs store-then-load order, and a region costs a few of these.
@intrinsic
def load_shared(context, address):
    """The int64 at an address that other threads write."""

    def emit(_context, builder, _signature, args):
        return builder.load_atomic(_word(builder, args[0]), "seq_cst", 8)

    return types.int64(types.int64), emit


@intrinsic
def store_shared(context, address, value):
    """Write the int64 at an address that other threads read."""

    def emit(context, builder, _signature, args):
        builder.store_atomic(args[1], _word(builder, args[0]), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), emit


@intrinsic
def compare_exchange(context, address, expected, value):
    """Put `value` where `expected` stands, in one step; whether it did."""

    def emit(_context, builder, _signature, args):
        pair = builder.cmpxchg(_word(builder, args[0]), args[1], args[2], "seq_cst", "seq_cst")
        return builder.extract_value(pair, 1)

    return types.boolean(types.int64, types.int64, types.int64), emit


@intrinsic
def fetch_min(context, address, value):
    """Lower the unsigned word at an address to `value`: how a kernel reports code ≥ 0 to its status word."""

    def emit(context, builder, _signature, args):
        builder.atomic_rmw("umin", _word(builder, args[0]), args[1], "seq_cst")
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), emit


@intrinsic
def pause(context):
    """Tell the processor that this thread spins."""

    def emit(context, builder, _signature, _args):
        if _X86:
            function = ir.FunctionType(ir.VoidType(), [])
            builder.call(builder.module.declare_intrinsic("llvm.x86.sse2.pause", (), function), [])
        return context.get_dummy_value()

    return types.void(), emit
