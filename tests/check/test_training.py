"""check.training: exploding, vanishing, dead and diverging by their words; a good network is steady."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import check

from ..helpers import normal, rng


def network(parameters: dict[str, Any], x: Any, y: Any, relu: bool = False) -> Any:
    for name in parameters:
        with ad.scope(name):
            z = x @ parameters[name]
            x = ad.name(np.maximum(z, 0.0) if relu else np.tanh(z), "h")
    return np.mean((x - y) ** 2)


def trained(
    gain: float, depth: int = 20, rate: float = 0.1, steps: int = 12, **options: Any
) -> check.TrainingReport:
    source = rng(1)
    width = 24
    parameters = {
        f"layer{k:02}": gain * source.normal(size=(width, width)) / width**0.5 for k in range(depth)
    }
    x, y = source.normal(size=(48, width)), np.tanh(source.normal(size=(48, width)))
    history = ad.MultiplierHistory(lambda entry: entry.scope or None)
    with np.errstate(all="ignore"):
        for _ in range(steps):
            _, gradient, multipliers = ad.with_multipliers(network)(parameters, x, y, **options)
            history.record(multipliers)
            parameters = ad.tree_map(lambda w, g: w - rate * g, parameters, gradient)
    return check.training(history)


def test_a_good_initialisation_is_steady() -> None:
    report = trained(1.05)
    assert report, repr(report)
    assert report.verdict.startswith("steady, × 0.9")
    assert {layer.verdict for layer in report.layers} == {"steady"}


def test_a_small_one_vanishes_by_its_gain() -> None:
    """tanh is linear there: the factor per layer is the gain."""
    report = trained(0.4)
    assert not report and report.verdict.startswith("VANISHING: ‖λ‖ shrinks × 0.4")
    np.testing.assert_allclose(report.per_layer, 0.4, rtol=0.05)
    assert [f.what for f in report.failures] == ["fall of rms λ from the last layer"]
    assert [x.verdict for x in report.layers][::19] == ["vanishing", "steady"]
    assert "larger initial weights" in report.verdict


def test_a_large_one_explodes() -> None:
    report = trained(9.0, rate=0.0)
    assert not report and report.verdict.startswith("EXPLODING: ‖λ‖ grows × ")
    assert report.per_layer > 1.5 and report.layers[0].verdict == "exploding"


def test_factor_of_a_chain_is_exact() -> None:
    """z ← a z: λ of each is a times the next one's."""

    def chain(x: Any) -> Any:
        for k in range(15):
            with ad.scope(f"step{k:02}"):
                x = ad.name(1.7 * x, "z")
        return np.sum(x)

    history = ad.MultiplierHistory(lambda entry: entry.name or None)
    for _ in range(3):
        history.record(ad.with_multipliers(chain)(normal(4))[2])
    report = check.training(history)
    np.testing.assert_allclose(report.per_layer, 1.7, rtol=1e-10)
    np.testing.assert_allclose([x.factor for x in report.layers[:-1]], 1.7)
    assert not report and "EXPLODING" in report.verdict  # 1.7¹⁴ = 1684
    assert check.training(history, spread=1e4)


def test_diverging_and_not_finite() -> None:
    history = ad.MultiplierHistory()
    w = 3.0
    with np.errstate(all="ignore"):
        for _ in range(12):
            gradient = ad.grad(lambda w: w**4)(w)
            history.record({"w": gradient})
            w -= 0.1 * gradient
    assert "NOT FINITE in w" in check.training(history).verdict
    rising = ad.MultiplierHistory()
    for k in range(12):
        rising.record({"a": np.ones(2) * 4.0 ** (k - 6), "b": np.ones(2)})
    report = check.training(rising)
    assert not report and "RISING over the training, by " in report.verdict
    assert [x.verdict for x in report.layers] == ["rising", "steady"]


def test_a_layer_that_a_step_leaves_out_is_not_broken() -> None:
    history, broken = ad.MultiplierHistory(), ad.MultiplierHistory()
    for k in range(8):
        here = {"a": np.ones(2), "b": np.ones(2), "c": np.ones(2)}
        history.record({name: x for name, x in here.items() if name != "b" or k < 7})
        broken.record({name: x * (np.nan if (name, k) == ("b", 3) else 1) for name, x in here.items()})
    report = check.training(history)
    assert report, repr(report)
    assert "NOT FINITE in b" in check.training(broken).verdict  # also when it was so only once


def test_a_dead_layer_is_named() -> None:
    history = ad.MultiplierHistory()
    for k in range(8):
        history.record({"layer1": np.zeros(3), "layer2": np.ones(3), "layer3": np.ones(3) * (k < 4)})
    report = check.training(history)
    assert not report and "DEAD: layer1, layer3 no longer moves the loss" in report.verdict


def test_report_reads_and_travels() -> None:
    report = trained(0.4)
    text = repr(report)
    assert text.startswith("multipliers of 20 layers over 12 steps: VANISHING")
    lines = text.splitlines()
    bars = [line.count("▇") for line in lines if line.startswith("layer")]
    assert len(bars) == 20 and bars == sorted(bars) and bars[0] == 1 and bars[-1] == 24
    assert "… 16 more" in report.table(4)
    again = pickle.loads(pickle.dumps(report))
    assert repr(again) == text


def test_misuse() -> None:
    with pytest.raises(TypeError, match=r"check\.training takes a MultiplierHistory, not"):
        check.training([1.0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"nothing was recorded: history.record\(multipliers\)"):
        check.training(ad.MultiplierHistory())
    history = ad.MultiplierHistory()
    history.record({"w": 1.0})
    with pytest.raises(ValueError, match=r"spread must be larger than 1, got 0\.5"):
        check.training(history, spread=0.5)
