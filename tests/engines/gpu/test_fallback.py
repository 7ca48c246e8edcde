"""What has no kernel: cupy's functions where they are right, else NumPy on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.engines import special
from adjoint.engines.gpu import special as gpu
from adjoint.engines.gpu.fallback import BEST, own_value
from adjoint.engines.gpu.kernel import Call
from adjoint.engines.graph import Graph
from adjoint.ops.abstract import Abstract
from adjoint.ops.factorize import cholesky
from adjoint.ops.linalg import inv, solve, solve_triangular
from adjoint.ops.primitive import PRIMITIVES, Primitive
from adjoint.ops.spectral import svd

from ...helpers import rng
from ..harness import REFUSING, refuses
from .machine import compiler

LINEAR = ("cholesky", "qr", "eigh", "svd", "eig", "inv", "solve", "solve_triangular", "det", "slogdet", "fft",
          "argsort", "einsum", "searchsorted")  # fmt: skip
DOWN = {"lower": True, "transposed": False, "unit": False}


def run(cupy: Any, op: Primitive, args: Sequence[Any], params: dict[str, Any], want: Any) -> tuple[Any, Call]:
    """The value of a node of these operands on the device, brought back; `want` has its shape and dtype."""
    graph = Graph([Abstract(np.shape(a), a.dtype) for a in args if isinstance(a, np.ndarray)])
    feed = iter(graph.inputs)
    operands = [next(feed) if isinstance(a, np.ndarray) else a for a in args]
    several = isinstance(want, tuple)
    kinds = tuple([Abstract(np.shape(p), np.asarray(p).dtype) for p in (want if several else (want,))])
    call = own_value(graph.node(op, operands, params, kinds if several else kinds[0]))
    sent = [cupy.asarray(a) if isinstance(a, np.ndarray) else a for a in args]
    out = None if several else cupy.empty(kinds[0].shape, kinds[0].dtype)
    z = call.function(cupy, *sent, out=out)
    return [cupy.asnumpy(part) for part in (z if several else (out,))], call


def agree(cupy: Any, op: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Call:
    """The value is that on the host; where it ran is in the call's reason."""
    with np.errstate(all="ignore"):
        want = op.value(*args, **params)
        z, call = run(cupy, op, args, params, want)
    for part, other in zip(z, want if isinstance(want, tuple) else (want,), strict=True):
        np.testing.assert_allclose(part, other, rtol=1e-12, atol=1e-12)
    return call


@pytest.mark.parametrize("name", sorted(name for name, op in PRIMITIVES.items() if op.samples(rng(0))))
def test_every_primitive_runs_by_its_own_value(cupy: Any, name: str) -> None:
    """On the device or on the host; linear algebra on the device."""
    op = PRIMITIVES[name]
    for args, params in op.samples(rng(0)):
        call = agree(cupy, op, args, params)
        if name in LINEAR:
            assert "host" not in call.reason, call.reason


def test_what_has_a_kernel_on_the_cpu_has_one_here_or_cupys() -> None:
    assert set(special._PLANNERS) <= {*gpu._PLANNERS, *BEST}


def test_what_runs_on_the_host_says_why(cupy: Any) -> None:
    args, params = PRIMITIVES["expm"].samples(rng(0))[0]
    call = agree(cupy, PRIMITIVES["expm"], args, params)
    assert call.reason == "it runs on the host: cupy has nothing like it"
    stubborn = Primitive()
    stubborn.name, stubborn.value = "stubborn", lambda x: np.unwrap(np.asarray(x))  # type: ignore[method-assign]
    call = agree(cupy, stubborn, (np.arange(3.0),), {})
    assert call.reason.startswith("it runs on the host; on the device: Implicit conversion to a NumPy array")


class Complaint(ValueError):
    """A user's own."""


def of_the_users(value: Any) -> tuple[Primitive, list[Any]]:
    """A primitive from outside the library, and what it has been called with."""
    seen: list[Any] = []

    def noted(x: Any) -> Any:
        seen.append(x)
        return value(x)

    op = Primitive()
    op.name, op.foreign, op.value = "users", True, noted  # type: ignore[method-assign]
    return op, seen


def _positive(x: Any) -> Any:
    if float(x.min()) < 0:
        raise Complaint("only what is positive")
    return x + 1


def _third_entry(x: Any) -> Any:
    return [x + 1][0 if float(x.min()) > 0 else 3]


@pytest.mark.parametrize(("value", "kind"), [(_positive, Complaint), (_third_entry, IndexError)])
def test_what_the_users_code_complains_of_is_not_cupys_refusal(
    cupy: Any, value: Any, kind: type[Exception]
) -> None:
    """It arrives as it is, and the next call goes to the device all the same."""
    op, seen = of_the_users(value)
    call = own_value(Graph([x := Abstract((3,), np.dtype(float))]).node(op, [], {}, x))
    out = cupy.empty(3)
    with pytest.raises(kind) as caught:
        call.function(cupy, cupy.asarray(np.array([1.0, -1.0, 2.0])), out=out)
    assert type(caught.value) is kind and caught.value.__cause__ is caught.value.__context__ is None
    assert [type(x) for x in seen] == [cupy.ndarray, np.ndarray]  # it may have been a complaint of the device
    call.function(cupy, cupy.asarray(np.ones(3)), out=out)
    np.testing.assert_array_equal(cupy.asnumpy(out), 2 * np.ones(3))
    assert isinstance(seen[-1], cupy.ndarray) and "host" not in call.reason


def _numpys(x: Any) -> Any:
    if not isinstance(x, np.ndarray):
        raise TypeError("arrays of NumPy alone")
    return 2 * x


def _wrapped(x: Any) -> Any:
    try:
        return 2 * np.asarray(x)
    except TypeError as error:
        raise ValueError("no array of mine") from error


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (lambda x: np.unwrap(np.asarray(x)), "Implicit conversion"),
        (_numpys, "arrays of NumPy alone"),
        (_wrapped, "no array of mine"),
    ],
)
def test_users_code_for_arrays_of_numpy_runs_on_the_host(cupy: Any, value: Any, said: str) -> None:
    op, seen = of_the_users(value)
    assert f"it runs on the host; on the device: {said}" in agree(cupy, op, (np.arange(3.0),), {}).reason
    assert [type(x) for x in seen[1:]] == [cupy.ndarray, np.ndarray]


def test_a_compiled_program_hands_on_what_the_user_raises(cupy: Any) -> None:
    grown = ad.primitive("grown", _positive, tangent=lambda args, z, dots: dots[0], replace=True)
    compiled = compiler(cupy)(lambda x: np.sum(grown(x) ** 2))
    assert compiled(np.ones(3)) == 12.0
    with pytest.raises(Complaint, match="only what is positive"):
        compiled(-np.ones(3))
    assert compiled(np.ones(3)) == 12.0
    assert "host" not in str(compiled.explain())


SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])


@pytest.mark.parametrize(
    ("op", "args", "params", "text"),
    [
        (cholesky, (-np.eye(3),), {}, "Matrix is not positive definite"),
        (cholesky, (np.stack([np.eye(3), -np.eye(3)]),), {}, "Matrix is not positive definite"),
        (inv, (SINGULAR,), {}, "Singular matrix"),
        (inv, (np.zeros((2, 3, 3)),), {}, "Singular matrix"),
        (solve, (SINGULAR, np.ones((2, 1))), {}, "Singular matrix"),
        (solve, (np.zeros((2, 3, 3)), np.ones((3, 1))), {}, "Singular matrix"),
        (solve_triangular, (np.zeros((2, 2)), np.ones((2, 1))), DOWN, "singular matrix"),
        (solve_triangular, (np.full((2, 2), np.nan), np.ones((2, 1))), DOWN, "infs or NaNs"),
        (svd, (np.full((2, 2), np.nan),), {}, "SVD did not converge"),
    ],
)
def test_what_numpy_refuses_is_refused_in_its_words(
    cupy: Any, op: Primitive, args: Any, params: dict[str, Any], text: str
) -> None:
    with pytest.raises((np.linalg.LinAlgError, ValueError), match=text):
        run(cupy, op, args, params, args[-1])
    regular = [np.broadcast_to(np.eye(a.shape[-1]), a.shape) if k == 0 else a for k, a in enumerate(args)]
    assert not agree(cupy, op, regular, params).reason  # another call is none the worse


def test_stacks_broadcast(cupy: Any) -> None:
    a, b = rng(0).normal(size=(2, 1, 3, 3)) + 3 * np.eye(3), rng(1).normal(size=(4, 3, 2))
    for op, params in ((solve, {}), (solve_triangular, DOWN)):
        assert not agree(cupy, op, (a, b), params).reason
        assert not agree(cupy, op, (a.astype("f4"), b), params).reason
        assert not agree(cupy, op, (a[:0], b), params).reason


@pytest.mark.parametrize("name", REFUSING)
def test_a_compiled_program_complains_as_the_eager_one(cupy: Any, name: str) -> None:
    refuses(compiler(cupy), name, 4)
