"""Rows of JSON lines and of Parquet as blocks of numbers: one row a response, or a prompt with lists."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import Block, Columns, check_finite, complaint, digests, missing_column, runs

BOM = b"\xef\xbb\xbf"  # a mark that some editors begin a file with


# --------------------------------------------------------------------------------------- from dictionaries
class _Rows:
    """Collects parsed rows until they are a block."""

    def __init__(self, columns: Columns, grouped: bool, file: str, by: str) -> None:
        self.columns, self.grouped, self.file, self.by = columns, grouped, file, by
        self.texts = [name for name in (columns.prompt, columns.response, columns.id) if name]
        self.prompts: list[Any] = []
        self.ids: list[Any] = []
        self.values: dict[str, list[float]] = {name: [] for name in columns.numeric}
        self.counts: list[int] = []
        self.numbers: list[int] = []

    def add(self, row: dict[str, Any], number: int) -> None:
        """Take one row, given by its number in the file."""
        if not self.grouped and self._plain(row):
            self.prompts.append(row[self.columns.prompt])
            self.counts.append(1)
            self.numbers.append(number)
            return
        c, place = self.columns, f"{self.by} {number} of {self.file}"
        names = [c.prompt, *c.numeric, *(n for n in (c.response, c.id) if n)]
        for name in names:
            if name not in row:
                raise missing_column(name, row, place)
            if row[name] is None:
                raise complaint(f"{place}: {name} is null", "Fill it in, or leave the row out.")
        prompt = row[c.prompt]
        if isinstance(prompt, (float, bool)):
            raise complaint(f"{place}: {c.prompt} is {prompt!r}", "A prompt is a text, or the number of one.")
        lists = {name: self._list(row[name], name, place) for name in names if name != c.prompt}
        count = len(lists[c.reward])
        for name, entries in lists.items():
            if len(entries) != count:
                raise complaint(
                    f"{place}: {name} has {len(entries)} entries, {c.reward} has {count}",
                    "The lists of one prompt run over the same responses.",
                )
        for name in c.numeric:
            self.values[name] += [_number(entry, name, place) for entry in lists[name]]
        if c.id:
            self.ids += lists[c.id]
        self.prompts.append(prompt)
        self.counts.append(count)
        self.numbers.append(number)

    def _plain(self, row: dict[str, Any]) -> bool:
        """Take the numbers and the id of a row of the usual kind, which is quicker; else take nothing."""
        for name in self.values:
            if type(row.get(name)) is not float:
                return False
        for name in self.texts:
            if type(row.get(name)) is not str:
                return False
        for name, column in self.values.items():
            column.append(row[name])
        if self.columns.id:
            self.ids.append(row[self.columns.id])
        return True

    def _list(self, entry: Any, name: str, place: str) -> list[Any]:
        if not self.grouped:
            if isinstance(entry, list) and name in self.columns.numeric:
                raise complaint(
                    f"{place}: {name} is a list, and was a number in the first row",
                    "A file has one response a row, or one prompt a row with lists; not both.",
                )
            return [entry]
        if not isinstance(entry, list):
            raise complaint(
                f"{place}: {name} is {_words(entry)}, and the first row holds lists",
                "A file has one response a row, or one prompt a row with lists; not both.",
            )
        if not entry:
            raise complaint(f"{place}: {name} is empty", "Leave out prompts without responses.")
        return entry

    def block(self) -> Block:
        """What was collected, checked."""
        counts = np.array(self.counts, np.int64)
        values = {name: np.array(column, np.float64) for name, column in self.values.items()}
        check_finite(values, np.repeat(np.array(self.numbers, np.int64), counts), self.file, self.by)
        keys = digests(self.prompts)
        starts, _ = runs(keys)
        lengths = np.add.reduceat(counts, starts) if len(counts) else counts
        return Block(keys[starts], lengths, counts, values, digests(self.ids) if self.columns.id else None)


def _words(entry: Any) -> str:
    if isinstance(entry, bool):
        return str(entry).lower()
    shown = json.dumps(entry, ensure_ascii=False)
    shown = shown if len(shown) < 40 else shown[:37] + "…"
    kinds = ((str, "the string "), (list, "the list "), (dict, "the object "))
    return next((words for kind, words in kinds if isinstance(entry, kind)), "") + shown


def _number(entry: Any, name: str, place: str) -> float:
    if type(entry) is float:
        return entry
    if isinstance(entry, int) and not isinstance(entry, bool):
        try:
            return float(entry)
        except OverflowError:
            return float("inf")  # refused with its row by check_finite
    if entry is None:
        raise complaint(f"{place}: {name} is null", "Leave out responses without a score.")
    remedy = "Remove the quotes in the file." if isinstance(entry, str) else "A score is one number."
    raise complaint(f"{place}: {name} is {_words(entry)}, not a number", remedy)


def block_of_lines(
    lines: Sequence[bytes], first: int, columns: Columns, grouped: bool, file: str, ends: bool
) -> Block:
    """Parse lines of JSON with the standard library, naming the line that is wrong.

    Args:
        lines: without their line ends; empty ones are skipped.
        first: number of the first, from 1.
        columns: what to read.
        grouped: whether a row holds lists.
        file: its name, for errors.
        ends: the last of these lines is the file's last, and has no line end.

    Raises:
        DataError: a line is cut off, is not JSON or not UTF-8, lacks a column, or holds a wrong type.
    """
    rows = _Rows(columns, grouped, file, "line")
    for k, line in enumerate(lines):
        if line.strip():
            rows.add(parsed(line, first + k, file, ends and k == len(lines) - 1), first + k)
    return rows.block()


def parsed(line: bytes, number: int, file: str, last: bool = False) -> dict[str, Any]:
    """One line of JSON as a dictionary; `last`: the file ends here, without a line end."""
    place = f"line {number} of {file}"
    if number == 1:
        line = line.removeprefix(BOM)
    try:
        row = _decode(line.decode())
    except UnicodeDecodeError as error:
        raise complaint(
            f"{place} is not UTF-8: byte 0x{line[error.start]:02x} at position {error.start + 1}",
            "Convert the file, for instance: iconv -f LATIN1 -t UTF-8 OLD > NEW",
        ) from None
    except json.JSONDecodeError as error:
        if last:
            raise complaint(
                f"{place} is cut off after {len(line)} bytes: the file ends in the middle of a row",
                "Write or download the file again.",
            ) from None
        hint = "one JSON object a line is expected"
        if line.strip() in (b"{", b"[") or (number == 1 and line.lstrip().startswith(b"[")):
            hint += "; convert an array with: jq -c '.[]' OLD.json > NEW.jsonl"
        raise complaint(
            f"{place} is not JSON: {error.msg} at position {error.pos + 1}", f"{hint[0].upper()}{hint[1:]}."
        ) from None
    except _Twice as error:
        raise complaint(f"{place} has {error.args[0]!r} twice", "Keep one of them.") from None
    if not isinstance(row, dict):
        hint = " Convert an array with: jq -c '.[]' OLD.json > NEW.jsonl" if isinstance(row, list) else ""
        raise complaint(f"{place} is {_words(row)}", f"One JSON object a line is expected.{hint}")
    return row


class _Twice(Exception):
    """A key occurs twice in one object; the standard parser would keep the last silently."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in names if names.count(name) > 1))
    return found


_decode = json.JSONDecoder(object_pairs_hook=_object).decode  # made once: json.loads makes one a call


# ---------------------------------------------------------------------------------------- from Arrow tables
def block_of_table(
    table: Any, first: int, columns: Columns, grouped: bool, file: str, by: str = "row"
) -> Block:
    """Columns of an Arrow table as a block.

    Args:
        table: pyarrow.Table with the columns of `columns` at least.
        first: number of the first row, from 1.
        columns: what to read.
        grouped: whether a row holds lists.
        file: its name, for errors.
        by: what rows are called.

    Raises:
        DataError: a null, a list of another length, a wrong type, a number that is not finite.
    """
    import pyarrow as pa

    c, n = columns, table.num_rows
    numbers = np.arange(first, first + n)
    arrays = {}
    for name in dict.fromkeys([c.prompt, *c.numeric, *(x for x in (c.response, c.id) if x)]):
        column = table.column(name)
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if column.null_count:
            k = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise complaint(
                f"{by} {numbers[k]} of {file}: {name} is null", "Fill it in, or leave the row out."
            )
        arrays[name] = column
    counts = np.ones(n, np.int64)
    if grouped:
        counts, arrays = _flattened(arrays, c, numbers, file, by)
    owners = np.repeat(numbers, counts)
    values = {}
    for name in c.numeric:
        column = arrays[name]
        if column.null_count:
            k = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise complaint(
                f"{by} {owners[k]} of {file}: {name} is null", "Leave out responses without a score."
            )
        kind = column.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
            raise complaint(
                f"column {name} of {file} holds {kind}, not numbers", "Convert it to a column of float64."
            )
        # a copy: a view would keep Arrow's buffers, which are larger, as long as the numbers live
        values[name] = np.array(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    check_finite(values, owners, file, by)
    prompts = arrays[c.prompt]
    if pa.types.is_floating(prompts.type) or pa.types.is_boolean(prompts.type):
        raise complaint(
            f"column {c.prompt} of {file} holds {prompts.type}", "A prompt is a text, or the number of one."
        )
    keys, starts = _prompt_keys(prompts)
    lengths = np.add.reduceat(counts, starts) if n else counts
    ids = digests(arrays[c.id].to_pylist()) if c.id else None
    return Block(keys, lengths, counts, values, ids)


def _prompt_keys(prompts: Any) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
    """Digests of each run's prompt, and where runs begin; each text is hashed once a block."""
    import pyarrow as pa

    if pa.types.is_nested(prompts.type):
        keys = digests(prompts.to_pylist())
        starts, _ = runs(keys)
        return keys[starts], starts
    encoded = prompts.dictionary_encode()
    indices = encoded.indices.to_numpy(zero_copy_only=False)
    starts, _ = runs(indices)
    return digests(encoded.dictionary.to_pylist())[indices[starts]], starts


def _flattened(
    arrays: dict[str, Any], columns: Columns, numbers: NDArray[np.int64], file: str, by: str
) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """Lists laid end to end, after their lengths were compared."""
    import pyarrow as pa

    counts = np.asarray(arrays[columns.reward].value_lengths(), np.int64)
    flat = {columns.prompt: arrays[columns.prompt]}
    if (counts == 0).any():
        k = int(np.argmin(counts))
        raise complaint(
            f"{by} {numbers[k]} of {file}: {columns.reward} is empty", "Leave out prompts without responses."
        )
    for name, column in arrays.items():
        if name == columns.prompt:
            continue
        if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
            raise complaint(
                f"column {name} of {file} holds {column.type}, and {columns.reward} holds lists",
                "A file has one response a row, or one prompt a row with lists; not both.",
            )
        lengths = np.asarray(column.value_lengths(), np.int64)
        if (lengths != counts).any():
            k = int(np.argmax(lengths != counts))
            raise complaint(
                f"{by} {numbers[k]} of {file}: {name} has {lengths[k]} entries, "
                f"{columns.reward} has {counts[k]}",
                "The lists of one prompt run over the same responses.",
            )
        flat[name] = column.flatten()
    return counts, flat
