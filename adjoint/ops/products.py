"""Products of arrays: matmul and einsum."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .abstract import Abstract, broadcast_shape
from .broadcast import Shape, common_dtype, fit, reshape_to
from .formula import PRODUCT, TOP, Formula, call
from .primitive import Args, Primitive, Samples, add_all, register, shape_of
from .shape import swap_last


class MatMul(Primitive):
    """z = x @ y, vectors and stacks of matrices included."""

    name = "matmul"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [
            ((rng.standard_normal(x), rng.standard_normal(y)), {})
            for x, y in (
                ((2, 3), (3, 4)),
                ((3,), (3,)),
                ((3,), (2, 3, 4)),
                ((2, 3), (3,)),
                ((5, 1, 2, 3), (4, 3, 2)),
            )
        ]

    def value(self, x: Any, y: Any) -> Any:
        return np.matmul(x, y)

    def abstract(self, x: Any, y: Any) -> Abstract:
        return Abstract(_matmul_shape(shape_of(x), shape_of(y)), common_dtype((x, y)))

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        x, y = args
        return add_all((
            None if dots[0] is None else matmul(dots[0], y),
            None if dots[1] is None else matmul(x, dots[1]),
        ))  # fmt: skip

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        x, y = args
        shape_x, shape_y = shape_of(x), shape_of(y)
        # a vector is a matrix with one row (x) or one column (y)
        rows, columns = shape_x[-2:-1] or (1,), shape_y[-1:] if len(shape_y) > 1 else (1,)
        shape_z = shape_of(lam)
        batch = shape_z[: len(shape_z) - (len(shape_x) > 1) - (len(shape_y) > 1)]
        lam = reshape_to(lam, (*batch, *rows, *columns))
        x = reshape_to(x, (1, *shape_x)) if len(shape_x) == 1 else x
        y = reshape_to(y, (*shape_y, 1)) if len(shape_y) == 1 else y
        lam_x = lam_y = None
        if wanted[0]:
            lam_x = reshape_to(fit(matmul(lam, swap_last(y)), x), shape_x)
        if wanted[1]:
            lam_y = reshape_to(fit(matmul(swap_last(x), lam), y), shape_y)
        return lam_x, lam_y

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        (x, y) = (shape_of(a) for a in args)
        if not x or not y:
            return f"matmul needs arrays of at least one dimension: {x} @ {y}", "Use * for scalars."
        inner = y[-2] if len(y) > 1 else y[0]
        if x[-1] == inner:
            return f"matmul needs leading axes that broadcast: {x} @ {y}", ""
        hints = []
        if len(y) > 1 and x[-1] == y[-1]:
            hints.append("the second operand transposed (.T)")
        if len(x) > 1 and x[-2] == inner:
            hints.append("the first operand transposed (.T)")
        hints.append(f"a first operand of {inner} columns")
        return f"matmul needs inner sizes to agree: {x} @ {y}", f"Did you mean {', or '.join(hints)}?"

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        return Formula("times", operands[0].inside(PRODUCT), operands[1].inside(PRODUCT))  # x x is no square

    def adjoint_formulas(
        self, operands: Sequence[Formula], z: Formula, lam: Formula, params: dict[str, Any]
    ) -> Sequence[Formula | None]:
        x, y = operands
        return Formula("times", lam, y.raised(TOP)), Formula("times", x.raised(TOP), lam)


matmul = register(MatMul())


@lru_cache(maxsize=8192)
def _matmul_shape(x: Shape, y: Shape) -> Shape:
    if not x or not y or x[-1] != y[max(-2, -len(y))]:
        raise ValueError(f"matmul needs inner sizes to agree: {x} @ {y}")
    return (*broadcast_shape([x[:-2], y[:-2]]), *x[-2:-1], *(y[-1:] if len(y) > 1 else ()))


def chain(*factors: Any) -> Any:
    """The product of several (stacks of) matrices, in the order that takes the fewest multiplications."""
    sizes = (shape_of(factors[0])[-2], *(shape_of(f)[-1] for f in factors))

    def product(first: int, last: int) -> Any:
        if first == last:
            return factors[first]
        k = _best_split(sizes[first : last + 2])[1]
        return matmul(product(first, first + k), product(first + k + 1, last))

    return product(0, len(factors) - 1)


@lru_cache(maxsize=4096)
def _best_split(sizes: tuple[int, ...]) -> tuple[int, int]:
    """Multiplications of a chain of matrices sizes[k] × sizes[k + 1], and the factor to split it after."""
    n = len(sizes) - 1
    if n == 1:
        return 0, 0
    return min(
        (
            _best_split(sizes[: k + 2])[0]
            + _best_split(sizes[k + 1 :])[0]
            + sizes[0] * sizes[k + 1] * sizes[-1],
            k,
        )
        for k in range(n - 1)
    )


class Einsum(Primitive):
    """z = einsum; explicit subscripts, no ellipsis, no letter twice in an operand (the front end's work)."""

    name = "einsum"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [
            (
                (rng.standard_normal((2, 3)), rng.standard_normal((3, 4)), rng.standard_normal(2)),
                {"subscripts": "ij,jk,i->k"},
            )
        ]

    def value(self, *args: Any, subscripts: str) -> Any:
        return np.einsum(subscripts, *args, optimize=len(args) > 2)

    def abstract(self, *args: Any, subscripts: str) -> Abstract:
        shapes = tuple(shape_of(a) for a in args)
        return Abstract(_einsum_shape(subscripts, shapes), common_dtype(args))

    def tangent(self, args: Args, z: Any, dots: Args, subscripts: str) -> Any:
        return add_all(
            [
                None if dot is None else einsum(*args[:k], dot, *args[k + 1 :], subscripts=subscripts)
                for k, dot in enumerate(dots)
            ]
        )

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool], subscripts: str) -> Sequence[Any]:
        inputs, output = subscripts.split("->")
        letters = inputs.split(",")
        return [
            self._pull(k, args, lam, letters, output) if want else None
            for k, want in zip(range(len(args)), wanted, strict=True)
        ]

    def _pull(self, k: int, args: Args, lam: Any, letters: list[str], output: str) -> Any:
        """Contract λ with the other operands; letters that only operand k has are spread back."""
        others = [a for j, a in enumerate(args) if j != k]
        words = [w for j, w in enumerate(letters) if j != k]
        known = set(output).union(*words)
        kept = "".join(c for c in letters[k] if c in known)
        contribution = einsum(lam, *others, subscripts=",".join([output, *words]) + "->" + kept)
        sizes = dict(zip(kept, shape_of(contribution), strict=True))
        contribution = reshape_to(contribution, tuple(sizes.get(c, 1) for c in letters[k]))
        return fit(contribution, args[k])

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        inputs, output = params["subscripts"].split("->")
        sizes: dict[str, set[int]] = {}
        for word, a in zip(inputs.split(","), args, strict=True):
            for c, n in zip(word, shape_of(a), strict=True):
                sizes.setdefault(c, set()).add(n)
        for c, found in sizes.items():
            if len(found - {1}) > 1:
                listed = " and ".join(str(n) for n in sorted(found - {1}))
                return f"einsum {params['subscripts']!r}: letter {c!r} stands for sizes {listed}", ""
        unknown = [c for c in output if c not in sizes]
        if unknown:
            return f"einsum {params['subscripts']!r}: output letter {unknown[0]!r} is in no operand", ""
        return super().diagnose(args, params, error)

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        subscripts = Formula("text", params["subscripts"].replace("->", "→"))
        return Formula("subscript", call("einsum", *operands), subscripts)


einsum = register(Einsum())


@lru_cache(maxsize=1024)
def _einsum_shape(subscripts: str, shapes: tuple[Shape, ...]) -> Shape:
    inputs, output = subscripts.split("->")
    sizes: dict[str, int] = {}
    for word, shape in zip(inputs.split(","), shapes, strict=True):
        for c, n in zip(word, shape, strict=True):
            known = sizes.setdefault(c, n)
            if n != known and 1 not in (n, known):
                raise ValueError(f"einsum {subscripts!r}: letter {c!r} stands for sizes {known} and {n}")
            sizes[c] = n if known == 1 else known
    if not set(output) <= set(sizes):
        raise ValueError(f"einsum {subscripts!r}: the output has a letter that is in no operand")
    return tuple(sizes[c] for c in output)
