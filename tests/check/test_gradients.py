"""check.gradients finds every planted fault and says where; right derivatives pass."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import check
from adjoint.check import CheckError

from ..helpers import fresh, message, normal

X = np.array([0.3, -0.7, 1.1])


def sine(tangent: Any = None, adjoint: Any = None) -> Any:
    """np.sin by hand, with a rule replaced by a faulty one."""
    return ad.primitive(
        next(fresh),
        np.sin,
        tangent=tangent or (lambda a, z, d: np.cos(a[0]) * d[0]),
        adjoint=adjoint or (lambda a, z, lam: (np.cos(a[0]) * lam,)),
    )


def detached(x: Any) -> Any:
    return x.value if isinstance(x, ad.Variable) else x


def weights(n: int) -> Any:
    """1 but for one entry."""
    return np.where(np.arange(n) == 1, 1.05, 1.0)


FAULTS: dict[str, tuple[Any, Any, str]] = {
    "adjoint, factor": (None, lambda a, z, lam: (1.001 * np.cos(a[0]) * lam,), "dot product"),
    "adjoint, sign": (None, lambda a, z, lam: (-np.cos(a[0]) * lam,), "dot product"),
    "adjoint, one entry": (None, lambda a, z, lam: (weights(3) * np.cos(a[0]) * lam,), "dot product"),
    "adjoint, forgotten": (None, lambda a, z, lam: (None,), "dot product"),
    "adjoint, not a number": (None, lambda a, z, lam: (np.nan * lam,), "dot product"),
    "tangent, factor": (lambda a, z, d: 0.999 * np.cos(a[0]) * d[0], None, "dot product"),
    "tangent, zero": (lambda a, z, d: 0.0 * d[0], None, "dot product"),
    "both, factor": (
        lambda a, z, d: 1.01 * np.cos(a[0]) * d[0],
        lambda a, z, lam: (1.01 * np.cos(a[0]) * lam,),
        "tangent against differences",
    ),
    "both, one entry": (
        lambda a, z, d: weights(3) * np.cos(a[0]) * d[0],
        lambda a, z, lam: (weights(3) * np.cos(a[0]) * lam,),
        "tangent against differences",
    ),
    "second order only, factor missing": (
        lambda a, z, d: np.cos(detached(a[0])) * d[0],
        lambda a, z, lam: (np.cos(detached(a[0])) * lam,),
        "second order",
    ),
    "second order only, adjoint of the adjoint": (
        None,
        lambda a, z, lam: (np.cos(detached(a[0])) * lam,),
        "second order",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_found(fault: str) -> None:
    tangent, adjoint, finding = FAULTS[fault]
    op = sine(tangent, adjoint)
    with np.errstate(all="ignore"):
        report = check.gradients(lambda x: np.sum(op(x) ** 2), [X])
    assert not report
    assert any(f.what.startswith(finding) for f in report.failures), repr(report)
    assert "FAIL" in repr(report) and repr(report).startswith("gradients of <lambda>: FAILED")
    assert message(CheckError, report.raise_on_failure) == repr(report)


def test_first_order_check_does_not_see_second_order_faults() -> None:
    op = sine(*FAULTS["second order only, factor missing"][:2])
    assert check.gradients(lambda x: np.sum(op(x)), [X], order=1)
    assert not check.gradients(lambda x: np.sum(op(x)), [X], order=2)


def test_taylor_rates_alone_find_a_fault_of_both_rules() -> None:
    first = check.gradients(lambda x: np.sum(sine(*FAULTS["both, factor"][:2])(x) ** 2), [X])
    assert "Taylor rate, order 1" in [f.what for f in first.failures]
    assert re.search(r"remainders: \S+ at h = 1e-02, .*h = 1e-06", repr(first))
    assert re.search(r"rate +1\.00 +1\.0\d .*expected 1, 2, 3", repr(first))
    second = check.gradients(lambda x: np.sum(sine(*FAULTS["second order only, factor missing"][:2])(x)), [X])
    assert "Taylor rate, order 2" in [f.what for f in second.failures]
    assert "Taylor rate, order 1" not in [f.what for f in second.failures]


def test_right_rules_pass() -> None:
    op = sine()
    report = check.gradients(lambda x: np.sum(op(x) ** 2), [X])
    assert report and report.passed and not report.failures
    assert report.raise_on_failure() is report
    assert {"dot product ⟨λ, Jv⟩ = ⟨Jᵀλ, v⟩", "tangent against differences"} <= {f.what for f in report}
    assert "gradients of <lambda>: passed" in repr(report)


def test_report_names_argument_index_received_and_expected() -> None:
    op = sine(*FAULTS["both, one entry"][:2])

    def loss(params: dict[str, Any], scale: Any) -> Any:
        return np.stack([np.sum(params["other"]) * scale, op(params["w"]) @ np.array([1.0, 2.0, 3.0])])

    text = repr(check.gradients(loss, [{"w": X, "other": normal(2)}, 1.5]))
    assert text.startswith("gradients of loss: FAILED")
    found = re.search(
        r"argument (\S+), index \[(\d+)\], output \[(\d+)\]: received (\S+), expected ([^\s;]+)", text
    )
    assert found and found.groups()[:3] == ("params/w", "1", "1")
    received, expected = float(found[4]), float(found[5])
    np.testing.assert_allclose(expected, 2 * np.cos(X[1]), rtol=1e-6)
    np.testing.assert_allclose(received, 1.05 * expected, rtol=1e-6)


def test_argnum_and_rng() -> None:
    op = sine(adjoint=lambda a, z, lam: (-lam,))

    def f(x: Any, y: Any) -> Any:
        return np.sum(op(x)) + np.sum(np.sin(y))

    assert not check.gradients(f, [X, X])
    assert not check.gradients(f, [X, X], argnum=0)
    assert check.gradients(f, [X, X], argnum=1)
    assert check.gradients(lambda x, n: np.sum(x**n), [X, 3], argnum=0)
    assert check.gradients(f, [X, X], argnum=1, rng=np.random.default_rng(9))


def test_outputs_of_any_kind() -> None:
    assert check.gradients(lambda x: {"a": np.sin(x), "b": [np.sum(x), np.argmax(x), None]}, [X])
    assert check.gradients(lambda x: x * 2.0, [1.5])
    assert check.gradients(lambda x: x**2, [X.astype(np.float32)])
    assert check.gradients(lambda x: np.sum(x) ** 2, [np.zeros(3)])
    assert check.gradients(lambda x: 3 * x, [1e6 * X])


def test_kinks_are_found_when_the_point_lies_on_one() -> None:
    """The conventions at a kink are no derivatives: the check says so, and which entry it is."""
    report = check.gradients(lambda x: np.sum(np.abs(x)), [np.array([0.0, 1.0])])
    assert report
    assert report.notes == ("kink at argument x[0]: slopes -1 and 1, received 0 between",)
    assert check.gradients(lambda x: np.sum(np.abs(x)), [np.array([0.5, 1.0])])


def test_nothing_checked_is_no_success() -> None:
    assert not check.Report("x", ())
    assert "FAILED: nothing was checked" in repr(check.Report("x", ()))
    report = check.gradients(lambda x: np.argmax(x), [X])
    assert not report and report.not_checked == ("everything: the function has no float result",)


def test_only_first_and_second_order() -> None:
    with pytest.raises(ValueError, match=r"order is 1 or 2, .* not 3"):
        check.gradients(np.sin, [X], order=3)


def test_check_does_not_change_what_it_checks() -> None:
    x = X.copy()
    check.gradients(lambda x: np.sum(np.sin(x)), [x])
    assert np.array_equal(x, X)
