"""Results of scipy.optimize.minimize in the one sign convention.

SciPy states inequalities as c(x) ≥ 0, here they are g = −c ≤ 0. What it returns of multipliers differs by
method: SLSQP those of L = f − λᵀc, equalities first, none of the bounds; trust-constr those of L = f + vᵀc,
where v < 0 pushes from below. Others return none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import AdjointError, ShapeError, describe, refusal
from ..problems.point import Block, Point
from ..transforms import jacobian
from .kkt import KKTReport, Stated, judge

Evaluate = Callable[[np.ndarray], tuple[float, float]]  # x → f and the largest violation
CONVERTED = "SciPy's c(x) ≥ 0 is g = −c ≤ 0 here"


class Part(NamedTuple):
    """One constraint: name, relation, value h or g (k,), its Jacobian (k, n), and its multipliers (k,).

    The multipliers are None where the result has none. `shape` is () for a scalar; `which` are the rows of
    the user's constraint that this part limits, of bounds the elements of x.
    """

    name: str
    relation: str
    value: np.ndarray
    rows: np.ndarray
    lam: np.ndarray | None
    shape: tuple[int, ...]
    which: np.ndarray
    of_x: bool = False  # bounds, as many as x has elements


def of_scipy(
    result: Any, f: Any, constraints: Any, bounds: Any, args: tuple[Any, ...], tolerance: float
) -> KKTReport:
    """The certificate of an OptimizeResult."""
    if not callable(f):
        raise TypeError(
            "a SciPy result holds no problem: certificate(result, f, constraints=…, bounds=…), got "
            f"{describe(f)}"
        )
    x = np.asarray(result.x, np.float64)
    notes: list[str] = []
    value, rows = _derivative(lambda v: f(v, *args), x, "f", notes)
    if value.size != 1:
        raise refusal(ShapeError, f"f must return one number, got shape {value.shape}")
    found = [_parts(c, k, x, notes) for k, c in enumerate(_as_list(constraints))]
    of_x = _bounds(bounds, x)
    if "v" in result:  # trust-constr: one for each constraint, that of the bounds last
        groups = [*found, of_x] if len(result.v) > len(found) else found
        *found, of_x = [*_split(groups, result.v), of_x][: len(found) + 1]
    elif "multipliers" in result:
        found = _slsqp(found, np.asarray(result.multipliers, np.float64))
    parts = [part for group in found for part in group]
    _refuse_same_names([*parts, *of_x])
    if any(c.relation in ("≥", "≤") for c in parts):
        notes.append(CONVERTED)
    known = "multipliers" in result and all(part.lam is not None for part in parts)
    if of_x and known:
        of_x = _from_stationarity(of_x, rows[0], parts)
        notes.append("SLSQP returns no multipliers of bounds: they are what is left of ∂L/∂x where x binds")
    source = f"scipy.optimize.minimize{_method(result)}"
    remark = "" if result.get("success", True) else str(result.get("message", ""))

    def evaluate(v: np.ndarray) -> tuple[float, float]:
        there = [part for k, c in enumerate(_as_list(constraints)) for part in _parts(c, k, v, [])]
        violated = [
            np.max(np.abs(p.value) if p.relation == "=" else p.value, initial=0.0)
            for p in (*there, *_bounds(bounds, v))
        ]
        return float(np.ravel(f(v, *args))[0]), float(max(violated, default=0.0))

    return judged(source, x, float(value[0]), rows[0], [*parts, *of_x], tolerance, notes, remark, evaluate)


def _method(result: Any) -> str:
    if "v" in result:
        return ", trust-constr"
    return ", SLSQP" if "multipliers" in result else ""


def judged(
    source: str, x: np.ndarray, f: float, gradient: np.ndarray, parts: Sequence[Part], tolerance: float,
    notes: list[str], remark: str, evaluate: Evaluate | None = None,
) -> KKTReport:  # fmt: skip
    """Stack the constraints and judge."""
    blocks, stacks = [], {True: [np.zeros((0, 1 + len(x)))], False: [np.zeros((0, 1 + len(x)))]}
    lams: dict[bool, list[np.ndarray]] = {True: [np.zeros(0)], False: [np.zeros(0)]}
    start = {True: 0, False: 0}
    known = True
    for part in parts:
        equal = part.relation == "="
        blocks.append(Block(part.name, part.relation, part.shape, start[equal]))
        start[equal] += len(part.value)
        stacks[equal].append(np.column_stack([part.value, part.rows]))
        known = known and part.lam is not None
        lams[equal].append(np.zeros(len(part.value)) if part.lam is None else part.lam)
    h, g = np.concatenate(stacks[True]), np.concatenate(stacks[False])
    point = Point(x, f, gradient, h[:, 0], h[:, 1:], g[:, 0], g[:, 1:])
    nu, mu = (np.concatenate(lams[equal]) if known else None for equal in (True, False))
    positions = {part.name: part.which for part in parts if part.of_x}
    return judge(Stated(source, point, blocks, nu, mu, tolerance, notes, remark, positions, evaluate))


# ---------------------------------------------------------------------------------------- derivatives
def _derivative(
    function: Callable[[np.ndarray], Any], x: np.ndarray, what: str, notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Value (k,) and Jacobian (k, n): by the library, or by differences where it cannot."""
    there = function(x.copy())
    if isinstance(there, tuple) and what == "f":
        raise TypeError(
            f"f must return one number, got {describe(there)}\n"
            "  With minimize(…, jac=True): certificate(result, lambda x: f(x)[0], …)."
        )
    value = np.atleast_1d(np.asarray(there, np.float64)).ravel()
    try:
        with np.errstate(all="ignore"):
            found = np.asarray(jacobian(lambda v: np.ravel(function(v)))(x), np.float64)
    except (AdjointError, TypeError, ValueError, AttributeError):
        found = _differences(function, x)
        notes.append(f"{what} is not plain NumPy: its derivatives are differences, good to some 1e-9")
    return value, found.reshape(value.size, x.size)


def _differences(function: Callable[[np.ndarray], Any], x: np.ndarray) -> np.ndarray:
    """Central differences of fourth order: they err by h⁴ and by rounding over h."""
    columns = []
    for k in range(x.size):
        h = 1e-3 * max(1.0, abs(float(x[k])))

        def at(t: float, k: int = k, h: float = h) -> np.ndarray:
            moved = x.copy()
            moved[k] += t * h
            return np.ravel(np.asarray(function(moved), np.float64))

        columns.append((8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h))
    return np.stack(columns, axis=1) if columns else np.zeros((0, 0))


# ---------------------------------------------------------------------------------------- constraints
def dense(matrix: Any) -> np.ndarray:
    """A matrix (k, n), also a sparse one, or one row."""
    return np.atleast_2d(np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, np.float64))


def _as_list(constraints: Any) -> list[Any]:
    if constraints is None:
        return []
    return list(constraints) if isinstance(constraints, (list, tuple)) else [constraints]


def _parts(c: Any, number: int, x: np.ndarray, notes: list[str]) -> list[Part]:
    """One constraint of SciPy's as equalities and inequalities, without multipliers."""
    name = f"constraints[{number}]"
    if isinstance(c, Mapping):
        name = str(c.get("name", name))
        if c.get("type") not in ("eq", "ineq") or not callable(c.get("fun")):
            raise refusal(
                ShapeError, f"{name} must have type 'eq' or 'ineq' and a function 'fun', got {sorted(c)}"
            )
        extra = tuple(c.get("args", ()))
        value, rows = _derivative(lambda v: c["fun"](v, *extra), x, name, notes)
        shape = np.shape(c["fun"](x.copy(), *extra))
        if c["type"] == "eq":
            return [Part(name, "=", value, rows, None, shape, np.arange(len(value)))]
        return [Part(name, "≥", -value, -rows, None, shape, np.arange(len(value)))]
    if hasattr(c, "A"):
        rows = dense(c.A)
        value = rows @ x
    elif hasattr(c, "fun"):
        value, rows = _derivative(c.fun, x, name, notes)
    else:
        raise TypeError(f"{name} is no constraint of SciPy's: {describe(c)}")
    return _between(name, value, rows, c.lb, c.ub)


def _between(name: str, value: np.ndarray, rows: np.ndarray, lb: Any, ub: Any) -> list[Part]:
    """The parts of lb ≤ c ≤ ub: equalities, lower and upper limits."""
    lower, upper = (np.broadcast_to(np.asarray(b, np.float64), value.shape) for b in (lb, ub))
    same = lower == upper
    found = []
    for mark, chosen, relation, sign, limit in (
        ("", same, "=", 1.0, lower),
        (".lower", np.isfinite(lower) & ~same, "≥", -1.0, lower),
        (".upper", np.isfinite(upper) & ~same, "≤", 1.0, upper),
    ):
        k = np.flatnonzero(chosen)
        if len(k):
            g = sign * (value[k] - limit[k])
            found.append(Part(name + mark, relation, g, sign * rows[k], None, (len(k),), k))
    return found


def _bounds(bounds: Any, x: np.ndarray) -> list[Part]:
    """The parts of lower ≤ x ≤ upper that are there."""
    if bounds is None:
        return []
    if hasattr(bounds, "lb"):
        return limits(x, bounds.lb, bounds.ub)
    bounds = list(bounds)
    if not all(np.shape(pair) == (2,) for pair in bounds):
        raise refusal(
            ShapeError,
            f"bounds must be pairs (lower, upper), one for each of {len(x)} elements, got {bounds}",
        )
    pairs = [(-np.inf if a is None else a, np.inf if b is None else b) for a, b in bounds]
    if len(pairs) != len(x):
        raise refusal(ShapeError, f"bounds has {len(pairs)} pairs, x has {len(x)} elements")
    return limits(x, *np.array(pairs, np.float64).T)


def limits(x: np.ndarray, lower: Any, upper: Any) -> list[Part]:
    """Bounds: "lower" and "upper", and "fixed" where they are equal."""
    names = {"≥": "lower", "≤": "upper", "=": "fixed"}
    return [
        part._replace(name=names[part.relation], of_x=True)
        for part in _between("", x, np.eye(len(x)), lower, upper)
    ]


# ---------------------------------------------------------------------------------------- multipliers
def _slsqp(found: list[list[Part]], given: np.ndarray) -> list[list[Part]]:
    """Each part with its share of SLSQP's λ of L = f − λᵀc; as they are where SciPy counts otherwise.

    SciPy makes at most two constraints of an object: its equalities, then its inequalities, rows with a lower
    limit first. Of an object with both, the inequalities go to the end of the list.
    """
    firsts, ends = [], []
    for c, parts in enumerate(found):
        groups = [
            [(c, k) for k, part in enumerate(parts) if (part.relation == "=") == e] for e in (True, False)
        ]
        first, *rest = [group for group in groups if group] or [[]]
        firsts.append(first)
        ends += rest
    places = [place for group in (*firsts, *ends) for place in group]
    places.sort(
        key=lambda place: found[place[0]][place[1]].relation != "="
    )  # stable: SLSQP has equalities first
    sizes = [len(found[c][k].value) for c, k in places]
    if not places or sum(sizes) != len(given):
        return found
    filled = [list(parts) for parts in found]
    for (c, k), lam in zip(places, np.split(given, np.cumsum(sizes)[:-1]), strict=True):
        part = found[c][k]  # c ≥ 0 is g = −c ≤ 0 of a lower and of an upper limit alike
        filled[c][k] = part._replace(lam=-lam if part.relation == "=" else lam)
    return filled


def _split(found: list[list[Part]], given: Sequence[Any]) -> list[list[Part]]:
    """Each part with its share of trust-constr's v, one for each row: v < 0 pushes from below.

    A row with one limit keeps its sign, so that a wrong one shows.
    """
    groups = []
    for parts, v in zip(found, given, strict=True):
        rows = np.ravel(np.asarray(v, np.float64))
        limited = [part.which for part in parts if part.relation != "="]
        group = []
        for part in parts:
            lam = rows[part.which] * (-1.0 if part.relation == "≥" else 1.0)
            both = sum(np.isin(part.which, other) for other in limited) > 1
            group.append(part._replace(lam=np.where(both, np.maximum(lam, 0.0), lam)))
        groups.append(group)
    return groups


def _refuse_same_names(parts: Sequence[Part]) -> None:
    """Multipliers go by name."""
    names = [part.name for part in parts]
    for name in names:
        if names.count(name) > 1:
            what = f"{names.count(name)} constraints are named {name!r}, and multipliers go by name"
            raise refusal(ShapeError, what, 'Give each its own, {"type": …, "fun": …, "name": …}.')


def _from_stationarity(limits: list[Part], gradient: np.ndarray, parts: Iterable[Part]) -> list[Part]:
    """Multipliers of the bounds: what is left of ∂L/∂x, on the side where x binds."""
    left = gradient + sum((part.lam @ part.rows for part in parts if part.lam is not None), np.zeros(1))
    found = []
    for part in limits:
        pull = -(part.rows @ left)  # rows are ±1
        binds = part.value >= -1e-8 * (1 + np.abs(part.value))
        lam = pull if part.relation == "=" else np.where(binds, np.maximum(pull, 0.0), 0.0)
        found.append(part._replace(lam=lam))
    return found
