"""What every method checks: a function of a flat list of float arrays, with the derivatives it claims.

Whoever wrote the function (this library, a pair of plain functions, another framework), the methods see the
same few calls, and each call is counted.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import TreeError, describe
from ..ops.device import module_of, on_host
from ..ops.primitive import Recorded, dtype_of, plain_on_host
from ..sweeps.pairing import default_rng, direction_like

Function = Callable[..., Any]
Arrays = list[Any]


@dataclass
class Subject:
    """A function of float arrays and its claimed derivatives, ⟨λ, ẋ⟩ = Re Σ λ ẋ throughout.

    Attributes:
        name: what the function is called.
        x: the point, the caller's own arrays.
        labels: the name of each of them.
        positions: which argument of the caller's function each belongs to.
        value: x ↦ f(x).
        pull: (x, λ) ↦ Jᵀλ.
        push: (x, ẋ) ↦ Jẋ.
        turn: (x, λ, ẋ) ↦ d(Jᵀλ)/dx ẋ: for a scalar f and λ = 1, the Hessian times ẋ.
        pull_turn: (x, λ, u) ↦ the pullback of x ↦ Jᵀλ along u.
        seen: the point as the last call left it, where f was given copies; `x` itself if omitted.
        scalar: f has a single real result, whose gradient `pull` gives for λ = 1.
        analytic: f may be given complex numbers, to see whether it is analytic.
        foreign: the framework it belongs to, where that is not this one.
        rng: source of directions.
        counts: how often each was called.
        names: what the caller calls `value` and the others, for the count.
    """

    name: str
    x: Arrays
    labels: Sequence[str]
    positions: Sequence[int]
    value: Callable[[Arrays], Arrays]
    pull: Callable[[Arrays, Arrays], Arrays] | None = None
    push: Callable[[Arrays, Arrays], Arrays] | None = None
    turn: Callable[[Arrays, Arrays, Arrays], Arrays] | None = None
    pull_turn: Callable[[Arrays, Arrays, Arrays], Arrays] | None = None
    seen: Callable[[], Arrays] | None = None
    scalar: bool = False
    analytic: bool = False
    foreign: str = ""
    rng: np.random.Generator = field(default_factory=default_rng)
    counts: Counter[str] = field(default_factory=Counter)
    names: dict[str, str] = field(default_factory=dict)

    def f(self, x: Arrays) -> Arrays:
        """The results at x, counted."""
        self._count("value", "function")
        return self.value(x)

    def adjoint(self, x: Arrays, lam: Arrays) -> Arrays:
        """Jᵀλ, counted, in the shapes that came back."""
        assert self.pull is not None
        self._count("pull", "gradient")
        return self.pull(x, lam)

    def tangent(self, x: Arrays, v: Arrays) -> Arrays:
        """Jẋ, counted."""
        assert self.push is not None
        self._count("push", "jvp")
        return self.push(x, v)

    def hessian_product(self, x: Arrays, lam: Arrays, v: Arrays) -> Arrays:
        """d(Jᵀλ)/dx ẋ, counted."""
        assert self.turn is not None
        self._count("turn", "hvp")
        return self.turn(x, lam, v)

    def directions(self, like: Sequence[Any]) -> Arrays:
        """Random arrays in the shapes and dtypes of `like`."""
        return [direction_like(a, self.rng) for a in like]

    def above(self, lam: Arrays) -> Subject:
        """The subject x ↦ Jᵀλ for a fixed λ: checking it checks second derivatives."""
        pull, turn, back = self.pull, self.turn, self.pull_turn
        assert pull is not None

        def value(x: Arrays) -> Arrays:
            return [np.zeros(np.shape(a)) if g is None else g for g, a in zip(pull(x, lam), x, strict=True)]

        return replace(
            self,
            value=value,
            push=None if turn is None else lambda x, v: turn(x, lam, v),
            pull=None if back is None else lambda x, u: back(x, lam, u),
            turn=None,
            pull_turn=None,
            names={
                "value": self.names.get("pull", "gradient"),
                "push": self.names.get("turn", "hvp"),
                "pull": self.names.get("pull_turn", "second pullback"),
            },
        )

    @property
    def size(self) -> int:
        """The number of entries in all arguments."""
        return sum(np.size(x) for x in self.x)

    @property
    def eps(self) -> float:
        """Rounding of the coarsest dtype among the arguments."""
        return max((rounding(x) for x in self.x), default=2e-16)

    def _count(self, what: str, default: str) -> None:
        self.counts[self.names.get(what, default)] += 1


def rounding(x: Any) -> float:
    """The machine epsilon of an array's dtype."""
    return float(np.finfo(dtype_of(x)).eps)


def is_float(x: Any) -> bool:
    """Whether a leaf can be moved: a real or complex array or number."""
    try:
        return dtype_of(x).kind in "fc"
    except (AttributeError, TypeError, ValueError):
        return False


def sent(x: Any, home: Any) -> Any:
    """An array of the host as one of `home`, numpy or cupy; None and Variables as they are."""
    return x if home is np or x is None or isinstance(x, Recorded) else home.asarray(x)


def as_arguments(args: Any) -> Sequence[Any]:
    """The arguments of a function, refusing a bare array, which would be taken apart row by row."""
    if not isinstance(args, (tuple, list)):
        raise TypeError(
            f"args must be a tuple of the function's arguments, (x,) for one, not {describe(args)}"
        )
    return args


def parameter_names(f: Any, count: int) -> list[str]:
    """The names of a function's first parameters; their numbers where it has none."""
    try:
        found = [
            p.name
            for p in inspect.signature(f).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        found = []
    return found[:count] if len(found) >= count else [str(k) for k in range(count)]


class Arguments:
    """The float leaves among some arguments of a function: taken out, and put back moved.

    Points are moved and compared on the host; the function and its derivatives see them where they were.

    Attributes:
        x: the leaves, on the host.
        labels: the name of each.
        positions: which argument each belongs to.
    """

    def __init__(
        self, f: Any, args: Any, argnum: int | Sequence[int] | None, names: Sequence[str] | None = None
    ) -> None:
        self.args = as_arguments(args)
        count = len(self.args)
        if isinstance(argnum, (int, np.integer)):
            argnum = (int(argnum),)
        chosen = range(count) if argnum is None else argnum
        for k in chosen:
            if not -count <= k < count:
                raise ValueError(f"argnum {k} is out of range: the function is given {count} arguments")
        self.chosen = [k % count for k in chosen]
        if len(set(self.chosen)) < len(self.chosen):
            raise ValueError(f"argnum {tuple(chosen)} names an argument twice")
        names = names or parameter_names(f, count)
        flat = [trees.flatten(self.args[k]) for k in self.chosen]
        self._leaves = [leaves for leaves, _ in flat]
        self.structures = [structure for _, structure in flat]
        self.x: Arrays = []
        self.labels: list[str] = []
        self.positions: list[int] = []
        self._moving: list[list[bool]] = []
        self._homes: list[Any] = []  # numpy or cupy, of each leaf
        self._given: Arrays = []  # what a function was given last
        for k, (leaves, structure) in zip(self.chosen, flat, strict=True):
            moving = [is_float(x) for x in leaves]
            self._moving.append(moving)
            for x, path, moves in zip(leaves, trees.paths(structure, names[k]), moving, strict=True):
                if moves:
                    self.x.append(on_host(x))
                    self._homes.append(module_of(x))
                    self.labels.append(path)
                    self.positions.append(k)
        if not self.x:
            kinds = ", ".join(describe(self.args[k]) for k in self.chosen) or "nothing"
            raise TypeError(f"nothing to differentiate: no float array or number among {kinds}")

    def there(self, x: Arrays) -> Arrays:
        """Arrays of the host, one for each leaf, where the leaves were; None and Variables as they are."""
        return [sent(a, home) for a, home in zip(x, self._homes, strict=True)]

    def at(self, x: Arrays) -> list[Any]:
        """All arguments, with other arrays in the places of the float leaves."""
        self._given = self.there(x)
        feed = iter(self._given)
        args = list(self.args)
        for k, structure, leaves, moving in zip(
            self.chosen, self.structures, self._leaves, self._moving, strict=True
        ):
            new = [next(feed) if moves else leaf for leaf, moves in zip(leaves, moving, strict=True)]
            args[k] = trees.unflatten(structure, new)
        return args

    def seen(self) -> Arrays:
        """The leaves as the last function left them: those of a device are copies of `x`."""
        triples = zip(self.x, self._given, self._homes, strict=True)
        return [x if home is np else plain_on_host(given) for x, given, home in triples]

    def tangents(self, v: Arrays) -> tuple[Any, ...]:
        """Directions in the structure of the chosen arguments; None in the places of other leaves."""
        feed = iter(self.there(v))
        out = []
        for structure, moving in zip(self.structures, self._moving, strict=True):
            leaves: list[Any] = [next(feed) if moves else None for moves in moving]
            out.append(trees.unflatten(structure, leaves))
        return tuple(out)

    def read(self, result: Any, what: str) -> Arrays:
        """The float leaves of a gradient, on the host: it has the structure of the chosen argument(s).

        Raises:
            TreeError: it has another.
        """
        found: Arrays = []
        for k, part, structure, moving in zip(
            self.chosen, self._parts(result, what), self.structures, self._moving, strict=True
        ):
            if not any(moving):
                continue  # integers and the like: whatever stands there
            leaves = matched(structure, part, f"{what} of argument {k}")
            found += [on_host(leaf) for leaf, moves in zip(leaves, moving, strict=True) if moves]
        return found

    def _parts(self, result: Any, what: str) -> list[Any]:
        if len(self.chosen) == 1:
            lone = isinstance(result, (tuple, list)) and len(result) == 1
            container = isinstance(self.args[self.chosen[0]], (tuple, list))
            return (
                list(result) if lone and not (container and len(self.args[self.chosen[0]]) == 1) else [result]
            )
        floats = [any(moving) for moving in self._moving]
        if isinstance(result, (tuple, list)) and len(result) == len(self.chosen):
            return list(result)
        if isinstance(result, (tuple, list)) and len(result) == sum(floats):
            feed = iter(result)
            return [next(feed) if moves else None for moves in floats]
        if sum(floats) == 1:
            return [result if moves else None for moves in floats]
        got = f"{len(result)} results" if isinstance(result, (tuple, list)) else describe(result)
        raise TreeError(
            f"{what} returned {got} for {len(self.chosen)} arguments; "
            "return one gradient per argument, or say argnum="
        )


def matched(structure: trees.Structure, tree: Any, what: str) -> Arrays:
    """The leaves of `tree` in the order of `structure`; None stands for zero anywhere."""
    if structure.kind is None:
        return [tree]
    if tree is None:
        return [None] * len(trees.paths(structure))
    if structure.kind is type(None):
        return []
    if structure.kind is dict:
        if not isinstance(tree, dict) or set(tree) != set(structure.keys):
            raise _differs(structure, tree, what)
        children = [tree[key] for key in structure.keys]
    elif isinstance(tree, (tuple, list)) and len(tree) == len(structure.children):
        children = list(tree)
    elif hasattr(type(tree), "tree_flatten"):
        children = list(tree.tree_flatten()[0])
    elif isinstance(tree, np.ndarray) and len(tree) == len(structure.children):
        children = list(tree)
    else:
        raise _differs(structure, tree, what)
    return [leaf for s, t in zip(structure.children, children, strict=True) for leaf in matched(s, t, what)]


def _differs(structure: trees.Structure, tree: Any, what: str) -> TreeError:
    return TreeError(f"{what} is {trees.flatten(tree)[1]}, the argument is {structure}")
