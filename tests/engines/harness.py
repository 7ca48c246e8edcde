"""What the tests of compiled programs share: one call by the eager sweep and by native steps, compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import adjoint as ad
from adjoint import tree as trees

from ..helpers import message, points_at

Function = Callable[..., Any]
TOLERANCE = {
    "float32": 2e-5,
    "float64": 1e-12,
    "complex64": 2e-5,
    "complex128": 1e-12,
}  # times the scale of what is compared


def compare(got: Any, want: Any, factor: float = 1.0) -> None:
    """Two containers hold the same numbers to rounding, in arrays of the same kind.

    Args:
        got: results of a compiled program.
        want: results of the eager sweep.
        factor: how much farther than TOLERANCE they may be apart; the scale is the largest finite number of
            each array, and at least 1.
    """
    leaves, structure = trees.flatten(got)
    expected, wanted = trees.flatten(want)
    assert structure == wanted, f"{structure} instead of {wanted}"
    for path, a, b in zip(trees.paths(structure), leaves, expected, strict=True):
        x, y = np.asarray(a), np.asarray(b)
        assert (x.shape, x.dtype) == (y.shape, y.dtype), (
            f"{path}: {x.shape} {x.dtype} instead of {y.shape} {y.dtype}"
        )
        if y.dtype.kind not in "fc":
            np.testing.assert_array_equal(x, y, err_msg=path)
            continue
        scale = max(1.0, float(np.max(np.abs(y), initial=0.0, where=np.isfinite(y))))
        limit = factor * TOLERANCE[y.dtype.name] * scale
        np.testing.assert_allclose(x, y, rtol=0.0, atol=limit, err_msg=path)


def agree(f: Function, *args: Any, factor: float = 1.0, **kwargs: Any) -> ad.engines.Compiled:
    """Compile f, compare its results on these arguments with f's own, and return the compiled function."""
    compiled = ad.compile(f)
    with np.errstate(all="ignore"):
        want = f(*args, **kwargs)
    compare(compiled(*args, **kwargs), want, factor)
    return compiled


def energy(x: Any) -> Any:
    """A program of one reduction."""
    return np.sum(np.sin(x) ** 2, axis=0)


# What factorises matrices n × n, and one that it cannot.
REFUSING: dict[str, tuple[Function, Callable[[int], Any]]] = {
    "cholesky": (lambda a: np.linalg.cholesky(a), lambda n: -np.eye(n)),
    "solve": (lambda a: np.linalg.solve(a, np.ones(a.shape[0])), lambda n: np.ones((n, n))),
    "inv": (lambda a: np.linalg.inv(2 * a), lambda n: np.zeros((n, n))),
}


def refuses(compile: Callable[[Function], Function], name: str, n: int) -> None:
    """A compiled factorisation says what the eager sweep says, with the line, and is none the worse."""
    f, wrong = REFUSING[name]
    compiled = compile(f)
    compiled(np.eye(n))
    eager = message(ad.DomainError, ad.grad(lambda a: np.sum(f(a))), wrong(n))
    text = message(ad.DomainError, compiled, wrong(n))
    assert points_at(text, "np.linalg.")
    assert text.splitlines()[0] == eager.splitlines()[0]
    np.testing.assert_allclose(compiled(np.eye(n)), f(np.eye(n)))


def fallbacks(compiled: ad.engines.Compiled) -> list[str]:
    """Names of the primitives that the last compiled program runs by NumPy."""
    return [name for name, _, _ in compiled.explain().programs[-1].fallbacks]
