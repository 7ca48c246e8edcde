"""Standard errors, bootstrap, diagnostics and the trade-off curve."""

from __future__ import annotations

import numpy as np
import pytest

from adjoint.errors import UnknownNameError
from adjoint.models import align
from adjoint.models.alignment import Alignment, Constraint, Scores, Status, diagnostics
from adjoint.models.alignment.diagnostics import half
from adjoint.models.base import DataError

from ..harness import refused
from .samples import average, policies, random_scores, reference_weights


def test_sandwich_by_hand() -> None:
    """H⁻¹SH⁻¹/N from plain sums, for an absolute and a relative constraint."""
    scores = random_scores(0, 300, "ab", weighted=True)
    found = align(scores, beta=0.5, constraints=["a>=0.2", "b>=0.3 relative"])
    shares, reference = policies(scores, found.multipliers, 0.5), reference_weights(scores)
    parts, H = [], np.zeros((2, 2))
    for x, (p, w) in enumerate(zip(shares, reference, strict=True)):
        g = np.stack([scores.utilities[k][scores.offsets[x] : scores.offsets[x + 1]] for k in "ab"], axis=1)
        mean = p @ g
        parts.append([mean[0] - 0.2, mean[1] - w @ g[:, 1] - 0.3])
        H += ((g - mean).T * p) @ (g - mean) / 0.5 / 300
    expected = np.linalg.inv(H) @ np.cov(np.array(parts).T) @ np.linalg.inv(H) / 300
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-8)
    assert found.standard_errors["b"] == pytest.approx(np.sqrt(expected[1, 1]), rel=1e-8)
    for j, name in enumerate("ab"):
        assert found.share_below[name] == np.mean(found.prompt_utilities[name] < found.levels[name])
        assert np.mean(found.prompt_utilities[name]) == pytest.approx(found.utilities[name], abs=1e-12), j
    np.testing.assert_allclose(found.effective_sizes, [1 / (p @ p) for p in shares], rtol=1e-10)


@pytest.mark.parametrize("form", [{"beta": 0.5}, {"kl_budget": 0.4}], ids=["beta", "budget"])
def test_bootstrap_agrees_with_the_sandwich(form: dict[str, float]) -> None:
    scores = random_scores(1, 400, "ab")
    found = align(scores, constraints=["a>=0.2", "b>=0.2 relative"], bootstrap=200, random_state=0, **form)
    drawn = found.bootstrap
    assert drawn is not None and drawn.failed == 0 and len(drawn.samples) == 200
    ratio = [drawn.standard_errors[name] / se for name, se in found.standard_errors.items()]
    assert len(ratio) == (3 if "kl_budget" in form else 2)
    np.testing.assert_allclose(ratio, 1.0, atol=0.2)
    again = align(scores, constraints=["a>=0.2", "b>=0.2 relative"], bootstrap=3, random_state=0, **form)
    assert again.bootstrap is not None
    np.testing.assert_array_equal(again.bootstrap.samples, drawn.samples[:3])


@pytest.mark.slow
@pytest.mark.parametrize("form", [{"beta": 0.5}, {"kl_budget": 0.4}], ids=["beta", "budget"])
def test_standard_errors_cover(form: dict[str, float]) -> None:
    """λ* of a population of prompts with K samples each lies within ± 1.96 s.e. in 90–98 % of the samples."""
    constraints, population = ["a>=0.2", "b>=0.2 relative"], random_scores(2, 40_000, "ab")
    truth = align(population, constraints=constraints, **form)
    rng, inside = np.random.default_rng(0), []
    for _ in range(500):
        found = align(population.take(rng.integers(40_000, size=400)), constraints=constraints, **form)
        values = found.multipliers | {"beta": found.beta}
        true = truth.multipliers | {"beta": truth.beta}
        inside.append([abs(values[k] - true[k]) <= 1.96 * se for k, se in found.standard_errors.items()])
    share = np.mean(inside, axis=0)
    print("covered:", dict(zip(truth.standard_errors, share.tolist(), strict=True)))
    assert np.all((share >= 0.90) & (share <= 0.98)), share


# ------------------------------------------------------------------------------------------ the trade-off
def test_pareto() -> None:
    """λ is the slope of the curve, in whatever order the levels come; NaN where none is feasible."""
    scores = random_scores(3, 100, "ab")
    found = align(scores, beta=0.4, constraints=["a>=0.2", "b>=0.1 relative"])
    levels = np.linspace(0.1, 0.5, 41)
    curve = found.pareto("a", levels[::-1])
    assert set(curve.status) == {Status.SOLVED}
    slope = np.gradient(curve.objective, curve.levels)
    np.testing.assert_allclose(slope[1:-1], -curve.multiplier[1:-1], atol=2e-4)
    at = align(scores, beta=0.4, constraints=[Constraint("a", 0.5), "b>=0.1 relative"])
    assert curve.levels[0] == 0.5 and curve.names == ("a", "b")
    for value, expected in (
        (curve.objective[0], at.objective), (curve.reward[0], at.reward), (curve.kl[0], at.kl),
        (curve.utility[0], at.utilities["a"]), (curve.multipliers[0, 1], at.multipliers["b"]),
    ):  # fmt: skip
        assert value == pytest.approx(expected, abs=1e-8)
    relative = found.pareto("b", [0.1])
    assert relative.multiplier[0] == pytest.approx(found.multipliers["b"], abs=1e-9)
    broken = found.pareto("a", [0.2, 5.0])
    assert broken.status[1] is Status.INFEASIBLE and np.isnan(broken.objective[1]) and broken.reward[0] < 5
    refused(UnknownNameError, "no utility 'c'; there are 'a', 'b'", lambda: found.pareto("c", [0.1]))
    refused(DataError, "levels should be finite numbers (L,)", lambda: found.pareto("a", [np.nan]))
    refused(DataError, "levels should hold numbers", lambda: found.pareto("a", ["high"]))  # type: ignore[list-item]
    impossible = align(scores, beta=0.4, constraints="a>=5")
    refused(DataError, "weights: there is no policy", impossible.weights)
    refused(DataError, "value_response: there is no policy", lambda: impossible.value_response)
    refused(DataError, "level_response: there is no policy", lambda: impossible.level_response)
    possible, alone = impossible.pareto("a", [0.2]), align(scores, beta=0.4, constraints="a>=0.2")
    assert possible.status == (Status.SOLVED,)
    assert possible.multiplier[0] == pytest.approx(alone.multipliers["a"], abs=1e-9)


# ------------------------------------------------------------------------------------------ diagnostics
def texts(found: Alignment) -> dict[str, str]:
    return {d.name: d.text for d in found.diagnostics}


def test_nothing_to_warn_of() -> None:
    """Many prompts, many responses, a mild tilt."""
    rng = np.random.default_rng(0)
    r, g = rng.normal(size=(2, 400, 128))
    found = align(Scores.dense(r, {"a": g}), beta=3.0, constraints="a>=0.1")
    assert found.warnings == () and "warning" not in repr(found)
    assert {d.name for d in found.diagnostics} == {
        "error of λ*",
        "single responses", "constant utilities", "prompts", "effective sample size", "best of K",
        "KL against log K", "condition of ∇²D", "share below the level", "drift with K",
    }  # fmt: skip
    sizes = found.diagnostic("effective sample size").value
    assert isinstance(sizes, dict) and sizes["50 %"] == pytest.approx(np.median(found.effective_sizes))
    refused(UnknownNameError, "no diagnostic 'luck'", lambda: found.diagnostic("luck"))


def test_best_of_k_is_noticed() -> None:
    """K = 128, score spread 3, β = .1: one response per prompt counts."""
    rng = np.random.default_rng(0)
    r, g = 3 * rng.normal(size=(100, 128)), rng.normal(size=(100, 128))
    found = align(Scores.dense(r, {"a": g}), beta=0.1, constraints="a>=0.3")
    said = texts(found)
    assert "fewer than 2 responses count: this is best of K" in said["best of K"]
    assert "of log K = 4.85" in said["KL against log K"]
    assert np.median(found.effective_sizes) < 1.5


def test_drift_with_k_is_noticed_and_real() -> None:
    """What doubling K is said to bring is, in direction, what a much larger K brings."""
    rng = np.random.default_rng(0)
    r, g = rng.normal(size=(2, 2000, 64))
    few = align(Scores.dense(r[:, :8], {"a": g[:, :8]}), beta=0.4, constraints="a>=0.5", random_state=0)
    many = align(Scores.dense(r, {"a": g}), beta=0.4, constraints="a>=0.5", random_state=0)
    said, drift = texts(few)["drift with K"], few.diagnostic("drift with K").value
    assert said.startswith("doubling K from 4 to 8 moves λ of a from") and isinstance(drift, dict)
    left = many.multipliers["a"] - few.multipliers["a"]
    assert left * drift["a"] > 0 and 0.3 < left / drift["a"] < 3
    small = align(Scores.dense(r[:, :4], {"a": g[:, :4]}), beta=0.4, constraints="a>=0.9", random_state=0)
    assert "with half the responses (K = 2) no policy meets the constraints" in texts(small)["drift with K"]


def test_a_drift_that_cannot_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The prompts drawn for it do not meet the constraints, though all do: K is not to blame."""
    rng = np.random.default_rng(0)
    r, g = rng.normal(size=(2, 400, 6))
    scores = Scores.dense(r, {"a": g + 3 * rng.normal(size=(400, 1))})
    monkeypatch.setattr(diagnostics, "SAMPLE", 24)
    said = []
    for seed in range(8):
        found = align(scores, beta=0.5, constraints="a>=1.1", random_state=seed)
        assert found.success
        drift = found.diagnostic("drift with K")
        assert isinstance(drift.value, dict)
        said.append("4 prompts drawn to measure it cannot meet the constraints" in drift.text)
        assert np.isnan(drift.value["a"]) == said[-1]
    assert any(said) and not all(said)


def test_kl_with_weights_has_no_cap_at_log_k() -> None:
    """A response of small weight costs more than log K."""
    rng = np.random.default_rng(0)
    r = rng.normal(size=(40, 4))
    found = align(Scores.dense(r, {}, -4 * r), beta=0.01)
    said = texts(found)["KL against log K"]
    assert found.kl > np.log(4) and "what the best of K equally likely responses costs" in said


def test_other_warnings() -> None:
    rng = np.random.default_rng(0)
    counts = np.where(np.arange(60) < 12, 1, 6)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    r, g = rng.normal(size=(2, offsets[-1]))
    flat = np.repeat(rng.normal(size=60) + 1, counts)
    moving = np.where(np.repeat(np.arange(60) < 20, counts), g + 1, flat)
    scores = Scores(offsets, r, {"a": moving}, 4 * rng.normal(size=offsets[-1]))
    said = texts(align(scores, beta=2.0, constraints=Constraint("a", 1.0)))
    assert said["single responses"].startswith("12 of 60 prompts have a single response")
    assert "same for all responses of a prompt: 'a' in 83 % of the prompts" in said["constant utilities"]
    assert "% of the responses count" in said["reference weights"]
    tiny = texts(align(scores.take(np.arange(12, 22)), beta=2.0))
    assert tiny["prompts"].startswith("10 prompts: standard errors")
    skewed = Scores.dense(
        rng.normal(size=(50, 6)),
        {"a": np.where(np.arange(50) < 10, 9.0, 0.0)[:, None] + rng.normal(size=(50, 6))},
    )
    assert (
        "below the level of 'a' for"
        in texts(align(skewed, beta=2.0, constraints="a>=2"))["share below the level"]
    )


def test_half() -> None:
    scores = random_scores(5, 50, "a", weighted=True)
    part = half(scores, np.random.default_rng(0))
    np.testing.assert_array_equal(part.counts, (scores.counts + 1) // 2)
    for x in range(50):
        whole = set(scores.reward[scores.offsets[x] : scores.offsets[x + 1]])
        own = part.reward[part.offsets[x] : part.offsets[x + 1]]
        assert set(own) <= whole and len(set(own)) == len(own)
    assert average(part, part.reward, reference_weights(part)) != 0
    for name in ("log_base", "a"):  # every column has the same rows
        given, kept = ((s.log_base if name == "log_base" else s.utilities[name]) for s in (scores, part))
        of = dict(zip(scores.reward, given, strict=True))
        np.testing.assert_array_equal(kept, [of[r] for r in part.reward])
