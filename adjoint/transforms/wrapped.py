"""Functions of the user's recorded as one constraint per call; `adjoint.extend` gives them their rules.

Arguments and results may be containers, and whatever among the arguments is no array (a function, a string,
an option) is passed on as it is. Where only one of the two modes has a rule for an argument, the other is
derived by transposing it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple

import numpy as np

from .. import tree as trees
from ..errors import (
    LeakError,
    MissingRuleError,
    Origin,
    RuleError,
    describe,
    format_error,
    refusal,
    user_instruction,
)
from ..ops.primitive import Recorded, add_all, dtype_of, parts, shape_of, zeros_like
from .foreign import Foreign, plain_result
from .naming import name_of

Function = Callable[..., Any]


class ModeRule(NamedTuple):
    """The rule of one mode, for all arguments that have one.

    Attributes:
        covers: whether it has one for that argument.
        build: of pullbacks `(argnums, ans, args, kwargs)` → a function of λ that gives one contribution per
            argnum; of pushforwards `(argnums, dots, ans, args, kwargs)` → ż. None is zero.
        linear: whether the pushforward of that argument is the function itself.
    """

    covers: Callable[[int], bool]
    build: Function
    linear: Callable[[int], bool] = lambda _: False


class Rules:
    """What is registered for one function; set by `adjoint.extend`."""

    pull: ModeRule | None = None
    push: ModeRule | None = None

    def split(self, mode: ModeRule | None, argnums: Sequence[int]) -> tuple[list[int], list[int]]:
        """The arguments that the mode has a rule for, and the others."""
        covered = [k for k in argnums if mode is not None and mode.covers(k)]
        return covered, [k for k in argnums if k not in covered]


def wrap(f: Function) -> Function:
    """f as a primitive without rules: on plain arguments it is called as it is, otherwise recorded."""
    rules = Rules()

    @wraps(f)
    def recorded(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = trees.flatten(args)
        for name, option in kwargs.items():
            if any(isinstance(x, Recorded) for x in trees.flatten(option)[0]):
                what = f"{name_of(f)} got a recorded value as keyword argument {name!r}"
                remedy = "Keyword arguments are parameters without a derivative: pass it by position."
                raise refusal(MissingRuleError, what, remedy)
        if not any(isinstance(x, Recorded) for x in leaves):
            return f(*args, **kwargs)
        op = Call(f, rules, leaves, structure, kwargs)
        z = op(*(leaves[i] for i in op.places))
        return op.container(z)

    recorded.rules = rules  # type: ignore[attr-defined]
    return recorded


class Call(Foreign):
    """One call of a wrapped function; its operands are the arrays among the leaves of the arguments."""

    register_both = "Give both rules: adjoint.extend.defvjp and defjvp."

    def __init__(
        self,
        f: Function,
        rules: Rules,
        leaves: Sequence[Any],
        structure: trees.Structure,
        kwargs: dict[str, Any],
    ) -> None:
        self.f, self.rules, self.structure, self.kwargs = f, rules, structure, kwargs
        self.name = name_of(f)
        self.places = [i for i, x in enumerate(leaves) if _is_operand(x)]
        operands = set(self.places)
        self.others = [None if i in operands else x for i, x in enumerate(leaves)]
        owner = [k for k, child in enumerate(structure.children) for _ in trees.paths(child)]
        self.argnums = [owner[i] for i in self.places]  # whose leaf each operand is
        self.within = [i - owner.index(owner[i]) for i in self.places]  # and which of its leaves
        self.output_structure = trees.LEAF
        self.origin = Origin(*user_instruction())

    # -------------------------------------------------------------------------------- containers and leaves
    def arguments(self, operands: Sequence[Any], others: Sequence[Any] | None = None) -> tuple[Any, ...]:
        """The user's arguments, filled with these operands."""
        leaves = list(self.others if others is None else others)
        for i, x in zip(self.places, operands, strict=True):
            leaves[i] = x
        args: tuple[Any, ...] = trees.unflatten(self.structure, leaves)
        return args

    def container(self, z: Any) -> Any:
        """The result, or its λ, as the user's function returned it."""
        return trees.unflatten(self.output_structure, list(parts(z)))

    def value(self, *operands: Any) -> Any:
        """What the user's function returns, as arrays."""
        leaves, self.output_structure = trees.flatten(self.f(*self.arguments(operands), **self.kwargs))
        if not leaves:
            raise RuleError(f"{self.name} returned {self.output_structure}; a primitive returns arrays")
        for x in leaves:
            if isinstance(x, Recorded):
                what = f"{self.name} uses a recorded value ({x.tape.label(x.index)}) of its surroundings"
                raise refusal(LeakError, what, "Pass it as an argument.")
        results = [plain_result(x) for x in leaves]
        for x in results:
            if dtype_of(x).kind not in "fciub":
                raise RuleError(f"{self.name} returned {describe(x)}; a primitive returns arrays of numbers")
        self.results = len(results)
        return tuple(results) if len(results) != 1 else results[0]

    # -------------------------------------------------------------------------------- rules
    def tangent(self, args: Sequence[Any], z: Any, dots: Sequence[Any]) -> Any:
        """ż by the pushforwards, and by transposed pullbacks for the arguments that have none."""
        given = self.arguments(args)
        argnums = sorted({k for k, dot in zip(self.argnums, dots, strict=True) if dot is not None})
        direct, rest = self.rules.split(self.rules.push, argnums)
        self._check_covered(rest, self.rules.pull)
        terms = [self._push(given, z, args, dots, direct)] if direct else []
        if rest:
            chosen = [j for j, k in enumerate(self.argnums) if k in rest and dots[j] is not None]

            def pull(lam: Any) -> list[Any]:
                pulled = self._pull(given, z, args, lam, rest)
                return [zeros_like(args[j]) if pulled[j] is None else pulled[j] for j in chosen]

            at = [zeros_like(x) for x in parts(z)]
            terms.append(self.transposed(pull, at, [dots[j] for j in chosen], "adjoint"))
        total = [add_all(column) for column in zip(*terms, strict=True)]
        results = [
            None if d is None or dtype_of(x).kind not in "fc" else self.checked("tangent", d, x, "output")
            for d, x in zip(total, parts(z), strict=True)
        ]
        return tuple(results) if self.results != 1 else results[0]

    def adjoint(self, args: Sequence[Any], z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        """Contributions by the pullbacks, and by transposed pushforwards for the arguments without one."""
        given = self.arguments(args)
        chosen = [j for j, want in enumerate(wanted) if want and dtype_of(args[j]).kind in "fc"]
        argnums = sorted({self.argnums[j] for j in chosen})
        direct, rest = self.rules.split(self.rules.pull, argnums)
        self._check_covered(rest, self.rules.push)
        filled = [zeros_like(x) if g is None else g for g, x in zip(parts(lam), parts(z), strict=True)]
        found = self._pull(given, z, args, filled, direct) if direct else [None] * len(args)
        for j in chosen:
            if self.argnums[j] in rest and self.rules.push is not None:
                turned = self._by_basis if self.rules.push.linear(self.argnums[j]) else self._by_sweep
                found[j] = turned(j, given, z, args, filled)
        return [
            None
            if c is None or j not in chosen
            else self.checked("adjoint", c, x, f"argument {self.argnums[j]}")
            for j, (c, x) in enumerate(zip(found, args, strict=True))
        ]

    def _by_sweep(self, j: int, given: Any, z: Any, args: Sequence[Any], lam: Sequence[Any]) -> Any:
        """The contribution to operand j by transposing the pushforward of its argument."""

        def push(x_dot: Any) -> list[Any]:
            pushed = self._push_one(j, x_dot, given, z, args)
            return [zeros_like(x) if d is None else d for d, x in zip(pushed, parts(z), strict=True)]

        return self.transposed(push, zeros_like(args[j]), list(lam), "tangent")

    def _by_basis(self, j: int, given: Any, z: Any, args: Sequence[Any], lam: Sequence[Any]) -> Any:
        """The same where the pushforward is the function itself, whose own adjoint would be needed.

        Re λ · f(e) for every direction e in which operand j can move.
        """
        x = args[j]

        def along(direction: Any) -> Any:
            pushed = self._push_one(j, np.asarray(direction, dtype_of(x))[()], given, z, args)
            terms = [np.sum(g * d) for g, d in zip(lam, pushed, strict=True) if d is not None]
            return np.real(add_all(terms)) if terms else 0.0

        n = math.prod(shape_of(x))
        if not n:
            return None
        basis = np.reshape(np.eye(n), (n, *shape_of(x)))
        found = np.stack([along(e) for e in basis])
        if dtype_of(x).kind == "c":
            found = found - 1j * np.stack([along(1j * e) for e in basis])
        return np.reshape(found, shape_of(x))

    def _push_one(self, j: int, x_dot: Any, given: Any, z: Any, args: Sequence[Any]) -> list[Any]:
        dots = [x_dot if i == j else None for i in range(len(args))]
        return self._push(given, z, args, dots, [self.argnums[j]])

    def _pull(
        self, given: Any, z: Any, args: Sequence[Any], lam: Sequence[Any], argnums: Sequence[int]
    ) -> list[Any]:
        """Contributions to the operands, from the pullbacks of these arguments."""
        assert self.rules.pull is not None
        pullback = self.rules.pull.build(argnums, self.container(z), given, self.kwargs)
        contributions = pullback(self.container(tuple(lam)))
        leaves: dict[int, list[Any]] = {}
        for k, contribution in zip(argnums, contributions, strict=True):
            if contribution is None:
                continue
            leaves[k], structure = trees.flatten(contribution)
            expected = self.structure.children[k]
            if trees.paths(structure) != trees.paths(expected):
                raise RuleError(
                    f"adjoint of {self.name}: returned {structure} for argument {k}, which is {expected}"
                )
        return [leaves[k][i] if k in leaves else None for i, k in zip(self.within, self.argnums, strict=True)]

    def _push(
        self, given: Any, z: Any, args: Sequence[Any], dots: Sequence[Any], argnums: Sequence[int]
    ) -> list[Any]:
        """ż by leaves, from the pushforwards of these arguments."""
        assert self.rules.push is not None
        filled = [zeros_like(x) if dot is None else dot for x, dot in zip(args, dots, strict=True)]
        still = [0.0 if isinstance(x, (bool, int, float, complex)) else x for x in self.others]
        moved = self.arguments(filled, still)
        pushed = self.rules.push.build(
            argnums, [moved[k] for k in argnums], self.container(z), given, self.kwargs
        )
        if pushed is None:
            return [None] * self.results
        leaves, structure = trees.flatten(pushed)
        if trees.paths(structure) != trees.paths(self.output_structure):
            raise RuleError(
                f"tangent of {self.name}: returned {structure}, the result is {self.output_structure}"
            )
        return leaves

    def _check_covered(self, argnums: Sequence[int], twin: ModeRule | None) -> None:
        missing = self.rules.split(twin, argnums)[1]
        if missing:
            what = f"{self.name} has no rule for its argument {missing[0]}{_called(self.f, missing[0])}"
            remedy = (
                f"Register one: adjoint.extend.defvjp({self.name}, …, argnums=({missing[0]},)) or defjvp; "
                "None in place of a rule says that the derivative is zero."
            )
            raise MissingRuleError(format_error(what, origin=self.origin, remedy=remedy))


def _is_operand(x: Any) -> bool:
    """What a tape records or copies; the rest is passed on as it is."""
    if isinstance(x, Recorded):
        return True
    return (type(x) is np.ndarray or isinstance(x, np.generic)) and x.dtype.kind in "fciub"


def _called(f: Function, k: int) -> str:
    """The name of argument k, in brackets, where f tells."""
    try:
        names = list(inspect.signature(f).parameters)
    except (TypeError, ValueError):  # a builtin
        return ""
    return f" ({names[k]})" if k < len(names) else ""
