"""The rules on an engine: what its kernels compute on this machine, against the same rules run by NumPy.

NumPy's answers are what `check.rule` holds against differences; the kernels are held against those, in value,
pullback and pushforward. Many primitives share one compiled program: a kernel takes a third of a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import tree as trees
from ..engines import compile
from ..ops.elementwise import Elementwise
from ..ops.primitive import PRIMITIVES, Primitive, dtype_of, parts
from ..sweeps.pairing import default_rng, direction_like, in_double
from ..transforms import make_jvp, make_vjp
from .line import norm
from .report import Finding, Report

GROUP = 6  # primitives in one program
LIMIT = 1e-9  # relative, in float64: kernels add up in another order, and have functions of their own


def on_engine(
    ops: Sequence[Primitive], engine: str, rng: np.random.Generator | None
) -> Iterator[tuple[Primitive, Report]]:
    """A report for each primitive that brings samples along, of its kernels on these.

    Raises:
        ValueError: there is no such engine.
    """
    rng = rng or default_rng()
    ops = [op for op in ops if op.samples(default_rng())]
    for start in range(0, len(ops), GROUP):
        group = ops[start : start + GROUP]
        cases = [(op, operands, params) for op in group for operands, params in op.samples(rng)]
        seed = int(rng.integers(2**31))
        operands = [[None if _fixed(op, a) else a for a in held] for op, held, _ in cases]

        def program(changing: list[list[Any]], cases: Any = cases, seed: int = seed) -> list[Any]:
            return [
                everything(op, _filled(held, inner), params, seed + k)
                for k, (inner, (op, held, params)) in enumerate(zip(changing, cases, strict=True))
            ]

        with np.errstate(all="ignore"):
            expected, received = program(operands), compile(program, engine=engine)(operands)
        for op in group:
            findings = tuple(
                _agreement(op, want, got)
                for (owner, _, _), want, got in zip(cases, expected, received, strict=True)
                if owner is op
            )
            yield op, Report(f"rule {op.name} on {engine}", findings)


def everything(op: Primitive, operands: Sequence[Any], params: dict[str, Any], seed: int) -> dict[str, Any]:
    """Value, pullback of a fixed λ and pushforward of a fixed ẋ."""
    f, x = of_floats(op, operands, params)
    z = f(*x)
    if not x or any(dtype_of(p).kind not in "fc" for p in parts(z)):
        return {"value": z}
    rng = np.random.default_rng(seed)
    chosen = tuple(range(len(x)))
    lam = tuple(direction_like(p, rng) for p in parts(z))
    pullback, value = make_vjp(f, chosen)(*x)
    pushed = make_jvp(f, chosen)(*x)(tuple(direction_like(a, rng) for a in x))[1]
    back = pullback(lam if isinstance(value, tuple) else lam[0])
    return {"value": value, "pullback": back, "pushforward": pushed}


def of_floats(
    op: Primitive, operands: Sequence[Any], params: dict[str, Any]
) -> tuple[Callable[..., Any], list[Any]]:
    """A primitive as a function of its float operands alone, and those operands."""
    positions = [k for k, a in enumerate(operands) if dtype_of(a).kind in "fc"]

    def f(*x: Any) -> Any:
        inner = list(operands)
        for k, value in zip(positions, x, strict=True):
            inner[k] = value
        return op.unique(op(*inner, **params))

    return f, [operands[k] for k in positions]


def _agreement(op: Primitive, want: dict[str, Any], got: dict[str, Any]) -> Finding:
    worst, where = 0.0, "value"
    for what in want:
        a, b = trees.flatten(want[what])[0], trees.flatten(got[what])[0]
        for p, q in zip(a, b, strict=True):
            gap = _distance(p, q)
            if not gap <= worst:
                worst, where = gap, what
    passed = bool(worst <= LIMIT)
    detail = "" if passed else f"the {where} of the kernel is off by {worst:.2e} of what NumPy computes"
    return Finding(f"{op.name}: {', '.join(want)}", worst, LIMIT, passed, detail)


def _distance(p: Any, q: Any) -> float:
    """‖p − q‖ relative to ‖p‖; equal infinities and NaNs are equal."""
    if np.shape(p) != np.shape(q):
        return np.inf
    a, b = in_double(p), in_double(q)
    with np.errstate(all="ignore"):
        gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, a - b)
    if not np.all(np.isfinite(gap)):
        return np.inf
    return norm([gap]) / max(norm([np.where(np.isfinite(a), a, 0.0)]), 1.0)


def _fixed(op: Primitive, x: Any) -> bool:
    """A mask that indexes decides about shapes: it is part of a compiled program, no argument of one."""
    return not isinstance(op, Elementwise) and dtype_of(x).kind == "b"


def _filled(held: Sequence[Any], inner: Sequence[Any]) -> list[Any]:
    return [a if known is None else known for a, known in zip(held, inner, strict=True)]


def checked_names() -> list[str]:
    """The primitives that a check of all rules looks at: the library's own."""
    return [name for name, op in PRIMITIVES.items() if not op.foreign and name != "item"]
