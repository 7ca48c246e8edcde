"""The user's functions as functions of one vector, checked once, with all their derivatives.

A program has n unknowns, equalities h (m,) and inequalities g ≤ 0 (p,), each a stack of named blocks. Bounds
are blocks too, whose derivatives are known; where both are equal they are an equality.

Sign convention: see `adjoint.problems`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import (
    AdjointError,
    DomainError,
    DTypeError,
    LeakError,
    ShapeError,
    TreeError,
    describe,
    origin_of,
    refusal,
)
from ..ops.device import host_refused
from ..ops.primitive import Recorded, dtype_of, shape_of
from ..ops.sides import host_result, refuse_device
from ..transforms import grad, hessian_vector_product, jacobian, make_vjp, nan_origin
from ..transforms.vectors import flatten
from .collect import collecting
from .inputs import Function, Named, defined_at, functions, limits
from .point import Block, Point
from .solution import Constraint


class Program:
    """f, h and g over a flat vector, for one set of arguments."""

    def __init__(
        self,
        f: Function,
        x0: Any,
        args: Sequence[Any],
        eq: Named,
        ineq: Named,
        bounds: Any,
        compiled: bool = False,
    ) -> None:
        self.objective, self.args = f, tuple(args)
        self.equalities, self.inequalities = functions(eq, "eq"), functions(ineq, "ineq")
        repeated = set(self.equalities) & set(self.inequalities)
        if repeated:
            raise refusal(TreeError, f"the name {min(repeated)!r} is in eq and in ineq; names must differ")
        self._flatten_start(x0)
        self.lower, self.upper = limits(bounds, self.structure, self.shapes)
        self.fixed = np.flatnonzero(self.lower == self.upper)
        free = self.lower != self.upper
        self.below = np.flatnonzero(np.isfinite(self.lower) & free)
        self.above = np.flatnonzero(np.isfinite(self.upper) & free)
        self.blocks: list[Block] | None = None
        self._check_start()
        self._derivatives(compiled)

    # ---------------------------------------------------------------------------------- the unknowns
    def _flatten_start(self, x0: Any) -> None:
        leaves, self.structure = trees.flatten(x0)
        for leaf, path in zip(leaves, trees.paths(self.structure, "x0"), strict=True):
            if isinstance(leaf, Recorded):
                what = f"{path} is a recorded value; the start has no influence on the solution's derivative"
                raise refusal(LeakError, what, "Pass x0.value, and in args= what the solution depends on.")
            if dtype_of(leaf).kind not in "fiub":
                raise refusal(DTypeError, f"{path} must be real numbers, got {describe(leaf)}")
            if not np.all(np.isfinite(leaf)):
                raise refusal(
                    DomainError, f"{path} is not finite", "Start anywhere else; it may be infeasible."
                )
        self.shapes = [shape_of(leaf) for leaf in leaves]
        doubles = [np.asarray(leaf, np.float64)[()] for leaf in leaves]
        self.start, self.unflatten = flatten(trees.unflatten(self.structure, doubles))
        self.n = len(self.start)
        if not self.n:
            raise refusal(ShapeError, "x0 has no elements: there is nothing to minimise over")

    # ---------------------------------------------------------------------------------- values
    def evaluate(self, v: Any, *args: Any) -> tuple[Any, list[Any]]:
        """f, and the values of the user's blocks in their own shapes, equalities first."""
        x = self.unflatten(v)
        with collecting() as entries:
            f = self.objective(x, *args)
        found = [(name, "=", h(x, *args)) for name, h in self.equalities.items()]
        found += [(e.name, e.relation, e.value) for e in entries if e.relation == "="]
        found += [(name, "≤", g(x, *args)) for name, g in self.inequalities.items()]
        found += [(e.name, e.relation, e.value) for e in entries if e.relation != "="]
        if self.blocks is None:
            self.blocks = self._place(found)
        now = [(name, shape_of(value)) for name, _, value in found]
        first = [(b.name, b.shape) for b in self.own]
        if now != first:
            raise refusal(
                ShapeError,
                f"the constraints must be the same in every call: first {first}, now {now}",
                "A constraint, and ad.constrain, must not depend on a branch over values.",
            )
        return f, [value for *_, value in found]

    def _place(self, found: list[tuple[str, str, Any]]) -> list[Block]:
        """Blocks in the order of `evaluate`, then bounds."""
        names = [name for name, *_ in found]
        repeated = {name for name in names if names.count(name) > 1} or ({"lower", "upper"} & set(names))
        if repeated:
            what = f"two constraints are called {min(repeated)!r} (bounds are 'lower' and 'upper')"
            raise refusal(TreeError, what, "Names must differ.")
        blocks, rows = [], {True: 0, False: 0}
        for name, relation, value in found:
            blocks.append(Block(name, relation, shape_of(value), rows[relation == "="]))
            rows[relation == "="] += math.prod(shape_of(value))
        self.m, self.p = rows[True] + len(self.fixed), rows[False] + len(self.below) + len(self.above)
        blocks.append(Block("fixed", "=", (len(self.fixed),), rows[True]))
        blocks.append(Block("lower", "≥", (len(self.below),), rows[False]))
        blocks.append(Block("upper", "≤", (len(self.above),), rows[False] + len(self.below)))
        return blocks

    @property
    def bound_blocks(self) -> list[Block]:
        """Where fixed unknowns stand in h, lower and upper bounds in g."""
        assert self.blocks is not None
        return self.blocks[-3:]

    @property
    def own(self) -> list[Block]:
        """The user's blocks, without bounds."""
        assert self.blocks is not None
        return self.blocks[:-3]

    def values(self, v: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """f, h and g at x; not finite outside the functions' domain."""
        with np.errstate(all="ignore"):
            f, values = self.evaluate(v, *self.args)
            self._refuse_recorded(f, values)
            return float(f), *self._stack(v, [np.asarray(value, np.float64) for value in values])

    def _stack(self, v: np.ndarray, values: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        h = [np.ravel(c) for b, c in zip(self.own, values, strict=True) if b.relation == "="]
        g = [np.ravel(c) for b, c in zip(self.own, values, strict=True) if b.relation != "="]
        h.append(v[self.fixed] - self.lower[self.fixed])
        g += [self.lower[self.below] - v[self.below], v[self.above] - self.upper[self.above]]
        return np.concatenate(h), np.concatenate(g)

    def _refuse_recorded(self, f: Any, values: Sequence[Any]) -> None:
        for what, value in (
            ("f", f),
            *((f"constraint {b.name!r}", c) for b, c in zip(self.own, values, strict=True)),
        ):
            if isinstance(value, Recorded):
                raise refusal(
                    LeakError,
                    f"{what} uses a recorded value ({value.tape.label(value.index)}) that is not among its "
                    "arguments\n  Pass it in args=: derivatives through values taken from the surroundings "
                    "would be lost.",
                )

    # ---------------------------------------------------------------------------------- derivatives
    def _derivatives(self, compiled: bool) -> None:
        """Functions of (v, multipliers of the user's blocks, *args), compiled if asked for."""

        def lagrangian(v: Any, lam: list[Any], *args: Any) -> Any:
            f, values = self.evaluate(v, *args)
            for factor, c in zip(lam, values, strict=True):
                f = f + np.sum(factor * c)
            return f

        from ..engines import compile  # cheap: the engine is loaded on the first call of what it returns

        keep: Function = compile if compiled else lambda function: function
        self.lagrangian = lagrangian
        self._first = keep(jacobian(self.evaluate))
        self._gradient = keep(grad(lagrangian))
        self._hessian = keep(jacobian(grad(lagrangian)))
        self._product = keep(hessian_vector_product(lagrangian))

    def point(self, v: np.ndarray) -> Point:
        """Values and first derivatives at x."""
        f, h, g = self.values(v)
        with np.errstate(all="ignore"):
            gradient, rows = self._first(v, *self.args)
        eye = np.eye(self.n)
        blocks = list(zip(self.own, rows, strict=True))
        A = [np.reshape(row, (-1, self.n)) for b, row in blocks if b.relation == "="]
        G = [np.reshape(row, (-1, self.n)) for b, row in blocks if b.relation != "="]
        of_h = np.concatenate([*A, eye[self.fixed]])
        of_g = np.concatenate([*G, -eye[self.below], eye[self.above]])
        return Point(v, f, np.asarray(gradient, np.float64), h, of_h, g, of_g)

    def recorded(self, v: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, Function]:
        """f, h, g, and a function of (ν, μ): ∇ₓL without the part of the bounds, by one adjoint sweep."""
        with np.errstate(all="ignore"):
            pullback, (f, values) = make_vjp(self.evaluate)(v, *self.args)

        def pull(nu: np.ndarray, mu: np.ndarray) -> np.ndarray:
            with np.errstate(all="ignore"):
                return np.asarray(pullback((1.0, self.spread(nu, mu))), np.float64)

        return float(f), *self._stack(v, [np.asarray(value, np.float64) for value in values]), pull

    def spread(self, nu: np.ndarray, mu: np.ndarray) -> list[np.ndarray]:
        """Multipliers in the shapes of the user's blocks."""
        return [np.reshape((nu if b.relation == "=" else mu)[b.rows], b.shape) for b in self.own]

    def hessian(self, v: np.ndarray, nu: np.ndarray, mu: np.ndarray) -> np.ndarray:
        """∇²ₓₓL (n, n), exact."""
        with np.errstate(all="ignore"):
            found = np.asarray(self._hessian(v, self.spread(nu, mu), *self.args), np.float64)
        return 0.5 * (found + found.T)

    def product(self, v: np.ndarray, nu: np.ndarray, mu: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """(∇²ₓₓL) d, exact, without the matrix."""
        with np.errstate(all="ignore"):
            found = self._product(v, self.spread(nu, mu), *self.args, direction)
        return np.asarray(found, np.float64)

    def lagrangian_gradient(self, v: np.ndarray, nu: np.ndarray, mu: np.ndarray) -> np.ndarray:
        """∇ₓL (n,) from one adjoint sweep, bounds included."""
        with np.errstate(all="ignore"):
            found = np.array(self._gradient(v, self.spread(nu, mu), *self.args), np.float64)
        fixed, lower, upper = self.bound_blocks
        found[self.fixed] += nu[fixed.rows]
        found[self.below] -= mu[lower.rows]
        found[self.above] += mu[upper.rows]
        return found

    # ---------------------------------------------------------------------------------- checks at x0
    def _check_start(self) -> None:
        refuse_device("minimize", batches=self.args)  # what a function drew; all else was seen before
        try:
            with np.errstate(all="ignore"):
                f, values = self.evaluate(self.start, *self.args)
        except TypeError as error:
            if host_refused(error):
                raise _on_device(error) from error
            raise
        self._refuse_recorded(f, values)
        host_result(f, "f")
        for block, value in zip(self.own, values, strict=True):
            host_result(value, f"constraint {block.name!r}")
        if shape_of(f) != () or dtype_of(f).kind not in "fiu":
            what = f"f must return one real number, got {describe(f)}"
            raise refusal(ShapeError if shape_of(f) else DTypeError, what, defined_at(self.objective))
        for k, (block, value) in enumerate(zip(self.own, values, strict=True)):
            function = {**self.equalities, **self.inequalities}.get(block.name, self.objective)
            if dtype_of(value).kind not in "fiu":
                what = f"constraint {block.name!r} must return real numbers, got {describe(value)}"
                hint = (
                    "Write g(x) for g(x) ≤ 0, without the comparison." if dtype_of(value).kind == "b" else ""
                )
                raise refusal(DTypeError, what, hint, [defined_at(function)])
            if not np.all(np.isfinite(value)):
                raise self._not_finite(
                    f"constraint {block.name!r}", function, value,
                    lambda v, k=k: self.evaluate(v, *self.args)[1][k],
                )  # fmt: skip
        if not np.isfinite(f):  # after the constraints: one of them may be an intermediate value of f
            raise self._not_finite("f", self.objective, f, lambda v: self.evaluate(v, *self.args)[0])

    def _not_finite(self, what: str, function: Function, value: Any, of: Function) -> AdjointError:
        try:
            with np.errstate(all="ignore"):
                report = repr(nan_origin(of, self.start))
        except AdjointError:  # it says where, which is more than nothing, but must not hide what
            report = ""
        shown = f"{float(value)}" if shape_of(value) == () else "not finite"
        return refusal(
            DomainError, f"{what} is {shown} at x0", f"Start where it is defined.\n  {report}".rstrip(),
            [defined_at(function)],
        )  # fmt: skip

    # ---------------------------------------------------------------------------------- answers
    def constraints(
        self, h: np.ndarray, g: np.ndarray, nu: np.ndarray, mu: np.ndarray, active: np.ndarray
    ) -> dict[str, Constraint]:
        """The constraints by name, in the user's shapes; bounds in the containers of x."""
        found = {}
        for b in self.own:
            value, lam = (h, nu) if b.relation == "=" else (g, mu)
            binds = np.ones(b.shape, bool) if b.relation == "=" else np.reshape(active[b.rows], b.shape)
            found[b.name] = Constraint(
                b.relation,
                np.reshape(value[b.rows], b.shape)[()],
                np.reshape(lam[b.rows], b.shape)[()],
                binds[()],
            )
        return found | self._bounds(g, nu, mu, active)

    def _bounds(
        self, g: np.ndarray, nu: np.ndarray, mu: np.ndarray, active: np.ndarray
    ) -> dict[str, Constraint]:
        fixed, *sides = self.bound_blocks
        found = {}
        for block, index, limit, sign in zip(
            sides, (self.below, self.above), (self.lower, self.upper), (-1, 1), strict=True
        ):
            if not (len(index) or len(self.fixed)):
                continue
            if not np.any(np.isfinite(limit)):
                continue
            value, lam, binds = np.full(self.n, -np.inf), np.zeros(self.n), np.zeros(self.n, bool)
            value[index], lam[index], binds[index] = g[block.rows], mu[block.rows], active[block.rows]
            pull = np.maximum(sign * nu[fixed.rows], 0.0)  # of an equality, the side that pushes
            value[self.fixed], lam[self.fixed], binds[self.fixed] = 0.0, pull, pull > 0
            found[block.name] = Constraint(
                block.relation, *(self.unflatten(part) for part in (value, lam, binds))
            )
        return found


def _on_device(error: TypeError) -> DTypeError:
    """The error for functions that take arrays of a device from their surroundings."""
    what = "f or a constraint computes with an array of a device, and minimize calls them with x on the host"
    remedy = "Copy what they take from their surroundings to the host first: cupy.asnumpy(…)."
    origin = origin_of(error)
    return refusal(DTypeError, what, remedy, [f"they meet at {origin.place}:  {origin.source}"])
