"""THE TABLE of differentiable NumPy programs, one row per rule and per way of calling it."""

from __future__ import annotations

import numpy as np

import adjoint.numpy as anp
from adjoint.ops import linalg as la
from adjoint.ops import reduce as rd
from adjoint.ops import segment as sg

from .cases_choosing import CHOOSING
from .cases_fourier import FOURIER
from .cases_signals import SIGNALS
from .cases_statistics import STATISTICS
from .harness import Case, case, definite, invertible, positive

OFFSETS = np.array([0, 2, 2, 5, 6])
MASK = np.array([True, False, True, True])
ROWS, COLUMNS = np.array([0, 2, 2, 1]), np.array([1, 3, 3, 0])
BATCH = np.array([[0, 1, 0], [2, 2, -1]])


def written(x, v, index, how="set"):
    """x.at[index] on a Variable; the in-place statement on a plain array."""
    if isinstance(x, np.ndarray) and isinstance(v, np.ndarray | np.generic | float):
        z, update = x.copy(), {"set": None, "add": np.add, "subtract": np.subtract}
        if how == "set":
            z[index] = v
        elif how in update:
            update[how].at(z, index, v)
        else:
            z[index] = z[index] * v if how == "multiply" else z[index] / v
        return z
    if isinstance(x, np.ndarray):
        x = x + 0 * np.sum(v)  # `.at` is a property of Variables
    return getattr(x.at[index], how)(v)


SHAPING: list[Case] = [
    case("reshape", lambda x: np.reshape(x, (2, -1)), (3, 4)),
    case("reshape int", lambda x: np.reshape(x, 12), (3, 4)),
    case("reshape F", lambda x: np.reshape(x, (2, 6), order="F"), (3, 4)),
    case("reshape F −1", lambda x: np.reshape(x, -1, order="F"), (3, 4)),
    case("reshape empty", lambda x: np.reshape(x, (0, 5)), (3, 0)),
    case("reshape keyword", lambda x: np.reshape(x, shape=(4, 3), copy=True), (3, 4)),
    case("reshape method", lambda x: x.reshape(4, 3) * x.reshape((4, 3)), (3, 4)),
    case("ravel", lambda x: np.ravel(x), (3, 4)),
    case("ravel F", lambda x: np.ravel(x, "F"), (3, 4)),
    case("ravel 0-d", lambda x: np.ravel(x), ()),
    case("flatten", lambda x: x.flatten() + x.ravel(), (3, 4)),
    case("transpose", lambda x: np.transpose(x), (2, 3, 4)),
    case("transpose axes", lambda x: np.transpose(x, (-1, 0, -2)), (2, 3, 4)),
    case("T", lambda x: x.T, (2, 3, 4)),
    case("mT", lambda x: x.mT, (2, 3, 4)),
    case("transpose method", lambda x: x.transpose(1, 0, 2) + x.transpose((1, 0, 2)), (2, 3, 4)),
    case("permute_dims", lambda x: np.permute_dims(x, (2, 0, 1)), (2, 3, 4)),
    case("matrix_transpose", lambda x: np.matrix_transpose(x) + np.linalg.matrix_transpose(x), (2, 3, 4)),
    case("swapaxes", lambda x: np.swapaxes(x, 0, -1), (2, 3, 4)),
    case("moveaxis", lambda x: np.moveaxis(x, 0, -1), (2, 3, 4)),
    case("moveaxis tuple", lambda x: np.moveaxis(x, (0, 1), (-1, 0)), (2, 3, 4)),
    case("moveaxis long", lambda x: np.moveaxis(x, [-1], [0]), (1, 1, 2, 0, 3)),
    case("rollaxis", lambda x: np.rollaxis(x, 2), (2, 3, 4)),
    case("rollaxis start", lambda x: np.rollaxis(x, 0, 3), (2, 3, 4)),
    case("rollaxis negative", lambda x: np.rollaxis(x, -2, -1), (2, 3, 4)),
    case("broadcast_to", lambda x: np.broadcast_to(x, (2, 3, 4)), (3, 1)),
    case("broadcast_to 0-d", lambda x: np.broadcast_to(x, 3), ()),
    case("broadcast_to empty", lambda x: np.broadcast_to(x, (0, 3)), (1, 3)),
    case("broadcast_arrays", lambda x, y: np.broadcast_arrays(x, y), (3, 1), (4,)),
    case("squeeze", lambda x: np.squeeze(x), (1, 3, 1)),
    case("squeeze axis", lambda x: np.squeeze(x, axis=-1), (1, 3, 1)),
    case("squeeze axes", lambda x: np.squeeze(x, (0, 2)), (1, 3, 1)),
    case("expand_dims", lambda x: np.expand_dims(x, 1), (3, 4)),
    case("expand_dims axes", lambda x: np.expand_dims(x, (0, -1)), (3, 4)),
    case("atleast_1d", lambda x, y: np.atleast_1d(x, y), (), (2,)),
    case("atleast_2d", lambda x, y: np.atleast_2d(x, y), (), (2,)),
    case("atleast_3d", lambda x, y, z: np.atleast_3d(x, y, z), (), (2,), (2, 3)),
    case("atleast_3d one", lambda x: np.atleast_3d(x), (2,)),
    case("concatenate", lambda x, y: np.concatenate([x, y]), (2, 3), (4, 3)),
    case("concatenate axis", lambda x, y: np.concatenate((x, y, x), axis=-1), (2, 3), (2, 1)),
    case("concatenate None", lambda x, y: np.concatenate((x, y), axis=None), (2, 3), ()),
    case("concatenate list", lambda x: np.concatenate([x, [1.0, 2.0]]), (3,)),
    case("concatenate empty", lambda x, y: np.concatenate([x, y]), (0, 3), (2, 3)),
    case("concat", lambda x, y: np.concat([x, y]), (2, 3), (4, 3)),
    case("concatenate 70", lambda x: np.concatenate([x * k for k in range(70)]), (2,)),
    case("stack", lambda x, y: np.stack([x, y]), (2, 3), (2, 3)),
    case("stack axis", lambda x, y: np.stack([x, y], axis=-1), (2, 3), (2, 3)),
    case("stack scalars", lambda x, y: np.stack([x, y, 2.0]), (), ()),
    case("vstack", lambda x, y: np.vstack([x, y]), (3,), (2, 3)),
    case("hstack", lambda x, y: np.hstack([x, y]), (3,), ()),
    case("hstack 2", lambda x, y: np.hstack([x, y]), (3, 2), (3, 1)),
    case("dstack", lambda x, y: np.dstack([x, y]), (3,), (3,)),
    case("dstack 2", lambda x, y: np.dstack([x, y]), (2, 3), (2, 3, 2)),
    case("column_stack", lambda x, y: np.column_stack([x, y]), (3,), (3, 2)),
    case("append", lambda x, y: np.append(x, y), (2, 3), ()),
    case("append axis", lambda x, y: np.append(x, y, axis=1), (2, 3), (2, 1)),
    case("split", lambda x: np.split(x, 3), (6, 2)),
    case("split at", lambda x: np.split(x, [1, 4], axis=-1), (2, 6)),
    case("split beyond", lambda x: np.split(x, [2, 1, 9]), (5,)),
    case("array_split", lambda x: np.array_split(x, 4), (6, 2)),
    case("array_split many", lambda x: np.array_split(x, 4, axis=1), (2, 3)),
    case("hsplit", lambda x: np.hsplit(x, 2), (2, 6)),
    case("hsplit 1", lambda x: np.hsplit(x, 2), (6,)),
    case("vsplit", lambda x: np.vsplit(x, 2), (4, 3)),
    case("dsplit", lambda x: np.dsplit(x, 2), (2, 3, 4)),
    case("unstack", lambda x: np.unstack(x, axis=1), (2, 3)),
    case("flip", lambda x: np.flip(x), (2, 3)),
    case("flip axis", lambda x: np.flip(x, -1), (2, 3)),
    case("flip axes", lambda x: np.flip(x, (0, 2)), (2, 3, 2)),
    case("flipud fliplr", lambda x: np.flipud(x) * np.fliplr(x), (2, 3)),
    case("rot90", lambda x: np.rot90(x), (2, 3)),
    case("rot90 k", lambda x: np.rot90(x, -1), (2, 3)),
    case("rot90 2", lambda x: np.rot90(x, 2, axes=(1, 2)), (2, 3, 4)),
    case("rot90 axes", lambda x: np.rot90(x, 3, axes=(2, 0)), (2, 3, 4)),
    case("roll", lambda x: np.roll(x, 2), (2, 3)),
    case("roll axis", lambda x: np.roll(x, -1, axis=1), (2, 3)),
    case("roll axes", lambda x: np.roll(x, (1, 2), axis=(0, 1)), (2, 3)),
    case("roll one shift", lambda x: np.roll(x, 1, axis=(0, 1)), (2, 3)),
    case("roll same axis", lambda x: np.roll(x, (1, 1), axis=1), (2, 3)),
    case("tile", lambda x: np.tile(x, 3), (2,)),
    case("tile reps", lambda x: np.tile(x, (2, 1, 3)), (2, 3)),
    case("tile short", lambda x: np.tile(x, (2,)), (2, 3)),
    case("tile none", lambda x: np.tile(x, (0, 2)), (2, 3)),
    case("repeat", lambda x: np.repeat(x, 2), (2, 3)),
    case("repeat axis", lambda x: np.repeat(x, np.array([1, 0, 3]), axis=-1), (2, 3)),
    case("repeat method", lambda x: x.repeat(2, 0), (2, 3)),
    case("pad", lambda x: np.pad(x, 1), (2, 3)),
    case("pad widths", lambda x: np.pad(x, ((1, 0), (2, 3))), (2, 3)),
    case("pad pair", lambda x: np.pad(x, (1, 2)), (2, 3)),
    case("pad constant", lambda x: np.pad(x, 1, constant_values=2.0), (2, 3)),
    case("pad constants", lambda x: np.pad(x, 1, constant_values=((1, 2), (3, 4))), (2, 3)),
    case("pad dict", lambda x: np.pad(x, {-1: (1, 2)}), (2, 3)),
    case("pad edge", lambda x: np.pad(x, 2, mode="edge"), (2, 3)),
    case("pad reflect", lambda x: np.pad(x, 1, mode="reflect"), (2, 3)),
    case("pad symmetric", lambda x: np.pad(x, ((0, 0), (2, 1)), mode="symmetric"), (2, 3)),
    case("pad wrap", lambda x: np.pad(x, 5, mode="wrap"), (2, 3)),
    case("pad empty", lambda x: np.pad(x, 1), (0, 3)),
    case("take", lambda x: np.take(x, [0, 2, 2, -1]), (2, 3)),
    case("take axis", lambda x: np.take(x, [[0, 1], [1, 1]], axis=1), (2, 3)),
    case("take int", lambda x: np.take(x, 1, axis=0), (2, 3)),
    case("take wrap", lambda x: np.take(x, np.array([5, -4]), axis=1, mode="wrap"), (2, 3)),
    case("take clip", lambda x: np.take(x, [5, -4], axis=1, mode="clip"), (2, 3)),
    case("take method", lambda x: x.take([1, 1], 0), (2, 3)),
    case("take_along_axis", lambda x: np.take_along_axis(x, BATCH, axis=1), (2, 3)),
    case("take_along_axis 0", lambda x: np.take_along_axis(x, BATCH % 2, axis=0), (2, 3)),
    case("take_along_axis None", lambda x: np.take_along_axis(x, np.array([5, 0, 5]), axis=None), (2, 3)),
    case("take_along_axis spread", lambda x: np.take_along_axis(x, np.array([[1, 1]]), axis=1), (3, 4)),
    case("diagonal", lambda x: np.diagonal(x), (3, 4)),
    case("diagonal offset", lambda x: np.diagonal(x, -1, 1, 2), (2, 4, 3)),
    case("diagonal axes", lambda x: np.diagonal(x, 1, -1, 0), (3, 2, 4)),
    case("diagonal far", lambda x: np.diagonal(x, 7), (3, 4)),
    case("diag vector", lambda x: np.diag(x), (3,)),
    case("diag vector k", lambda x: np.diag(x, -2), (3,)),
    case("diag matrix", lambda x: np.diag(x, 1), (4, 3)),
    case("diagflat", lambda x: np.diagflat(x, 1), (2, 2)),
    case("trace", lambda x: np.trace(x), (3, 4)),
    case("trace offset", lambda x: np.trace(x, 1, 2, 0), (3, 2, 4)),
    case("tril", lambda x: np.tril(x), (3, 4)),
    case("tril k", lambda x: np.tril(x, -1), (2, 3, 3)),
    case("triu", lambda x: np.triu(x), (4, 3)),
    case("triu k", lambda x: np.triu(x, 1), (2, 3, 3)),
    case("tril vector", lambda x: np.tril(x), (3,)),
    case("where", lambda x, y: np.where(MASK, x, y), (4,), (4,)),
    case("where broadcast", lambda x, y: np.where(MASK[:, None], x, y), (3,), ()),
    case("where scalar", lambda x: np.where(x > 0, x, 0), (4,)),
    case("where lists", lambda x: np.where([True, False], [1.0, 2.0], x), (2,)),
    case("where numbers", lambda x: np.where(x, x * x, 2.0), (4,)),
    case("clip", lambda x: np.clip(x, -0.5, 0.5), (6,)),
    case("clip none", lambda x: np.clip(x, None, 0.5), (6,)),
    case("clip keywords", lambda x: np.clip(x, min=-0.5, max=0.5), (6,)),
    case("clip bounds", lambda x, a, b: np.clip(x, a - 1, b + 1), (2, 3), (3,), (2, 1)),
    case("clip method", lambda x: x.clip(-0.5, 0.5), (6,)),
    case("round", lambda x: np.round(x, 1) * x, (4,)),
    case("around", lambda x: np.around(x) * x, (4,)),
    case("round negative", lambda x: np.round(100 * x, -1) * x, (4,)),
    case("fix", lambda x: np.fix(3 * x) * x, (4,)),
    case("real", lambda x: np.real(x) * np.copy(x), (4,)),
    case("diff", lambda x: np.diff(x), (2, 4)),
    case("diff n", lambda x: np.diff(x, n=2, axis=0), (4, 2)),
    case("diff ends", lambda x, y: np.diff(x, prepend=0.0, append=y, axis=0), (4, 2), (1, 2)),
    case("diff 0", lambda x: np.diff(x, n=0), (4, 2)),
    case("linspace", lambda x, y: np.linspace(x, y, 5), (), ()),
    case("linspace arrays", lambda x, y: np.linspace(x, y, 4, endpoint=False, axis=-1), (3,), (2, 1)),
    case("linspace step", lambda x, y: np.linspace(x, y, 4, retstep=True), (3,), ()),
    case("linspace one", lambda x: np.linspace(0, x, 1) + x, (3,)),
    case("divmod", lambda x, y: np.divmod(x, y), positive(4), positive(4)),
    case("modf", lambda x: np.modf(3 * x), positive(4)),
    case("parts", lambda x: np.real(x * (1 + 2j)) * np.imag(x * (1 + 2j)) + np.imag(x), (4,)),
    case("angle", lambda x: np.angle(x + 2j) + np.angle(x * 1j + 3, deg=True) + np.angle(x), (4,)),
    case("conjugate", lambda x: np.conjugate(x) * np.conj(x), (4,)),
    case("add.outer", lambda x, y: np.add.outer(x, y), (2, 3), (4,)),
    case("multiply.outer", lambda x, y: np.multiply.outer(x, y), (3,), (2, 2)),
    case("subtract.outer", lambda x, y: np.subtract.outer(x, y), (3,), (2, 2)),
    case("full_like", lambda x, y: anp.full_like(x, y) * np.full_like(x, 2.0), (2, 3), ()),
    case("full_like shape", lambda x, y: anp.full_like(x, y, shape=(4, 2)), (3,), (2,)),
    case("bincount", lambda w: np.bincount([0, 2, 2, 5], w, minlength=8).astype(w.dtype), (4,)),
    case("unique", lambda x: np.unique(np.append(x, x)), (4,)),
    case("unique counts", lambda x: np.unique(np.append(x, x[:1]), return_counts=True)[0], (4,)),
    case("array", lambda x, y: anp.array([[x[0], 2.0], [y, x[1]]]), (2,), ()),
    case("array of arrays", lambda x, y: anp.array((x, [1.0, 2.0], y), ndmin=3), (2,), (2,)),
    case("asarray", lambda x, y: anp.asarray([x, y]) * anp.asarray(x), (2,), (2,)),
    case("full", lambda x: anp.full((3, 2), x), (2,)),
    case("full list", lambda x, y: anp.full((3, 2), [x, y]), (), ()),
    case("full int", lambda x: anp.full(3, x), ()),
    case("astype", lambda x: x.astype(np.float32).astype(x.dtype) * 0 + x, (3,)),
    case("add list", lambda x: np.add(x, [1, 2, 3]) * np.multiply([[2.0], [3.0]], x), (3,)),
]

INDEXING: list[Case] = [
    case("x[int]", lambda x: x[1], (4, 3)),
    case("x[-1]", lambda x: x[-1], (4, 3)),
    case("x[int, int]", lambda x: x[1, -1], (4, 3)),
    case("x[slice]", lambda x: x[1:3], (4, 3)),
    case("x[::-2]", lambda x: x[::-2, ::-1], (4, 3)),
    case("x[empty slice]", lambda x: x[3:1], (4, 3)),
    case("x[...]", lambda x: x[...], (4, 3)),
    case("x[..., 0]", lambda x: x[..., 0], (4, 3)),
    case("x[None]", lambda x: x[None, :, np.newaxis, 1], (4, 3)),
    case("x[()]", lambda x: x[()], ()),
    case("x[0-d None]", lambda x: x[None], ()),
    case("x[list]", lambda x: x[[0, 2, 2]], (4, 3)),
    case("x[empty list]", lambda x: x[[]], (4, 3)),
    case("x[pairs]", lambda x: x[ROWS, COLUMNS], (4, 4)),
    case("x[2-d]", lambda x: x[BATCH], (3, 2)),
    case("x[slice, array]", lambda x: x[1:, COLUMNS], (4, 4)),
    case("x[array, None, slice]", lambda x: x[ROWS, None, ::2], (4, 4)),
    case("x[array, slice, array]", lambda x: x[ROWS, :, COLUMNS], (4, 2, 4)),
    case("x[int, slice, array]", lambda x: x[0, :, COLUMNS], (4, 2, 4)),
    case("x[..., array]", lambda x: x[..., COLUMNS], (2, 4)),
    case("x[mask]", lambda x: x[MASK], (4, 3)),
    case("x[:, mask]", lambda x: x[:, MASK], (3, 4)),
    case("x[mask, mask]", lambda x: x[MASK, MASK], (4, 4)),
    case("x[mask, array]", lambda x: x[MASK, np.array([0, 0, 1])], (4, 2)),
    case("x[2-d mask]", lambda x: x[np.eye(3, dtype=bool)], (3, 3)),
    case("x[x > 0]", lambda x: x[x.value > 0] if hasattr(x, "value") else x[x > 0], (4, 3)),
    case("x[np.ix_]", lambda x: x[np.ix_([0, 2], [1, 1])], (4, 3)),
    case("x[True]", lambda x: x[True], (2,)),
    case("x[np.int64]", lambda x: x[np.int64(1)], (2,)),
    case("x[0-d array]", lambda x: x[np.array(1)], (2, 3)),
    case("x[argmax]", lambda x: x[np.argmax(x)], (5,)),
    case("x[argsort]", lambda x: x[np.argsort(x)], (5,)),
    case("iteration", lambda x: sum(row * k for k, row in enumerate(x)), (3, 2)),
    case("unpacking", lambda x: (lambda a, b: a * b)(*x), (2, 3)),
    case("set", lambda x, v: written(x, v, 1), (4, 3), (3,)),
    case("set spread", lambda x, v: written(x, v, slice(1, 3)), (4, 3), ()),
    case("set pairs", lambda x, v: written(x, v, (ROWS, COLUMNS)), (4, 4), (4,)),
    case("set repeated", lambda x, v: written(x, v, np.array([1, 1, 0, 1])), (3,), (4,)),
    case("set repeated spread", lambda x, v: written(x, v, np.array([1, 1, 0])), (3, 2), (2,)),
    case("set leading 1", lambda x, v: written(x, v, 1), (4, 3), (1, 1, 3)),
    case("set mask", lambda x, v: written(x, v, MASK), (4, 2), (3, 1)),
    case("set mixed", lambda x, v: written(x, v, (ROWS, slice(None), COLUMNS)), (4, 2, 4), (4, 2)),
    case("add at", lambda x, v: written(x, v, np.array([1, 1, 0]), "add"), (3,), (3,)),
    case("add at spread", lambda x, v: written(x, v, (slice(None), np.array([1, 1])), "add"), (2, 3), ()),
    case("add at mask", lambda x, v: written(x, v, MASK, "add"), (4, 2), (2,)),
    case("subtract at", lambda x, v: written(x, v, np.array([1, 1, 0]), "subtract"), (3,), (3,)),
    case("multiply at", lambda x, v: written(x, v, np.array([1, 0]), "multiply"), (3,), (2,)),
    case("divide at", lambda x, v: written(x, v, slice(2), "divide"), (3,), positive(2)),
]

REDUCTIONS: list[Case] = [
    *(
        case(f"{f.__name__} {label}", lambda x, f=f, options=options: f(x, **options), (2, 3, 4))
        for f in (np.sum, np.mean, np.var, np.std, np.max, np.min, np.prod, np.ptp)
        for label, options in {
            "all": {},
            "axis": {"axis": 1},
            "negative": {"axis": -1, "keepdims": True},
            "axes": {"axis": (0, -1)},
            "keepdims": {"keepdims": True},
            "no axes": {"axis": ()},
        }.items()
        if not (f is np.std and label == "no axes")  # a spread of nothing: its kink
    ),
    *(
        case(f"{f.__name__} 0-d", lambda x, f=f: f(x) * x, ())
        for f in (np.sum, np.mean, np.var, np.max, np.prod)
    ),
    *(case(f"{f.__name__} of nothing", lambda x, f=f: f(x), (0, 3)) for f in (np.sum, np.prod)),
    *(
        case(f"{f.__name__} empty rows", lambda x, f=f: f(x, axis=1), (0, 3))
        for f in (np.sum, np.mean, np.max, np.min, np.prod, np.ptp)
    ),
    case("amax amin", lambda x: np.amax(x, 0) * np.amin(x, 0), (3, 4)),
    case("sum empty axis", lambda x: np.sum(x, axis=0), (0, 3)),
    case("prod empty axis", lambda x: np.prod(x, axis=0, keepdims=True), (0, 3)),
    case("sum of array", lambda x, y: np.sum(anp.array([x, y]), axis=0), (3,), (3,)),
    case("var ddof", lambda x: np.var(x, axis=0, ddof=1), (4, 3)),
    case("var correction", lambda x: np.var(x, correction=1), (4, 3)),
    case("std ddof", lambda x: np.std(x, ddof=1, keepdims=True), (4, 3)),
    case("sum float32", lambda x: np.sum(x, dtype=np.float64).astype(x.dtype), (3,)),
    case(
        "sum methods",
        lambda x: x.sum() + x.mean(0) * x.var(axis=0) - x.std(0) + x.max() + x.min(0) + x.prod(0),
        (3, 4),
    ),
    case("add.reduce", lambda x: np.add.reduce(x), (3, 4)),
    case("add.reduce None", lambda x: np.add.reduce(x, axis=None), (3, 4)),
    case("add.reduce axes", lambda x: np.add.reduce(x, axis=(0, 1), keepdims=True), (3, 4)),
    case("multiply.reduce", lambda x: np.multiply.reduce(x, axis=1), (3, 4)),
    case("maximum.reduce", lambda x: np.maximum.reduce(x), (3, 4)),
    case("minimum.reduce", lambda x: np.minimum.reduce(x, axis=-1), (3, 4)),
    case("add.accumulate", lambda x: np.add.accumulate(x), (3, 4)),
    case("multiply.accumulate", lambda x: np.multiply.accumulate(x, axis=1), (3, 4)),
    case("logaddexp.reduce", lambda x: np.logaddexp.reduce(x), (3, 4)),
    case("logaddexp.reduce keepdims", lambda x: np.logaddexp.reduce(x, axis=1, keepdims=True), (3, 4)),
    case("cumsum", lambda x: np.cumsum(x), (3, 4)),
    case("cumsum axis", lambda x: np.cumsum(x, axis=-1) * x.cumsum(0), (3, 4)),
    case("cumsum 0-d", lambda x: np.cumsum(x), ()),
    case("cumsum empty", lambda x: np.cumsum(x, axis=0), (0, 2)),
    case("cumprod", lambda x: np.cumprod(x), (3, 4)),
    case("cumprod axis", lambda x: np.cumprod(x, axis=1), (2, 7)),
    case("cumprod zeros", lambda x: np.cumprod(x), np.array([2.0, 0.0, 3.0, 0.0, 1.5])),
    case("cumprod method", lambda x: x.cumprod(0), (5,)),
    case("prod one zero", lambda x: np.prod(x), np.array([2.0, 0.0, 3.0, 1.5])),
    case("prod two zeros", lambda x: np.prod(x), np.array([2.0, 0.0, 3.0, 0.0])),
    case("prod three zeros", lambda x: np.prod(x, axis=1), np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 2.0]])),
    case("average", lambda x: np.average(x, axis=1), (3, 4)),
    case("average weights", lambda x, w: np.average(x, weights=w), (3, 4), positive(3, 4)),
    case("average axis", lambda x, w: np.average(x, axis=0, weights=w), (3, 4), positive(3)),
    case(
        "average returned",
        lambda x, w: np.average(x, axis=-1, weights=w, returned=True, keepdims=True),
        (3, 4),
        positive(4),
    ),
    case("average axes", lambda x, w: np.average(x, axis=(0, 2), weights=w), (2, 3, 4), positive(2, 4)),
    case("average plain weights", lambda x: np.average(x, axis=0, weights=[1, 2, 3]), (3, 4)),
    case("average no weights", lambda x: np.average(x, axis=0, returned=True)[0], (3, 4)),
    case("sort", lambda x: np.sort(x), (3, 4)),
    case("sort axis", lambda x: np.sort(x, axis=0), (3, 4)),
    case("sort None", lambda x: np.sort(x, axis=None), (3, 4)),
    case("sort stable", lambda x: np.sort(x, stable=True), (3, 4)),
    case("sort empty", lambda x: np.sort(x), (3, 0)),
    case("norm", lambda x: np.linalg.norm(x), (3, 4)),
    case("norm 3-d", lambda x: np.linalg.norm(x, keepdims=True), (2, 3, 4)),
    *(
        case(f"norm vector {p}", lambda x, p=p: np.linalg.norm(x, p), (5,))
        for p in (None, 1, 2, 3, 2.5, -1, np.inf, -np.inf)
    ),
    case("norm vector 0", lambda x: np.linalg.norm(x, 0) * x, (5,)),
    *(
        case(f"norm axis {p}", lambda x, p=p: np.linalg.norm(x, p, axis=0, keepdims=True), (3, 4))
        for p in (None, 1, 3, np.inf)
    ),
    *(
        case(f"norm matrix {p}", lambda x, p=p: np.linalg.norm(x, p), (3, 4))
        for p in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
    ),
    *(
        case(f"norm axes {p}", lambda x, p=p: np.linalg.norm(x, p, axis=(2, 0)), (3, 2, 4))
        for p in (None, "fro", "nuc", 1, 2, np.inf)
    ),
    case("norm axes keepdims", lambda x: np.linalg.norm(x, "nuc", axis=(-1, 0), keepdims=True), (3, 2, 4)),
    case("norm axes 1 keepdims", lambda x: np.linalg.norm(x, 1, axis=(-1, 0), keepdims=True), (3, 2, 4)),
    case("vector_norm", lambda x: np.linalg.vector_norm(x), (3, 4)),
    case(
        "vector_norm axes", lambda x: np.linalg.vector_norm(x, axis=(0, 2), ord=3, keepdims=True), (2, 3, 4)
    ),
    case("matrix_norm", lambda x: np.linalg.matrix_norm(x, ord="nuc"), (2, 3, 4)),
    case("logsumexp", lambda x: rd.logsumexp(x, axis=(0, 1)), (3, 4)),
    case("logsumexp axis", lambda x: rd.logsumexp(x, axis=(1,), keepdims=True), (2, 3, 4)),
    case("logsumexp huge", lambda x: rd.logsumexp(x, axis=(0,)), np.array([800.0, 801.0, -900.0])),
    case("segment_sum", lambda x: sg.segment_sum(x, OFFSETS), (6, 2)),
    case("segment_max", lambda x: sg.segment_max(x, OFFSETS[[0, 1, 3, 4]]), (6, 2)),
    case("segment_logsumexp", lambda x: sg.segment_logsumexp(x, OFFSETS[[0, 1, 3, 4]]), (6, 2)),
    case(
        "segment_logsumexp vector",
        lambda x: sg.segment_logsumexp(800 * x, OFFSETS[[0, 1, 3, 4]]),
        positive(6),
    ),
    case("segment nothing", lambda x: sg.segment_sum(x, np.array([0])), (0, 2)),
]

PRODUCTS: list[Case] = [
    *(
        case(f"matmul {a} @ {b}", lambda x, y: x @ y, a, b)
        for a in ((4,), (3, 4), (5, 3, 4), (2, 1, 3, 4), (1, 3, 4))
        for b in ((4,), (4, 2), (5, 4, 2), (2, 5, 4, 2), (1, 4, 1))
    ),
    case("matmul function", lambda x, y: np.matmul(x, y), (3, 4), (4, 2)),
    case("matmul empty", lambda x, y: x @ y, (3, 0), (0, 2)),
    case("matmul no rows", lambda x, y: x @ y, (0, 3), (3, 2)),
    case("matmul reflected", lambda x: np.ones((2, 3)) @ x, (3, 2)),
    *(
        case(f"dot {a} {b}", lambda x, y: np.dot(x, y), a, b)
        for a, b in (
            ((), (3,)),
            ((3,), ()),
            ((4,), (4,)),
            ((3, 4), (4,)),
            ((3, 4), (4, 2)),
            ((2, 3, 4), (4,)),
            ((2, 3, 4), (5, 4, 2)),
            ((4,), (5, 4, 2)),
            ((2, 3, 4), (4, 2)),
        )
    ),
    case("dot list", lambda x: np.dot([1.0, 2.0, 3.0], x) + np.dot(x, [1, 2, 3]), (3,)),
    case("dot method", lambda x: x.dot(x.T), (3, 4)),
    case("vdot", lambda x, y: np.vdot(x, y), (2, 3), (2, 3)),
    case("inner", lambda x, y: np.inner(x, y), (2, 3), (4, 3)),
    case("inner vectors", lambda x, y: np.inner(x, y), (3,), (3,)),
    case("inner 0-d", lambda x, y: np.inner(x, y), (), (3,)),
    case("outer", lambda x, y: np.outer(x, y), (2, 2), (3,)),
    case("linalg.outer", lambda x, y: np.linalg.outer(x, y), (2,), (3,)),
    case("vecdot", lambda x, y: np.vecdot(x, y), (2, 3), (3,)),
    case("vecdot axis", lambda x, y: np.linalg.vecdot(x, y, axis=0), (2, 3), (2, 3)),
    case("matvec", lambda x, y: np.matvec(x, y), (2, 3, 4), (4,)),
    case("vecmat", lambda x, y: np.vecmat(x, y), (2, 3), (3, 4)),
    case("tensordot", lambda x, y: np.tensordot(x, y), (2, 3, 4), (3, 4, 2)),
    case("tensordot 1", lambda x, y: np.tensordot(x, y, 1), (2, 3), (3, 4)),
    case("tensordot 0", lambda x, y: np.tensordot(x, y, axes=0), (2,), (3,)),
    case("tensordot axes", lambda x, y: np.tensordot(x, y, axes=([0, -1], [1, 0])), (2, 3, 4), (4, 2, 5)),
    case("tensordot one axis", lambda x, y: np.tensordot(x, y, axes=(1, 0)), (2, 3), (3, 4)),
    case("linalg.tensordot", lambda x, y: np.linalg.tensordot(x, y, axes=1), (2, 3), (3, 4)),
    case("linalg.matmul", lambda x, y: np.linalg.matmul(x, y), (2, 3), (3, 4)),
    case("linalg.vecdot", lambda x, y: np.linalg.vecdot(x, y), (2, 3), (2, 3)),
    case("kron", lambda x, y: np.kron(x, y), (2, 3), (3, 2)),
    case("kron ragged", lambda x, y: np.kron(x, y), (2,), (3, 2)),
    case("kron 0-d", lambda x, y: np.kron(x, y), (), (3,)),
    *(
        case(f"einsum {subscripts} {shapes}", lambda *xs, s=subscripts: np.einsum(s, *xs), *shapes)
        for subscripts, *shapes in (
            ("ij,jk->ik", (2, 3), (3, 4)),
            ("ij,jk", (2, 3), (3, 4)),
            ("ba", (2, 3)),
            ("ij->ji", (2, 3)),
            ("ij->", (2, 3)),
            ("ij->j", (2, 3)),
            ("ii->i", (3, 3)),
            ("ii", (3, 3)),
            ("iij->ij", (3, 3, 2)),
            ("iji->j", (3, 2, 3)),
            ("ii,i->", (3, 3), (3,)),
            ("ij,kl->il", (2, 3), (4, 2)),
            ("ij,j->i", (2, 3), (3,)),
            ("i,i->", (3,), (3,)),
            ("i,j->ij", (2,), (3,)),
            ("i,j", (2,), (3,)),
            ("bij,bjk->bik", (2, 3, 4), (2, 4, 2)),
            ("...ij,...jk->...ik", (5, 2, 3), (3, 4)),
            ("...ij,...jk", (2, 1, 2, 3), (5, 3, 4)),
            ("i...->...", (2, 3)),
            ("...i,...i", (4, 3), (3,)),
            ("...", (2, 3)),
            ("...i->i...", (2, 3, 4)),
            ("i...,j...->ij...", (2, 3), (4, 1)),
            ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
            ("i,j,k->", (2,), (3,), (4,)),
            ("ij,ij,j->i", (2, 3), (2, 3), (3,)),
            ("ij,jk->ik", (2, 1), (3, 4)),
            ("ij,ij->ij", (1, 3), (2, 3)),
            ("ij,ij->i", (2, 1), (2, 3)),
            ("...i,...i->...i", (1, 3), (4, 1)),
            ("iij,,jki->i", (3, 3, 1), (), (1, 2, 3)),
            ("ij,jk->j", (1, 3), (1, 2)),
            ("ijk,ij->i", (2, 1, 3), (2, 4)),
            (",i->i", (), (3,)),
            ("ij,->ij", (2, 3), ()),
            ("->", ()),
            (" i j , j k -> i k ", (2, 3), (3, 4)),
            ("iI,Ij->ij", (2, 3), (3, 4)),
            ("ij,jk->ik", (2, 0), (0, 4)),
            ("ij->i", (0, 3)),
            ("ab,bc,cd,de->ae", (2, 3), (3, 2), (2, 3), (3, 2)),
        )
    ),
    case("einsum lists", lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [0, 2]), (2, 3), (3, 4)),
    case("einsum lists implicit", lambda x, y: np.einsum(x, [0, 1], y, [1, 2]), (2, 3), (3, 4)),
    case("einsum lists ellipsis", lambda x: np.einsum(x, [..., 0], [0, ...]), (2, 3, 4)),
    case(
        "einsum optimize",
        lambda x, y: np.einsum("ij,jk,k->i", x, y, np.ones(4), optimize=True),
        (2, 3),
        (3, 4),
    ),
    case("einsum same twice", lambda x: np.einsum("ij,ij->", x, x), (2, 3)),
    case("cross", lambda x, y: np.cross(x, y), (2, 3), (2, 3)),
    case("cross spread", lambda x, y: np.cross(x, y), (2, 3), (3,)),
    case("cross axes", lambda x, y: np.cross(x, y, axisa=0, axisb=1, axisc=0), (3, 2), (2, 3)),
    case("cross axis", lambda x, y: np.cross(x, y, axis=0), (3, 2), (3, 2)),
    case("linalg.cross", lambda x, y: np.linalg.cross(x, y), (2, 3), (2, 3)),
]

LINALG: list[Case] = [
    *(
        case(f"solve {a} {b}", lambda x, y: np.linalg.solve(x, y), invertible(*a), b)
        for a, b in (
            ((3, 3), (3,)),
            ((3, 3), (3, 2)),
            ((2, 3, 3), (3,)),
            ((2, 3, 3), (2, 3, 1)),
            ((2, 3, 3), (3, 2)),
            ((3, 3), (2, 3, 2)),
            ((2, 1, 3, 3), (4, 3, 2)),
            ((0, 0), (0,)),
            ((0, 3, 3), (3, 2)),
        )
    ),
    case("solve symmetric part", lambda x: np.linalg.solve(x + x.T, np.ones(3)), invertible(3, 3)),
    *(
        case(f"inv {s}", lambda x: np.linalg.inv(x), invertible(*s))
        for s in ((3, 3), (2, 3, 3), (1, 1), (0, 3, 3))
    ),
    *(
        case(f"det {s}", lambda x: np.linalg.det(x), invertible(*s))
        for s in ((3, 3), (2, 3, 3), (1, 1), (0, 0), (0, 2, 2))
    ),
    case("det negative", lambda x: np.linalg.det(x), np.array([[1.0, 2.0], [3.0, 1.0]])),
    case("det rank n−1", lambda x: np.linalg.det(x), np.array([[1.0, 2, 3], [4, 5, 6], [5, 7, 9]])),
    case("det rank n−2", lambda x: np.linalg.det(x), np.outer([1.0, 2, 3], [1.0, -1, 2])),
    case("det zero 3", lambda x: np.linalg.det(x), np.zeros((3, 3))),
    case("det zero 2", lambda x: np.linalg.det(x), np.zeros((2, 2))),
    case(
        "det mixed", lambda x: np.linalg.det(x), np.stack([np.eye(3), np.ones((3, 3)), np.diag([0.0, 1, 2])])
    ),
    *(
        case(f"slogdet {s}", lambda x: np.linalg.slogdet(x)[1], invertible(*s))
        for s in ((3, 3), (2, 3, 3), (0, 2, 2))
    ),
    case("slogdet both", lambda x: np.linalg.slogdet(x), np.array([[1.0, 2.0], [3.0, 1.0]])),
    case("slogdet attribute", lambda x: np.linalg.slogdet(x).logabsdet, invertible(3, 3)),
    *(
        case(f"cholesky {s}", lambda x: np.linalg.cholesky(x), definite(*s))
        for s in ((3, 3), (2, 3, 3), (1, 1), (0, 0))
    ),
    case("cholesky upper", lambda x: np.linalg.cholesky(x, upper=True), definite(3, 3)),
    case("eigvalsh", lambda x: np.linalg.eigvalsh(x), definite(4, 4)),
    case("eigvalsh U", lambda x: np.linalg.eigvalsh(x, "U"), definite(2, 3, 3)),
    case("eigvalsh unsymmetric", lambda x: np.linalg.eigvalsh(x), (3, 3)),
    case("eigh", lambda x: np.linalg.eigh(x), definite(3, 3)),
    case("eigh stack", lambda x: np.linalg.eigh(x, "U"), definite(2, 3, 3)),
    case("eigh attribute", lambda x: np.linalg.eigh(x).eigenvalues, definite(3, 3)),
    case("svdvals", lambda x: np.linalg.svdvals(x), (2, 3, 4)),
    case("svd values", lambda x: np.linalg.svd(x, compute_uv=False), (4, 3)),
    *(
        case(f"svd {s}", lambda x: np.linalg.svd(x, full_matrices=False), s)
        for s in ((3, 3), (4, 3), (3, 4), (2, 4, 2), (2, 2, 3), (1, 3))
    ),
    case("svd square", lambda x: np.linalg.svd(x), (3, 3)),
    case("svd attribute", lambda x: np.linalg.svd(x, full_matrices=False).S, (2, 3)),
    *(
        case(f"qr {s}", lambda x: np.linalg.qr(x), s)
        for s in ((3, 3), (4, 3), (3, 5), (2, 4, 2), (2, 2, 4), (3, 1))
    ),
    case("qr r", lambda x: np.linalg.qr(x, mode="r"), (4, 3)),
    case("qr attribute", lambda x: np.linalg.qr(x).R, (4, 3)),
    *(
        case(f"matrix_power {n}", lambda x, n=n: np.linalg.matrix_power(x, n), invertible(3, 3))
        for n in (-3, -1, 0, 1, 2, 3, 5)
    ),
    case("matrix_power stack", lambda x: np.linalg.matrix_power(x, 3), (2, 3, 3)),
    case("multi_dot", lambda x, y, z: np.linalg.multi_dot([x, y, z]), (2, 3), (3, 4), (4, 2)),
    case("multi_dot vectors", lambda x, y, z: np.linalg.multi_dot([x, y, z]), (3,), (3, 4), (4,)),
    case("linalg.trace", lambda x: np.linalg.trace(x), (2, 3, 3)),
    case("linalg.diagonal", lambda x: np.linalg.diagonal(x, offset=1), (2, 3, 3)),
    *(
        case(
            f"solve_triangular {lower} {transposed} {unit}",
            lambda a, b, lower=lower, transposed=transposed, unit=unit: la.solve_triangular(
                a, b, lower=lower, transposed=transposed, unit=unit
            ),
            invertible(3, 3),
            (3, 2),
        )
        for lower in (True, False)
        for transposed in (True, False)
        for unit in (True, False)
    ),
    case(
        "solve_triangular stack",
        lambda a, b: la.solve_triangular(a, b, lower=True, transposed=False, unit=False),
        invertible(2, 3, 3),
        (3, 2),
    ),
    case(
        "solve_triangular stack b",
        lambda a, b: la.solve_triangular(a, b, lower=True, transposed=True, unit=False),
        invertible(3, 3),
        (2, 3, 2),
    ),
    case("triangle", lambda x: la.triangle(x, lower=False, offset=1), (2, 3, 3)),
    case("mirror", lambda x: la.mirror(x, lower=False), (2, 3, 3)),
]

CASES = SHAPING + INDEXING + REDUCTIONS + PRODUCTS + LINALG + FOURIER + STATISTICS + SIGNALS + CHOOSING
assert len({c.name for c in CASES}) == len(CASES)
