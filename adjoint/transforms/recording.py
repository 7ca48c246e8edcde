"""Running a plain function on a fresh tape: what transforms start with, and their results end with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import (
    DTypeError,
    Origin,
    ShapeError,
    TreeError,
    describe,
    format_error,
    refusal,
    user_instruction,
)
from ..ops.device import adopted, as_array, is_array, mixed, on_device
from ..ops.primitive import Recorded, dtype_of, innermost, shape_of, zeros_like
from ..sweeps.adjoint import adjoint_sweep
from ..sweeps.tangent import tangent_sweep
from ..tape import Tape, Variable
from ..tape.trace import lifted

Argnum = int | Sequence[int]  # a position among the arguments, or several


class Recording:
    """One run of `f` with the arguments `argnum` recorded as parameters of a tape of its own."""

    def __init__(
        self, f: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], argnum: Argnum
    ) -> None:
        if not callable(f):
            raise TypeError(f"a transform needs a function, got {describe(f)}: write ad.grad(f)(x)")
        chosen = pick(args, argnum)
        self.structure = trees.flatten(chosen)[1]
        with Tape() as tape:
            handles = tape.parameter(chosen)
            inputs = trees.flatten(handles)[0]
            self.output = f(*replace(args, argnum, handles), **kwargs)
        self.tape = tape
        self.inputs: list[Variable] = inputs
        self.results, self.output_structure = trees.flatten(self.output)

    def is_ours(self, x: Any) -> bool:
        """Whether x is recorded on this tape (anything else is a constant to it)."""
        return isinstance(x, Recorded) and x.tape is self.tape

    def plain(self, x: Any) -> Any:
        """A result as the level above sees it, one level of recording removed."""
        return self.tape.values[x.index] if self.is_ours(x) else x

    def value(self) -> Any:
        """The output, one level of recording removed, in arrays of its own.

        The tape's may still be needed.
        """
        plain = [self.plain(x) for x in self.results]
        copies = [x.copy() if is_array(x) else x for x in plain]
        return trees.unflatten(self.output_structure, copies)

    def pull(self, cotangents: Sequence[Any]) -> list[Any]:
        """λ of every input, for one cotangent per output leaf (None is zero); zeros where nothing arrives."""
        seeds: dict[int, Any] = {}
        for x, lam in zip(self.results, cotangents, strict=True):
            if lam is not None and self.is_ours(x):
                lam = lam if isinstance(lam, Recorded) else lifted(lam, self.plain(x))
                seeds[x.index] = lam if x.index not in seeds else seeds[x.index] + lam
        lam = adjoint_sweep(self.tape, seeds, keep=False)
        found = [lam[x.index] if x.index < len(lam) else None for x in self.inputs]
        return own(
            [zeros_like(x) if g is None else g for x, g in zip(self.inputs, found, strict=True)], cotangents
        )

    def push(self, dots: Sequence[Any]) -> list[Any]:
        """The tangent of every output leaf, for one tangent per input leaf (None is zero)."""
        given = {
            x.index: d if isinstance(d, Recorded) else lifted(d, self.plain(x))
            for x, d in zip(self.inputs, dots, strict=True)
            if d is not None
        }
        z_dot = tangent_sweep(self.tape, given)
        found = [z_dot[x.index] if self.is_ours(x) else None for x in self.results]
        return own(
            [zeros_like(x) if t is None else t for x, t in zip(self.results, found, strict=True)], dots
        )

    def scalar_output(self, transform: str) -> Any:
        """The one output, checked to be a real scalar.

        Raises:
            ShapeError: it has more than one element.
            DTypeError: it is no number, or not floating point.
        """
        if len(self.results) != 1 or self.output_structure != trees.LEAF:
            what = f"{transform} needs a function that returns one scalar, not {describe(self.output)}"
            remedy = "Return the loss alone; grad_and_aux takes (loss, aux). Is a `return` missing?"
            raise refusal(DTypeError, what, remedy)
        x = self.results[0]
        if np.prod(shape_of(x), dtype=int) != 1:
            remedy = "Reduce it (np.sum, np.mean), or use jacobian, elementwise_grad or make_vjp."
            raise ShapeError(
                self._complaint(x, f"{transform} needs a scalar output, got shape {shape_of(x)}", remedy),
            )
        kind = dtype_of(x).kind
        if kind != "f":
            remedy = (
                "Return its np.real, np.imag or np.abs; holomorphic_grad gives the complex derivative."
                if kind == "c"
                else "Integers, booleans and rounded values have no derivative; return a float."
            )
            raise DTypeError(
                self._complaint(x, f"{transform} needs a float output, got {dtype_of(x)}", remedy)
            )
        return x

    def array_outputs(self, transform: str) -> list[Any]:
        """The leaves of the output, checked to be numbers, at least one.

        Raises:
            DTypeError: there is none, or one is something else.
        """
        odd = [x for x in self.results if dtype_of(x).kind not in "fiubc"]
        if odd or not self.results:
            found = describe(odd[0] if odd else self.output)
            what = f"{transform} needs a function that returns arrays, not {found}"
            raise refusal(DTypeError, what, "" if odd else "Is a `return` missing?")
        return self.results

    def _complaint(self, x: Any, what: str, remedy: str) -> str:
        if not self.is_ours(x):
            return format_error(what, origin=Origin(*user_instruction()), remedy=remedy)
        origin, scope = self.tape.origin(x.index), self.tape.scope(x.index)
        return format_error(what, origin=origin, scope=scope, remedy=remedy)

    def check_like_output(self, cotangent: Any) -> list[Any]:
        """Leaves of a cotangent, checked against the output."""
        return check_leaves(cotangent, self.output_structure, self.results, "cotangent", "output")

    def check_like_input(self, tangent: Any) -> list[Any]:
        """Leaves of a tangent, checked against the recorded arguments."""
        return check_leaves(tangent, self.structure, self.inputs, "tangent", "argument")


def pick(args: Sequence[Any], argnum: Argnum) -> Any:
    """The arguments to differentiate: one, or a tuple of several.

    Raises:
        TreeError: there is no such argument, or it is named twice.
    """
    single = isinstance(argnum, (int, np.integer))
    chosen = (argnum,) if isinstance(argnum, (int, np.integer)) else argnum
    if not (isinstance(chosen, (tuple, list)) and all(isinstance(k, (int, np.integer)) for k in chosen)):
        raise TypeError(
            f"argnum must be a position or a tuple of positions, not {argnum!r}: write ad.grad(f)(x)"
        )
    if not all(-len(args) <= k < len(args) for k in chosen):
        count = f"{len(args)} positional argument{'s' if len(args) != 1 else ''}"
        what = f"argnum={argnum!r}, but the function was called with {count}"
        raise refusal(TreeError, f"{what}\n  Arguments to differentiate must be passed by position.")
    if len({k % len(args) for k in chosen}) < len(chosen):
        raise refusal(TreeError, f"argnum={argnum!r} names an argument twice")
    return args[chosen[0]] if single else tuple(args[k] for k in chosen)


def replace(args: Sequence[Any], argnum: Argnum, values: Any) -> list[Any]:
    """The arguments with those of `argnum` replaced."""
    result = list(args)
    if isinstance(argnum, (int, np.integer)):
        result[argnum] = values
    else:
        for k, value in zip(argnum, values, strict=True):
            result[k] = value
    return result


def check_leaves(
    given: Any, structure: trees.Structure, references: Sequence[Any], what: str, whose: str
) -> list[Any]:
    """Leaves of `given` in the shape and dtype of the references.

    Raises:
        TreeError: the containers differ.
        ShapeError: a leaf has another shape.
        DTypeError: a leaf is complex and its reference is real.
    """
    leaves, found = trees.flatten(given)
    if found != structure and trees.paths(found) != trees.paths(structure):  # a list may stand for a tuple
        raise refusal(
            TreeError, f"the {what} must have the structure of the {whose}: {structure}, got {found}"
        )
    checked = []
    for leaf, reference in zip(leaves, references, strict=True):
        if shape_of(leaf) != shape_of(reference):
            raise refusal(
                ShapeError,
                f"the {what} must have the shape of the {whose}: {shape_of(reference)}, got {shape_of(leaf)}",
            )
        kind = dtype_of(reference)
        if dtype_of(leaf).kind == "c" and kind.kind == "f":
            raise refusal(DTypeError, f"the {what} must be real, as the {whose} is; got {dtype_of(leaf)}")
        if not isinstance(leaf, Recorded) and kind.kind in "fc":
            leaf = as_array(adopted(leaf), kind)[()]
            if mixed((leaf, innermost(reference))):
                places = ("device", "host") if on_device(leaf) else ("host", "device")
                text = f"a leaf of the {what} is an array of the {places[0]}, that of the {whose} one of the"
                raise refusal(
                    DTypeError, f"{text} {places[1]}", "cupy.asarray(x) sends it there, x.get() back."
                )
        checked.append(leaf)
    return checked


def own(results: list[Any], others: Sequence[Any] = ()) -> list[Any]:
    """Results that the caller may write to.

    No views, nothing read-only, no array twice, none that was passed in.
    """
    seen = {id(x) for x in others}
    owned = []
    for x in results:
        if type(x) is np.ndarray and x.ndim == 0:
            x = x[()]  # NumPy's habit: a scalar in place of a 0-d array
        elif is_array(x):
            read_only = isinstance(x, np.ndarray) and not x.flags.writeable
            if id(x) in seen or x.base is not None or read_only:
                x = x.copy()
        seen.add(id(x))
        owned.append(x)
    return owned
