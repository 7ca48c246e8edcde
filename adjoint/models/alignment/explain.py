"""The sentences of a report: what the numbers say, which of them matter, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ...text import number
from ..base import Floats
from .charts import Estimate, Move, Series, histogram, intervals, moves, plot
from .constraints import Constraint
from .result import Alignment, Status
from .sections import Drawing, Grid, Section, Words

if TYPE_CHECKING:
    from .pareto import Pareto
    from .report import Report

Blocks = list[Words | Grid | Drawing]
FINE = 1e-6  # of a range: what a certificate may be off before it is called so


def solved(report: Report) -> list[Section]:
    """Sections of a report with multipliers."""
    sections = [
        Section("", _answer(report)),
        Section("Before and after", _averages(report)),
        Section("What the constraints cost", _multipliers(report)),
        Section("Is this the optimum?", _certificate(report.alignment)),
    ]
    if report.curves:
        sections.append(Section("What other levels would cost", _curves(report)))
    sections.append(Section("Can these samples carry the answer?", _diagnostics(report.alignment)))
    return [*sections, *_files(report), Section("Words used here", _glossary(report))]


def infeasible(report: Report) -> list[Section]:
    """Sections of a report that proves that there is no solution."""
    a = report.alignment
    f = a.infeasibility
    assert f is not None
    low, high = f.samples
    each = f"{low}" if low == high else f"{low} to {high}"
    within = f" with KL ≤ {f.budget:g} nats" if f.budget is not None else ""
    used = {name: u for name, u in f.weights.items() if u > 1e-12}
    mix = " + ".join(name if u == 1 else f"{number(u)}·{name}" for name, u in used.items())
    lead = f"Infeasible. No policy over these responses{within} meets all constraints; nothing was exported."
    proof = (
        f"The proof: choose, for every prompt, the response with the largest {mix}. That averages "
        f"{number(f.achievable)}, and no policy{within} gets more; the constraints need {number(f.required)}."
    )
    alone = [name for name, level in f.levels.items() if f.best[name] < level]
    if alone:
        proof += (
            f" Even alone, {' and '.join(alone)} cannot reach {'its' if len(alone) == 1 else 'their'} level."
        )
    elif len(used) > 1:
        proof += " Each level is within reach alone; together they are not."
    tables = (a.reference_utilities, f.levels, f.best, f.nearest)
    rows = [
        [str(one), *(number(values[one.name], largest(a.scores.utilities[one.name])) for values in tables)]
        for one in a.constraints
    ]
    heads = ["constraint", "reference", "required", "best alone", "nearest feasible"]
    relative = [one for one in a.constraints if one.relative]
    notes: Blocks = []
    if relative:
        notes.append(
            Words(
                "All numbers are averages of the scores themselves: a level relative to the reference has "
                "the reference's average added.",
                "small",
            )
        )
    advice = (
        f"What helps: lower the levels to at most the last column (there, barely: λ would be very large), or "
        f"leave a constraint out. The verdict holds on these samples, {each} responses per prompt: with more "
        "responses per prompt, or from a better model, more may be within reach."
    )
    levels = [Move(n, a.reference_utilities[n], f.best[n], f.levels[n]) for n in f.levels]
    return [
        Section("", [Words(lead, "bad"), Words(proof)]),
        Section(
            "How far it is off",
            [
                Grid(heads, rows),
                *notes,
                Drawing(
                    moves(levels, "Reference and best achievable average of every constraint"),
                    "From the reference (open) to the best that constraint could reach alone (filled); the "
                    "bar is what is required.",
                ),
            ],
        ),
        Section("What to do", [Words(advice)]),
        *_files(report),
    ]


def largest(scores: Floats) -> float:
    """The largest size of a score, against which averages of such scores are rounded."""
    return float(max(np.max(scores), -np.min(scores)))


def quantiles(values: Floats) -> dict[str, float]:
    """Least, a twentieth, median, and most of a number per prompt."""
    names = ("least", "5 %", "median", "most")
    return dict(zip(names, np.quantile(values, [0, 0.05, 0.5, 1]).tolist(), strict=True))


# ------------------------------------------------------------------------------------------------ sections
def formula(report: Report) -> str:
    """The reward to train with: `helpful + 0.83·safe`."""
    a = report.alignment
    terms = [f" + {number(lam)}·{name}" for name, lam in a.multipliers.items() if lam > 0]
    return report.reward + "".join(terms)


def aim(report: Report) -> str:
    """What is maximized: the reward less the price of KL, or under a budget of KL the reward itself."""
    return report.reward + (" − β·KL" if report.alignment.kl_budget is None else "")


def _answer(report: Report) -> Blocks:
    a = report.alignment
    lead = f"Align with the reward  {formula(report)}  and KL weight β = {number(a.beta)}."
    opening: Blocks
    if a.status is Status.SOLVED:
        opening = [Words(f"Solved. {lead}", "good")]
    else:
        opening = [
            Words(f"Not to be used as it is: {a.message}{'' if a.message.endswith('?') else '.'}", "bad"),
            Words(f"As far as it goes: {lead}"),
        ]
    facts = _sample(a) + (
        f" Such a policy has the largest {aim(report)} of all that keep the limits:"
        if a.constraints
        else " No constraints: this is plain KL-regularized alignment."
    )
    told = "\n".join(_constraint_sentence(report, one) for one in a.constraints)
    budget: Blocks = []
    if a.kl_budget is not None:
        error = a.standard_errors.get("beta", 0.0)
        budget.append(
            Words(
                f"β = {with_error(a.beta, error)} is the multiplier of the KL budget of {a.kl_budget:g} "
                f"nats: one more nat would be worth {number(a.beta)} of {report.reward}."
            )
        )
    pointer: Blocks = [Words(note, "warning") for note in report.notes]
    if a.warnings:
        several = f"{len(a.warnings)} reasons" if len(a.warnings) > 1 else "A reason"
        pointer.append(Words(f"{several} for doubt below: can these samples carry the answer?", "warning"))
    return [*opening, Words(facts), *([Words(told)] if told else []), *budget, *pointer]


def _sample(a: Alignment) -> str:
    """What the answer was computed from, as a sentence."""
    low, high = int(a.scores.counts.min()), int(a.scores.counts.max())
    prompts = "1 prompt" if a.scores.n_prompts == 1 else f"{a.scores.n_prompts:,} prompts"
    responses = f"{low} to {high} responses" if low < high else f"{low} response{'s' if low > 1 else ''}"
    return f"From {prompts} with {responses} each."


def _constraint_sentence(report: Report, one: Constraint) -> str:
    a = report.alignment
    lam, error = a.multipliers[one.name], a.standard_errors.get(one.name, 0.0)
    if lam <= 0:
        mean = number(
            a.utilities[one.name] - (a.reference_utilities[one.name] if one.relative else 0.0),
            largest(a.scores.utilities[one.name]),
        )
        return f"• {one} holds by itself (it is {mean}): λ = 0, and it costs nothing."
    if error > 0.5 * lam:
        return (
            f"• {one} binds: λ = {with_error(lam, error)}, which is hardly known: the level is near the most "
            "that these responses allow, or the prompts are too few."
        )
    step = _small_step(one, a)
    return (
        f"• {one} binds: λ = {with_error(lam, error)}. Raising the level by {step:g} would cost about "
        f"{lam * step:.2g} of {aim(report)}."
    )


def with_error(value: float, error: float) -> str:
    """A number with its standard error, in the digits that the error leaves.

    >>> with_error(0.94782, 0.05168), with_error(1234.5, 31.0), with_error(0.5, float("nan"))
    ('0.948 ± 0.052', '1234 ± 31', '0.5')
    >>> with_error(1.0361e15, 5.4e13)
    '1.036e+15 ± 5.4e+13'
    """
    if not (np.isfinite(error) and error > 0):
        return number(value)
    places = max(1 - int(np.floor(np.log10(error))), 0)
    plain = places < 9 and abs(value) < 1e6
    return f"{value:.{places}f} ± {error:.{places}f}" if plain else f"{value:.4g} ± {error:.1e}"


def _small_step(one: Constraint, a: Alignment) -> float:
    """A tenth of what the constraint moved, as a power of ten."""
    moved = abs(a.utilities[one.name] - a.reference_utilities[one.name]) or abs(one.level) or 1.0
    return float(f"{10.0 ** np.floor(np.log10(moved / 3)):.3g}")


def _averages(report: Report) -> Blocks:
    a = report.alignment
    size = largest(a.scores.reward)
    rows = [[report.reward, number(a.reference_reward, size), number(a.reward, size), "", ""]]
    drawn = [Move(report.reward, a.reference_reward, a.reward, None)]
    limited = {one.name for one in a.constraints}
    for name in a.utilities:
        before, after = a.reference_utilities[name], a.utilities[name]
        size = largest(a.scores.utilities[name])
        level = f"≥ {number(a.levels[name], size)}" if name in limited else ""
        share = f"{100 * a.share_below[name]:.1f} %" if name in limited else ""
        rows.append([name, number(before, size), number(after, size), level, share])
        drawn.append(Move(name, before, after, a.levels.get(name)))
    counts = a.scores.counts
    cap = float(np.mean(np.log(counts)))
    words = (
        f"The aligned policy is {number(a.kl)} nats per prompt from the reference (KL). With so many "
        f"responses per prompt no more than {number(cap)} could show, on average log K."
    )
    note = (
        "A constraint limits the average over prompts. “Prompts below” is the share of prompts whose own "
        "average stays under the limit all the same."
    )
    blocks: Blocks = [
        Grid(["average", "reference", "aligned", "required", "prompts below"], rows),
        Words(words),
    ]
    if a.constraints:
        blocks.append(Words(note, "small"))
    blocks.append(
        Drawing(
            moves(drawn, "Averages before and after"),
            "Averages from the reference (open) to the aligned policy (filled), each on a scale of its own; "
            "the bar is the required level.",
        )
    )
    for one in a.constraints:
        values = a.prompt_utilities[one.name]
        share = f"{100 * a.share_below[one.name]:.0f} % of prompts below"
        blocks.append(
            Drawing(
                histogram(
                    values, f"average {one.name} of a prompt", f"{one.name} by prompt",
                    a.levels[one.name], share,
                ),
                f"{one.name} of the aligned policy by prompt; the line is the limit on their average.",
            )
        )  # fmt: skip
    return blocks


def _multipliers(report: Report) -> Blocks:
    a = report.alignment
    if not a.constraints:
        price = f"dP*/dβ = −KL = {number(-a.kl)}" if a.kl_budget is None else f"dP*/dκ = β = {number(a.beta)}"
        return [Words(f"There are none. {price}.")]
    rows, drawn = [], []
    for one in a.constraints:
        lam, error = a.multipliers[one.name], a.standard_errors.get(one.name, float("nan"))
        again = a.bootstrap.standard_errors[one.name] if a.bootstrap else None
        low, high = max(lam - 1.96 * error, 0.0), lam + 1.96 * error
        between = f"{number(low)} … {number(high)}" if lam > 0 else "slack"
        rows.append(
            [str(one), number(lam), number(error), "" if again is None else number(again), between,
             number(-lam)]
        )  # fmt: skip
        drawn.append(Estimate(one.name, lam, error, again))
    drawn_again = ""
    if a.bootstrap:
        lost = f"; {a.bootstrap.failed} more cannot keep the limits" if a.bootstrap.failed else ""
        drawn_again = f" Bootstrap: {len(a.bootstrap.samples)} resamples of the prompts{lost}."
    blocks: Blocks = [
        Grid(["constraint", "λ*", "s.e.", "s.e. bootstrap", "95 % interval", "dP*/db"], rows),
        Words(
            f"λ* is the price of a constraint, in units of {report.reward} per unit of its score. The "
            f"standard errors say how much it would differ had other prompts been drawn.{drawn_again}"
            + (f" dP*/dβ = −KL = {number(-a.kl)}." if a.kl_budget is None else "")
        ),
        Drawing(
            intervals(drawn, "Multipliers with 95 % intervals"),
            "λ* with 95 % intervals"
            + (": thick by the sandwich formula, thin by the bootstrap." if a.bootstrap else "."),
        ),
    ]  # fmt: skip
    names = [one.name for one in a.constraints]
    if any(lam > 0 for lam in a.multipliers.values()):
        matrix = [
            [f"λ of {names[i]}", *[number(float(v)) for v in a.level_response[i]]] for i in range(len(names))
        ]
        blocks += [
            Words("How λ* itself moves when a level is raised by one unit (dλ/db):"),
            Grid(["", *[f"level of {name}" for name in names]], matrix),
        ]
    return blocks


def _certificate(a: Alignment) -> Blocks:
    c = a.certificate
    sizes = [1.0, *(abs(v) for v in a.levels.values()), abs(a.reward)]
    fine = max(c.violation, abs(c.gap), c.projected_gradient) <= FINE * max(sizes)
    verdict = (
        "Yes, and this is the proof, which needs no trust in the solver:" if fine
        else "Not to the digit; these three numbers should be zero:"
    )  # fmt: skip
    rows = [
        ["largest violation", _exponent(c.violation), "the limits hold"],
        ["duality gap λᵀ∇D", _exponent(abs(c.gap)), "no policy that keeps them gains more than this"],
        ["projected gradient", _exponent(c.projected_gradient), "no other λ ≥ 0 has a lower dual value"],
    ]
    return [Words(verdict), Grid(["should be zero", "is", "so that"], rows, numbers=[1])]


def _exponent(value: float) -> str:
    return f"{value:.0e}" if value else "0"


def _curves(report: Report) -> Blocks:
    a = report.alignment
    blocks: Blocks = [
        Words(
            f"The same problem at other levels of one constraint, the others kept. The slope of the "
            f"objective P* = {aim(report)} is −λ: where λ is large, more of the constraint is dear."
        )
    ]
    for name, curve in report.curves.items():
        one = next(c for c in a.constraints if c.name == name)
        blocks += _curve(report, one, curve)
    return blocks


def _curve(report: Report, one: Constraint, curve: Pareto) -> Blocks:
    # of a relative constraint, what is above the reference, so that it can be held against the level
    ground = report.alignment.reference_utilities[one.name] if one.relative else 0.0
    scores = report.alignment.scores
    g, r = largest(scores.utilities[one.name]), largest(scores.reward)
    rows = []
    for k, level in enumerate(curve.levels):
        mark = "  ← chosen" if level == one.level else ""
        if curve.status[k] is Status.INFEASIBLE:
            rows.append([f"{number(float(level))}{mark}", "infeasible", "", "", "", ""])
            continue
        cells = (
            (curve.utility - ground, g), (curve.reward, r), (curve.kl, 0.0), (curve.objective, r),
            (curve.multiplier, 0.0),
        )  # fmt: skip
        shown = [number(float(column[k]), size) for column, size in cells]
        rows.append([f"{number(float(level))}{mark}", *shown])
    relative = " (above the reference)" if one.relative else ""
    found = f"E {one.name}{' − ref.' if one.relative else ''}"
    heads = [f"{one.name} ≥{relative}", found, f"E {report.reward}", "KL", "objective P*", "λ = −slope"]
    grid = Grid(heads, rows)
    own = int(np.argmin(np.abs(curve.levels - one.level)))
    solved_ones = np.isfinite(curve.objective)
    if np.sum(solved_ones) < 2 or not solved_ones[own]:
        return [grid]
    level, value, lam = (float(v[own]) for v in (curve.levels, curve.objective, curve.multiplier))
    ends = np.array([curve.levels[solved_ones].min(), curve.levels[solved_ones].max()])
    tangent = Series(ends, value - lam * (ends - level), "tangent", label=f"slope −{number(lam)}")
    objective = Series(curve.levels, curve.objective, dots=True, label="P*")
    return [
        grid,
        Drawing(
            plot([objective, tangent], f"level of {one.name}{relative}", aim(report),
                 f"Objective over the level of {one.name}", (level, value, "chosen")),
            f"What a level of {one.name} costs: the objective falls, with slope −λ at the chosen level.",
        ),
        Drawing(
            plot([Series(curve.levels, curve.multiplier, dots=True)], f"level of {one.name}{relative}", "λ*",
                 f"Multiplier over the level of {one.name}", (level, lam, f"λ* = {number(lam)}"),
                 mark_left=True),
            f"The price λ* of {one.name} as its level rises.",
        ),
    ]  # fmt: skip


# What each diagnostic is, and whether its numbers are shares.
MEANINGS = {
    "single responses": ("prompts where nothing can be changed", False),
    "constant utilities": ("prompts where all responses score the same", True),
    "prompts": ("what the standard errors rest on", False),
    "reference weights": ("share of the responses that log_base lets count", True),
    "effective sample size": ("responses of a prompt in real use, 1/Σπ²", False),
    "best of K": ("prompts where fewer than 2 are in real use", True),
    "KL against log K": ("the most that K responses can show is log K", False),
    "condition of ∇²D": ("if large, the multipliers are not unique", False),
    "share below the level": ("prompts whose own average is below", True),
    "error of λ*": ("standard errors over λ*, where it is not 0", True),
    "drift with K": ("λ* from all responses minus from half of them", False),
}


def _diagnostics(a: Alignment) -> Blocks:
    warnings = [Words(f"{d.text[0].upper()}{d.text[1:]}.", "warning") for d in a.diagnostics if d.text]
    rows = []
    for d in a.diagnostics:
        meaning, share = MEANINGS.get(d.name, ("", False))
        rows.append(["!" if d.text else "ok", d.name, _value(d.value, share), meaning])
    blocks: Blocks = [*(warnings or [Words("Nothing to warn of.", "good")])]
    if rows:
        blocks.append(Grid(["", "looked at", "found", "what it is"], rows, numbers=[]))
    blocks.append(
        Drawing(
            histogram(a.effective_sizes, "responses that count, 1/Σπ²", "Effective sample size by prompt"),
            f"How many of a prompt's responses the aligned policy really uses (median "
            f"{number(float(np.median(a.effective_sizes)))}); near 1 it is best-of-K.",
        )
    )
    return blocks


def _value(value: float | Mapping[str, float], share: bool) -> str:
    def one(v: float) -> str:
        return f"{100 * v:.1f} %" if share else f"{v:,.0f}" if float(v).is_integer() else f"{v:.3g}"

    if not isinstance(value, Mapping):
        return one(value)
    if "50 %" in value:  # quantiles: three are enough in a line
        value = {name: v for name, v in value.items() if name in ("5 %", "50 %", "95 %")}
        return " · ".join(map(one, value.values())) + "  (5, 50, 95 %)"
    return ", ".join(f"{name} {one(v)}" for name, v in value.items())


def _files(report: Report) -> list[Section]:
    if not report.written:
        return []
    return [Section("Files", [Grid(["file", "what is in it"], [list(pair) for pair in report.written], [])])]


def _glossary(report: Report) -> Blocks:
    reward = report.reward
    words = {
        "reference": "the policy that the responses were sampled from (π_ref)",
        "aligned": f"prefers responses of large combined reward: π* ∝ π_ref·exp(({reward} + λ·…)/β)",
        "KL": "how far the aligned policy is from the reference, in nats; β is its price",
        "λ*": "the weight with which plain training keeps a constraint, and its price; 0 if it holds anyway",
        "s.e.": "standard error over the draw of prompts",
        "on these samples": "the reference is known by the file's responses only; a policy that could "
        "say something else may do better",
    }
    return [Words("\n".join(f"{word}: {meaning}." for word, meaning in words.items()), "small")]
