"""Where things lie in memory: CPython's headers, a program's table, the pool of threads.

Read by Python and compiled into the native driver as constants. Offsets of objects are in bytes;
cells count int64 from the start of a table.
"""

from __future__ import annotations

# PyObject: …, type; sizes differ between builds (free threading adds 16 bytes), the order does not.
HEAD = object.__basicsize__
TYPE_AT = HEAD - 8
SIZE_AT = HEAD
ITEMS_AT = tuple.__basicsize__
# PyArrayObject: data, nd (int), dimensions, strides, base, descr, flags (int)
DATA_AT, RANK_AT, SHAPE_AT, DESCR_AT, FLAGS_AT = HEAD, HEAD + 8, HEAD + 16, HEAD + 40, HEAD + 48
# PyArray_Descr: typeobj, then kind, type, byteorder, flags (char each) and type_num (int): one word
KIND_AT = HEAD + 8
CONTIGUOUS, ALIGNED, WRITEABLE = 0x1, 0x100, 0x400

# A program's table: what `run` needs, addresses and counts.
TUPLE_TYPE, ARRAY_TYPE, INPUTS, OUTPUTS, GUARDS, PATCHES, PATCH_COUNT, STEPS, STEP_COUNT = range(9)
POOL, LOCK, STATUS, FAILED_STEP, HOLD_GIL = range(9, 14)
SAVE_THREAD, RESTORE_THREAD, FROM_LONG, ACQUIRE, RELEASE, TABLE_CELLS = range(14, 20)
STEP_CELLS, PATCH_CELLS = 4, 3  # address, block, chunks, parallel; argument, address of the cell, offset

# What a run answers besides the index of an argument that does not fit.
DONE, MISUSED, FAILED = -1, -2, -3
# A status word: all bits set while no kernel has failed, else the smallest code reported.
HEALTHY = -1

# The pool: cells of the job, then one cache line per worker (8 cells of 8 bytes).
JOB, ADDRESS, BLOCK, CHUNKS, BUSY, THREADS, SPINS, YIELD, POOL_ACQUIRE, POOL_RELEASE = range(10)
FIRST_WORKER, LINE = 16, 8
TICKET, PARKED, WAKE = range(3)
STOP = -1
