"""check.pair: plain functions in, a report out."""

from __future__ import annotations

import numpy as np

from adjoint import check

W = np.array([0.5, -2.0, 1e-3])


def test_right_and_wrong_gradients() -> None:
    assert check.pair(lambda w: np.sum(w**3), lambda w: 3 * w**2, (W,))
    report = check.pair(lambda w: np.sum(w**3), lambda w: 3 * w, (W,))
    assert not report
    assert "argument w, index [1]: received -6, expected 12" in repr(report)


def test_a_kink_is_named() -> None:
    report = check.pair(lambda w: np.sum(np.abs(w)), np.sign, (np.array([1.0, 0.0, -2.0]),))
    assert report
    assert "kink at argument w[1]: slopes -1 and 1, received 0 between" in repr(report)


def test_one_wrong_entry_in_a_million_within_twenty_evaluations() -> None:
    x = np.random.default_rng(0).normal(size=10**6)

    def wrong(w: np.ndarray) -> np.ndarray:
        g = np.cos(w)
        g[123456] += 0.1
        return g

    report = check.pair(lambda w: np.sum(np.sin(w)), np.cos, (x,))
    assert report and report.evaluations["f"] <= 20
    report = check.pair(lambda w: np.sum(np.sin(w)), wrong, (x,))
    assert report.evaluations["f"] <= 400, report.evaluations  # to find it, too
    assert report.places[0].index == (123456,)
