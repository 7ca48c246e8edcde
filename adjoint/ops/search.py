"""Where values stand among others: positions have no derivative, what is taken from there has."""

from __future__ import annotations

from typing import Any

import numpy as np

from .abstract import Abstract
from .broadcast import reduced_shape
from .device import on_device
from .index import Choice
from .primitive import Samples, register, shape_of


class SearchSorted(Choice):
    """z = how many entries of the sorted vector a stand before each v; side="right": equal ones counted."""

    name = "searchsorted"

    def samples(self, rng: np.random.Generator) -> Samples:
        a = np.sort(rng.standard_normal(5))
        return [((a, rng.standard_normal((2, 3))), {"side": side}) for side in ("left", "right")]

    def value(self, a: Any, v: Any, side: str = "left") -> Any:
        return np.searchsorted(a, v, side=side)  # type: ignore[call-overload]

    def abstract(self, a: Any, v: Any, side: str = "left") -> Abstract:
        return Abstract(shape_of(v), np.dtype(np.intp))


searchsorted = register(SearchSorted())


class ArgPartition(Choice):
    """z = positions along `axis` of smaller values, then the kth, then larger ones."""

    name = "argpartition"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal((3, 5)),), {"kth": 2, "axis": 1})]

    def value(self, x: Any, kth: Any, axis: int, kind: Any = "introselect") -> Any:
        if on_device(x):  # cupy has one algorithm
            return np.argpartition(x, kth, axis=axis)
        return np.argpartition(x, kth, axis=axis, kind=kind)

    def abstract(self, x: Any, kth: Any, axis: int, kind: Any = "introselect") -> Abstract:
        reduced_shape(shape_of(x), (axis,), True)  # refuses an axis that x has not
        return Abstract(shape_of(x), np.dtype(np.intp))


argpartition = register(ArgPartition())
