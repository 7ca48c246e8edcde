"""Random programs whose adjoint sweep has one wrong rule: at one node, one operand's share is spoiled.

The programs are those that the compiler is tested with; their right gradients are the library's. A mutant's
gradient differs from the right one by what a person's slip in one rule of a long program would make of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import adjoint as ad
from adjoint.ops.primitive import accumulate

from ...engines.programs import Draft, arguments, draft, loss
from .pairs import Pair

Mutation = Callable[[Any, Any], Any]  # (share, λ of the node) → what is passed on instead


def _but(share: Any, index: tuple[Any, ...], factor: float) -> Any:
    out = np.array(share)
    out[index] *= factor
    return out


MUTATIONS: dict[str, Mutation] = {
    "sign": lambda g, lam: -g,
    "factor 2": lambda g, lam: 2 * g,
    "one percent": lambda g, lam: g * np.asarray(1.01, np.asarray(g).dtype),
    "dropped": lambda g, lam: 0 * g,
    "transposed": lambda g, lam: g.T if np.ndim(g) == 2 and g.shape[0] == g.shape[1] else -g,
    "shifted": lambda g, lam: np.roll(g, 1) if np.size(g) > 1 else 2 * g,
    "reversed": lambda g, lam: np.flip(g, 0) if np.ndim(g) else 0 * g,
    "last row": lambda g, lam: _but(g, (-1,), 0.0) if np.ndim(g) else 0 * g,
    "first entry": lambda g, lam: _but(g, (0,) * np.ndim(g), 1.5),
    "positive only": lambda g, lam: np.maximum(g, 0),
    "clipped": lambda g, lam: np.clip(g, -0.5 * np.max(np.abs(g), initial=0), np.inf).astype(
        np.asarray(g).dtype
    ),
    "averaged": lambda g, lam: np.full_like(g, np.mean(g)) if np.size(g) > 1 else 0.5 * g,
    "squared": lambda g, lam: g * np.abs(g),
}


@dataclass(frozen=True)
class Mutant:
    """A random program with one wrong rule.

    Attributes:
        program: the draft.
        mutation: a key of MUTATIONS.
        choice: which of the nodes and operands, modulo their number.
    """

    program: Draft
    mutation: str
    choice: int

    def pair(self) -> Pair:
        """The function with its wrong gradient."""
        return Pair(loss(self.program), tuple(arguments(self.program)), self.gradient)

    def gradient(self, *args: Any) -> Any:
        """An adjoint sweep in which one share is spoiled."""
        with ad.Tape() as tape:
            x = [tape.parameter(a) for a in args]
            f = loss(self.program)(*x)
        lam: list[Any] = [None] * (f.index + 1)
        lam[f.index] = np.ones(f.shape, f.dtype)[()]
        spoiled = self._node(tape, f.index, len(args))
        for i in range(f.index, -1, -1):
            op = tape.operations[i]
            if lam[i] is None or op is None:
                continue
            shares: list[Any] = lam if i != spoiled else [None] * len(lam)
            op.pull(shares, tape.parents[i], tape.operands(i), tape.values[i], lam[i], tape.params[i])
            if i == spoiled:
                touched = [p for p, share in enumerate(shares) if share is not None]
                for p in touched:
                    share = shares[p]
                    if p == touched[self.choice % len(touched)]:
                        share = np.asarray(MUTATIONS[self.mutation](share, lam[i]))[()]
                    lam[p] = share if lam[p] is None else accumulate(lam[p], share)
        found = [
            np.zeros_like(a) if lam[v.index] is None else lam[v.index] for v, a in zip(x, args, strict=True)
        ]
        return found[0] if len(found) == 1 else tuple(found)

    def _node(self, tape: Any, last: int, inputs: int) -> int:
        """An inner node that matters to the result, and to which an input matters."""
        matters, depends = {last}, set(range(inputs))
        for i in range(last, -1, -1):
            if i in matters:
                matters |= {p for p in tape.parents[i] or () if p is not None}
        for i in range(last + 1):
            if any(p in depends for p in tape.parents[i] or ()):
                depends.add(i)
        nodes = sorted(i for i in matters & depends if tape.operations[i] is not None)
        return nodes[self.choice % len(nodes)] if nodes else -1

    def damage(self) -> float:
        """How far the gradient is off: ‖wrong − right‖ / ‖right‖ of the argument that suffers most."""
        args = arguments(self.program)
        wanted = tuple(range(len(args)))
        right = ad.grad(loss(self.program), wanted)(*args)
        wrong = self.gradient(*args) if len(args) > 1 else (self.gradient(*args),)
        size = lambda g: float(np.linalg.norm(np.ravel(g)))  # noqa: E731
        floor = 1e-3 * max(map(size, right), default=0.0) + 1e-300
        return max(size(a - b) / (size(b) + floor) for a, b in zip(wrong, right, strict=True))


def mutant(seed: int) -> Mutant:
    """The mutant of this number."""
    rng = np.random.default_rng([seed, 7])
    names = list(MUTATIONS)
    return Mutant(draft(seed), names[int(rng.integers(len(names)))], int(rng.integers(10**6)))


def right(seed: int) -> Pair:
    """A random program with its right gradient."""
    d = draft(seed)
    args = tuple(arguments(d))
    argnum = tuple(range(len(args))) if len(args) > 1 else 0
    return Pair(loss(d), args, ad.grad(loss(d), argnum))
