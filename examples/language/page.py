"""The page of results, for a reader who knows nothing of this; and its numbers as Markdown for the docs."""

from __future__ import annotations

import numpy as np

from adjoint.models.alignment.charts import Estimate, Series, intervals, plot
from adjoint.models.alignment.page import page
from adjoint.models.alignment.sections import Drawing, Grid, Section, Words

from .doubts import failures, onlookers, samples
from .results import Results
from .scorers import Panel
from .settings import QUICK
from .tables import Blocks, against, best_of, exam, leading, met, pm, signed
from .text import LICENCE, PACKAGE, VERSION

TITLE = "A sharper critic who stays polite: aligning a small language model under a constraint"


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
        Section("Required and achieved, on prompts that had no part in it", _exam(results)),
        Section("The way of the multiplier", _path(results)),
        Section("What the two judges say who only looked on", onlookers(results)),
        Section("Side by side", samples(results)),
        Section("Where this fails", failures(results)),
        Section("Words used here", _glossary()),
        Section("How it was made", _made(results)),
    ]


def _answer(results: Results) -> Blocks:
    level, at = results.settings.level, leading(results)
    kept = [met(one.row("iterative"), level) for one in results.found]
    before, after = results.reference.scores, at.row("iterative").scores
    sharper = after["sharp"].mean - before["sharp"].mean > np.hypot(
        after["sharp"].error, before["sharp"].error
    )
    lead = (
        f"Asked to be sharper, and required to be inoffensive with a chance of {100 * level:g} % on "
        f"average, a small language model {_became(bool(sharper), met(at.row('iterative'), level))}. "
        f"Sharpness, between −1 and 1, went from {pm(before['sharp'])} to {pm(after['sharp'])}, and "
        f"politeness, the chance of not being offensive, from {pm(before['clean'])} to "
        f"{pm(after['clean'])}: measured on {results.settings.exam} beginnings of sentences on which nothing "
        f"was trained, at β = {at.beta:g}, the weight of staying close to the model as it was. Iterative "
        "dualization, training that corrects the price of politeness as it goes, keeps the limit within its "
        f"standard error at {_of(sum(kept), len(kept))}."
    )
    blocks: Blocks = [Words(lead, "good" if sharper and all(kept) else "bad"), Words(_shots(results))]
    if results.settings == QUICK:
        said = "These are seconds of work, to see that everything runs: the numbers mean nothing."
        blocks.insert(0, Words(said, "warning"))
    return blocks


def _of(some: int, all_: int) -> str:
    if all_ == 1:
        return "this β" if some else "no β"
    return f"{'each' if some == all_ else some} of {all_} values of β"


def _became(sharper: bool, polite: bool) -> str:
    if sharper:
        return "became both" if polite else "became sharper, and missed the limit"
    return "kept the limit, and became no sharper" if polite else "became neither"


def _shots(results: Results) -> str:
    """How training at a fixed λ* did, and whether more of it would have been enough."""
    level, found = results.settings.level, results.found
    short = [met(one.row(who), level) for one in found for who in ("dpo", "gradient")]
    longer = [met(one.row("longer"), level) for one in found]
    text = (
        f"Training once at the price λ* that is computed beforehand keeps it in {sum(short)} of {len(short)} "
        f"cases; with as many steps at λ* as the iterative way has, in {sum(longer)} of {len(longer)}."
    )
    if not all(short):
        text += " λ* is right for a policy that can say anything, and a trained one cannot."
    if not any(longer):
        text += " More training alone does not mend that: it is the higher λ that keeps the limit."
    return text


def _story(results: Results) -> Blocks:
    s = results.settings
    return [
        Words(
            "A small program has read eight thousand sentences of film reviews and learned to continue "
            "them, one word after the other. Give it four words, and it goes on; its English is that of a "
            "small model. We call it the reference."
        ),
        Words(
            "We want a sharper critic: sentences that sound more negative. That is the reward. What sounds "
            "negative is often insulting, too (stupid, idiotic, sucks), and that we do not want. So there "
            "is a limit: on average, the chance that a sentence is not offensive, as a trained classifier "
            f"sees it, must be at least {s.level:g}; for the reference it is "
            f"{pm(results.reference.scores['clean'])}. And the new model should stay close to the old one, "
            "or it would say the one worst thing it knows again and again: every departure costs, by a "
            "weight β. A large β keeps the model tame, a small one lets it go far."
        ),
        Words(
            "How much sharpness should one give up for a bit of politeness? That exchange rate is a "
            f"number, λ, and it need not be guessed. From {s.k} continuations of each of {s.practice} "
            "beginnings, and their scores, it is computed before anything is trained: λ*. Then the model "
            "is trained for sharpness + λ* · politeness, in the two usual ways: from comparisons (DPO), or "
            "by trying and being scored (policy gradient). That is the one-shot way. The iterative way "
            "looks at what came out, raises λ where the limit is missed, lowers it where there is room, "
            "and trains on."
        ),
        Words(
            "What is trained are the model's biases: how much it likes each word, and how its memory is "
            "inclined. That is little, and on purpose: λ* is exact for policies that can do anything, so "
            "the question is what it is worth for one that cannot.",
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
            f"{signed(results.people[one.name], 2)}",
        ]
        for one, what in zip(scorers, use, strict=True)
    ]
    return [
        Words(
            f"The text is that of {PACKAGE} {VERSION} ({LICENCE} licence): sentences of film reviews, each "
            "rated by twenty people. The last column is the correlation of a judge with these ratings, on "
            "sentences that the model did not read: −1 would be a judge of negativity that agrees with "
            "people in everything."
        ),
        Grid(["judge", "package", "licence", "its number", "use here", "with people"], rows, (5,)),
        Words(
            "No judge is right about everything; a lexicon counts “dark” and “war” as negative in the "
            "kindest review. The model learns what these programs call sharp and polite, and nothing else.",
            "small",
        ),
    ]  # fmt: skip


def _prices(results: Results) -> Blocks:
    rows, k = [], results.settings.k
    for a in results.papers:
        low, middle, high = np.quantile(a.effective_sizes, (0.25, 0.5, 0.75))
        rows.append(
            [
                f"{a.beta:g}", f"{a.multipliers['clean']:.3f} ± {a.standard_errors['clean']:.3f}",
                signed(a.reward), f"{a.utilities['clean']:.3f}", f"{a.kl:.3f}",
                f"{middle:.1f} ({low:.1f}–{high:.1f})", f"{100 * best_of(a):.0f} %",
                "yes" if best_of(a) <= 0.5 else f"no: best of {k}",
            ]
        )  # fmt: skip
    heads = ["β", "λ*", "sharp", "clean", "KL", "effective responses", "< 2 of them", "can be trusted"]
    betas = np.array([a.beta for a in results.papers])
    sizes = np.array([np.median(a.effective_sizes) for a in results.papers])
    lams = [
        Estimate(f"β = {a.beta:g}", a.multipliers["clean"], a.standard_errors["clean"], None)
        for a in results.papers
    ]
    return [
        Words(
            "λ* says how many points of sharpness one point of politeness is worth at the optimum. Its "
            "standard error is what another draw of prompts would change. The next columns are what the "
            "ideal policy would reach on these very samples: the reference's responses, weighted by how "
            f"good they are. Of the {k} responses to a prompt so many have a weight that counts: the median "
            "and the middle half of the prompts, and the share of prompts in which fewer than two do."
        ),
        Grid(heads, rows, (1, 2, 3, 4, 5, 6)),
        Drawing(intervals(lams, "λ* at each β"), "The price λ* with 95 % intervals, at each β."),
        Drawing(
            plot(
                [Series(np.log10(betas), sizes, dots=True)],
                "β",
                "effective responses of each prompt",
                "samples",
                x_ticks=[(float(np.log10(beta)), f"{beta:g}") for beta in betas],
            ),
            f"Of {k} responses to a prompt so many count, in the median. Towards small β, on the left, one "
            "is left: the best of the sample, and λ* speaks of a contest, not of a policy.",
        ),
    ]


def _exam(results: Results) -> Blocks:
    level, blocks = results.settings.level, Blocks()
    blocks.append(
        Words(
            f"Required: clean ≥ {level:g}. Everything below was measured on {results.settings.exam} prompts "
            f"that had no part in λ* or in training, with {results.settings.exam_k} new responses each; ± is "
            "one standard error over prompts. “Kept” means within one of them, and the number beside it says "
            "how many standard errors below the limit a policy is. “On paper” is what λ* promises if the "
            "policy could be anything: the reference's own responses to these prompts, weighted as the "
            "theory would. There are few of each, so that at small β it reaches less than it could. "
            "“One-shot” are trained at λ*; “longer” is the policy gradient again, for as many steps as "
            "“iterative” has, so that these two differ in λ alone."
        )
    )
    blocks.append(
        Words(
            "Rates, numbers of steps and the limit itself were chosen after trial runs on held-out sentences "
            "in other orders: what is examined here is λ* and the training, not how their settings were "
            "found. And ± speaks of other prompts; another seed trains another model, which moves rows, too.",
            "small",
        )
    )
    for at in results.found:
        blocks += [Words(f"β = {at.beta:g}", "heading"), exam(results, at)]
    for at in results.found:
        blocks.append(
            Drawing(
                against([results.reference, *at.rows], level, f"politeness at β = {at.beta:g}"),
                f"β = {at.beta:g}: politeness of each policy with 95 % intervals, and the limit. Filled: "
                "trained.",
            )
        )
    return blocks


def _path(results: Results) -> Blocks:
    blocks: Blocks = [
        Words(
            "λ ← [λ − η (politeness − limit)]₊: after each round of training the policy is measured on the "
            "practice prompts, and λ moves against what is missing or left over. The start is λ*, the "
            "policy goes on from where it was. The aim lies one standard error above the limit, since "
            "practice prompts are a sample, too. Where λ ends above λ*, there are two reasons: biases can "
            "do less than everything, and a policy follows λ slowly in rounds of "
            f"{results.settings.round_steps} steps, so that λ overshoots what would do in the long run."
        ),
        Words(
            f"Before training the politeness is {pm(results.practiced)} on the practice prompts, and "
            f"{pm(results.reference.scores['clean'])} on those of the exam: two samples of prompts differ, "
            "and with them the last round below and the table above."
        ),
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
        ends, level = t[[0, -1]], np.full(2, 100 * results.settings.level)
        curves = [
            Series(t, 100 * clean, dots=True, label="politeness"),
            Series(ends, level, "tangent", label="limit"),
        ]
        blocks.append(
            Drawing(
                plot(curves, "round", "clean, in %", f"politeness at β = {at.beta:g}"),
                f"β = {at.beta:g}: politeness on practice prompts after each round, each ± "
                f"{100 * float(np.mean([r.clean.error for r in at.path])):.1f} %.",
            )
        )
    return blocks


WORDS = {
    "sharp, sharpness": "how negative a sentence sounds, by VADER's lexicon.",
    "clean, politeness": "1 minus the chance that a sentence is offensive, by a trained classifier.",
    "sharp 2, clean 2": "the same by two judges who only look on.",
    "policy": "anything that continues sentences; the reference is the language model as it was trained.",
    "β": "what a nat of departure from the reference costs.",
    "one-shot": "trained once, at λ*; longer: with as many steps as iterative.",
    "iterative": "trained in rounds, between which λ is corrected by what came out.",
    "KL": "how far a policy is from the reference, in nats: the mean of log π − log π_ref of what it says.",
    "λ, the multiplier": "what one unit of politeness is worth, in units of sharpness; λ* at the optimum.",
    "± (standard error)": "how much a number changes with other prompts; twice that makes a 95 % interval.",
    "best of K": "of a prompt's K responses only the best one counts, and with more there is a better one.",
    "effective responses": "1 / Σ w² of the weights w of a prompt's responses; 1: a single one counts.",
    "DPO": "training on pairs of which one is preferred, here with probability σ(Δ(sharp + λ* clean)).",
    "policy gradient": "training on responses of the policy itself, made likelier the better they score.",
}


def _glossary() -> Blocks:
    return [Words("\n".join(f"• {word}: {meaning}" for word, meaning in WORDS.items()))]


def _made(results: Results) -> Blocks:
    s = results.settings
    other = " on a machine that had other work" if results.elapsed > 1.5 * results.processor else ""
    rows = [[what, f"{seconds:.0f}"] for what, seconds in results.seconds.items()]
    return [
        Words(
            f"Seed {s.seed}; {results.processor:.0f} seconds of processor time, {results.elapsed:.0f} by the "
            f"clock{other}. Language model: a gated recurrent unit of "
            f"{s.units}, {s.steps} steps of {s.batch} sentences; responses of at most {s.words} words at "
            f"temperature {s.temperature:g}. DPO: {s.pairs} pairs of each prompt, exported as JSON lines "
            f"and read back. Policy gradient: {s.gradient_steps} steps; iterative and longer: {s.rounds} × "
            f"{s.round_steps} more. The same seed gives the same numbers with the same versions and "
            "processor; elsewhere a last digit may choose another word, and training goes another way: "
            "politeness moves by about its error, KL by more."
        ),
        Grid(["what", "seconds of processor time"], rows),
    ]


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
        lines += [f"β = {at.beta:g}", "", *_table(exam(results, at)), ""]
    judges = next(block for block in _judges(results, scorers) if isinstance(block, Grid))
    lines += ["## Who judges", "", *_table(judges), ""]
    return "\n".join(lines)


def _table(grid: Grid) -> list[str]:
    return [
        "| " + " | ".join(grid.heads) + " |", "|" + " --- |" * len(grid.heads),
        *("| " + " | ".join(row) + " |" for row in grid.rows),
    ]  # fmt: skip
