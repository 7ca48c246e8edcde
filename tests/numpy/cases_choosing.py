"""Rows of the table: choice by condition, by order, by position; grids and slices."""

from __future__ import annotations

import numpy as np

import adjoint.numpy as anp

from .harness import Case, case

MASK = np.array([[True, False, True], [False, False, True]])


def pieces(x, **options):
    return np.piecewise(x, [x < -0.5, x > 0.5], [lambda v: v**2, np.exp, 3.0], **options)


CHOOSING: list[Case] = [
    case("select", lambda x, y: np.select([MASK, x > 0], [x * y, y]), (2, 3), (2, 3)),
    case("select default", lambda x, d: anp.select([MASK, x < 0], [x, 2.0], default=d), (2, 3), ()),
    case("select broadcast", lambda x, y: np.select([MASK, MASK[0]], [x, y], -1), (2, 1), (3,)),
    case("piecewise", lambda x: pieces(x), (4, 3)),
    case("piecewise covered", lambda x: np.piecewise(x, [x < 0, x >= 0], [np.negative, np.sin]), (5,)),
    case("piecewise last", lambda x: np.piecewise(x, [x > -9, x > 0], [np.negative, np.sin]), (5,)),
    case("piecewise one", lambda x: np.piecewise(x, x > 0, [np.sin, 0]), (5,)),
    case("piecewise numbers", lambda x: np.piecewise(x, [x > 0], [-1, 1]) * x, (5,)),
    case("piecewise list", lambda x: np.piecewise(x, [[True, False], [False, True]], [np.sin, np.cos]), (2,)),
    case(
        "piecewise arguments",
        lambda x, a: anp.piecewise(x, [x > 0], [lambda v, k, b: v * k * b, lambda v, k, b: v + b], 3.0, b=a),
        (5,),
        (),
    ),
    case("piecewise roots", lambda x: np.piecewise(x, [x > 0], [np.sqrt, lambda v: -np.sqrt(-v)]), (5,)),
    case("piecewise 0-d", lambda x: np.piecewise(x, [x > 0, x <= 0], [np.exp, np.sin]) * x, ()),
    case("piecewise empty", lambda x: pieces(x), (0, 2)),
    case("nan_to_num", lambda x: np.nan_to_num(np.where(MASK, np.nan, x)), (2, 3)),
    case(
        "nan_to_num values",
        lambda x: np.nan_to_num(np.append(x, [np.nan, np.inf, -np.inf]), nan=1.5, posinf=7, neginf=-8.0),
        (3,),
    ),
    case(
        "nan_to_num limits",
        lambda x: np.sqrt(np.abs(np.nan_to_num(np.append(x * x, [np.inf, -np.inf])))),
        (2,),
    ),
    case("real_if_close", lambda x: np.real_if_close(x) * x, (3,)),
    case("partition", lambda x: np.partition(x, 2), (3, 5)),
    case("partition axis", lambda x: np.partition(x, 1, axis=0), (3, 5)),
    case("partition several", lambda x: np.partition(x, (1, 3), axis=-1), (2, 5)),
    case("partition None", lambda x: np.partition(x, -2, axis=None), (3, 2)),
    case("argpartition", lambda x: x[np.argpartition(x, 2)] * x[x.argpartition(1, 0)], (5,)),
    case("meshgrid", lambda x, y: np.meshgrid(x, y), (3,), (2,)),
    case("meshgrid three", lambda x, y: np.meshgrid(x, y, [1.0, 2.0]), (3,), (2,)),
    case("meshgrid ij", lambda x, y: np.meshgrid(x, y, x, indexing="ij"), (3,), (2,)),
    case("meshgrid sparse", lambda x, y: np.meshgrid(x, y, sparse=True), (3,), ()),
    case("meshgrid one", lambda x: np.meshgrid(x, copy=False), (3,)),
    case("ix_", lambda x, y: np.ix_(x, y, [1.0, 2.0]), (3,), (2,)),
    case("resize", lambda x: np.resize(x, (3, 5)), (2, 3)),
    case("resize smaller", lambda x: np.resize(x, 4), (2, 3)),
    case("resize nothing", lambda x: np.resize(x, (0, 3)), (2, 3)),
    case("apply_along_axis", lambda x: np.apply_along_axis(np.sum, 0, x), (3, 4)),
    case("apply_along_axis rows", lambda x: np.apply_along_axis(np.cumsum, -1, x), (2, 3, 4)),
    case("apply_along_axis middle", lambda x: np.apply_along_axis(np.outer, 1, x, [1.0, 2.0]), (2, 3, 2)),
    case("apply_along_axis nothing", lambda x: np.apply_along_axis(np.sum, -1, x), (2, 0)),
    case("apply_along_axis vector", lambda x: np.apply_along_axis(lambda v, k=1: k * v @ v, 0, x, k=2), (3,)),
]
