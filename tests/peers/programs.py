"""Random programs written as data, read by any NumPy, and what we compute of them: values and derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

import adjoint as ad
from adjoint.sweeps.pairing import direction_like, pairing

from . import matrices  # noqa: F401  (enters its operations)
from .operations import LARGEST, OPERATIONS, is_complex, tamed

Step = tuple[str, int, int, int]
SHAPES: tuple[tuple[int, ...], ...] = (
    (3,), (), (2, 3), (3, 1), (1,), (4, 4), (2, 1, 3), (3, 2, 2), (0, 3), (5,), (2, 0), (1, 3, 1),
)  # fmt: skip
STEP = 1e-9  # of the inputs, to see how results move
AMPLIFIED = 1e5  # from here on, rounding in the last place can show in the ninth digit
OFTEN = ("row", "real_row", "pair", "real_pair", "reduction", "indexed", "product", "solved", "factored")


class Draft(NamedTuple):
    """A program: kinds of inputs, (shape, complex), and steps (operation, operand, other operand, choice)."""

    inputs: tuple[tuple[tuple[int, ...], bool], ...]
    steps: tuple[Step, ...]


class Library:
    """A NumPy, its special functions, and its way of writing to a copy."""

    def __init__(self, np: Any, special: Any, write: Callable[..., Any]) -> None:
        self.np, self.special, self.write = np, special, write

    def __getattr__(self, name: str) -> Any:
        return getattr(self.np, name)


def _write(x: Any, index: Any, v: Any, how: str) -> Any:
    return (
        getattr(ad.numpy.asarray(x).at[index], how)(v)
        if isinstance(x, ad.Variable)
        else _copy(x, index, v, how)
    )


def _copy(x: Any, index: Any, v: Any, how: str) -> Any:
    """What no input reaches is a plain array: it becomes recorded with v, or is written to."""
    if isinstance(v, ad.Variable):
        return getattr((x + 0 * v).at[index], how)(v)
    z = np.array(x)
    {
        "set": z.__setitem__,
        "add": lambda i, v: np.add.at(z, i, v),
        "multiply": lambda i, v: np.multiply.at(z, i, v),
    }[how](index, v)
    return z


class _Special:
    """scipy.special as adjoint has it."""

    def __getattr__(self, name: str) -> Any:
        import adjoint.scipy.special

        return getattr(adjoint.scipy.special, name)


NUMPY = Library(np, _Special(), _write)
NAMESPACE = Library(ad.numpy, _Special(), _write)


def drafts(steps: int = 40) -> st.SearchStrategy[Draft]:
    """Programs of so many steps; they shrink to `same` on vectors."""
    number = st.integers(0, 5039)
    step = st.tuples(st.sampled_from([*OPERATIONS, *OFTEN]), number, number, number)
    kind = st.tuples(st.sampled_from(SHAPES), st.booleans())
    return st.builds(
        Draft,
        st.lists(kind, min_size=1, max_size=3).map(tuple),
        st.lists(step, min_size=steps, max_size=steps).map(tuple),
    )


def arguments(d: Draft) -> tuple[Any, ...]:
    """Inputs of the draft's kinds, always the same."""
    rng = np.random.default_rng(len(d.inputs))
    return tuple(draw(rng, shape, complex_) for shape, complex_ in d.inputs)


def draw(rng: np.random.Generator, shape: tuple[int, ...], complex_: bool) -> Any:
    x = rng.standard_normal(shape)
    return np.asarray(x + 1j * rng.standard_normal(shape) if complex_ else x)[()]


def values(d: Draft, m: Library, args: Sequence[Any]) -> list[Any]:
    """The results of all steps; large ones are cut, and two of three tamed."""
    found = list(args)
    results = []
    for name, i, j, k in d.steps:
        z = OPERATIONS[name](m, found[-1 - i % min(len(found), 4)], found[j % len(found)], k)
        if np.size(z) > LARGEST or np.ndim(z) > 4:
            z = m.ravel(z)[: LARGEST // 2]
        if (k + i) % 3:
            z = tamed(m, z)
        found.append(z)
        if name != "same":
            results.append(z)
    return results or found


def program(d: Draft, m: Library) -> Callable[..., Any]:
    """Of the arguments: a real number to which every step contributes, and the last values as one vector."""

    def f(*args: Any) -> Any:
        found, total = values(d, m, args), 0.0
        for k, v in enumerate(found):
            n = max(np.size(v), 1)
            weights = np.cos(1.0 + k + np.arange(np.size(v))).reshape(np.shape(v)) / n
            total = total + m.real(m.sum(v * weights))
            if is_complex(v):
                total = total + m.imag(m.sum(v * weights**2))
        return total, m.concatenate([m.ravel(v) for v in found[-4:]])

    return f


def directions(d: Draft) -> tuple[Any, ...]:
    """A tangent for every input."""
    rng = np.random.default_rng(7)
    return tuple(draw(rng, *kind) for kind in d.inputs)


def results(d: Draft, m: Library = NUMPY, shift: float = 0.0) -> dict[str, Any]:
    """Value and last values, gradient, tangents of the last values, Hessian-vector product, VJP.

    Args:
        d: the program.
        m: in which NumPy.
        shift: how far, in a fixed direction, the point lies from `arguments(d)`.
    """
    f, everything = program(d, m), tuple(range(len(d.inputs)))
    rng = np.random.default_rng(3)
    args = tuple(x + shift * draw(rng, *kind) for x, kind in zip(arguments(d), d.inputs, strict=True))
    v = directions(d)
    gradient = ad.grad(lambda *x: f(*x)[0], everything)
    with np.errstate(all="ignore"):
        value = ad.value_and_grad(lambda *x: f(*x)[0], everything)(*args)
        z, z_dot = ad.make_jvp(lambda *x: f(*x)[1], everything)(*args)(v)
        pulled = ad.make_vjp(lambda *x: f(*x)[1], everything)(*args)[0]
        _, product = ad.make_jvp(gradient, everything)(*args)(v)
        lam = direction_like(z, np.random.default_rng(5))
        found = {"value": value[0], "z": z, "gradient": value[1], "z_dot": z_dot, "hvp": product}
        return found | {"⟨λ, Jv⟩": np.float64(pairing(lam, z_dot)), "⟨Jᵀλ, v⟩": pulled_along(pulled(lam), v)}


def pulled_along(pulled: Sequence[Any], v: Sequence[Any]) -> Any:
    return np.float64(sum(pairing(a, b) for a, b in zip(pulled, v, strict=True)))


def difference(found: Any, expected: Any) -> float:
    """The largest difference of two containers' entries, relative to the largest entry from 1 on."""
    worst = 0.0
    for a, b in zip(*(x if isinstance(x, tuple) else (x,) for x in (found, expected)), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape and a.dtype == b.dtype
        apart = np.max(np.abs(a - b), initial=0) / max(1.0, float(np.max(np.abs(b), initial=0)))
        worst = max(worst, float(apart)) if np.isfinite(apart) else np.inf
    return worst


def amplification(d: Draft, found: dict[str, Any]) -> float:
    """By how much the results move when the inputs move a little: a measure of conditioning."""
    moved = results(d, shift=STEP)
    return max(difference(moved[key], found[key]) for key in found) / STEP
