"""Scores of sampled responses: what a constrained alignment is computed from.

N prompts, n responses in all; the responses of prompt x are the rows offsets[x] : offsets[x + 1], in every
column. Prompts may have different numbers of responses, one included.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ShapeError, refusal
from ...ops.sides import host_only
from ..base import DataError, Floats, _numbers

Offsets = NDArray[np.int64]


@host_only
@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """Reward and utilities of responses, grouped by prompt; checked when it is made.

    Attributes:
        offsets: (N + 1,) int64, rising from 0 to n: where each prompt's responses begin.
        reward: r (n,) float64.
        utilities: name → g (n,) float64.
        log_base: (n,) or None: log of each response's weight under the reference, up to a number per prompt.
            None for responses sampled from the reference itself; log π_ref − log μ if sampled from μ.
        prompts: N ids, or None.
        responses: n ids, or None.

    Raises:
        ShapeError: columns of other lengths, offsets that are no such integers, no rows.
        DataError: NaN or infinite scores, duplicate ids, a name that is not text, utilities without names.

    >>> from adjoint.models.alignment import Scores
    >>> Scores(np.array([0, 2, 5]), np.arange(5.0), {"safe": np.ones(5)})
    Scores: 2 prompts, 5 responses (2 to 3 per prompt); reward and "safe"
    """

    offsets: Offsets
    reward: Floats
    utilities: Mapping[str, Floats]
    log_base: Floats | None = None
    prompts: Sequence[Hashable] | None = None
    responses: Sequence[Hashable] | None = None

    def __post_init__(self) -> None:
        reward = _column(self.reward, "reward")
        offsets = _checked_offsets(self.offsets, len(reward))
        utilities: dict[str, Floats] = {}
        for name, values in _named(self.utilities).items():
            if not isinstance(name, str) or not name:
                raise refusal(DataError, f"names of utilities are text, and not empty: got {name!r}")
            utilities[name] = _column(values, f"utility {name!r}", len(reward))
        base = None if self.log_base is None else _column(self.log_base, "log_base", len(reward))
        for label, column in (("reward", reward), *((f"utility {k!r}", v) for k, v in utilities.items())):
            _check_finite(column, label, offsets, self.prompts)
        if base is not None:
            _check_finite(base, "log_base", offsets, self.prompts)
        checked = {"offsets": offsets, "reward": reward, "utilities": utilities, "log_base": base}
        for field, value in checked.items():
            object.__setattr__(self, field, value)
        self._check_ids()

    @classmethod
    def dense(
        cls, reward: ArrayLike, utilities: Mapping[str, ArrayLike], log_base: ArrayLike | None = None,
        *, prompts: Sequence[Hashable] | None = None, responses: Sequence[Hashable] | None = None,
    ) -> Scores:  # fmt: skip
        """From arrays (N, K): every prompt has K responses.

        Args:
            reward: (N, K).
            utilities: name → (N, K).
            log_base: (N, K) or None.
            prompts: N ids.
            responses: N·K ids, row by row.

        Raises:
            ShapeError: not (N, K).

        >>> from adjoint.models.alignment import Scores
        >>> Scores.dense(np.zeros((3, 4)), {"safe": np.ones((3, 4))}).counts
        array([4, 4, 4])
        """
        r = _numbers(reward, "reward")
        if r.ndim != 2 or not r.size:
            raise refusal(ShapeError, f"reward should be (N, K), prompts × responses, got {r.shape}")
        columns = {name: _numbers(g, f"utility {name!r}") for name, g in _named(utilities).items()}
        base = None if log_base is None else _numbers(log_base, "log_base")
        for label, column in [*((f"utility {k!r}", v) for k, v in columns.items()), ("log_base", base)]:
            if column is not None and column.shape != r.shape:
                raise refusal(ShapeError, f"{label} should be {r.shape}, as reward is, got {column.shape}")
        offsets = np.arange(len(r) + 1, dtype=np.int64) * r.shape[1]
        flat = {name: column.ravel() for name, column in columns.items()}
        return cls(offsets, r.ravel(), flat, None if base is None else base.ravel(), prompts, responses)

    @classmethod
    def ragged(
        cls, reward: Sequence[ArrayLike], utilities: Mapping[str, Sequence[ArrayLike]],
        log_base: Sequence[ArrayLike] | None = None, *,
        prompts: Sequence[Hashable] | None = None, responses: Sequence[Hashable] | None = None,
    ) -> Scores:  # fmt: skip
        """From one array per prompt, of any lengths ≥ 1.

        Args:
            reward: N arrays (K_x,).
            utilities: name → N arrays of the same lengths.
            log_base: N arrays of the same lengths, or None.
            prompts: N ids.
            responses: n ids, prompt by prompt.

        Raises:
            ShapeError: a prompt whose columns differ in length, or that has no responses.

        >>> from adjoint.models.alignment import Scores
        >>> Scores.ragged([[1.0, 2.0], [3.0]], {"safe": [[0.0, 1.0], [0.5]]}).offsets
        array([0, 2, 3])
        """
        pieces = [np.atleast_1d(_numbers(r, f"reward[{x}]")) for x, r in enumerate(reward)]
        if not pieces:
            raise refusal(ShapeError, "no prompts: scores are empty")
        for x, piece in enumerate(pieces):
            if piece.ndim != 1:
                where = _prompt_text(x, prompts)
                raise refusal(ShapeError, f"{where} should have rewards (K,), got {piece.shape}")
        offsets = np.concatenate([[0], np.cumsum([len(p) for p in pieces])]).astype(np.int64)

        def joined(column: Sequence[ArrayLike], what: str) -> Floats:
            arrays = [np.atleast_1d(_numbers(g, what)) for g in column]
            if len(arrays) != len(pieces):
                raise refusal(ShapeError, f"{what} has {len(arrays)} prompts, reward has {len(pieces)}")
            for x, (g, r) in enumerate(zip(arrays, pieces, strict=True)):
                if g.shape != r.shape:
                    where = _prompt_text(x, prompts)
                    shape = f" in {g.shape}" if g.ndim > 1 else ""
                    raise refusal(ShapeError, f"{where} has {len(r)} rewards, but {len(g)} of {what}{shape}")
            return np.concatenate(arrays)

        others = {name: joined(g, f"utility {name!r}") for name, g in _named(utilities).items()}
        base = None if log_base is None else joined(log_base, "log_base")
        return cls(offsets, np.concatenate(pieces), others, base, prompts, responses)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Responses per prompt (N,)."""
        return np.diff(self.offsets)

    @property
    def n_prompts(self) -> int:
        """N."""
        return len(self.offsets) - 1

    @property
    def n_responses(self) -> int:
        """The number of rows n, over all prompts."""
        return len(self.reward)

    @property
    def width(self) -> int | None:
        """K if every prompt has K responses, else None."""
        counts = self.counts
        return int(counts[0]) if np.all(counts == counts[0]) else None

    def take(self, prompts: Any) -> Scores:
        """The scores of some prompts, in that order; without ids, since one may come twice.

        Args:
            prompts: positions, or a mask (N,).

        Raises:
            DataError: there are no such prompts.
            ShapeError: none at all.
        """
        try:
            chosen = np.atleast_1d(np.arange(self.n_prompts)[prompts])
        except IndexError as why:
            what = f"no such prompts: {why}"
            raise refusal(DataError, what, f"Give positions below {self.n_prompts}, or a mask.") from why
        if not chosen.size:
            raise refusal(ShapeError, "no prompts to take", "Give at least one position.")
        counts = self.counts[chosen]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        rows = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][chosen] - offsets[:-1], counts)
        return self._of_rows(offsets, rows)

    def _of_rows(self, offsets: Offsets, rows: NDArray[np.int64]) -> Scores:
        """Some rows (n′,) in that order, under other offsets; without ids."""
        base = None if self.log_base is None else self.log_base[rows]
        return Scores(offsets, self.reward[rows], {k: g[rows] for k, g in self.utilities.items()}, base)

    def __repr__(self) -> str:
        counts = self.counts
        low, high = int(np.min(counts)), int(np.max(counts))
        each = f"{low}" if low == high else f"{low} to {high}"
        named = ", ".join(f'"{name}"' for name in self.utilities)
        return (
            f"Scores: {self.n_prompts:,} prompts, {self.n_responses:,} responses ({each} per prompt); reward"
            + (f" and {named}" if named else "")
            + (", weighted by log_base" if self.log_base is not None else "")
        )

    def _check_ids(self) -> None:
        for label, ids, wanted in (
            ("prompts", self.prompts, self.n_prompts), ("responses", self.responses, self.n_responses)
        ):  # fmt: skip
            if ids is not None and len(ids) != wanted:
                raise refusal(ShapeError, f"{label} should be {wanted} ids, got {len(ids)}")
        if self.prompts is not None and len(set(self.prompts)) < self.n_prompts:
            raise refusal(
                DataError, f"duplicate prompt id {_first_twice(self.prompts)!r}",
                "Give every prompt its own id, and put all its responses together.",
            )  # fmt: skip
        if self.responses is None or len(set(self.responses)) == self.n_responses:
            return
        for x in range(self.n_prompts):
            own = self.responses[self.offsets[x] : self.offsets[x + 1]]
            if len(set(own)) < len(own):
                where = _prompt_text(x, self.prompts)
                raise refusal(DataError, f"{where} has the response id {_first_twice(own)!r} twice")


# ------------------------------------------------------------------------------------------ the checks
def _named(utilities: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(utilities, Mapping):
        what = f"utilities should be a dict of names and scores, got {type(utilities).__name__}"
        raise refusal(DataError, what, 'Write {"safe": scores}.')
    return utilities


def _column(values: object, label: str, rows: int | None = None) -> Floats:
    array = np.ascontiguousarray(_numbers(values, label))
    if array.ndim != 1 or (rows is not None and len(array) != rows):
        wanted = "(n,)" if rows is None else f"({rows},), as reward is"
        raise refusal(
            ShapeError, f"{label} should be {wanted}, got {array.shape}",
            "Scores.dense takes (N, K) arrays, Scores.ragged one array per prompt.",
        )  # fmt: skip
    if not array.size:
        raise refusal(ShapeError, f"{label} is empty: there are no responses")
    return array


def _checked_offsets(values: object, rows: int) -> Offsets:
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iu" or len(array) < 2:
        what = f"offsets should be integers (N + 1,), N ≥ 1, got {array.shape} {array.dtype}"
        raise refusal(ShapeError, what, "Build them as np.concatenate([[0], np.cumsum(counts)]).")
    offsets = np.ascontiguousarray(array, dtype=np.int64)
    if offsets[0] != 0 or offsets[-1] != rows:
        what = (
            f"offsets should go from 0 to {rows}, the number of responses; got {offsets[0]} … {offsets[-1]}"
        )
        raise refusal(ShapeError, what)
    empty = np.flatnonzero(np.diff(offsets) < 1)
    if empty.size:
        x = int(empty[0])
        what = f"prompt {x} has no responses: offsets[{x}:{x + 2}] = {offsets[x : x + 2]}"
        raise refusal(ShapeError, what, f"Leave such prompts out ({empty.size} in all).")
    return offsets


def _check_finite(
    column: Floats, label: str, offsets: Offsets, prompts: Sequence[Hashable] | None
) -> None:  # fmt: skip
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.sum(column)):
            return
    bad = np.flatnonzero(~np.isfinite(column))
    if not bad.size:
        return
    row = int(bad[0])
    x = int(np.searchsorted(offsets, row, side="right")) - 1
    kind = "NaN" if np.isnan(column[row]) else "infinite"
    where = _prompt_text(x, prompts)
    what = f"{label} is {kind} in row {row} ({where}, response {row - offsets[x]}); {bad.size} rows in all"
    raise refusal(DataError, what, "Score those responses again, or leave them out.")


def _prompt_text(x: int, prompts: Sequence[Hashable] | None) -> str:
    return f"prompt {x}" if prompts is None or x >= len(prompts) else f"prompt {prompts[x]!r}"


def _first_twice(ids: Sequence[Hashable]) -> Hashable:
    seen: set[Hashable] = set()
    for one in ids:
        if one in seen:
            return one
        seen.add(one)
    raise AssertionError("no id comes twice")
