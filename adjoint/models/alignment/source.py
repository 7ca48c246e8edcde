"""A score file: its form, its rows as blocks of numbers, and its texts again when they are exported.

Texts of prompts and responses are never kept: while numbers are read, a prompt is sixteen bytes of digest,
and what exports need is read again.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from ...errors import need
from .columns import Block, Columns, complaint
from .records import BOM, block_of_lines, block_of_table, parsed

CHUNK = 4 << 20  # bytes of JSON at a time: larger ones gain nothing and cost memory
BATCH = 1 << 15  # rows of Parquet at a time
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Source:
    """A file of scores, opened once to see what it is.

    Attributes:
        path: where it lies.
        form: "jsonl", "jsonl.gz" or "parquet", by its first bytes, whatever its name.
        columns: what is read of it; the response column is decided.
        grouped: whether one row holds all responses of a prompt, in lists.
        others: names of columns that are not read.
        stamp: size and time of the last change, so that a change in between is seen.
    """

    path: Path
    form: str
    columns: Columns
    grouped: bool
    others: tuple[str, ...]
    stamp: tuple[int, int]

    @property
    def name(self) -> str:
        """The file's name, for messages."""
        return self.path.name

    @property
    def by(self) -> str:
        """What its rows are called: lines of a text, rows of a table."""
        return "row" if self.form == "parquet" else "line"

    @classmethod
    def open(cls, path: str | os.PathLike[str], columns: Columns) -> Source:
        """Look at a file.

        Raises:
            DataError: there is no such file, it cannot be read, is empty, or lacks a column.
            MissingPackageError: it is Parquet and pyarrow is not installed.
        """
        path = Path(path)
        if not path.exists():
            raise complaint(
                f"no file {str(path)!r}", "Scores are a file of JSON lines (.jsonl, .gz) or Parquet."
            )
        if not path.is_file():
            raise complaint(f"{str(path)!r} is not a file", "Give one file; it is read twice, so no pipe.")
        with _explained(path):
            with path.open("rb") as file:
                head = file.read(4)
            state = path.stat()
            if not head:
                raise complaint(f"{path.name} is empty", "It should have one row per response.")
            form = {b"PAR1": "parquet"}.get(head, "jsonl.gz" if head[:2] == b"\x1f\x8b" else "jsonl")
            names, grouped = _peek(path, form, columns)
        place = path.name if form == "parquet" else f"the first row of {path.name}"
        chosen = columns.checked(names, place, grouped)
        used = {chosen.prompt, chosen.response, chosen.id, *chosen.numeric}
        others = tuple(name for name in names if name not in used)
        return cls(path, form, chosen, grouped, others, (state.st_size, state.st_mtime_ns))

    def blocks(self, progress: Progress | None = None) -> Iterator[Block]:
        """The numbers, some thousand rows at a time.

        Args:
            progress: called with bytes (Parquet: rows) done and in all.

        Raises:
            DataError: a row that is not what it should be, with its number.
        """
        with _explained(self.path):
            yield from (self._tables if self.form == "parquet" else self._chunks)(progress)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every row again, as a dictionary with the columns of texts at least.

        Raises:
            DataError: the file changed since its numbers were read.
        """
        self.unchanged()
        with _explained(self.path):
            if self.form == "parquet":
                c = self.columns
                counted = c.response or c.reward  # says how many responses a row has
                names = list(dict.fromkeys(n for n in (c.prompt, counted, c.id) if n))
                for batch in _parquet(self.path).iter_batches(1024, columns=names):
                    yield from batch.to_pylist()
            else:
                with opened(self.path, self.form) as file:
                    for k, line in enumerate(file):
                        if line.strip():
                            yield parsed(line, k + 1, self.name)
        self.unchanged()

    def unchanged(self) -> None:
        """Raise DataError if the file is not the one that was read."""
        state = self.path.stat() if self.path.exists() else None
        if state is None or (state.st_size, state.st_mtime_ns) != self.stamp:
            raise complaint(f"{self.name} changed while it was used", "Run again, and let it rest meanwhile.")

    def number(self, record: int) -> int:
        """The number, from 1, of a row given by its position; lines that are empty count."""
        if self.form == "parquet":
            return record + 1
        with opened(self.path, self.form) as file:
            filled = (k for k, line in enumerate(file, 1) if line.strip())
            return next(k for position, k in enumerate(filled) if position == record)

    def _chunks(self, progress: Progress | None) -> Iterator[Block]:
        first, fast = 1, _arrow_reader(self.columns, self.grouped)
        with open(self.path, "rb") as raw, _unzipped(raw, self.form) as file:
            while data := file.read(CHUNK):
                data += file.readline()
                if first == 1:
                    data = data.removeprefix(BOM)
                table = fast(data) if fast else None
                if table is not None:
                    yield block_of_table(table, first, self.columns, self.grouped, self.name, "line")
                else:
                    # What Arrow cannot take is read by the standard library, which says what is wrong
                    # in which line, or takes it (conversations, numbers as prompts): then for good.
                    fast = None
                    lines = data.split(b"\n")
                    whole = not lines[-1]
                    yield block_of_lines(lines, first, self.columns, self.grouped, self.name, ends=not whole)
                first += data.count(b"\n")
                if progress:
                    progress(raw.tell(), self.stamp[0])

    def _tables(self, progress: Progress | None) -> Iterator[Block]:
        import pyarrow as pa

        file, c, done = _parquet(self.path), self.columns, 0
        # Texts of responses are the bulk of a file: not read here, but for the lengths of their lists.
        c = replace(c, response=c.response if self.grouped else None)
        names = list(dict.fromkeys(n for n in (c.prompt, *c.numeric, c.id, c.response) if n))
        for batch in file.iter_batches(BATCH, columns=names):
            table = pa.Table.from_batches([batch])
            yield block_of_table(table, done + 1, c, self.grouped, self.name)
            done += batch.num_rows
            if progress:
                progress(done, file.metadata.num_rows)


# -------------------------------------------------------------------------------------------- how files open
@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Errors of the layers below, as errors about this file."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise complaint(
            f"{path.name}: the compressed data is cut off or damaged ({error})",
            "Download or compress it again.",
        ) from None
    except OSError as error:
        raise complaint(f"{path.name} cannot be read: {error.strerror or error}") from None


@contextmanager
def _unzipped(raw: IO[bytes], form: str) -> Iterator[IO[bytes]]:
    if form == "jsonl.gz":
        with gzip.open(raw) as file:
            yield file  # type: ignore[misc]  # a GzipFile reads like any other
    else:
        yield raw


@contextmanager
def opened(path: Path, form: str) -> Iterator[IO[bytes]]:
    """Lines of JSON, decompressed if need be."""
    with open(path, "rb") as raw, _unzipped(raw, form) as file:
        yield file


def _peek(path: Path, form: str, columns: Columns) -> tuple[list[str], bool]:
    """Names of columns, and whether the reward is a list: by the schema, or the first row."""
    if form == "parquet":
        schema = _parquet(path).schema_arrow
        import pyarrow as pa

        kind = schema.field(columns.reward).type if columns.reward in schema.names else None
        return schema.names, kind is not None and (pa.types.is_list(kind) or pa.types.is_large_list(kind))
    with opened(path, form) as file:
        for k, line in enumerate(file):
            if line.strip():
                row = parsed(line, k + 1, path.name, last=not line.endswith(b"\n"))
                return list(row), isinstance(row.get(columns.reward), list)
    raise complaint(f"{path.name} is empty", "It should have one row per response.")


def _parquet(path: Path) -> Any:
    need("pyarrow", f"{path.name} is Parquet: reading it", "align")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise complaint(
            f"{path.name} is no complete Parquet file: {str(error).splitlines()[0]}",
            "Write or download it again.",
        ) from None


def _arrow_reader(columns: Columns, grouped: bool) -> Callable[[bytes], Any] | None:
    """Arrow's parser of JSON lines, where pyarrow is installed: a third of the standard library's time.

    What it returns is None for whatever is not plain: the lines are then read one by one.
    """
    try:
        import pyarrow as pa
        import pyarrow.json as pj
    except ImportError:
        return None
    c = columns
    number, text = pa.float64(), pa.string()
    kinds = {name: pa.list_(number) if grouped else number for name in c.numeric}
    kinds |= {name: pa.list_(text) if grouped else text for name in (c.response, c.id) if name}
    schema = pa.schema({c.prompt: text} | kinds)
    options = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    blocks = pj.ReadOptions(block_size=1 << 20)

    def read(data: bytes) -> Any:
        lines = data.count(b"\n") + (not data.endswith(b"\n"))
        try:
            if not data.isascii():
                data.decode()  # Arrow itself does not look
            table = pj.read_json(pa.BufferReader(data), blocks, options)
        except (pa.ArrowException, UnicodeDecodeError):
            return None
        plain = table.num_rows == lines and not any(column.null_count for column in table.columns)
        return table if plain else None

    return read
