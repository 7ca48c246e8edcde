"""What a reader should doubt: what other judges say, what was written, where the method fails."""

from __future__ import annotations

from collections import Counter

import numpy as np

from adjoint.models.alignment.sections import Grid, Words

from .results import Average, Results, Row
from .tables import WHO, Blocks, leading, signed
from .text import words

SAMPLES = 10
TRAINED = ("dpo", "gradient", "iterative")
SHOTS = ("dpo", "gradient", "longer")  # trained at λ* alone


def onlookers(results: Results) -> Blocks:
    """Whether judges who had no part in training see what was trained for."""
    rows = []
    for at in results.found:
        row, ref, free = at.row("iterative").scores, results.reference.scores, at.row("free tilt").scores
        rows.append(
            [
                f"{at.beta:g}", _change(ref["sharp 2"], row["sharp 2"]),
                _change(ref["clean 2"], row["clean 2"]), _change(free["clean 2"], row["clean 2"]),
            ]
        )  # fmt: skip
    more, less = moved(results)
    return [
        Words(
            "TextBlob and better-profanity had no part in λ* or in training. If the model had only learned "
            "to please VADER and the classifier, these two would see no change, or the opposite. Of the "
            "iterative policies they say:"
        ),
        Grid(["β", "sharper than before", "politer than before", "politer than without a limit"], rows, ()),
        Words(
            "“Without a limit” is on paper; a difference of more than two standard errors counts. "
            "better-profanity answers yes or no, and few sentences have a listed word, so its opinion has "
            "a large error.", "small",
        ),
        Words(
            f"Which words? At β = {results.found[-1].beta:g} the iterative policy says more often: "
            f"{', '.join(more)}; less often: {', '.join(less)}. The reward is what VADER counts, and that "
            "is what grew; read the samples below before you call it criticism."
        ),
    ]  # fmt: skip


def moved(results: Results, count: int = 10) -> tuple[list[str], list[str]]:
    """The words whose number, in the first responses to the exam, rose and fell most surely at the last β.

    By (a − b) / √(a + b) for a word said a times after and b times before, about a standard score.
    """
    after, before = (
        Counter(word for text in texts for word in words(text))
        for texts in (results.found[-1].samples["iterative"], results.before)
    )
    total = sum(after.values()) / max(sum(before.values()), 1)  # responses differ in length

    def sure(word: str) -> float:
        a, b = after[word] / total, before[word]
        return float((a - b) / np.sqrt(a + b))

    ranked = sorted((w for w in {**after, **before} if w.isalpha()), key=lambda w: (sure(w), w))
    return ranked[::-1][:count], ranked[:count]


def _change(a: Average, b: Average) -> str:
    change, error = b.mean - a.mean, float(np.hypot(a.error, b.error))
    opinion = "yes" if change > 2 * error else "no" if change < -2 * error else "cannot be told"
    return f"{signed(change, 4)}\u00a0±\u00a0{error:.4f}: {opinion}"


def samples(results: Results) -> Blocks:
    """What was said, unselected, side by side."""
    blocks: Blocks = [
        Words(
            f"The first {SAMPLES} prompts of the exam and the first response to each, whatever it says. The "
            "program that wrote them has no idea what a film is."
        )
    ]
    shown = {at.beta: at for at in (leading(results), results.found[-1])}
    for at in shown.values():
        rows = []
        for k in range(min(SAMPLES, len(results.prompts))):
            begin = results.prompts[k]
            rest = [
                text.removeprefix(begin).strip()
                for text in (results.before[k], *(at.samples[w][k] for w in TRAINED))
            ]
            rows.append([f"{begin} …", *rest])
        blocks += [
            Words(f"β = {at.beta:g}", "heading"),
            Grid(["prompt", "before", *(WHO[w] for w in TRAINED)], rows, ()),
        ]
    return blocks


def worth(row: Row, beta: float) -> float:
    """What a policy is made for: E sharp − β KL."""
    return row.scores["sharp"].mean - beta * row.kl.mean


def failures(results: Results) -> Blocks:
    """What the diagnostics warn of, what one training lacks, and what all of it costs."""
    s, blocks = results.settings, Blocks()
    blocks.append(
        Words(
            f"Small β. λ* comes from {s.k} responses of each prompt. When β is small, nearly all the weight "
            f"falls on the best one of them; nothing above log {s.k} = {np.log(s.k):.2f} nats of KL can be "
            "expressed, and with more responses another λ* would come out. The library says so by itself:"
        )
    )
    blocks += [Words(f"β = {a.beta:g}: {text}.", "warning") for a in results.papers for text in a.warnings]
    gaps = [
        at.row(who).scores["clean"].mean - at.row("tilt").scores["clean"].mean
        for at in results.found for who in SHOTS
    ]  # fmt: skip
    blocks.append(
        Words(
            f"One-shot. The politeness of policies trained at λ* differs by {signed(min(gaps))} to "
            f"{signed(max(gaps))} from what the same λ* gives on paper. They do not reach the tilted "
            "reference, and what they lack shows in the constraint. λ* is a good start, not the end."
        )
    )
    rows, ways = [], ("tilt", *SHOTS, "iterative")
    for at in results.found:
        policies = (results.reference, *map(at.row, ways))
        rows.append([f"{at.beta:g}", *(signed(worth(row, at.beta)) for row in policies)])
    blocks += [
        Words(
            "The price of a small policy. What all this maximizes is sharp − β KL. Only policies that keep "
            "the limit should be compared by it; the others buy their number with impoliteness. The "
            "distance between “on paper” and “iterative” is what biases alone, "
            f"{s.gradient_steps + s.rounds * s.round_steps} noisy steps and a higher λ cost. Where "
            "“iterative” is below “before”, the limit costs more than sharpness brings:"
        ),
        Grid(["β", "before", *(WHO[who] for who in ways)], rows),
        Words(
            "Judges. A limit on a score is a limit on that score. What the classifier has never seen as "
            "offensive is not limited, and harmless sentences with an unlucky word are."
        ),
    ]
    return blocks
