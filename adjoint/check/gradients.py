"""Checks of a function's derivatives by routes that do not share code with them.

Dot product: ⟨λ, J v⟩ = ⟨Jᵀλ, v⟩ holds the tangent rules against the adjoint rules, to rounding. Differences
and Taylor rates hold both against the function itself: with h → h/2 the remainder

    |f(x + h v) − f(x) − h ⟨∇f, v⟩|  falls like h²,      less ½ h² ⟨v, ∇²f v⟩ like h³.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import describe
from ..ops.device import on_host
from ..ops.primitive import beside
from ..sweeps.pairing import default_rng
from ..transforms import make_jvp, make_vjp
from ..transforms.recording import Argnum
from .adapters import adapted, framework_of
from .battery import Battery
from .report import Report
from .subject import Arguments, Arrays, Subject, as_arguments, is_float, sent

Function = Callable[..., Any]


def gradients(
    f: Function,
    args: Sequence[Any],
    *,
    argnum: Argnum | None = None,
    order: int = 2,
    rng: np.random.Generator | None = None,
    framework: str | None = None,
) -> Report:
    """Check a function's derivatives, then those of its gradient: dot product, differences, Taylor rates.

    Args:
        f: any function the library differentiates, arrays and nested containers in and out; or one of
            torch (also a module or an `autograd.Function`), jax (also `custom_vjp`), autograd or CasADi.
        args: where to check.
        argnum: which argument(s) to differentiate; all that hold floats by default.
        order: 1, or 2 to check second derivatives too.
        rng: source of the random directions; a fixed one by default.
        framework: "torch", "jax", "autograd" or "casadi", where the arguments and f do not show it.

    Returns:
        A report, true when everything passed; on failure it names argument, index, received and expected.

    >>> import numpy as np
    >>> bool(gradients(lambda x: np.sum(np.sin(x)), [np.array([0.3, 0.7])]))
    True
    """
    if not callable(f):
        raise TypeError(f"check.gradients needs a function, not {describe(f)}")
    home = framework or framework_of(f, as_arguments(args))
    subject = own(f, args, argnum) if home is None else adapted(f, args, argnum, home)
    subject.rng = rng or default_rng()
    return Battery(subject, order).run().report()


def own(f: Function, args: Sequence[Any], argnum: Argnum | None = None) -> Subject:
    """A function that this library differentiates, as a subject."""
    arguments = Arguments(f, args, argnum)
    count = len(arguments.x)
    everything = tuple(range(count))
    there = arguments.there

    def here(found: Sequence[Any]) -> Arrays:
        return [on_host(z) for z in found]

    def value(*x: Any) -> Arrays:
        results = trees.flatten(f(*arguments.at(list(x))))[0]
        return [z for z in results if is_float(z)]

    def pull(x: Arrays, lam: Arrays) -> Arrays:
        back, z = make_vjp(value, everything)(*there(x))
        return here(back([sent(c, beside(p)) for c, p in zip(lam, z, strict=True)]))

    def push(x: Arrays, v: Arrays) -> Arrays:
        return here(make_jvp(value, everything)(*there(x))(tuple(there(v)))[1])

    def turn(x: Arrays, lam: Arrays, v: Arrays) -> Arrays:
        along = make_jvp(lambda *y: pull(list(y), lam), everything)(*there(x))
        return here(along(tuple(there(v)))[1])

    def pull_turn(x: Arrays, lam: Arrays, u: Arrays) -> Arrays:
        back = make_vjp(lambda *y: pull(list(y), lam), everything)(*there(x))[0]
        return here(back(there(u)))

    return Subject(
        f"gradients of {getattr(f, '__name__', 'function')}",
        arguments.x, arguments.labels, arguments.positions,
        lambda x: here(value(*there(x))), pull, push, turn, pull_turn, seen=arguments.seen, analytic=True,
        names={"value": "function", "pull": "adjoint", "push": "tangent"},
    )  # fmt: skip
