"""The Lagrangian of a recorded program as a formula, a line for each constraint, repeats as sums over k."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..ops.formula import NOTHING, TOP, Formula, aligned, letter, listed, name, number, subscript, word
from ..ops.primitive import Primitive, shape_of
from ..tape import Tape
from .repeats import repeats

CONSIDERED = 1000  # constraints that are written and searched for repeats; nobody reads more
SAVING = 4  # lines that a repeat must save
SUMS = (("k", 8), ("l", 64), ("m", CONSIDERED))  # index, and lines of a body at most: inner loops first


class Line(NamedTuple):
    """A term, how many constraints it stands for, and the term without the numbers in its names."""

    term: Formula
    constraints: int
    skeleton: str

    @classmethod
    def of(cls, term: Formula, constraints: int = 1) -> Line:
        """The line of a term."""
        return cls(term, constraints, _skeleton(term))


def typeset(tape: Tape, loss: int, lam: Sequence[Any], limit: int) -> Formula:
    """L(z, W, λ) = ℓ + Σ λ_iᵀ (f_i − z_i), of the constraints on which the loss depends.

    Args:
        tape: the record.
        loss: the loss's node.
        lam: of every node, None where there is none.
        limit: lines at most.
    """
    chosen = [(i, op) for i, op in enumerate(tape.operations) if op is not None and i < len(lam)]
    needed = [(i, op) for i, op in chosen if lam[i] is not None]
    lines = [Line.of(_term(tape, i, op)) for i, op in needed[:CONSIDERED]]
    lines = folded(lines, limit)
    shown = lines[:limit]
    rows: list[tuple[Formula, Formula]] = [(_head(), _symbol(tape, loss))]
    rows += [(NOTHING, Formula("term", line.term)) for line in shown]
    left = len(needed) - sum(line.constraints for line in shown)
    if left:
        rows.append((NOTHING, Formula("term", more(left))))
    return aligned(rows)


def _head() -> Formula:
    arguments = listed([letter("z"), letter("W"), letter("λ")])
    return Formula("defined", Formula("call", letter("ℒ"), arguments))


def more(left: int) -> Formula:
    """An ellipsis, and what it stands for."""
    return Formula("remark", Formula("text", f"{left} more"))


# ------------------------------------------------------------------------------------------ constraints
def _term(tape: Tape, i: int, op: Primitive) -> Formula:
    """λ_iᵀ (f_i − z_i)."""
    parents = tape.parents[i]
    constants = tape.constants[i] or (None,) * len(parents)
    operands = [_symbol(tape, p) if p >= 0 else _constant(c) for p, c in zip(parents, constants, strict=True)]
    z = _symbol(tape, i)
    residual = op.formula(operands, tape.params[i]) - z
    return Formula("times", _multiplier(tape, i, z), Formula("parentheses", residual))


def _symbol(tape: Tape, i: int) -> Formula:
    given = tape.names.get(i)
    return name(given) if given else subscript("x" if tape.operations[i] is None else "z", i)


def _multiplier(tape: Tape, i: int, z: Formula) -> Formula:
    index = z if tape.names.get(i) else Formula("name", str(i))
    value = tape.values[i]
    transposed = isinstance(value, tuple) or shape_of(value)
    lam = Formula("subscript", letter("λ"), index)
    return lam.raised(TOP) if transposed else lam


def _constant(c: Any) -> Formula:
    shape = np.shape(c)
    if shape:
        return Formula("subscript", letter("c"), Formula("text", "×".join(map(str, shape))))
    return scalar(c)


def scalar(c: Any) -> Formula:
    """A constant that is no array: a number, or else its text."""
    return number(float(c)) if np.asarray(c).dtype.kind in "fiu" else word(str(c))


# ---------------------------------------------------------------------------------------------- repeats
def folded(lines: list[Line], limit: int) -> list[Line]:
    """Bodies that follow themselves, and differ in numbers of names that grow evenly, as sums."""
    for index, longest in SUMS:
        lines = _folded(lines, index, longest, limit)
    return lines


def _folded(lines: list[Line], index: str, longest: int, limit: int) -> list[Line]:
    known: dict[str, int] = {}
    tokens = [known.setdefault(line.skeleton, len(known)) for line in lines]
    done: list[Line] = []
    at = 0
    for start, period, count in repeats(tokens, [1] * len(lines), SAVING, longest):
        found = None
        for first in (0, 1):  # the first turn often takes what comes from outside
            body = lines[start + first * period : start + count * period]
            found = _sum(body, period, index, limit) if count - first >= 3 else None
            if found is not None:
                done += [*lines[at : start + first * period], found]
                at = start + count * period
                break
    return done + lines[at:]


def _skeleton(f: Formula) -> str:
    """The formula without the numbers in its names."""
    if f.form == "name":
        return "'" + "".join(re.sub(r"\d+", "#", p) if isinstance(p, str) else _skeleton(p) for p in f.parts)
    return f"{f.form}({','.join(p if isinstance(p, str) else _skeleton(p) for p in f.parts)})"


def _sum(lines: Sequence[Line], period: int, index: str, limit: int) -> Line | None:
    """Σ over the turns of a body; None where the numbers in names do not grow evenly."""
    turns = len(lines) // period
    try:
        merged = [_merged([lines[k + t * period].term for t in range(turns)]) for k in range(period)]
    except _UnevenError:
        return None
    begin = next(_offsets(merged), 1)
    terms = [_indexed(f, index, begin) for f in merged]
    rows = [(NOTHING, term if k == 0 else Formula("term", term)) for k, term in enumerate(terms[:limit])]
    if period > limit:
        rows.append((NOTHING, Formula("term", more(period - limit))))
    body = aligned(rows) if len(rows) > 1 else terms[0]
    lower, upper = letter(index) == Formula("name", str(begin)), Formula("name", str(begin + turns - 1))
    return Line.of(Formula("turns", lower, upper, body), sum(line.constraints for line in lines))


class _UnevenError(Exception):
    """Numbers that do not grow evenly."""


def _merged(trees: Sequence[Formula]) -> Formula:
    """Formulas of one skeleton as one, in which a number that grows is `("growing", slope, start)`."""
    first = trees[0]
    if first.form == "name":
        pieces: list[Any] = []
        for column in zip(*(tree.parts for tree in trees), strict=True):
            pieces += _series(column) if isinstance(column[0], str) else [_merged(column)]
        return Formula("name", *pieces)
    columns = zip(*(tree.parts for tree in trees), strict=True)
    return Formula(first.form, *(c[0] if isinstance(c[0], str) else _merged(c) for c in columns))


def _series(texts: Sequence[str]) -> list[Any]:
    """`layer2/h`, `layer3/h`, … → `layer`, what grows from 2 by 1, `/h`."""
    if len(set(texts)) == 1:
        return [texts[0]]
    pieces: list[Any] = []
    for k, column in enumerate(zip(*(re.split(r"(\d+)", text) for text in texts), strict=True)):
        if k % 2 == 0:
            pieces += [column[0]] if column[0] else []
            continue
        values = [int(text) for text in column]
        slope = values[1] - values[0]
        if any(v != values[0] + slope * t for t, v in enumerate(values)):
            raise _UnevenError
        pieces.append(Formula("growing", str(slope), str(values[0])) if slope else column[0])
    return pieces


def _offsets(trees: Sequence[Formula]) -> Iterator[int]:
    """Where what grows by one begins: the sum's index begins there too."""
    for tree in trees:
        if tree.form == "growing":
            if tree.parts[0] == "1":
                yield int(tree.parts[1])
        else:
            yield from _offsets([part for part in tree.parts if isinstance(part, Formula)])


def _indexed(f: Formula, index: str, begin: int) -> Formula:
    """What grows, written in the index: `2 k + 3`."""
    if f.form != "growing":
        return Formula(f.form, *(p if isinstance(p, str) else _indexed(p, index, begin) for p in f.parts))
    slope, start = map(int, f.parts)
    shift = start - slope * begin
    multiple = letter(index)
    if abs(slope) != 1:
        multiple = Formula("multiple", Formula("name", str(abs(slope))), multiple)
    multiple = multiple if slope > 0 else -multiple
    if not shift:
        return multiple
    return Formula("add" if shift > 0 else "subtract", multiple, Formula("name", str(abs(shift))))
