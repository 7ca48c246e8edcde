"""Small kernels for the tests of cache, driver and threads."""

from __future__ import annotations

from adjoint.engines.cpu import cache

# without the vector mathematics, whose import takes a cold start's time
PRELUDE = "from .entries import cfunc\nfrom .intrinsics import *\n"

# block: x, y, z, n, chunks; z = x + y
ADD = """
@cfunc("void(CPointer(int64), int64)", error_model="numpy")
def entry(block, chunk):
    x, y, z, n, chunks = f64_at(block[0]), f64_at(block[1]), f64_at(block[2]), block[3], block[4]
    for i in range(n * chunk // chunks, n * (chunk + 1) // chunks):
        z[i] = x[i] + y[i]
"""

# block: x, status, n, limit; reports the first index whose element exceeds the limit
CHECK = """
@cfunc("void(CPointer(int64), int64)", error_model="numpy")
def entry(block, chunk):
    x = f64_at(block[0])
    for i in range(block[2] * chunk, block[2] * (chunk + 1)):
        if x[i] > block[3]:
            fetch_min(block[1], i)
            return
"""

# block: x, z, n, pauses; z += x, slowly enough for two Python threads to meet
ACCUMULATE = """
@cfunc("void(CPointer(int64), int64)", error_model="numpy")
def entry(block, chunk):
    x, z = f64_at(block[0]), f64_at(block[1])
    for repeat in range(block[3]):
        pause()
    for i in range(block[2]):
        z[i] = z[i] + x[i]
"""


def address(text: str) -> int:
    return cache.load(text, prelude=PRELUDE).address
