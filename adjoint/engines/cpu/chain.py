"""The kernel that runs a chain: for every block of rows, every member's kernel.

The block of arguments: members, blocks, lanes, rows, height; then for every member MEMBER cells, and what
they point to: a template of the member's own arguments (whose addresses the driver keeps), a copy of it for
every lane, and the cells that move with lane and block.
"""

from __future__ import annotations

from .gemm import ACCUMULATE, K

HEADER, MEMBER = 5, 8
MEMBERS, BLOCKS, LANES, ROWS, HEIGHT = range(HEADER)
# of a member: its kernel; template; copies; cells of each; moves and their number; chunks and kind
ADDRESS, TEMPLATE, COPIES, CELLS, MOVES, MOVE_COUNT, CHUNKS, ADDS_UP = range(MEMBER)
MOVE = 3  # cell, bytes per lane, bytes per block

TEXT = f"""
@njit(**OPTIONS)
def run(a, lane):
    first, last = lane * a[{BLOCKS}] // a[{LANES}], (lane + 1) * a[{BLOCKS}] // a[{LANES}]
    for m in range(a[{MEMBERS}]):
        at = {HEADER} + m * {MEMBER}
        template, size = as_i64(a[at + {TEMPLATE}]), a[at + {CELLS}]
        own = as_i64(a[at + {COPIES}] + 8 * lane * size)
        for k in range(size):
            own[k] = template[k]
    for b in range(first, last):
        for m in range(a[{MEMBERS}]):
            at = {HEADER} + m * {MEMBER}
            template, size = as_i64(a[at + {TEMPLATE}]), a[at + {CELLS}]
            place = a[at + {COPIES}] + 8 * lane * size
            own = as_i64(place)
            moves = as_i64(a[at + {MOVES}])
            for k in range(a[at + {MOVE_COUNT}]):
                cell = moves[{MOVE} * k]
                own[cell] = template[cell] + lane * moves[{MOVE} * k + 1] + b * moves[{MOVE} * k + 2]
            if a[at + {ADDS_UP}]:
                own[{K}] = min(a[{HEIGHT}], a[{ROWS}] - b * a[{HEIGHT}])
                own[{ACCUMULATE}] = 1 if b > first else 0
                for chunk in range(a[at + {CHUNKS}]):
                    call_chunk(a[at + {ADDRESS}], place, chunk)
            else:
                call_chunk(a[at + {ADDRESS}], place, b)


@cfunc(SIGNATURE, cache=True)
def entry(a, chunk):
    run(a, chunk)
"""
