"""Where a derivative of the catalogue is wrong, according to the library's own: an independent witness.

The library differentiates f itself, by its rules; the derivative in the catalogue is by hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import adjoint as ad
from adjoint import tree as trees

from .pairs import Case, Index, Pair

Truth = dict[str, set[Index]]  # path of an argument → its wrong entries


def derivative(pair: Pair, lam: Any = None) -> list[Any]:
    """What was written, for every argument that has a derivative."""
    if pair.gradient is not None:
        written = pair.gradient(*pair.args)
    else:
        assert pair.vjp is not None
        written = pair.vjp(lam, *pair.args)
    return [written] if len(pair.positions) == 1 else list(written)


def witness(pair: Pair, lam: Any = None) -> list[Any]:
    """The same by the library."""
    f = pair.exact or pair.f
    if lam is None:
        return list(ad.grad(f, pair.positions)(*pair.args))
    return list(ad.make_vjp(f, pair.positions)(*pair.args)[0](lam))


def random_cotangent(pair: Pair) -> Any:
    """Normal numbers in the shapes and dtypes of f's results; None for a function with a gradient."""
    if pair.gradient is not None:
        return None
    rng = np.random.default_rng(0)
    leaves, structure = trees.flatten(pair.f(*pair.args))
    return trees.unflatten(
        structure, [np.asarray(rng.standard_normal(np.shape(z)), np.asarray(z).dtype)[()] for z in leaves]
    )


def wrong_entries(case: Case, tolerance: float = 1e-9) -> Truth:
    """Path of an argument → the entries in which the case's derivative is not that of its function.

    All entries of an argument whose derivative has another shape, structure, or is missing. A pullback is
    asked about some λ and about −λ: it need not be linear.
    """
    pair = case.build()
    lam = random_cotangent(pair)
    value = max(
        (float(np.max(np.abs(z), initial=0)) for z in trees.flatten(pair.f(*pair.args))[0]), default=0
    )
    found: Truth = {}
    for seed in [lam] if lam is None else [lam, trees.tree_map(np.negative, lam)]:
        received, expected = derivative(pair, seed), witness(case.build(), seed)
        for k, got, right in zip(pair.positions, received, expected, strict=True):
            leaves, structure = trees.flatten(right)
            parts = [None] * len(leaves) if got is None else trees.flatten(got)[0]
            for path, a, b in zip(trees.paths(structure), parts, leaves, strict=True):
                entries = differing(a, b, tolerance, 0.0 if lam is None else 1e-15 * value)
                if entries:
                    found.setdefault(f"{k}/{path}" if path else str(k), set()).update(entries)
    return found


def twin(case: Case) -> Case | None:
    """The same function with its right derivative, by the library's rules; None if they cannot record it."""
    if case.name == "input sorted in place":
        return None

    def build() -> Pair:
        pair = case.build()
        positions = pair.positions if len(pair.positions) > 1 else pair.positions[0]
        if pair.gradient is not None:
            return Pair(pair.f, pair.args, ad.grad(pair.f, positions), argnum=pair.argnum)

        def vjp(lam: Any, *args: Any) -> Any:
            return ad.make_vjp(pair.f, positions)(*args)[0](lam)

        return Pair(pair.f, pair.args, vjp=vjp, argnum=pair.argnum)

    return Case(case.name, case.theme, f"right: {case.what}", build, smooth=case.smooth)


def differing(a: Any, b: Any, tolerance: float, floor: float) -> set[Index]:
    """Indices where a is not b, relative to b's entry and a share of its largest."""
    everywhere = set(np.ndindex(np.shape(b)))
    a = np.zeros_like(b) if a is None else a
    if np.shape(a) != np.shape(b):
        return everywhere
    b = np.asarray(b)
    rounding = 20 * float(np.finfo(np.asarray(a).dtype).eps)
    share = 1e-3 if rounding < tolerance else 0.1  # entries that cancel keep the largest one's rounding
    with np.errstate(over="ignore"):
        limit = max(tolerance, rounding) * (np.abs(b) + share * np.max(np.abs(b), initial=0)) + floor + 1e-321
    bad = ~((np.abs(np.asarray(a) - b) <= limit) | (a == b))
    return {tuple(int(i) for i in index) for index in np.argwhere(bad)}
