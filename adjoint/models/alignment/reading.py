"""Scores from a file: JSON lines, compressed or not, or Parquet; one row a response, or one row a prompt."""

from __future__ import annotations

import json
import mmap
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..base import Floats
from .columns import Columns, Digests, complaint, runs
from .scores import Scores
from .source import Progress, Source


@dataclass(frozen=True, eq=False, repr=False)
class FileScores(Scores):
    """Scores that know which file they came from, so that its texts can be exported.

    Attributes:
        source: the file.
        order: (n,) position in the file of each response, or None where they are in the file's order.
        records: (rows of the file,) how many responses each holds; None where each holds one.
    """

    source: Source | None = None
    order: NDArray[np.int64] | None = None
    records: NDArray[np.int64] | None = None

    @property
    def file(self) -> Source:
        """The file they came from."""
        assert self.source is not None
        return self.source

    def scaled(self, factor: float) -> FileScores:
        """Reward and utilities times a number: β, for columns of log π_•/π_ref."""
        utilities = {name: factor * g for name, g in self.utilities.items()}
        return replace(self, reward=factor * self.reward, utilities=utilities)


class Texts(NamedTuple):
    """One prompt with its responses, as the file has them: texts, or conversations.

    Attributes:
        prompt: the prompt column's value.
        responses: one per response; None where the file has no column of responses.
        ids: one per response; None where no column of ids was named.
    """

    prompt: Any
    responses: list[Any] | None
    ids: list[Any] | None


def read_scores(
    path: str | os.PathLike[str], *, reward: str, utilities: Sequence[str] | str = (), prompt: str = "prompt",
    response: str | None = None, id: str | None = None, log_base: str | None = None,
    progress: Progress | None = None,
) -> FileScores:  # fmt: skip
    """Read scores, prompt by prompt; texts stay in the file.

    Rows of one prompt need not stand together: prompts come in the order of their first row, and responses of
    a prompt in the file's order. Memory grows by two to three times the columns of numbers, beside the 75 MB
    that pyarrow takes for itself.

    Args:
        path: JSON lines (.jsonl, .jsonl.gz) or Parquet (pip install 'adjoint-autodiff[align]'), recognised by
            what is in it. One row per response, or one per prompt with lists in every other column.
        reward: column of the reward.
        utilities: columns of utilities, which constraints name; one alone may stand without a list.
        prompt: column that says which rows belong together: text, a number, or a conversation.
        response: column of texts (default: "response", grouped also "responses", if it is there).
        id: column of ids, which may not occur twice.
        log_base: column of log π_ref − log μ, for responses sampled from another policy μ.
        progress: called with how much is read, and of how much.

    Returns:
        Scores, with their file.

    Raises:
        DataError: no such file, an empty one, a missing column, a null, a wrong type, NaN, an id twice, a
            line that is cut off or not UTF-8; with the number of the row.
        MissingPackageError: Parquet without pyarrow.

    >>> import tempfile, pathlib
    >>> from adjoint.models.alignment import read_scores
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "scores.jsonl"
    >>> rows = [f'{{"prompt": "p{k // 2}", "helpful": {k}, "safe": {-k}}}' for k in range(4)]
    >>> _ = path.write_text(chr(10).join(rows))
    >>> read_scores(path, reward="helpful", utilities=["safe"])
    Scores: 2 prompts, 4 responses (2 per prompt); reward and "safe"
    """
    named = [utilities] if isinstance(utilities, str) else utilities
    columns = Columns(reward, tuple(dict.fromkeys(named)), prompt, response, id, log_base)
    source = Source.open(path, columns)
    blocks: dict[str, list[Any]] = {"keys": [], "lengths": [], "records": [], "ids": []}
    values: dict[str, list[Floats]] = {name: [] for name in columns.numeric}
    for block in source.blocks(progress):
        blocks["keys"].append(block.keys)
        blocks["lengths"].append(block.lengths)
        if source.grouped:
            blocks["records"].append(block.records)
        if block.ids is not None:
            blocks["ids"].append(block.ids)
        for name, column in block.values.items():
            values[name].append(column)
    if not any(map(len, blocks["keys"])):
        raise complaint(f"{source.name} has no rows", "It should have one row per response.")
    records = np.concatenate(blocks["records"]) if source.grouped else None
    if blocks["ids"]:
        _check_ids(np.concatenate(blocks.pop("ids")), source, records)
    offsets, order = _grouped(np.concatenate(blocks.pop("keys")), np.concatenate(blocks.pop("lengths")))
    whole: dict[str, Floats] = {}
    for name in columns.numeric:
        column = np.concatenate(values.pop(name))  # one at a time: at most one column is held twice
        whole[name] = column if order is None else column[order]
    return FileScores(
        offsets, whole[reward], {name: whole[name] for name in columns.utilities},
        whole[log_base] if log_base else None, source=source, order=order, records=records,
    )  # fmt: skip


def _grouped(keys: Digests, lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Offsets of prompts, and the order that brings their rows together (None: they are).

    Args:
        keys: (runs, 2) digest of each run of rows with the same prompt.
        lengths: (runs,) rows of each.
    """
    starts, _ = runs(keys)  # a run may have been cut where a block ended
    keys, lengths = keys[starts], np.add.reduceat(lengths, starts)
    by_key = np.lexsort((keys[:, 1], keys[:, 0]))  # stable: the first of a key is its first in the file
    heads, sizes = runs(keys[by_key])
    if len(heads) == len(keys):
        return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), None
    first = np.empty(len(keys), np.int64)
    first[by_key] = np.repeat(by_key[heads], sizes)
    together = np.argsort(first, kind="stable")
    begins = np.concatenate([[0], np.cumsum(lengths)])[:-1][together]
    lengths = lengths[together]
    ends = np.cumsum(lengths)
    order = np.arange(ends[-1]) + np.repeat(begins - (ends - lengths), lengths)
    edges = np.flatnonzero(np.diff(first[together], append=-1))
    return np.concatenate([[0], ends[edges]]).astype(np.int64), order


def _check_ids(ids: Digests, source: Source, records: NDArray[np.int64] | None) -> None:
    """Refuse an id that occurs twice, naming it and both rows."""
    order = np.lexsort((ids[:, 1], ids[:, 0]))
    same = np.flatnonzero((ids[order[1:]] == ids[order[:-1]]).all(axis=1))
    if not same.size:
        return
    k = same[np.argmin(order[same + 1])]
    positions = [int(order[k]), int(order[k + 1])]
    if records is not None:
        positions = [int(np.searchsorted(np.cumsum(records), p, side="right")) for p in positions]
    first, second = (source.number(p) for p in positions)
    column = str(source.columns.id)
    value = next(row for k, row in enumerate(source.rows()) if k == positions[0])[column]
    where = f"in {source.by} {first}" if first == second else f"in {source.by}s {first} and {second}"
    shown = "an id" if isinstance(value, list) else f"{column} {value!r}"
    raise complaint(
        f"{shown} occurs twice in {source.name}: {where}",
        f"Ids name one response each ({same.size} repeated). Leave --id out if {column!r} is no such name.",
    )


# ------------------------------------------------------------------------------------------- texts again
def texts_of(scores: Scores) -> Iterator[Texts]:
    """Prompts with their responses, in the order of the scores; from the file, or from the ids given.

    Raises:
        DataError: the file changed, or the scores have neither a file nor ids.
    """
    counts = scores.counts
    if not isinstance(scores, FileScores):
        if scores.prompts is None:
            raise complaint("these scores have no prompts to export", "Give Scores(…, prompts=, responses=).")
        for x, (start, count) in enumerate(zip(scores.offsets.tolist(), counts.tolist(), strict=False)):
            own = None if scores.responses is None else list(scores.responses[start : start + count])
            yield Texts(scores.prompts[x], own, None)
        return
    source = scores.file
    if scores.order is None:
        rows = _flat(source)
        for count in counts.tolist():
            yield _joined([next(rows) for _ in range(count)], source)
        next(rows, None)  # the end, where the file is compared with what was read
        return
    with _positions(source) as row:
        edges = None if scores.records is None else np.concatenate([[0], np.cumsum(scores.records)])
        for start, count in zip(scores.offsets.tolist(), counts.tolist(), strict=False):
            own = scores.order[start : start + count].tolist()
            yield _joined([_entry(*_at(row, p, edges), source) for p in own], source)


_Row = tuple[Any, Any, Any]


def _entry(row: dict[str, Any], k: int | None, source: Source) -> _Row:
    c = source.columns
    cells = [None if name is None else row[name] for name in (c.response, c.id)]
    if k is not None:
        cells = [None if cell is None else cell[k] for cell in cells]
    return row[c.prompt], cells[0], cells[1]


def _flat(source: Source) -> Iterator[_Row]:
    """One entry per response, in the file's order."""
    for row in source.rows():
        if source.grouped:
            for k in range(len(row[source.columns.response or source.columns.reward])):
                yield _entry(row, k, source)
        else:
            yield _entry(row, None, source)


def _joined(entries: list[_Row], source: Source) -> Texts:
    c = source.columns
    responses = [e[1] for e in entries] if c.response else None
    return Texts(entries[0][0], responses, [e[2] for e in entries] if c.id else None)


def _at(row: Any, position: int, edges: NDArray[np.int64] | None) -> tuple[dict[str, Any], int | None]:
    if edges is None:
        return row(position), None
    record = int(np.searchsorted(edges, position, side="right")) - 1
    return row(record), position - int(edges[record])


@contextmanager
def _positions(source: Source) -> Iterator[Any]:
    """Rows by position, for files in which the rows of a prompt lie apart.

    Lines of a file that is not compressed are found by where they begin; other forms are first written as
    such a file, where the system has temporary ones.
    """
    source.unchanged()
    with tempfile.TemporaryFile() as spool:
        if source.form == "jsonl":
            file = open(source.path, "rb")  # noqa: SIM115  (closed below)
        else:
            for one in source.rows():
                spool.write(json.dumps(one, default=str).encode() + b"\n")
            spool.flush()
            file = spool  # type: ignore[assignment]
        with file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            starts = _line_starts(data)

            def row(position: int) -> dict[str, Any]:
                begin, end = starts[position]
                return dict(json.loads(data[begin:end].decode("utf-8-sig")))

            yield row
    source.unchanged()


def _line_starts(data: mmap.mmap) -> NDArray[np.int64]:
    """(rows, 2) where each line that is not empty begins and ends."""
    edges = [np.zeros(1, np.int64)]
    for start in range(0, len(data), 1 << 24):
        piece = np.frombuffer(data[start : start + (1 << 24)], np.uint8)
        edges.append(np.flatnonzero(piece == 10) + start + 1)
    if data[-1:] != b"\n":
        edges.append(np.array([len(data)]))
    ends = np.concatenate(edges)
    spans = np.stack([ends[:-1], ends[1:]], axis=1)
    short = np.flatnonzero(spans[:, 1] - spans[:, 0] < 16)  # only these can be blank, or nearly
    blank = [k for k in short if not data[spans[k, 0] : spans[k, 1]].strip()]
    return np.delete(spans, blank, axis=0)
