"""What generated kernels need besides mathematics: pointers of every dtype, arrays on the stack, options.

Self-contained: the kernel cache copies this file beside the kernels, and its text is part of their key.
"""
# mypy: ignore-errors

from __future__ import annotations

from llvmlite import ir

from .entries import cgutils, intrinsic, types

# contract: multiply-add in one rounding. Not reassoc or nnan: they would undo the exact steps of the vector
# mathematics. The error model keeps a branch out of every division.
OPTIONS = {"fastmath": {"contract"}, "error_model": "numpy"}
SIGNATURE = types.void(types.CPointer(types.int64), types.int64)


def _pointer(element, native):
    @intrinsic
    def at(context, address):
        def emit(_context, builder, _signature, args):
            return builder.inttoptr(args[0], native.as_pointer())

        return types.CPointer(element)(types.int64), emit

    return at


as_f32, as_f64 = _pointer(types.float32, ir.FloatType()), _pointer(types.float64, ir.DoubleType())
as_i8, as_u8 = (_pointer(t, ir.IntType(8)) for t in (types.int8, types.uint8))
as_i16, as_u16 = (_pointer(t, ir.IntType(16)) for t in (types.int16, types.uint16))
as_i32, as_u32 = (_pointer(t, ir.IntType(32)) for t in (types.int32, types.uint32))
as_i64, as_u64 = (_pointer(t, ir.IntType(64)) for t in (types.int64, types.uint64))


def make_stack(element, size):
    """A function that gives `size` elements on the caller's stack, aligned for the widest vectors."""

    @intrinsic
    def stack(context):
        def emit(target, builder, _signature, _args):
            native = target.get_value_type(element)
            array = cgutils.alloca_once(builder, native, size=ir.Constant(ir.IntType(64), size))
            array.align = 64
            return array

        return types.CPointer(element)(), emit

    return stack


@intrinsic
def one_by_one(context):
    """Keeps LLVM from running several rows of a loop at once, which it would do by gathers and scatters."""

    def emit(target, builder, _signature, _args):
        builder.asm(ir.FunctionType(ir.VoidType(), []), "", "", [], side_effect=True)
        return target.get_dummy_value()

    return types.void(), emit
