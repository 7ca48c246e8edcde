"""How many threads do what: the only place where that is decided.

Everything here depends on operations and sizes, never on the card, so that results are the same on each of
them. A `Form` is what a kernel's text depends on beside its spec; there are few, so that sizes share kernels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..chunks import Cut, Cutting
from ..loops import is_column, is_whole, used_later
from ..regions import FULL, OUT, REDUCTIONS, ROW
from ..spec import Shaped, Spec
from .kernel import Size

WARP = 32
BLOCK = 256  # threads of a block, unless its rows ask for others
LONGEST = 512  # threads that share one row: beyond it a block may not get the registers that it needs
SHORT = 256  # columns that are left to one warp at most
SHARED = 48 << 10  # bytes of shared memory that a launch may have without asking the driver
GRID = 4096  # blocks that loop over the rest: more than any card runs at once
REACH = 1 << 30  # from this distance in a buffer indices have 64 bits (and never wrap when a loop ends)
REGISTERS = 48  # of 32 bits that vectors of loads and results may take
UNROLLED = 256  # statements that vectors may make of a kernel's own


@dataclass(frozen=True)
class Form:
    """What a kernel's text depends on beside its spec.

    Attributes:
        block: threads of a block.
        group: threads that share a row, a power of two: up to a warp, or the block; 0: there are no rows.
        vector: neighbouring elements that a thread takes together; rows have no fewer left at their end.
        wide: whether indices have 64 bits.
    """

    block: int
    group: int = 0
    vector: int = 1
    wide: bool = False

    @property
    def rows(self) -> int:
        """Rows that a block has at a time."""
        return self.block // self.group

    @property
    def whole(self) -> bool:
        """Whether the block is the group, so that every column has one owner in it."""
        return self.block == self.group


def index(value: int, form: Form) -> np.generic:
    """A size or stride as the kernel takes it; what says "never" by its size goes on saying so."""
    return np.int64(value) if form.wide else np.int32(min(value, 2**31 - 1))


# -------------------------------------------------------------------------------- what a kernel keeps
def kept(spec: Spec) -> list[int]:
    """Values of points that one loop leaves to another and that are not in the device's memory."""
    return sorted(k for k in used_later(spec) if spec.items[k].level == FULL and spec.items[k].stored < 0)


def has_owner(spec: Spec) -> bool:
    """Whether a sum over some row axes needs one group per block: two would add into one place."""
    return any(is_column(spec, item) and spec.buffers[item.stored].row != "0" for item in spec.items)


def accumulated(spec: Spec, form: Form) -> list[int]:
    """Sums over rows that each group of a block has for itself, until the end."""
    return [] if form.whole else [k for k, item in enumerate(spec.items) if is_column(spec, item)]


def is_separable(spec: Spec) -> bool:
    """Whether no column asks for another one, so that blocks may stand side by side over the columns."""
    if spec.mode == "flat" or has_owner(spec):
        return False
    return not any(
        item.op in REDUCTIONS and item.source == FULL and (item.level == ROW or is_whole(spec, item))
        for item in spec.items
    )


def shared_bytes(spec: Spec, form: Form, columns: int) -> int:
    """Dynamic shared memory of a block: what its loops leave to each other, and its groups' sums over rows.

    Args:
        spec: of the kernel.
        form: of the kernel.
        columns: of a row.
    """
    if not form.group:
        return 0
    items = [*kept(spec), *accumulated(spec, form)]
    return form.rows * columns * sum(spec.items[k].dtype.itemsize for k in items)


# -------------------------------------------------------------------------------- forms
def form_of(s: Shaped) -> Form:
    """The form of a region's kernel."""
    wide, vector = _reach(s) >= REACH, _vector(s)
    if s.spec.mode == "flat":
        return Form(BLOCK, 0, vector, wide)
    if s.columns > SHORT or has_owner(s.spec):
        threads = min(max(_power_of_two(-(-s.columns // 4)), WARP), LONGEST)
        if is_separable(s.spec):
            threads = min(threads, BLOCK)
        return Form(threads, threads, vector, wide)
    group = _power_of_two(min(s.columns // vector, WARP))
    block = BLOCK
    while block > WARP and shared_bytes(s.spec, Form(block, group), s.columns) > SHARED:
        block //= 2
    return Form(block, group, vector, wide)


def _power_of_two(n: int) -> int:
    """The next one."""
    return 1 << max(n - 1, 0).bit_length()


def near(spec: Spec) -> list[int]:
    """Buffers in which neighbouring columns are neighbours."""
    return [k for k, b in enumerate(spec.buffers) if b.column == "1"]


def _vector(s: Shaped) -> int:
    """Elements that a thread takes together: 16 bytes of the widest, if that leaves registers to spare."""
    spec, sizes = s.spec, [s.spec.buffers[k].dtype.itemsize for k in near(s.spec)]
    vector = max(1, min(4, 16 // max(sizes))) if sizes else 1
    while vector > 1 and (
        vector * sum(-(-n // 4) for n in sizes) > REGISTERS
        or vector * len(spec.items) > UNROLLED
        or not (spec.mode == "flat" or _in_step(s, vector))
    ):
        vector //= 2
    return vector


def _in_step(s: Shaped, vector: int) -> bool:
    """Whether all rows begin where vectors may, if the first one does, and end where a vector does."""
    steps = [s.columns, *(t for k in near(s.spec) for t in s.strides[k][:-1])]
    return all(t % vector == 0 for t in steps)


def _reach(s: Shaped) -> int:
    """The farthest element from the start of any buffer, or the number of points."""
    sizes = (*s.rows, s.columns)
    reach = [sum(abs(t) * (n - 1) for n, t in zip(sizes, strides, strict=True)) for strides in s.strides]
    return max(s.size, *reach) if reach else s.size


def overflows(s: Shaped) -> bool:
    """Whether a row's values do not fit in shared memory between loops."""
    return shared_bytes(s.spec, form_of(s), s.columns) > SHARED


# A thread of a block of 256 adds up 16 elements, so that a million of them keep a card busy. There are fewer
# partial sums of columns, because few threads put them together: one for each column.
CUTTING = Cutting(
    chunk=4096, column_chunks=256, narrow=0, height=lambda columns: 1, overflows=overflows, chains=False
)


# -------------------------------------------------------------------------------- launches
def blocks_for(points: int, each: int = BLOCK) -> int:
    """Blocks that go round over so many points, `each` of them per block and round.

    >>> blocks_for(1000), blocks_for(7, 1), blocks_for(10**9)
    (4, 7, 4096)
    """
    return max(1, min(-(-points // each), GRID))


def launch_of(cut: Cut, form: Form) -> tuple[Size, Size, int]:
    """Grid, block and bytes of dynamic shared memory of a region's kernel."""
    s = cut.shaped
    block = (form.block, 1, 1)
    if any(item.level == OUT for item in s.spec.items):
        across = cut.chunks
    else:
        points = s.columns if s.spec.mode == "flat" else math.prod(s.rows)
        across = min(-(-points // (form.rows if form.group else form.block * form.vector)), GRID)
    tiles = 1
    if form.group and is_separable(s.spec) and form.whole:  # beside each other over the columns
        tiles = min(-(-s.columns // (form.group * form.vector)), max(1, GRID // across))
    return (across, tiles, 1), block, shared_bytes(s.spec, form, s.columns)
