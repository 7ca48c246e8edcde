"""Each method of the gradient check by itself: it sees the fault that is its own, and lets right ones be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adjoint import check
from adjoint.check import compiled, noise
from adjoint.check.line import walk
from adjoint.check.report import Finding
from adjoint.errors import TreeError

X = np.array([0.6, -1.3, 0.2, 2.1])


def failed(report: check.Report) -> set[str]:
    return {f.what for f in report.failures}


# ----------------------------------------------------------------------------------- slopes and noise
@pytest.mark.parametrize("size", [1e-12, 1e-8, 1e-4])
def test_noise_is_measured_to_its_order(size: float) -> None:
    rng = np.random.default_rng(3)
    estimates = [
        noise.from_differences([np.exp(1e-7 * k) + size * rng.standard_normal() for k in range(6)])
        for _ in range(50)
    ]
    assert size / 3 < np.median(estimates) < 6 * size


SMOOTH: list[tuple[Any, Any]] = [
    (np.exp, np.exp),
    (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    (lambda x: np.sin(1e2 * x), lambda x: 1e2 * np.cos(1e2 * x)),
    (lambda x: 1e10 + x**3, lambda x: 3 * x**2),
    (lambda x: np.round(x**2, 9), lambda x: 2 * x),
    (lambda x: 1 / (x - 0.5999), lambda x: -1 / (x - 0.5999) ** 2),
]


@pytest.mark.parametrize("k", range(len(SMOOTH)))
def test_error_bars_hold_the_truth(k: int) -> None:
    f, slope = SMOOTH[k]
    for x in np.random.default_rng(k).uniform(0.5, 2.0, 40):
        line = walk(
            lambda a: [np.asarray(f(a[0]))], [x], [np.asarray(x)], [np.ones(())], [np.asarray(f(x))], 2e-16
        )
        found = line.slope()
        assert not found.differs(slope(x) * x, 1e-13 * abs(slope(x) * x)), (x, found)


def test_the_second_direction_sees_small_entries_beside_large_ones() -> None:
    x = np.array([1e-12, 1.0, 1e12])
    f = lambda x: np.sum(np.sin(x / np.array([1e-12, 1.0, 1e12])))  # noqa: E731
    right = lambda x: np.cos(x / np.abs(x)) / np.abs(x)  # noqa: E731
    assert check.pair(f, right, (x,))
    for k in range(3):
        report = check.pair(f, lambda x, k=k: right(x) * np.where(np.arange(3) == k, 1.01, 1.0), (x,))
        assert not report and report.places[0].index == (k,)


# ------------------------------------------------------------------------------------ complex step
def test_single_precision_is_told_from_double() -> None:
    report = check.pair(
        lambda x: np.sum(np.sin(x)), lambda x: np.cos(x.astype(np.float32)).astype(float), (X,)
    )
    assert not report and report.kind.startswith("float32 cast")
    assert check.pair(lambda x: np.sum(np.sin(x)), np.cos, (X.astype(np.float32),))
    assert not check.pair(lambda x: np.sum(np.sin(x)), lambda x: 1.01 * np.cos(x), (X.astype(np.float32),))


def test_functions_that_are_not_analytic_are_not_judged_by_complex_steps() -> None:
    assert check.pair(lambda x: np.sum(np.abs(x) * x), lambda x: 2 * np.abs(x), (X,))
    assert check.pair(lambda x: np.sum(x * np.real(x)), lambda x: 2 * x, (X,))
    assert not check.pair(lambda x: np.sum(x * np.real(x)), lambda x: x, (X,))  # what a complex step says


# ------------------------------------------------------------------------ kinks, jumps, chance, noise
def test_breaks_are_named_and_the_rest_is_checked() -> None:
    x = np.array([0.5, 0.0, -2.0])
    report = check.pair(lambda w: np.sum(np.abs(w)) + w[0] ** 2, lambda w: np.sign(w) + 2 * w, (x,))
    assert not report and report.places[0].index == (2,)
    assert "kink at argument w[1]: slopes -1 and 1, received 0 between" in report.notes
    outside = check.pair(lambda w: np.sum(np.abs(w)), lambda w: np.where(w == 0, 5.0, np.sign(w)), (x,))
    assert not outside and outside.places[0].index == (1,)
    jump = check.pair(lambda w: np.sum(np.floor(w)) + w[0], lambda w: np.array([1.0, 0, 0]), (x,))
    assert jump and any(note.startswith("jump at argument w[1]") for note in jump.notes)
    with np.errstate(all="ignore"):
        steep = check.pair(lambda w: np.sum(np.sqrt(w)), lambda w: 0.5 / np.sqrt(w), (np.array([0.0, 4.0]),))
    assert steep and steep.notes == ("infinite slope at argument w[0]: received inf",)


def within(x: Any) -> Any:
    if np.any(x < 0):
        raise ValueError("beyond the domain")
    return x


def test_faults_at_the_edge_of_a_domain_are_told() -> None:
    x = np.array([0.0, 1.0])
    f = lambda x: within(x) ** 2.5  # noqa: E731
    wrong = lambda x: 2.5 * within(x) ** 1.5 + (x == 0)  # noqa: E731
    for report in (
        check.pair(f, None, (x,), vjp=lambda args, lam: wrong(args[0]) * lam),
        check.pair(f, None, (x,), jvp=lambda args, v: wrong(args[0]) * v[0]),
    ):
        assert [(p.index, p.output) for p in report.places] == [((0,), (0,))]
        assert abs(report.places[0].received - 1) < 1e-12 and abs(report.places[0].expected) < 1e-6


def test_a_gradient_that_raises_elsewhere_is_no_error() -> None:
    def here_only(x: Any) -> Any:
        if not np.array_equal(x, X):
            raise ValueError("beyond the domain")
        return np.cos(x)

    report = check.pair(lambda x: np.sum(np.sin(x)), here_only, (X,))
    assert report
    assert report.not_checked == ("the gradient at another point: it raises ValueError there",)
    rough = lambda x: here_only(x).astype(np.float32) * 1.0000001  # noqa: E731
    assert not check.pair(lambda x: np.sum(np.sin(x)), rough, (X,))


def test_where_nothing_is_finite_nearby_nothing_is_claimed() -> None:
    f = lambda x: np.sum(x) if np.all(x == 0) else np.nan  # noqa: E731
    report = check.pair(f, np.ones_like, (np.zeros(2),))
    assert not report.failures
    assert any("no finite values nearby" in what for what in report.not_checked)


def test_kinks_among_a_hundred_thousand_are_found() -> None:
    x = np.random.default_rng(0).normal(size=100_000)
    x[4321] = 0.0
    report = check.pair(lambda w: np.sum(np.maximum(w, 0.0)), lambda w: (w > 0) * 1.0, (x,))
    assert report and any("kink at argument w[4321]: slopes 0 and 1" in note for note in report.notes)


def test_chance_and_noise_are_said() -> None:
    rng = np.random.default_rng(0)
    f = lambda x: np.sum(x**2) + 1e-6 * rng.standard_normal()  # noqa: E731
    report = check.pair(f, lambda x: 2 * x, (X,))
    assert report and report.notes[0].startswith("stochastic: the same input twice gives")
    assert not check.pair(f, lambda x: -2 * x, (X,))
    noisy = check.pair(lambda x: np.sum(np.sin(x).astype(np.float32)).astype(float), np.cos, (X,))
    assert noisy and any(note.startswith("noise: values of the function") for note in noisy.notes)


# ---------------------------------------------------------------------------- state, memory, linearity
def test_state_of_any_kind_is_found() -> None:
    f = lambda x: np.sum(x**3)  # noqa: E731
    buffer, seen, total = np.zeros(4), {}, np.zeros(4)

    def shared(x: Any) -> Any:
        buffer[:] = 3 * x**2
        return buffer

    def cached(x: Any) -> Any:
        return seen.setdefault("g", 3 * x**2).copy()

    def accumulated(x: Any) -> Any:
        nonlocal total
        total = total + 3 * x**2
        return total.copy()

    def mutating(x: Any) -> Any:
        x *= 1.5
        return 3 * x**2

    kinds = {
        shared: "shared buffer",
        cached: "stale cache",
        accumulated: "accumulation",
        mutating: "mutated input",
    }
    for gradient, kind in kinds.items():
        report = check.pair(f, gradient, (X.copy(),))
        assert not report and kind in report.kind, repr(report)


def test_a_pullback_must_be_linear() -> None:
    right = lambda args, lam: lam * np.cos(args[0])  # noqa: E731
    assert check.pair(np.sin, None, (X,), vjp=right)
    report = check.pair(np.sin, None, (X,), vjp=lambda args, lam: np.clip(right(args, lam), -5, 5))
    assert failed(report) == {"pullback is linear"}
    assert "clipped" in report.kind


def test_a_tangent_is_held_against_the_pullback_and_the_function() -> None:
    vjp = lambda args, lam: lam * np.cos(args[0])  # noqa: E731
    jvp = lambda args, v: v[0] * np.cos(args[0])  # noqa: E731
    assert check.pair(np.sin, None, (X,), vjp=vjp, jvp=jvp)
    assert check.pair(np.sin, None, (X,), jvp=jvp)
    wrong = lambda args, v: v[0] * np.cos(args[0]) * np.array([1, 1, 1, 1.1])  # noqa: E731
    report = check.pair(np.sin, None, (X,), vjp=vjp, jvp=wrong)
    assert {"dot product ⟨λ, Jv⟩ = ⟨Jᵀλ, v⟩", "tangent against differences"} <= failed(report)
    assert report.places[0].index == (3,)
    assert not check.pair(np.sin, None, (X,), jvp=wrong)


# -------------------------------------------------------------------------------------- second order
def test_second_derivatives() -> None:
    a = np.arange(16.0).reshape(4, 4)
    f, g = lambda x: x @ a @ x + np.sum(x**3), lambda x: (a + a.T) @ x + 3 * x**2
    full = lambda x: a + a.T + np.diag(6 * x)  # noqa: E731
    report = check.pair(f, g, (X,), hessian=full)
    assert report and "second order: symmetry" in {x.what for x in report}
    lopsided = check.pair(f, g, (X,), hessian=lambda x: 2 * a + np.diag(6 * x))
    assert "second order: symmetry" in failed(lopsided) and "not symmetric" in repr(lopsided)
    half = check.pair(f, g, (X,), hvp=lambda args, v: (a + a.T) @ v[0] + 3 * args[0] * v[0])
    assert "second order: tangent of the adjoint" in failed(half)
    assert "Taylor rate, order 2" in failed(half)
    assert any("no Hessian product" in what for what in check.pair(f, g, (X,), order=2).not_checked)


# --------------------------------------------------------------------------------- kinds of mistakes
A = np.arange(9.0).reshape(3, 3) / 4 + np.eye(3)
KINDS: dict[str, tuple[Any, Any, Any]] = {
    "sign": (lambda x: np.sum(np.exp(x)), lambda x: -np.exp(x), X),
    "factor 2": (lambda x: np.sum(x**2), lambda x: 4 * x, X),
    "mean instead of sum": (lambda x: np.sum(x**2), lambda x: 2 * x / 6, X[:3].repeat(2)),
    "sum instead of mean": (lambda x: np.mean(x**3), lambda x: 3 * x**2, X),
    "zero: detached": (lambda x: np.sum(x**2), np.zeros_like, X),
    "transposed": (lambda x: np.sum(A * x), lambda x: A.T, A.copy()),
    "off by one": (lambda x: np.arange(6.0) ** 2 @ x, lambda x: np.roll(np.arange(6.0) ** 2, 1), np.ones(6)),
    "the mean is not taken off": (
        lambda x: np.sum((x - x.mean()) ** 3),
        lambda x: 3 * (x - x.mean()) ** 2,
        X,
    ),
    "clipped at": (lambda x: np.sum(np.exp(x)), lambda x: np.clip(np.exp(x), -1.0, 1.0), X),
    "the wrong branch": (
        lambda x: np.sum(np.where(x > 0, x**2, x**3)),
        lambda x: 2 * x,
        np.array([1.0, -1.0, 2.0, -3.0, 0.5]),
    ),
    "a dropped term": (lambda x: np.sum(x**3 + 2 * x), lambda x: 3 * x**2, X),
    "conjugate": (lambda z: np.sum(np.abs(z) ** 2), lambda z: 2 * z, X + 1j * X[::-1]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_likely_mistake_is_named(kind: str) -> None:
    f, gradient, x = KINDS[kind]
    report = check.pair(f, gradient, (x,))
    assert not report and kind in report.kind, repr(report)


def test_no_likely_mistake_is_made_of_entries_too_small_to_tell() -> None:
    slope = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    report = check.pair(
        lambda x: np.sum(np.log1p(np.exp(x))), lambda x: slope(x) * np.array([1, 0]), (np.array([1.0, -30]),)
    )
    assert not report and report.places[0].index == (1,)
    assert report.kind == ""  # the two numbers differ by much: no permutation, no clipping


def test_one_entry_at_a_bound_is_not_called_clipped() -> None:
    report = check.pair(lambda x: np.sum(x**2), lambda x: 2 * x - 0.1 * (x == 2.1), (X,))
    assert not report and "clipped" not in report.kind


def test_entries_are_tried_once() -> None:
    x = np.array([0.5, -1.0])
    report = check.pair(lambda x: np.sum(np.log1p(np.exp(x))), lambda x: -1 / (1 + np.exp(-x)), (x,))
    assert report.kind == "sign" and report.evaluations["f"] < 110


def test_shapes_name_the_missing_sum() -> None:
    f = lambda a, b: np.sum(np.tanh(a + b))  # noqa: E731
    slope = lambda a, b: 1 - np.tanh(a + b) ** 2  # noqa: E731
    report = check.pair(f, lambda a, b: (slope(a, b), slope(a, b)), (np.ones((5, 3)), np.ones(3)))
    assert "argument b is (3,), its gradient (5, 3)" in repr(report)
    assert report.kind.startswith("missing broadcast sum")


# ------------------------------------------------------------------------------------------- misuse
def test_misuse_is_refused_with_the_remedy() -> None:
    with pytest.raises(TypeError, match=r"needs a derivative: gradient\(\*args\), vjp\(args, cotangent\)"):
        check.pair(np.sin, None, (X,))
    with pytest.raises(TypeError, match=r"check\.pair: gradient must be a function, not \(4,\) float64"):
        check.pair(np.sum, np.ones(4), (X,))
    with pytest.raises(TypeError, match=r"check\.gradients needs a function, not float 3\.0"):
        check.gradients(3.0, (X,))
    with pytest.raises(TypeError, match=r"args must be a tuple .* not \(4,\) float64"):
        check.pair(np.sum, np.ones_like, X)
    with pytest.raises(TypeError, match=r"f returns \(4,\) float64: give vjp\(args, cotangent\) instead"):
        check.pair(np.sin, np.cos, (X,))
    with pytest.raises(TypeError, match="nothing to differentiate: no float array or number among int 3"):
        check.pair(lambda n: n, lambda n: 1, (3,))
    with pytest.raises(ValueError, match=r"argnum \(0, 0\) names an argument twice"):
        check.pair(np.sum, np.ones_like, (X,), argnum=(0, 0))
    with pytest.raises(ValueError, match="argnum 2 is out of range: the function is given 1 arguments"):
        check.pair(np.sum, np.ones_like, (X,), argnum=2)
    with pytest.raises(TreeError, match="gradient returned 3 results for 2 arg"):
        check.pair(lambda a, b: np.sum(a * b), lambda a, b: (b, a, a), (X, X))


# ------------------------------------------------------------------------------------------- engines
def test_rules_on_compiled_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    report = check.rule("tanh", engine="numba")
    assert report and repr(report).startswith("rule tanh on numba: passed")
    honest = compiled.compile

    def off(program: Any, engine: str) -> Any:
        def run(operands: Any) -> Any:
            found = honest(program, engine=engine)(operands)
            return [dict(r, pullback=[1.001 * g for g in r["pullback"]]) for r in found]

        return run

    monkeypatch.setattr(compiled, "compile", off)
    report = check.rule("tanh", engine="numba")
    assert not report
    assert "the pullback of the kernel is off by" in repr(report)
    with pytest.raises(ValueError, match=r"takes the samples of tanh: no operands"):
        check.rule("tanh", X, engine="numba")


def test_a_summary_is_true_when_all_pass_and_lists_what_does_not() -> None:
    right = check.Report("rule a", (Finding("x", 0.0, 1.0, True),))
    wrong = check.Report("rule b", (Finding("x", 2.0, 1.0, False, "argument 0"),))
    assert check.Summary("numpy", {"a": right}) and not check.Summary("numpy", {})
    both = check.Summary("numpy", {"a": right, "b": wrong})
    assert not both and both.failures == (wrong,)
    assert repr(both).startswith("1 of 2 primitives pass on numpy (2 checks)\n  rule b: FAILED 1 of 1 checks")


@pytest.mark.slow
def test_all_rules_on_compiled_kernels() -> None:
    summary = check.all_rules(engine="numba")
    assert summary, summary
    assert len(summary) > 150
