"""The trade-off between the reward and one constraint's level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import UnknownNameError, refusal
from ...text import number, table
from ..base import DataError, Floats, _numbers
from .constraints import Constraint
from .partitions import source_of
from .result import Status
from .solve import prepare, solve

if TYPE_CHECKING:
    from .result import Alignment


@dataclass(frozen=True, eq=False, repr=False)
class Pareto:
    """One row per level; NaN where a level is infeasible.

    Attributes:
        name: the constraint whose level changes.
        levels: b (L,), as given.
        reward: E r (L,).
        utility: E g of that constraint (L,).
        kl: E KL (L,), in nats.
        objective: P* (L,); its slope in b is −multiplier.
        multiplier: λ of that constraint (L,).
        multipliers: λ of all constraints (L, m), in `names`' order.
        names: the constraints.
        beta: β (L,).
        status: the verdicts.
    """

    name: str
    levels: Floats
    reward: Floats
    utility: Floats
    kl: Floats
    objective: Floats
    multiplier: Floats
    multipliers: Floats
    names: tuple[str, ...]
    beta: Floats
    status: tuple[Status, ...]

    def __repr__(self) -> str:
        columns = (self.levels, self.utility, self.reward, self.kl, self.objective, self.multiplier)
        sizes = [float(np.max(np.abs(c[np.isfinite(c)]), initial=0.0)) for c in columns]
        rows = [
            [number(float(v), size) for v, size in zip(row, sizes, strict=True)]
            for row in zip(*columns, strict=True)
        ]
        heads = [f"{self.name} ≥", "E g", "E r", "KL", "objective", "λ = −slope"]
        return table(heads, rows, right=range(6))


def pareto(alignment: Alignment, name: str, levels: Sequence[float]) -> Pareto:
    """See `Alignment.pareto`.

    Raises:
        UnknownNameError: no utility has that name.
        DataError: levels that are not finite numbers.
    """
    wanted = np.atleast_1d(_numbers(levels, "levels"))
    if wanted.ndim != 1 or not wanted.size or not np.isfinite(wanted).all():
        raise refusal(DataError, f"levels should be finite numbers (L,), got {levels!r}")
    constraints = list(alignment.constraints)
    names = list(dict.fromkeys([*(one.name for one in constraints), name]))
    source = source_of(alignment.data, names)
    if name not in source.utilities:
        there = ", ".join(repr(one) for one in source.utilities) or "none"
        raise refusal(UnknownNameError, f"no utility {name!r}; there are {there}")
    if len(names) > len(constraints):
        constraints.append(Constraint(name, float(wanted[0])))
    j = names.index(name)
    budget = alignment.kl_budget
    given = [one.level for one in constraints]
    setting = prepare(
        source, given, [one.relative for one in constraints],
        None if budget is not None else alignment.beta, budget,
    )  # fmt: skip
    own = setting.problem.levels[j] - given[j]  # what makes a level of this constraint absolute
    rows, verdicts, start = np.full((len(wanted), 5 + len(names)), np.nan), {}, None
    for k in np.argsort(wanted, kind="stable"):
        absolute = setting.problem.levels.copy()
        absolute[j] = wanted[k] + own
        top = setting.top.copy()
        top[j] += setting.problem.levels[j] - absolute[j]
        moved = setting._replace(problem=setting.problem._replace(levels=absolute), top=top)
        verdict = solve(moved, alignment.tolerance, start)
        verdicts[int(k)] = verdict.status
        if verdict.status is Status.INFEASIBLE:
            continue
        at = verdict.found.at
        m = len(names)
        lam, kl = at.x[:m], at.divergence
        gaps = at.gradient[:m]
        r = at.beta * at.tilt - float(lam @ gaps) + moved.problem.center
        rows[k] = [r, gaps[j] + absolute[j], kl, at.value, at.beta, *lam]
        start = at.x
    reward, utility, kl_, objective, beta = rows[:, :5].T
    return Pareto(
        name, wanted, reward, utility, kl_, objective, rows[:, 5 + j], rows[:, 5:], tuple(names), beta,
        tuple(verdicts[k] for k in range(len(wanted))),
    )  # fmt: skip
