"""The NumPy namespace over arrays of a device: values and gradients of every case, or a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import tree as trees
from adjoint.errors import DTypeError
from tests.device_programs import fetched, stay, with_cupy
from tests.engines.gpu.machine import EAGER, machine

from .cases import CASES
from .harness import Case, like


@pytest.fixture(scope="module", params=EAGER)
def cupy(request: pytest.FixtureRequest) -> Iterator[Any]:
    with machine(request.param) as module:
        yield module


def outcome(f: Any, args: list[Any], lam: Any = None) -> Any:
    z, pull = ad.vjp(f, *args)
    return z, None if lam is None else pull(lam)


def on_both(cupy: Any, case: Case) -> None:
    args = case.arguments()
    lam = like(case.rng(), ad.vjp(case.function, *args)[0])
    want = outcome(case.function, args, lam)
    send = lambda x: cupy.asarray(x) if isinstance(x, (np.ndarray, np.generic)) else x  # noqa: E731
    there = trees.tree_map(send, args)
    f = with_cupy(case.function, cupy)
    z = ad.vjp(f, *there)[0]
    got = outcome(
        f, there, trees.tree_map(lambda p, c: send(c) if isinstance(p, cupy.ndarray) else c, z, lam)
    )
    if case.name not in OF_THE_HOST:
        stay(cupy, got, want)
    for a, b in zip(trees.flatten(fetched(cupy, got))[0], trees.flatten(want)[0], strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


# They join arrays of the device with lists, or with arrays that NumPy makes of numbers: refused, as by cupy.
REFUSED = frozenset({
    "apply_along_axis middle", "block vector", "fftfreq", "logspace bases", "nan_to_num limits",
    "nan_to_num values", "polyint", "quantile in q only",
})  # fmt: skip
# Results that do not depend on an array of the device are NumPy's.
OF_THE_HOST = frozenset({"nanquantile empty", "meshgrid three", "ix_"})


def test_every_case(cupy):
    """Values and gradients; what is refused says what to do. A case that works must leave the table."""
    refused = set()
    for case in CASES:
        try:
            on_both(cupy, case)
        except DTypeError as error:
            text = str(error)
            assert "got an array of the host and one of the device" in text and "cupy.asarray" in text, text
            refused.add(case.name)
        except Exception as error:
            raise AssertionError(f"{case.name}: {error}") from error
    assert refused == REFUSED
