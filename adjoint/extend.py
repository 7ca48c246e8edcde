"""Primitives of your own, registered as in HIPS/autograd.

    @primitive
    def logsumexp(x):
        top = np.max(x)
        return top + np.log(np.sum(np.exp(x - top)))

    defvjp(logsumexp, lambda ans, x: lambda g: g * np.exp(x - ans))

The function may compute by any means. Its rules are written with NumPy functions, so that they can be
differentiated in turn. Keyword arguments are parameters: passed on and not differentiated. One rule per
argument is enough, in either mode: the tangent is derived from the pullback by transposing it, and the other
way round. A second `defvjp` (or `defjvp`) for a function replaces the first.

`ad.primitive(name, value, tangent=…, adjoint=…)` and `ad.elementwise` say the same in one registration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

from . import tree as trees
from .errors import RuleError, describe, warn
from .ops.primitive import add_all
from .tracer import getval
from .transforms.wrapped import ModeRule, Rules, wrap

__all__ = [
    "def_linear",
    "defjvp",
    "defjvp_argnum",
    "defjvp_argnums",
    "defvjp",
    "defvjp_argnum",
    "defvjp_argnums",
    "notrace_primitive",
    "primitive",
]

Function = Callable[..., Any]


def primitive(f: Function) -> Function:
    """Decorate a function that is to be recorded as one constraint, with the rules that follow.

    Args:
        f: any function of arrays, containers of arrays, and other things, which are passed on as they are.
            Without Variables among its arguments it is called as it is; with them it gets plain arrays, and
            must return an array or a container of arrays.

    Returns:
        The function. Until `defvjp` or `defjvp` gives it a rule, differentiating it raises MissingRuleError.

    >>> @primitive
    ... def cube(x):
    ...     return x**3
    >>> defvjp(cube, lambda ans, x: lambda g: 3 * x**2 * g)
    >>> ad.grad(cube)(2.0), ad.deriv(cube)(2.0), ad.grad(ad.grad(cube))(2.0)
    (np.float64(12.0), np.float64(12.0), np.float64(12.0))
    """
    recorded = wrap(f)
    _attach_deprecated(recorded)
    return recorded


def notrace_primitive(f: Function) -> Function:
    """Decorate a function that gets plain values in place of Variables; its result has no derivative."""

    @wraps(f)
    def on_values(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = trees.tree_map(getval, (args, kwargs))
        return f(*args, **kwargs)

    return on_values


def defvjp(f: Function, *vjpmakers: Function | None, argnums: Iterable[int] | None = None) -> None:
    """Register pullbacks: `vjpmaker(ans, *args, **kwargs)` returns the function λ ↦ (∂f/∂x)ᵀ λ.

    Args:
        f: made by `primitive`.
        *vjpmakers: one per argument; None where the derivative is zero. λ has the containers of f's result,
            what is returned those of the argument.
        argnums: which arguments they belong to; 0, 1, … by default.

    Raises:
        RuleError: f was not made by `primitive`, or argnums do not fit the makers.
    """
    table = _table(vjpmakers, argnums)

    def build(argnums: Sequence[int], ans: Any, args: Any, kwargs: Any) -> Function:
        makers = [table[k] for k in argnums]
        pullbacks = [None if maker is None else maker(ans, *args, **kwargs) for maker in makers]
        return lambda g: [None if pull is None else pull(g) for pull in pullbacks]

    _rules(f, "defvjp").pull = ModeRule(table.__contains__, build)


def defvjp_argnums(f: Function, vjpmaker: Function) -> None:
    """Register one pullback for all arguments that are asked for.

    Args:
        f: made by `primitive`.
        vjpmaker: `vjpmaker(argnums, ans, args, kwargs)` returns a function of λ that gives one contribution
            for each of argnums, in that order.
    """
    _rules(f, "defvjp_argnums").pull = ModeRule(_everything, vjpmaker)


def defvjp_argnum(f: Function, vjpmaker: Function) -> None:
    """Register pullbacks by `vjpmaker(argnum, ans, args, kwargs)`, which returns λ ↦ (∂f/∂x)ᵀ λ."""

    def build(argnums: Sequence[int], ans: Any, args: Any, kwargs: Any) -> Function:
        pullbacks = [vjpmaker(k, ans, args, kwargs) for k in argnums]
        return lambda g: [pull(g) for pull in pullbacks]

    _rules(f, "defvjp_argnum").pull = ModeRule(_everything, build)


def defjvp(f: Function, *jvps: Function | str | None, argnums: Iterable[int] | None = None) -> None:
    """Register pushforwards: `jvp(ẋ, ans, *args, **kwargs)` is (∂f/∂x) ẋ.

    Args:
        f: made by `primitive`.
        *jvps: one per argument; None where the derivative is zero, "same" where f is linear in the argument
            (a pullback derived from that costs one call of f per element).
        argnums: which arguments they belong to; 0, 1, … by default.

    Raises:
        RuleError: f was not made by `primitive`, or argnums do not fit the rules.
    """
    table = _table(jvps, argnums)
    for rule in table.values():
        if isinstance(rule, str) and rule != "same":
            raise RuleError(f'a pushforward is a function, None or "same", not {rule!r}')

    def push(k: int, dot: Any, ans: Any, args: Any, kwargs: Any) -> Any:
        rule: Any = table[k]
        if rule is None:
            return None
        return _linear(f, k, dot, args, kwargs) if rule == "same" else rule(dot, ans, *args, **kwargs)

    _rules(f, "defjvp").push = ModeRule(
        table.__contains__, _one_by_one(push), lambda k: isinstance(table[k], str)
    )


def defjvp_argnums(f: Function, jvpmaker: Function) -> None:
    """Register one pushforward for all arguments: `jvpmaker(argnums, dots, ans, args, kwargs)` is ż."""
    _rules(f, "defjvp_argnums").push = ModeRule(_everything, jvpmaker)


def defjvp_argnum(f: Function, jvpmaker: Function) -> None:
    """Register pushforwards by `jvpmaker(argnum, ẋ, ans, args, kwargs)`, which is (∂f/∂x) ẋ."""
    _rules(f, "defjvp_argnum").push = ModeRule(_everything, _one_by_one(jvpmaker))


def def_linear(f: Function) -> None:
    """Say that f is linear in each of its arguments (multilinear): it is its own pushforward.

    Its pullback, where `defvjp` gives none, costs one call of f for every element of the argument.
    """

    def push(k: int, dot: Any, ans: Any, args: Any, kwargs: Any) -> Any:
        return _linear(f, k, dot, args, kwargs)

    _rules(f, "def_linear").push = ModeRule(_everything, _one_by_one(push), _everything)


def _rules(f: Function, what: str) -> Rules:
    rules = getattr(f, "rules", None)
    if not isinstance(rules, Rules):
        raise RuleError(f"{what} needs a function made by adjoint.extend.primitive, not {describe(f)}")
    return rules


def _table(rules: Sequence[Any], argnums: Iterable[int] | None) -> dict[int, Any]:
    numbers = list(range(len(rules))) if argnums is None else list(argnums)
    if len(numbers) != len(rules) or len(set(numbers)) != len(numbers):
        raise RuleError(f"argnums={tuple(numbers)} do not fit {len(rules)} rules: give one each")
    return dict(zip(numbers, rules, strict=True))


def _everything(argnum: int) -> bool:
    return True


def _linear(f: Function, k: int, dot: Any, args: Any, kwargs: Any) -> Any:
    return f(*args[:k], dot, *args[k + 1 :], **kwargs)


def _one_by_one(push: Function) -> Function:
    """Σ over the arguments of what each pushes."""

    def build(argnums: Sequence[int], dots: Sequence[Any], ans: Any, args: Any, kwargs: Any) -> Any:
        terms = [push(k, dot, ans, args, kwargs) for k, dot in zip(argnums, dots, strict=True)]
        terms = [term for term in terms if term is not None]
        if len(terms) < 2:
            return terms[0] if terms else None
        return trees.tree_map(lambda *leaves: add_all(leaves), *terms)

    return build


def _attach_deprecated(f: Any) -> None:
    """HIPS/autograd's methods of a primitive from before `defvjp`, which collect pullbacks by argument."""
    makers: dict[int, Any] = {}

    def enter(old: str, found: dict[int, Any]) -> None:
        what = f"{f.__name__}.{old} is deprecated: use adjoint.extend.defvjp"
        warn(what, DeprecationWarning)
        makers.update(found)
        defvjp(f, *makers.values(), argnums=makers)

    def defgrad(gradmaker: Function, argnum: int = 0) -> None:
        enter("defgrad", {argnum: gradmaker})

    def of_everything(vjp: Function, argnum: int = 0) -> None:
        def maker(ans: Any, *args: Any, **kwargs: Any) -> Function:
            return lambda g: vjp(g, ans, None, None, *args, **kwargs)

        enter("defvjp", {argnum: maker})

    def defvjp_is_zero(argnums: Iterable[int] = (0,)) -> None:
        enter("defvjp_is_zero", dict.fromkeys(argnums))

    f.defgrad, f.defvjp, f.defvjp_is_zero = defgrad, of_everything, defvjp_is_zero
