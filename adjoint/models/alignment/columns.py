"""Which columns of a score file mean what, and the blocks of numbers that its readers hand over."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import format_error
from ..base import DataError, Floats

Digests = NDArray[np.uint64]


@dataclass(frozen=True)
class Columns:
    """Names of columns.

    Attributes:
        reward: what is maximised.
        utilities: what the constraints speak of.
        prompt: rows with the same value here are responses to the same prompt.
        response: the response itself; only exports need it, so a file may lack the default one.
        id: each row's own name, which must not occur twice; None: rows have none.
        log_base: log π_ref − log μ when responses were sampled from μ; None: sampled from π_ref.
    """

    reward: str
    utilities: tuple[str, ...] = ()
    prompt: str = "prompt"
    response: str | None = None
    id: str | None = None
    log_base: str | None = None

    @property
    def numeric(self) -> tuple[str, ...]:
        """The columns of numbers, each once."""
        names = (self.reward, *self.utilities, *((self.log_base,) if self.log_base else ()))
        return tuple(dict.fromkeys(names))

    def checked(self, there: Sequence[str], place: str, grouped: bool) -> Columns:
        """The same with the response column decided, once the columns that are there are known.

        Args:
            there: names in the file.
            place: "scores.jsonl", or "row 3 of scores.jsonl".
            grouped: one row holds all responses of a prompt, so that "responses" is the usual name.

        Raises:
            DataError: a column is missing, or one is named for two ends.
        """
        response = self.response
        if response is None:
            usual = ("responses", "response") if grouped else ("response",)
            response = next((name for name in usual if name in there), None)
        wanted = [self.prompt, *self.numeric, *(n for n in (response, self.id) if n)]
        missing = [name for name in wanted if name not in there]
        if missing:
            raise missing_column(missing[0], there, place)
        for what, name in (("responses", response), ("ids", self.id)):
            if name == self.prompt:
                raise complaint(
                    f"{name!r} is named as the column of prompts and of {what}",
                    "A prompt has several responses, so that these are two columns.",
                )
        for what, name in (("prompts", self.prompt), ("responses", response), ("ids", self.id)):
            if name in self.numeric:
                raise complaint(f"{name!r} is named as the column of {what} and as a score")
        return Columns(self.reward, self.utilities, self.prompt, response, self.id, self.log_base)


class Block(NamedTuple):
    """Some successive rows of a file, as numbers.

    Attributes:
        keys: (runs, 2), the digest of the prompt of each run of rows with the same prompt.
        lengths: (runs,) int64, how many responses each run has.
        records: (records,) int64, how many responses each row of the file has; all 1 in the long form.
        values: numeric column → (n,) float64.
        ids: (n, 2) digests of the ids, or None.
    """

    keys: Digests
    lengths: NDArray[np.int64]
    records: NDArray[np.int64]
    values: dict[str, Floats]
    ids: Digests | None


def complaint(what: str, remedy: str = "") -> DataError:
    """An error about a file, which says what is wrong where, and what to do."""
    return DataError(format_error(what, remedy=remedy))


def missing_column(name: str, there: Iterable[str], place: str) -> DataError:
    """The error for a column that is not in the file, with the nearest name that is."""
    there = [str(n) for n in there]
    near = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(there[:20]) + (", …" if len(there) > 20 else "")
    return complaint(f"{place} has no column {name!r}", f"{hint} It has {listed or 'none'}.".strip())


def digest(value: Any) -> bytes:
    """Sixteen bytes that stand for a prompt or an id, so that its text need not be kept.

    Text, numbers, and conversations (lists of messages) alike; two of 10⁷ agree by chance with odds of 10⁻²⁵.
    """
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
    else:
        data = b"\0" + json.dumps(value, sort_keys=True, default=str).encode()
    return hashlib.blake2b(data, digest_size=16).digest()


def digests(values: Iterable[Any]) -> Digests:
    """(n, 2) digests of many values."""
    return np.frombuffer(b"".join(map(digest, values)), np.uint64).reshape(-1, 2)


def runs(indices: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Where runs of equal entries begin, and how long they are.

    >>> starts, lengths = runs(np.array([5, 5, 2, 5]))
    >>> print(starts, lengths)
    [0 2 3] [2 1 1]
    """
    changed = indices[1:] != indices[:-1]
    if changed.ndim > 1:
        changed = changed.any(axis=1)
    starts = np.concatenate([[0], np.flatnonzero(changed) + 1])[: len(indices)]
    return starts, np.diff(np.append(starts, len(indices))).astype(np.int64)


def check_finite(values: dict[str, Floats], rows: NDArray[np.int64], file: str, by: str) -> None:
    """Refuse NaN and infinite scores.

    Args:
        values: numeric column → (n,).
        rows: (n,) the row of the file that each came from, counted from 1.
        file: its name.
        by: what rows are called there, "line" or "row".

    Raises:
        DataError: with the number of the first such row.
    """
    for name, column in values.items():
        finite = np.isfinite(column)
        if not finite.all():
            k = int(np.argmin(finite))
            raise complaint(
                f"{by} {rows[k]} of {file}: {name} is {column[k]}",
                f"Every score must be finite; leave out responses without a score "
                f"({int(np.sum(~finite))} such here and in the rows that follow).",
            )
