"""Plots of multipliers, with matplotlib (`pip install 'adjoint-autodiff[plot]'`), imported when one is drawn.

    multiplier_norms   ‖λ‖ of every layer over training: what explodes, what vanishes
    residuals          the KKT residuals of a solver over its steps, and where they had to come
    path               coefficients over the budget, and the multiplier that is the price of it
    pareto             objective against the level of a constraint; the multiplier is the slope

Each takes plain arrays too, draws into `ax` or into a new figure, and returns the Axes. Lines differ in color
(also to the color-blind), lightness and dashes, so that they can be told apart in grey; legends stand beside
the data, not on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .errors import ShapeError, UnknownNameError, describe, need, refusal
from .ops.primitive import innermost
from .ops.sides import host_only
from .problems import Solution
from .problems.typeset import BOUNDS
from .sweeps import MultiplierHistory
from .text import clean, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# M. Okabe and K. Ito's colors, from dark to light: they differ in lightness too
COLORS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 1)))
NAMED = 12  # lines that a legend names; of more every so many-th
FLOOR = 1e-17  # where a residual of exactly 0 is drawn on a logarithmic axis
RESIDUALS = ("stationarity", "primal", "slackness")


# ------------------------------------------------------------------------------------------- multipliers
@host_only
def multiplier_norms(
    history: MultiplierHistory | Mapping[str, ArrayLike] | ArrayLike,
    *,
    names: Sequence[str] | None = None,
    rms: bool = False,
    ax: Axes | None = None,
    title: str = "Multipliers over training",
) -> Axes:
    """‖λ‖ over the steps of a training, one line for each layer, on a logarithmic axis.

    Where a norm is not finite, a cross at the upper edge says so; what a step did not have is a gap.

    Args:
        history: a `MultiplierHistory`; or norms by name, (T,) each; or an array (T, k).
        names: which ones, and in which order; of an array what its columns are called.
        rms: ‖λ‖ / √elements instead, comparable between layers of different widths (of a history).
        ax: where to draw; a new figure by default.
        title: above the plot.

    Raises:
        MissingPackageError: matplotlib is not installed.
        UnknownNameError: a name that was not recorded.
        ShapeError: norms are not (T, k), or names are not k.

    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> ax = multiplier_norms({"first": [1.0, 0.5, 0.2], "last": [1.0, 2.0, 3.0]})
    >>> ax.get_yscale(), [line.get_label() for line in ax.lines]
    ('log', ['first', 'last'])
    """
    steps, columns = _norms(history, names, rms)
    y = "RMS of λ" if rms else "‖λ‖"
    ax = _axes(ax, title, "step", y)
    ax.set_yscale("log")
    found = np.concatenate([c[np.isfinite(c) & (c > 0)] for c in columns.values()] or [np.zeros(0)])
    for (label, norms), style in zip(columns.items(), _styles(len(columns)), strict=True):
        shown = np.where(np.isfinite(norms) & (norms > 0), norms, np.nan)
        marker = "o" if np.sum(np.isfinite(shown)) < 2 else None
        ax.plot(steps, shown, label=_label(label), marker=marker, linewidth=1.5, **style)
        lost = np.isinf(norms)
        if lost.any():
            edge = ax.get_xaxis_transform()
            ax.plot(steps[lost], np.full(int(lost.sum()), 0.97), "x", transform=edge, color=style["color"])
    if not found.size:
        ax.set_yscale("linear")
    _legend(ax, len(columns))
    return ax


def _norms(history: Any, names: Sequence[str] | None, rms: bool) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Steps (T,), and (T,) by name."""
    if isinstance(history, MultiplierHistory):
        found = dict(zip(history.names, (history.rms if rms else history.norms).T, strict=True))
        steps = history.steps
    elif isinstance(history, Mapping):
        steps, found = _by_name(history, "norms")
    else:
        array = np.asarray(history, float)
        columns = range(array.shape[1]) if array.ndim == 2 else ()
        labels = list(names) if names is not None else [str(k) for k in columns]
        if array.ndim != 2 or len(labels) != array.shape[1]:
            what = f"norms should be (T, k) with k names, got {array.shape} and {len(labels)} names"
            raise refusal(ShapeError, what)
        return np.arange(len(array)), dict(zip(labels, array.T, strict=True))
    return steps, {name: _known(found, name) for name in (found if names is None else names)}


def _by_name(given: Mapping[str, ArrayLike], what: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Steps (T,), and numbers by name, which must all be (T,)."""
    found = {name: np.asarray(x, float) for name, x in given.items()}
    shapes = {x.shape for x in found.values()}
    if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        raise refusal(ShapeError, f"{what} by name should all be (T,), got {sorted(shapes)}")
    return np.arange(next(iter(shapes))[0] if shapes else 0), found


def _known(found: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if name not in found:
        known = ", ".join(found) or "none"
        raise UnknownNameError(f"no multipliers {name!r} were recorded; there are {known}")
    return found[name]


# --------------------------------------------------------------------------------------------- residuals
@host_only
def residuals(
    solution: Solution | Mapping[str, ArrayLike],
    *,
    tolerance: float | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """The KKT residuals over a solver's steps, on a logarithmic axis, with the tolerance as a line.

    At the right edge stand the residuals that the answer was judged by, computed afresh at x*: those of the
    steps are in the solver's own scale. A residual of exactly 0 is drawn at 1e-17.

    Args:
        solution: with its history; or residuals by name, (T,) each.
        tolerance: of the line; the solution's by default.
        ax: where to draw; a new figure by default.
        title: by default the method and its verdict.

    Raises:
        MissingPackageError: matplotlib is not installed.
        ShapeError: residuals by name are not all (T,).
        TypeError: neither a Solution nor residuals by name.
    """
    steps, columns = _residuals(solution)
    if title is None:
        title = _verdict(solution) if isinstance(solution, Solution) else "KKT residuals"
    ax = _axes(ax, title, "step", "KKT residual")
    ax.set_yscale("log")
    for (label, values), style in zip(columns.items(), _styles(len(columns)), strict=True):
        shown = np.where(np.isfinite(values), np.maximum(values, FLOOR), np.nan)
        ax.plot(steps, shown, marker="o", markersize=3, linewidth=1.5, label=_label(label), **style)
    if isinstance(solution, Solution):
        tolerance = solution.tolerance if tolerance is None else tolerance
        at = (steps[-1] if len(steps) else 0) + max(1.0, 0.06 * len(steps))
        judged = [max(getattr(solution.residuals, name), FLOOR) for name in (*RESIDUALS, "dual")]
        ax.plot([at] * 4, judged, "D", color=COLORS[0], fillstyle="none", markersize=6, label="judged at x*")
    if tolerance is not None:
        label = f"tolerance {tolerance:g}"
        ax.axhline(tolerance, color="0.45", linewidth=1, linestyle=(0, (1, 1)), label=label)
    _whole_steps(ax)
    _legend(ax, len(columns) + 2)
    return ax


def _residuals(solution: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    if isinstance(solution, Solution):
        steps = np.array([line.step for line in solution.history], float)
        return steps, {
            name: np.array([getattr(line, name) for line in solution.history], float) for name in RESIDUALS
        }
    if not isinstance(solution, Mapping):
        raise TypeError(f"residuals takes a Solution, or residuals by name, not {describe(solution)}")
    return _by_name(solution, "residuals")


def _verdict(solution: Solution) -> str:
    method = solution.method.partition(" (")[0] or "solver"
    return f"{method}: {solution.status.name.lower().replace('_', ' ')} after {solution.steps} steps"


# -------------------------------------------------------------------------------------------------- path
@host_only
def path(
    path: Any,
    coefs: ArrayLike | None = None,
    budgets: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
    title: str = "Regularization path",
) -> Axes:
    """Coefficients over the budget (left axis), and its multiplier, the penalty (right axis).

    Args:
        path: of `ridge_path`, `lasso_path` or `enet_path`; or the multipliers (m,) themselves.
        coefs: (m, p), if the first argument is an array.
        budgets: (m,), if the first argument is an array.
        names: of the p coefficients.
        ax: where to draw; a new figure by default. The right axis is a twin, the last of `ax.figure.axes`.
        title: above the plot.

    Raises:
        MissingPackageError: matplotlib is not installed.
        ShapeError: arrays that do not fit, or a path of several outputs.

    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> ax = path([2.0, 1.0, 0.0], [[0.0, 0.0], [0.4, 0.0], [0.7, 0.1]], [0.0, 0.4, 0.8], names=["a", "b"])
    >>> [line.get_label() for line in ax.lines[1:]], ax.figure.axes[-1].get_yscale()
    (['a', 'b'], 'linear')
    """
    alphas = np.asarray(getattr(path, "alphas", path), float)
    w = np.asarray(path.coefs if coefs is None and hasattr(path, "coefs") else coefs, float)
    c = np.asarray(path.budgets if budgets is None and hasattr(path, "budgets") else budgets, float)
    labels = list(names) if names is not None else [f"w{k}" for k in range(w.shape[-1] if w.ndim else 0)]
    if w.ndim != 2 or not alphas.shape == c.shape == w.shape[:1] or len(labels) != w.shape[1]:
        what = "a path has (m,) multipliers, (m, p) coefficients, (m,) budgets and p names, got "
        what += f"{alphas.shape}, {w.shape}, {c.shape} and {len(labels)}"
        raise refusal(ShapeError, what, "Draw each output by itself.")
    order = np.argsort(c, kind="stable")
    ax = _axes(ax, title, "budget", "coefficients")
    ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    for k, style in enumerate(_styles(len(labels))):
        ax.plot(c[order], w[order, k], label=_label(labels[k]), linewidth=1.5, **style)
    price = ax.twinx()
    price.plot(c[order], alphas[order], color="0.55", linewidth=3, alpha=0.55, zorder=0, label="multiplier μ")
    if len(alphas) and np.min(alphas) > 0 and np.max(alphas) > 100 * np.min(alphas):
        price.set_yscale("log")
    else:  # a lasso's falls linearly between breakpoints, down to 0
        price.set_ylim(bottom=0)
    price.set_ylabel("multiplier μ = −df*/dbudget", color="0.35")
    price.tick_params(axis="y", colors="0.35", which="both")
    price.spines[["top"]].set_visible(False)
    ax.set_zorder(price.get_zorder() + 1)  # the coefficients in front
    ax.patch.set_visible(False)
    _legend(ax, len(labels) + 1, also=price, offset=1.16)
    return ax


# ------------------------------------------------------------------------------------------------ Pareto
@host_only
def pareto(
    levels: ArrayLike,
    objectives: Sequence[Solution] | ArrayLike,
    multipliers: ArrayLike | None = None,
    *,
    constraint: str | None = None,
    tangents: int = 5,
    ax: Axes | None = None,
    title: str = "Price of a constraint",
) -> Axes:
    """The best objective at each level of a constraint; the multiplier is the slope, drawn as tangents.

    Args:
        levels: b (m,): right-hand sides of one constraint.
        objectives: f*(b): the m solutions, or numbers (m,).
        multipliers: μ (m,) of g ≤ b, or ν of h = b, so that df*/db = −μ; solutions have their own.
        constraint: which of the solutions' constraints, if they have several.
        tangents: how many to draw at most.
        ax: where to draw; a new figure by default.
        title: above the plot.

    Raises:
        MissingPackageError: matplotlib is not installed.
        UnknownNameError: no such constraint, or several and none is named.
        ShapeError: not all are (m,).

    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> ax = pareto([1.0, 2.0, 4.0], [1.0, 0.5, 0.25], [1.0, 0.25, 0.0625])
    >>> len(ax.lines)  # the curve, and three points with their tangents
    7
    """
    b = np.asarray(levels, float)
    f, slopes = _values(objectives, multipliers, constraint)
    if b.ndim != 1 or f.shape != b.shape or (slopes is not None and slopes.shape != b.shape):
        shapes = f"{b.shape}, {f.shape}" + (f" and {slopes.shape}" if slopes is not None else "")
        raise refusal(ShapeError, f"levels, objectives and multipliers should all be (m,), got {shapes}")
    order = np.argsort(b, kind="stable")
    b, f = b[order], f[order]
    level = f"level b of {constraint!r}" if constraint else "level b of the constraint"
    ax = _axes(ax, title, level, "f*(b)")
    ax.plot(b, f, color=COLORS[-1], linewidth=4, alpha=0.7, label="best objective f*")
    if slopes is not None and len(b) > 1:
        chosen = np.unique(np.linspace(0, len(b) - 1, min(tangents, len(b))).round().astype(int))
        _tangents(ax, b[chosen], f[chosen], slopes[order][chosen], 0.11 * float(b[-1] - b[0]))
    _legend(ax, 2)
    return ax


def _tangents(ax: Axes, b: np.ndarray, f: np.ndarray, slopes: np.ndarray, half: float) -> None:
    """A dot with its multiplier, and the line of that slope through it."""
    for k, slope in enumerate(slopes):
        ends = np.clip([b[k] - half, b[k] + half], b[0], b[-1])  # no level but between those asked for
        ax.plot(ends, f[k] + slope * (ends - b[k]), color=COLORS[0], linewidth=1.2, linestyle="--",
                label="slope df*/db = −μ" if k == 0 else "_")  # fmt: skip
        ax.plot(b[k], f[k], "o", color=COLORS[0], markersize=4, label="_")
        ax.annotate(
            f"μ = {number(0.0 - slope)}", (b[k], f[k]), (7, 5), textcoords="offset points", fontsize=8
        )


def _values(
    objectives: Any, multipliers: Any, constraint: str | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The values f* and the slopes df*/db."""
    given = list(objectives)
    if not given or not all(isinstance(x, Solution) for x in given):
        slopes = None if multipliers is None else -np.asarray(multipliers, float)
        return np.asarray(given, float), slopes
    values = np.array([float(innermost(s.fun)) for s in given])
    return values, np.array([_slope(s, constraint) for s in given])


def _slope(solution: Solution, constraint: str | None) -> float:
    names = [name for name in solution.constraints if name not in BOUNDS]
    name = constraint if constraint is not None else names[0] if len(names) == 1 else None
    if name not in solution.constraints:
        raise UnknownNameError(
            f"no constraint {constraint!r}; there are {', '.join(solution.constraints)}"
            if constraint is not None
            else f"constraint= says whose level it is; there are {', '.join(solution.constraints) or 'none'}"
        )
    c = solution.constraints[name]
    return float(np.sum(innermost(c.multiplier))) * (1.0 if c.relation == "≥" else -1.0)


# ------------------------------------------------------------------------------------------------- style
def _axes(ax: Axes | None, title: str, x: str, y: str) -> Axes:
    """Axes with their texts, without the frame's upper and right sides."""
    need("matplotlib", "a plot", "plot")
    if ax is None:
        from matplotlib import pyplot

        _, ax = pyplot.subplots(figsize=(7.2, 4.2), layout="constrained")
    ax.set(xlabel=x, ylabel=y)
    ax.set_title(title, loc="left", fontsize=11)
    ax.grid(True, color="0.9", linewidth=0.7)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _styles(count: int) -> list[dict[str, Any]]:
    """Colors and dashes for that many lines; of many, which are in an order, ever lighter colors."""
    if count <= len(COLORS):
        return [{"color": c, "linestyle": d} for c, d in zip(COLORS[:count], DASHES, strict=False)]
    from matplotlib import colormaps

    shades = colormaps["cividis"](np.linspace(0, 0.9, count))
    return [{"color": tuple(shade), "linestyle": "-"} for shade in shades]


def _label(text: str) -> str:
    """A label that matplotlib takes as it is: no mathematics between dollars, none that it hides."""
    shown = clean(text, 40).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def _legend(ax: Axes, count: int, *, also: Axes | None = None, offset: float = 1.01) -> None:
    """Beside the data; of very many lines every so many-th has a name."""
    handles, labels = ax.get_legend_handles_labels()
    if len(handles) > NAMED:
        chosen = np.unique(np.linspace(0, len(handles) - 1, NAMED).round().astype(int))
        handles, labels = [handles[k] for k in chosen], [labels[k] for k in chosen]
    if also is not None:
        more = also.get_legend_handles_labels()
        handles, labels = handles + more[0], labels + more[1]
    if count > 1 and handles:
        ax.legend(handles, labels, loc="upper left", bbox_to_anchor=(offset, 1.0), frameon=False, fontsize=9,
                  borderaxespad=0.0, handlelength=2.6)  # fmt: skip


def _whole_steps(ax: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
