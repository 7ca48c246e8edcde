"""Launches within the limits of every card, for all sizes; nothing is computed, arrays have no memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjoint.engines.chunks import NEVER
from adjoint.engines.gpu.geometry import GRID, SHARED, Form, form_of, index, launch_of, near
from adjoint.engines.graph import Node
from adjoint.engines.spec import Shaped

from .emulated import planned, regions_of
from .test_emit import adjoint_of, layer_norm, softmax


def nothing(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    """An array without memory."""
    return np.broadcast_to(np.zeros((), dtype), shape)


PROGRAMS: dict[str, Callable[[int, int, Any], tuple[Callable[..., Any], list[np.ndarray]]]] = {
    "map": lambda r, c, d: (lambda x: np.tanh(x) * 2.0, [nothing(r * c, dtype=d)]),
    "whole": lambda r, c, d: (lambda x: np.sum(x * x), [nothing(r, c, dtype=d)]),
    "softmax": lambda r, c, d: (softmax, [nothing(r, c, dtype=d)]),
    "layer_norm": lambda r, c, d: (
        adjoint_of(layer_norm),
        [nothing(r, c, dtype=d), nothing(c, dtype=d), nothing(c, dtype=d), nothing(r, c, dtype=d)],
    ),
    "columns": lambda r, c, d: (lambda x: np.sum(np.sin(x), axis=0), [nothing(r, c, dtype=d)]),
    "middle": lambda r, c, d: (lambda x: np.sum(np.exp(x), axis=1), [nothing(r, 5, c, dtype=d)]),
    "transposed": lambda r, c, d: (lambda x, y: x.T + y, [nothing(r, c, dtype=d), nothing(c, r, dtype=d)]),
}


def check_vectors(s: Shaped, form: Form) -> None:
    """At most 16 bytes; where there are rows, each begins and ends as the first one begins."""
    for k in near(s.spec):
        assert form.vector * s.spec.buffers[k].dtype.itemsize <= 16
        if form.group and s.rows:
            assert all(t % form.vector == 0 for t in (s.columns, *s.strides[k][:-1]))


def check(program: str, rows: int, columns: int, dtype: Any) -> set[bool]:
    """Every launch is one that the driver takes; whether indices have 64 bits."""
    f, args = PROGRAMS[program](rows, columns, dtype)
    plan, widths = planned(f, args), set()
    for region in regions_of(plan):
        cut = plan.pieces[region]
        form = form_of(cut.shaped)
        grid, block, shared = launch_of(cut, form)
        assert block == (form.block, 1, 1) and form.block % 32 == 0 and form.block <= 512
        assert 1 <= grid[0] < 2**31 and 1 <= grid[1] <= 65_535 and grid[2] == 1
        assert grid[0] * grid[1] <= max(GRID, grid[0])
        assert shared <= SHARED
        if form.group:
            assert form.group & (form.group - 1) == 0 and form.rows * form.group == form.block
            assert form.whole or form.group * form.vector < 2 * cut.shaped.columns  # most lanes have some
        check_vectors(cut.shaped, form)
        for name, value in cut.arguments().items():
            if isinstance(value, int):  # an int of 32 bits holds it, and the loops' last step beyond
                assert index(value, form) == value or value == NEVER, name
                assert form.wide or value == NEVER or value + 16 * GRID * form.block < 2**31, name
            else:
                assert isinstance(value[0], Node)
        widths.add(form.wide)
    return widths


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("shape", [(2, 1), (1, 70_000), (70_000, 1), (3, 6145), (100_000, 300)], ids=str)
def test_sizes(program: str, shape: tuple[int, int]) -> None:
    for dtype in (np.float32, np.float64):
        assert check(program, *shape, dtype) <= {False}


@given(
    st.sampled_from([*PROGRAMS]), st.integers(1, 10**5), st.integers(1, 5000), st.sampled_from(["f4", "f8"])
)
def test_any_size(program: str, rows: int, columns: int, dtype: str) -> None:
    check(program, rows, columns, np.dtype(dtype))


@pytest.mark.parametrize("program", PROGRAMS)
def test_beyond_two_thousand_million_elements(program: str) -> None:
    """Offsets no longer fit in 32 bits."""
    assert True in check(program, 1_500_000, 2000, np.float32)


@pytest.mark.parametrize(
    ("columns", "dtype", "vector"),
    [(1000, "f4", 4), (1000, "f8", 2), (1002, "f4", 2), (1001, "f4", 1), (1001, "f8", 1), (12, "f4", 4)],
)
@pytest.mark.parametrize("program", ["softmax", "layer_norm", "columns", "middle"])
def test_rows_have_vectors_that_fit(program: str, columns: int, dtype: str, vector: int) -> None:
    """The widest of which every row is made: sizes alone decide."""
    f, args = PROGRAMS[program](64, columns, np.dtype(dtype))
    plan = planned(f, args)
    first = plan.pieces[regions_of(plan)[0]].shaped
    assert form_of(first).vector == vector


def test_a_million_elements_keep_a_card_busy() -> None:
    """Sums have at least two hundred blocks, and columns of few rows are shared out as well."""
    for program, rows, columns in (("whole", 1000, 1000), ("columns", 10**5, 10), ("columns", 100, 10**4)):
        f, args = PROGRAMS[program](rows, columns, np.float32)
        plan = planned(f, args)
        cut = plan.pieces[regions_of(plan)[0]]
        grid, _, _ = launch_of(cut, form_of(cut.shaped))
        assert grid[0] * grid[1] >= 150, (program, grid)
