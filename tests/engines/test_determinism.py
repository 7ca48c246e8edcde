"""The same bits from run to run and for any number of threads; sums that keep their digits."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import tree as trees
from adjoint.engines.cpu.steps import CHUNK

from ..helpers import normal

LARGE = 5 * CHUNK + 37  # several chunks, the last one short


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = ad.get_num_threads()
    yield
    ad.set_num_threads(before)


def softmax_loss(w: Any, x: Any) -> Any:
    scores = x * w
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(shifted), axis=1)) - shifted[:, 0])


PROGRAMS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "whole sums": (ad.value_and_grad(lambda x: np.sum(np.tanh(x) ** 2) * np.mean(x)), (normal(LARGE),)),
    "columns": (ad.value_and_grad(softmax_loss), (normal(7), normal(LARGE // 7, 7, seed=1))),
    "wide rows": (ad.value_and_grad(softmax_loss), (normal(900), normal(101, 900, seed=1))),
    "first axis": (lambda x: np.sum(np.sin(x), axis=(0, 2)), (normal(40, 30, 90),)),
    "products": (
        ad.value_and_grad(lambda w, x: np.sum(np.tanh(x @ w) ** 2)),
        (normal(60, 50) / 8, normal(1500, 60, seed=1)),
    ),
    "single precision": (
        ad.value_and_grad(softmax_loss),
        (normal(7).astype(np.float32), normal(LARGE // 7, 7, seed=1).astype(np.float32)),
    ),
    "a matrix and a vector": (
        ad.value_and_grad(lambda w, x: np.sum(np.sin(x @ w))),
        (normal(300), normal(400, 300, seed=1)),
    ),
}


def bits(results: Any) -> list[bytes]:
    return [np.asarray(x).tobytes() for x in trees.flatten(results)[0]]


@pytest.mark.parametrize("name", PROGRAMS)
def test_bits_do_not_depend_on_threads_or_runs(name: str) -> None:
    f, args = PROGRAMS[name]
    compiled = ad.compile(f)
    ad.set_num_threads(1)
    first = bits(compiled(*args))
    assert max(step.chunks for step in compiled.explain().programs[0].steps) > 1
    for threads in (1, 2, 2, 2):
        ad.set_num_threads(threads)
        assert bits(compiled(*args)) == first
    assert bits(ad.compile(f)(*args)) == first  # nor on the plan, made anew


def test_bits_do_not_depend_on_where_arrays_lie() -> None:
    f, args = PROGRAMS["single precision"]
    compiled = ad.compile(f)
    first = bits(compiled(*args))
    for offset in (1, 3, 16):
        moved = []
        for x in args:
            room = np.zeros(x.size + 32, x.dtype)
            y = room[offset : offset + x.size].reshape(x.shape)
            y[...] = x
            moved.append(y)
        assert bits(compiled(*moved)) == first


def test_bits_are_those_of_another_process() -> None:
    text = (
        "import hashlib, numpy as np, adjoint as ad; x = np.random.default_rng(0).standard_normal(200_000); "
        "f = ad.compile(ad.value_and_grad(lambda x: np.sum(np.tanh(x) ** 2) * np.mean(x))); v, g = f(x); "
        "print(hashlib.sha256(v.tobytes() + g.tobytes()).hexdigest())"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", text],
            env={**os.environ, "NUMBA_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in (1, 2)
    ]
    assert printed[0] == printed[1] and len(printed[0]) > 60


def test_long_sums_in_single_precision_keep_their_digits() -> None:
    x = np.random.default_rng(0).random(1_000_000, dtype=np.float32)
    exact = np.sum(x, dtype=np.float64)
    running = np.cumsum(x)[-1]
    assert abs(running - exact) > 1e-6 * exact  # what one running sum would lose
    for f in (np.sum, lambda x: np.sum(x * 1.0), lambda x: np.sum(np.reshape(x, (1000, 1000)))):
        assert abs(float(ad.compile(f)(x)) - exact) < 2e-7 * exact
    tall = x.reshape(-1, 4)
    columns = ad.compile(lambda x: np.sum(x, axis=0))(tall)
    np.testing.assert_allclose(columns, np.sum(tall, axis=0, dtype=np.float64), rtol=1e-6)
    rows = ad.compile(lambda x: np.sum(x, axis=1))(x.reshape(4, -1))
    np.testing.assert_allclose(rows, np.sum(x.reshape(4, -1), axis=1, dtype=np.float64), rtol=1e-6)
    dot = ad.compile(lambda x: x @ x)(x)
    assert abs(float(dot) - float(np.sum(x.astype(float) ** 2))) < 1e-6 * float(dot)


def test_the_gradient_of_a_long_mean_keeps_its_digits() -> None:
    g = ad.compile(ad.grad(lambda b, x: np.mean((x + b) ** 2)))(
        np.float32(0.5), np.ones(1_000_000, np.float32)
    )
    running = np.cumsum(np.full(1_000_000, 3e-6, np.float32))[-1]
    assert abs(running - 3.0) > 1e-3
    assert abs(g - 3.0) < 1e-5  # all terms round the same way: worse with fewer lanes, 6e-6 with four
