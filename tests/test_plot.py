"""Plots: what is in them, that legends hide nothing, that they read in grey; errors by their text."""

from __future__ import annotations

import builtins
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.models import lasso_path, ridge_path

matplotlib = pytest.importorskip("matplotlib", reason="needs matplotlib")
matplotlib.use("Agg")
from matplotlib import colors, pyplot  # noqa: E402

from adjoint import plot  # noqa: E402

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 4))
Y = X @ np.array([3.0, -2.0, 0.0, 1.0]) + 0.1 * rng.normal(size=40)


@pytest.fixture(autouse=True)
def _closed() -> Any:
    yield
    pyplot.close("all")


def history() -> ad.MultiplierHistory:
    made = ad.MultiplierHistory()
    for t in range(20):
        made.record({"first": np.full(4, 0.5**t), "last": np.array([1.0 + t])})
    return made


def solution() -> ad.Solution:
    return ad.minimize(
        lambda x: np.sum((x - 3) ** 2), np.ones(3), ineq={"first": lambda x: x[0] - 0.5}, bounds=(0, None)
    )


def lines(ax: Any) -> dict[str, Any]:
    return {line.get_label(): line for line in ax.lines}


def test_norms_of_a_history_are_its_lines() -> None:
    made = history()
    ax = plot.multiplier_norms(made)
    found = lines(ax)
    assert list(found) == ["first", "last"] and ax.get_yscale() == "log"
    np.testing.assert_allclose(found["first"].get_ydata(), 2 * 0.5 ** np.arange(20))
    np.testing.assert_array_equal(found["last"].get_xdata(), made.steps)
    by_rms = lines(plot.multiplier_norms(made, names=["first"], rms=True))
    np.testing.assert_allclose(by_rms["first"].get_ydata(), 0.5 ** np.arange(20))
    assert list(by_rms) == ["first"]


def test_norms_of_plain_arrays() -> None:
    own = pyplot.figure().subplots()
    assert plot.multiplier_norms(made := {"a": [1.0, 2.0], "b": [2.0, 3.0]}, ax=own) is own
    assert list(lines(own)) == list(made)
    ax = plot.multiplier_norms(np.ones((5, 2)), names=["a", "b"], title="mine")
    assert list(lines(ax)) == ["a", "b"] and ax.get_title(loc="left") == "mine"


def test_what_is_not_finite_is_marked_and_what_is_missing_is_a_gap() -> None:
    ax = plot.multiplier_norms({"a": [1.0, np.inf, 2.0, np.nan, 3.0, 0.0]})
    norms, crosses = ax.lines
    np.testing.assert_array_equal(norms.get_ydata(), [1, np.nan, 2, np.nan, 3, np.nan])
    assert crosses.get_marker() == "x" and crosses.get_xdata().tolist() == [1]
    assert plot.multiplier_norms({"a": [0.0, 0.0]}).get_yscale() == "linear"
    plot.multiplier_norms(ad.MultiplierHistory())


def test_residuals_with_tolerance_and_verdict() -> None:
    found = solution()
    ax = plot.residuals(found)
    shown = lines(ax)
    assert list(shown) == ["stationarity", "primal", "slackness", "judged at x*", "tolerance 1e-08"]
    expected = [max(step.stationarity, 1e-17) for step in found.history]
    np.testing.assert_allclose(shown["stationarity"].get_ydata(), expected)
    judged = [found.residuals.stationarity, found.residuals.primal, found.residuals.slackness]
    drawn = shown["judged at x*"].get_ydata()
    np.testing.assert_allclose(drawn, np.maximum([*judged, found.residuals.dual], 1e-17))
    assert set(shown["tolerance 1e-08"].get_ydata()) == {1e-8} and ax.get_yscale() == "log"
    assert ax.get_title(loc="left") == f"newton: solved after {found.steps} steps"
    mine = plot.residuals({"gap": [1.0, 0.1]}, tolerance=0.5, title="gap")
    assert list(lines(mine)) == ["gap", "tolerance 0.5"]


def test_a_path_has_coefficients_and_their_price() -> None:
    for found, scale in (
        (ridge_path(X, Y, np.geomspace(1e3, 1e-2, 30)), "log"),
        (lasso_path(X, Y), "linear"),
    ):
        ax = plot.path(found, names=list("abcd"))
        price = ax.figure.axes[-1]
        shown, order = lines(ax), np.argsort(found.budgets)
        np.testing.assert_allclose(shown["b"].get_ydata(), found.coefs[order, 1])
        np.testing.assert_allclose(shown["b"].get_xdata(), found.budgets[order])
        np.testing.assert_allclose(price.lines[0].get_ydata(), found.alphas[order])
        assert price.get_yscale() == scale
        assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b", "c", "d", "multiplier μ"]
        again = plot.path(found.alphas, found.coefs, found.budgets, names=list("abcd"))
        np.testing.assert_allclose(lines(again)["b"].get_ydata(), found.coefs[order, 1])


def test_tangents_of_a_pareto_curve_touch_it() -> None:
    """The witness: the multiplier is the slope of f*, here (√b − |a|)², by its closed form."""
    a, levels = np.array([1.5, 2.0]), np.linspace(1.0, 5.0, 5)
    solutions = [
        ad.minimize(
            lambda x, b: np.sum((x - a) ** 2), np.zeros(2), args=(b,), ineq={"disk": lambda x, b: x @ x - b}
        )
        for b in levels
    ]
    ax = plot.pareto(levels, solutions, constraint="disk")
    radius = np.sqrt(levels)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), (radius - 2.5) ** 2, rtol=1e-7)
    tangents = [line for line in ax.lines if line.get_linestyle() == "--"]
    slopes = [np.diff(t.get_ydata())[0] / np.diff(t.get_xdata())[0] for t in tangents]
    np.testing.assert_allclose(slopes, (radius - 2.5) / radius, rtol=1e-6)
    for line, b, f in zip(tangents, levels, (radius - 2.5) ** 2, strict=True):
        assert np.interp(b, line.get_xdata(), line.get_ydata()) == pytest.approx(f)
    assert ax.texts[0].get_text() == "μ = 1.5"
    arrays = plot.pareto(levels[::-1], (radius[::-1] - 2.5) ** 2, (2.5 - radius[::-1]) / radius[::-1])
    np.testing.assert_allclose(arrays.lines[0].get_xdata(), levels)
    assert len(plot.pareto(levels, levels).lines) == 1


def test_the_slope_of_a_lower_bound_has_its_own_sign() -> None:
    found = [ad.minimize(lambda x: np.sum(x**2), np.ones(1), bounds=(b, None)) for b in (1.0, 2.0, 3.0)]
    ax = plot.pareto([1.0, 2.0, 3.0], found, constraint="lower")
    slopes = [
        np.diff(t.get_ydata())[0] / np.diff(t.get_xdata())[0] for t in ax.lines if t.get_linestyle() == "--"
    ]
    np.testing.assert_allclose(slopes, [2, 4, 6], rtol=1e-6)


@pytest.mark.parametrize("count", [2, 7, 8, 30])
def test_lines_differ_in_grey_and_the_legend_hides_nothing(count: int) -> None:
    data = {f"layer{k}": 0.7**k * np.linspace(1, 2, 30) for k in range(count)}
    ax = plot.multiplier_norms(data)
    ax.figure.canvas.draw()
    looks = set()
    for line in ax.lines:
        grey = np.dot(colors.to_rgb(line.get_color()), (0.2126, 0.7152, 0.0722))
        looks.add((round(float(grey), 2), str(line.get_linestyle()), str(line._unscaled_dash_pattern)))
        assert grey < 0.85, "too light for white paper"
    assert len(looks) >= min(count, 20)
    legend = ax.get_legend()
    assert len(legend.get_texts()) <= 12
    assert legend.get_window_extent().x0 >= ax.get_window_extent().x1
    assert legend.get_window_extent().x1 <= ax.figure.bbox.x1 + 1, "the legend is cut off"


@pytest.mark.parametrize(
    "label", ["$x", "a$b$", "_private", "<b>", "\\frac", "x" * 500, "\x00", "漢字", "%s"]
)
def test_hostile_names(label: str, tmp_path: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a font without that letter
        ax = plot.multiplier_norms({label: [1.0, 2.0], "b": [1.0, 3.0]})
        ax.figure.savefig(tmp_path / "plot.png", dpi=40)
    assert len(ax.get_legend().get_texts()) == 2


def test_refusals() -> None:
    with pytest.raises(ad.UnknownNameError, match="no multipliers 'x' were recorded; there are first, last"):
        plot.multiplier_norms(history(), names=["x"])
    with pytest.raises(ad.ShapeError, match=r"norms by name should all be \(T,\), got \[\(1,\), \(2,\)\]"):
        plot.multiplier_norms({"a": [1.0], "b": [1.0, 2.0]})
    with pytest.raises(ad.ShapeError, match=r"norms should be \(T, k\) with k names, got \(3,\) and 0 names"):
        plot.multiplier_norms(np.ones(3))
    with pytest.raises(
        ad.ShapeError, match=r"residuals by name should all be \(T,\), got \[\(1,\), \(2,\)\]"
    ):
        plot.residuals({"a": [1.0], "b": [1.0, 2.0]})
    with pytest.raises(TypeError, match="residuals takes a Solution, or residuals by name, not int 3"):
        plot.residuals(3)  # type: ignore[arg-type]
    several = ridge_path(X, np.stack([Y, Y], axis=1), [1.0, 2.0])
    with pytest.raises(
        ad.ShapeError, match=r"a path has \(m,\) multipliers(.|\n)*Draw each output by itself"
    ):
        plot.path(several)
    with pytest.raises(ad.ShapeError, match=r"should all be \(m,\), got \(2,\), \(3,\) and \(2,\)"):
        plot.pareto([1.0, 2.0], [1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(ad.UnknownNameError, match="no constraint 'x'; there are first, lower"):
        plot.pareto([1.0], [solution()], constraint="x")
    two = ad.minimize(np.sum, np.ones(2), ineq={"a": lambda x: -x[0], "b": lambda x: -x[1]})
    with pytest.raises(ad.UnknownNameError, match="constraint= says whose level it is; there are a, b"):
        plot.pareto([1.0], [two])
    assert not pyplot.get_fignums(), "what is refused draws nothing"


def test_without_matplotlib_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        ImportError, match=r"a plot needs matplotlib.*\n  pip install 'adjoint-autodiff\[plot\]'"
    ):
        plot.residuals(solution())


def test_importing_plots_does_not_import_matplotlib_and_no_display_is_needed() -> None:
    code = (
        "import os, sys; os.environ.pop('DISPLAY', None); os.environ.pop('MPLBACKEND', None);"
        "import adjoint as ad; ad.plot; assert 'matplotlib' not in sys.modules;"
        "ax = ad.plot.multiplier_norms({'a': [1.0, 2.0]}); ax.figure.canvas.draw(); print('drawn')"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout == "drawn\n"
