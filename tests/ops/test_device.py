"""Every rule on arrays of a device: what it computes is what it computes on NumPy's, and stays there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from adjoint.ops import device
from adjoint.ops import index as ix
from adjoint.ops.primitive import NUMPY, PRIMITIVES, Primitive, beside, dtype_of, parts
from tests.engines.gpu.machine import EAGER, machine


@pytest.fixture(scope="module", params=EAGER)
def cupy(request: pytest.FixtureRequest) -> Iterator[Any]:
    with machine(request.param) as module:
        yield module


OPS = [op for op in PRIMITIVES.values() if not op.foreign]


def sent(cupy: Any, x: Any) -> Any:
    if isinstance(x, tuple):
        return tuple(sent(cupy, part) for part in x)
    return cupy.asarray(x) if isinstance(x, (np.ndarray, np.generic)) else x


def agree(cupy: Any, got: Any, want: Any, what: str, tolerance: float) -> None:
    """Device arrays of the same shapes, dtypes and numbers; None where the other has None."""
    for a, b in zip(parts(got), parts(want), strict=True):
        assert (a is None) == (b is None), what
        if isinstance(b, (np.ndarray, np.generic)):
            assert isinstance(a, cupy.ndarray), f"{what} is a {type(a).__name__}"
            assert (a.shape, a.dtype) == (b.shape, b.dtype), what
            scale = np.max(np.abs(b[np.isfinite(b)]), initial=1.0)
            np.testing.assert_allclose(
                cupy.asnumpy(a), b, rtol=tolerance, atol=tolerance * scale, err_msg=what
            )


def differentiable(x: Any) -> bool:
    return dtype_of(x).kind in "fc"


def directions(xs: Any, rng: np.random.Generator) -> list[Any]:
    return [
        np.asarray(rng.standard_normal(np.shape(x)), dtype_of(x))[()] if differentiable(x) else None
        for x in xs
    ]


def on_both(cupy: Any, op: Primitive, args: Any, params: Any, seed: int, tolerance: float) -> None:
    """Value, adjoint and tangent of one sample on the host and on the device."""
    rng = np.random.default_rng(seed)
    z, there = op.value(*args, **params), sent(cupy, args)
    z_there = op.value(*there, **params)
    agree(cupy, op.unique(z_there), op.unique(z), op.name, tolerance)
    # eigenvectors and the like: go on from the same ones
    z = device.on_host(z_there) if not isinstance(z, tuple) else tuple(map(device.on_host, z_there))
    wanted = [differentiable(a) for a in args]
    if not any(map(differentiable, parts(z))) or not any(wanted):
        return
    lam = tuple(directions(parts(z), rng)) if isinstance(z, tuple) else directions([z], rng)[0]
    try:
        pulled = op.adjoint(args, z, lam, wanted, **params)
    except TypeError:  # no derivative in this operand, or for complex numbers
        return
    agree(
        cupy,
        tuple(op.adjoint(there, z_there, sent(cupy, lam), wanted, **params)),
        tuple(pulled),
        "λ",
        tolerance,
    )
    dots = directions(args, rng)
    pushed = op.tangent(args, z, dots, **params)
    agree(
        cupy,
        op.tangent(there, z_there, [sent(cupy, d) for d in dots], **params),
        pushed,
        f"ż of {op.name}",
        tolerance,
    )


def test_rules_compute_the_same_there_and_stay_there(cupy, monkeypatch):
    """Value, tangent and adjoint of every primitive on every sample: shapes, dtypes and numbers.

    What goes by the host meanwhile is what the tables `HOSTED` and `HOSTED_IF_COMPLEX` say.
    """
    exact = cupy.__spec__ is None  # the stand-in computes with NumPy
    hosted: dict[bool, set[str]] = {False: set(), True: set()}  # by whether operands are complex
    computed = device.hosted
    for op in OPS:

        def noting(*args: Any, name: str = op.name) -> Any:
            hosted[any(dtype_of(a).kind == "c" for a in args[1])].add(name)
            return computed(*args)

        monkeypatch.setattr(device, "hosted", noting)
        for k, (args, params) in enumerate(op.samples(np.random.default_rng(1))):
            on_both(cupy, op, args, params, k, 1e-12 if exact else 1e-9)
    assert sorted(hosted[False]) == sorted(device.HOSTED)
    assert sorted(hosted[True] - device.HOSTED) == sorted(device.HOSTED_IF_COMPLEX)


def test_large_arrays_of_single_precision_stay_single(cupy):
    """No rule turns float32 into float64 there where it does not on the host."""
    for op in OPS:
        for args, params in op.samples(np.random.default_rng(2))[:1]:
            single = tuple(
                np.asarray(a, np.float32)[()] if dtype_of(a) == np.float64 and not isinstance(a, float) else a
                for a in args
            )
            z = op.value(*single, **params)
            there = op.value(*sent(cupy, single), **params)
            kinds = [[dtype_of(p) for p in parts(each)] for each in (there, z)]
            assert kinds[0] == kinds[1], op.name


# ----------------------------------------------------------------------------- where a device differs
def test_of_two_writes_to_one_place_the_last_stands(cupy):
    """cupy leaves open which: the values written are all the last one's."""
    x, v, k = np.zeros(4), np.array([1.0, 2.0, 3.0, 4.0]), np.array([2, 0, 2, 2])
    z = ix.scatter_set(*sent(cupy, (x, v, k)), template=(ix.ARRAY,))
    assert cupy.asnumpy(z).tolist() == [2.0, 0.0, 4.0, 0.0]
    board = ix.last_writer(cupy.asarray(k), template=(ix.ARRAY,), shape=(4,))
    assert cupy.asnumpy(board).tolist() == [False, True, False, True]
    rows = ix.scatter_set(*sent(cupy, (np.zeros((3, 2)), v[:2], k[:2])), template=(ix.ARRAY,))
    assert cupy.asnumpy(rows).tolist() == [[1.0, 2.0], [0.0, 0.0], [1.0, 2.0]]


def test_reductions_over_nothing(cupy):
    x, offsets = np.array([1.0, 5.0, 2.0]), np.array([0, 2, 2, 3])
    for name in ("segment_max", "segment_sum", "segment_logsumexp"):
        op = PRIMITIVES[name]
        agree(cupy, op.value(cupy.asarray(x), offsets), op.value(x, offsets), name, 1e-12)
    empty = np.zeros((2, 0))
    for name in ("logsumexp", "norm"):
        op = PRIMITIVES[name]
        agree(cupy, op.value(cupy.asarray(empty), axis=(1,)), op.value(empty, axis=(1,)), name, 0.0)


def test_a_failed_factorization_raises_there_too(cupy):
    """cupy by itself would go on with NaN."""
    indefinite, singular = cupy.asarray(np.diag([1.0, -1.0])), cupy.asarray(np.ones((2, 2)))
    for name, a in {"cholesky": indefinite, "inv": singular}.items():
        with pytest.raises(np.linalg.LinAlgError):
            PRIMITIVES[name].value(a)
    with pytest.raises(np.linalg.LinAlgError):
        PRIMITIVES["solve"].value(singular, cupy.asarray(np.ones((2, 1))))
    with pytest.raises(np.linalg.LinAlgError, match="zero on its diagonal"):
        PRIMITIVES["solve_triangular"].value(
            cupy.asarray(np.tril(np.ones((2, 2)), -1)), cupy.asarray(np.ones((2, 1))), True, False, False
        )


def test_without_cupy_nothing_is_asked_of_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    assert not device.on_device(np.ones(2))
    assert device.module_of(np.ones(2), 1.0) is np and beside(np.ones(2)) is np
    assert NUMPY.tanh is np.tanh  # NumPy's functions are its own: nothing stands in between
