"""The device's memory: blocks between red zones, a pool as cupy's, and use after free seen.

The memory is the host's, but nothing outside this package reads it: arrays know a pointer, and what a
pointer points at is found through the table of live blocks, as a kernel's addresses are.
"""

from __future__ import annotations

import ctypes
import itertools
import weakref
from bisect import bisect_right, insort
from collections import Counter, deque
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy as np

from .errors import CONTROL, CUDARuntimeError, OutOfMemoryError
from .runtime import Device
from .streams import chosen, current

ZONE = 256  # bytes around a block that nobody may write
ALIGNMENT = 512  # what cudaMalloc and cupy's pool give
POISON = 0xFF  # NaN in every float format: what fresh and freed memory holds
KEPT = 64  # freed blocks whose addresses are not given again soon, so that their use is seen

_serials = itertools.count()
_bases: list[int] = []  # of live blocks, sorted
_blocks: dict[int, weakref.ref[Block]] = {}
_freed: deque[np.ndarray] = deque(maxlen=KEPT)


class Block:
    """Memory of the device: `size` bytes at `ptr`, poisoned, between marked zones."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._raw = np.full(size + 2 * ZONE + ALIGNMENT, POISON, np.uint8)
        start = self._raw.ctypes.data
        self.ptr = -(-(start + ZONE) // ALIGNMENT) * ALIGNMENT
        offset = self.ptr - start
        self.bytes = self._raw[offset : offset + size]
        # the mark differs from block to block, so that a zone copied over another shows too
        self._mark = np.full(ZONE, 0xA0 | next(_serials) & 0x0F, np.uint8)
        self._zones = (self._raw[offset - ZONE : offset], self._raw[offset + size : offset + size + ZONE])
        for zone in self._zones:
            zone[:] = self._mark
        _blocks[self.ptr] = weakref.ref(self)
        insort(_bases, self.ptr)

    def check(self) -> None:
        """Raise if something has been written around the block."""
        for side, zone in zip(("before", "after"), self._zones, strict=True):
            if (zone != self._mark).any():
                zone[:] = self._mark
                raise CUDARuntimeError(
                    "cudaErrorIllegalAddress", f"written {side} the {self.size} bytes at {self.ptr:#x}"
                )

    def free(self) -> None:
        """Give the memory back: its addresses are no longer valid."""
        if _blocks.pop(self.ptr, None) is not None:
            _bases.remove(self.ptr)
            self.bytes[:] = POISON
            _freed.append(self._raw)


def block_at(ptr: int) -> Block:
    """The live block that holds an address.

    Raises:
        CUDARuntimeError: none does: it was freed, or it is an address of the host.
    """
    place = bisect_right(_bases, ptr) - 1
    block = _blocks[_bases[place]]() if place >= 0 else None
    if block is None or ptr > block.ptr + block.size:
        what = f"{ptr:#x} lies in no live allocation: freed memory, or a host address"
        raise CUDARuntimeError("cudaErrorIllegalAddress", what)
    return block


def regions() -> list[tuple[int, int]]:
    """First and last-plus-one address of every live block, for the bounds checker."""
    live = (ref() for ref in list(_blocks.values()))
    return [(block.ptr, block.ptr + block.size) for block in live if block is not None]


def check_zones() -> None:
    """Raise if any live block has been written around."""
    for ref in list(_blocks.values()):
        block = ref()
        if block is not None:
            block.check()


class BaseMemory:
    """As `cupy.cuda.BaseMemory`: something with an address and a size."""

    ptr: int
    size: int
    device_id = 0


class PooledMemory(BaseMemory):
    """Memory that the pool gave and takes back when the last pointer to it is gone."""

    def __init__(self, block: Block, pool: MemoryPool) -> None:
        self.block, self.pool, self.ptr, self.size = block, pool, block.ptr, block.size

    def free(self) -> None:
        """Return it to the pool; another call does nothing."""
        if self.ptr:
            self.ptr = 0
            self.pool._take_back(self.block)

    def __del__(self) -> None:
        self.free()


class UnownedMemory(BaseMemory):
    """Memory that belongs to somebody else, `owner`, who is kept alive."""

    def __init__(self, ptr: int, size: int, owner: Any, device_id: int = -1) -> None:
        self.ptr, self.size, self._owner = ptr, size, owner
        self.block = block_at(ptr) if size else None


class MemoryPointer:
    """An address inside a memory, which it keeps alive."""

    def __init__(self, mem: BaseMemory, offset: int) -> None:
        self.mem, self.ptr, self.device_id = mem, mem.ptr + offset, 0

    def __add__(self, offset: int) -> MemoryPointer:
        assert self.ptr or not offset  # of an array without elements
        return MemoryPointer(self.mem, self.ptr - self.mem.ptr + offset)

    def __sub__(self, offset: int) -> MemoryPointer:
        return self + -offset

    def __int__(self) -> int:
        return self.ptr

    @property
    def device(self) -> Any:
        """The one there is."""
        return Device(0)

    def _view(self, size: int) -> np.ndarray:
        """The bytes themselves, for this package alone."""
        block = block_at(self.ptr)
        start = self.ptr - block.ptr
        if start + size > block.size:
            raise CUDARuntimeError("cudaErrorInvalidValue", f"{size} bytes of a block of {block.size}")
        return block.bytes[start : start + size]

    def memset(self, value: int, size: int) -> None:
        """Fill bytes; waits."""
        self.memset_async(value, size)
        current().synchronize()

    def memset_async(self, value: int, size: int, stream: Any = None) -> None:
        """Fill bytes."""
        chosen(stream).push("memset", lambda: self._view(size).fill(value), (self,))

    def copy_from_device(self, src: MemoryPointer, size: int) -> None:
        """Copy within the device; waits."""
        current().refuse_in_capture()
        self.copy_from_device_async(src, size)
        current().synchronize()

    def copy_from_device_async(self, src: MemoryPointer, size: int, stream: Any = None) -> None:
        """Copy within the device."""

        def run() -> None:
            self._view(size)[:] = src._view(size)

        chosen(stream).push("copy", run, (self, src))

    def copy_from_host(self, mem: Any, size: int) -> None:
        """Copy from an address of the host; waits."""
        current().refuse_in_capture()
        self.copy_from_host_async(mem, size)
        current().synchronize()

    def copy_from_host_async(self, mem: Any, size: int, stream: Any = None) -> None:
        """Copy from an address of the host, whatever stands there when the copy runs."""

        def run() -> None:
            CONTROL.counts.host_to_device += 1
            self._view(size)[:] = _host_bytes(mem, size)

        chosen(stream).push("host to device", run, (self, mem))

    def copy_to_host(self, mem: Any, size: int) -> None:
        """Copy to an address of the host; waits."""
        current().refuse_in_capture()
        self.copy_to_host_async(mem, size)
        current().synchronize()

    def copy_to_host_async(self, mem: Any, size: int, stream: Any = None) -> None:
        """Copy to an address of the host."""

        def run() -> None:
            CONTROL.counts.device_to_host += 1
            _host_bytes(mem, size)[:] = self._view(size)

        chosen(stream).push("device to host", run, (self, mem))


def _host_bytes(mem: Any, size: int) -> np.ndarray:
    """What lies at an address of the host."""
    address = mem if isinstance(mem, int) else mem.value
    return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))


class MemoryPool:
    """As cupy's: sizes are rounded up, what is freed stays with the pool until it is asked to let go."""

    def __init__(self, allocator: Callable[[int], MemoryPointer] | None = None) -> None:
        self._used = self._limit = 0
        self._kept: Counter[int] = Counter()  # sizes of freed blocks

    def malloc(self, size: int) -> MemoryPointer:
        """Memory for `size` bytes.

        Raises:
            OutOfMemoryError: the limit, or the device's memory, does not suffice.
        """
        CONTROL.require_device()
        CONTROL.counts.allocations += 1
        if not size:
            return MemoryPointer(_NOTHING, 0)
        rounded = -(-size // ALIGNMENT) * ALIGNMENT
        if CONTROL.refuse_allocation:
            CONTROL.refuse_allocation -= 1
            if not CONTROL.refuse_allocation:
                raise OutOfMemoryError(rounded, self.total_bytes(), self._limit)
        if self._kept[rounded]:
            self._kept[rounded] -= 1
        else:
            self._reserve(rounded)
        self._used += rounded
        block = Block(size)
        return MemoryPointer(PooledMemory(block, self), 0)

    def _reserve(self, rounded: int) -> None:
        most = self._limit or CONTROL.memory
        if self.total_bytes() + rounded > most:
            self.free_all_blocks()
            if self.total_bytes() + rounded > most:
                raise OutOfMemoryError(rounded, self.total_bytes(), self._limit)
        CONTROL.counts.device_allocations += 1

    def _take_back(self, block: Block) -> None:
        rounded = -(-block.size // ALIGNMENT) * ALIGNMENT
        self._used -= rounded
        self._kept[rounded] += 1
        block.free()

    def free_all_blocks(self, stream: Any = None) -> None:
        """Give what was freed back to the device."""
        self._kept.clear()

    def used_bytes(self) -> int:
        """Bytes in use."""
        return self._used

    def free_bytes(self) -> int:
        """Bytes freed and kept."""
        return sum(size * n for size, n in self._kept.items())

    def total_bytes(self) -> int:
        """Bytes in use and kept."""
        return self._used + self.free_bytes()

    def n_free_blocks(self) -> int:
        """How many blocks are kept."""
        return sum(self._kept.values())

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        """Let the pool have at most so many bytes, or that part of the device's; 0: no limit."""
        self._limit = int(fraction * CONTROL.memory) if fraction is not None else int(size or 0)

    def get_limit(self) -> int:
        """The limit in bytes; 0: none."""
        return self._limit


class _Nothing(BaseMemory):
    ptr = size = 0
    block = None


_NOTHING = _Nothing()
_default = MemoryPool()
_allocator: list[Callable[[int], MemoryPointer]] = [_default.malloc]


def get_default_memory_pool() -> MemoryPool:
    """The pool from which arrays come."""
    return _default


def alloc(size: int) -> MemoryPointer:
    """Memory from the current allocator."""
    return _allocator[-1](size)


def set_allocator(allocator: Callable[[int], MemoryPointer] | None = None) -> None:
    """Let arrays come from another allocator; None: from the device directly."""
    _allocator[-1] = allocator or MemoryPool().malloc


@contextmanager
def using_allocator(allocator: Callable[[int], MemoryPointer] | None = None) -> Any:
    """Another allocator for one `with` block."""
    _allocator.append(allocator or MemoryPool().malloc)
    try:
        yield
    finally:
        _allocator.pop()


def reset() -> None:
    """The pool as new, but for what is still in use."""
    _default._limit = 0
    _default.free_all_blocks()
    del _allocator[1:]
    _allocator[0] = _default.malloc
