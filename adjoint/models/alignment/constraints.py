"""Constraints on average utilities: E_x E_π g ≥ b, or E_π g − E_ref g ≥ b."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import UnknownNameError, refusal
from ...ops.sides import host_only
from ..base import DataError

_FORM = re.compile(
    r"\s*(?P<name>.+?)\s*(?P<sign>>=|≥|<=|≤|>|<|==|=)\s*(?P<level>\S+)(?:\s+(?P<kind>\S+))?\s*"
)
MOST = 20  # constraints that a Newton step with a dense Hessian is meant for


@host_only
@dataclass(frozen=True)
class Constraint:
    """A lower limit for an average utility.

    Attributes:
        name: the utility g.
        level: b, in g's units.
        relative: whether b counts from the reference: E_π g − E_ref g ≥ b. The right form for scores that
            are known only up to a number per prompt (Bradley–Terry models).

    Raises:
        DataError: a level that is not a finite number, a name that is not text, a `relative` that is no bool.
    """

    name: str
    level: float
    relative: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise refusal(DataError, f"a constraint's name is the name of a utility: got {self.name!r}")
        level = self.level
        if (
            isinstance(level, bool)
            or not isinstance(level, (int, float, np.number))
            or not np.isfinite(level)
        ):
            raise refusal(DataError, f"the level of {self.name!r} should be a finite number, got {level!r}")
        if not isinstance(self.relative, (bool, np.bool_)):
            what = f"relative of {self.name!r} should be True or False, got {self.relative!r}"
            raise refusal(DataError, what, "True for a level above the reference, False for an absolute one.")
        object.__setattr__(self, "level", float(level))
        object.__setattr__(self, "relative", bool(self.relative))

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """`safe>=0.5`, or `humor>=0.2 relative` for E_π g − E_ref g.

        Raises:
            DataError: anything else; upper limits, for which the utility is to be negated.

        >>> from adjoint.models.alignment import Constraint
        >>> Constraint.parse("humor >= 0.2 relative")
        Constraint(name='humor', level=0.2, relative=True)
        """
        found = _FORM.fullmatch(text)
        form = 'Write "safe>=0.5" or "safe>=0.5 relative".'
        if found is None:
            raise refusal(DataError, f"not a constraint: {text!r}", form)
        if found["sign"] not in (">=", "≥"):
            what = f"{text!r}: a constraint is a lower limit, NAME>=LEVEL, not {found['sign']!r}"
            raise refusal(DataError, what, "For an upper limit give the negated utility a lower one.")
        try:
            level = float(found["level"])
        except ValueError:
            raise refusal(DataError, f"{text!r}: the level {found['level']!r} is no number", form) from None
        if found["kind"] not in (None, "relative", "absolute"):
            raise refusal(DataError, f"{text!r}: {found['kind']!r} after the level is not known", form)
        return cls(found["name"], level, found["kind"] == "relative")

    def __str__(self) -> str:
        return f"{self.name} ≥ {self.level:g}" + (" above the reference" if self.relative else "")


def parsed(constraints: Iterable[Constraint | str] | Constraint | str) -> list[Constraint]:
    """Each as a `Constraint`.

    Raises:
        DataError: something else than constraints and their texts.
    """
    listed = [constraints] if isinstance(constraints, (str, Constraint)) else list(constraints)
    found = [Constraint.parse(one) if isinstance(one, str) else one for one in listed]
    for one in found:
        if not isinstance(one, Constraint):
            raise refusal(
                DataError, f"not a constraint: {one!r}", 'Give Constraint("safe", 0.5) or its text.'
            )
    return found


def check_constraints(
    constraints: Iterable[Constraint | str] | Constraint | str, known: Sequence[str]
) -> tuple[Constraint, ...]:
    """The constraints, each as a `Constraint`.

    Args:
        constraints: `Constraint`s or their texts; one alone may stand without a list.
        known: names of the utilities.

    Raises:
        UnknownNameError: no utility has that name.
        DataError: a utility constrained twice, or more than 20 constraints.
    """
    found: dict[str, Constraint] = {}
    for one in parsed(constraints):
        if one.name not in known:
            there = ", ".join(repr(name) for name in known) or "none"
            raise refusal(UnknownNameError, f"no utility {one.name!r} to constrain; there are {there}")
        if one.name in found:
            before = found[one.name]
            kind = "repeated" if one == before else "contradictory"
            what = f"{kind} constraints on {one.name!r}: {before}, and {one}"
            raise refusal(DataError, what, "Keep the one that is meant.")
        found[one.name] = one
    if len(found) > MOST:
        raise refusal(DataError, f"{len(found)} constraints: {MOST} at most")
    return tuple(found.values())
