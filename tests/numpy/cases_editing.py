"""Rows of the table: parts taken out and put in, blocks, running sums, evenly spaced numbers, polynomials."""

from __future__ import annotations

import numpy as np

import adjoint.numpy as anp

from .harness import Case, case, invertible, positive

ODD = np.array([True, False, True, False])
NUMBERS = np.array([[0, 2, 1], [1, 0, 2]])
JUMPS = np.array([0.1, 2.9, -3.0, 0.5, 4.1, 7.9, -5.0])
STEPS = np.array([0.0, 0.7, 1.1, 2.0, 2.6])

EDITING: list[Case] = [
    case("compress", lambda x: np.compress(ODD, x, axis=0), (4, 2)),
    case("compress short", lambda x: np.compress([False, True], x, -1), (2, 3)),
    case("compress flat", lambda x: np.compress([False, True, True], x), (2, 3)),
    case("extract", lambda x: np.extract(x > 0, x) * 2.0, (2, 5)),
    case("choose", lambda x, y: np.choose(NUMBERS, [x, y, 2.0]), (2, 3), (3,)),
    case("choose lists", lambda x, y: anp.choose([0, 1, 0], [x, y]), (3,), ()),
    case("choose wrap", lambda x: np.choose(NUMBERS - 5, [x, -x], mode="wrap"), (2, 3)),
    case("choose clip", lambda x: np.choose(3 * NUMBERS - 2, [x, -x], mode="clip"), (2, 3)),
    case("delete", lambda x: np.delete(x, 1, axis=0), (3, 2)),
    case("delete several", lambda x: np.delete(x, [0, -1, 0], -1), (2, 4)),
    case("delete mask", lambda x: np.delete(x, ODD, 1), (2, 4)),
    case("delete slice", lambda x: np.delete(x, slice(1, None, 2)), (2, 3)),
    case("insert", lambda x, v: np.insert(x, 1, v), (4,), ()),
    case("insert row", lambda x, v: np.insert(x, -1, v, axis=0), (3, 2), (2,)),
    case("insert column", lambda x, v: np.insert(x, 1, v, axis=1), (3, 2), (3,)),
    case("insert columns", lambda x, v: np.insert(x, [1], v, axis=1), (3, 2), (3, 1)),
    case("insert two at one", lambda x, v: np.insert(x, 2, v), (4,), (2,)),
    case("insert several", lambda x, v: np.insert(x, [0, 2, 2], v), (4,), (3,)),
    case("insert numbers", lambda x: np.insert(x, slice(0, 2), -1, axis=1), (2, 3)),
    case("insert mask", lambda x: np.insert(x, ODD, 7), (4,)),
    case("insert several rows", lambda x, v: np.insert(x, [1, 2], v, axis=0), (3, 2), (2, 1)),
    case("trim_zeros", lambda x: np.trim_zeros(x * [0, 0, 1, 0, 1, 0]), (6,)),
    case("trim_zeros front", lambda x: np.trim_zeros(x * [0, 0, 1, 0, 1, 0], "f"), (6,)),
    case("trim_zeros matrix", lambda x: np.trim_zeros(x * [[0, 0, 0], [0, 1, 1]], axis=None), (2, 3)),
    case("trim_zeros axis", lambda x: np.trim_zeros(x * [[0, 0, 0], [0, 1, 1]], "b", axis=-1), (2, 3)),
    case("trim_zeros all", lambda x: np.trim_zeros(x * 0), (3,)),
    case(
        "block",
        lambda x, y, a: np.block([[x, np.zeros((2, 1))], [y, a]]),
        (2, 2),
        (2,),
        (),
    ),
    case("block vector", lambda x, a: np.block([x, a, 3.0]), (3,), ()),
    case("block nested", lambda x: anp.block([[[x, x]], [[x * x, x]]]), (2, 3)),
    case("block one", lambda x: np.block(x) * x, (2,)),
    case("apply_over_axes", lambda x: np.apply_over_axes(np.sum, x, [0, -1]), (2, 3, 2)),
    case("apply_over_axes same", lambda x: anp.apply_over_axes(np.cumsum, x, 1), (2, 3)),
    case("cumulative_sum", lambda x: np.cumulative_sum(x), (4,)),
    case("cumulative_sum 0-d", lambda x: np.cumulative_sum(x, axis=-1, include_initial=True), ()),
    case("cumulative_sum initial", lambda x: np.cumulative_sum(x, axis=-1, include_initial=True), (2, 3)),
    case("cumulative_prod", lambda x: np.cumulative_prod(x, axis=0, include_initial=True), (3, 2)),
    case("cumulative_prod dtype", lambda x: np.cumulative_prod(x, dtype=np.float64).astype(x.dtype), (3,)),
    case("ediff1d", lambda x: np.ediff1d(x), (2, 3)),
    case("ediff1d ends", lambda x, a, b: np.ediff1d(x, to_begin=a, to_end=b), (4,), (), (2,)),
    case("unwrap", lambda x: np.unwrap(x + JUMPS.astype(x.dtype)), (7,)),
    case("unwrap axis", lambda x: np.unwrap(9 * x, axis=0), (4, 2)),
    case("unwrap discont", lambda x: np.unwrap(JUMPS.astype(x.dtype) + x / 9, discont=4.0), (7,)),
    case("unwrap period", lambda x: np.unwrap(9 * x, period=3.0), (5,)),
    case("logspace", lambda x, y: np.logspace(x, y, 5), (), ()),
    case("logspace base", lambda x, b: np.logspace(x, 1.0, 4, False, base=b), (), positive()),
    case("logspace bases", lambda x, b: np.logspace(x, 1.0, 4, base=b, axis=-1), (3,), positive(3)),
    case("geomspace", lambda x, y: np.geomspace(x, y, 5), positive(), positive()),
    case("geomspace below 0", lambda x, y: np.geomspace(-x, -y, 4, axis=-1), positive(2), positive(2)),
    case("geomspace open", lambda x: np.geomspace(x, x * 8, 3, endpoint=False), positive()),
    case("i0", lambda x: np.i0(x), (2, 3)),
    case("isposinf", lambda x: np.where(np.isposinf(x) | np.isneginf(-x), x, x * x), positive(4)),
    case("np.astype", lambda x: np.astype(x, np.float64).astype(x.dtype) * x, (4,)),
    case("ldexp", lambda x: np.ldexp(x, [1, -2, 0]), (3,)),
    case(
        "unravel_index",
        lambda x: x[np.unravel_index(np.argmax(x), x.shape)] * x[np.unravel_index([1, 5], (2, 3), "F")],
        (2, 3),
    ),
    *(
        case(f"{f.__name__} {n} {m}", lambda x, y, f=f: f(x, y), (n,), (m,))
        for f in (np.polyadd, np.polysub, np.polymul)
        for n, m in ((3, 3), (2, 4), (4, 1))
    ),
    case("polyadd number", lambda x: np.polyadd(x, 2.0), (3,)),
    case("polyder", lambda x: np.polyder(x), (4,)),
    case("polyder twice", lambda x: np.polyder(x, 2), (5,)),
    case("polyder beyond", lambda x: np.polyder(x, 3) * np.sum(x), (2,)),
    case("polyint", lambda x: np.polyint(x), (3,)),
    case("polyint constants", lambda x, k: anp.polyint(x, 2, k=k), (3,), (2,)),
    case("polyint constant", lambda x, k: anp.polyint(x, m=2, k=k), (3,), ()),
    case("poly", lambda x: np.poly(x), (4,)),
    case("poly none", lambda x: np.poly(x) * np.sum(x), (0,)),
    case("poly matrix", lambda x: np.poly(x), invertible(3, 3)),
    case("poly conjugates", lambda x: np.real(np.poly(np.append(x + 2j, x - 2j))), (2,)),
    case("polyfit", lambda x, y: np.polyfit(x, y, 2), np.linspace(-1, 2, 6), (6,)),
    case("polyfit several", lambda y: np.polyfit(np.arange(5.0).astype(y.dtype), y, 1), (5, 2)),
    case("polyfit weights", lambda y, w: np.polyfit(STEPS.astype(y.dtype), y, 1, w=w), (5,), positive(5)),
]
