"""From a region to the text of a numba kernel.

A kernel runs rows lo … hi of the region's space (elements lo … hi when the space is *flat*). Three forms:

    flat    one loop over the elements, in blocks so that sums are sums of blocks
    wide    for every row: loops over the columns, and statements for the row between them
    narrow  for every block of rows: loops over the block's elements (dear functions, at full vector length),
            over rows and columns (reductions), and over rows (what is one number per row)
"""

from __future__ import annotations

from functools import lru_cache

from ..spec import Spec
from .flat import flat
from .narrow import narrow
from .wide import wide
from .writer import Writer

FORMS = {"flat": flat, "wide": wide, "narrow": narrow}


@lru_cache(maxsize=4096)
def emit(spec: Spec) -> str:
    """The source of a kernel, with its entry `void(int64* block, int64 chunk)`."""
    writer = Writer(spec)
    return writer.text(FORMS[spec.mode](writer))
