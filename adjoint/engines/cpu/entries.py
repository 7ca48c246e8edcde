"""`cfunc` by numba, for kernels that `translate` does not know.

numba compiles the body, the entry around it needs nothing of numba's at run time: numba's own entry can raise
an exception, which ties a stored kernel to numba's tables, and costs numba's start in every process. This one
only says on the error stream that a kernel raised, which kernels must not. Of adjoint this file imports
nothing: the kernel cache copies it beside the kernels.
"""
# mypy: ignore-errors

from __future__ import annotations

import sys

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils, compiler, sigutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.extending import intrinsic

__all__ = ["cfunc", "cgutils", "intrinsic", "njit", "types"]


class Entry:
    """A compiled C function.

    Attributes:
        address: where it lies.
        symbol: its name in the object code.
        code: the object code, bytes.
    """

    def __init__(self, function, signature, options):
        with global_compiler_lock:
            result = _compile(function, signature, options)
            self.symbol = f"adjoint.{function.__module__}.{function.__qualname__}"
            self._library = result.library
            _add_entry(self._library, result.fndesc, self.symbol)
            self.address = self._library.get_pointer_to_function(self.symbol)
            self.code = self._library.serialize_using_object_code()[2][0]


def cfunc(signature, *, cache=False, **options):
    """Compile a function into a C function of numba types, as `numba.cfunc` does.

    Args:
        signature: "void(CPointer(int64), int64)" and the like.
        cache: accepted for the likeness; the kernel cache stores the entry's code in any case.
        options: numba's: error_model, fastmath, nogil …
    """
    return lambda function: Entry(function, sigutils.normalize_signature(signature), options)


def _compile(function, signature, options):
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()
    flags = compiler.Flags()
    cpu_target.options.parse_as_flags(flags, {"nopython": True, **options})
    # to machine code once, when the entry is there too
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    flags.enable_pyobject = flags.force_pyobject = False
    arguments, result = signature
    contexts = cpu_target.typing_context, cpu_target.target_context
    return compiler.compile_extra(*contexts, function, arguments, result, flags, {})


def _add_entry(library, description, symbol):
    """Give a library a C function that calls numba's, whose convention returns a status."""
    context = cpu_target.target_context
    module = context.create_module(symbol)
    convention = context.call_conv
    result, arguments = description.restype, description.argtypes
    body = ir.Function(module, convention.get_function_type(result, arguments), description.llvm_func_name)
    native = ir.FunctionType(context.get_value_type(result), [context.get_value_type(a) for a in arguments])
    entry = ir.Function(module, native, symbol)
    builder = ir.IRBuilder(entry.append_basic_block("entry"))
    status, value = convention.call_function(builder, body, result, arguments, entry.args)
    if sys.platform != "win32":
        with builder.if_then(status.is_error, likely=False):
            _complain(builder, f"adjoint: kernel {symbol} raised; what it was to compute is not there\n")
    if isinstance(native.return_type, ir.VoidType):
        builder.ret_void()
    else:
        builder.ret(value)
    library.add_ir_module(module)


def _complain(builder, text):
    """`write(2, text, length)` of the C library: no Python, no GIL."""
    module, data = builder.module, text.encode()
    size = ir.IntType(64)
    kind = ir.FunctionType(size, [ir.IntType(32), ir.IntType(8).as_pointer(), size])
    write = cgutils.get_or_insert_function(module, kind, "write")
    message = cgutils.global_constant(module, "message", cgutils.make_bytearray(data))
    start = builder.bitcast(message, ir.IntType(8).as_pointer())
    builder.call(write, [ir.Constant(ir.IntType(32), 2), start, ir.Constant(size, len(data))])
