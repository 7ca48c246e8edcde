"""What comes out of a compiled function: arrays of the caller's own, unless an argument was donated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import tree as trees

from ..helpers import message, normal
from .harness import agree, compare

CONSTANT = normal(2, 3, seed=7)


def views(x: Any, y: Any) -> Any:
    return {
        "inputs": (x, y, x),
        "views": (x.T, x[0], x[:, ::2], x[None], np.broadcast_to(y, (4, 3)), x.reshape(3, 2), x[::-1]),
        "constants": (CONSTANT, np.zeros((2, 2)), 2.5, np.float32(3), np.arange(3), CONSTANT.T),
        "values": (x * 2, x * 2, np.sum(x), np.sum(x) * 1.0),
    }


def test_outputs_may_be_inputs_views_and_constants() -> None:
    agree(views, normal(2, 3), normal(3, seed=1))


def test_masks_are_results_too() -> None:
    def f(x: Any, flag: Any) -> Any:
        return (
            x > 0,
            flag,
            ~flag,
            np.ones(3, bool),
            np.broadcast_to(True, (2, 2)),
            np.concatenate([x > 0, x < 1]),
        )

    agree(f, normal(3), np.bool_(True))
    agree(f, normal(3), np.array([True, False, True]))


def test_no_output_shares_memory_with_anything() -> None:
    compiled = ad.compile(views)
    x, y = normal(2, 3), normal(3, seed=1)
    results = trees.flatten([compiled(x, y), compiled(x, y)])[0]
    arrays = [x, y, CONSTANT, *(a for a in results if isinstance(a, np.ndarray))]
    for k, a in enumerate(arrays):
        assert a.flags.writeable
        assert not any(np.shares_memory(a, b) for b in arrays[:k])


def test_writing_to_results_changes_nothing_later() -> None:
    compiled = ad.compile(views)
    x, y = normal(2, 3), normal(3, seed=1)
    first = compiled(x, y)
    for a in trees.flatten(first)[0]:
        if isinstance(a, np.ndarray):
            a[...] = -7
    compare(compiled(x, y), views(x, y))


def test_zero_d_results_are_scalars_as_numpys_are() -> None:
    results = ad.compile(lambda x: (np.sum(x), np.max(x) > 0, np.argmax(x), x[0]))(normal(4))
    assert [type(r) for r in results] == [np.float64, np.bool_, np.int64, np.float64]
    assert type(ad.compile(np.sum)(normal(4).astype(np.float32))) is np.float32


# ---------------------------------------------------------------------------------------- donation
@pytest.mark.numba
def test_a_donated_array_becomes_the_result() -> None:
    compiled = ad.compile(lambda p, g: (p - 0.1 * g, np.sum(p * g)), donate=0)
    p, g = normal(5), normal(5, seed=1)
    for _ in range(3):
        want = p - 0.1 * g, np.sum(p * g)
        q, total = compiled(p, g)
        assert q is p
        compare((q, total), want)


UNSAFE: dict[str, Any] = {
    "reversed": lambda x, y: x[::-1] * 2 + y,
    "read by a later loop": lambda x, y: (x + y, np.sum(x) * np.ones(3) + np.cumsum(x)),
    "transposed": lambda x, y: (x.reshape(2, 3).T * 1.0).reshape(6) + y,
    "a product": lambda x, y: np.outer(x, y) @ x,
    "two results": lambda x, y: (x * 2, x + y),
    "itself": lambda x, y: (y * x, x),
    "a softmax": lambda x, y: np.exp(x - np.max(x)) / np.sum(np.exp(x - np.max(x))),
    "an argument twice": lambda x, y: x + y[::-1],
    "joined": lambda x, y: np.concatenate([x[3:], x[:3]]),
    "zeros": lambda x, y: (np.zeros(6), x * y, y),
    "exchanged": lambda x, y: (y, x),
    "library": lambda x, y: np.sort(x)[::-1] + x,
}


@pytest.mark.parametrize("donate", [0, 1, (0, 1)])
@pytest.mark.parametrize("name", UNSAFE)
def test_donation_never_changes_a_result(name: str, donate: Any) -> None:
    f = UNSAFE[name]
    compiled = ad.compile(f, donate=donate)
    for seed in range(2):
        x, y = normal(6, seed=seed), normal(6, seed=seed + 5)
        if name == "read by a later loop":
            x, y = x[:3].copy(), y[:3].copy()
        want = f(x.copy(), y.copy())
        compare(compiled(x, y), want)
    if name == "an argument twice":
        x = normal(6)
        want = f(x, x)
        compare(compiled(x, x), want)
        compare(compiled(x := normal(6), x), want)


@pytest.mark.numba
def test_donation_with_containers_and_arrays_that_do_not_fit() -> None:
    def f(p: Any, x: Any) -> Any:
        return {"w": p["w"] * x, "b": p["b"] + np.sum(x)}

    compiled = ad.compile(f, donate=(0,))
    p, x = {"w": normal(4), "b": normal(2)}, normal(4, seed=1)
    want = f(p, x)
    got = compiled(p, x)
    assert got["w"] is p["w"] and got["b"] is p["b"]
    compare(got, want)
    frozen, strided = normal(4), np.repeat(normal(2), 2)[::2]
    frozen.flags.writeable = False
    kept = frozen.copy(), strided.copy()
    compare(compiled({"w": frozen, "b": strided}, x), f({"w": kept[0], "b": kept[1]}, x))
    compare((frozen, strided), kept)


def test_donation_and_other_kinds_of_arguments() -> None:
    compiled = ad.compile(lambda x, y: x * y, donate=0)
    compare(compiled(normal(3), normal(3)), normal(3) ** 2)
    compare(compiled(2.0, normal(3)), 2.0 * normal(3))
    compare(compiled(normal(3), 2.0), 2.0 * normal(3))
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        compiled(normal(3))


def test_donating_what_is_not_there_is_refused() -> None:
    text = message(ad.TreeError, ad.compile(lambda x: x * 2, donate=1), normal(3))
    assert "donate=(1,), but the function was called with 1 arguments" in text


def test_donations_are_positions() -> None:
    with pytest.raises(
        TypeError, match=r"donate holds positions of arguments, 0 for the first; got \('w',\)"
    ):
        ad.compile(lambda w: w, donate=("w",))


def test_an_integer_argument_of_a_compiled_gradient_is_named() -> None:
    with pytest.raises(ad.DTypeError, match="its dtype is int64") as caught:
        ad.compile(ad.grad(lambda w: np.sum(w**2)))(np.array([1, 2]))
    assert "Pass x.astype(float)" in str(caught.value)
