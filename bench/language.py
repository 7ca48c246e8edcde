"""Training the language model of the examples: words per second, ours beside torch and jax.

One step is value, gradient, clipping and AdamW's update, on the very same first parameters and batches; the
model is `examples/language`. Who takes part must reproduce the losses of the first steps as HIPS autograd
computes them in float64 from the plain text. Compile time is apart (`first`).

    python bench/language.py --threads 2 --peers torch,inductor
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import contest
import harness
import numpy as np
from contest import OURS, late
from environment import heading, need, options, prepare, versions
from harness import Contestant, Run
from programs import in_float64, language_text, leaves, map_leaves, read_as

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
VOCABULARY, UNITS = 5942, 192  # those of the example
SIZES = {"24 words, 32 sentences": (24, 32), "36 words, 32 sentences": (36, 32)}
TOLERANCE = 1e-3


def ours(data: language_text.Data) -> Run:
    """The example's own step, parameters and state donated."""
    from language import model, training

    import adjoint as ad
    from adjoint import optim

    optimizer = optim.adamw(language_text.RATE, weight_decay=language_text.DECAY)
    compiled = training.make_step(model.loss, optimizer, language_text.CLIP)
    params = ad.tree_map(np.copy, data.params)
    held = [params, optimizer.init(params)]

    def step(batch: Any) -> Any:
        tokens, *kept = batch
        *held[:], value = compiled(*held, tokens, tuple(kept))
        return value

    return language_text.turns(step, data.batches)


ENTRIES = [
    (OURS, OURS, "adjoint-autodiff", ours),
    ("torch eager", "torch", "torch", late("language_torch", "eager")),
    ("torch.compile around its GRU", "inductor", "torch", late("language_torch", "around")),
    ("torch.compile of a loop", "inductor", "torch", late("language_torch", "loop")),
    ("jax.jit", "jax", "jax", late("language_jax", "build")),
]


def reference(data: language_text.Data) -> Any:
    """The losses of the first steps in float64, by HIPS autograd and the optimizer written out."""
    import autograd
    import autograd.numpy as anp

    derivative = autograd.value_and_grad(read_as("language_text", anp).loss)
    params, losses = in_float64(data.params), []
    m, v = [0.0] * len(leaves(params)), [0.0] * len(leaves(params))
    for t in range(1, language_text.CHECKED + 1):
        value, gradient = derivative(params, *data.batches[(t - 1) % len(data.batches)])
        losses.append(value)
        new = iter(language_text.adamw(leaves(params), leaves(gradient), m, v, t))
        params = map_leaves(lambda _, new=new: next(new), params)
    return (losses,)


def main() -> None:
    parser = options(__doc__, rounds=9)
    parser.add_argument("--peers", default="torch,inductor,jax", help="who takes part: torch,inductor,jax")
    parser.add_argument("--only", default="", help="sizes whose names contain this")
    given = parser.parse_args()
    need("autograd")
    prepare(given)
    print(heading())
    from language import model

    group = {OURS, *given.peers.split(",")}
    for title, (T, N) in SIZES.items():
        if given.only not in title:
            continue
        params = model.init(np.random.default_rng(0), VOCABULARY, units=UNITS)
        data = language_text.data(params, T, N, UNITS)
        found = harness.compare(
            [Contestant(name, partial(build, data), of) for name, key, of, build in ENTRIES if key in group],
            reference(data), rounds=given.rounds, tolerance=TOLERANCE, turn=0.1,
        )  # fmt: skip
        report(title, data, found)


def report(title: str, data: language_text.Data, found: dict[str, harness.Measurement]) -> None:
    """The table of one size and its JSON lines."""
    rows, words = [], data.words
    base = found[OURS].median
    installed = versions(["adjoint-autodiff", "torch", "jax"])
    for m in found.values():
        if m.reason:
            rows.append([m.name, m.reason])
            continue
        times = [contest.time(x) for x in (m.median, min(m.times), m.iqr)]
        rows.append(
            [
                m.name,
                f"{words / m.median:,.0f}",
                *times,
                f"{m.median / base:.2f}",
                f"{m.first:.1f}",
                f"{m.error:.0e}",
            ]
        )
        harness.emit(
            "language", title, m.name, words / m.median, "words/s", int(words), median_s=m.median,
            min_s=min(m.times), iqr_s=m.iqr, first_s=m.first, error=m.error, versions=installed,
        )  # fmt: skip
    header = ["", "words/s", "median", "min", "IQR", "ratio", "first/s", "error"]
    harness.table(f"one step, {title}, {int(words)} words of {data.batches[0][0].size}", header, rows)
    peers = [m for m in found.values() if m.times and m.name.startswith("torch")]
    if peers:
        best = min(peers, key=lambda m: m.median)
        ratio = best.median / base
        print(f"\n  {best.name} over ours {ratio:.2f} (asked ≥ 1: {'met' if ratio >= 1 else 'MISSED'})")


if __name__ == "__main__":
    main()
