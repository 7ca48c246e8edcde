"""Kernels of dense linear algebra: factorisations of small matrices, triangular solves of any size.

One text per operation and dtype; sizes, strides and addresses stand in the block of arguments. A kernel that
meets a singular matrix (one that is not positive definite) reports it and leaves the answer to NumPy.
"""

from __future__ import annotations

from functools import cache

# Cells of a block. Strides count elements; those of a batch are 0 where it repeats an operand.
A, B, Z = 0, 1, 2  # addresses of the first elements; B is the right-hand side
N, K = 3, 4  # the matrix is N×N, a right-hand side has K columns
A_ROW, A_COLUMN, B_ROW, B_COLUMN = 5, 6, 7, 8
COUNT, A_BATCH, B_BATCH, Z_BATCH, PER_CHUNK = 9, 10, 11, 12, 13  # matrices, of which a chunk takes PER_CHUNK
STATUS = 14  # the program's status word
CELLS = 15
# a triangular solve also has the products that it hands to GEMM, one block of arguments per chunk
STRIP, GEMM, BLOCKS, GEMM_CELLS, UPPER, UNIT = 15, 16, 17, 18, 19, 20
TRIANGULAR_CELLS = 21

MOST = 32  # size up to which matrices are factorised here: beyond, LAPACK's blocks and threads pay
PANEL = 16  # rows that a triangular solve does by itself, between products

_COMMON = """
ZERO, ONE = np.{name}(0), np.{name}(1)


@njit(**OPTIONS)
def copied(source, row, column, target, rows, columns):
    tune()
    for i in range(rows):
        for j in range(columns):
            target[i * columns + j] = source[i * row + j * column]
"""

_LU = """

@njit(**OPTIONS)
def factorize(lu, order, n):
    # P a = L U in place, with partial pivoting; the sign of the exchanges, 0 when a pivot is 0
    tune()
    sign = ONE
    for k in range(n):
        p, best = k, abs(lu[k * n + k])
        for i in range(k + 1, n):
            size = abs(lu[i * n + k])
            if size > best:
                p, best = i, size
        order[k] = p
        if best == 0:
            return ZERO
        if p != k:
            sign = -sign
            for j in range(n):
                lu[k * n + j], lu[p * n + j] = lu[p * n + j], lu[k * n + j]
        pivot = lu[k * n + k]
        for i in range(k + 1, n):
            factor = lu[i * n + k] / pivot
            lu[i * n + k] = factor
            for j in range(k + 1, n):
                lu[i * n + j] -= factor * lu[k * n + j]
    return sign


@njit(**OPTIONS)
def substitute(lu, order, n, z, k):
    tune()
    for i in range(n):
        p = order[i]
        if p != i:
            for j in range(k):
                z[i * k + j], z[p * k + j] = z[p * k + j], z[i * k + j]
    for i in range(1, n):
        for l in range(i):
            factor = lu[i * n + l]
            for j in range(k):
                z[i * k + j] -= factor * z[l * k + j]
    for i in range(n - 1, -1, -1):
        for l in range(i + 1, n):
            factor = lu[i * n + l]
            for j in range(k):
                z[i * k + j] -= factor * z[l * k + j]
        pivot = lu[i * n + i]
        for j in range(k):
            z[i * k + j] /= pivot
"""

_BATCH = """
matrix = make_stack(types.{name}, {room})
rows = make_stack(types.int64, {most})


@njit(**OPTIONS)
def run(a, chunk):
    n, k = a[{N}], a[{K}]
    lu, order = matrix(), rows()
    for t in range(chunk * a[{PER_CHUNK}], min((chunk + 1) * a[{PER_CHUNK}], a[{COUNT}])):
        x = {pointer}(a[{A}] + t * a[{A_BATCH}] * {size})
        z = {pointer}(a[{Z}] + t * a[{Z_BATCH}] * {size})
        copied(x, a[{A_ROW}], a[{A_COLUMN}], lu, n, n)
{body}

@cfunc(SIGNATURE, cache=True)
def entry(a, chunk):
    run(a, chunk)
"""

_BODIES = {
    "solve": """
        y = {pointer}(a[{B}] + t * a[{B_BATCH}] * {size})
        if factorize(lu, order, n) == 0:
            {fail}
            return
        copied(y, a[{B_ROW}], a[{B_COLUMN}], z, n, k)
        substitute(lu, order, n, z, k)
""",
    "inv": """
        if factorize(lu, order, n) == 0:
            {fail}
            return
        for i in range(n * n):
            z[i] = ZERO
        for i in range(n):
            z[i * n + i] = ONE
        substitute(lu, order, n, z, n)
""",
    "det": """
        product = factorize(lu, order, n)
        if product != 0:
            for i in range(n):
                product *= lu[i * n + i]
        z[0] = product
""",
    "log_abs_det": """
        total = ZERO
        if factorize(lu, order, n) == 0:
            total = -{literal}(INF)
        else:
            for i in range(n):
                total += log_{suffix}(abs(lu[i * n + i]))
        z[0] = total
""",
    "sign_det": """
        sign = factorize(lu, order, n)
        if sign != 0:
            for i in range(n):
                if lu[i * n + i] < 0:
                    sign = -sign
                elif lu[i * n + i] != lu[i * n + i]:
                    sign = lu[i * n + i]
        z[0] = sign
""",
    "cholesky": """
        if not rooted(lu, z, n):
            {fail}
            return
""",
}

_CHOLESKY = """

@njit(**OPTIONS)
def rooted(x, z, n):
    # z zᵀ = the symmetric part of x; False when a pivot is not positive
    tune()
    for i in range(n):
        for j in range(i + 1):
            total = (x[i * n + j] + x[j * n + i]) * {literal}(0.5)
            for l in range(j):
                total -= z[i * n + l] * z[j * n + l]
            if j < i:
                z[i * n + j] = total / z[j * n + j]
            elif total > 0:
                z[i * n + i] = np.sqrt(total)
            else:
                return False
        for j in range(i + 1, n):
            z[i * n + j] = ZERO
    return True
"""

# The solution is kept negated until the end: what is known enters the rest by products, which only add.
_TRIANGULAR = """

@njit(**OPTIONS)
def loaded(source, row, column, target, width, n, k):
    tune()
    if row < column:
        for j in range(k):
            for i in range(n):
                target[i * width + j] = source[i * row + j * column]
    else:
        for i in range(n):
            for j in range(k):
                target[i * width + j] = source[i * row + j * column]


@njit(**OPTIONS)
def panel(e, row, column, z, width, m, k, upper, unit):
    # E y = −z for m rows, in place; False when the diagonal has a zero
    tune()
    for s in range(m):
        i = m - 1 - s if upper else s
        for l in range(i + 1 if upper else 0, m if upper else i):
            factor = e[i * row + l * column]
            for j in range(k):
                z[i * width + j] += factor * z[l * width + j]
        inverse = ONE
        if not unit:
            if e[i * (row + column)] == 0:
                return False
            inverse = ONE / e[i * (row + column)]
        for j in range(k):
            z[i * width + j] *= -inverse
    return True


@njit(**OPTIONS)
def column_by_dots(e, row, z, n, upper, unit):
    # one right-hand side, rows of E adjacent
    tune()
    for s in range(n):
        i = n - 1 - s if upper else s
        total = ZERO
        for l in range(i + 1 if upper else 0, n if upper else i):
            total = add_reassoc_{suffix}(total, e[i * row + l] * z[l])
        total = z[i] + total
        if not unit:
            if e[i * (row + 1)] == 0:
                return False
            total = total / e[i * (row + 1)]
        z[i] = -total
    return True


@njit(**OPTIONS)
def column_by_sums(e, column, z, n, upper, unit):
    # one right-hand side, columns of E adjacent
    tune()
    for s in range(n):
        i = n - 1 - s if upper else s
        total = z[i]
        if not unit:
            if e[i * (1 + column)] == 0:
                return False
            total = total / e[i * (1 + column)]
        z[i] = -total
        for l in range(0 if upper else i + 1, i if upper else n):
            z[l] -= total * e[l + i * column]
    return True


@njit(**OPTIONS)
def negated(z, width, n, k):
    # False when something is not finite
    tune()
    total = ZERO
    for i in range(n):
        for j in range(k):
            value = z[i * width + j]
            z[i * width + j] = -value
            total = add_reassoc_{suffix}(total, value * ZERO)
    return total == 0


@njit(**OPTIONS)
def by_panels(a, e_at, z_at, block_at, n, k):
    row, column, width = a[{A_ROW}], a[{A_COLUMN}], a[{K}]
    upper, unit = a[{UPPER}] != 0, a[{UNIT}] != 0
    block = as_i64(block_at)
    count = (n + {panel} - 1) // {panel}
    for s in range(count):
        i = ((count - 1 - s) if upper else s) * {panel}
        m = min({panel}, n - i)
        known = n - i - m if upper else i
        if known > 0:
            first = i + m if upper else 0
            block[{GEMM_A}] = e_at + (i * row + first * column) * {size}
            block[{GEMM_B}] = z_at + first * width * {size}
            block[{GEMM_C}] = z_at + i * width * {size}
            block[{GEMM_M}], block[{GEMM_N}], block[{GEMM_K}] = m, k, known
            call_chunk(a[{GEMM}], block_at, 0)
        e = {pointer}(e_at + i * (row + column) * {size})
        if not panel(e, row, column, {pointer}(z_at + i * width * {size}), width, m, k, upper, unit):
            return False
    return True


@njit(**OPTIONS)
def run(a, chunk):
    n, width, strip = a[{N}], a[{K}], a[{STRIP}]
    strips = (width + strip - 1) // strip
    t, first = chunk // strips, chunk % strips * strip
    k = min(strip, width - first)
    e_at = a[{A}] + t * a[{A_BATCH}] * {size}
    z_at = a[{Z}] + (t * a[{Z_BATCH}] + first) * {size}
    y = {pointer}(a[{B}] + (t * a[{B_BATCH}] + first * a[{B_COLUMN}]) * {size})
    e, z = {pointer}(e_at), {pointer}(z_at)
    loaded(y, a[{B_ROW}], a[{B_COLUMN}], z, width, n, k)
    upper, unit = a[{UPPER}] != 0, a[{UNIT}] != 0
    if width == 1 and a[{A_COLUMN}] == 1:
        regular = column_by_dots(e, a[{A_ROW}], z, n, upper, unit)
    elif width == 1 and a[{A_ROW}] == 1:
        regular = column_by_sums(e, a[{A_COLUMN}], z, n, upper, unit)
    else:
        regular = by_panels(a, e_at, z_at, a[{BLOCKS}] + 8 * chunk * a[{GEMM_CELLS}], n, k)
    if not regular or not negated(z, width, n, k):
        fetch_min(a[{STATUS}], 0)


@cfunc(SIGNATURE, cache=True)
def entry(a, chunk):
    run(a, chunk)
"""


@cache
def text(operation: str, dtype: str) -> str:
    """The source of a kernel.

    Args:
        operation: "solve", "inv", "det", "log_abs_det", "sign_det", "cholesky" or "solve_triangular".
        dtype: "float32" or "float64".
    """
    from . import gemm

    suffix = "f32" if dtype == "float32" else "f64"
    words = {k: v for k, v in globals().items() if k.isupper()}
    words |= {f"GEMM_{k}": getattr(gemm, k) for k in "ABCMNK"}
    words |= {
        "name": dtype, "literal": f"np.{dtype}", "suffix": suffix, "pointer": f"as_{suffix}", "panel": PANEL,
        "size": 4 if suffix == "f32" else 8, "room": MOST * MOST, "most": MOST,
        "fail": f"fetch_min(a[{STATUS}], 0)",
    }  # fmt: skip
    if operation == "solve_triangular":
        return (_COMMON + _TRIANGULAR).format(**words)
    body = _BODIES[operation].format(**words).removeprefix("\n")
    factor = _CHOLESKY if operation == "cholesky" else _LU
    return (_COMMON + factor + _BATCH).format(body=body, **words)
