"""From a region's spec to the text of a CUDA kernel.

The kernel is called `region`; its parameters are the cells of `block_layout`, in order. One with results that
exist only at the end (sums over rows, over everything) has one chunk of the rows per block, the others loop
over the grid. Two forms:

    flat    a thread takes some neighbouring elements together: loads, statements, stores
    rows    a group of threads has a row: loops over the columns in the same way, and between them one number
            per row, which every thread of the group knows; a group is a part of a warp, a warp or the block

What lies side by side is moved as vectors (`elements.py`): rows have them where their length and strides are
multiples, and every kernel looks whether its pointers are. Sums are sums of short runs in fixed order, added
up in float64: they depend on sizes and strides, and on no address.
"""

from __future__ import annotations

from functools import lru_cache

from ..spec import Spec
from .flat import Flat
from .geometry import Form
from .rows import Rows
from .writer import NAME

__all__ = ["NAME", "emit"]


@lru_cache(maxsize=4096)
def emit(spec: Spec, form: Form) -> str:
    """The source of a region's kernel, without the functions of `device.cuh`.

    Args:
        spec: "flat", or "wide": rows of every length are written in the same way.
        form: of its threads; `geometry.form_of` chooses it.
    """
    assert spec.mode != "narrow", "a form for narrow rows, which is the CPU's"
    writer = Flat(spec, form) if spec.mode == "flat" else Rows(spec, form)
    return writer.text()
