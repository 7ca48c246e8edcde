"""What a constraint can be: a primitive `z = f(x_0, …, x_k; params)` with value, tangent and adjoint.

A primitive is called like a function. On plain arrays it computes; as soon as one operand is *recorded* (a
handle on some tape) the youngest tape among the operands records the call and its value is the same primitive
applied to the operands' values, which may themselves be recorded on an older tape. That one rule gives
derivatives of any order.

Two kinds exist. An elementwise primitive is one row of the table in `elementwise.py`. A structured primitive
is one small class like those in `shape.py`, with adjacent

    value(*args, **params)                    z, from plain NumPy arrays and Python scalars
    tangent(args, z, dots, **params)          ż = Σ_k (∂f/∂x_k) ẋ_k      (a dot that is None is zero)
    adjoint(args, z, lam, wanted, **params)   (∂f/∂x_k)ᵀ λ for every k   (None is zero; wanted[k] False: skip)
    abstract(*args, **params)                 shape and dtype of z, when only those of the operands are known

Rules are written with primitives and Python operators only, so they can be recorded in turn. λ has exactly
the shape and dtype of z, and (∂f/∂x_k)ᵀ λ those of x_k. A primitive with several results returns a tuple,
and its λ is a tuple too.

Complex numbers: λ and ż are paired by ⟨λ, ż⟩ = Re Σ λ ż, without conjugation. So the adjoint of ż = c ẋ is
cλ, every transpose is the plain one, and the gradient of a real ℓ of x + iy is ∂ℓ/∂x − i ∂ℓ/∂y.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import numpy as np

from ..errors import AdjointError, RuleError, ShapeError, refusal
from .abstract import Abstract, abstract_of
from .device import (
    as_array,
    host_numbers,
    host_refused,
    mixed,
    module_of,
    of_special,
    on_host,
    refused_mixture,
)
from .formula import ATOM, TOP, Formula, call, word

FLOAT64 = np.dtype(np.float64)
NO_PARAMS: dict[str, Any] = {}  # shared by every node without parameters

Args = Sequence[Any]
Samples = list[tuple[tuple[Any, ...], dict[str, Any]]]  # (operands, parameters) pairs


class Recorder(Protocol):
    """What a primitive asks of a tape."""

    level: int

    def apply(self, op: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Record `op` on `args` and return the handle of its result."""


class Recorded:
    """An operand that some tape records: a handle made of a tape and an index.

    What a user holds is its subclass `Variable`.
    """

    __slots__ = ("index", "tape")
    tape: Any
    index: int


class Primitive:
    """A differentiable function that one node of a tape can hold."""

    name: str
    results = 1  # more than one: value returns a tuple of that many arrays
    foreign = False  # rules from outside the library: their results are checked, their exceptions pass
    lower: Any = None  # a function of the operands that writes z with simpler primitives, for compilation
    kinds: Mapping[Any, Any] = MappingProxyType({})  # of operands → of the result; elementwise ones fill it
    kink = ""  # where the derivative does not exist, and the convention taken there

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Compute on plain operands; record when one of them is recorded."""
        tape: Recorder | None = None
        for a in args:
            if isinstance(a, Recorded) and (tape is None or a.tape.level > tape.level):
                tape = a.tape
        if tape is not None:
            return tape.apply(self, args, params)
        try:
            return self.value(*args, **params)
        except TypeError as error:
            if isinstance(error, AdjointError):
                raise
            if mixed(args) and (not self.foreign or host_refused(error)):
                raise refused_mixture(self.name, args) from None
            numbers = None if self.foreign else host_numbers(list(args))
            if numbers is None:
                raise
            return self.value(*numbers, **params)

    def value(self, *args: Any, **params: Any) -> Any:
        """The result, from plain operands."""
        raise NotImplementedError

    def abstract(self, *args: Any, **params: Any) -> Abstract | tuple[Abstract, ...]:
        """Shape and dtype of the result, from operands some of which are abstract.

        A rule from outside is tried on arrays of ones; a rule of the library says it.
        """
        filled = [np.ones(a.shape, a.dtype)[()] if type(a) is Abstract else a for a in args]
        with np.errstate(all="ignore"):
            z = self.value(*filled, **params)
        return tuple(map(abstract_of, z)) if isinstance(z, tuple) else abstract_of(z)

    def tangent(self, args: Sequence[Any], z: Any, dots: Sequence[Any], **params: Any) -> Any:
        """The pushforward ż of the operands' tangents; None entries of `dots` are zero."""
        raise NotImplementedError

    def adjoint(
        self, args: Sequence[Any], z: Any, lam: Any, wanted: Sequence[bool], **params: Any
    ) -> Sequence[Any]:
        """The pullback of λ: one contribution per operand, None where it is zero or not wanted."""
        raise NotImplementedError

    def pull(
        self,
        table: list[Any],
        parents: Sequence[int],
        args: Sequence[Any],
        z: Any,
        lam: Any,
        params: dict[str, Any],
    ) -> None:
        """One step of the adjoint sweep: add what `adjoint` returns to the table of multipliers.

        Args:
            table: λ by node; None is zero.
            parents: the operands' nodes, −1 for a constant.
            args: the operands' values.
            z: the node's value.
            lam: the node's λ.
            params: the node's parameters.
        """
        contributions = self.adjoint(args, z, lam, [p >= 0 for p in parents], **params)
        for p, c in zip(parents, contributions, strict=True):
            if c is not None and p >= 0:
                known = table[p]
                table[p] = c if known is None else accumulate(known, c)

    def diagnose(self, args: Sequence[Any], params: dict[str, Any], error: Exception) -> tuple[str, str]:
        """What to say, and what to advise, when `value` raised `error`."""
        return f"{self.name}: {error}", ""

    def samples(self, rng: np.random.Generator) -> Samples:
        """Operands and parameters on which `check.rule` tries the rules."""
        return []

    def unique(self, z: Any) -> Any:
        """What `check.rule` checks of the result: all of it, but for phases and the like (eigenvectors)."""
        return z

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        """The right-hand side of `z = f(…)`, which `Formula` writes as LaTeX and as MathML."""
        return call(self.name, *operands)

    def adjoint_formulas(
        self, operands: Sequence[Formula], z: Formula, lam: Formula, params: dict[str, Any]
    ) -> Sequence[Formula | None]:
        """What the pullback adds to the λ of each operand; None where that is nothing.

        Args:
            operands: symbols of the operands.
            z: symbol of the result.
            lam: symbol of its multiplier.
            params: the node's parameters.
        """
        derivatives = (Formula("derivative", z, x) for x in operands)
        return [
            Formula("multiple", Formula("parentheses", each).raised(TOP), lam.inside(ATOM))
            for each in derivatives
        ]

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return (_named, (self.name,)) if PRIMITIVES.get(self.name) is self else super().__reduce__()


class Linear(Primitive):
    """A primitive linear in its first operand, given by `value` and `transpose`: it is its own tangent."""

    def tangent(self, args: Sequence[Any], z: Any, dots: Sequence[Any], **params: Any) -> Any:
        """ż = f(ẋ)."""
        return self(dots[0], *args[1:], **params)

    def adjoint(
        self, args: Sequence[Any], z: Any, lam: Any, wanted: Sequence[bool], **params: Any
    ) -> Sequence[Any]:
        """Fᵀλ."""
        return (self.transpose(lam, *args, **params), *(None,) * (len(args) - 1))

    def transpose(self, lam: Any, *args: Any, **params: Any) -> Any:
        """Fᵀλ, with the shape and dtype of the first operand."""
        raise NotImplementedError

    def adjoint_formulas(
        self, operands: Sequence[Formula], z: Formula, lam: Formula, params: dict[str, Any]
    ) -> Sequence[Formula | None]:
        """Fᵀ(λ)."""
        transposed = Formula("call", word(self.name).raised(TOP), lam)
        return (transposed, *(None,) * (len(operands) - 1))


class Item(Linear):
    """One result of a primitive that has several: z = x[k]."""

    name = "item"

    def value(self, x: Any, k: int, results: int) -> Any:
        return x[k]

    def abstract(self, x: Any, k: int, results: int) -> Abstract:
        return abstract_of(x[k])

    def transpose(self, lam: Any, x: Any, k: int, results: int) -> Any:
        return tuple(lam if j == k else None for j in range(results))

    def tangent(self, args: Sequence[Any], z: Any, dots: Sequence[Any], k: int, results: int) -> Any:
        return dots[0][k]

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        return Formula("item", operands[0].inside(ATOM), Formula("name", str(params["k"])))


PRIMITIVES: dict[str, Primitive] = {}  # name → primitive, in the order of definition


P = TypeVar("P", bound=Primitive)


def register(op: P, *, replace: bool = False) -> P:
    """Enter a primitive in the registry under its name.

    Args:
        op: the primitive.
        replace: let it take the place of a foreign one of that name (a notebook's cell run again).

    Raises:
        RuleError: the name is taken, or a rule lacks its twin (a tangent without an adjoint, or the reverse).
    """
    known = PRIMITIVES.get(op.name)
    if known is not None and not (replace and known.foreign):
        remedy = "pass replace=True, or choose another name" if known.foreign else "choose another name"
        raise RuleError(f"a primitive named {op.name!r} is registered already; {remedy}")
    kind = type(op)
    rules = ("value", "transpose") if isinstance(op, Linear) else ("value", "tangent", "adjoint")
    for rule in rules:
        if getattr(kind, rule) is getattr(Linear if rule == "transpose" else Primitive, rule):
            raise RuleError(
                f"primitive {op.name!r} has no {rule} rule; a rule without its twin cannot be registered"
            )
    PRIMITIVES[op.name] = op
    return op


def _named(name: str) -> Primitive:
    return PRIMITIVES[name]


item = register(Item())


class NumpyReading:
    """Rows read as NumPy: `m.tanh` is `np.tanh`, `m.erf` is `scipy.special.erf`, imported on first use.

    What neither of them has is the primitive of that name, which computes on plain values. Arrays of a
    device are read the same way: NumPy hands them on to cupy, `of_special` does for scipy.special.
    """

    def __getattr__(self, name: str) -> Any:
        function = getattr(np, name, None)
        if function is None:
            from scipy import special

            function = getattr(special, name, None)
            if function is None:
                return getattr(RECORD, name)
            function = of_special(function, name)
        setattr(self, name, function)
        return function

    @staticmethod
    def where(condition: Any, x: Any, y: Any) -> Any:
        """A Python bool chooses, so that Python scalars stay Python scalars."""
        return (x if condition else y) if type(condition) is bool else np.where(condition, x, y)[()]

    @staticmethod
    def indicator(condition: Any, like: Any) -> Any:
        """1 where the condition holds, else 0, in the dtype of `like`; the two broadcast."""
        z = as_array(condition).astype(dtype_of(like))
        shape = shape_of(like)
        return (z if z.shape == shape else z + module_of(condition, like).zeros(shape, z.dtype))[()]

    @staticmethod
    def promoted(x: Any, z: Any) -> Any:
        """x in the precision of z.

        A partial that is made of one operand alone would have that operand's: beside float64, 1/y of a
        float32 y is off by 1e-8, log y of a uint8 by 1e-3.
        """
        if type(x) is float or (type(x) is type(z) and (type(z) is not np.ndarray or x.dtype is z.dtype)):
            return x
        kind = _wider(x, z)
        return x if kind is None else as_array(x, kind)[()]


def _wider(x: Any, z: Any) -> np.dtype[Any] | None:
    """The real or complex dtype of z's precision to which x is to be promoted, if that is not its own."""
    if type(x) in (int, float, complex):  # they take any precision
        return None
    own, kind = dtype_of(x), dtype_of(z)
    if kind.kind == "c" and own.kind != "c":
        kind = real_dtype(kind)
    return kind if own != kind and np.can_cast(own, kind) else None


class RecordReading:
    """Rows read as recordings: `m.tanh` is the primitive of that name."""

    @staticmethod
    def promoted(x: Any, z: Any) -> Any:
        """As `NumpyReading.promoted`."""
        kind = _wider(x, z)
        return x if kind is None else RECORD.astype(x, dtype=kind)

    def __getattr__(self, name: str) -> Primitive:
        op = PRIMITIVES.get(name)
        if op is None:
            raise AttributeError(f"no primitive is named {name!r}")
        if not op.foreign:  # what the user registers may be replaced
            setattr(self, name, op)
        return op


NUMPY: Any = NumpyReading()
RECORD: Any = RecordReading()


def shape_of(x: Any) -> tuple[int, ...]:
    """Shape of an array, a Variable or a scalar."""
    try:
        return x.shape
    except AttributeError:
        return np.shape(x)


def dtype_of(x: Any) -> np.dtype[Any]:
    """Dtype of an array, a Variable or a scalar; a Python float counts as float64."""
    try:
        return x.dtype
    except AttributeError:
        return FLOAT64 if type(x) is float else np.asarray(x).dtype


def real_dtype(kind: np.dtype[Any]) -> np.dtype[Any]:
    """The real dtype of the same precision: float32 of complex64; a real one is its own."""
    return np.empty(0, kind).real.dtype


def parts(x: Any) -> tuple[Any, ...]:
    """The results of a node: those of a tuple, or the one."""
    return x if isinstance(x, tuple) else (x,)


def zeros_like(x: Any) -> Any:
    """Plain zeros of x's shape and dtype (float64 for what is neither float nor complex), where x is."""
    kind = dtype_of(x)
    return beside(x).zeros(shape_of(x), kind if kind.kind in "fc" else np.float64)[()]


def innermost(x: Any) -> Any:
    """The plain value below every level of recording."""
    while isinstance(x, Recorded):
        x = x.tape.values[x.index]
    return x


def beside(*xs: Any) -> Any:
    """The module that makes new arrays where these values are, at any level of recording: numpy or cupy."""
    return module_of(*map(innermost, xs)) if "cupy" in sys.modules else np


def plain_on_host(x: Any) -> Any:
    """The plain value below every level of recording, as NumPy's: for what reads numbers to report them."""
    return on_host(innermost(x))


def normalize_axis(axis: Any, ndim: int) -> tuple[int, ...]:
    """Axes as a sorted tuple of non-negative ints; None means all of them.

    Raises:
        ShapeError: an axis out of range or repeated.
    """
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    for a in axes:
        if not -ndim <= a < ndim:
            raise refusal(ShapeError, f"axis {a} is out of range for an array of {ndim} dimensions")
    result = tuple(sorted(int(a) % ndim for a in axes))
    if len(set(result)) != len(result):
        raise refusal(ShapeError, f"axis {axis} names a dimension twice")
    return result


def accumulate(a: Any, b: Any) -> Any:
    """a + b; tuples (the λ of a primitive with several results) entry by entry, None being zero."""
    if type(a) is tuple:
        return tuple(y if x is None else x if y is None else x + y for x, y in zip(a, b, strict=True))
    return a + b


def add_all(terms: Sequence[Any]) -> Any:
    """The sum of the terms that are not None; None when all are (a structural zero)."""
    total = None
    for term in terms:
        if term is not None:
            total = term if total is None else total + term
    return total
