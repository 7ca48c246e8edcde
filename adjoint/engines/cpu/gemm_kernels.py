"""The machine code behind `gemm`: one register tile, strips of it, packing, and the loops around them.

The kernel cache runs a copy of this text. Every element of C is one chain of fused multiply-adds in the order
of k, broken only every KC terms; hence its bits depend on K alone: not on the other sizes, the strides, the
chunks or who runs them. A matrix times a vector, both with adjacent k, sums in lanes instead: there the order
depends on K and on that layout.
"""
# mypy: ignore-errors

from __future__ import annotations

import itertools
from typing import Any

from llvmlite import ir

# absolute: the copy stands in another package
from adjoint.engines.cpu import gemm as cell
from adjoint.engines.cpu.gemm import B_VECTORS, HAS_MASKS, KC, ROWS, VECTOR, WIDE

from .entries import cgutils, intrinsic, njit, types

# one function in the end: numba optimises and links every level of calls anew
_inlined = njit(inline="always")
_INT = ir.IntType(64)
_INT32 = ir.IntType(32)


@intrinsic
def _float32_at(typing: Any, address: Any) -> Any:
    """Pointer to float32 at an address in bytes."""
    return types.CPointer(types.float32)(types.int64), _cast(ir.FloatType())


@intrinsic
def _float64_at(typing: Any, address: Any) -> Any:
    """Pointer to float64 at an address in bytes."""
    return types.CPointer(types.float64)(types.int64), _cast(ir.DoubleType())


def _cast(element: ir.Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], element.as_pointer())

    return emit


@intrinsic
def _at(typing: Any, pointer: Any, index: Any) -> Any:
    """The pointer moved by `index` elements."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.gep(args[0], [args[1]])

    return pointer(pointer, types.int64), emit


@intrinsic
def _lanes(typing: Any, pointer: Any) -> Any:
    """Elements per vector."""
    lanes = 8 * VECTOR // pointer.dtype.bitwidth

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(_INT, lanes)

    return types.int64(pointer), emit


@intrinsic(prefer_literal=True)
def _on_stack(typing: Any, like: Any, vectors: Any) -> Any:
    """Room for `vectors` vectors of the pointer's type, aligned, in the frame of the calling function."""
    size = vectors.literal_value * VECTOR

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        with builder.goto_entry_block():  # cgutils.alloca_once would also fill it with zeros, byte by byte
            room = builder.alloca(ir.ArrayType(ir.IntType(8), size))
        room.align = VECTOR
        return builder.bitcast(room, args[0].type)

    return like(like, vectors), emit


class _Vectors:
    """Emits loads, stores and multiply-adds of whole vectors; the last vector of a row may be masked."""

    def __init__(self, builder: Any, element: Any, width: int, masked: bool) -> None:
        self.builder, self.width, self.masked = builder, width, masked
        self.bytes = 8 if isinstance(element, ir.DoubleType) else 4
        self.lanes = VECTOR // self.bytes
        self.type = ir.VectorType(element, self.lanes)
        self.mask: Any = None

    def call(self, name: str, result: Any, args: list[Any]) -> Any:
        suffix = f"v{self.lanes}f{8 * self.bytes}" + (".p0" if "masked" in name else "")
        kind = ir.FunctionType(result, [arg.type for arg in args])
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.{name}.{suffix}"), args
        )

    def splat(self, scalar: Any) -> Any:
        kind = ir.VectorType(scalar.type, self.lanes)
        first = self.builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(_INT32, 0))
        zeros = ir.Constant(ir.VectorType(_INT32, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, first, zeros)

    def mask_from(self, columns: Any) -> None:
        """Make the last of `width` vectors end at the given number of columns."""
        self.mask = self.below(self.builder.sub(columns, ir.Constant(_INT, (self.width - 1) * self.lanes)))

    def below(self, count: Any) -> Any:
        """The mask of the first `count` lanes; all lanes where there are more."""
        index = ir.Constant(ir.VectorType(_INT, self.lanes), list(range(self.lanes)))
        return self.builder.icmp_signed("<", index, self.splat(count))

    def _place(self, pointer: Any, which: int) -> Any:
        moved = self.builder.gep(pointer, [ir.Constant(_INT, which * self.lanes)])
        return self.builder.bitcast(moved, self.type.as_pointer())

    def load(self, pointer: Any) -> list[Any]:
        """The row of `width` vectors at a pointer; masked lanes read as zero and touch no memory."""
        whole = range(self.width - self.masked)
        row = [self.builder.load(self._place(pointer, v), align=self.bytes) for v in whole]
        if self.masked:
            row.append(self.load_masked(self._place(pointer, self.width - 1), self.mask))
        return row

    def load_masked(self, pointer: Any, mask: Any) -> Any:
        args = [self._place(pointer, 0), ir.Constant(_INT32, self.bytes), mask, self.zero]
        return self.call("masked.load", self.type, args)

    def store(self, row: list[Any], pointer: Any) -> None:
        for v in range(self.width - self.masked):
            self.builder.store(row[v], self._place(pointer, v), align=self.bytes)
        if self.masked:
            self.store_masked(row[-1], self._place(pointer, self.width - 1), self.mask)

    def store_masked(self, vector: Any, pointer: Any, mask: Any) -> None:
        args = [vector, self._place(pointer, 0), ir.Constant(_INT32, self.bytes), mask]
        self.call("masked.store", ir.VoidType(), args)

    @property
    def zero(self) -> Any:
        return ir.Constant(self.type, [0.0] * self.lanes)

    def multiply_add(self, x: Any, y: Any, z: Any) -> Any:
        # fmuladd and not fma: without the instruction it becomes two operations, fma a call of libm
        return self.call("fmuladd", self.type, [x, y, z])

    def shuffle(self, x: Any, y: Any, lanes: list[int]) -> Any:
        return self.builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(_INT32, len(lanes)), lanes))

    def transpose(self, rows: list[Any]) -> list[Any]:
        """A square of vectors, row for column: blocks of 1, 2, 4 … lanes change places between rows."""
        size = 1
        while size < self.lanes:
            blocks = range(0, self.lanes, 2 * size)
            low = [b + i for b in blocks for i in (*range(size), *range(self.lanes, self.lanes + size))]
            new = list(rows)
            for r in range(self.lanes):
                if not r & size:
                    pair = rows[r], rows[r + size]
                    new[r], new[r + size] = (
                        self.shuffle(*pair, low),
                        self.shuffle(*pair, [i + size for i in low]),
                    )
            rows, size = new, 2 * size
        return rows

    def total(self, vector: Any) -> Any:
        """The sum of all lanes, halves upon halves."""
        half = self.lanes // 2
        while half:
            folded = [(i + half) % self.lanes for i in range(self.lanes)]
            vector = self.builder.fadd(vector, self.shuffle(vector, vector, folded))
            half //= 2
        return self.builder.extract_element(vector, ir.Constant(_INT32, 0))


@intrinsic
def _strip(typing, a, a_row, a_column, b, b_row, c, c_row, m, n, k, add):
    """A strip of C: m rows, n ≤ two vectors of columns; A by two strides, B by rows of adjacent columns.

    Emitted whole, in tiles of ROWS, 4, 2 and 1 rows: numba takes seconds to type and to inline what LLVM
    compiles in half a second.
    """
    index = types.int64
    signature = types.void(a, index, index, b, index, a, index, index, index, index, index)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        n = args[8]
        lanes = 8 * VECTOR // signature.args[0].dtype.bitwidth
        with builder.if_else(builder.icmp_signed("<=", n, ir.Constant(_INT, lanes))) as (narrow, wide):
            with narrow:
                _emit_strip(builder, 1, True, args)
            with wide:
                if HAS_MASKS:
                    _emit_strip(builder, 2, True, args)
                else:
                    full = builder.icmp_signed("==", n, ir.Constant(_INT, 2 * lanes))
                    with builder.if_else(full) as (plain, masked):
                        with plain:
                            _emit_strip(builder, 2, False, args)
                        with masked:
                            _emit_strip(builder, 2, True, args)
        return context.get_dummy_value()

    return signature, emit


def _emit_strip(builder: Any, width: int, masked: bool, args: Any) -> None:
    """Groups of ROWS rows, then what is left in tiles of half the height and half again."""
    a, a_row, a_column, b, b_row, c, c_row, m, n, k, add = args
    vectors = _Vectors(builder, a.type.pointee, width, masked)
    if masked:
        vectors.mask_from(n)
    rows, constant = ROWS, lambda value: ir.Constant(_INT, value)
    places = [cgutils.alloca_once_value(builder, p) for p in (a, c)]

    def tile(height: int) -> None:
        a, c = (builder.load(p) for p in places)
        sums = _emit_sums(vectors, (height, width), a, a_row, a_column, b, b_row, k)
        _emit_stores(
            vectors, sums, [builder.gep(c, [builder.mul(c_row, constant(r))]) for r in range(height)], add
        )
        builder.store(builder.gep(a, [builder.mul(a_row, constant(height))]), places[0])
        builder.store(builder.gep(c, [builder.mul(c_row, constant(height))]), places[1])

    with cgutils.for_range(builder, builder.sdiv(m, constant(ROWS))):
        tile(ROWS)
    while rows := rows // 2:
        with builder.if_then(builder.icmp_signed("!=", builder.and_(m, constant(rows)), constant(0))):
            tile(rows)


def _emit_sums(vectors: _Vectors, shape: tuple[int, int], a, a_row, a_column, b, b_row, k) -> list[list[Any]]:
    """The loop over k: each step multiplies `rows` scalars of A with one row of B; zeros when k is 0."""
    builder, (rows, width) = vectors.builder, shape
    zero, one = ir.Constant(_INT, 0), ir.Constant(_INT, 1)
    before, loop, after = builder.basic_block, *(builder.append_basic_block(s) for s in ("over_k", "summed"))
    builder.cbranch(builder.icmp_signed(">", k, zero), loop, after)
    builder.position_at_end(loop)
    step, pa, pb = builder.phi(_INT), builder.phi(a.type), builder.phi(b.type)
    sums = [[builder.phi(vectors.type) for _ in range(width)] for _ in range(rows)]
    row_of_b = vectors.load(pb)
    new = []
    for r in range(rows):
        place = builder.gep(pa, [builder.mul(a_row, ir.Constant(_INT, r))])
        x = vectors.splat(builder.load(place, align=vectors.bytes))
        new.append([vectors.multiply_add(x, row_of_b[v], sums[r][v]) for v in range(width)])
    following = builder.add(step, one), builder.gep(pa, [a_column]), builder.gep(pb, [b_row])
    for phi, start, after_step in zip((step, pa, pb), (zero, a, b), following, strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(after_step, loop)
    builder.cbranch(builder.icmp_signed("<", following[0], k), loop, after)
    builder.position_at_end(after)
    result = [[builder.phi(vectors.type) for _ in range(width)] for _ in range(rows)]
    for r, v in itertools.product(range(rows), range(width)):
        sums[r][v].add_incoming(vectors.zero, before)
        sums[r][v].add_incoming(new[r][v], loop)
        result[r][v].add_incoming(vectors.zero, before)
        result[r][v].add_incoming(new[r][v], loop)
    return result


def _emit_stores(vectors: _Vectors, sums: list[list[Any]], places: list[Any], add: Any) -> None:
    """Write the sums to C, or add them to it where `add` is not 0."""
    builder = vectors.builder
    with builder.if_else(builder.icmp_signed("!=", add, ir.Constant(_INT, 0))) as (adding, writing):
        with adding:
            for row, place in zip(sums, places, strict=True):
                old = vectors.load(place)
                vectors.store([builder.fadd(x, y) for x, y in zip(old, row, strict=True)], place)
        with writing:
            for row, place in zip(sums, places, strict=True):
                vectors.store(row, place)


@intrinsic
def _wide_row(typing, a, a_column, b, b_row, c, k, add):
    """One row of C, WIDE whole vectors of it: two would leave the multiply-adds waiting for each other."""
    index = types.int64

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        a, a_column, b, b_row, c, k, add = args
        vectors = _Vectors(builder, a.type.pointee, WIDE, False)
        sums = _emit_sums(vectors, (1, WIDE), a, ir.Constant(_INT, 0), a_column, b, b_row, k)
        _emit_stores(vectors, sums, [c], add)
        return context.get_dummy_value()

    return types.void(a, index, b, index, a, index, index), emit


@intrinsic(prefer_literal=True)
def _dots(typing, rows, a, a_row, b, c, c_row, k, add):
    """C[i] = Σ_k A[i, k] b[k] for `rows` rows, A and b with adjacent k: two vectors of sums per row."""
    height, index = rows.literal_value, types.int64

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, a, a_row, b, c, c_row, k, add = args
        pair, single = (_Vectors(builder, a.type.pointee, width, width == 1) for width in (2, 1))
        constant = lambda value: ir.Constant(_INT, value)  # noqa: E731
        starts = [builder.gep(a, [builder.mul(a_row, constant(r))]) for r in range(height)]
        sums = [[cgutils.alloca_once_value(builder, pair.zero) for _ in range(2)] for _ in range(height)]

        def add_terms(vectors: _Vectors, at: Any) -> None:
            terms = vectors.load(builder.gep(b, [at]))
            for start, row in zip(starts, sums, strict=True):
                for x, y, total in zip(vectors.load(builder.gep(start, [at])), terms, row, strict=False):
                    builder.store(vectors.multiply_add(x, y, builder.load(total)), total)

        step, last = constant(2 * pair.lanes), builder.and_(k, constant(-2 * pair.lanes))
        with cgutils.for_range_slice(builder, constant(0), last, step, _INT) as (at, _):
            add_terms(pair, at)
        with cgutils.for_range_slice(builder, last, k, constant(pair.lanes), _INT) as (at, _):
            single.mask = single.below(builder.sub(k, at))
            add_terms(single, at)
        for r in range(height):
            value = pair.total(builder.fadd(*(builder.load(total) for total in sums[r])))
            place = builder.gep(c, [builder.mul(c_row, constant(r))])
            added = builder.fadd(builder.load(place), value)
            builder.store(builder.select(builder.icmp_signed("!=", add, constant(0)), added, value), place)
        return context.get_dummy_value()

    return types.void(rows, a, index, a, a, index, index, index), emit


@intrinsic
def _copy_rows(typing, source, along, packed, k, n, width):
    """packed[p, :width] = source[p, :n] and zeros, for p < k, of adjacent elements."""
    index = types.int64

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, along, packed, k, n, width = args
        vectors = _Vectors(builder, source.type.pointee, 1, True)
        step = ir.Constant(_INT, vectors.lanes)
        with cgutils.for_range_slice(builder, ir.Constant(_INT, 0), width, step, _INT) as (j, _):
            read, write = vectors.below(builder.sub(n, j)), vectors.below(builder.sub(width, j))
            with cgutils.for_range(builder, k) as row:
                place = builder.gep(source, [builder.add(builder.mul(row.index, along), j)])
                room = builder.gep(packed, [builder.add(builder.mul(row.index, width), j)])
                vectors.store_masked(vectors.load_masked(place, read), room, write)
        return context.get_dummy_value()

    return types.void(source, index, source, index, index, index), emit


@intrinsic
def _transpose(typing, source, across, packed, k, n, width):
    """packed[p, j] = source[j, p], p < k, j < n, rows of the source adjacent; anything behind n.

    Squares of lanes × lanes: writes rows up to the next multiple of lanes behind k.
    """
    index = types.int64

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, across, packed, k, n, width = args
        vectors = _Vectors(builder, source.type.pointee, 1, True)
        lanes, constant = vectors.lanes, lambda value: ir.Constant(_INT, value)
        last = builder.sub(n, constant(1))
        with cgutils.for_range_slice(builder, constant(0), width, constant(lanes), _INT) as (j, _):
            write = vectors.below(builder.sub(width, j))
            starts = []
            for r in range(lanes):  # rows behind n would lie outside of the source: read the last again
                row = builder.add(j, constant(r))
                row = builder.select(builder.icmp_signed("<", row, last), row, last)
                starts.append(builder.gep(source, [builder.mul(row, across)]))
            with cgutils.for_range_slice(builder, constant(0), k, constant(lanes), _INT) as (p, _):
                read = vectors.below(builder.sub(k, p))
                square = [vectors.load_masked(builder.gep(start, [p]), read) for start in starts]
                for r, vector in enumerate(vectors.transpose(square)):
                    at = builder.add(builder.mul(builder.add(p, constant(r)), width), j)
                    vectors.store_masked(vector, builder.gep(packed, [at]), write)
        return context.get_dummy_value()

    return types.void(source, index, source, index, index, index), emit


@_inlined
def _pack(source, along, across, packed, k, n, width):
    """packed[p, j] = source[p, j], p < k, j < n: strides (along, across) become (width, 1), padded."""
    if across == 1:
        _copy_rows(source, along, packed, k, n, width)
    elif along == 1:
        _transpose(source, across, packed, k, n, width)
    else:
        for p in range(k):
            for j in range(n):
                packed[p * width + j] = source[p * along + j * across]


@_inlined
def _product(block, a, b, c, m, n):
    """C[m, n] = A @ B (+ C) in blocks of KC along k and strips of two vectors along n."""
    a_row, a_column = block[cell.A_ROW], block[cell.A_COLUMN]
    b_row, b_column = block[cell.B_ROW], block[cell.B_COLUMN]
    c_row, k, add = block[cell.C_ROW], block[cell.K], block[cell.ACCUMULATE]
    width = 2 * _lanes(a)
    strip_of_b = _on_stack(b, B_VECTORS)
    start = 0
    while start < max(k, 1):  # once at least: a product over no terms is zero
        terms = min(KC, k - start)
        first = _at(a, start * a_column)
        j = 0
        if m == 1 and not block[cell.PACK_B]:
            while n - j >= WIDE * width // 2:
                _wide_row(first, a_column, _at(b, start * b_row + j), b_row, _at(c, j), terms, add)
                j += WIDE * width // 2
        while j < n:
            columns = min(width, n - j)
            strip, step = _at(b, start * b_row + j * b_column), b_row
            if block[cell.PACK_B]:
                _pack(strip, b_row, b_column, strip_of_b, terms, columns, width)
                strip, step = strip_of_b, width
            _strip(first, a_row, a_column, strip, step, _at(c, j), c_row, m, columns, terms, add)
            j += width
        add = 1
        start += KC


@_inlined
def _matvec(block, a, b, c, m):
    """C[m, 1] = A @ b (+ C), both with adjacent k."""
    a_row, c_row, k, add = block[cell.A_ROW], block[cell.C_ROW], block[cell.K], block[cell.ACCUMULATE]
    i = 0
    while m - i >= 4:
        _dots(4, _at(a, i * a_row), a_row, b, _at(c, i * c_row), c_row, k, add)
        i += 4
    while i < m:
        _dots(1, _at(a, i * a_row), a_row, b, _at(c, i * c_row), c_row, k, add)
        i += 1


@_inlined
def _chunk(block, chunk, a, b, c):
    """One chunk: some rows and columns of some products of the batch."""
    columns, rows = block[cell.COLUMN_CHUNKS], block[cell.ROW_CHUNKS]
    j = chunk % columns * block[cell.CHUNK_COLUMNS]
    i = chunk // columns % rows * block[cell.CHUNK_ROWS]
    which = chunk // (columns * rows) * block[cell.CHUNK_BATCH]
    end = min(which + block[cell.CHUNK_BATCH], block[cell.BATCH])
    m = min(block[cell.CHUNK_ROWS], block[cell.M] - i)
    n = min(block[cell.CHUNK_COLUMNS], block[cell.N] - j)
    a = _at(a, i * block[cell.A_ROW] + which * block[cell.A_BATCH])
    b = _at(b, j * block[cell.B_COLUMN] + which * block[cell.B_BATCH])
    c = _at(c, i * block[cell.C_ROW] + j + which * block[cell.C_BATCH])
    while which < end:
        if block[cell.DOTS]:
            _matvec(block, a, b, c, m)
        else:
            _product(block, a, b, c, m, n)
        a = _at(a, block[cell.A_BATCH])
        b = _at(b, block[cell.B_BATCH])
        c = _at(c, block[cell.C_BATCH])
        which += 1


def gemm_float32(block, chunk):
    """Step of float32 products."""
    a, b = block[cell.A + block[cell.SWAPPED]], block[cell.B - block[cell.SWAPPED]]
    _chunk(block, chunk, _float32_at(a), _float32_at(b), _float32_at(block[cell.C]))


def gemm_float64(block, chunk):
    """Step of float64 products."""
    a, b = block[cell.A + block[cell.SWAPPED]], block[cell.B - block[cell.SWAPPED]]
    _chunk(block, chunk, _float64_at(a), _float64_at(b), _float64_at(block[cell.C]))
