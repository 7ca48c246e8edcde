"""What a trainer does with λ*: losses whose optimum is the tilted policy, for any π_θ that gives log π_θ.

    s = r + λᵀg,   ρ = log π_θ(y|x) − log π_ref(y|x),   optimum: π* ∝ π_ref e^{s/β}, ρ* = s/β − log Z(x)

`dpo_loss` compares two responses of a prompt, whose log Z cancels; `policy_gradient_loss` raises E s − β KL
by responses drawn from the policy itself. A policy is whatever computes log π_θ of given responses: a table,
a network over responses, a language model. They compute where its numbers are, of NumPy or of cupy.

Source: Rafailov et al. 2023, arXiv:2305.18290 (DPO); Kool et al. 2019, "Buy 4 REINFORCE samples, get a
baseline for free!" (the mean of the others as a baseline).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...errors import ShapeError, refusal
from ...nn import softplus
from ...ops.device import as_array
from ...ops.primitive import Recorded, dtype_of, shape_of
from ...ops.sides import same_side
from ..base import DataError, Floats, check_number
from .columns import complaint

numpy: Any = np  # for calls that come back through the protocols
# columns that are needed
PAIR: dict[str, Any] = {"prompt": str, "chosen": str, "rejected": str, "p": (int, float)}


class Pair(NamedTuple):
    """One comparison, as `write_preferences` writes it.

    Attributes:
        prompt, chosen, rejected: texts.
        p: P(chosen ≻ rejected) = σ(s_chosen − s_rejected).
    """

    prompt: str
    chosen: str
    rejected: str
    p: float


def read_preferences(path: str | os.PathLike[str]) -> list[Pair]:
    """Read preference pairs back, as `write_preferences` wrote them.

    Args:
        path: JSON lines with prompt, chosen, rejected and p, all texts and a number in [0, 1].

    Returns:
        The pairs, in the order of the file.

    Raises:
        DataError: a line that is no such row, by its number; or no rows at all.

    >>> import tempfile
    >>> row = '{"prompt": "the plot", "chosen": "works", "rejected": "does not", "p": 0.75}'
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "pairs.jsonl").write_text(row)
    ...     read_preferences(Path(folder, "pairs.jsonl"))
    [Pair(prompt='the plot', chosen='works', rejected='does not', p=0.75)]
    """
    # by "\n" alone: texts may hold what `splitlines` takes for the end of a line, U+2028 for instance
    lines = Path(path).read_text(encoding="utf-8").split("\n")
    name = Path(path).name
    pairs = [_pair(line, f"line {k} of {name}") for k, line in enumerate(lines, 1) if line.strip()]
    if not pairs:
        raise complaint(f"{name} holds no preference pairs", "write_preferences writes them.")
    return pairs


def _pair(line: str, place: str) -> Pair:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as why:
        raise complaint(f"{place} is no JSON: {why.msg} at character {why.pos + 1}") from why
    lacks = [name for name in PAIR if not isinstance(row, dict) or name not in row]
    if lacks:
        raise complaint(f"{place} lacks {', '.join(lacks)}", "write_preferences writes such rows.")
    for name, kind in PAIR.items():
        if not isinstance(row[name], kind) or isinstance(row[name], bool):
            what = "a number" if name == "p" else "a text"
            raise complaint(f"{place}: {name} is {row[name]!r}, and should be {what}")
    if not 0 <= row["p"] <= 1:
        raise complaint(f"{place}: p is {row['p']}, which is no probability")
    return Pair(row["prompt"], row["chosen"], row["rejected"], float(row["p"]))


@same_side
def dpo_loss(chosen: Any, rejected: Any, *, beta: Any, p: ArrayLike | None = None) -> Any:
    """Cross-entropy between P(chosen ≻ rejected) and the policy's σ(β (ρ_chosen − ρ_rejected)).

    With p it is the mean over labels that would be drawn by p, at no more than their price: the same optimum,
    without the noise of the draw.

    Args:
        chosen: (n,) ρ = log π_θ − log π_ref of the chosen responses; differentiable.
        rejected: (n,) that of the rejected ones.
        beta: β > 0, in units of s per nat; a number, or 0-d where it is an argument of a compiled program.
        p: (n,) P(chosen ≻ rejected) in [0, 1]; None: the labels are what was drawn, p = 1.

    Returns:
        0-d mean over the pairs, in nats.

    Raises:
        ShapeError: chosen, rejected and p are not (n,) alike.
        DataError: β ≤ 0, or a p that is no probability.

    Source: Rafailov et al. 2023, arXiv:2305.18290, equation 7; with p, the expectation of it over labels.

    >>> round(float(dpo_loss(np.array([0.3]), np.array([-0.2]), beta=2.0, p=[0.75])), 6)
    0.563262
    """
    if shape_of(chosen) != shape_of(rejected) or len(shape_of(chosen)) != 1:
        what = f"dpo_loss needs (n,) log-ratios of both: {shape_of(chosen)} and {shape_of(rejected)}"
        raise refusal(ShapeError, what, "One number for every pair: log π − log π_ref, summed over tokens.")
    if not isinstance(beta, Recorded):  # as for p below, values of an argument are not known
        beta = check_number(beta, "beta", strict=True)
    margin = beta * (chosen - rejected)
    if p is None:
        return numpy.mean(softplus(-margin))
    weight = _probabilities(p, shape_of(chosen), dtype_of(margin))
    return numpy.mean(weight * softplus(-margin) + (1.0 - weight) * softplus(margin))


def _probabilities(p: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    if shape_of(p) != shape:
        raise refusal(ShapeError, f"p should be {shape}, one for every pair, got {shape_of(p)}")
    if isinstance(p, Recorded):  # an argument of a compiled loss, whose values are not known
        return p
    array = as_array(p)
    if not np.all((array >= 0) & (array <= 1)):
        raise refusal(DataError, "p should be probabilities, in [0, 1]", "Column p of the exported pairs.")
    return array.astype(dtype)


@same_side
def policy_advantages(scores: ArrayLike, ratios: ArrayLike, *, beta: float) -> Floats:
    """How much better each response is than its prompt's others, KL included: A = f − mean of the others' f.

    f = s − β ρ. mean over prompts and responses of A ∇log π_θ is an unbiased estimate of ∇(E s − β KL) when
    the responses were drawn from π_θ, since no response is in its own baseline.

    Args:
        scores: s = r + λᵀg (N, K), of K ≥ 2 responses drawn from π_θ for each prompt.
        ratios: ρ = log π_θ − log π_ref (N, K), as numbers.
        beta: β ≥ 0.

    Returns:
        A (N, K); its rows add up to 0.

    Raises:
        ShapeError: not (N, K) alike, or K = 1, which leaves no others.
        DataError: NaN or infinite, or β < 0.

    >>> policy_advantages([[1.0, 0.0]], [[0.5, -0.5]], beta=0.4)
    array([[ 0.6, -0.6]])
    """
    s, rho = as_array(scores, float), as_array(ratios, float)
    if s.shape != rho.shape or s.ndim != 2:
        what = f"scores and ratios should be (N, K), prompts × responses: {s.shape} and {rho.shape}"
        raise refusal(ShapeError, what)
    K = s.shape[1]
    if K < 2:
        raise refusal(
            ShapeError, f"a policy gradient needs at least 2 responses of each prompt, got K = {K}",
            "The others' mean is the baseline; draw more responses.",
        )  # fmt: skip
    for label, array in (("score", s), ("log-ratio", rho)):
        if not np.all(np.isfinite(array)):
            bad = np.argwhere(~np.isfinite(array))
            x, k = map(int, bad[0])
            what = f"the {label} of prompt {x}, response {k} is {array[x, k]}; {len(bad)} in all"
            raise refusal(DataError, what, "Score those responses again, or leave their prompts out.")
    f = s - check_number(beta, "beta") * rho
    return (f - np.mean(f, axis=1, keepdims=True)) * (K / (K - 1))


@same_side
def policy_gradient_loss(log_policy: Any, advantages: ArrayLike) -> Any:
    """A function whose gradient is minus the estimate of ∇(E s − β KL): −mean of A log π_θ.

    Its value means nothing; one step of an optimizer, then new responses.

    Args:
        log_policy: log π_θ (N, K) of responses drawn from π_θ itself; differentiable.
        advantages: A (N, K) from `policy_advantages`, constants.

    Returns:
        0-d.

    Raises:
        ShapeError: the shapes differ.

    >>> from adjoint import nn
    >>> theta = np.zeros((1, 2))  # a policy over two responses, each of which was drawn once
    >>> ad.grad(lambda t: policy_gradient_loss(nn.log_softmax(t), np.array([[0.6, -0.6]])))(theta)
    array([[-0.3,  0.3]])
    """
    if shape_of(log_policy) != shape_of(advantages):
        what = f"a policy gradient needs an advantage for every log π: {shape_of(log_policy)}"
        raise refusal(ShapeError, f"{what} and {shape_of(advantages)}")
    return -numpy.mean(advantages * log_policy)
