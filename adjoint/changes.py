"""Changes of a program, ready made: another precision, rounded or pruned weights, a value replaced.

`ad.explain_difference(f, change, *args)` says which constraint's change moves the loss, and by how much.

    precision("float32")        every operation computes in that precision
    quantize(8)                 parameters rounded to integers of so many bits, one scale each
    prune(0.5)                  the smallest half of each parameter's entries set to zero
    replace({"h": 0.0})         a named value replaced by another, or by a function of itself
    combine(a, b)               one after the other

`at=` chooses where: patterns of names and of paths of scopes, "layer1/*" or ("layer1/*", "*/b").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np

from .errors import ShapeError, UnknownNameError, describe, refusal
from .ops.device import on_host
from .ops.primitive import dtype_of, shape_of
from .tape import Tape

At = str | Sequence[str]
EVERYWHERE = "*"
SIGNIFICAND = {"bfloat16": 8}  # bits, of a format that NumPy does not have; range as float32


class Site(NamedTuple):
    """One constraint z = f(operands) of the program as it is after the changes before it."""

    tape: Tape
    node: int
    operands: Sequence[Any]
    value: Any

    @property
    def role(self) -> str:
        """The roles "parameter" and "input"; empty for an operation."""
        return self.tape.roles.get(self.node, "")

    def among(self, at: At) -> bool:
        """Whether one of the patterns matches the constraint's name or the path of its scope."""
        name, scope = self.tape.names.get(self.node, ""), self.tape.scope(self.node)
        texts = [name, name.partition("#")[0], scope, f"{scope}/"]
        return any(fnmatchcase(text, p) for p in _patterns(at) for text in texts)


@dataclass(frozen=True)
class Change:
    """What a program is changed to.

    Attributes:
        words: what it does, for reports.
        rule: the new value at a site, in the old one's shape; None where nothing is changed.
        at: patterns, each of which must match something.
    """

    words: str
    rule: Callable[[Site], Any]
    at: At = EVERYWHERE

    def check(self, tape: Tape) -> None:
        """Refuse patterns that match no constraint of a tape.

        Raises:
            UnknownNameError: the message lists names and scopes.
        """
        sites = [Site(tape, i, (), None) for i in range(len(tape))]
        for pattern in _patterns(self.at):
            if not any(site.among(pattern) for site in sites):
                names = ", ".join(dict.fromkeys(tape.names.values())) or "none"
                scopes = ", ".join(dict.fromkeys(path for _, path in tape.scopes if path)) or "none"
                raise refusal(
                    UnknownNameError,
                    f"nothing in the program matches {pattern!r}; names: {names}; scopes: {scopes}",
                    'h = ad.name(h, "h") names a value, `with ad.scope("layer1"):` a part of the program.',
                )


def _patterns(at: At) -> Sequence[str]:
    return (at,) if isinstance(at, str) else tuple(at)


def _words(what: str, at: At) -> str:
    return what if at == EVERYWHERE else f"{what} at {', '.join(_patterns(at))}"


def precision(kind: str, *, at: At = EVERYWHERE) -> Change:
    """Compute in another floating-point precision: "float32", "float16" or "bfloat16".

    Every operation gets rounded operands and computes in that precision (sums too); inputs and parameters are
    rounded. What NumPy cannot compute in it, several results at once (eigh), and all of bfloat16, is computed
    in float64 and rounded. Complex values are rounded to complex64 by "float16" too: NumPy has none smaller.

    Raises:
        ValueError: there is no such precision.
    """
    if kind not in ("float32", "float16", *SIGNIFICAND):
        raise ValueError(f'precision is "float32", "float16" or "bfloat16", not {kind!r}')

    def rule(site: Site) -> Any:
        if not site.among(at) or dtype_of(site.value).kind not in "fc":
            return None
        op = site.tape.operations[site.node]
        if op is not None and kind not in SIGNIFICAND:
            try:
                operands = [_rounded(a, kind) for a in site.operands]
                z = op(*operands, **site.tape.params[site.node])
                if shape_of(z) == shape_of(site.value):
                    return _rounded(z, kind)
            except (TypeError, ValueError):  # no LAPACK in half precision, say
                pass
        return _rounded(site.value, kind)

    return Change(_words(kind, at), rule, at)


def _rounded(x: Any, kind: str) -> Any:
    """A float or complex x in the values of another precision; anything else as it is."""
    if isinstance(x, tuple):
        return tuple(_rounded(part, kind) for part in x)
    own = dtype_of(x).kind
    if own not in "fc" or type(x) in (int, float, complex):
        return x  # Python's numbers take any precision
    if kind in SIGNIFICAND:
        if own == "c":
            return _rounded(np.real(x), kind) + 1j * _rounded(np.imag(x), kind)
        mantissa, exponent = np.frexp(np.asarray(x, np.float64))
        unit = 2.0 ** SIGNIFICAND[kind]
        return np.ldexp(np.round(mantissa * unit) / unit, exponent).astype(np.float32)[()]
    if own == "c":
        return np.asarray(x, np.complex64)[()]
    return np.asarray(x).astype(kind)[()]


def quantize(bits: int = 8, *, at: At = EVERYWHERE, axis: int | None = None) -> Change:
    """Round parameters to signed integers of so many bits, symmetric, with one scale for each.

    Args:
        bits: 2 to 16; 8 keeps −127 … 127 times the scale max|W| / 127.
        at: which parameters.
        axis: one scale for each entry along this axis (each column of W (in, out) with −1) where a parameter
            of two axes or more has it; one scale elsewhere.
    """
    if not 2 <= bits <= 16:
        raise ValueError(f"bits must be from 2 to 16, got {bits}")

    def rule(site: Site) -> Any:
        if site.role != "parameter" or not site.among(at):
            return None
        w = np.asarray(site.value)
        others = None
        if axis is not None and w.ndim > 1 and -w.ndim <= axis < w.ndim:
            others = tuple(k for k in range(w.ndim) if k != axis % w.ndim)
        scale = np.max(np.abs(w), axis=others, keepdims=True, initial=0.0) / (2 ** (bits - 1) - 1)
        scale = np.where(scale > 0, scale, 1.0)
        return np.reshape(np.round(w / scale) * scale, w.shape)[()]

    return Change(_words(f"int{bits} parameters", at), rule, at)


def prune(share: float, *, at: At = EVERYWHERE) -> Change:
    """Set the smallest entries of each parameter to zero.

    Args:
        share: of the entries, from 0 to 1.
        at: which parameters.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1, got {share}")

    def rule(site: Site) -> Any:
        if site.role != "parameter" or not site.among(at):
            return None
        w = np.array(site.value)
        order = np.argsort(np.abs(w), axis=None, kind="stable")
        flat = w.reshape(-1)
        flat[order[: round(share * w.size)]] = 0
        return flat.reshape(w.shape)[()]

    return Change(_words(f"{100 * share:g} % of the parameters' entries zeroed", at), rule, at)


def replace(values: Mapping[str, Any]) -> Change:
    """Give named values others.

    Args:
        values: name → array or number that takes its place, or a function of the value as it is then.
    """
    if not isinstance(values, Mapping) or not values:
        raise TypeError(f"replace takes {{name: value}}, not {describe(values)}")

    def rule(site: Site) -> Any:
        key = next((k for k in values if site.among(k)), None)
        if key is None or dtype_of(site.value).kind not in "fc":
            return None
        given = values[key](site.value) if callable(values[key]) else values[key]
        try:
            return np.broadcast_to(np.asarray(on_host(given)), shape_of(site.value))[()]
        except ValueError:
            raise refusal(
                ShapeError, f"the value that replaces {key!r} must have shape {shape_of(site.value)}",
                operands=(describe(given, "given"),),
            ) from None  # fmt: skip

    return Change(f"{', '.join(values)} replaced", rule, tuple(values))


def combine(*changes: Change) -> Change:
    """Several changes, one after the other at each constraint."""

    def rule(site: Site) -> Any:
        found = None
        for change in changes:
            new = change.rule(site)
            if new is not None:
                found, site = new, site._replace(value=new)
        return found

    at = tuple(p for change in changes for p in _patterns(change.at))
    return Change(", ".join(change.words for change in changes), rule, at)
