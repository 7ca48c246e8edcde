"""Work put together: chains over rows, products joined, values computed again; all equal the eager sweep."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.engines.chains import FEWEST_ROWS

from ..helpers import normal
from .harness import agree


def kinds(compiled: Any) -> list[str]:
    return [s.kind for s in compiled.explain().programs[0].steps]


def policy(rows: int, dtype: str = "float64", width: int = 48) -> tuple[Any, list[Any], list[Any]]:
    """Log-likelihood of choices under a tanh network; its parameters, and a direction."""
    rng = np.random.default_rng(rows)
    x = rng.normal(size=(rows, 6)).astype(dtype)
    chosen, weight = rng.integers(0, 3, rows), rng.normal(size=rows).astype(dtype)
    sizes = (6, width, width, 3)
    params = [
        ((rng.normal(size=(i, o)) / i**0.5).astype(dtype), (rng.normal(size=o) * 0.1).astype(dtype))
        for i, o in pairwise(sizes)
    ]

    def loss(params: Any) -> Any:
        h = x
        for w, b in params[:-1]:
            h = np.tanh(h @ w + b)
        z = h @ params[-1][0] + params[-1][1]
        z = z - np.max(z, axis=1, keepdims=True)
        z = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
        return -np.mean(z[np.arange(rows), chosen] * weight)

    return loss, params, ad.tree_map(lambda p: rng.normal(size=p.shape).astype(dtype), params)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rows", [1500, 1999])
@pytest.mark.numba
def test_a_network_runs_as_a_chain(rows: int, dtype: str) -> None:
    loss, params, direction = policy(rows, dtype)
    compiled = agree(ad.value_and_grad(loss), params)
    assert "chain" in kinds(compiled)
    agree(lambda p, v: ad.hvp(loss, p, v), params, direction, factor=4)


def test_few_rows_make_no_chain() -> None:
    loss, params, _ = policy(FEWEST_ROWS - 1)
    assert "chain" not in kinds(agree(ad.value_and_grad(loss), params))


@pytest.mark.numba
def test_a_chain_needs_memory_for_one_block_only() -> None:
    memory = []
    for rows in (2000, 8000):
        loss, params, direction = policy(rows)
        compiled = agree(lambda p, v, loss=loss: ad.hvp(loss, p, v), params, direction, factor=4)
        memory.append(compiled.explain().programs[0].arena)
    assert memory[1] < 1.5 * memory[0]


def test_a_chain_gives_the_same_bits_for_any_number_of_threads() -> None:
    loss, params, direction = policy(3000)
    compiled = ad.compile(lambda p, v: (ad.value_and_grad(loss)(p), ad.hvp(loss, p, v)))
    before = ad.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 1):
            ad.set_num_threads(threads)
            results.append(ad.tree.flatten(compiled(params, direction))[0])
    finally:
        ad.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.numba
def test_a_chain_whose_values_are_also_results() -> None:
    _, params, _ = policy(1500)
    (w, b), (v, c), _ = params
    x = np.random.default_rng(0).normal(size=(1500, 6))

    def layers(w: Any, v: Any) -> Any:
        h = np.tanh(x @ w + b)
        k = np.tanh(h @ v + c)
        return h, np.sum(k * h), np.sum(k, axis=0), k[3:5] * 2.0

    compiled = agree(layers, w, v)
    assert "chain" in kinds(compiled)
    agree(ad.jacobian(lambda s: layers(w * s, v)[1]), np.array([1.0]))


def test_row_i_may_not_read_row_j() -> None:
    """A shift between the layers: nothing that crosses rows may run block by block."""
    rng = np.random.default_rng(0)
    x, w, v = rng.normal(size=(1500, 6)), rng.normal(size=(6, 48)), rng.normal(size=(48, 48))

    def shifted(w: Any, v: Any) -> Any:
        h = np.tanh(x @ w)
        h = h[::-1] + np.concatenate([h[1:], h[:1]])
        return np.sum(np.tanh(h @ v) ** 2)

    agree(ad.value_and_grad(shifted, (0, 1)), w, v)


def recurrence(steps: int) -> tuple[Any, tuple[np.ndarray, ...]]:
    rng = np.random.default_rng(steps)
    u, y = rng.normal(size=(steps, 5, 16)), rng.normal(size=(steps, 5, 8))

    def loss(w: Any, v: Any, b: Any) -> Any:
        z, total = np.zeros((5, 8)), 0.0
        for t in range(steps):
            z = np.tanh(z @ w + u[t] @ v + b)
            total = total + np.sum((z - y[t]) ** 2)
        return total / steps

    return loss, (rng.normal(size=(8, 8)) * 0.3, rng.normal(size=(16, 8)) * 0.3, rng.normal(size=8))


def test_products_of_a_recurrence_are_joined() -> None:
    loss, args = recurrence(24)
    compiled = agree(ad.value_and_grad(loss, (0, 1, 2)), *args)
    products = kinds(compiled).count("product")
    assert products < 2 * 24 + 8, "one product per step forward and one back; the others are joined"
    agree(lambda *p: ad.hvp(lambda q: loss(*q), p, p), *args, factor=4)


def test_equal_steps_share_their_kernels() -> None:
    counts = []
    for steps in (24, 48):
        loss, args = recurrence(steps)
        compiled = agree(ad.value_and_grad(loss, (0, 1, 2)), *args)
        counts.append(len({s.kernel for s in compiled.explain().programs[0].steps}))
    assert counts[0] == counts[1]


def test_slices_in_any_order_with_gaps() -> None:
    """Slices that do not follow each other are not one array."""
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=(12, 5, 4)), rng.normal(size=(4, 3))
    agree(ad.value_and_grad(lambda v: sum(np.sum(np.sin(u[t] @ v)) for t in (0, 2, 3, 7, 1, 9))), v)
    agree(ad.value_and_grad(lambda v: sum(np.sum(np.sin(u[t] @ v)) for t in (3, 2, 1, 0, 4))), v)


def test_an_array_changed_while_it_is_traced() -> None:
    """Captured arrays are constants as they are at each use."""
    buffer, weights = np.zeros((8, 1200)), np.ones(1200)

    def reused(x: Any) -> Any:
        total = 0.0
        for k in range(4):
            buffer[k % 2] = k
            total = total + np.sum(x * buffer[k % 2])
        return total

    assert ad.compile(reused)(weights) == reused(weights)


def test_cheap_values_are_not_stored() -> None:
    """The factor 1 − z² of tanh's adjoint is made from z."""
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(64, 64)), rng.normal(size=(256, 64))
    compiled = agree(ad.value_and_grad(lambda w: np.sum(np.tanh(np.tanh(x @ w) @ w) ** 2)), w)
    arena = compiled.explain().programs[0].arena
    assert arena <= 5.5 * x.nbytes, f"{arena / x.nbytes:.1f} arrays of that size"


@pytest.mark.numba
def test_dropped_results_are_taken_again_and_held_ones_are_not() -> None:
    double = ad.compile(lambda x: x * 2.0)
    x = np.ones(1 << 18)
    first = double(x)
    view = double(x)[5:9]
    assert not np.shares_memory(first, view) and view[0] == 2.0
    second = double(x + 1)
    assert first[0] == 2.0 and view[0] == 2.0 and second[0] == 4.0
    address = second.ctypes.data
    del second
    assert double(x).ctypes.data == address


def test_values_that_only_empty_arrays_read_are_not_computed() -> None:
    """Once their sum was written over another value: it had no place in memory of its own."""
    x, y, c = np.empty((0, 3)), normal(3), normal(3, 2, seed=1)

    def loss(x: Any, y: Any) -> Any:
        z = np.zeros((3, 1)) @ np.tanh(y)[np.array([0, 1])].reshape(1, 2)
        return np.sum(z * c) + np.sum(z.at[::2].set(np.sum(x)) * c[::-1])

    agree(ad.value_and_grad(loss, argnum=(0, 1)), x, y)


def test_empty_views_of_values_that_are_not_computed() -> None:
    agree(ad.value_and_grad(lambda x: np.sum(3.0 * np.trapezoid(x, axis=1))), normal(3, 1))


def test_numpy_reads_a_piece_that_lives_in_a_joined_array() -> None:
    def loss(x: Any) -> Any:
        y = x / np.sqrt(1 + x * x)
        return np.sum(np.sort(y) * np.arange(5.0)) + np.sum(np.concatenate([y, x]) * np.arange(10.0))

    agree(ad.value_and_grad(loss), normal(5))
