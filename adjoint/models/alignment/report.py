"""An alignment explained to somebody who has read no manual: the same sections as text, JSON and a page.

A section is a title and blocks: words, tables, drawings. The text writer leaves out drawings, the command
line colors the text, the page has all of it.
"""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._version import __version__
from ...ops.sides import host_only
from ..base import Floats
from . import explain
from .charts import nice_step
from .columns import complaint
from .pareto import Pareto
from .result import Alignment, Status
from .sections import Grid, Section, Words, visible
from .source import Progress

COLUMNS = 100  # of the text


@host_only
@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What is told of an alignment.

    Attributes:
        alignment: the answer.
        reward: what the reward is called.
        subject: where the scores came from.
        curves: name of a constraint → the trade-off over its level; empty when infeasible.
        written: exports, as (file, what is in it).
        notes: what else the reader should know, said with the answer.

    >>> from adjoint.models.alignment import Report, Scores, align
    >>> scores = Scores.dense([[0.0, 1.0]], {"safe": [[1.0, 0.0]]})
    >>> report = Report.of(align(scores, beta=1.0, constraints="safe>=0.5"), reward="helpful")
    >>> print(report.text().splitlines()[2])
    Solved. Align with the reward  helpful + 1·safe  and KL weight β = 1.
    """

    alignment: Alignment
    reward: str
    subject: str
    curves: dict[str, Pareto]
    written: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, alignment: Alignment, *, reward: str = "reward", subject: str = "", levels: int = 9,
        written: Sequence[tuple[str, str]] = (), notes: Sequence[str] = (), progress: Progress | None = None,
    ) -> Report:  # fmt: skip
        """Compute what a report needs beyond the alignment: a trade-off curve for every constraint.

        Args:
            alignment: from `align`.
            reward: name of the reward.
            subject: name of the file.
            levels: about how many levels a curve has; 0: no curves.
            written: exports, as (file, what is in it).
            notes: what else the reader should know.
            progress: called with curves done and in all.

        Raises:
            DataError: levels that are no number ≥ 0, or 1.
        """
        check_levels(levels)
        curves = {}
        names = list(alignment.multipliers) if levels else []
        for k, name in enumerate(names):
            if progress:
                progress(k, len(names))
            curves[name] = alignment.pareto(name, levels_around(alignment, name, levels).tolist())
        return cls(alignment, reward, subject or "the scores", curves, tuple(written), tuple(notes))

    # ------------------------------------------------------------------------------------ the three writers
    def text(self) -> str:
        """For terminals: words and tables, 100 columns wide."""
        return "\n".join(line for line, _ in self.lines())

    def lines(self, width: int = COLUMNS) -> list[tuple[str, str]]:
        """The text line by line, each with its kind: that of `Words`, "title", "table", or empty."""
        lines = [(line, "title") for line in textwrap.wrap(self.title, width)] + [("═" * width, "title")]
        for section in self.sections():
            if section.title:
                lines += [("", ""), (section.title, "title"), ("─" * len(section.title), "title")]
            for block in section.blocks:
                if isinstance(block, Words):
                    lines += [(line, block.kind) for line in _wrapped(block, width)] + [("", "")]
                elif isinstance(block, Grid):
                    lines += [
                        ("", ""),
                        *((f"  {row}", "table") for row in block.text().splitlines()),
                        ("", ""),
                    ]
        while lines and not lines[-1][0]:
            lines.pop()
        follows = zip(lines, [("", ""), *lines[:-1]], strict=True)
        # one empty line at most
        return [(visible(line), kind) for (line, kind), before in follows if line or before[0]]

    def json(self) -> str:
        """Every number, for programs: `"format": "adjoint.alignment"`, with a version; NaN is null."""
        return json.dumps(_plain(self._content()), indent=2, ensure_ascii=False) + "\n"

    def html(self) -> str:
        """One page with everything, drawings included; it needs nothing else, no network and no script."""
        from .page import page

        return page(self.title, self.sections())

    @property
    def title(self) -> str:
        """The problem in one line."""
        limits = ", ".join(map(str, self.alignment.constraints))
        return f"Align {self.subject}: maximize {self.reward}" + (f", with {limits}" if limits else "")

    def sections(self) -> list[Section]:
        """Titles with words, tables and drawings, in reading order."""
        if self.alignment.status is Status.INFEASIBLE:
            return explain.infeasible(self)
        return explain.solved(self)

    def __repr__(self) -> str:
        return self.text()

    def _content(self) -> dict[str, Any]:
        a, scores = self.alignment, self.alignment.scores
        counts = scores.counts
        names = [one.name for one in a.constraints]
        constraints = [
            {
                "name": one.name, "level": one.level, "relative": one.relative,
                "absolute_level": a.levels[one.name], "reference": a.reference_utilities[one.name],
                "expectation": a.utilities[one.name], "share_below": a.share_below[one.name],
                "multiplier": a.multipliers.get(one.name),
                "standard_error": a.standard_errors.get(one.name),
                "bootstrap_standard_error": _bootstrap_error(a, one.name),
            }
            for one in a.constraints
        ]  # fmt: skip
        content: dict[str, Any] = {
            "format": "adjoint.alignment", "version": 1, "made_by": f"adjoint {__version__}",
            "scores": {
                "subject": self.subject, "prompts": scores.n_prompts, "responses": scores.n_responses,
                "fewest_per_prompt": int(counts.min()), "most_per_prompt": int(counts.max()),
                "single_response_prompts": int(np.sum(counts == 1)),
            },
            "status": a.status.name.lower(), "message": a.message,
            "reward": {"name": self.reward, "reference": a.reference_reward, "expectation": a.reward},
            "beta": a.beta, "kl_budget": a.kl_budget, "kl": a.kl, "objective": a.objective,
            "constraints": constraints,
            "utilities": {
                name: {"reference": a.reference_utilities[name], "expectation": a.utilities[name]}
                for name in a.utilities
            },
            "certificate": {
                "violation": a.certificate.violation, "gap": a.certificate.gap,
                "projected_gradient": a.certificate.projected_gradient,
            },
            "diagnostics": [{"name": d.name, "value": d.value, "warning": d.text} for d in a.diagnostics],
            "warnings": list(a.warnings),
        }  # fmt: skip
        if a.infeasibility is not None:
            f = a.infeasibility
            content["infeasibility"] = {
                "weights": f.weights, "achievable": f.achievable, "required": f.required, "best": f.best,
                "levels": f.levels, "nearest": f.nearest, "responses_per_prompt": list(f.samples),
            }  # fmt: skip
            return content
        content["covariance"] = a.covariance
        content["level_response"] = {"names": names, "matrix": a.level_response}
        content["value_response"] = a.value_response
        content["standard_error_of_beta"] = a.standard_errors.get("beta")
        content["effective_sample_size"] = explain.quantiles(a.effective_sizes)
        content["pareto"] = [
            {
                "name": c.name, "level": c.levels, "expectation": c.utility, "reward": c.reward, "kl": c.kl,
                "objective": c.objective, "multiplier": c.multiplier, "beta": c.beta,
                "status": [s.name.lower() for s in c.status],
            }
            for c in self.curves.values()
        ]  # fmt: skip
        return content


def check_levels(levels: int) -> None:
    """Raise DataError unless a curve can have so many levels."""
    if isinstance(levels, bool) or not isinstance(levels, (int, np.integer)) or levels < 0 or levels == 1:
        raise complaint(f"levels should be 0 (no curves) or a number ≥ 2, got {levels!r}")


def levels_around(alignment: Alignment, name: str, about: int) -> Floats:
    """Round levels of one constraint, from where it begins to bind to nearly the most there is, and its own.

    Args:
        alignment: a solved one.
        name: the constraint.
        about: about how many.

    Returns:
        (L,) rising, absolute or relative as the constraint is.
    """
    own = next(one for one in alignment.constraints if one.name == name)
    g = alignment.scores.utilities[name]
    starts = alignment.scores.offsets[:-1]
    shift = own.level - alignment.levels[name]  # −E_ref g for a relative constraint
    least, most = (float(np.mean(f.reduceat(g, starts))) + shift for f in (np.minimum, np.maximum))
    free = float(alignment.pareto(name, [min(least, own.level) - 1.0]).utility[0]) + shift
    low = free if math.isfinite(free) else min(own.level, least)
    high = max(own.level, low + 0.9 * (most - low))
    if not high - low > 1e-9 * max(abs(high), abs(low)):
        return np.array([own.level])
    step = nice_step(high - low, max(about - 2, 1))
    inner = np.arange(math.floor(low / step), math.ceil(high / step) + 1) * step
    inner = inner[(inner >= low - step) & (inner <= low + 0.97 * (most - low))]
    away = np.abs(inner - own.level) > 0.2 * step
    return np.array([float(f"{v:.12g}") for v in np.sort(np.append(inner[away], own.level))])


def _bootstrap_error(alignment: Alignment, name: str) -> float | None:
    return None if alignment.bootstrap is None else alignment.bootstrap.standard_errors.get(name)


def _wrapped(block: Words, width: int) -> list[str]:
    head = "! " if block.kind == "warning" else ""
    lines: list[str] = []
    for paragraph in block.text.split("\n"):
        listed = head or paragraph.startswith("• ") or (block.kind == "small" and "\n" in block.text)
        lines += textwrap.wrap(
            head + paragraph, width, subsequent_indent="  " if listed else "", break_long_words=False,
            break_on_hyphens=False,
        )  # fmt: skip
    return lines


def _plain(value: Any) -> Any:
    """Numbers as JSON has them."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
