"""Anyone's derivatives: plain functions in, a report out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import ShapeError, TreeError, describe
from ..ops.device import module_of, on_host
from ..ops.primitive import dtype_of, shape_of
from ..sweeps.pairing import default_rng
from .battery import Battery
from .report import Finding, Report
from .subject import Arguments, Arrays, Subject, is_float, rounding, sent

Function = Callable[..., Any]
VALUE = "value beside the gradient"


def pair(
    f: Function,
    gradient: Function | None,
    args: Sequence[Any],
    *,
    argnum: int | Sequence[int] | None = None,
    has_value: bool = False,
    vjp: Function | None = None,
    jvp: Function | None = None,
    hvp: Function | None = None,
    hessian: Function | None = None,
    conjugate: bool = False,
    order: int | None = None,
    rng: np.random.Generator | None = None,
    name: str | None = None,
) -> Report:
    """Check a function against the derivatives that somebody wrote for it.

    No framework is needed and none is imported. The functions get and return arrays, numbers and nested
    containers of them; leaves that are not floats are passed on as they are. Arrays of cupy are copied to and
    fro at every call.

    Args:
        f: `f(*args)`; a scalar with `gradient`, anything with `vjp` or `jvp`.
        gradient: `gradient(*args)` returns the gradient: one in the shape of the argument, or a tuple of one
            per differentiated argument. None where there is a `vjp` or a `jvp` only.
        args: a tuple of the function's arguments: where to check.
        argnum: which argument(s) the derivatives are with respect to; all that hold floats by default.
        has_value: `gradient(*args)` returns `(value, gradient)`; the value is held against f's too.
        vjp: `vjp(args, cotangent)` returns Jᵀλ, like a gradient; the cotangent has the structure of f's
            result.
        jvp: `jvp(args, tangents)` returns Jẋ, like f's result; one tangent per differentiated argument.
        hvp: `hvp(args, tangents)` returns ∇²f ẋ, like a gradient.
        hessian: `hessian(*args)` returns ∇²f, (n, n) over all n differentiated numbers or in the shape
            `x.shape + x.shape` of a single argument.
        conjugate: for complex arguments, df = Re Σ conj(g) dz instead of Re Σ g dz.
        order: 2 to check second derivatives, the default where hvp or hessian is given.
        rng: source of the random directions; a fixed one by default.
        name: what to call the function in the report.

    Returns:
        A report, true when everything passed; it names argument, index, received, expected, and the likely
        mistake where the numbers single one out.

    Raises:
        TypeError: no derivative is given, or nothing can be differentiated.
        ValueError: another order than 1 or 2.
        TreeError: a derivative returns another structure than the arguments (of jvp: the results) have.
        ShapeError: a jvp, hvp or Hessian is of another shape than it should be.

    >>> report = pair(lambda w: np.sum(w**3), lambda w: 3 * w, (np.array([0.5, -2.0]),))
    >>> report.places[0].index, report.places[0].received, round(report.places[0].expected, 6)
    ((1,), -6.0, 12.0)
    """
    if not callable(f):
        raise TypeError(f"check.pair needs a function, not {describe(f)}")
    if gradient is None and vjp is None and jvp is None:
        raise TypeError(
            "check.pair needs a derivative: gradient(*args), vjp(args, cotangent) or jvp(args, tangents)"
        )
    for what, g in {"gradient": gradient, "vjp": vjp, "jvp": jvp, "hvp": hvp, "hessian": hessian}.items():
        if g is not None and not callable(g):
            raise TypeError(f"check.pair: {what} must be a function, not {describe(g)}")
    if order is None:
        order = 2 if hvp is not None or hessian is not None else 1
    arguments = Arguments(f, args, argnum)
    functions = _Functions(f, gradient, arguments, has_value, vjp, jvp, hvp, hessian, conjugate)
    subject = functions.subject(name or f"gradient of {getattr(f, '__name__', type(f).__name__)}")
    subject.rng = rng or default_rng()
    battery = Battery(subject, order).run()
    if functions.claimed_value is not None:
        battery.findings.append(functions.value_finding(battery.noise))
    if functions.returned_none:
        battery.notes.append(
            f"{functions.returned_none} returned None, which counts as 0: is a return missing?"
        )
    return battery.report()


class _Functions:
    """The caller's functions as functions of flat lists."""

    def __init__(
        self,
        f: Function,
        gradient: Function | None,
        arguments: Arguments,
        has_value: bool,
        vjp: Function | None,
        jvp: Function | None,
        hvp: Function | None,
        hessian: Function | None,
        conjugate: bool,
    ) -> None:
        self.f, self.gradient, self.arguments, self.has_value = f, gradient, arguments, has_value
        self.vjp, self.jvp, self.hvp, self.hessian, self.conjugate = vjp, jvp, hvp, hessian, conjugate
        self.result: trees.Structure | None = None
        self.fixed: list[Any] = []  # the leaves of a result, None where floats stand
        self.results: Arrays = []  # the float leaves of the latest result, on the host
        self.homes: list[Any] = []  # numpy or cupy, of each of them
        self.own_value: Any = None  # f at the caller's point, where the first call is
        self.claimed_value: Any = None  # and what stood beside the gradient there
        self.returned_none = ""  # which function gave None for all arguments together

    def subject(self, name: str) -> Subject:
        """The subject of the check."""
        a = self.arguments
        backward = self.gradient is not None or self.vjp is not None
        return Subject(
            name, a.x, a.labels, a.positions, self.value,
            pull=self.pull if backward else None,
            push=self.push if self.jvp is not None else None,
            turn=self.turn if self.hvp is not None or self.hessian is not None else None,
            seen=a.seen,
            scalar=self.gradient is not None,
            analytic=True,
            names={
                "value": "f",
                "pull": "gradient" if self.gradient is not None else "vjp",
                "turn": "hvp" if self.hvp is not None else "hessian",
            },
        )  # fmt: skip

    def value(self, x: Arrays) -> Arrays:
        leaves, self.result = trees.flatten(self.f(*self.arguments.at(x)))
        self.fixed = [None if is_float(z) else z for z in leaves]
        found = [on_host(z) for z in leaves if is_float(z)]
        self.homes = [module_of(z) for z in leaves if is_float(z)]
        if self.gradient is not None and (len(found) != 1 or np.size(found[0]) != 1):
            sizes = ", ".join(describe(np.asarray(z)) for z in found) or "none"
            raise TypeError(
                f"gradient(*args) is that of a scalar; f returns {sizes}: give vjp(args, cotangent) instead"
            )
        if self.has_value and self.own_value is None:
            self.own_value = np.array(found[0])
        self.results = [np.reshape(z, ()) for z in found] if self.gradient is not None else found
        return self.results

    def value_finding(self, noise: float) -> Finding:
        """The value that stood beside the first gradient, against f's own there."""
        received, right = self.claimed_value, self.own_value
        if received.size != 1 or not is_float(received):
            detail = f"beside the gradient stands {describe(received)}, f returns {describe(right)}"
            return Finding(VALUE, np.inf, 0.0, False, detail)
        gap = abs(received.item() - right.item())
        scale = abs(right.item()) or 1.0
        limit = 1e3 * max(rounding(received), rounding(right)) + 10 * noise / scale
        passed = bool(gap <= limit * scale)
        detail = "" if passed else f"received {received.item():.10g}, f returns {right.item():.10g}"
        return Finding(VALUE, gap / scale, limit, passed, detail)

    def pull(self, x: Arrays, lam: Arrays) -> Arrays:
        args = self.arguments.at(x)
        if self.gradient is not None:
            result = self.gradient(*args)
            if self.has_value:
                result = self._without_value(result)
            if result is None:
                self.returned_none = "gradient"
            weight = float(np.real(lam[0]))
            found = [self._conjugated(g) for g in self.arguments.read(result, "gradient")]
            return found if weight == 1 else [None if g is None else np.multiply(g, weight) for g in found]
        assert self.vjp is not None
        result = self.vjp(args, self._like_result([self._conjugated(a) for a in lam]))
        if result is None:
            self.returned_none = "vjp"
        return [self._conjugated(g) for g in self.arguments.read(result, "vjp")]

    def push(self, x: Arrays, v: Arrays) -> Arrays:
        assert self.jvp is not None
        leaves = trees.flatten(self.jvp(tuple(self.arguments.at(x)), self.arguments.tangents(v)))[0]
        found = [on_host(z) for z in leaves if is_float(z)]
        if len(found) != len(self.results):
            raise TreeError(
                f"jvp returned {len(found)} float results, f returns {len(self.results)}: "
                "return one tangent per result"
            )
        return [_fitted(t, z, "jvp", "the result") for t, z in zip(found, self.results, strict=True)]

    def turn(self, x: Arrays, lam: Arrays, v: Arrays) -> Arrays:
        args = self.arguments.at(x)
        if self.hvp is not None:
            found = self.arguments.read(self.hvp(tuple(args), self.arguments.tangents(v)), "hvp")
            return [_fitted(h, a, "hvp", "the argument") for h, a in zip(found, x, strict=True)]
        assert self.hessian is not None
        n = sum(np.size(a) for a in x)
        matrix = np.asarray(on_host(self.hessian(*args)))
        if matrix.size != n * n:
            either = f" or {shape_of(x[0]) * 2}" if len(x) == 1 and np.ndim(x[0]) != 1 else ""
            raise ShapeError(f"hessian returned {matrix.shape}, should be {(n, n)}{either}")
        flat = np.reshape(matrix, (n, n)) @ np.concatenate([np.ravel(d) for d in v])
        ends = np.cumsum([np.size(a) for a in x])[:-1]
        return [np.reshape(p, np.shape(a)) for p, a in zip(np.split(flat, ends), x, strict=True)]

    def _without_value(self, result: Any) -> Any:
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise TreeError(
                f"has_value=True: gradient(*args) must return (value, gradient), not {describe(result)}"
            )
        if self.claimed_value is None:
            self.claimed_value = np.array(on_host(result[0]))
        return result[1]

    def _conjugated(self, g: Any) -> Any:
        return np.conj(g) if self.conjugate and g is not None and dtype_of(g).kind == "c" else g

    def _like_result(self, lam: Arrays) -> Any:
        feed = map(sent, lam, self.homes)
        leaves = [next(feed) if z is None else None for z in self.fixed]
        assert self.result is not None
        return trees.unflatten(self.result, leaves)


def _fitted(found: Any, like: Any, what: str, whose: str) -> Any:
    """A product in the shape that it should have; None is zero, one entry is one entry in any shape."""
    shape = shape_of(like)
    if found is None:
        return np.zeros(shape, dtype_of(like))
    if np.shape(found) != shape and not np.size(found) == np.size(like) == 1:
        raise ShapeError(f"{what} returned {np.shape(found)}, {whose} is {shape}")
    return np.reshape(found, shape)
