"""Indices and subscripts at random: the two languages too large for a table."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad

from . import harness
from .cases import written
from .harness import case


def random_index(rng, shape):
    """Integers, slices, None, an ellipsis, index arrays and masks in any order; a few do not fit."""
    parts, k, ellipsis = [], 0, False
    while k < len(shape) and rng.random() < 0.85:
        n, kind = shape[k], rng.integers(8)
        k += kind != 3
        if kind == 0:
            parts.append(int(rng.integers(-n, n)))
        elif kind in (1, 2):
            start, stop = (None if rng.random() < 0.4 else int(rng.integers(-n - 1, n + 2)) for _ in range(2))
            parts.append(slice(start, stop, (None, 1, -1, 2, -2)[rng.integers(5)]))
        elif kind == 3:
            parts.append(None)
        elif kind == 4 and not ellipsis:
            parts.append(...)
            ellipsis, k = True, int(rng.integers(k - 1, len(shape) + 1))
        elif kind == 5:
            parts.append(rng.random(n) < 0.5)
        elif kind == 6 and rng.random() < 0.1:
            parts.append(n + 3)
        else:
            parts.append(rng.integers(-n, n, ((2,), (1,), (3, 2), (), (2, 1))[rng.integers(5)]))
    return tuple(parts)


def random_einsum(rng):
    """Subscripts and shapes: repeated letters, letters of length one, an ellipsis, one to three operands."""
    sizes = {c: int(rng.integers(1, 4)) for c in "abcd"}
    batch = tuple(int(n) for n in rng.integers(1, 3, rng.integers(3)))
    words, shapes = [], []
    for _ in range(rng.integers(1, 4)):
        word = "".join(rng.choice(list("abcd"), rng.integers(4)))
        shape = tuple(sizes[c] if rng.random() < 0.9 else 1 for c in word)
        if batch and rng.random() < 0.7:
            spread = tuple(n if rng.random() < 0.7 else 1 for n in batch)[rng.integers(len(batch) + 1) :]
            cut = int(rng.integers(len(word) + 1))
            word, shape = f"{word[:cut]}...{word[cut:]}", shape[:cut] + spread + shape[cut:]
        words.append(word)
        shapes.append(shape)
    subscripts = ",".join(words)
    if rng.random() < 0.7:
        letters = sorted(set(subscripts) - set(",."))
        rng.shuffle(letters)
        kept = "".join(letters[: rng.integers(len(letters) + 1)])
        subscripts += "->" + ("..." if "..." in subscripts else "") + kept
    return subscripts, shapes


def check(row):
    """The properties of a row of the table; or, where NumPy raises, an error of ours."""
    args = row.arguments()
    try:
        row.function(*args)
    except (ValueError, IndexError):
        with pytest.raises((ValueError, IndexError)):
            ad.make_vjp(row.function, harness.everything(args))(*args)
        return False
    harness.check_value(row, np.float64)
    harness.check_first_order(row, np.float64)
    return True


def test_indices():
    rng, fitting = np.random.default_rng(0), 0
    for k in range(300):
        shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 5)))
        index = random_index(rng, shape)
        fitting += check(case(f"index {k}: {index}", lambda x, index=index: x[index], shape))
    assert 200 < fitting < 300


def test_writes():
    """x.at[index].set is the assignment, .add is np.add.at: in x, and in what is written."""
    rng, fitting = np.random.default_rng(1), 0
    for k in range(150):
        shape = tuple(int(n) for n in rng.integers(1, 4, rng.integers(1, 4)))
        index = random_index(rng, shape)
        for how in ("set", "add"):
            fitting += check(
                case(f"{how} {k}: {index}", lambda x, v, i=index, how=how: written(x, v, i, how), shape, ())
            )
    assert 160 < fitting < 300


def test_einsum():
    rng, fitting = np.random.default_rng(2), 0
    for k in range(250):
        subscripts, shapes = random_einsum(rng)
        fitting += check(
            case(f"{k}: {subscripts} {shapes}", lambda *x, s=subscripts: np.einsum(s, *x), *shapes)
        )
    assert 150 < fitting < 250
