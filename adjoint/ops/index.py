"""Indexing: reading `x[i]`, its transpose `scatter_add`, and the functional writes behind `x.at[i]`.

An index is split into a hashable template (integers, slices, None, Ellipsis, the mark ARRAY) and the arrays
that replace the marks. The arrays are operands, not parameters: they may be recorded themselves.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import IndexingError, refusal
from .abstract import Abstract
from .broadcast import Shape, fit, reduced_shape
from .device import add_at, as_array, module_of, on_device
from .elementwise import where
from .formula import ATOM, Formula, listed
from .index_shapes import check_written, indexed_shape
from .primitive import Linear, Primitive, Recorded, Samples, add_all, beside, dtype_of, register, shape_of

ARRAY = "array"  # the place of an index array in a template
Template = tuple[Any, ...]


def split_index(index: Any) -> tuple[Template, list[Any]]:
    """Take an index apart into its template and its index arrays.

    Raises:
        IndexingError: a part is neither integer, slice, None, Ellipsis nor an array of integers or booleans.
    """
    template: list[Any] = []
    arrays: list[Any] = []
    for part in index if isinstance(index, tuple) else (index,):
        if (
            (isinstance(part, (slice, int, np.integer)) and not isinstance(part, bool))
            or part is None
            or part is Ellipsis
        ):
            template.append(part)
            continue
        array: Any = part if isinstance(part, Recorded) else as_array(part)
        if array.size == 0 and not isinstance(part, (Recorded, np.ndarray)):
            array = array.astype(np.intp)  # an empty list indexes nothing
        if array.dtype.kind not in "iub":
            remedy = "Use integers, booleans, slices, None or ...; convert with .astype(int)."
            raise refusal(
                IndexingError, f"an index must be made of integers or booleans, not {array.dtype}", remedy
            )
        template.append(ARRAY)
        arrays.append(array)
    return tuple(template), arrays


def join_index(template: Template, arrays: Sequence[Any]) -> tuple[Any, ...]:
    """Put the index arrays back in their places."""
    if not arrays:
        return template
    feed: Iterator[Any] = iter(arrays)
    return tuple(next(feed) if isinstance(part, str) else part for part in template)


def _may_repeat(arrays: Sequence[Any]) -> bool:
    return any(dtype_of(a).kind in "iu" for a in arrays)


def _holders(table: list[Any], k: int) -> int:
    """How many references to table[k] there are, in this interpreter's way of counting."""
    return sys.getrefcount(table[k])


_ALONE = _holders([np.zeros(1)], 0)  # what that is for an array that only the table holds


class GetItem(Linear):
    """z = x[index]; a view where NumPy gives one."""

    name = "getitem"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [
            ((rng.standard_normal((4, 5)),), {"template": (slice(None, None, -2), None, 1)}),
            ((rng.standard_normal((4, 5)), np.array([0, 2, 0])), {"template": (ARRAY, slice(1, 3))}),
            ((rng.standard_normal((4, 5)), rng.random((4, 5)) < 0.5), {"template": (ARRAY,)}),
        ]

    def value(self, x: Any, *arrays: Any, template: Template) -> Any:
        return as_array(x)[join_index(template, arrays)]

    def abstract(self, x: Any, *arrays: Any, template: Template) -> Abstract:
        return Abstract(indexed_shape(shape_of(x), join_index(template, arrays), arrays), dtype_of(x))

    def transpose(self, lam: Any, x: Any, *arrays: Any, template: Template) -> Any:
        return scatter_add(lam, *arrays, template=template, shape=shape_of(x))

    def pull(
        self,
        table: list[Any],
        parents: Sequence[int],
        args: Sequence[Any],
        z: Any,
        lam: Any,
        params: dict[str, Any],
    ) -> None:
        """Add λ to the λ of x in place where nobody else holds it.

        A loop over the rows of x then costs one row per step, not one array of x's size.
        """
        alone = _holders(table, parents[0]) == _ALONE
        known = table[parents[0]]
        plain = type(known) is np.ndarray and not any(isinstance(a, Recorded) for a in (lam, *args[1:]))
        if not (alone and plain and known.base is None and known.flags.writeable):
            return super().pull(table, parents, args, z, lam, params)
        index = join_index(params["template"], args[1:])
        if _may_repeat(args[1:]):
            np.add.at(known, index, lam)
        else:
            known[index] += lam

    def diagnose(self, args: Sequence[Any], params: dict[str, Any], error: Exception) -> tuple[str, str]:
        return f"x[…] with x of shape {shape_of(args[0])}: {error}", _index_remedy(error)

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        feed = iter(operands[1:])
        parts = [next(feed) if isinstance(p, str) else _index(p) for p in params["template"]]
        return Formula("item", operands[0].inside(ATOM), listed(parts))


def _index_remedy(error: Exception) -> str:
    text = str(error)
    if "boolean index" in text:
        return "A mask has the size of the axes it selects from."
    if "too many indices" in text:
        return "Give at most one index per axis; x[:, None] inserts an axis."
    if "shape mismatch" in text:
        return "Index arrays broadcast together; np.ix_ makes an open grid of them."
    return "Indices count from 0 to size − 1, or back from −1."


def _index(part: Any) -> Formula:
    if isinstance(part, slice):
        text = ":".join("" if b is None else str(b) for b in (part.start, part.stop))
        return Formula("text", text if part.step is None else f"{text}:{part.step}")
    return Formula("text", "…") if part is Ellipsis else Formula("name", str(part))


getitem = register(GetItem())


class ScatterAdd(Linear):
    """z = zeros(shape); z[index] += x, an index that occurs twice counting twice."""

    name = "scatter_add"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [
            (
                (rng.standard_normal((2, 3)),),
                {"template": (slice(None, None, 2), slice(1, 4)), "shape": (4, 5)},
            ),
            ((rng.standard_normal(3), np.array([1, 0, 1])), {"template": (ARRAY,), "shape": (4,)}),
        ]

    def value(self, x: Any, *arrays: Any, template: Template, shape: tuple[int, ...]) -> Any:
        m = module_of(x)
        z = m.zeros(shape, dtype_of(x))
        index = join_index(template, arrays)
        if _may_repeat(arrays):
            add_at(z, index, x)
        else:
            z[index] = x
        return z

    def abstract(self, x: Any, *arrays: Any, template: Template, shape: tuple[int, ...]) -> Abstract:
        check_written(x, shape, join_index(template, arrays), arrays)
        return Abstract(shape, dtype_of(x))

    def transpose(self, lam: Any, x: Any, *arrays: Any, template: Template, shape: tuple[int, ...]) -> Any:
        return fit(getitem(lam, *arrays, template=template), x)


scatter_add = register(ScatterAdd())


class ScatterSet(Primitive):
    """z = copy of x with z[index] = v; of two writes to one place the last stands, and has the derivative."""

    name = "scatter_set"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [
            ((rng.standard_normal((4, 5)), rng.standard_normal(5)), {"template": (slice(1, 3),)}),
            ((rng.standard_normal(4), rng.standard_normal(3), np.array([1, 0, 1])), {"template": (ARRAY,)}),
        ]

    def value(self, x: Any, v: Any, *arrays: Any, template: Template) -> Any:
        index = join_index(template, arrays)
        if not on_device(x):
            z = np.array(x, copy=True)
            z[index] = v
            return z
        z = x.copy()
        # of two writes to one place either may stand on a device: let both write what the last does
        z[index] = _of_last_writers(v, x, index) if _may_repeat(arrays) and shape_of(v) else v
        return z

    def abstract(self, x: Any, v: Any, *arrays: Any, template: Template) -> Abstract:
        check_written(v, shape_of(x), join_index(template, arrays), arrays)
        return Abstract(shape_of(x), dtype_of(x))

    def tangent(self, args: Sequence[Any], z: Any, dots: Sequence[Any], template: Template) -> Any:
        arrays = args[2:]
        kept = None if dots[0] is None else scatter_set(dots[0], 0.0, *arrays, template=template)
        if dots[1] is None:
            return kept
        base = beside(z).zeros(shape_of(z), dtype_of(z))
        return add_all((kept, scatter_set(base, dots[1], *arrays, template=template)))

    def adjoint(
        self, args: Sequence[Any], z: Any, lam: Any, wanted: Sequence[bool], template: Template
    ) -> Sequence[Any]:
        x, v, *arrays = args
        lam_x = fit(scatter_set(lam, 0.0, *arrays, template=template), x) if wanted[0] else None
        lam_v = None
        if wanted[1]:
            lam_v = getitem(lam, *arrays, template=template)
            if _may_repeat(arrays):
                stands = last_writer(*arrays, template=template, shape=shape_of(x))
                if isinstance(stands, np.ndarray):  # index arrays may be of the host, for arrays of a device
                    stands = beside(lam_v).asarray(stands)
                lam_v = where(stands, lam_v, 0.0)
            lam_v = fit(lam_v, v)
        return (lam_x, lam_v, *(None,) * len(arrays))

    def diagnose(self, args: Sequence[Any], params: dict[str, Any], error: Exception) -> tuple[str, str]:
        what = f"x.at[…].set(v) with x {shape_of(args[0])}, v {shape_of(args[1])}: {error}"
        return what, _index_remedy(error) if isinstance(
            error, IndexError
        ) else "v must broadcast to the shape of x[…]."


scatter_set = register(ScatterSet())


def take_along_axis(x: Any, indices: Any, axis: int) -> Any:
    """`np.take_along_axis` by one `getitem`: open grids on the other axes."""
    ndim = len(shape_of(x))
    grid = np.ix_(*(np.arange(n) for n in shape_of(x)))
    arrays = [indices if k == axis else grid[k] for k in range(ndim)]
    return getitem(x, *arrays, template=(ARRAY,) * ndim)


def _last_writers(index: tuple[Any, ...], shape: Shape, m: Any) -> tuple[Any, Any]:
    """For every place of x[index] who writes there last, and who writes for it: numbers from 0 on."""
    board = m.full(shape, -1, np.int32 if m is not np else np.intp)  # cupy's maximum.at knows int32
    places = board[index]
    order = m.arange(places.size, dtype=board.dtype).reshape(places.shape)
    if m is np:
        board[index] = order  # NumPy writes in order, four times as fast as its maximum.at
    else:
        m.maximum.at(board, index, order)
    return board[index], order


def _of_last_writers(v: Any, x: Any, index: tuple[Any, ...]) -> Any:
    """v for x[index] = v on a device, every element replaced by the one that stands."""
    m = module_of(x)
    last, _ = _last_writers(index, x.shape, m)
    v = v.reshape(v.shape[max(v.ndim - last.ndim, 0) :])  # NumPy drops leading ones
    return m.ravel(m.broadcast_to(v, last.shape))[last]


class Choice(Primitive):
    """Integers or booleans that depend on values: no derivative, but recorded so that a replay follows."""

    def tangent(self, args: Sequence[Any], z: Any, dots: Sequence[Any], **params: Any) -> Any:
        return None

    def adjoint(
        self, args: Sequence[Any], z: Any, lam: Any, wanted: Sequence[bool], **params: Any
    ) -> Sequence[Any]:
        return (None,) * len(args)

    def adjoint_formulas(
        self, operands: Sequence[Formula], z: Formula, lam: Formula, params: dict[str, Any]
    ) -> Sequence[Formula | None]:
        return (None,) * len(operands)


class Positions(Choice):
    """Where something stands along an axis: argmax, argmin, argsort."""

    def __init__(self, name: str, function: Any, reduces: bool) -> None:
        self.name, self.function, self.reduces = name, function, reduces

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal((3, 4)),), {"axis": 1})]

    def value(self, x: Any, **params: Any) -> Any:
        if on_device(x):  # cupy has one way to sort, and it is stable
            params = {name: given for name, given in params.items() if name not in ("kind", "stable")}
        return self.function(x, **params)

    def abstract(self, x: Any, **params: Any) -> Abstract:
        return Abstract(_positions_shape(self, shape_of(x), **params), np.dtype(np.intp))


@lru_cache(maxsize=1024)
def _positions_shape(
    op: Positions, shape: Shape, axis: int | None, keepdims: bool = False, **options: Any
) -> Shape:
    if not shape or 0 in shape:  # NumPy knows what nothing and a scalar have
        return shape_of(
            op.value(np.empty(shape), axis=axis, **({"keepdims": keepdims} if op.reduces else {}))
        )
    axes = tuple(range(len(shape))) if axis is None else (axis,)
    if op.reduces:
        return reduced_shape(shape, axes, keepdims)
    return reduced_shape(shape, axes, True) and ((math.prod(shape),) if axis is None else shape)


argmax = register(Positions("argmax", np.argmax, reduces=True))
argmin = register(Positions("argmin", np.argmin, reduces=True))
argsort = register(Positions("argsort", np.argsort, reduces=False))


class LastWriter(Choice):
    """For `x[index] = v`: whether what is written in each place of x[index] stands; False: overwritten."""

    name = "last_writer"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((np.array([1, 0, 1]),), {"template": (ARRAY, slice(2)), "shape": (4, 3)})]

    def value(self, *arrays: Any, template: Template, shape: tuple[int, ...]) -> Any:
        board, order = _last_writers(join_index(template, arrays), shape, module_of(*arrays))
        return board == order

    def abstract(self, *arrays: Any, template: Template, shape: tuple[int, ...]) -> Abstract:
        return Abstract(indexed_shape(shape, join_index(template, arrays), arrays), np.dtype(np.bool_))


last_writer = register(LastWriter())
