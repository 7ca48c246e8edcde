"""Kinks, singular points and empty things: where a formula divides by zero, and what is promised there."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad
from adjoint.ops import reduce as rd
from adjoint.ops import segment as sg
from adjoint.tape import Tape

INF = np.inf


def gradient(f, x):
    return ad.grad(f)(np.asarray(x, float))


GRADIENTS = {
    "max: ties share": (lambda x: np.max(x), [1.0, 3.0, 3.0], [0, 0.5, 0.5]),
    "min: ties share": (lambda x: np.min(x), [3.0, 3.0, 3.0, 4.0], [1 / 3, 1 / 3, 1 / 3, 0]),
    "max: infinite ties": (lambda x: np.max(x), [INF, 1.0, INF], [0.5, 0, 0.5]),
    "maximum: half": (lambda x: np.sum(np.maximum(x, 0.0)), [-1.0, 0.0, 1.0], [0, 0.5, 1]),
    "clip: half at a bound": (
        lambda x: np.sum(np.clip(x, 0, 1)),
        [-1.0, 0.0, 0.5, 1.0, 2.0],
        [0, 0.5, 1, 0.5, 0],
    ),
    "ptp of a constant": (lambda x: np.ptp(x), [2.0, 2.0], [0, 0]),
    "sort: ties keep their order": (
        lambda x: np.sort(x, stable=True) @ [1.0, 2.0, 3.0],
        [2.0, 1.0, 2.0],
        [2, 1, 3],
    ),
    "norm at 0": (lambda x: np.linalg.norm(x), [0.0, 0.0], [0, 0]),
    "1-norm at 0": (lambda x: np.linalg.norm(x, 1), [0.0, -2.0], [0, -1]),
    "3-norm at 0": (lambda x: np.linalg.norm(x, 3), [0.0, 0.0], [0, 0]),
    "½-norm with a zero": (lambda x: np.linalg.norm(x, 0.5), [0.0, 4.0, 1.0], [0, 1.5, 3]),
    "max-norm at 0": (lambda x: np.linalg.norm(x, INF), [0.0, 0.0], [0, 0]),
    "Frobenius norm at 0": (lambda x: np.linalg.norm(x, "fro"), np.zeros((2, 2)), np.zeros((2, 2))),
    "norm of the huge": (lambda x: np.linalg.norm(x), [3e200, 4e200], [0.6, 0.8]),
    "norm of the tiny": (lambda x: np.linalg.norm(x), [3e-200, 4e-200], [0.6, 0.8]),
    "3-norm of the huge": (lambda x: np.linalg.norm(x, 3), [1e200, 1e200], [2 ** (-2 / 3)] * 2),
    "std of a constant": (lambda x: np.std(x), [2.0, 2.0, 2.0], [0, 0, 0]),
    "var of a constant": (lambda x: np.var(x), [2.0, 2.0, 2.0], [0, 0, 0]),
    "absolute at 0": (lambda x: np.sum(np.abs(x)), [0.0, -1.0], [0, -1]),
    "prod with a zero": (lambda x: np.prod(x), [2.0, 0.0, 5.0], [0, 10, 0]),
    "prod with two zeros": (lambda x: np.prod(x), [0.0, 0.0, 5.0], [0, 0, 0]),
    "cumprod with a zero": (lambda x: np.sum(np.cumprod(x)), [2.0, 0.0, 5.0], [1, 12, 0]),
    "logsumexp with −inf": (lambda x: rd.logsumexp(x, axis=(0,)), [-INF, 0.0, 0.0], [0, 0.5, 0.5]),
    "logsumexp of −inf": (lambda x: rd.logsumexp(x, axis=(0,)), [-INF, -INF], [0, 0]),
    "logsumexp of the huge": (lambda x: rd.logsumexp(x, axis=(0,)), [1e300, 0.0], [1, 0]),
    "logsumexp far below": (lambda x: rd.logsumexp(x, axis=(0,)), [-2000.0, -2000.0], [0.5, 0.5]),
    "logaddexp.reduce": (lambda x: np.logaddexp.reduce(x), [-INF, 800.0, 800.0], [0, 0.5, 0.5]),
    "logaddexp of −inf": (lambda x: np.logaddexp(x[0], x[1]), [-INF, -INF], [0, 0]),
    "logaddexp2 of −inf": (lambda x: np.logaddexp2(x[0], x[1]), [-INF, -INF], [0, 0]),
    "logaddexp with −inf": (lambda x: np.logaddexp(x[0], x[1]), [-INF, 0.0], [0, 1]),
    "segments: one empty": (
        lambda x: sg.segment_logsumexp(x, np.array([0, 0, 2]))[1],
        [1.0, 1.0],
        [0.5, 0.5],
    ),
    "segments: all −inf": (lambda x: sg.segment_logsumexp(x, np.array([0, 2]))[0], [-INF, -INF], [0, 0]),
    "segments: huge": (
        lambda x: np.sum(sg.segment_logsumexp(x, np.array([0, 1, 3]))),
        [1e300, 0.0, 900.0],
        [1, 0, 1],
    ),
    "segment_max: ties": (
        lambda x: np.sum(sg.segment_max(x, np.array([0, 2, 3]))),
        [1.0, 1.0, 0.0],
        [0.5, 0.5, 1],
    ),
    "det of zeros": (lambda x: np.linalg.det(x), np.zeros((3, 3)), np.zeros((3, 3))),
    "det of rank one": (lambda x: np.linalg.det(x), [[1.0, 2.0], [2.0, 4.0]], [[4, -2], [-2, 1]]),
    "svdvals, one zero": (lambda x: np.linalg.svdvals(x)[0], np.diag([2.0, 0.0]), np.diag([1.0, 0.0])),
    "eigvalsh, equal": (lambda x: np.sum(np.linalg.eigvalsh(x)), np.eye(3), np.eye(3)),
    "cholesky reads one triangle": (lambda x: np.sum(np.linalg.cholesky(x)), np.eye(2), [[0.5, 0], [1, 0.5]]),
    "argmax carries none": (lambda x: np.argmax(x) * np.sum(x), [1.0, 2.0], [1, 1]),
    "sum over nothing": (lambda x: np.sum(x) + 1, np.zeros((0, 3)), np.zeros((0, 3))),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradient(name):
    f, x, expected = GRADIENTS[name]
    np.testing.assert_allclose(gradient(f, x), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", GRADIENTS)
def test_tangent_agrees(name):
    """The tangent at the kink is the one that the gradient promises."""
    f, x, expected = GRADIENTS[name]
    x = np.asarray(x, float)
    v = np.cos(np.arange(x.size)).reshape(x.shape)
    np.testing.assert_allclose(ad.jvp(f, (x,), (v,))[1], np.sum(v * expected), rtol=1e-12, atol=1e-13)


HESSIANS = {
    "norm at 0": (lambda x: np.linalg.norm(x), [0.0, 0.0], np.zeros((2, 2))),
    "hypot at 0": (lambda x: np.hypot(x[0], x[1]), [0.0, 0.0], np.zeros((2, 2))),
    "complex absolute at 0": (lambda x: np.abs(x[0] + 1j * x[1]), [0.0, 0.0], np.zeros((2, 2))),
    "complex sign at 0": (lambda x: np.real(np.sign(x[0] + 1j * x[1])) * x[0], [0.0, 0.0], np.zeros((2, 2))),
    "1.5-norm with a zero": (lambda x: np.linalg.norm(x, 1.5), [0.0, 4.0], np.zeros((2, 2))),
    "std of a constant": (lambda x: np.std(x), [1.0, 1.0], np.zeros((2, 2))),
    "prod with two zeros": (lambda x: np.prod(x), [0.0, 0.0, 5.0], [[0, 5, 0], [5, 0, 0], [0, 0, 0]]),
    "logsumexp with −inf": (
        lambda x: 4 * rd.logsumexp(x, axis=(0,)), [-INF, 0.0, 0.0], [[0, 0, 0], [0, 1, -1], [0, -1, 1]]
    ),
    "logsumexp of −inf": (lambda x: rd.logsumexp(x, axis=(0,)), [-INF, -INF], np.zeros((2, 2))),
    "max": (lambda x: np.max(x) ** 2, [1.0, 3.0], [[0, 0], [0, 2]]),
}  # fmt: skip


@pytest.mark.parametrize("name", HESSIANS)
def test_hessian(name):
    f, x, expected = HESSIANS[name]
    np.testing.assert_allclose(ad.hessian(f)(np.asarray(x)), expected, rtol=1e-12, atol=1e-14)


def test_third_derivative_of_det_at_zero():
    """det is a cubic form of a 3 × 3 matrix: its third derivative at 0 is that form, polarised."""
    rng = np.random.default_rng(0)
    e, f, g = rng.standard_normal((3, 3, 3))

    def along(function, v):
        return lambda x: ad.jvp(function, (x,), (v,))[1]

    value = along(along(along(np.linalg.det, e), f), g)(np.zeros((3, 3)))
    det = np.linalg.det
    polar = det(e + f + g) - det(e + f) - det(e + g) - det(f + g) + det(e) + det(f) + det(g)
    np.testing.assert_allclose(value, polar, rtol=1e-12)


def test_det_of_a_large_nearly_singular_matrix():
    """The gradient is the cofactor matrix: Π of the other singular values, for a matrix of condition 1e14."""
    rng = np.random.default_rng(1)
    u, v = (np.linalg.qr(rng.standard_normal((20, 20)))[0] for _ in range(2))
    s = np.append(np.linspace(2, 0.5, 19), 1e-14)
    left_out = np.array([np.prod(np.delete(s, k)) for k in range(20)])
    expected = np.linalg.det(u) * np.linalg.det(v) * (u * left_out) @ v.T
    found = gradient(np.linalg.det, (u * s) @ v.T)
    np.testing.assert_allclose(found, expected, atol=1e-11 * np.abs(expected).max())


def test_integers_and_booleans_follow_numpy():
    """Comparisons give booleans; reductions of them have NumPy's values and dtypes."""
    x = np.array([[1.0, -2.0, 3.0], [0.5, -1.0, 2.0]])
    for f in (
        np.sum,
        np.prod,
        np.mean,
        np.max,
        np.min,
        np.cumsum,
        np.cumprod,
        np.argmax,
        np.any,
        np.all,
        np.count_nonzero,
    ):
        with Tape() as tape:
            z = f(tape.input(x) > 0)
        expected = f(x > 0)
        value = z.value if isinstance(z, ad.Variable) else z
        assert np.array_equal(value, expected) and np.asarray(value).dtype == np.asarray(expected).dtype, f


KEEP_THEIR_DTYPE = {
    "tril": np.tril, "triu": np.triu, "round": lambda i: np.round(i[0]), "round of a count": np.round,
    "nanmax": np.nanmax, "nanmin": lambda i: np.nanmin(i, axis=0), "diff": np.diff,
    "float_power": lambda i: np.float_power(i, 2),
    "complex float_power": lambda i: np.float_power(i + 2, 0.5j),
}  # fmt: skip


@pytest.mark.parametrize("name", KEEP_THEIR_DTYPE)
def test_integers_stay_integers_and_complex_numbers_complex(name):
    f, x = KEEP_THEIR_DTYPE[name], np.array([[3.0, 1.0, 2.0], [0.5, -1.0, 2.0]])
    makers = [np.argsort, lambda x: x > 0.7, lambda x: x * (1 + 2j)]
    for make in [m for m in makers if "round" not in name or m is np.argsort]:
        with Tape() as tape:
            z = f(make(tape.input(x)))
        expected = np.asarray(f(make(x)))
        assert z.dtype == expected.dtype
        np.testing.assert_allclose(z.value, expected)


def test_average_returns_the_sum_of_weights_in_its_own_dtype():
    with Tape() as tape:
        mean, total = np.average(tape.input(np.ones((2, 3), np.float32)), axis=1, returned=True)
    assert mean.dtype == total.dtype == np.float32 and total.tolist() == [3.0, 3.0]


def test_scans_of_a_scalar_have_one_axis():
    assert gradient(lambda x: np.sum(np.cumsum(x, 0) + np.cumprod(x, -1)), 2.0) == 2
    for scan in (np.cumsum, np.cumprod):
        with pytest.raises(ad.ShapeError, match="axis 1"):
            gradient(lambda x, scan=scan: np.sum(scan(x, 1)), 2.0)


def test_average_with_weights_of_sum_zero():
    with pytest.raises(ZeroDivisionError):
        gradient(lambda x: np.average(x, weights=[1.0, -1.0]), [1.0, 2.0])


def test_take_refuses_places_between_elements():
    with pytest.raises(TypeError, match="safe"):
        gradient(lambda x: np.sum(np.take(x, np.array([0.5]))), [1.0, 2.0])
    assert gradient(lambda x: np.sum(np.take(x, np.array([True, True]))), [1.0, 2.0]).tolist() == [0, 2]


def test_where_of_one_argument_gives_positions():
    assert gradient(lambda x: np.sum(x[np.where(x > 1)]), [1.0, 2.0, 3.0]).tolist() == [0, 1, 1]


def test_infinite_entry_makes_logsumexp_undefined_not_wrong():
    """At +∞ the softmax is ∞ − ∞."""
    with np.errstate(invalid="ignore"):
        assert np.isnan(gradient(lambda x: rd.logsumexp(x, axis=(0,)), [INF, 0.0])[0])
