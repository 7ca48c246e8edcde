"""One step of a recurrence; `ad.scan` makes a sequence of it."""

from __future__ import annotations

import numpy as np

from ..ops.primitive import shape_of
from ..ops.sides import same_side
from ..ops.special import expit
from .base import Array, Params, misfit
from .layers import dense


@same_side
def gru_cell(params: Params, h: Array, x: Array) -> Array:
    """One step of a gated recurrent unit, in PyTorch's form.

    r = σ(x W_r + h U_r), u = σ(x W_u + h U_u), n = tanh(x W_n + r · (h U_n)), h ← (1 − u) n + u h; biases in
    both products.

    Args:
        params: "input": "W" (inputs, 3 · units) and "b"; "state": "W" (units, 3 · units) and "b"; the
            columns of r, u, n side by side.
        h: (…, units).
        x: (…, inputs).

    Returns:
        The new h, (…, units).

    Raises:
        ShapeError: the parameters do not fit x and h.

    Source: Cho et al. 2014, arXiv:1406.1078.

    >>> import adjoint as ad
    >>> from adjoint import nn
    >>> params = nn.init_gru(np.random.default_rng(0), 3, 4)
    >>> xs, start = np.ones((10, 2, 3), np.float32), np.zeros((2, 4), np.float32)
    >>> def step(h, x):
    ...     h = nn.gru_cell(params, h, x)
    ...     return h, h
    >>> ad.scan(step, start, xs)[1].shape
    (10, 2, 4)
    """
    r_x, u_x, n_x = _gates("gru_cell", params["input"], x, h, 3)
    r_h, u_h, n_h = _gates("gru_cell", params["state"], h, h, 3)
    r, u = expit(r_x + r_h), expit(u_x + u_h)
    n = np.tanh(n_x + r * n_h)
    return n + u * (h - n)


@same_side
def lstm_cell(params: Params, state: tuple[Array, Array], x: Array) -> tuple[Array, Array]:
    """One step of a long short-term memory, in PyTorch's form.

    i, f, o = σ(x W + h U), g = tanh(x W_g + h U_g), c ← f c + i g, h ← o tanh c; biases in both products.

    Args:
        params: "input": "W" (inputs, 4 · units) and "b"; "state": "W" (units, 4 · units) and "b"; the
            columns of i, f, g, o side by side.
        state: (h, c), each (…, units).
        x: (…, inputs).

    Returns:
        The new (h, c).

    Raises:
        ShapeError: the parameters do not fit x and h.

    Source: Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000.

    >>> from adjoint import nn
    >>> params = nn.init_lstm(np.random.default_rng(0), 3, 4)
    >>> h, c = nn.lstm_cell(params, (np.zeros(4), np.zeros(4)), np.ones(3))
    >>> h.shape, c.shape
    ((4,), (4,))
    """
    h, c = state
    both = zip(
        _gates("lstm_cell", params["input"], x, h, 4),
        _gates("lstm_cell", params["state"], h, h, 4),
        strict=True,
    )
    i, f, g, o = (of_x + of_h for of_x, of_h in both)
    c = expit(f) * c + expit(i) * np.tanh(g)
    return expit(o) * np.tanh(c), c


def _gates(layer: str, params: Params, x: Array, h: Array, count: int) -> list[Array]:
    """x W + b, taken apart into `count` pieces of h's size."""
    W, units = params["W"], shape_of(h)[-1]
    if shape_of(W)[1:] != (count * units,):
        what = f"{layer} needs a W of {count} · {units} columns for h {shape_of(h)}, not {shape_of(W)}"
        raise misfit(what, f"nn.init_{layer.removesuffix('_cell')} makes the parameters.", W=W, h=h)
    z = dense(params, x)
    return [z[..., k * units : (k + 1) * units] for k in range(count)]
