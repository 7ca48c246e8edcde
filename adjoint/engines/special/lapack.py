"""Factorisations by LAPACK's and BLAS's own functions, called by address: no Python in between.

NumPy's way to the same functions costs 15 µs in a program, more than they take for matrices up to 40.
A matrix in C order is to Fortran its transpose, M = aᵀ. So a lower triangle is an upper one there, and rows
of right-hand sides are columns: a x = b is xᵀ M = bᵀ, solved from the right without moving b.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from ...ops.factorize import cholesky
from ...ops.linalg import inv, solve
from ..graph import Node
from ..views import View, joined, view_of, whole
from .kernel import Kernel

CALL = """
@intrinsic
def call{count}(context, function, {names}):
    def emit(context, builder, _signature, args):
        pointer = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer] * {count})
        given = [builder.inttoptr(x, pointer) for x in args[1:]]
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), given)
        return context.get_dummy_value()

    return types.void(*[types.int64] * ({count} + 1)), emit
"""
HELPERS = "from llvmlite import ir\nfrom .entries import intrinsic\n" + "".join(
    CALL.format(count=n, names=", ".join(f"x{k}" for k in range(n))) for n in (5, 6, 11)
)


@cache
def _function(name: str) -> int:
    """The address of a function of BLAS or LAPACK, from SciPy."""
    from scipy.linalg import cython_blas, cython_lapack

    capsule = {**cython_blas.__pyx_capi__, **cython_lapack.__pyx_capi__}[name]
    api = ctypes.pythonapi
    name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", api))
    pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", api)
    )
    return int(pointer_of(capsule, name_of(capsule)))


def _batch(shape: Sequence[int], views: Sequence[View]) -> tuple[int, list[int]] | None:
    """How many matrices there are, and the elements from one to the next; None if they are not one axis."""
    lead = shape[:-2]
    strides = []
    for v in views:
        own = [0 if n == 1 else s for n, s in zip(v.shape[:-2], v.strides[:-2], strict=True)]
        strides.append([0] * (len(lead) - len(own)) + own)
    sizes, steps = joined(lead, strides)
    return (math.prod(sizes), [s[0] if s else 0 for s in steps]) if len(sizes) <= 1 else None


def _begun(node: Node, operands: Sequence[Any], functions: Sequence[str], words: str) -> Kernel | None:
    """A kernel that goes over a stack of matrices, with z, the operands, and what LAPACK wants to know."""
    if node.dtype not in (np.float32, np.float64) or not node.size:
        return None
    if not all(isinstance(a, Node) and a.dtype == node.dtype for a in operands):
        return None
    views = [view_of(a) for a in operands]
    z = whole(node)
    stack = _batch(node.shape, [z, *views])
    if stack is None:
        return None
    kernel = Kernel(fails=True)
    kernel.helpers = HELPERS
    n, k = node.shape[-2:]
    kernel.array("z", z, node.dtype)
    kernel.address("z_at", z)
    for name, v in zip("ab", views, strict=False):
        kernel.array(name, v, node.dtype)
        kernel.number(f"{name}r", v.strides[-2])
        kernel.number(f"{name}c", v.strides[-1])
    for name, value in zip(("count", "zs", "as_", "bs"), (stack[0], *stack[1]), strict=False):
        kernel.number(name, value)
    for name, value in (("n", n), ("k", k), ("size", node.dtype.itemsize)):
        kernel.number(name, value)
    for name, function in zip(("factor", "solve"), functions, strict=False):
        kernel.number(name, _function(("s" if node.dtype == np.float32 else "d") + function))
    kernel.scratch("ints", np.array([n, k, 0], np.int32))  # n, k, info
    kernel.scratch("words", np.frombuffer(words.encode(), np.uint8).copy())
    kernel.scratch("one", np.ones(1, node.dtype))
    return kernel


def _looped(kernel: Kernel, body: Sequence[str]) -> Kernel:
    kernel.body = ["info = as_i32(ints)", "for m in range(count):", *("    " + x for x in body)]
    return kernel


FAILED = ["if info[2] != 0:", "    fetch_min(status, 0)"]


def factor(node: Node) -> Kernel | None:
    """Kernel of cholesky: of the symmetric part, the lower triangle."""
    kernel = _begun(node, node.args, ["potrf"], "U")
    if kernel is None:
        return None
    return _looped(
        kernel,
        [
            "for i in range(n):",
            "    for j in range(i + 1):",
            "        at = m * as_",
            "        x = a[at + i * ar + j * ac] + a[at + j * ar + i * ac]",
            f"        z[m * zs + i * n + j] = types.{node.dtype.name}(0.5) * x",
            "    for j in range(i + 1, n):",
            "        z[m * zs + i * n + j] = 0",
            "call5(factor, words, ints, z_at + m * zs * size, ints, ints + 8)",
            *FAILED,
        ],
    )


# Xᵀ op(M) = Bᵀ in place: side, triangle, transposed, unit diagonal; k, n, 1, M, n, B, k
TRSM = (
    "call11(solve, words, words + {triangle}, words + {transposed}, words + {unit}, ints + 4, ints, one, "
    "{m}, ints, {z}, ints + 4)"
)


def solution(node: Node) -> Kernel | None:
    """Kernel of solve and inv: a = Uᵀ Lᵀ Pᵀ with M = P L U."""
    kernel = _begun(node, node.args, ["getrf", "trsm"], "RULN")  # right, upper, lower, no
    if kernel is None:
        return None
    n = node.shape[-2]
    kernel.scratch("copy_at", copy := np.empty(n * n, node.dtype))
    kernel.scratch("pivots_at", np.empty(n, np.int32))
    right = "b[m * bs + i * br + j * bc]" if len(node.args) == 2 else "1 if i == j else 0"
    z = "z_at + m * zs * size"
    # the unit triangle is the lower one: its word is that of the triangle "U", which also means "unit"
    return _looped(
        kernel,
        [
            f"copy, pivots = as_f{8 * copy.itemsize}(copy_at), as_i32(pivots_at)",
            "for i in range(n):",
            "    for j in range(n):",
            "        copy[i * n + j] = a[m * as_ + i * ar + j * ac]",
            "for i in range(n):",
            "    for j in range(k):",
            f"        z[m * zs + i * k + j] = {right}",
            "call6(factor, ints, ints, copy_at, ints, pivots_at, ints + 8)",
            *FAILED,
            TRSM.format(triangle=1, transposed=3, unit=3, m="copy_at", z=z),
            TRSM.format(triangle=2, transposed=3, unit=1, m="copy_at", z=z),
            "for i in range(n - 1, -1, -1):",
            "    other = pivots[i] - 1",
            "    if other != i:",
            "        for j in range(k):",
            "            at, to = m * zs + i * k + j, m * zs + other * k + j",
            "            z[at], z[to] = z[to], z[at]",
        ],
    )


def lapack(node: Node) -> Kernel | None:
    """The kernel of cholesky, solve and inv, None of anything else."""
    if node.op is cholesky:
        return factor(node)
    return solution(node) if node.op in (solve, inv) else None
