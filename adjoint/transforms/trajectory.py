"""Trajectories: the solution of an ordinary differential equation at given times, as one constraint.

    ẏ = f(y, t, W),  y(t_0) = y_0,  z_i = y(t_i)

    tangent   v̇ = (∂f/∂y) v + (∂f/∂W) Ẇ,   v(t_0) = ẏ_0 − f_0 ṫ_0,   ż_i = v(t_i) + f_i ṫ_i
    adjoint   ȧ = −(∂f/∂y)ᵀ a,   ṁ = −(∂f/∂W)ᵀ a,   backwards; a jumps by λ_i at t_i

Both are differential equations whose right-hand side is a program, so the rules call the same primitive
again, and derivatives of any order exist. The public function is `adjoint.scipy.integrate.odeint`.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ConvergenceError, LeakError, refusal
from ..ops.abstract import Abstract
from ..ops.broadcast import astype, reshape
from ..ops.device import by_host
from ..ops.primitive import FLOAT64, Primitive, Recorded, dtype_of, shape_of
from .derivatives import jvp, of_some, vjp

Function = Callable[..., Any]
Rate = Callable[[Any, Any, Sequence[Any]], Any]  # (y (n,), t, leaves of the arguments) → ẏ (n,)

TOLERANCE = 1.49012e-8  # LSODA's own
LOST = 100.0  # times the tolerance: a trajectory run backwards that is further off has been lost
LONGEST = 20_000  # evaluations of ẏ on one way back


class _Lost(Exception):
    """A solution that cannot be traced backwards."""


class Trajectory(Primitive):
    """y(t_i) for all i, (T, n), from what is known of the end, y(t_0), the times, and what ẏ depends on.

    The first operand, (k,), has no derivative. An adjoint sweep runs the solution itself backwards too,
    where it may be unstable, and there the first k entries of y(t_T) are known: if those computed are not
    these, the result is worth nothing, and `lead` (ẏ of these k entries) serves to compute it otherwise.
    """

    foreign = True

    def __init__(self, name: str, rate: Rate, options: dict[str, Any], lead: Rate | None = None) -> None:
        self.name, self.rate, self.options, self.lead = name, rate, options, lead

    def derived(self, kind: str, rate: Rate, lead: Rate | None = None) -> Trajectory:
        """The primitive of a sweep, with these tolerances; the first step has another sign and size."""
        options = {k: v for k, v in self.options.items() if k != "h0" and v is not None}
        options |= {k: float(np.min(options[k])) for k in ("rtol", "atol") if k in options}
        return Trajectory(f"{kind} of {self.name}", rate, options, lead)

    # ------------------------------------------------------------------------------------- value
    def plain_rate(self, y: Any, t: Any, leaves: Sequence[Any]) -> Any:
        """ẏ of plain values; a recorded result is refused: it comes from the surroundings."""
        try:
            result = self.rate(y, t, leaves)
        except LeakError:
            result = None
        if result is None or isinstance(result, Recorded):
            what = f"{self.name} uses a recorded value that is not among its arguments"
            remedy = "Pass it in args; derivatives through values taken from the surroundings would be lost."
            raise refusal(LeakError, what, remedy)
        return result

    @by_host
    def value(self, known: Any, y0: Any, t: Any, *leaves: Any) -> Any:
        size = known.size
        with np.errstate(all="ignore" if size else None):  # it may overflow, which is found below
            z, trouble = self._solve(lambda y, s: self.plain_rate(y, s, leaves), y0, t)
        if size and (trouble or self._differ(z[-1, :size], known)):
            return self._along_known(known, y0, t, leaves)
        if trouble:
            raise ConvergenceError(
                f"{self.name} stopped before it reached the end: {trouble}\n"
                "  Raise mxstep or the tolerances (rtol, atol), or ask for more times in between."
            )
        return z

    def abstract(self, known: Any, y0: Any, t: Any, *leaves: Any) -> Abstract:
        return Abstract((*shape_of(t), *shape_of(y0)), FLOAT64)

    def _solve(self, rate: Function, y0: Any, t: Any) -> tuple[Any, str]:
        """z and what went wrong, if anything."""
        from scipy.integrate import odeint as solve

        if y0.size == 0 or t.size == 0:
            return np.zeros((t.size, y0.size)), ""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            z, info = solve(rate, y0, t, full_output=True, **self.options)
        message = info["message"]
        done = message.startswith(("Integration successful", "Nothing was done; the integration time was 0"))
        return z, "" if done and np.isfinite(z).all() else message

    def _differ(self, a: Any, b: Any) -> bool:
        rtol, atol = (np.min(self.options.get(k) or TOLERANCE) for k in ("rtol", "atol"))
        scale = atol + rtol * max(np.max(np.abs(b), initial=0.0), 1.0)
        return not bool(np.max(np.abs(a - b), initial=0.0) <= LOST * scale)

    def _along_known(self, known: Any, y0: Any, t: Any, leaves: Sequence[Any]) -> Any:
        """z where the first entries, unstable this way, are computed the other way, from their known end.

        Raises:
            ConvergenceError: that does not lead to the start.
        """
        from scipy.integrate import solve_ivp

        size, lead = known.size, self.lead
        options = {k: np.min(self.options.get(k) or TOLERANCE) for k in ("rtol", "atol")}

        def run(rate: Function, start: Any, times: Any, most: float) -> Any:
            count = itertools.count()

            def bounded(s: Any, y: Any) -> Any:  # solve_ivp has no limit of its own
                if next(count) > LONGEST or not np.max(np.abs(y), initial=0.0) < most:
                    raise _Lost
                return rate(s, y)

            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return solve_ivp(bounded, times, start, "LSODA", dense_output=True, **options)

        def rest(s: Any, r: Any) -> Any:
            return self.plain_rate(np.concatenate([path.sol(s), r]), s, leaves)[size:]

        try:
            if lead is None:
                raise _Lost
            most = 1e6 * (1 + np.max(np.abs([known, y0[:size]])))  # from there it does not come back
            path = run(lambda s, y: lead(y, s, leaves), known, (t[-1], t[0]), most)
            if not path.success or self._differ(path.sol(t[0]), y0[:size]):
                raise _Lost
            found = run(rest, y0[size:], (t[0], t[-1]), np.inf)
            if not found.success:
                raise _Lost
        except _Lost:
            raise ConvergenceError(
                f"{self.name}: between t = {t[-1]:.6g} and {t[0]:.6g} the solution cannot be traced "
                "backwards\n"
                "  Ask for more times in between, or take forward mode (ad.make_jvp, also of a jvp), "
                "which is stable."
            ) from None
        return np.stack([y0, np.concatenate([known, found.y[:, -1]])])

    # ------------------------------------------------------------------------------------- rules
    def tangent(self, args: Sequence[Any], z: Any, dots: Sequence[Any]) -> Any:
        known, y0, t, *leaves = args
        _, v, t_dot, *leaf_dots = dots
        given = [k for k, dot in enumerate(leaf_dots) if dot is not None]
        if v is None and t_dot is None and not given:
            return None
        v = np.zeros(shape_of(y0)) if v is None else v
        if t_dot is not None:
            v = v - self.rate(y0, t[0], leaves) * t_dot[0]
        op = self.derived("tangent", _pushed(self.rate, shape_of(y0)[0], given, len(leaves)))
        both = op(known, np.concatenate([y0, v]), t, *leaves, *(leaf_dots[k] for k in given))
        z_dot = both[:, shape_of(y0)[0] :]
        return z_dot if t_dot is None else z_dot + self._rates(z, t, leaves) * t_dot[:, None]

    def adjoint(self, args: Sequence[Any], z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        _, y0, t, *leaves = args
        n, count = shape_of(y0)[0], shape_of(t)[0]
        chosen = [k for k, x in enumerate(leaves) if wanted[3 + k] and dtype_of(x).kind in "fc"]
        sizes = [math.prod(shape_of(leaves[k])) * (1 + (dtype_of(leaves[k]).kind == "c")) for k in chosen]
        op = self.derived("adjoint", _pulled(self.rate, n, chosen), self.rate)
        a, m = (lam[-1], np.zeros(sum(sizes))) if count else (np.zeros(n), np.zeros(sum(sizes)))
        for i in reversed(range(1, count)):
            times = np.stack([t[i], t[i - 1]])
            state = op(z[i - 1], np.concatenate([z[i], a, m]), times, *leaves)[1]
            before, m = state[n : 2 * n], state[2 * n :]
            a = before + lam[i - 1]
        contributions: list[Any] = [None] * len(args)
        contributions[1] = a if wanted[1] else None
        if wanted[2] and count > 1:
            # a later time moves its own row alone; the first one moves the start, that is all but its own
            rates = self._rates(z, t, leaves)
            later = np.sum(rates[1:] * lam[1:], axis=1)
            contributions[2] = np.concatenate([np.stack([-np.sum(rates[0] * before)]), later])
        for k, part in zip(chosen, _split(m, sizes), strict=True):
            contributions[3 + k] = from_row(part, shape_of(leaves[k]), dtype_of(leaves[k]))
        return contributions

    def _rates(self, z: Any, t: Any, leaves: Sequence[Any]) -> Any:
        """f at every time, (T, n)."""
        return np.stack([self.rate(z[i], t[i], leaves) for i in range(shape_of(t)[0])])


def to_row(x: Any) -> Any:
    """The elements as a vector of real numbers: all real parts, then all imaginary parts."""
    row = np.reshape(x, -1)
    return np.concatenate([np.real(row), np.imag(row)]) if dtype_of(x).kind == "c" else row


def from_row(row: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """The array of which `to_row` made the last axis; axes before it stay."""
    if dtype.kind == "c":
        n = shape_of(row)[-1] // 2
        row = row[..., :n] + 1j * row[..., n:]
    z = reshape(row, shape=(*shape_of(row)[:-1], *shape))
    return z if dtype_of(z) == dtype else astype(z, dtype=dtype)


def _pushed(rate: Rate, n: int, given: Sequence[int], count: int) -> Rate:
    """d(y, v)/dt; the leaves are those of ẏ, `count` of them, and the tangents of those `given`."""

    def both(u: Any, t: Any, leaves: Sequence[Any]) -> Any:
        own, dots = leaves[:count], leaves[count:]
        f = _of(rate, t, own, given)
        return np.concatenate(jvp(f, (u[:n], *(own[k] for k in given)), (u[n:], *dots)))

    return both


def _pulled(rate: Rate, n: int, chosen: Sequence[int]) -> Rate:
    """d(y, a, m)/dt, m with the entries of the chosen leaves in a row."""

    def all_three(u: Any, t: Any, leaves: Sequence[Any]) -> Any:
        y_dot, pullback = vjp(_of(rate, t, leaves, chosen), u[:n], *(leaves[k] for k in chosen))
        pulled = pullback(u[n : 2 * n])
        return np.concatenate([y_dot, *(-to_row(g) for g in pulled)])

    return all_three


def _of(rate: Rate, t: Any, leaves: Sequence[Any], chosen: Sequence[int]) -> Function:
    """ẏ as a function of y and of the chosen leaves."""
    return of_some(lambda y, *inner: rate(y, t, inner), (None, *leaves), (0, *(k + 1 for k in chosen)))


def _split(m: Any, sizes: Sequence[int]) -> list[Any]:
    ends = np.cumsum([0, *sizes])
    return [m[a:b] for a, b in itertools.pairwise(ends)]
