"""Arrays that change after they were recorded do not change what was recorded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import DTypeError

from ..helpers import close, message, normal

SIZES = {"small": (3,), "4096 bytes": (512,), "large": (600,), "large matrix": (40, 20)}
KINDS: dict[str, Any] = {
    "owned": lambda a: a.copy(),
    "view": lambda a: np.stack([a, a])[1],
    "strided": lambda a: np.repeat(a, 2, axis=0)[::2],
    "transposed": lambda a: np.asfortranarray(a),
    "read-only view": lambda a: read_only(a.copy()[...]),
    "broadcast": lambda a: np.broadcast_to(a[:1].copy(), a.shape),
}


def read_only(a: np.ndarray) -> np.ndarray:
    a.flags.writeable = False
    return a


def base_of(a: np.ndarray) -> np.ndarray:
    """The writable memory behind a view."""
    while a.base is not None:
        a = a.base
    return a


@pytest.mark.parametrize("shape", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_constant_changed_after_recording(kind: str, shape: tuple[int, ...]) -> None:
    constant = KINDS[kind](normal(*shape))
    kept, memory = constant.copy(), base_of(constant)

    def f(x: Any) -> Any:
        a = np.sum(x * constant)
        b = np.sum(np.sin(constant) * np.exp(0.1 * x * constant))
        memory.flags.writeable = True
        memory[...] = 7.0
        return a + b + np.sum(constant * x)

    x = normal(*shape, seed=1)
    expected = kept + 0.1 * kept * np.sin(kept) * np.exp(0.1 * x * kept) + 7.0
    close(ad.grad(f)(x), expected, 1e-12)


@pytest.mark.parametrize("shape", SIZES.values(), ids=SIZES)
def test_same_array_used_twice_with_a_change_in_between(shape: tuple[int, ...]) -> None:
    constant = normal(*shape)
    first = constant.copy()

    def f(x: Any) -> Any:
        total = np.sum(x * constant) + np.sum(x * constant)
        constant[...] += 1.0
        total = total + np.sum(x * constant)
        constant.reshape(-1)[-1] = 100.0
        return total + np.sum(x * constant)

    expected = 4 * first + 2.0
    expected.reshape(-1)[-1] = 3 * first.reshape(-1)[-1] + 1 + 100
    close(ad.grad(f)(normal(*shape, seed=1)), expected, 1e-12)


def test_large_constant_with_nan_is_copied_once_and_compared() -> None:
    constant = normal(1000)
    constant[3] = np.nan
    with ad.Tape() as tape:
        x = tape.input(normal(1000, seed=1))
        a, b = x * constant, x * constant
        constant[3] = 1.0
        c = x * constant
    copies = [tape.constants[v.index][1] for v in (a, b, c)]
    assert copies[0] is copies[1]
    assert copies[0] is not copies[2]
    assert np.isnan(copies[0][3]) and copies[2][3] == 1.0


def test_temporary_arrays_that_share_an_address() -> None:
    """A constant that dies gives its id to the next: the copies must not be confused."""

    def f(x: Any) -> Any:
        total = 0.0
        for k in range(20):
            constant = np.full(1000, float(k))
            total = total + np.sum(x * constant)
            del constant
        return total

    close(ad.grad(f)(np.ones(1000)), np.full(1000, 190.0))


def test_input_changed_after_recording() -> None:
    x = normal(4)
    kept = x.copy()

    def f(v: Any) -> Any:
        y = np.sum(v**3)
        x[...] = 0.0
        return y

    close(ad.grad(f)(x), 3 * kept**2)
    x = normal(4)
    pullback, _ = ad.make_vjp(lambda v: v**3)(x)
    push = ad.make_jvp(lambda v: v**3)(x)
    x[...] = 0.0
    close(pullback(np.ones(4)), 3 * kept**2)
    close(push(np.ones(4))[1], 3 * kept**2)


def test_indices_changed_after_recording() -> None:
    """Every way to give an index keeps its own copy."""
    x = np.arange(1.0, 6.0)
    array, listed, mask = np.array([0, 2, 2]), [1, 3], np.array([True, False, False, False, True])
    large = np.zeros(1000, int)

    def f(v: Any) -> Any:
        total = (
            np.sum(v[array] * 2)
            + np.sum(v[listed])
            + np.sum(v[mask])
            + np.sum(np.take(v, array))
            + np.sum(v[large])
        )
        total = total + np.sum(v.at[array].add(1.0) ** 2) + np.sum(np.where(mask, v, 0.0))
        array[:], mask[:], large[:] = 4, True, 4
        listed[:] = [0, 0]
        return total

    def plain(v: Any) -> Any:
        w = v.copy()
        np.add.at(w, [0, 2, 2], 1.0)
        return (
            2 * (v[0] + 2 * v[2])
            + v[1]
            + v[3]
            + 2 * (v[0] + v[4])
            + v[0]
            + 2 * v[2]
            + 1000 * v[0]
            + np.sum(w**2)
        )

    basis = 1e-6 * np.eye(5)
    expected = np.array([(plain(x + e) - plain(x - e)) / 2e-6 for e in basis])
    close(ad.grad(f)(x), expected, 1e-6)


def test_parameters_of_operations_changed_after_recording() -> None:
    shape, axes, repeats = [2, 3], [1, 0], np.array([1, 2, 3])

    def f(v: Any) -> Any:
        a = np.transpose(np.reshape(v, shape), axes)
        b = np.repeat(a, repeats, axis=0)
        shape[:], axes[:], repeats[:] = [6, 1], [0, 1], 1
        return np.sum(b * np.arange(12.0).reshape(6, 2))

    weights = np.arange(12.0).reshape(6, 2)
    expected = np.add.reduceat(weights, [0, 1, 3], axis=0).T.reshape(-1)
    close(ad.grad(f)(normal(6)), expected)


def test_list_constants_and_lists_of_variables() -> None:
    numbers = [1.0, 2.0, 3.0]

    def f(v: Any) -> Any:
        y = np.sum(v * numbers)
        numbers[0] = 50.0
        return y

    close(ad.grad(f)(np.ones(3)), np.array([1.0, 2.0, 3.0]))


def test_subclasses_of_ndarray(tmp_path: Any) -> None:
    mapped = np.memmap(tmp_path / "m", np.float64, "w+", shape=(700,))
    mapped[:] = 2.0

    def f(v: Any) -> Any:
        y = np.sum(v * mapped)
        mapped[:] = 5.0
        return y

    close(ad.grad(f)(np.ones(700)), np.full(700, 2.0))
    close(ad.grad(lambda m: np.sum(m**2))(mapped), np.full(700, 10.0))
    masked = np.ma.array([1.0, 2.0], mask=[False, True])
    assert "MaskedArray" in message(DTypeError, ad.grad(np.sum), masked)
    assert "MaskedArray" in message(DTypeError, ad.grad(lambda v: np.sum(v * masked)), np.ones(2))


def test_value_returned_to_the_user_may_change_before_the_pullback() -> None:
    x = normal(3)
    pullback, value = ad.make_vjp(np.tanh)(x)
    expected = 1 - np.tanh(x) ** 2
    value[...] = 0.0
    close(pullback(np.ones(3)), expected)
    value, pullback = ad.vjp(np.exp, x)
    value[...] = 0.0
    close(pullback(np.ones(3)), (np.exp(x),))
    push = ad.make_jvp(np.exp)(x)
    push(np.ones(3))[0][...] = 0.0
    close(push(np.ones(3)), (np.exp(x), np.exp(x)))


def test_frozen_arrays_and_their_views_are_recorded_without_a_copy() -> None:
    owner = np.ones((100, 100))
    view = owner[1:]
    with ad.Tape() as tape:
        assert tape.snapshot(owner) is not owner
        owner.flags.writeable = False
        assert tape.snapshot(owner) is owner
        frozen = owner[1:]
        assert tape.snapshot(frozen) is frozen
        assert tape.snapshot(view) is not view  # taken before: still writable
        view.flags.writeable = False
        owner.flags.writeable = True
        assert tape.snapshot(view) is not view  # its owner can be written to
        nan = np.full(1000, np.nan)
        assert tape.snapshot(nan) is tape.snapshot(nan)
        wide = np.ones(1000, np.longdouble)
        assert tape.snapshot(wide) is tape.snapshot(wide)
