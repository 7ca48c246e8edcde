"""Losses lead to the tilted policy, gradients' estimates are unbiased, pairs come back from their file."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

import adjoint as ad
from adjoint import nn
from adjoint.errors import ShapeError
from adjoint.models import align
from adjoint.models.alignment import (
    Scores,
    dpo_loss,
    policy_advantages,
    policy_gradient_loss,
    read_preferences,
    write_preferences,
)
from adjoint.models.base import DataError

RNG = np.random.default_rng(5)
N, K, BETA = 3, 4, 0.7
R, G, BASE = RNG.normal(size=(N, K)), RNG.normal(size=(N, K)), nn.log_softmax(RNG.normal(size=(N, K)))
LAM = 0.6
S = R + LAM * G


def tilted(s: np.ndarray, beta: float) -> np.ndarray:
    return np.asarray(np.exp(nn.log_softmax(BASE + s / beta)))


def log_ratio(theta: Any) -> Any:
    return nn.log_softmax(BASE + theta) - BASE


def solved(loss: Any) -> np.ndarray:
    """The policy at the minimum of a loss of logits (N, K)."""
    found = minimize(
        lambda flat: (lambda v, g: (v, g.ravel()))(*ad.value_and_grad(loss)(flat.reshape(N, K))),
        np.zeros(N * K), jac=True, method="BFGS", options={"gtol": 1e-10},
    )  # fmt: skip
    return np.asarray(np.exp(nn.log_softmax(BASE + found.x.reshape(N, K))))


# ------------------------------------------------------------------------------------------------- DPO
def test_the_optimum_of_dpo_is_the_tilted_policy() -> None:
    rows, a, b = np.array([(x, *ab) for x in range(N) for ab in zip(*np.triu_indices(K, 1), strict=True)]).T
    p = 1 / (1 + np.exp(S[rows, b] - S[rows, a]))

    def loss(theta: Any) -> Any:
        rho = log_ratio(theta)
        return dpo_loss(rho[rows, a], rho[rows, b], beta=BETA, p=p)

    np.testing.assert_allclose(solved(loss), tilted(S, BETA), atol=1e-7)


def test_exported_pairs_come_back_and_lead_to_what_align_found(tmp_path: Path) -> None:
    """The road as a whole: scores → λ* → pairs.jsonl → DPO → the policy of `align`."""
    names = [f"prompt {x}" for x in range(N)]
    texts = [f"answer {k}" for k in range(N * K)]
    scores = Scores.dense(R, {"safe": G}, log_base=BASE, prompts=names, responses=texts)
    answer = align(scores, beta=BETA, constraints="safe >= 0.3")
    assert answer.multipliers["safe"] > 0
    path = tmp_path / "pairs.jsonl"
    write_preferences(path, scores, answer.multipliers, pairs=None, rng=np.random.default_rng(0))
    pairs = read_preferences(path)
    assert len(pairs) == N * K * (K - 1) // 2
    at = {text: divmod(k, K) for k, text in enumerate(texts)}
    chosen = tuple(np.array([at[pair.chosen] for pair in pairs]).T)
    rejected = tuple(np.array([at[pair.rejected] for pair in pairs]).T)
    p = [pair.p for pair in pairs]

    def loss(theta: Any) -> Any:
        rho = log_ratio(theta)
        return dpo_loss(rho[chosen], rho[rejected], beta=BETA, p=p)

    np.testing.assert_allclose(solved(loss).ravel(), answer.weights(), atol=1e-7)


def test_p_is_the_mean_over_drawn_labels() -> None:
    a, b, p = RNG.normal(size=5), RNG.normal(size=5), RNG.random(5)
    each = [
        p[k] * dpo_loss(a[k : k + 1], b[k : k + 1], beta=BETA)
        + (1 - p[k]) * dpo_loss(b[k : k + 1], a[k : k + 1], beta=BETA)
        for k in range(5)
    ]
    assert dpo_loss(a, b, beta=BETA, p=p) == pytest.approx(np.mean(each), rel=1e-14)
    assert dpo_loss(a, b, beta=BETA, p=np.ones(5)) == pytest.approx(dpo_loss(a, b, beta=BETA), rel=1e-14)


def test_float32_ratios_stay_float32() -> None:
    a = np.zeros(2, np.float32)
    assert dpo_loss(a, a, beta=0.5, p=[0.2, 0.9]).dtype == np.float32
    assert ad.grad(lambda x: dpo_loss(x, a, beta=0.5, p=[0.2, 0.9]))(a).dtype == np.float32


# --------------------------------------------------------------------------------------- policy gradient
THETA = RNG.normal(size=(N, K))


def exact(theta: Any) -> Any:
    """E s − β KL by the sum over all responses."""
    log_policy = nn.log_softmax(BASE + theta)
    return np.mean(np.sum(np.exp(log_policy) * (S - BETA * (log_policy - BASE)), axis=1))


def estimate(theta: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """From responses drawn (N, k)."""
    rows = np.arange(N)[:, None]
    A = policy_advantages(S[rows, drawn], log_ratio(theta)[rows, drawn], beta=BETA)
    loss = lambda t: policy_gradient_loss(nn.log_softmax(BASE + t)[rows, drawn], A)  # noqa: E731
    return -np.asarray(ad.grad(loss)(theta))


def test_the_policy_gradient_is_unbiased() -> None:
    """Its mean over all K² draws of two responses is the exact gradient, to rounding."""
    policy = np.exp(nn.log_softmax(BASE + THETA))
    mean = np.zeros((N, K))
    for a, b in product(range(K), repeat=2):  # the same draw for every prompt: prompts do not interact
        found = estimate(THETA, np.tile([a, b], (N, 1)))
        mean += (policy[:, a] * policy[:, b])[:, None] * found
    np.testing.assert_allclose(mean, ad.grad(exact)(THETA), atol=1e-14)


def test_the_policy_gradient_converges_as_the_root_of_the_draws() -> None:
    policy, truth = np.exp(nn.log_softmax(BASE + THETA)), ad.grad(exact)(THETA)
    rng, sizes, errors = np.random.default_rng(0), [16, 64, 256, 1024], []
    for n in sizes:
        squares = []
        for _ in range(40):
            drawn = np.array([rng.choice(K, n, p=row) for row in policy])
            squares.append(np.sum((estimate(THETA, drawn) - truth) ** 2))
        errors.append(np.sqrt(np.mean(squares)))
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert -0.6 < slope < -0.4


def test_at_the_tilted_policy_no_response_is_better_than_the_others() -> None:
    drawn = RNG.integers(K, size=(N, 6))
    rows = np.arange(N)[:, None]
    A = policy_advantages(S[rows, drawn], log_ratio(S / BETA)[rows, drawn], beta=BETA)
    np.testing.assert_allclose(A, 0.0, atol=1e-14)


# ------------------------------------------------------------------------------------------------ errors
def test_advantages_say_what_they_cannot_take() -> None:
    with pytest.raises(ShapeError, match="needs at least 2 responses of each prompt, got K = 1"):
        policy_advantages(np.zeros((3, 1)), np.zeros((3, 1)), beta=1.0)
    with pytest.raises(ShapeError, match=r"\(N, K\), prompts × responses: \(3, 2\) and \(3,\)"):
        policy_advantages(np.zeros((3, 2)), np.zeros(3), beta=1.0)
    bad = np.zeros((2, 2))
    bad[1, 0] = np.nan
    with pytest.raises(DataError, match="the score of prompt 1, response 0 is nan; 1 in all"):
        policy_advantages(bad, np.zeros((2, 2)), beta=1.0)
    with pytest.raises(DataError, match="the log-ratio of prompt 1, response 0 is nan"):
        policy_advantages(np.zeros((2, 2)), bad, beta=1.0)
    with pytest.raises(DataError, match="beta should be a number ≥ 0, got -1"):
        policy_advantages(np.zeros((2, 2)), np.zeros((2, 2)), beta=-1)
    with pytest.raises(ShapeError, match=r"an advantage for every log π: \(2, 2\) and \(2,\)"):
        policy_gradient_loss(np.zeros((2, 2)), np.zeros(2))


def test_dpo_says_what_it_cannot_take() -> None:
    two = np.zeros(2)
    with pytest.raises(ShapeError, match=r"\(n,\) log-ratios of both: \(2,\) and \(3,\)"):
        dpo_loss(two, np.zeros(3), beta=1.0)
    with pytest.raises(ShapeError, match=r"p should be \(2,\), one for every pair, got \(3,\)"):
        dpo_loss(two, two, beta=1.0, p=np.zeros(3))
    compiled = ad.compile(lambda p: dpo_loss(two, two, beta=1.0, p=p))
    with pytest.raises(ShapeError, match=r"p should be \(2,\), one for every pair, got \(1,\)"):
        compiled(np.ones(1))
    for p in ([0.5, 1.1], [0.5, np.nan]):
        with pytest.raises(DataError, match="p should be probabilities"):
            dpo_loss(two, two, beta=1.0, p=p)
    with pytest.raises(DataError, match="beta should be a number > 0, got 0"):
        dpo_loss(two, two, beta=0.0)


def test_a_text_may_hold_ends_of_lines_of_every_kind(tmp_path: Path) -> None:
    odd = "a\u2028b\u2029c\x85d\ne\rf\x0bg"
    scores = Scores.dense([[1.0, 0.0]], {"safe": [[0.0, 1.0]]}, prompts=[odd], responses=[odd, "other"])
    path = tmp_path / "pairs.jsonl"
    write_preferences(path, scores, {"safe": 0.0}, pairs=None, rng=np.random.default_rng(0))
    (pair,) = read_preferences(path)
    assert pair.prompt == odd and odd in (pair.chosen, pair.rejected)


ROW = '{"prompt": "a", "chosen": "b", "rejected": "c", "p": 0.5}\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "pairs.jsonl holds no preference pairs"),
        (ROW + "{'a': 1}", "line 2 of pairs.jsonl is no JSON: Expecting property name"),
        (ROW + "\n[1]", "line 3 of pairs.jsonl lacks prompt, chosen, rejected, p"),
        ('{"prompt": "a", "chosen": "b", "p": 0.5}', "line 1 of pairs.jsonl lacks rejected"),
        (ROW.replace('"c"', "7"), "line 1 of pairs.jsonl: rejected is 7, and should be a text"),
        (ROW.replace("0.5", "true"), "line 1 of pairs.jsonl: p is True, and should be a number"),
        (ROW.replace("0.5", "1.5"), "line 1 of pairs.jsonl: p is 1.5, which is no probability"),
    ],
)
def test_pairs_that_are_none_are_named_by_their_line(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=says.replace("(", r"\(")):
        read_preferences(path)
