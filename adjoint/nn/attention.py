"""Multi-head self-attention."""

from __future__ import annotations

import numpy as np

from ..ops.elementwise import where
from ..ops.primitive import beside, dtype_of, shape_of
from ..ops.shape import swap_last, transpose
from ..ops.sides import same_side
from .activations import softmax
from .base import Array, Params, misfit
from .layers import dense


@same_side
def attention(
    params: Params, x: Array, heads: int, *, mask: Array | None = None, causal: bool = False
) -> Array:
    """Every position's mixture of all positions' values, weighted by softmax(q kᵀ / √d), head by head.

    Args:
        params: "qkv": "W" (features, 3 · features), queries, keys and values side by side, and "b";
            "output": "W" (features, features) and "b", as in `dense`.
        x: (…, T, features).
        heads: number of heads; each has d = features / heads.
        mask: bool, broadcasting against (…, heads, T, T): True where a query (row) may look at a key
            (column). For sequences of unequal length, `valid[:, None, None, :]` with valid (N, T). A query
            that may look at nothing gets zeros.
        causal: let no position look at later ones.

    Returns:
        (…, T, features).

    Raises:
        ShapeError: x or the parameters do not fit, features is not a multiple of heads, or the mask does not
            broadcast.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.

    >>> from adjoint import nn
    >>> rng = np.random.default_rng(0)
    >>> nn.attention(nn.init_attention(rng, 8), np.ones((2, 5, 8), np.float32), 4, causal=True).shape
    (2, 5, 8)
    """
    shape = shape_of(x)
    if len(shape) < 2 or heads < 1 or shape[-1] % heads:
        what = f"attention needs x (…, T, features) with features a multiple of {heads} heads, not {shape}"
        raise misfit(what, "x[None] adds an axis for one position.", x=x)
    W = params["qkv"]["W"]
    if shape_of(W)[1:] != (3 * shape[-1],):
        what = f"attention needs qkv of (features, 3 · features): {shape_of(W)} for x {shape}"
        raise misfit(what, "nn.init_attention makes the parameters.", x=x, qkv=W)
    q, k, v = _heads(dense(params["qkv"], x), heads)
    scores = (q * (shape[-1] // heads) ** -0.5) @ swap_last(k)
    seen = _seen(scores, mask, causal)
    if seen is not None:
        # far below every score but finite, so that a row without any key is no ∞ − ∞
        scores = where(seen, scores, float(np.finfo(dtype_of(scores)).min) / 2)
    weights = softmax(scores)
    if mask is not None:
        weights = where(seen, weights, 0.0)
    mixed = weights @ v  # (…, heads, T, d)
    n = len(shape)
    side_by_side = transpose(mixed, axes=(*range(n - 2), n - 1, n - 2, n))
    return dense(params["output"], np.reshape(side_by_side, shape))


def _heads(qkv: Array, heads: int) -> tuple[Array, Array, Array]:
    """Queries, keys and values, each (…, heads, T, d)."""
    *batch, T, features = shape_of(qkv)
    split = np.reshape(qkv, (*batch, T, 3, heads, features // (3 * heads)))
    n = len(batch)
    split = transpose(split, axes=(n + 1, *range(n), n + 2, n, n + 3))
    return split[0], split[1], split[2]


def _seen(scores: Array, mask: Array | None, causal: bool) -> Array | None:
    """Which scores count, from the mask and the order of positions; None when all do."""
    shape = shape_of(scores)
    if mask is not None:
        try:
            fits = np.broadcast_shapes(shape_of(mask), shape) == shape
        except ValueError:
            fits = False
        if not fits:
            what = f"attention needs a mask that broadcasts to (…, heads, T, T) = {shape}: {shape_of(mask)}"
            raise misfit(what, "A mask of keys (N, T) is passed as mask[:, None, None, :].", mask=mask)
    if not causal:
        return mask
    before = beside(scores).tri(shape[-1], dtype=bool)
    return before if mask is None else np.logical_and(mask, before)
