"""odeint: closed forms of values and derivatives in every operand, mode and order; what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.integrate
from scipy.linalg import expm, expm_frechet

import adjoint as ad
from adjoint import check
from adjoint.scipy.integrate import odeint

from ..helpers import close, message, normal

A = np.array([[0.1, 1.0], [-2.0, -0.3]])
Y = np.array([1.0, 0.5])
TIMES = {"rising": np.array([0.2, 0.5, 0.9, 1.4]), "falling": np.array([1.4, 0.9, 0.5, 0.2])}
times = pytest.mark.parametrize("t", TIMES.values(), ids=TIMES)
WEIGHTS = normal(4, 2, seed=3)


def linear(y: Any, t: Any, a: Any) -> Any:
    return a @ y


def exact(a: Any, y: Any, t: Any) -> Any:
    return np.stack([expm(a * (s - t[0])) @ y for s in t])


def loss(a: Any, y: Any, t: Any) -> Any:
    return np.sum(WEIGHTS * odeint(linear, y, t, (a,)))


def exact_gradients(a: Any, y: Any, t: Any) -> Any:
    """Of Σ w·y(t_i) for ẏ = a y: expm and its Fréchet derivative."""
    to_a, to_y, to_t = np.zeros((2, 2)), np.zeros(2), np.zeros(4)
    for k, s in enumerate(t):
        flow = expm(a * (s - t[0]))
        to_y += flow.T @ WEIGHTS[k]
        for i, j in np.ndindex(2, 2):
            direction = np.zeros((2, 2))
            direction[i, j] = s - t[0]
            to_a[i, j] += WEIGHTS[k] @ expm_frechet(a * (s - t[0]), direction, compute_expm=False) @ y
        speed = WEIGHTS[k] @ a @ flow @ y
        to_t[k] += speed
        to_t[0] -= speed
    return to_a, to_y, to_t


@times
def test_gradients_of_a_linear_equation_are_those_of_the_exponential(t: Any) -> None:
    close(odeint(linear, Y, t, (A,)), exact(A, Y, t), 1e-6)
    expected = exact_gradients(A, Y, t)
    close(ad.grad(loss, (0, 1, 2))(A, Y, t), expected, 1e-6)
    for k, at in enumerate(expected):  # what is not wanted is left out of the sweep
        close(ad.grad(loss, k)(A, Y, t), at, 1e-6)


@times
def test_tangents_and_second_order(t: Any) -> None:
    v = (normal(2, 2, seed=4), normal(2, seed=5), 0.1 * normal(4, seed=6))
    gradients = exact_gradients(A, Y, t)
    pushed = ad.jvp(loss, (A, Y, t), v)[1]
    close(pushed, sum(np.sum(g * d) for g, d in zip(gradients, v, strict=True)), 1e-6)

    def along(s: float) -> Any:
        return exact_gradients(*(x + s * d for x, d in zip((A, Y, t), v, strict=True)))

    h = 1e-4
    expected = tuple((p - m) / (2 * h) for p, m in zip(along(h), along(-h), strict=True))
    close(ad.hessian_vector_product(loss, (0, 1, 2))(A, Y, t, v), expected, 1e-5)  # forward over reverse

    def slope(a: Any, y: Any, t: Any) -> Any:
        return ad.jvp(loss, (a, y, t), v)[1]

    close(ad.grad(slope, (0, 1, 2))(A, Y, t), expected, 1e-5)  # reverse over forward

    def gradient_along(a: Any, y: Any, t: Any) -> Any:
        return sum(np.sum(g * d) for g, d in zip(ad.grad(loss, (0, 1, 2))(a, y, t), v, strict=True))

    close(ad.grad(gradient_along, (0, 1, 2))(A, Y, t), expected, 1e-5)  # reverse over reverse


def test_checks_pass_to_rounding_with_tolerances_to_match() -> None:
    def f(a: Any, y: Any, t: Any) -> Any:
        return np.sum(np.sin(odeint(linear, y, t, (a,), rtol=1e-13, atol=1e-13)))

    check.gradients(f, (A, Y, TIMES["rising"])).raise_on_failure()
    check.multipliers(loss, (A, Y, TIMES["rising"])).raise_on_failure()


def test_harmonic_oscillator_to_third_order() -> None:
    def oscillator(y: Any, t: Any, frequency: Any) -> Any:
        return [y[1], -(frequency**2) * y[0]]  # a list, as SciPy takes it

    def position(frequency: Any) -> Any:
        return odeint(oscillator, np.array([1.0, 0.0]), np.array([0.0, 0.7]), (frequency,))[1, 0]

    w = 1.3  # cos(w t) and its derivatives
    close(position(w), np.float64(np.cos(0.7 * w)), 1e-7)
    close(ad.grad(position)(w), np.float64(-0.7 * np.sin(0.7 * w)), 1e-6)
    close(ad.grad(ad.grad(position))(w), np.float64(-(0.7**2) * np.cos(0.7 * w)), 1e-6)
    close(ad.grad(ad.grad(ad.grad(position)))(w), np.float64(0.7**3 * np.sin(0.7 * w)), 1e-5)


def test_time_dependence_containers_and_options_in_the_arguments() -> None:
    def forced(y: Any, t: Any, p: dict[str, Any], power: int, name: str) -> Any:
        assert name == "forced"
        return p["gain"] * t**power + p["offsets"][0]

    def end(p: dict[str, Any], t: Any) -> Any:
        return odeint(forced, 0.5, t, (p, 2, "forced"))[-1, 0]

    p, t = {"gain": 1.5, "offsets": [np.array([0.3])]}, np.array([0.5, 2.0])
    close(end(p, t), np.float64(0.5 + 1.5 * (8 - 0.125) / 3 + 0.3 * 1.5), 1e-7)
    expected = {"gain": np.float64((8 - 0.125) / 3), "offsets": [np.array([1.5])]}
    close(ad.grad(end)(p, t), expected, 1e-7)
    close(ad.grad(end, 1)(p, t), np.array([-1.5 * 0.25 - 0.3, 1.5 * 4 + 0.3]), 1e-7)


def test_matrix_state_scalar_state_and_float32() -> None:
    def rotate(y: Any, t: Any, a: Any) -> Any:
        return a @ y

    t = np.array([0.0, 0.4])
    z = odeint(rotate, np.eye(2), t, (A,))
    assert z.shape == (2, 2, 2)
    close(z[1], expm(0.4 * A), 1e-6)
    to_y = ad.grad(lambda y: WEIGHTS[0] @ odeint(rotate, y, t, (A,))[1] @ Y)(np.eye(2))
    close(to_y, np.outer(expm(0.4 * A).T @ WEIGHTS[0], Y), 1e-6)
    listed = ad.grad(lambda a: odeint(linear, [a, 2.0], [0.0, 0.4], (A,))[1, 0])(1.0)
    assert listed == pytest.approx(expm(0.4 * A)[0, 0], rel=1e-6)
    assert ad.grad(lambda y: odeint(lambda y, t: -y, y, t)[1, 0])(1.0) == pytest.approx(
        np.exp(-0.4), rel=1e-7
    )
    small = ad.grad(lambda a: np.sum(odeint(rotate, Y, t, (a,))))(A.astype(np.float32))
    assert small.dtype == np.float32
    close(small, ad.grad(lambda a: np.sum(odeint(rotate, Y, t, (a,))))(A), 1e-5)


def test_complex_states_and_arguments() -> None:
    def rotate(y: Any, t: Any, w: Any) -> Any:
        return w * y

    def real_end(w: Any, y: Any) -> Any:
        return np.real(odeint(rotate, y, np.array([0.0, 0.8]), (w,))[1, 0] * (2 - 1j))

    w, y = -0.3 + 2.0j, np.array([1.0 + 0.5j])
    factor = (2 - 1j) * np.exp(0.8 * w)  # the derivative of Re h is h′, in the convention of jax and autograd
    close(real_end(w, y), np.real(factor * y[0]), 1e-6)
    close(ad.grad(real_end, (0, 1))(w, y), (0.8 * factor * y[0], np.array([factor])), 1e-6)
    close(ad.jvp(real_end, (w, y), (1j, y))[1], np.real(factor * y[0] * (1 + 0.8j)), 1e-6)
    second = ad.grad(lambda w: np.real(ad.grad(real_end)(w, y)))(w)
    close(second, 0.64 * factor * y[0], 1e-6)
    text = message(ad.DTypeError, odeint, rotate, [1.0], [0.0, 0.8], (w,))
    assert "returned complex numbers for a state of real ones" in text
    assert "Start it with a complex y0" in text


def test_signature_is_scipys() -> None:
    t = [0, 1, 2]
    ours, theirs = odeint(linear, [1, 0], t, (A,)), scipy.integrate.odeint(linear, [1, 0], t, (A,))
    np.testing.assert_array_equal(ours, theirs)
    first = odeint(lambda t, y, a: a @ y, [1, 0], t, args=(A,), tfirst=True)
    np.testing.assert_array_equal(first, theirs)
    close(
        ad.grad(lambda a: np.sum(odeint(lambda t, y, a: a @ y, Y, t, args=(a,), tfirst=True)))(A),
        ad.grad(lambda a: np.sum(odeint(linear, Y, t, (a,))))(A),
    )

    def slope(y: Any, t: Any, a: Any) -> Any:
        return a

    with_slope = odeint(linear, [1, 0], t, (A,), Dfun=slope)
    np.testing.assert_array_equal(with_slope, scipy.integrate.odeint(linear, [1, 0], t, (A,), Dfun=slope))
    z, info = odeint(linear, [1, 0], t, (A,), full_output=True)  # nothing is recorded here
    np.testing.assert_array_equal(z, theirs)
    assert info["message"] == "Integration successful."


def test_times_once_twice_and_not_at_all() -> None:
    close(ad.grad(lambda y: np.sum(odeint(linear, y, [0.3], (A,))))(Y), np.ones(2))
    close(ad.grad(lambda t: np.sum(odeint(linear, Y, t, (A,))))(np.array([0.3])), np.zeros(1))
    twice = np.array([0.0, 0.5, 0.5, 1.0])
    close(ad.grad(loss, (0, 1, 2))(A, Y, twice), exact_gradients(A, Y, twice), 1e-6)
    equal = np.array([0.0, 0.0, 0.5, 1.0])
    close(ad.grad(loss, (0, 1, 2))(A, Y, equal), exact_gradients(A, Y, equal), 1e-6)


def test_tolerances_reach_both_sweeps() -> None:
    t, expected = TIMES["rising"], exact_gradients(A, Y, TIMES["rising"])[0]

    def error(**options: Any) -> float:
        found = ad.grad(lambda a: np.sum(WEIGHTS * odeint(linear, Y, t, (a,), **options)))(A)
        return float(np.max(np.abs(found - expected)))

    assert error(rtol=1e-11, atol=1e-11) < 1e-9 < error() < 1e-6 < error(rtol=1e-4, atol=1e-4)
    assert error(rtol=1e-11, atol=np.array([1e-11, 1e-10])) < 1e-9


# ----------------------------------------------------------------------------------------- stiff
def relaxing(y: Any, t: Any, k: Any) -> Any:
    return -k * (y - np.cos(t))


def test_stiff_equation_although_it_cannot_be_run_backwards() -> None:
    """The solution forgets its start by e⁻¹⁰⁰⁰ per unit of time; backwards it would explode by as much."""
    t, k = np.array([0.0, 1.0, 2.0]), 1000.0

    def end(k: Any) -> Any:
        return odeint(relaxing, 0.0, t, (k,))[-1, 0]

    def derivative(k: Any) -> Any:  # of (k² cos t + k sin t) / (1 + k²)
        return (2 * k * np.cos(2) + np.sin(2) * (1 - k * k)) / (1 + k * k) ** 2

    close(ad.grad(end)(k) / derivative(k), np.float64(1), 1e-3)
    close(ad.jvp(end, (k,), (1.0,))[1] / derivative(k), np.float64(1), 1e-3)
    curvature = ad.jvp(lambda k: ad.jvp(end, (k,), (1.0,))[1], (k,), (1.0,))[1]
    close(curvature / ((derivative(k + 1) - derivative(k - 1)) / 2), np.float64(1), 1e-2)
    for second in (ad.grad(ad.grad(end)), lambda k: ad.hvp(end, k, 1.0)):
        text = message(ad.ConvergenceError, second, k)
        assert "the solution cannot be traced backwards" in text
        assert "Ask for more times in between, or take forward mode" in text


# ----------------------------------------------------------------------------------------- compiled
def test_compiled_it_runs_by_scipy() -> None:
    t = TIMES["rising"]
    compiled = ad.compile(ad.value_and_grad(loss, (0, 1, 2)))
    for a, y in ((A, Y), (A + 0.1, 2 * Y)):
        close(compiled(a, y, t), ad.value_and_grad(loss, (0, 1, 2))(a, y, t), 1e-9)
    assert "by NumPy: odeint(linear)" in str(compiled.explain())
    product = ad.compile(lambda a, v: ad.hvp(lambda a: loss(a, Y, t), a, v))
    close(product(A, A @ A), ad.hvp(lambda a: loss(a, Y, t), A, A @ A), 1e-9)


def test_compiled_with_a_value_from_the_surroundings() -> None:
    compiled = ad.compile(lambda a: np.sum(odeint(lambda y, t: a @ y, Y, [0.0, 1.0])))
    assert "Pass it in args" in message(ad.LeakError, compiled, A)


# ----------------------------------------------------------------------------------------- refusals
def test_value_taken_from_the_surroundings_is_refused() -> None:
    def all_plain(a: Any) -> Any:
        return np.sum(odeint(lambda y, t: a @ y, Y, [0.0, 1.0]))

    def one_recorded(a: Any) -> Any:
        return np.sum(odeint(lambda y, t, b: (a + 0 * b) @ y, Y, [0.0, 1.0], (a,)))

    for f in (all_plain, one_recorded):
        text = message(ad.LeakError, ad.grad(f), A)
        assert "odeint(<lambda>) uses a recorded value that is not among its arguments" in text
        assert "Pass it in args" in text


def test_options_without_a_rule_are_refused() -> None:
    for options in ({"full_output": True}, {"Dfun": linear}, {"tcrit": np.array([0.5, 0.6])}):
        text = message(
            ad.MissingRuleError,
            ad.grad(lambda a, o=options: np.sum(odeint(linear, Y, [0.0, 1.0], (a,), **o))),
            A,
        )
        assert f"odeint(linear) has no rule with {next(iter(options))}=" in text
        assert "Leave it away where a derivative is taken" in text


def test_shapes_are_checked() -> None:
    text = message(
        ad.ShapeError, ad.grad(lambda a: np.sum(odeint(lambda y, t, a: a, Y, [0.0, 1.0], (a,)))), A
    )
    assert "odeint(<lambda>) must return the shape of y: (2,), got (2, 2)" in text
    text = message(ad.ShapeError, ad.grad(lambda y: np.sum(odeint(linear, y, 1.0, (A,)))), Y)
    assert "needs times of shape (T,), got ()" in text


def test_integration_that_stops_is_said() -> None:
    f = ad.grad(lambda y: odeint(lambda y, t: y**2, y, np.array([0.0, 2.0]))[-1, 0])  # infinite at t = 1
    text = message(ad.ConvergenceError, f, 1.0)
    assert "odeint(<lambda>) stopped before it reached the end" in text
    assert "Raise mxstep or the tolerances" in text
