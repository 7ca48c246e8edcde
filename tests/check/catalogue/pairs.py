"""What the catalogue consists of: a function, a derivative somebody wrote for it, and what is wrong with it.

No framework is imported: a case is plain NumPy, so that every checker of gradients can be given the same one.
A case is *built* anew for every use, since some have a memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Function = Callable[..., Any]
Index = tuple[int, ...]


@dataclass(frozen=True)
class Pair:
    """A function and its derivatives as somebody wrote them.

    Attributes:
        f: f(*args) → a real number (with `gradient`) or any arrays (with `vjp`).
        args: where to check; arrays, numbers, containers of them.
        gradient: gradient(*args) → what belongs to the one argument, or a tuple over several.
        vjp: vjp(lam, *args) → likewise, Jᵀλ.
        jvp: jvp(v, *args) → J v; v as what `gradient` gives.
        hvp: hvp(v, *args) → ∇²f v for a scalar f.
        argnum: positions of the arguments that have a derivative; all by default.
        exact: the function that `gradient` is the derivative of, where f is that one with noise on it.
    """

    f: Function
    args: tuple[Any, ...]
    gradient: Function | None = None
    vjp: Function | None = None
    jvp: Function | None = None
    hvp: Function | None = None
    argnum: tuple[int, ...] | None = None
    exact: Function | None = None

    @property
    def positions(self) -> tuple[int, ...]:
        """The arguments that have a derivative."""
        return tuple(range(len(self.args))) if self.argnum is None else self.argnum


@dataclass(frozen=True)
class Case:
    """One entry of the catalogue.

    Attributes:
        name: in words.
        theme: the file it comes from.
        what: what is wrong with the derivative, or what is hard about the function.
        build: () → a fresh Pair.
        arguments: paths of the arguments that are wrong, "1" or "0/bias"; none where chance or memory is.
        index: the entries of that argument that are wrong; None for (nearly) all.
        says: a regular expression that a report about it must contain; "" if nothing beyond the place.
        smooth: f has a derivative here, and one that the library finds too.
    """

    name: str
    theme: str
    what: str
    build: Callable[[], Pair]
    arguments: tuple[str, ...] = ()
    index: frozenset[Index] | None = None
    says: str = ""
    smooth: bool = True


WRONG: list[Case] = []
HARD: list[Case] = []


def wrong(
    what: str, arguments: str = "0", index: Index | Sequence[Index] | None = None, *, says: str = ""
) -> Callable[[Callable[[], Pair]], Callable[[], Pair]]:
    """Enter a planted fault: what is wrong, in which arguments and entries, what the report must say."""
    entries = None if index is None else frozenset([index] if isinstance(index, tuple) else index)

    def enter(build: Callable[[], Pair]) -> Callable[[], Pair]:
        WRONG.append(Case(spoken(build), theme(build), what, build, tuple(arguments.split()), entries, says))
        return build

    return enter


def hard(
    what: str, *, says: str = "", smooth: bool = True
) -> Callable[[Callable[[], Pair]], Callable[[], Pair]]:
    """Enter a function that is differentiated rightly and hard to check: why, and what may be said of it."""

    def enter(build: Callable[[], Pair]) -> Callable[[], Pair]:
        HARD.append(Case(spoken(build), theme(build), what, build, says=says, smooth=smooth))
        return build

    return enter


def spoken(build: Callable[[], Pair]) -> str:
    """The name of a case: its function's, in words."""
    return build.__name__.replace("_", " ")


def theme(build: Callable[[], Pair]) -> str:
    """The file a case stands in."""
    return build.__module__.rpartition(".")[2].replace("_", " ")


# --------------------------------------------------------------------------------------------- numbers
def normal(*shape: int, seed: int = 0) -> Any:
    """Standard normal, the same at every call; () gives a float."""
    return np.random.default_rng(seed).standard_normal(shape if shape else None)


def positive(*shape: int, seed: int = 0) -> Any:
    """Uniform in [½, 2]."""
    return np.random.default_rng(seed).uniform(0.5, 2.0, shape if shape else None)


def definite(n: int, seed: int = 0) -> Any:
    """A symmetric positive definite matrix with eigenvalues above 1."""
    a = normal(n, n, seed=seed)
    return a @ a.T / n + np.eye(n)


def softmax(x: Any) -> Any:
    """Along the last axis."""
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def sigmoid(x: Any) -> Any:
    """1 / (1 + e⁻ˣ)."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def one_hot(labels: Any, n: int) -> Any:
    """(N, n) from (N,) integers."""
    return np.eye(n)[labels]
