"""Optimizers against hand-written NumPy, as differentiable functions, and in float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import adjoint as ad
from adjoint import optim
from adjoint import tree as trees
from adjoint.errors import ShapeError, TreeError

from ..helpers import close, message, normal, points_at, same_kind
from .cases import CASES

MATRIX = normal(4, 4, seed=2) / 4


def start(dtype: type = np.float64) -> dict:
    return {
        "W": normal(3, 4).astype(dtype),
        "inner": [normal(4, seed=1).astype(dtype), np.asarray(0.5, dtype)],
    }


def loss(params: dict) -> object:
    """Not convex, not separable; every leaf takes part."""
    b, s = params["inner"]
    h = np.tanh(params["W"] @ MATRIX.astype(b.dtype) + b)
    return np.sum(h**2) * s + 0.1 * np.sum(params["W"] ** 2) + s**4


@pytest.mark.parametrize("name", CASES)
def test_twenty_steps_as_by_hand(name: str) -> None:
    case, params, memory = CASES[name], start(), [{} for _ in range(3)]
    state = case.optimizer.init(params)
    expected = trees.flatten(params)[0]
    for t in range(1, 21):
        gradient = ad.grad(loss)(params)
        leaves = trees.flatten(gradient)[0]
        expected = [case.witness(p, g, t, m) for p, g, m in zip(expected, leaves, memory, strict=True)]
        params, state = case.optimizer.update(gradient, state, params)
        close(trees.flatten(params)[0], expected, 1e-12)
        assert state.step == t


@pytest.mark.parametrize("name", CASES)
def test_arguments_stay_as_they_were(name: str) -> None:
    opt, params = CASES[name].optimizer, start()
    gradient, state = ad.grad(loss)(params), opt.init(params)
    before = [np.copy(x) for x in trees.flatten((params, gradient, state))[0]]
    opt.update(gradient, state, params)
    for x, y in zip(trees.flatten((params, gradient, state))[0], before, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("name", CASES)
def test_float32_stays_float32_also_under_a_schedule(name: str) -> None:
    params = start(np.float32)
    kinds = {
        "sgd": optim.sgd, "momentum": optim.momentum, "nesterov": optim.momentum, "adam": optim.adam,
        "adam other constants": optim.adam, "adamw": optim.adamw, "rmsprop": optim.rmsprop,
        "adagrad": optim.adagrad,
    }  # fmt: skip
    for opt in (CASES[name].optimizer, kinds[name](optim.warmup_cosine(0.1, 10, warmup=2))):
        new, state = params, opt.init(params)
        for _ in range(2):
            new, state = opt.update(ad.grad(loss)(new), state, new)
        same_kind(new, params)
        same_kind(state, opt.init(params))


@pytest.mark.parametrize("name", CASES)
def test_three_unrolled_steps_are_differentiable_in_the_rate(name: str) -> None:
    """d(final loss)/d(rate), and along the initial parameters, against central differences."""
    make = {
        "sgd": optim.sgd, "momentum": optim.momentum,
        "nesterov": lambda r: optim.momentum(r, nesterov=True), "adam": optim.adam,
        "adam other constants": lambda r: optim.adam(r, b1=0.8), "adamw": optim.adamw,
        "rmsprop": optim.rmsprop, "adagrad": optim.adagrad,
    }[name]  # fmt: skip

    def final(rate, params):
        opt = make(rate)
        state = opt.init(params)
        for _ in range(3):
            params, state = opt.update(ad.grad(loss)(params), state, params)
        return loss(params)

    params, rate, h = start(), 0.02, 1e-5
    direction = trees.tree_map(np.cos, params)
    along, derivative = ad.jvp(final, (rate, params), (1.0, direction))

    def moved(t: float) -> float:
        return final(rate + t, trees.tree_map(lambda p, d: p + t * d, params, direction))

    assert along == pytest.approx(final(rate, params), rel=1e-12)
    assert derivative == pytest.approx((moved(h) - moved(-h)) / (2 * h), rel=2e-6)
    by_rate = (final(rate + h, params) - final(rate - h, params)) / (2 * h)
    assert ad.grad(final)(rate, params) == pytest.approx(by_rate, rel=2e-6)


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop", "adagrad"])
def test_coordinates_without_a_gradient_do_not_make_a_derivative_nan(name: str) -> None:
    """A row that no batch has met has v = 0, where √v has an infinite derivative."""
    make = getattr(optim, name)

    def final(rate, w):
        opt = make(rate)
        state = opt.init(w)
        for _ in range(2):
            w, state = opt.update(ad.grad(lambda w: np.sum(w[:2] ** 3))(w), state, w)
        return np.sum(w**2)

    w = np.array([1.0, -2.0, 3.0])
    by_rate, by_start = ad.grad(final, (0, 1))(0.1, w)
    h = 1e-6
    assert by_rate == pytest.approx((final(0.1 + h, w) - final(0.1 - h, w)) / (2 * h), rel=1e-6)
    assert np.isfinite(by_start).all()


def test_weight_decay_leaves_out_what_the_mask_says() -> None:
    params = start()
    zero = trees.tree_map(np.zeros_like, params)
    masked = optim.adamw(0.5, weight_decay=0.1, mask=ad.tree_map(lambda p: p.ndim > 1, params))
    new, _ = masked.update(zero, masked.init(params), params)
    close(new["W"], 0.95 * params["W"], 1e-15)
    close(new["inner"], params["inner"], 0.0)


def test_a_schedule_sees_the_number_of_updates_done() -> None:
    seen = []

    def schedule(step):
        seen.append(float(step))
        return 0.1

    for opt in (optim.sgd(schedule), optim.adam(schedule), optim.rmsprop(schedule)):
        w, seen[:] = np.ones(2), []
        state = opt.init(w)
        for _ in range(3):
            w, state = opt.update(w, state, w)
        assert seen == [0.0, 1.0, 2.0]


def test_a_state_survives_on_disk(tmp_path: Path) -> None:
    opt, params = optim.adam(optim.cosine(0.1, 10)), start()
    gradient, state = ad.grad(loss)(params), opt.init(params)
    params, state = opt.update(gradient, state, params)
    ad.save(tmp_path / "state.npz", tuple(state))
    read = optim.AdamState(*ad.load(tmp_path / "state.npz"))
    same_kind(read, state)
    close(opt.update(gradient, read, params), opt.update(gradient, state, params), 0.0)


def test_python_floats_as_parameters() -> None:
    opt = optim.adam(0.1)
    new, _ = opt.update(2.0, opt.init(1.0), 1.0)
    assert new == pytest.approx(0.9)


def test_a_gradient_of_another_shape_or_container_is_refused() -> None:
    opt, params = optim.sgd(0.1), {"a": [np.ones((3, 1))]}
    state = opt.init(params)
    text = message(ShapeError, opt.update, {"a": [np.ones(3)]}, state, params)
    assert "at a/0: (3,), (3, 1)" in text and "update(gradient, state, params)" in text
    with pytest.raises(ShapeError) as caught:
        opt.update({"a": [np.ones(3)]}, state, params)
    assert points_at(str(caught.value), 'opt.update({"a": [np.ones(3)]}')
    text = message(TreeError, opt.update, {"b": [np.ones((3, 1))]}, state, params)
    assert "{'b': [*]} and {'a': [*]}" in text
    masked = optim.adamw(mask=[True])
    text = message(TreeError, masked.update, params, masked.init(params), params)
    assert "[*] and {'a': [*]}" in text and "tree_map" in text
