"""What a solver returns: x, multipliers by name, a verdict in words and the four numbers that prove it.

Sign convention: see `adjoint.problems`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .. import tree as trees
from ..errors import DomainError, UnknownNameError
from ..ops.formula import document
from ..ops.primitive import innermost, shape_of
from ..ops.sides import host_only
from ..text import number, table
from . import typeset
from .verdict import Doubt, Status


@host_only
@dataclass(frozen=True)
class Residuals:
    """How far a point is from satisfying the KKT conditions: four numbers, all zero at a solution.

    Attributes:
        stationarity: ‖∇f + Jᵀν + Gᵀμ‖∞ over max(1, ‖∇f‖∞).
        primal: the largest violation, max(|h|, g, 0).
        dual: the most negative multiplier of an inequality, max(−μ, 0).
        slackness: max |μₖ gₖ| over max(1, ‖∇f‖∞).
    """

    stationarity: float
    primal: float
    dual: float
    slackness: float

    @property
    def worst(self) -> float:
        """The largest of the four."""
        return max(self.stationarity, self.primal, self.dual, self.slackness)

    def hold(self, tolerance: float = 1e-8) -> bool:
        """Whether all four are at most the tolerance."""
        return self.worst <= tolerance

    @classmethod
    def of(cls, gradient: Any, lagrangian_gradient: Any, h: Any, g: Any, mu: Any) -> Residuals:
        """The four residuals from arrays of any shape.

        Args:
            gradient: ∇f, for the scale.
            lagrangian_gradient: ∇f + Jᵀν + Gᵀμ.
            h: values of the equalities; empty when there are none.
            g: values of the inequalities, ≤ 0 where they hold; those of unbounded entries may be −∞.
            mu: their multipliers, in g's shape.
        """
        scale = max(1.0, float(np.max(np.abs(gradient), initial=0.0)))
        h, g, mu = np.asarray(h), np.asarray(g), np.asarray(mu)
        product = np.abs(mu * np.where(np.isfinite(g), g, 0.0))
        return cls(
            float(np.max(np.abs(lagrangian_gradient), initial=0.0)) / scale,
            float(max(np.max(np.abs(h), initial=0.0), np.max(g, initial=0.0))),
            float(np.max(-mu, initial=0.0) + 0.0),
            float(np.max(product, initial=0.0)) / scale,
        )

    def __repr__(self) -> str:
        return (
            f"Residuals(stationarity={self.stationarity:.1e}, primal={self.primal:.1e}, "
            f"dual={self.dual:.1e}, slackness={self.slackness:.1e})"
        )


class Step(NamedTuple):
    """One line of a solver's history.

    Attributes:
        step: its number, from 0.
        fun: f there.
        stationarity, primal, slackness: residuals there, in the solver's own scale.
        length: the share of the proposed step that was taken; "augmented": evaluations in this step.
        multipliers: (ν, μ) of the user's constraints in one vector, where the method keeps them.
    """

    step: int
    fun: float
    stationarity: float
    primal: float
    slackness: float
    length: float
    multipliers: Any = None


@dataclass(frozen=True)
class Constraint:
    """One named constraint at the solution.

    Attributes:
        relation: "=", "≤" or "≥", between the user's expression and its right-hand side.
        value: h(x*) or g(x*), ≤ 0 where an inequality holds, also when the user wrote "≥".
        multiplier: ν or μ, in the same shape.
        active: where an inequality binds; everywhere for an equality.
    """

    relation: str
    value: Any
    multiplier: Any
    active: Any


@dataclass(frozen=True)
class Sensitivity:
    """What a change of one constraint's right-hand side does.

    Attributes:
        fun: df*/db, in the constraint's shape: the (signed) shadow price.
        x: dx*/db, in x's containers, each leaf of shape `leaf.shape + b.shape`.
    """

    fun: Any
    x: Any


@dataclass(frozen=True)
class System:
    """The KKT matrix [[H, Aᵀ], [A, 0]] at the solution, for sensitivities.

    Attributes:
        hessian: ∇²ₓₓL, (n, n).
        jacobian: gradients of the constraints that hold with equality, (k, n).
        rows: name → (flat positions within that constraint, rows of `jacobian`), equally many.
        binding: which of all the inequalities, bounds included, `jacobian` has after the equalities.
        fixed: rows of `jacobian` that are x = lower = upper; their ν < 0 is a multiplier of the lower bound.
    """

    hessian: np.ndarray
    jacobian: np.ndarray
    rows: dict[str, tuple[np.ndarray, np.ndarray]]
    binding: np.ndarray
    fixed: tuple[int, int] = (0, 0)

    def sign(self, name: str, rows: np.ndarray) -> np.ndarray:
        """What the multiplier of a row of `jacobian` is multiplied by to be that of the constraint."""
        fixed = (rows >= self.fixed[0]) & (rows < self.fixed[1])
        return np.where(fixed & (name == "lower"), -1.0, 1.0)

    def respond(self, right: np.ndarray) -> np.ndarray:
        """Changes (n, k) of x when the constraints' right-hand sides change by the columns of `right`.

        Raises:
            DomainError: the system is singular, so that x* does not change smoothly.
        """
        n, k = len(self.hessian), len(self.jacobian)
        matrix = np.block([[self.hessian, self.jacobian.T], [self.jacobian, np.zeros((k, k))]])
        given = np.concatenate([np.zeros((n, right.shape[1])), right])
        # not `solve`: with dependent constraints the multipliers are undetermined, x may not be
        change, *_ = np.linalg.lstsq(matrix, given, rcond=1e-12)
        if np.max(np.abs(matrix @ change - given), initial=0.0) > 1e-6 * np.max(np.abs(given), initial=0.0):
            raise DomainError(
                "dx*/db does not exist: the active constraints cannot all be shifted independently\n"
                "  Their gradients are linearly dependent (LICQ fails); remove the redundant ones."
            )
        return change[:n]


class _ByName(dict[str, Any]):
    """What constraints have, by their names; of another name the error lists these.

    For a library that knows plain dicts alone (jax's trees), `dict(…)` is one.
    """

    def __missing__(self, name: str) -> Any:
        raise UnknownNameError(f"no constraint {name!r}; there are {', '.join(self) or 'none'}")


@dataclass(frozen=True)
class Solution:
    """The answer to a constrained problem. It holds arrays and texts, no tape; it can be pickled.

    Inside a transform (`ad.grad` through `ad.minimize`), x, fun and the multipliers are recorded values.

    Attributes:
        x: the minimiser, in the containers of x0, float64.
        fun: f(x).
        status: the verdict; `message` is its text with the figures filled in.
        residuals: the four KKT residuals.
        constraints: name → `Constraint`; bounds are called "lower" and "upper".
        method: what solved it, and why that was chosen.
        steps: how many steps it took.
        history: one `Step` per step.
        doubts: what qualifies the answer, in words.
        certificate: for an infeasible problem, weights on the constraints by name (Σ|w| = 1, a Farkas
            certificate where the constraints are convex); for an unbounded one and for a saddle, a direction
            in x's containers; otherwise None.
        violation: the smallest violation found, when the problem is infeasible.
        tolerance: what the residuals were held against.
    """

    x: Any
    fun: Any
    status: Status
    residuals: Residuals
    constraints: dict[str, Constraint]
    method: str = ""
    steps: int = 0
    history: tuple[Step, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    certificate: Any = None
    violation: float = 0.0
    tolerance: float = 1e-8
    system: System | None = field(default=None, repr=False)

    @property
    def success(self) -> bool:
        """Whether the KKT conditions, and the necessary second-order condition, hold."""
        return self.status is Status.SOLVED

    @property
    def multipliers(self) -> dict[str, Any]:
        """KKT multipliers by the constraint's name: ν of equalities, μ ≥ 0 of inequalities.

        Of a name that no constraint has, `UnknownNameError` lists those there are.
        """
        return _ByName((name, c.multiplier) for name, c in self.constraints.items())

    @property
    def active(self) -> dict[str, Any]:
        """Where each constraint binds, by name."""
        return _ByName((name, c.active) for name, c in self.constraints.items())

    @property
    def message(self) -> str:
        """The verdict in words, with its figures."""
        return self.status.value.format(
            tolerance=self.tolerance, violation=self.violation, steps=self.steps, worst=self.residuals.worst,
            stationarity=self.residuals.stationarity, fun=_plain(self.fun),
        )  # fmt: skip

    def sensitivity(self, name: str) -> Sensitivity:
        """df*/db and dx*/db for the right-hand side b of one constraint: h = b, g ≤ b, x ≥ lower.

        Both are zero where the constraint does not bind.

        Raises:
            UnknownNameError: there is no such constraint.
            DomainError: the problem is not solved, or x* does not change smoothly with b.
        """
        constraint = _ByName(self.constraints)[name]
        if not self.success:
            raise DomainError(f"no sensitivity without a solution: {self.message}")
        sign = 1.0 if constraint.relation == "≥" else -1.0
        price = trees.tree_map(lambda mu: sign * mu + 0.0, constraint.multiplier)
        return Sensitivity(price, self._response(name, -sign))

    def _response(self, name: str, sign: float) -> Any:
        if self.system is None:
            raise DomainError(
                f"dx*/db of {name!r} is not at hand: {self.method} does not form the KKT matrix\n"
                "  multipliers[name] has the shadow price; method='newton' gives both."
            )
        leaves = trees.flatten(self.constraints[name].value)[0]
        shape = np.shape(leaves[0]) if len(leaves) == 1 else (sum(np.size(leaf) for leaf in leaves),)
        positions, rows = self.system.rows[name]
        right = np.zeros((len(self.system.jacobian), len(rows)))
        # (a lower bound that fixes x is the equality x = b, not −x ≤ −b)
        right[rows, np.arange(len(rows))] = sign * self.system.sign(name, rows)
        response = np.zeros((len(self.system.hessian), int(np.prod(shape, dtype=int))))
        response[:, positions] = self.system.respond(right)
        return _split(self.x, response, shape)

    def latex(self, limit: int = 40) -> str:
        """L = f + νᵀh + μᵀg with names and the values of the multipliers, in LaTeX.

        Args:
            limit: lines at most, those that bind first; the rest is an ellipsis.
        """
        return typeset.of_solution(self.fun, self.constraints, limit).latex()

    def mathml(self, limit: int = 40) -> str:
        """The same as a `<math>` element, which browsers typeset without help."""
        return document(typeset.of_solution(self.fun, self.constraints, limit))

    def table(self, limit: int = 40) -> str:
        """The constraints with their shadow prices, those that bind first.

        Args:
            limit: rows at most.
        """
        rows = [row for name, c in self.constraints.items() for row in _rows(name, c, self.tolerance)]
        cells = sorted(rows, key=lambda row: row[2] == "no")
        text = table(
            ["constraint", "", "binds", "value", "multiplier", "df*/db"], cells[:limit], right=(3, 4, 5)
        )
        return text + (f"\n… and {len(cells) - limit} more" if len(cells) > limit else "")

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__}: {self.message}"]
        if self.method:
            lines.append(f"  {self.method}, {self.steps} steps")
        r = self.residuals
        lines.append(f"  f = {_plain(self.fun):.10g}")
        lines.append(
            f"  residuals: stationarity {r.stationarity:.1e}, primal {r.primal:.1e}, dual {r.dual:.1e}, "
            f"slackness {r.slackness:.1e}"
        )
        lines += [f"  doubt: {doubt.value}" for doubt in self.doubts]
        if self.status is Status.INFEASIBLE and isinstance(self.certificate, dict):
            weights = {name: np.max(np.abs(w), initial=0.0) for name, w in self.certificate.items()}
            shown = ", ".join(f"{name} {number(w)}" for name, w in weights.items() if w > 0)
            lines.append(f"  certificate: {shown}")
        if self.constraints:
            lines.append(self.table(12))
        return "\n".join(lines)


def _plain(x: Any) -> float:
    return float(innermost(x))


def _rows(name: str, c: Constraint, tolerance: float) -> list[list[str]]:
    """One row per element that binds, and one for all those that do not."""
    value, mu, active = (typeset.flat(part) for part in (c.value, c.multiplier, c.active))
    sign = 1.0 if c.relation == "≥" else -1.0
    rows: list[list[str]] = []
    for k in np.flatnonzero(active):
        label = name if value.size == 1 else f"{name}[{k}]"
        rows.append(
            [label, c.relation, "yes", number(value[k] + 0.0), number(mu[k]), number(sign * mu[k] + 0.0)]
        )
    slack = np.flatnonzero((active == 0) & np.isfinite(value))  # an absent bound is no constraint
    if slack.size:
        label = name if value.size == 1 else f"{name} ({slack.size} of {np.sum(np.isfinite(value))})"
        worst = np.max(value[slack])
        rows.append([label, c.relation, "violated" if worst > tolerance else "no", number(worst), "0", "0"])
    return rows


def _split(x: Any, response: np.ndarray, shape: tuple[int, ...]) -> Any:
    """Rows of `response` in the containers of x."""
    leaves, structure = trees.flatten(x)
    parts, start = [], 0
    for leaf in leaves:
        size = int(np.prod(shape_of(leaf), dtype=int))
        parts.append(np.reshape(response[start : start + size], shape_of(leaf) + shape))
        start += size
    return trees.unflatten(structure, parts)


Callback = Callable[[Step], None]  # called after every step
