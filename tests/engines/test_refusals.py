"""What compiled functions complain of, with the line: when they are traced, and when they run."""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad

from ..helpers import message, normal, nothing_is_open, points_at
from .harness import compare

# ---------------------------------------------------------------------------------------- refusals
REFUSED: dict[str, Callable[[Any], Any]] = {
    "a branch": lambda x: x if x[0] > 0 else -x,  # the line is found
    "float()": lambda x: float(np.sum(x)) * x,
    "int()": lambda x: x[int(x[0])],
    "a mask": lambda x: x[x > 0],
    "any": lambda x: x if np.any(x > 0) else -x,
    "range": lambda x: sum(range(np.sum(x))),
    "item": lambda x: x[0].item() * x,
    "astype": lambda x: np.asarray(x, float),
    "tolist": lambda x: x.tolist(),
    "nonzero": lambda x: np.nonzero(x),
    "unique": lambda x: np.unique(x),
}


@pytest.mark.parametrize("name", REFUSED)
def test_asking_for_a_value_names_the_line_and_the_remedy(name: str) -> None:
    text = message(ad.TraceError, ad.compile(REFUSED[name]), normal(3))
    assert points_at(text, "lambda x")
    assert "np.where" in text or "size" in text
    assert nothing_is_open()


class Sampler:
    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def __call__(self, x: Any) -> Any:
        return x * self.rng.normal()

    def draw(self, x: Any) -> Any:
        return self(x)


GENERATOR, SAMPLER = np.random.default_rng(0), Sampler()


class Listed(np.random.PCG64):
    """A source of bits that keeps a list of arrays in its state."""

    @property
    def state(self) -> Any:
        state = super().state
        return {**state, "lists": [np.arange(3), np.array([state["state"]["state"] % 7, 1])]}


LISTED = np.random.Generator(Listed(0))
COUNTER = np.random.Generator(np.random.Philox(0))
DRAWS: dict[str, Callable[[Any], Any]] = {
    "global": lambda x: x * GENERATOR.normal(),
    "legacy": lambda x: x * np.random.rand(),
    "standard library": lambda x: x * random.random(),
    "state in arrays": lambda x: x * COUNTER.normal(),
    "arrays in lists": lambda x: x * LISTED.normal(),
    "method": Sampler().draw,
    "instance": Sampler(),
    "instance within": lambda x, sampler=SAMPLER: sampler.draw(x),
    "partial": functools.partial(lambda x, rng: x * rng.normal(), rng=GENERATOR),
    "item": lambda x, held={"rng": [GENERATOR]}: x * held["rng"][0].normal(),
    "within a transform": ad.grad(lambda x: np.sum(x * GENERATOR.normal())),
}


@pytest.mark.parametrize("name", DRAWS)
def test_random_draws_are_refused(name: str) -> None:
    text = message(ad.TraceError, ad.compile(DRAWS[name]), normal(3))
    assert "draws random numbers" in text and "Draw them outside" in text


def test_a_generator_of_any_state_that_is_not_drawn_from_is_no_matter() -> None:
    compiled = ad.compile(lambda x: x * (1 if LISTED is not None else 2))
    np.testing.assert_array_equal(compiled(np.ones(3)), np.ones(3))


def test_a_generator_as_an_argument_is_refused_when_it_is_used() -> None:
    compiled = ad.compile(lambda x, rng: x * rng.normal())
    assert "draws random numbers" in message(ad.TraceError, compiled, normal(3), np.random.default_rng(0))


def test_draws_of_another_thread_are_not_the_functions() -> None:
    """The shared generators move while f is traced, and not when it is traced again."""
    traced: list[int] = []

    def f(x: Any) -> Any:
        traced.append(1)
        if len(traced) == 1:
            other = threading.Thread(target=random.random)
            other.start()
            other.join()
        return x * 2.0

    done = threading.Event()
    somebody = threading.Thread(target=done.wait)
    somebody.start()
    try:
        np.testing.assert_allclose(ad.compile(f)(normal(3)), 2 * normal(3))
        assert len(traced) == 2
        drawing = ad.compile(lambda x: x * random.random())
        assert "draws random numbers" in message(ad.TraceError, drawing, normal(3))
    finally:
        done.set()
        somebody.join()


def test_an_exception_of_the_users_leaves_nothing_behind() -> None:
    faulty = [True]

    def f(x: Any) -> Any:
        y = np.tanh(x)
        if faulty:
            raise KeyError("mine")
        return y

    compiled = ad.compile(f)
    with pytest.raises(KeyError, match="mine"):
        compiled(normal(3))
    assert compiled.explain().programs == [] and nothing_is_open()
    faulty.clear()
    compare(compiled(normal(3)), np.tanh(normal(3)))


# ----------------------------------------------------------------------------------- while it runs
def test_a_singular_matrix_names_the_line() -> None:
    compiled = ad.compile(lambda a, b: np.tanh(np.linalg.solve(a * 1.0, b)))
    compare(compiled(np.eye(2), np.ones(2)), np.tanh(np.ones(2)))
    text = message(ad.DomainError, compiled, np.zeros((2, 2)), np.ones(2))
    assert points_at(text, "np.linalg.solve(a * 1.0, b)") and "Singular matrix" in text
    compare(compiled(np.eye(2), np.ones(2)), np.tanh(np.ones(2)))


def test_a_failing_factorization_tells_what_it_found() -> None:
    text = message(ad.DomainError, ad.compile(lambda a: np.linalg.cholesky(a)), -2 * np.eye(2))
    assert points_at(text, "np.linalg.cholesky(a)") and "smallest eigenvalue of (2, 2) is -2" in text


INDEXED: dict[str, Callable[[Any, Any], Any]] = {
    "rows": lambda x, i: x[i] * 2,
    "one per row": lambda x, i: x[np.arange(3), i],
    "pairs": lambda x, i: x[i, i],
    "written": lambda x, i: x.at[i].add(1.0) if isinstance(x, ad.Variable) else x,
}


@pytest.mark.parametrize("name", INDEXED)
def test_an_index_out_of_bounds_names_the_line(name: str) -> None:
    compiled = ad.compile(INDEXED[name])
    x = normal(3, 3)
    compiled(x, np.array([0, -3, 2]))
    for wrong in ([0, 3, 1], [0, 1, -4], [2**40, 0, 0]):
        text = message(ad.IndexingError, compiled, x, np.array(wrong))
        assert points_at(text, "lambda x, i:") and "out of bounds" in text
    if name != "written":
        index = np.array([0, -3, 2])
        compare(compiled(x, index), INDEXED[name](x, index))
