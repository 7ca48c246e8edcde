"""Rows of the table: medians, quantiles, covariances, reductions without NaN."""

from __future__ import annotations

import numpy as np

import adjoint.numpy as anp
from adjoint.numpy.statistics import METHODS

from .harness import Case, case, positive

NAN = np.nan
CHOSEN = np.array([[True, False, True, True], [True, True, False, True], [False, True, True, True]])
Q = np.array([[0.1, 0.25], [0.5, 1.0]])


def holed(*shape):
    """NaN at every third place, 0 elsewhere."""
    return np.where(np.arange(np.prod(shape)).reshape(shape) % 3 == 1, NAN, 0.0)


HOLES = holed(4, 5)
ROW_OF_HOLES = np.where(np.arange(4)[:, None] == 2, NAN, HOLES)
OF_NAN = (
    np.nansum, np.nanprod, np.nanmax, np.nanmin, np.nanmean, np.nanvar, np.nanstd,
)  # fmt: skip


def with_holes(x, holes=HOLES):
    """x with NaN where the mask has it; what is under a hole is of no influence."""
    return np.where(np.isnan(holes), np.asarray(NAN, x.dtype), x)


STATISTICS: list[Case] = [
    *(
        case(f"median {label}", lambda x, options=options: np.median(x, **options), (3, 4, 2))
        for label, options in {
            "all": {},
            "axis": {"axis": 0},
            "negative": {"axis": -2, "keepdims": True},
            "axes": {"axis": (0, -1)},
            "overwrite": {"axis": 1, "overwrite_input": True},
        }.items()
    ),
    *(
        case(f"{f.__name__} axis of 0-d", lambda x, f=f: f(x, axis=0) * f(x, axis=-1), ())
        for f in (np.sum, np.max, np.min, np.prod, np.ptp, np.nansum, np.nanmax, np.cumsum)
    ),
    case("median 0-d", lambda x: np.median(x) * x, ()),
    case("median empty rows", lambda x: np.median(x, axis=1), (0, 3)),
    *(case(f"quantile {m}", lambda x, m=m: np.quantile(x, Q, axis=0, method=m), (5, 2)) for m in METHODS),
    case("quantile scalar", lambda x: np.quantile(x, 0.3), (3, 4)),
    case("quantile 0-d", lambda x: np.quantile(x, 0.3), ()),
    case("quantile axes", lambda x: np.quantile(x, [0.3, 0.9], axis=(-1, 0), keepdims=True), (3, 4, 2)),
    case("quantile keepdims", lambda x: np.quantile(x, 0.7, keepdims=True), (3, 4)),
    case("quantile in q", lambda x, q: np.quantile(x, q / 2.5, axis=1), (2, 6), positive(3)),
    case("quantile in q only", lambda q: np.quantile([1.0, 5.0, 2.0, 2.5], q / 2.5), positive(2, 2)),
    case("quantile hazen in q", lambda x, q: np.quantile(x, q / 3, method="hazen"), (6,), positive()),
    case(
        "quantile weights",
        lambda x: np.quantile(x, Q, axis=0, method="inverted_cdf", weights=[2, 1, 0.5, 3, 1]),
        (5, 2),
    ),
    case(
        "quantile weights of all",
        lambda x, w: np.quantile(x, 0.5, method="inverted_cdf", weights=w),
        (3, 2),
        positive(3, 2),
    ),
    case("percentile", lambda x: np.percentile(x, [5, 50, 77.5], axis=-1), (3, 5)),
    case("percentile nearest", lambda x: np.percentile(x, 30, method="nearest"), (3, 5)),
    case(
        "percentile weights",
        lambda x: np.percentile(x, 40, axis=1, method="inverted_cdf", weights=[1, 2, 3, 4, 5], keepdims=True),
        (2, 5),
    ),
    case("cov", lambda x: np.cov(x), (3, 5)),
    case("cov vector", lambda x: np.cov(x), (5,)),
    case("cov two", lambda x, y: np.cov(x, y), (2, 5), (5,)),
    case("cov columns", lambda x, y: np.cov(x, y, rowvar=False), (5, 2), (5, 3)),
    case("cov bias", lambda x: np.cov(x, bias=True), (2, 5)),
    case("cov ddof", lambda x: np.cov(x, ddof=2), (2, 5)),
    case("cov dtype", lambda x: np.cov(x, dtype=x.dtype), (2, 5)),
    case("cov fweights", lambda x: np.cov(x, fweights=[1, 2, 1, 3, 1]), (2, 5)),
    case("cov aweights", lambda x, w: np.cov(x, aweights=w), (2, 5), positive(5)),
    case(
        "cov weights",
        lambda x, w: np.cov(x, aweights=w, fweights=np.array([1, 2, 1, 3, 1]), ddof=1),
        (2, 5),
        positive(5),
    ),
    case("cov weights ddof 0", lambda x, w: np.cov(x, aweights=w, ddof=0), (2, 5), positive(5)),
    case("corrcoef", lambda x: np.corrcoef(x), (3, 5)),
    case("corrcoef columns", lambda x, y: np.corrcoef(x, y, rowvar=False), (5, 2), (5, 1)),
    case("corrcoef vector", lambda x: np.corrcoef(x) * x[0], (5,)),
    *(
        case(f"{f.__name__} {label}", lambda x, f=f, options=options: f(with_holes(x), **options), (4, 5))
        for f in OF_NAN
        for label, options in {
            "all": {},
            "axis": {"axis": 1},
            "negative": {"axis": -2, "keepdims": True},
            "axes": {"axis": (0, -1)},
            "keepdims": {"keepdims": True},
        }.items()
    ),
    *(case(f"{f.__name__} no holes", lambda x, f=f: f(x, 0), (4, 3)) for f in OF_NAN),
    *(
        case(f"{f.__name__} {o}", lambda x, f=f, o=o: f(with_holes(x), 1, **{o: 1}), (4, 5))
        for f in (np.nanvar, np.nanstd)
        for o in ("ddof", "correction")
    ),
    *(
        case(f"{f.__name__} row of NaN", lambda x, f=f: f(with_holes(x, ROW_OF_HOLES), 1), (4, 5))
        for f in (np.nansum, np.nanprod)
    ),
    *(
        case(f"nanmedian {label}", lambda x, o=o: np.nanmedian(with_holes(x), **o), (4, 5))
        for label, o in {"all": {}, "axis": {"axis": 1}, "axes": {"axis": (0, 1), "keepdims": True}}.items()
    ),
    case("nanmedian row of NaN", lambda x: np.nanmedian(x, -1) + np.nanmedian(x[:, :3]), (2, 4)),
    *(
        case(f"nanquantile {m}", lambda x, m=m: np.nanquantile(with_holes(x), Q, axis=1, method=m), (4, 5))
        for m in METHODS
    ),
    case("nanquantile scalar", lambda x: np.nanquantile(with_holes(x), 0.3), (4, 5)),
    case("nanquantile axes", lambda x: np.nanquantile(x, [0.3, 0.9], axis=(-1, 0), keepdims=True), (3, 4, 2)),
    case("nanquantile in q", lambda x, q: anp.nanquantile(with_holes(x), q / 2.5, 0), (4, 5), positive(3)),
    case("nanquantile empty", lambda x: np.nanquantile(x, 0.3, axis=1), (0, 3)),
    case("nanpercentile", lambda x: np.nanpercentile(with_holes(x), [5, 50, 77.5], axis=-1), (4, 5)),
    case("nansum dtype", lambda x: np.nansum(with_holes(x), dtype=np.float64).astype(x.dtype), (4, 5)),
    *(
        case(f"{f.__name__} where {k}", lambda x, f=f, o=o: f(x, where=CHOSEN, **o), (3, 4))
        for f in (np.sum, np.prod, np.mean, np.var, np.std, np.nansum, np.nanmean, np.nanvar, np.nanstd)
        for k, o in enumerate(({}, {"axis": 1}, {"axis": -1, "keepdims": True}))
    ),
    *(
        case(f"{f.__name__} initial {k}", lambda x, f=f, o=o: f(x, initial=0.3, **o), (3, 4))
        for f in (np.sum, np.prod, np.max, np.min, np.nansum, np.nanprod, np.nanmax, np.nanmin)
        for k, o in enumerate(({}, {"axis": 0}, {"axis": -1, "keepdims": True, "where": CHOSEN}))
    ),
    case("sum initial recorded", lambda x, y: anp.sum(x, axis=0, initial=y), (3, 4), ()),
    case("max initial recorded", lambda x, y: anp.max(x, axis=0, initial=y), (3, 4), ()),
    case("max initial of nothing", lambda x: np.max(x, axis=0, initial=-3.0), (0, 2)),
    case("mean where row", lambda x: np.mean(x, axis=0, where=[[True], [False], [True]]), (3, 4)),
    case("var of a mean", lambda x, m: anp.var(x, axis=0, mean=m, ddof=1), (3, 4), (1, 4)),
    case("std of a mean", lambda x: np.std(x, axis=0, mean=np.mean(x, axis=0, keepdims=True)), (3, 4)),
    case("nanvar of a mean", lambda x, m: anp.nanvar(with_holes(x), axis=1, mean=m), (4, 5), (4, 1)),
    case("nancumsum", lambda x: np.nancumsum(with_holes(x)), (4, 5)),
    case("nancumsum axis", lambda x: np.nancumsum(with_holes(x), axis=0), (4, 5)),
    case("nancumprod", lambda x: np.nancumprod(with_holes(x), axis=-1), (4, 5)),
]
