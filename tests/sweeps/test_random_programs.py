"""Random straight-line programs: the multipliers of every node, second derivatives, certificates.

A program is a list of steps; each applies an operation to earlier results of shapes (2, 3), (3,), (2, 1), ().
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adjoint as ad
from adjoint import check

from ..helpers import close, normal, record

SHAPES: list[tuple[int, ...]] = [(2, 3), (3,), (2, 1), ()]
UNARY: list[Callable[[Any], Any]] = [
    np.tanh,
    np.sin,
    lambda x: np.exp(0.3 * np.tanh(x)),
    lambda x: np.sqrt(1 + x * x),
    lambda x: x / (1 + x**2),
    lambda x: np.log1p(x**2),
    lambda x: -x,
    lambda x: np.sum(x, axis=-1, keepdims=True) if np.ndim(x) else x,
    lambda x: np.mean(x),
    lambda x: np.where(x > 10.0, 0.0, x),
    lambda x: x[..., ::-1] if np.ndim(x) else x * 2.0,
    lambda x: np.reshape(x, -1)[:3] if np.size(x) >= 3 else np.broadcast_to(x, (2, 1)),
    lambda x: np.cumsum(x, axis=-1) if np.ndim(x) else x,
    lambda x: 0.0 * x + 1.0,
    lambda x: ad.checkpoint(np.sin)(x),
    lambda x: ad.grad(lambda y: np.sum(np.sin(y) * y))(x * 0.5),
]
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y,
    lambda x, y: x - 0.5 * y,
    lambda x, y: np.tanh(x) * y,
    lambda x, y: x / (2 + np.cos(y)),
    lambda x, y: np.hypot(x, 1.0) * np.arctan(y),
    lambda x, y: np.logaddexp(x, y),
    lambda x, y: np.sum(np.outer(x, y)),
    lambda x, y: np.stack([np.sum(x), np.mean(y), np.sum(x * y)]) / 3,
]

step = st.tuples(st.integers(0, len(UNARY) + len(BINARY) - 1), st.integers(0, 99), st.integers(0, 99))
programs = st.tuples(
    st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3),
    st.lists(step, min_size=1, max_size=9),
    st.integers(0, 2**16),
)
Draft = tuple[list[tuple[int, ...]], list[tuple[int, int, int]], int]


def build(draft: Draft) -> tuple[Callable[..., Any], list[Any]]:
    shapes, steps, seed = draft

    def program(*args: Any) -> Any:
        values = list(args)
        for which, i, j in steps:
            x, y = values[i % len(values)], values[j % len(values)]
            z = UNARY[which](x) if which < len(UNARY) else _binary(BINARY[which - len(UNARY)], x, y)
            values.append(np.tanh(z))  # keeps long products in bounds
        return sum(np.sum(v * (k + 1.0)) for k, v in enumerate(values[-3:]))

    return program, [
        normal(*shape, seed=seed + k)[()] if shape else float(k + 0.3) for k, shape in enumerate(shapes)
    ]


def _binary(f: Callable[[Any, Any], Any], x: Any, y: Any) -> Any:
    try:
        np.broadcast_shapes(np.shape(x), np.shape(y))
    except ValueError:
        y = np.sum(y)
    return f(x, y)


def properties(draft: Draft) -> None:
    f, args = build(draft)
    check.multipliers(f, args).raise_on_failure()
    check.gradients(f, args).raise_on_failure()
    tape, loss, inputs = record(f, *args)
    lagrangian = ad.Lagrangian(tape, loss)
    certificate = lagrangian.residuals()
    assert certificate.holds, repr(certificate)
    gradient = ad.grad(f, tuple(range(len(args))))(*args)
    close(tuple(lagrangian.gradient(inputs)), gradient, 1e-13)
    everything = tuple(range(len(args)))
    v = tuple(np.asarray(normal(*np.shape(a), seed=k))[()] for k, a in enumerate(args))
    product = ad.hessian_vector_product(lambda *x: f(*x), everything)(*args, v)

    def slope(*x: Any) -> Any:
        return sum(np.sum(g * d) for g, d in zip(ad.grad(f, everything)(*x), v, strict=True))

    close(ad.grad(slope, everything)(*args), product, 1e-8)


@given(programs)
@settings(max_examples=40)
def test_random_programs(draft: Draft) -> None:
    properties(draft)


@pytest.mark.slow
@given(programs)
@settings(max_examples=500)
def test_many_random_programs(draft: Draft) -> None:
    properties(draft)
