"""What goes into a compiled function: kinds of arguments, layouts, containers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import adjoint as ad

from ..helpers import message, normal
from .harness import agree, compare, energy


class Pair(NamedTuple):
    left: Any
    right: Any


# ------------------------------------------------------------------------------------------ kinds
def test_another_shape_or_dtype_is_another_plan() -> None:
    compiled = ad.compile(energy)
    for shape in ((3, 4), (5, 4), (3, 4), (2, 3, 4), (5, 4)):
        compare(compiled(normal(*shape)), energy(normal(*shape)))
    assert compiled.explain().recompilations == 2
    assert compiled(np.ones((3, 4), np.float32)).dtype == np.float32
    assert compiled.explain().recompilations == 3


def test_python_floats_change_without_a_new_plan_and_stay_weak() -> None:
    def f(x: Any, a: Any) -> Any:
        return x * a + a

    compiled = ad.compile(f)
    x = normal(3).astype(np.float32)
    for a in (2.0, -0.5, float("nan")):
        compare(compiled(x, a), f(x, a))
    assert compiled.explain().recompilations == 0
    for a in (np.float64(2.0), np.float32(2.0), np.array(2.0), np.array(2.0, np.float32)):
        compare(compiled(x, a), f(x, a))
    assert compiled.explain().recompilations == 2  # a 0-d array is a scalar of its dtype


def test_python_floats_are_compared_as_floats_of_the_array() -> None:
    """0.1 in float32 is more than 0.1 in float64."""
    x = np.array([0.1, 0.2], np.float32)
    agree(lambda x, a: (x > a, x == a, np.where(x >= a, x, a), x * (a + 0.5) <= a), x, 0.1)


def test_ints_booleans_and_strings_are_part_of_the_program() -> None:
    def f(x: Any, n: int, flip: bool, how: str) -> Any:
        y = x[:n] * 3 if how == "triple" else x[:n]
        return y[::-1] if flip else y

    compiled, x = ad.compile(f), normal(6)
    for options in ((2, True, "triple"), (4, True, "triple"), (4, False, "triple"), (1, 1, "")):
        for _ in range(2):
            compare(compiled(x, *options), f(x, *options))
    assert compiled.explain().recompilations == 3


def test_one_true_and_one_point_oh_are_different_programs() -> None:
    compiled = ad.compile(lambda x, n: x * n)
    x = np.ones(2, np.float32)
    assert [compiled(x, n).dtype.name for n in (1, True, 1.0, np.int64(1))] == ["float32"] * 3 + ["float64"]
    assert compiled.explain().recompilations == 3


def _misaligned(x: np.ndarray) -> np.ndarray:
    y = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    y[...] = x
    return y


def _read_only(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(np.repeat(x, 2, 0), 3, 1)[::2, ::3],
    "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "misaligned": _misaligned,
    "read-only": _read_only,
    "other byte order": lambda x: x.astype(x.dtype.newbyteorder()),
    "transposed": lambda x: x.T.copy().T,
    "repeated": lambda x: np.broadcast_to(x[:1], x.shape),
}


@pytest.mark.numba
def test_any_layout_is_read_and_none_makes_a_new_plan() -> None:
    compiled = ad.compile(ad.value_and_grad(lambda x: np.sum(energy(x) * np.arange(4.0))))
    f = ad.value_and_grad(lambda x: np.sum(energy(x) * np.arange(4.0)))
    for layout in LAYOUTS.values():
        x = layout(normal(3, 4))
        for _ in range(2):
            compare(compiled(x), f(np.ascontiguousarray(x, np.float64)))
    assert compiled.explain().recompilations == 0


def test_files_mapped_to_memory_are_read(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "x", dtype=float, mode="w+", shape=(3, 4))
    mapped[...] = normal(3, 4)
    result = ad.compile(energy)(mapped)
    assert type(result) is np.ndarray
    compare(result, energy(normal(3, 4)))


def test_nothing_scalars_and_no_arguments_at_all() -> None:
    def f(x: Any) -> Any:
        return np.sum(np.sin(x)) + np.prod(x), x * 2

    agree(ad.value_and_grad(lambda x: f(x)[0]), np.zeros((0, 3)))
    agree(f, np.zeros((4, 0)))
    agree(f, np.float64(0.3))
    agree(f, np.array(0.3))
    agree(f, np.float32(0.3))
    agree(lambda: np.ones(2) * 3)


def test_integers_and_booleans_compute_as_in_numpy() -> None:
    def f(x: Any) -> Any:
        return x * 2, x // 2, x % 3, x / 2, np.sum(x), np.mean(x), -x, x**2, np.where(x > 1, x, 0)

    for dtype in (np.int8, np.uint8, np.int32, np.int64, np.uint64):
        agree(f, np.array([1, 2, 100, 7], dtype))
    agree(lambda x: (x * 2, x / 2, np.sum(x), ~x, x & x[::-1]), np.array([True, False, True]))


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble])
@pytest.mark.numba
def test_other_floats_run_by_numpy(dtype: Any) -> None:
    compiled = ad.compile(energy)
    x = normal(3, 4).astype(dtype)
    assert compiled(x).dtype == dtype
    np.testing.assert_allclose(compiled(x).astype(float), energy(x).astype(float), rtol=1e-3)
    assert compiled.explain().programs[0].fallbacks


@pytest.mark.numba
def test_what_is_no_array_of_numbers_is_refused() -> None:
    compiled = ad.compile(lambda x: x)
    assert "cannot take x: (1,) object" in message(ad.DTypeError, compiled, np.array([None]))
    text = message(ad.DTypeError, compiled, np.ma.masked_array(np.ones(2), [True, False]))
    assert "cannot record a MaskedArray" in text
    text = message(ad.DTypeError, ad.compile(lambda x: np.array(["a"])), np.ones(2))
    assert "compiled function cannot return" in text


def test_captured_arrays_are_constants() -> None:
    for size in (3, 3000):
        k, x = normal(size), np.ones(size)
        compiled = ad.compile(lambda x, k=k: x * k)
        want = x * k
        compiled(x)
        k[:] = 5.0
        compare(compiled(x), want)


# -------------------------------------------------------------------------------------- containers
def test_containers_in_and_out() -> None:
    def f(p: Any, *rest: Any, scale: Any, more: Any = None) -> Any:
        total = p["b"].left * scale + p["a"][0]
        return Pair({"z": total, "a": [total * 2, None]}, (p["b"].right, "text", 7, True, rest[0] * 1.0))

    p = {"b": Pair(normal(3), None), "a": [1.5]}
    compiled = ad.compile(f)
    for scale in (2.0, 3.0):
        for _ in range(2):
            compare(compiled(p, normal(2), scale=scale), f(p, normal(2), scale=scale))
    assert compiled.explain().recompilations == 0
    swapped = {"a": [1.5], "b": Pair(normal(3), None)}
    compare(compiled(swapped, normal(2), scale=1.0), f(p, normal(2), scale=1.0))
    assert compiled.explain().recompilations == 0
    compare(compiled(p, normal(2), scale=1.0, more=[]), f(p, normal(2), scale=1.0))
    assert compiled.explain().recompilations == 1


def test_any_name_may_be_a_keyword() -> None:
    compiled = ad.compile(lambda self, f, args: self * f + args)
    compare(compiled(self=np.ones(2), f=2.0, args=1.0), np.full(2, 3.0))


class Model:
    def __init__(self, rate: float) -> None:
        self.rate = rate

    @ad.compile
    def step(self, x: Any) -> Any:
        return x * self.rate


def test_a_method_may_be_compiled() -> None:
    slow, fast = Model(0.5), Model(2.0)
    for _ in range(2):
        compare(slow.step(np.ones(2)), np.full(2, 0.5))
        compare(fast.step(np.ones(2)), np.full(2, 2.0))
    compare(Model.step(slow, np.ones(2)), np.full(2, 0.5))


def test_wrong_arguments_are_the_functions_own_error() -> None:
    compiled = ad.compile(lambda x: x * 2)
    compiled(np.ones(2))
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        compiled(np.ones(2), np.ones(2))
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        compiled()
    compare(compiled(np.ones(2)), np.full(2, 2.0))
