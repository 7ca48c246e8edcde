"""The page of results, for a reader who knows nothing of this; and its numbers as Markdown for the docs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adjoint.models.alignment.charts import WIDTH, Estimate, Series, intervals, plot, ticks
from adjoint.models.alignment.page import page
from adjoint.models.alignment.sections import Drawing, Grid, Section, Words, escaped

from .experiment import AtBeta, Average, Results, Row
from .scorers import Panel
from .text import LICENCE, PACKAGE, VERSION

TITLE = "A sharper critic who stays polite: aligning a small language model under a constraint"
SAMPLES = 10
WHO = {
    "reference": "before (the reference)",
    "free tilt": "on paper, no limit",
    "tilt": "on paper, at λ*",
    "dpo": "one-shot, DPO",
    "gradient": "one-shot, policy gradient",
    "iterative": "iterative",
}
Blocks = list[Words | Grid | Drawing]


def html(results: Results, scorers: Panel, command: str) -> str:
    """The whole page; one file, no network, no script."""
    return page(TITLE, sections(results, scorers), command)


def sections(results: Results, scorers: Panel) -> list[Section]:
    """Titles with words, tables and drawings, in reading order."""
    return [
        Section("", _answer(results)),
        Section("What was done, in plain words", _story(results)),
        Section("Who judges", _judges(results, scorers)),
        Section("The price, before anything is trained", _prices(results)),
        Section("Required and achieved, on prompts that nothing was tuned on", _exam(results)),
        Section("The way of the multiplier", _path(results)),
        Section("What the two judges say who only looked on", _onlookers(results)),
        Section("Side by side", _samples(results)),
        Section("Where this fails", _failures(results)),
        Section("Words used here", _glossary()),
        Section("How it was made", _made(results)),
    ]


# ------------------------------------------------------------------------------------------- the verdict
def met(row: Row, level: float) -> bool:
    """Whether the limit is kept within one standard error."""
    slack = row.slack(level)
    return slack.mean >= -slack.error


def verdict(row: Row, level: float) -> str:
    """The same in words."""
    slack = row.slack(level)
    if slack.mean >= 0:
        return "kept"
    word = "kept within its error" if met(row, level) else "missed"
    return f"{word}: {-slack.mean / slack.error:.1f} s.e. below"


def _pm(x: Average, digits: int = 3) -> str:
    return f"{x.mean:.{digits}f} ± {x.error:.{digits}f}"


def _answer(results: Results) -> Blocks:
    level = results.settings.level
    rows = [at.row("iterative") for at in results.found]
    kept = [met(row, level) for row in rows]
    bold = max(results.found, key=lambda at: at.row("iterative").scores["sharp"].mean)
    before, after = results.reference.scores, bold.row("iterative").scores
    lead = (
        f"Asked to be sharper, and required to be judged polite to a degree of {level:g} on average, the "
        f"model became "
        f"both: at β = {bold.beta:g} sharpness went from {_pm(before['sharp'])} to {_pm(after['sharp'])}, "
        f"politeness from "
        f"{_pm(before['clean'])} to {_pm(after['clean'])}, measured on {results.settings.exam} beginnings "
        f"of sentences "
        "that were used for nothing else."
    )
    count = (
        f"Iterative dualization keeps the limit, within its standard error, at {sum(kept)} of {len(kept)} β."
    )
    shots = [(at, who) for at in results.found for who in ("dpo", "gradient")]
    ok = sum(met(at.row(who), level) for at, who in shots)
    return [
        Words(lead + " " + count, "good" if all(kept) else "bad"),
        Words(
            f"Training once at the price λ* that is computed beforehand keeps it in {ok} of {len(shots)} "
            f"cases: λ* is "
            "right for a policy that can say anything, and a trained one cannot."
        ),
    ]


def _story(results: Results) -> Blocks:
    s = results.settings
    return [
        Words(
            "A small program has read eight thousand sentences of film reviews and learnt to continue "
            "them, one word "
            "after the other. Give it four words, and it goes on; its English is that of a small model. We "
            "call it the "
            "reference."
        ),
        Words(
            "We want a sharper critic: sentences that sound more negative. That is the reward. What sounds "
            "negative is "
            "often insulting, too (stupid, idiotic, sucks), and that we do not want. So there is a limit: "
            "on average, "
            f"the chance that a sentence is not offensive, as a trained classifier sees it, must be at "
            f"least {s.level:g}; "
            f"for the reference it is {_pm(results.reference.scores['clean'])}. And the new model should "
            f"stay close to "
            "the old one, or it would say the one worst thing it knows again and again: every departure "
            "costs, by a "
            "weight β. A large β keeps the model tame, a small one lets it go far."
        ),
        Words(
            "How much sharpness should one give up for a bit of politeness? That exchange rate is a "
            "number, λ, and it "
            "need not be guessed. From "
            f"{s.k} continuations of each of {s.practice} beginnings, and their scores, it is computed "
            f"before anything is "
            "trained: λ*. Then the model is trained for sharpness + λ* · politeness, in the two usual "
            "ways: from "
            "comparisons (DPO), or by trying and being scored (policy gradient). That is the one-shot way. "
            "The "
            "iterative way looks at what came out, raises λ where the limit is missed, lowers it where "
            "there is room, "
            "and trains on."
        ),
        Words(
            "What is trained are the model's biases: how much it likes each word, and how its memory is "
            "inclined. That "
            "is little, and on purpose: λ* is exact for policies that can do anything, so the question is "
            "what it is "
            "worth for one that cannot.",
        ),
    ]  # fmt: skip


def _judges(results: Results, scorers: Panel) -> Blocks:
    use = ("reward", "limit", "looks on", "looks on")
    rows = [
        [
            one.name,
            f"{one.package} {one.version}",
            one.licence,
            one.means,
            what,
            f"{results.people[one.name]:+.2f}",
        ]
        for one, what in zip(scorers, use, strict=True)
    ]
    return [
        Words(
            f"The text is that of {PACKAGE} {VERSION} ({LICENCE} licence): sentences of film reviews, each "
            f"rated by twenty "
            "people. The last column is the correlation of a judge with these ratings, on sentences that "
            "the model did "
            "not read: −1 would be a judge of negativity that agrees with people in everything."
        ),
        Grid(["judge", "package", "licence", "its number", "use here", "people"], rows, (5,)),
        Words(
            "No judge is right about everything; a lexicon counts “dark” and “war” as negative in the "
            "kindest review. "
            "The model learns what these programs call sharp and polite, and nothing else.", "small",
        ),
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------ λ*
def best_of(alignment) -> float:
    """Share of prompts in which fewer than two responses count."""
    return float(alignment.diagnostic("best of K").value)


def _prices(results: Results) -> Blocks:
    rows = []
    for a in results.papers:
        low, middle, high = np.quantile(a.effective_sizes, (0.25, 0.5, 0.75))
        rows.append(
            [
                f"{a.beta:g}", f"{a.multipliers['clean']:.3f} ± {a.standard_errors['clean']:.3f}",
                f"{a.reward:+.3f}", f"{a.utilities['clean']:.3f}", f"{a.kl:.3f}",
                f"{middle:.1f} ({low:.1f}–{high:.1f})", f"{100 * best_of(a):.0f} %",
                "yes" if best_of(a) <= 0.5 else "no: best of K",
            ]
        )  # fmt: skip
    heads = ["β", "λ*", "sharp", "clean", "KL", "effective responses", "prompts with < 2", "can be trusted"]
    betas = np.array([a.beta for a in results.papers])
    sizes = np.array([np.median(a.effective_sizes) for a in results.papers])
    lams = [
        Estimate(f"β = {a.beta:g}", a.multipliers["clean"], a.standard_errors["clean"], None)
        for a in results.papers
    ]
    k = results.settings.k
    return [
        Words(
            "λ* says how many points of sharpness one point of politeness is worth at the optimum. Its "
            "standard error "
            "is what another draw of prompts would change. The other columns are what the ideal policy "
            "would reach on "
            "these very samples: the reference's responses, weighted by how good they are."
        ),
        Grid(heads, rows, (1, 2, 3, 4, 5, 6)),
        Drawing(intervals(lams, "λ* at each β"), "The price λ* with 95 % intervals, at each β."),
        Drawing(
            plot(
                [Series(np.log10(betas), sizes, dots=True)],
                "log₁₀ β",
                "effective responses of each prompt",
                "samples",
            ),
            f"Of {k} responses to a prompt so many count, in the median. Towards small β, on the left, one "
            f"is left: the "
            "best of the sample, and λ* speaks of a contest, not of a policy.",
        ),
    ]


# ----------------------------------------------------------------------------------------------- exam
def _exam(results: Results) -> Blocks:
    level, blocks = results.settings.level, Blocks()
    blocks.append(
        Words(
            f"Required: clean ≥ {level:g}. Everything below was measured on {results.settings.exam} "
            f"prompts that had no "
            f"part in λ* or in training, with {results.settings.exam_k} new responses each; ± is one "
            f"standard error over "
            "prompts. “On paper” are the reference's own responses, weighted as the theory would: what λ* "
            "promises if "
            "the policy could be anything."
        )
    )
    heads = ["policy", "λ", "clean", "limit", "sharp", "KL", "sharp 2", "clean 2"]
    for at in results.found:
        rows = [_row(results.reference, level, 0), *(_row(row, level, at.beta) for row in at.rows)]
        blocks.append(Words(f"β = {at.beta:g}"))
        blocks.append(Grid(heads, rows, (1, 2, 4, 5, 6, 7)))
    for at in results.found:
        blocks.append(
            Drawing(
                against([results.reference, *at.rows], level, f"politeness at β = {at.beta:g}"),
                f"β = {at.beta:g}: politeness of each policy with 95 % intervals, and the limit.",
            )
        )
    return blocks


def _row(row: Row, level: float, beta: float) -> list[str]:
    scores = row.scores
    return [
        WHO[row.who], "" if np.isnan(row.lam) else f"{row.lam:.2f}", _pm(scores["clean"], 4),
        verdict(row, level), _pm(scores["sharp"]), _pm(row.kl), _pm(scores["sharp 2"]),
        _pm(scores["clean 2"]),
    ]  # fmt: skip


def against(rows: Sequence[Row], level: float, title: str) -> str:
    """Politeness of policies, one row each on one axis, with 95 % intervals; a bar stands at the limit."""
    values = [row.scores["clean"] for row in rows]
    low = min(level, *(v.mean - 2.2 * v.error for v in values))
    high = max(level, *(v.mean + 2.2 * v.error for v in values))
    height, left, right = 34 * len(rows) + 40, 158, WIDTH - 16

    def x(value: float) -> float:
        return round(left + (right - left) * (value - low) / (high - low), 1)

    floor = height - 30
    parts = [
        f'<line class="grid" x1="{x(t)}" x2="{x(t)}" y1="6" y2="{floor}"/>'
        f'<text class="tick" x="{x(t)}" y="{floor + 16}" text-anchor="middle">{t:g}</text>'
        for t in ticks(low, high, 4)
    ]
    parts.append(f'<line class="limit" x1="{x(level)}" x2="{x(level)}" y1="6" y2="{floor}"/>')
    for k, (row, v) in enumerate(zip(rows, values, strict=True)):
        y = 34 * k + 24
        kind = "after" if row.who not in ("free tilt", "reference", "tilt") else "before"
        parts.append(f'<text class="name" x="4" y="{y + 4}">{escaped(WHO[row.who].split(" (")[0])}</text>')
        ends = f'x1="{x(v.mean - 1.96 * v.error)}" x2="{x(v.mean + 1.96 * v.error)}"'
        parts.append(f'<line class="thick" {ends} y1="{y}" y2="{y}"/>')
        parts.append(f'<circle class="{kind}" cx="{x(v.mean)}" cy="{y}" r="5"/>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escaped(title)}">'
        f"<title>{escaped(title)}</title>{''.join(parts)}</svg>"
    )


# ------------------------------------------------------------------------------------------ the way of λ
def _path(results: Results) -> Blocks:
    blocks: Blocks = [
        Words(
            "λ ← [λ − η (politeness − limit)]₊: after each round of training the policy is measured on the "
            "practice "
            "prompts, and λ moves against what is missing or left over. The start is λ*, the policy goes "
            "on from where "
            "it was. The aim lies one standard error above the limit, since practice prompts are a sample, "
            "too."
        )
    ]
    for at in results.found:
        t = np.arange(1, len(at.path) + 1, dtype=float)
        lam, clean = np.array([r.lam for r in at.path]), np.array([r.clean.mean for r in at.path])
        blocks.append(
            Drawing(
                plot([Series(t, lam, dots=True)], "round", "λ", f"the multiplier at β = {at.beta:g}"),
                f"β = {at.beta:g}: from λ* = {lam[0]:.3f} to {lam[-1]:.3f}.",
            )
        )
        level = np.full(len(t), results.settings.level)
        curves = [
            Series(t, clean, dots=True, label="politeness"),
            Series(t[[0, -1]], level[[0, -1]], "tangent", label="limit"),
        ]
        blocks.append(
            Drawing(
                plot(curves, "round", "clean, on practice prompts", f"politeness at β = {at.beta:g}"),
                f"β = {at.beta:g}: politeness after each round.",
            )
        )
    return blocks


def _onlookers(results: Results) -> Blocks:
    lines = []
    for at in results.found:
        row, ref = at.row("iterative"), results.reference
        parts = []
        for name, words in (("sharp 2", "sharpness"), ("clean 2", "politeness")):
            a, b = ref.scores[name], row.scores[name]
            change, error = b.mean - a.mean, float(np.hypot(a.error, b.error))
            parts.append(f"{words} {change:+.3f} ± {error:.3f}, {_opinion(change, error)}")
        lines.append(f"• β = {at.beta:g}, iterative against before: {'; '.join(parts)}")
    return [
        Words(
            "TextBlob and better-profanity had no part in anything. If the model had only learnt to please "
            "VADER and the "
            "classifier, these two would see no change, or the opposite."
        ),
        Words("\n".join(lines)),
        Words(
            "How much of the change is real? Sharpness by VADER is compared with sharpness by TextBlob in "
            "units of what "
            f"each spreads: {_share(results)}.", "small",
        ),
    ]  # fmt: skip


def _opinion(change: float, error: float) -> str:
    if abs(change) < 2 * error:
        return "which may be chance"
    return "which they confirm" if change > 0 else "the opposite of what was meant"


def _share(results: Results) -> str:
    parts = []
    for at in results.found:
        row, ref = at.row("iterative").scores, results.reference.scores
        one, two = ((row[n].mean - ref[n].mean) / ref[n].error for n in ("sharp", "sharp 2"))
        parts.append(f"at β = {at.beta:g} {one:.0f} and {two:.0f} standard errors")
    return "; ".join(parts)


def _samples(results: Results) -> Blocks:
    blocks: Blocks = [
        Words(
            f"The first {SAMPLES} prompts of the exam and the first response to each, whatever it says. "
            f"The program that "
            "wrote them has no idea what a film is."
        )
    ]
    for at in results.found[:: max(len(results.found) - 1, 1)]:  # the mildest and the boldest
        rows = []
        for k in range(min(SAMPLES, len(results.prompts))):
            begin = results.prompts[k]
            rest = [
                text.removeprefix(begin).strip()
                for text in (results.before[k], *(at.samples[w][k] for w in TRAINED))
            ]
            rows.append([f"{begin} …", *rest])
        blocks += [
            Words(f"β = {at.beta:g}"),
            Grid(["prompt", "before", *(WHO[w] for w in TRAINED)], rows, ()),
        ]
    return blocks


TRAINED = ("dpo", "gradient", "iterative")


# ------------------------------------------------------------------------------------------ its limits
def _failures(results: Results) -> Blocks:
    s, blocks = results.settings, Blocks()
    for a in results.papers:
        for text in a.warnings:
            blocks.append(Words(f"β = {a.beta:g}: {text}.", "warning"))
    blocks.append(
        Words(
            f"Small β. λ* comes from {s.k} responses of each prompt. When β is small, nearly all the "
            f"weight falls on the "
            f"best one of them; nothing above log {s.k} = {np.log(s.k):.2f} nats of KL can be expressed, "
            f"and with more "
            "responses another λ* would come out. The table says so, by the number of responses that "
            "count; a λ* whose "
            "responses do not count should not be trained with."
        )
    )
    gaps = [
        at.row(w).scores["clean"].mean - at.row("tilt").scores["clean"].mean
        for at in results.found
        for w in ("dpo", "gradient")
    ]
    blocks.append(
        Words(
            f"One-shot. The policies trained at λ* are between {min(gaps):+.3f} and {max(gaps):+.3f} of "
            f"politeness away from "
            "what the same λ* gives on paper. A policy with few parameters, trained for a minute, does not "
            "reach the "
            "tilted reference; it reaches less sharpness for more KL."
        )
    )
    for at in results.found:
        ideal, real = at.row("tilt"), at.row("iterative")
        blocks.append(
            Words(
                f"β = {at.beta:g}: on paper sharp {ideal.scores['sharp'].mean:+.3f} at KL "
                f"{ideal.kl.mean:.2f}; iterative "
                f"{real.scores['sharp'].mean:+.3f} at KL {real.kl.mean:.2f}.", "small",
            )
        )  # fmt: skip
    blocks.append(
        Words(
            "Judges. A limit on a score is a limit on that score. What the classifier has never seen as "
            "offensive is not "
            "limited, and harmless sentences with an unlucky word are."
        )
    )
    return blocks


def _glossary() -> Blocks:
    return [
        Words(
            "• β: what a nat of departure from the reference costs.\n"
            "• KL: how far a policy is from the reference, in nats: the mean of log π − log π_ref of what "
            "it says.\n"
            "• λ, the multiplier: what one unit of politeness is worth, in units of sharpness; λ* is that "
            "of the optimum.\n"
            "• ± or s.e., standard error: how much a number would change with other prompts; about two of "
            "them make a "
            "95 % interval.\n"
            "• effective responses: 1 / Σ w² of the weights w of a prompt's responses; 1 means that a "
            "single one counts.\n"
            "• DPO: training on pairs of which one is preferred, here with probability σ(Δ(sharp + λ* "
            "clean)).\n"
            "• policy gradient: training on responses of the policy itself, made likelier the better they "
            "score."
        )
    ]


def _made(results: Results) -> Blocks:
    s = results.settings
    total = sum(results.seconds.values())
    cores = f"{results.processor:.0f} of processor time"
    rows = [[what, f"{seconds:.0f}"] for what, seconds in results.seconds.items()]
    return [
        Words(
            f"Seed {s.seed}; {total:.0f} seconds in all, {cores}. Language model: a gated recurrent unit of "
            f"{s.units}, "
            f"{s.steps} steps of {s.batch} sentences; responses of at most {s.words} words at temperature "
            f"{s.temperature:g}. "
            f"DPO: {s.pairs} pairs of each prompt, exported as JSON lines and read back. Policy gradient: "
            f"{s.gradient_steps} steps; iterative: {s.rounds} rounds of {s.round_steps} more."
        ),
        Grid(["what", "seconds"], rows),
    ]


# ------------------------------------------------------------------------------------------- for the docs
def markdown(results: Results, scorers: Panel, picture: str, command: str) -> str:
    """The verdict, the two tables and the picture, as Markdown."""
    level = results.settings.level
    words = [block.text for block in _answer(results)]
    lines = [
        f"# {TITLE}",
        "",
        f"Written by `{command}`; the page it makes beside this file says it all in plain words.",
        "",
    ]
    lines += [
        *(f"{text}\n" for text in words),
        f"![politeness of each policy, and the way of λ]({picture})",
        "",
    ]
    grids = [block for block in _prices(results) if isinstance(block, Grid)]
    lines += [
        "## The price before training",
        "",
        *_table(grids[0]),
        "",
        f"## Required: clean ≥ {level:g}",
        "",
    ]
    for at in results.found:
        rows = [_row(results.reference, level, 0), *(_row(row, level, at.beta) for row in at.rows)]
        heads = ["policy", "λ", "clean", "limit", "sharp", "KL", "sharp 2", "clean 2"]
        lines += [f"β = {at.beta:g}", "", *_table(Grid(heads, rows)), ""]
    judges = next(block for block in _judges(results, scorers) if isinstance(block, Grid))
    lines += ["## Who judges", "", *_table(judges), ""]
    return "\n".join(lines)


def _table(grid: Grid) -> list[str]:
    return [
        "| " + " | ".join(grid.heads) + " |", "|" + " --- |" * len(grid.heads),
        *("| " + " | ".join(row) + " |" for row in grid.rows),
    ]  # fmt: skip


def text(results: Results, at: AtBeta) -> str:
    """One β's table for the terminal."""
    level = results.settings.level
    rows = [_row(results.reference, level, 0), *(_row(row, level, at.beta) for row in at.rows)]
    return Grid(["policy", "λ", "clean", "limit", "sharp", "KL", "sharp 2", "clean 2"], rows, (1,)).text()
