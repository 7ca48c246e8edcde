"""Implicit constraints: z solves an equation, by any means, and is differentiated through it alone.

    g(z, W) = 0        (∂g/∂z)ᵀ w = λ,      λ_W = −(∂g/∂W)ᵀ w
    z = f(z, W)        w = λ + (∂f/∂z)ᵀ w,  λ_W = (∂f/∂W)ᵀ w

Neither the solver nor its iterations are recorded, so memory does not grow with them, and derivatives are
those of the exact solution. The adjoint equations are written with differentiable pieces, so that
derivatives of any order exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import ConvergenceError, DTypeError, LeakError, ShapeError, refusal
from ..ops.abstract import Abstract, result_dtype
from ..ops.broadcast import astype, reshape
from ..ops.device import as_array, careful
from ..ops.linalg import solve
from ..ops.primitive import FLOAT64, Primitive, Recorded, beside, dtype_of, innermost, shape_of, zeros_like
from ..ops.shape import swap_last
from .derivatives import jvp, make_jvp, make_vjp, pull_some, push_some
from .jacobians import jacobian

Function = Callable[..., Any]


def root(
    g: Function,
    z0: Any,
    *args: Any,
    solver: Function | None = None,
    tolerance: float = 1e-10,
    max_steps: int = 100,
) -> Any:
    """Solve g(z, *args) = 0 for z, differentiably in args.

    Args:
        g: residual, of z's shape; written with NumPy functions.
        z0: where the solver starts; float scalar or array. It has no influence on derivatives.
        *args: what z depends on: arrays or nested containers. Values that g takes from its
            surroundings do not count.
        solver: `solver(residual, z0)` returns z for a plain function `residual(z)`; by default Newton's
            method with the exact Jacobian and step halving.
        tolerance: largest ‖g‖∞ of the default solver's answer.
        max_steps: Newton steps at most.

    Returns:
        z, with g's derivatives: dz = −(∂g/∂z)⁻¹ (∂g/∂W) dW.

    Raises:
        ConvergenceError: Newton's method did not meet the tolerance.
        LeakError: g uses a recorded value that is not among args.
        ShapeError: g does not have z's shape.
        DTypeError: z is complex, and g not holomorphic in z.
    """

    def newton(residual: Function, start: Any) -> Any:
        return _newton(residual, start, tolerance, max_steps)

    leaves, structure = trees.flatten(args)
    return Root(g, structure, solver or newton)(_start(z0), *leaves)


def fixed_point(f: Function, z0: Any, *args: Any, tolerance: float = 1e-12, max_steps: int = 10_000) -> Any:
    """Iterate z ← f(z, *args) to its fixed point, differentiably in args.

    The adjoint equation w = λ + (∂f/∂z)ᵀ w is iterated in the same way, without forming a Jacobian, and
    converges at the same rate.

    Args:
        f: a contraction near the solution; written with NumPy functions.
        z0: start, float scalar or array.
        *args: what z depends on: arrays or nested containers.
        tolerance: stop when ‖f(z) − z‖∞ ≤ tolerance · (1 + ‖z‖∞).
        max_steps: iterations at most.

    Returns:
        z, in the dtype to which z0 and the floating-point args are promoted.

    Raises:
        ConvergenceError: the iteration did not settle; the message gives its last change.
        LeakError: f uses a recorded value that is not among args.
    """
    leaves, structure = trees.flatten(args)
    return FixedPoint(f, structure, tolerance, max_steps)(_start(z0), *leaves)


def _start(z0: Any) -> Any:
    """The start as floats: plain, because it has no influence, unless only its shape is known."""
    plain = innermost(z0)
    if type(plain) is Abstract:
        return z0 if plain.dtype.kind in "fc" else astype(z0, dtype=FLOAT64)
    plain = as_array(plain)
    return plain.astype(plain.dtype if plain.dtype.kind in "fc" else np.float64)[()]


def _largest(x: Any) -> float:
    """max |x|; 0 of nothing."""
    return float(np.max(np.abs(x))) if np.size(x) else 0.0


class Implicit(Primitive):
    """A constraint given by a function of z and of the leaves of the user's arguments.

    Its operands are the start, which has no derivative, and the leaves.
    """

    foreign = True
    kind: str  # the public function it stands for

    def __init__(self, function: Function, structure: trees.Structure) -> None:
        self.function, self.structure = function, structure
        self.name = f"{self.kind}({getattr(function, '__name__', 'function')})"

    def call(self, z: Any, leaves: Sequence[Any]) -> Any:
        """The user's function on z and its own arguments."""
        return self.function(z, *trees.unflatten(self.structure, list(leaves)))

    def plain_call(self, z: Any, leaves: Sequence[Any]) -> Any:
        """The same with plain values; a recorded result is refused: it comes from the surroundings."""
        result = self.call(z, leaves)
        if isinstance(result, Recorded) and not isinstance(z, Recorded):
            raise refusal(
                LeakError,
                f"{self.name} uses a recorded value ({result.tape.label(result.index)}) "
                "that is not among its arguments\n"
                "  Pass it after z0; derivatives through values taken from the surroundings would be lost.",
            )
        if shape_of(result) != shape_of(z):
            raise refusal(
                ShapeError, f"{self.name} must return the shape of z: {shape_of(z)}, got {shape_of(result)}"
            )
        return result

    def push_args(self, args: Sequence[Any], z: Any, dots: Sequence[Any]) -> Any:
        """(∂function/∂W) Ẇ."""
        return push_some(lambda *leaves: self.call(z, leaves), args[1:], dots[1:])

    def pull_args(self, args: Sequence[Any], z: Any, w: Any, wanted: Sequence[bool]) -> list[Any]:
        """(∂function/∂W)ᵀ w for every operand that is wanted."""
        return [None, *pull_some(lambda *leaves: self.call(z, leaves), args[1:], lambda _: w, wanted[1:])]


class Root(Implicit):
    """z with g(z, W) = 0; the adjoint equation is solved with the dense Jacobian ∂g/∂z."""

    kind = "root"

    def __init__(self, function: Function, structure: trees.Structure, solver: Function) -> None:
        super().__init__(function, structure)
        self.solver = solver

    def value(self, start: Any, *leaves: Any) -> Any:
        z = as_array(self.solver(lambda z: self.plain_call(z, leaves), start), dtype_of(start))[()]
        if z.dtype.kind == "c":
            self._check_holomorphic(z, leaves)
        return z

    def _check_holomorphic(self, z: Any, leaves: Sequence[Any]) -> None:
        """Its Jacobian is one complex matrix only if g(z + iv) moves as i times g(z + v) does."""
        v = beside(z).exp(1j * beside(z).arange(z.size)).reshape(z.shape)
        push = make_jvp(lambda y: self.call(y, leaves))(z)
        straight, turned = push(v)[1], push(1j * v)[1]
        if not np.allclose(turned, 1j * straight, rtol=1e-3):
            what = f"{self.name} is not holomorphic in z: its Jacobian is no complex matrix"
            raise refusal(DTypeError, what, "Solve for the real and imaginary parts as one real array.")

    def abstract(self, start: Any, *leaves: Any) -> Abstract:
        return Abstract(shape_of(start), dtype_of(start))

    def _solve(self, args: Sequence[Any], z: Any, right: Any, transposed: bool) -> Any:
        n = int(np.prod(shape_of(z), dtype=int))
        matrix = reshape(jacobian(lambda y: self.call(y, args[1:]))(z), shape=(n, n))
        return reshape(
            solve(swap_last(matrix) if transposed else matrix, reshape(right, shape=(n, 1))),
            shape=shape_of(z),
        )

    def tangent(self, args: Sequence[Any], z: Any, dots: Sequence[Any]) -> Any:
        if not any(dot is not None for dot in dots[1:]):
            return None
        return -self._solve(args, z, self.push_args(args, z, dots), transposed=False)

    def adjoint(self, args: Sequence[Any], z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        w = self._solve(args, z, lam, transposed=True)
        return self.pull_args(args, z, -w, wanted)


class FixedPoint(Implicit):
    """z with z = f(z, W); the adjoint equation is a fixed point too."""

    kind = "fixed_point"

    def __init__(
        self,
        function: Function,
        structure: trees.Structure,
        tolerance: float,
        max_steps: int,
        settled: Function | None = None,
    ) -> None:
        super().__init__(function, structure)
        self.tolerance, self.max_steps = tolerance, max_steps
        self.settled = settled  # of z and the z before; in place of the tolerance

    def abstract(self, start: Any, *leaves: Any) -> Abstract:
        return Abstract(shape_of(start), self._dtype(start, leaves))

    @staticmethod
    def _dtype(start: Any, leaves: Sequence[Any]) -> np.dtype[Any]:
        return result_dtype(start, *(a for a in leaves if dtype_of(a).kind in "fc"))

    def value(self, start: Any, *leaves: Any) -> Any:
        z, change = start, np.inf
        for step in range(1, self.max_steps + 1):
            following = self.plain_call(z, leaves)
            change, previous, z = _largest(following - z), z, following
            if not np.isfinite(change):
                raise ConvergenceError(
                    f"{self.name} diverged: z is not finite after {step} steps\n"
                    "  Is f a contraction? Damp it (z ← ½ (z + f(z))), or use ad.root."
                )
            if self.settled is not None:
                done = self.settled(z, previous)
            else:
                done = change <= self.tolerance * (1 + _largest(z))
            if done:
                return as_array(z, self._dtype(start, leaves))[()]
        more = "raise max_steps" if self.settled is None else "raise tol"
        raise ConvergenceError(
            f"{self.name} did not settle in {self.max_steps} steps: the last changed z by {change:.3g}\n"
            f"  Is f a contraction? Damp it (z ← ½ (z + f(z))), {more}, or use ad.root."
        )

    def _linear(self, push: Function, right: Any, z: Any, args: Sequence[Any]) -> Any:
        """w = right + push(w), where push depends on z and the arguments too."""
        leaves, structure = trees.flatten((right, z, list(args[1:])))
        op = FixedPoint(push, structure, self.tolerance, self.max_steps, self.settled)
        return op(zeros_like(z), *leaves)

    def tangent(self, args: Sequence[Any], z: Any, dots: Sequence[Any]) -> Any:
        if not any(dot is not None for dot in dots[1:]):
            return None

        def push(v: Any, right: Any, z: Any, leaves: Sequence[Any]) -> Any:
            return right + jvp(lambda y: self.call(y, leaves), (z,), (v,))[1]

        return self._linear(push, self.push_args(args, z, dots), z, args)

    def adjoint(self, args: Sequence[Any], z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        def pull(w: Any, right: Any, z: Any, leaves: Sequence[Any]) -> Any:
            return right + make_vjp(lambda y: self.call(y, leaves))(z)[0](w)

        return self.pull_args(args, z, self._linear(pull, lam, z, args), wanted)


def _newton(residual: Function, z: Any, tolerance: float, max_steps: int) -> Any:
    """Newton's method, halving steps that do not reduce ‖g‖."""
    n = int(np.prod(np.shape(z), dtype=int))
    value = residual(z)
    size = _largest(value)
    for _ in range(max_steps):
        if size <= tolerance:
            return z
        matrix = np.reshape(jacobian(residual)(z), (n, n))
        try:
            step = np.reshape(careful(np.linalg.solve, matrix, np.reshape(value, n)), np.shape(z))
        except np.linalg.LinAlgError:
            break
        length = 1.0
        while length > 1e-8:
            trial = z - length * step
            trial_value = residual(trial)
            trial_size = _largest(trial_value)
            if trial_size < size:
                break
            length /= 2
        else:
            break
        z, value, size = trial, trial_value, trial_size
    if size <= tolerance:
        return z
    raise ConvergenceError(
        f"root: Newton's method stopped at ‖g‖ = {size:.3g}, above the tolerance {tolerance:.0e}\n"
        "  Start closer (z0), raise max_steps, or pass solver=."
    )
