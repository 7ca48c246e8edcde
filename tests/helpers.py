"""What the test files share: FUNCTIONS, whole programs of different kinds; looking at errors and tapes."""

from __future__ import annotations

import itertools
import linecache
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pytest

import adjoint as ad
from adjoint import tree as trees
from adjoint.ops.primitive import PRIMITIVES
from adjoint.tape import Tape, open_tapes


@contextmanager
def jax_in_double() -> Iterator[None]:
    """jax computes in float64 meanwhile."""
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


# -------------------------------------------------------------------------------- looking at errors
def message(kind: type[Exception], f: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The text of the error of exactly this kind that f raises."""
    with pytest.raises(kind) as caught:
        f(*args, **kwargs)
    assert type(caught.value) is kind
    return str(caught.value)


def points_at(text: str, source: str) -> bool:
    """Whether "recorded at file:line" in an error names a line of the test's file that reads `source`."""
    found = re.search(r"recorded at (\S+?):(\d+)", text)
    assert found, f"no place in: {text}"
    assert source in linecache.getline(found[1], int(found[2])), f"{source!r} is not at {found[0]}: {text}"
    return source in text


def nothing_is_open() -> bool:
    """No tape records in this context."""
    return open_tapes() == ()


fresh = (f"test_primitive_{k}" for k in itertools.count())  # names for primitives registered in tests


# ------------------------------------------------------------------------------- looking at results
def close(a: Any, b: Any, tolerance: float = 1e-10) -> None:
    """Two containers hold the same numbers."""
    a_leaves, a_structure = trees.flatten(a)
    b_leaves, b_structure = trees.flatten(b)
    assert a_structure == b_structure
    for x, y in zip(a_leaves, b_leaves, strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def same_kind(a: Any, b: Any) -> None:
    """Two containers agree in structure, shapes and dtypes."""
    a_leaves, a_structure = trees.flatten(a)
    b_leaves, b_structure = trees.flatten(b)
    assert a_structure == b_structure
    for x, y in zip(a_leaves, b_leaves, strict=True):
        assert np.shape(x) == np.shape(y)
        assert np.asarray(x).dtype == np.asarray(y).dtype


def twelve_layers() -> Any:
    """The loss of twelve equal layers, each with a weight of its own: a program that repeats."""
    rng = np.random.default_rng(0)
    with ad.Tape() as tape:
        h = tape.input(rng.normal(size=(5, 3)), name="x")
        for k in range(12):
            with ad.scope(f"layer{k}"):
                h = ad.name(np.tanh(h @ tape.parameter(rng.normal(size=(3, 3)), name=f"W{k}")), "h")
        return ad.name(np.sum(h), "loss")


def record(f: Callable[..., Any], *args: Any) -> tuple[Tape, Any, list[Any]]:
    """The tape of f(*args), its loss, and the Variables of the arguments' leaves."""
    with ad.Tape() as tape:
        inputs = [tape.parameter(a) for a in args]
        loss = f(*inputs)
    return tape, loss, trees.flatten(inputs)[0]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return rng(seed).standard_normal(shape)


# ---------------------------------------------------------------------------------------- FUNCTIONS
class Program(NamedTuple):
    """A scalar function in plain NumPy and the arguments to try it on."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]


FUNCTIONS: list[Program] = []


def program(*args: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function in the table."""

    def enter(f: Callable[..., Any]) -> Callable[..., Any]:
        FUNCTIONS.append(Program(f.__name__, f, args))
        return f

    return enter


class Affine(NamedTuple):
    W: Any
    b: Any


@program(
    [Affine(normal(4, 5), normal(5, seed=1)), Affine(normal(5, 2, seed=2), normal(2, seed=3))],
    normal(3, 4, seed=4),
)
def mlp(layers: list[Affine], x: Any) -> Any:
    for k, layer in enumerate(layers):
        with ad.scope(f"layer{k}"):
            x = ad.name(np.tanh(x @ layer.W + layer.b), "h")
    return np.mean((x - 0.5) ** 2)


@program({"w": normal(4), "bias": 0.3}, normal(6, 4, seed=1))
def logistic_regression(params: dict[str, Any], x: Any) -> Any:
    labels = np.array([1.0, -1.0, 1.0, 1.0, -1.0, 1.0])
    return np.mean(np.logaddexp(0.0, -labels * (x @ params["w"] + params["bias"]))) + 0.05 * np.sum(
        params["w"] ** 2
    )


@program(normal(2, 3, 4), normal(2, 3, 4, seed=1), normal(2, 3, 4, seed=2))
def attention(q: Any, k: Any, v: Any) -> Any:
    scores = np.einsum("bid,bjd->bij", q, k) / np.sqrt(4.0)
    weights = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    weights = weights / np.sum(weights, axis=-1, keepdims=True)
    return np.sum(np.matmul(weights, v) ** 2)


@program(normal(3, 3), normal(2, 3, seed=1), normal(5, 2, seed=2))
def recurrence(w: Any, u: Any, xs: Any) -> Any:
    h = np.zeros(3)
    for x in xs:
        h = ad.name(np.tanh(h @ w + x @ u), "h")
    return h @ h


@program(normal(4, 4), normal(4, seed=1))
def gaussian_likelihood(a: Any, x: Any) -> Any:
    factor = np.linalg.cholesky(a @ a.T + 4 * np.eye(4))
    half = np.linalg.solve(factor, x)
    return 0.5 * half @ half + np.sum(np.log(np.diagonal(factor)))


@program(normal(3, 3), normal(3, seed=1))
def determinants(a: Any, b: Any) -> Any:
    a = a + 3 * np.eye(3)
    _, logdet = np.linalg.slogdet(a)
    return logdet + np.trace(np.linalg.inv(a)) + np.linalg.norm(b) * np.linalg.det(a) / 10


@program(normal(3, 3))
def spectrum(a: Any) -> Any:
    values, vectors = np.linalg.eigh(a + a.T)
    return np.sum(np.sin(values)) + np.sum((vectors * vectors) @ np.array([1.0, 2.0, 3.0]))


@program(normal(5), normal(3, seed=1))
def gather_scatter(x: Any, v: Any) -> Any:
    y = x.at[np.array([0, 2, 0])].add(v) if isinstance(x, ad.Variable) else _scattered(x, v)
    return np.sum(y[[4, 0, 0]] * y[1:4] ** 2) + np.sum(y[::-2])


def _scattered(x: np.ndarray, v: Any) -> Any:
    return x + sum(np.eye(5)[i] * v[k] for k, i in enumerate((0, 2, 0)))


@program(np.array([-1.5, 0.7, 2.0, -0.2]), np.array([0.4, -0.9, 1.1, 0.3]))
def branches(x: Any, y: Any) -> Any:
    big = np.maximum(x, y) * np.where(x > 0, x, np.exp(y))
    total = np.sum(np.clip(big, -1.0, 1.6)) + np.max(x * y) + np.sum(np.abs(x))
    return total * 2 if total > 0 else -total


@program(normal(6))
def order_statistics(x: Any) -> Any:
    return np.sum(np.sort(x) * np.arange(6.0)) + np.cumsum(x)[3] ** 2 + np.prod(x[:3])


@program(normal(3), normal(2, 3, seed=1))
def shapes(x: Any, y: Any) -> Any:
    z = np.concatenate([y, np.stack([x, x * 2])], axis=0).reshape(2, 6).T
    return np.sum(np.outer(x, x) @ y.T) + np.tensordot(z, z, 2) + np.sum(np.tile(x, 2) ** 3) + np.sum(y[:0])


@program(normal(3), normal(4, 3, seed=1))
def scanned(h0: Any, xs: Any) -> Any:
    h, ys = ad.scan(lambda h, x: (np.tanh(h * x + 0.1), np.sum(h * h)), h0, xs)
    return np.sum(h) + np.sum(ys**2)


@program(normal(3), normal(4, 3, seed=1))
def scanned_checkpoints(h0: Any, xs: Any) -> Any:
    return np.sum(ad.scan(lambda h, x: (np.sin(h + x), None), h0, xs, checkpoint=True)[0] ** 2)


@program({"w": normal(3, 3), "b": normal(3, seed=1)}, normal(3, seed=2))
def checkpointed(params: dict[str, Any], x: Any) -> Any:
    def layer(params: dict[str, Any], x: Any, power: int) -> tuple[Any, dict[str, Any]]:
        h = np.tanh(params["w"] @ x + params["b"])
        return h, {"square": np.sum(h**power)}

    h, more = ad.checkpoint(layer)(params, x, power=2)
    return np.sum(h) * more["square"]


@program(np.array([1.3, 0.4]), 2.0)
def implicit_root(b: Any, c: Any) -> Any:
    z = ad.root(lambda z, b, c: z**3 + c * z - b, np.zeros(2), b, c)
    return np.sum(z**2) * c


@program(0.3 * normal(3, 3), normal(3, seed=1))
def equilibrium(w: Any, x: Any) -> Any:
    z = ad.fixed_point(lambda z, w, x: np.tanh(0.4 * (w @ z) + x), np.zeros(3), w, x)
    return np.sum(z * x)


cube = PRIMITIVES.get("test_cube") or ad.primitive(
    "test_cube", lambda x: x**3, adjoint=lambda a, z, lam: (3 * a[0] ** 2 * lam,)
)
softplus = PRIMITIVES.get("test_softplus") or ad.elementwise(
    "test_softplus", lambda m, x: m.logaddexp(x, 0.0), lambda m, x, z: m.expit(x), domain=((-3, 3),)
)


@program(normal(4), 0.7)
def custom_primitives(x: Any, a: Any) -> Any:
    return np.sum(cube(x * a)) + softplus(a) * np.sum(softplus(x))


@program(normal(3), 1.2)
def gradient_inside(x: Any, a: Any) -> Any:
    inner = ad.grad(lambda y: np.sum(np.sin(a * y) * x))(x * a)
    return np.sum(inner**2) + ad.hvp(lambda y: np.sum(y**3 * x), x, np.ones(3)) @ x


@program(normal(4, 3).astype(np.float32), normal(3, seed=1).astype(np.float32))
def single_precision(w: Any, x: Any) -> Any:
    return np.mean(np.tanh(w @ x) ** 2) + np.sum(np.exp(x)) / 10


@program(0.8, 1.7)
def python_scalars(x: Any, y: Any) -> Any:
    for _ in range(4):
        x, y = x * y / (1 + x * x), x**2 - 0.5 * y + 1
    return x - -y


@program({"used": normal(3), "unused": normal(2, 2)}, (None, [], normal(2, seed=1)))
def partly_used(params: dict[str, Any], rest: tuple[Any, ...]) -> Any:
    return np.sum(params["used"]) ** 2 + rest[2] @ rest[2]


each_program = pytest.mark.parametrize("p", FUNCTIONS, ids=[p.name for p in FUNCTIONS])
