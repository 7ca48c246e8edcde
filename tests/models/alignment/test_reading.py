"""Scores from files: every form gives the same numbers and texts; whatever is wrong is named with its row."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adjoint.errors import MissingPackageError
from adjoint.models.alignment import FileScores, Scores, read_scores, source
from adjoint.models.alignment.reading import Texts, texts_of
from adjoint.models.base import DataError

from .files import Row, grouped_rows, jsonl, long_rows, write

ROWS = long_rows()
NAMES = {"reward": "helpful", "utilities": ["safe", "humor"], "log_base": "log_base"}
FORMS = [".jsonl", ".jsonl.gz", ".parquet"]


def need(form: str) -> None:
    if form == ".parquet":
        pytest.importorskip("pyarrow", reason="pyarrow reads Parquet")


def expected(rows: list[Row]) -> dict[str, list[Row]]:
    """Rows by prompt, in the order of their first row: by a dictionary, without any of the reader's means."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(json.dumps(row["prompt"]), []).append(row)
    return found


def check_same(scores: FileScores, rows: list[Row]) -> None:
    groups = list(expected(rows).values())
    flat = [row for group in groups for row in group]
    np.testing.assert_array_equal(scores.counts, [len(g) for g in groups])
    np.testing.assert_array_equal(scores.reward, [r["helpful"] for r in flat])
    for name in ("safe", "humor"):
        np.testing.assert_array_equal(scores.utilities[name], [r[name] for r in flat])
    assert scores.log_base is not None
    np.testing.assert_array_equal(scores.log_base, [r["log_base"] for r in flat])
    texts = list(texts_of(scores))
    assert [t.prompt for t in texts] == [g[0]["prompt"] for g in groups]
    assert [t.responses for t in texts] == [[r["response"] for r in g] for g in groups]


@pytest.fixture(params=["arrow", "standard library"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways through JSON lines: Arrow's parser, and the one that is used without pyarrow."""
    if request.param == "arrow":
        pytest.importorskip("pyarrow", reason="pyarrow parses JSON lines")
    else:
        monkeypatch.setattr(source, "_arrow_reader", lambda columns, grouped: None)
    return str(request.param)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("order", ["together", "apart"])
def test_every_form_gives_the_same_scores_and_texts(
    tmp_path: Path, parser: str, form: str, grouped: bool, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(form)
    monkeypatch.setattr(source, "CHUNK", 700)  # several chunks: prompts are cut by their edges
    monkeypatch.setattr(source, "BATCH", 5)
    rows = list(ROWS)
    if order == "apart":
        np.random.default_rng(1).shuffle(rows)  # type: ignore[arg-type]
    written = grouped_rows(rows) if grouped else rows
    if grouped and order == "apart":  # halves of a prompt's responses in two rows
        written = [r for part in (rows[:60], rows[60:]) for r in grouped_rows(part)]
    path = write(tmp_path / f"scores{form}", written)
    scores = read_scores(path, id="id", **NAMES)  # type: ignore[arg-type]
    assert scores.reward.dtype == np.float64
    check_same(scores, _as_stored(written) if grouped else rows)
    assert (scores.order is None) == (order == "together")


def _as_stored(written: list[Row]) -> list[Row]:
    names = {"responses": "response"}
    return [
        {"prompt": row["prompt"]} | {names.get(n, n): v[k] for n, v in row.items() if n != "prompt"}
        for row in written
        for k in range(len(row["responses"]))
    ]


def test_progress_reaches_the_end(tmp_path: Path, parser: str) -> None:
    path = write(tmp_path / "scores.jsonl", ROWS)
    seen: list[tuple[int, int]] = []
    read_scores(path, progress=lambda done, total: seen.append((done, total)), **NAMES)  # type: ignore[arg-type]
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


def test_columns_have_names_of_the_users_choice(tmp_path: Path, parser: str) -> None:
    rows = [{"q": f"p{k // 2}", "a": f"t{k}", "n": k, "r": k, "g": -k} for k in range(4)]
    path = write(tmp_path / "x.jsonl", rows)
    scores = read_scores(path, reward="r", utilities=["g"], prompt="q", response="a", id="n")
    assert list(texts_of(scores)) == [Texts("p0", ["t0", "t1"], [0, 1]), Texts("p1", ["t2", "t3"], [2, 3])]
    assert scores.reward.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_conversations_and_numbers_are_prompts_too(tmp_path: Path, parser: str) -> None:
    say = [[{"role": "user", "content": text}] for text in ("hello", "bye")]
    rows = [{"prompt": say[k % 2], "response": say[k % 2], "r": k} for k in range(4)]
    scores = read_scores(write(tmp_path / "x.jsonl", rows), reward="r")
    assert scores.reward.tolist() == [0, 2, 1, 3]
    assert [t.prompt for t in texts_of(scores)] == say
    numbers = [{"prompt": k % 3, "r": k} for k in range(6)] + [{"prompt": "1", "r": 9}]
    assert read_scores(write(tmp_path / "y.jsonl", numbers), reward="r").counts.tolist() == [2, 2, 2, 1]


def test_windows_line_ends_empty_lines_and_a_byte_order_mark(tmp_path: Path, parser: str) -> None:
    text = "\ufeff" + jsonl(ROWS).replace("\n", "\r\n\r\n")
    path = tmp_path / "x.jsonl"
    path.write_bytes(text.encode())
    check_same(read_scores(path, **NAMES), ROWS)  # type: ignore[arg-type]
    shuffled = ROWS[::2] + ROWS[1::2]
    path.write_bytes(("\ufeff" + jsonl(shuffled).replace("\n", "\n\n")).encode())
    check_same(read_scores(path, **NAMES), shuffled)  # type: ignore[arg-type]


def test_a_missing_last_line_end_is_fine(tmp_path: Path, parser: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(jsonl(ROWS).rstrip("\n"))
    check_same(read_scores(path, **NAMES), ROWS)  # type: ignore[arg-type]


def test_parquet_takes_other_numbers_and_dictionaries(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow reads Parquet")
    pq = pytest.importorskip("pyarrow.parquet")
    prompts = pa.array(["a", "a", "b"]).dictionary_encode()
    table = pa.table(
        {"prompt": prompts, "r": pa.array([1, 2, 3], pa.int16()), "g": pa.array([0.5, 1, 2], pa.float32())}
    )
    pq.write_table(table, tmp_path / "x")  # recognised by content, not by name
    scores = read_scores(tmp_path / "x", reward="r", utilities="g")  # one alone, without a list
    assert scores.counts.tolist() == [2, 1] and scores.utilities["g"].tolist() == [0.5, 1.0, 2.0]


# --------------------------------------------------------------------------------------------- bad files
def line(**changes: Any) -> str:
    row = {"prompt": "p", "response": "t", "helpful": 1.0, "safe": 0.5} | changes
    return json.dumps({k: v for k, v in row.items() if v is not ...})


GOOD = line() + "\n"
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "scores.jsonl is empty"),
    "blank": (b"\n \n", "scores.jsonl is empty"),
    "missing column": (GOOD.replace("safe", "saef").encode(), "no column 'safe'\n  Did you mean 'saef'?"),
    "missing later": (
        (GOOD + line(safe=..., safe_=1)).encode(),
        "line 2 of scores.jsonl has no column 'safe'\n  Did you mean 'safe_'?",
    ),
    "nan": ((GOOD + GOOD + line(safe=float("nan"))).encode(), "line 3 of scores.jsonl: safe is nan"),
    "inf": ((GOOD + line(helpful=float("-inf"))).encode(), "line 2 of scores.jsonl: helpful is -inf"),
    "too large": ((GOOD + line(helpful=10**400)).encode(), "line 2 of scores.jsonl: helpful is inf"),
    "string": (
        (GOOD + line(safe="0.5")).encode(),
        'line 2 of scores.jsonl: safe is the string "0.5", not a number',
    ),
    "boolean": ((GOOD + line(safe=True)).encode(), "line 2 of scores.jsonl: safe is true, not a number"),
    "null": ((GOOD + line(safe=None)).encode(), "line 2 of scores.jsonl: safe is null"),
    "null prompt": ((GOOD + line(prompt=None)).encode(), "line 2 of scores.jsonl: prompt is null"),
    "null response": ((GOOD + line(response=None)).encode(), "line 2 of scores.jsonl: response is null"),
    "float prompt": ((GOOD + line(prompt=1.5)).encode(), "line 2 of scores.jsonl: prompt is 1.5"),
    "list": (
        (GOOD + line(safe=[1])).encode(),
        "line 2 of scores.jsonl: safe is a list, and was a number in the first row",
    ),
    "object": ((GOOD + line(safe={})).encode(), "line 2 of scores.jsonl: safe is the object {}, not a num"),
    "not a list": (
        (line(helpful=[1], safe=[1], response=["t"]) + "\n" + line()).encode(),
        "line 2 of scores.jsonl: helpful is 1.0, and the first row holds lists",
    ),
    "lengths": (
        (line(helpful=[1, 2], safe=[1], response=["t", "u"]) + "\n").encode(),
        "line 1 of scores.jsonl: safe has 1 entries, helpful has 2",
    ),
    "no responses": (
        (line(helpful=[], safe=[], response=[]) + "\n").encode(), "line 1 of scores.jsonl: helpful is empty",
    ),
    "null in a list": (
        (line(helpful=[1, 2], safe=[1, None], response=["t", "u"]) + "\n").encode(),
        "line 1 of scores.jsonl: safe is null",
    ),
    "truncated": ((GOOD + GOOD[:30]).encode(), "line 2 of scores.jsonl is cut off after 30 bytes"),
    "broken": ((GOOD + GOOD[:30] + "\n" + GOOD).encode(), "line 2 of scores.jsonl is not JSON"),
    "array": (json.dumps([json.loads(GOOD)]).encode(), "jq -c '.[]'"),
    "printed array": (b"[\n" + GOOD.encode() + b"]", "jq -c '.[]'"),
    "two in a line": (
        (GOOD + GOOD.strip() + GOOD).encode(), "line 2 of scores.jsonl is not JSON: Extra data",
    ),
    "twice a key": ((GOOD + '{"safe": 1, "safe": 2}').encode(), "line 2 of scores.jsonl has 'safe' twice"),
    "not utf-8": (
        GOOD.encode() + GOOD.replace('"t"', '"tré"').encode("latin-1"),
        "line 2 of scores.jsonl is not UTF-8: byte 0xe9",
    ),
    "truncated gzip": (gzip.compress(GOOD.encode() * 50)[:-12], "the compressed data is cut off or damaged"),
    "damaged gzip": (b"\x1f\x8b\x08\x00" + bytes(30), "the compressed data is cut off or damaged"),
    "parquet stub": (b"PAR1....", "is no complete Parquet file"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_with_the_row(tmp_path: Path, parser: str, case: str) -> None:
    content, text = BAD[case]
    if content.startswith(b"PAR1"):
        need(".parquet")
    path = tmp_path / "scores.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_scores(path, reward="helpful", utilities=["safe"])
    assert text in str(caught.value)


def test_the_line_is_counted_over_chunks(
    tmp_path: Path, parser: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "CHUNK", 300)
    path = tmp_path / "scores.jsonl"
    path.write_text(GOOD * 57 + line(safe=float("nan")) + "\n" + GOOD * 20)
    with pytest.raises(DataError, match=r"line 58 of scores.jsonl: safe is nan"):
        read_scores(path, reward="helpful", utilities=["safe"])


PARQUET: dict[str, tuple[Callable[[Any], dict[str, Any]], str]] = {
    "string": (lambda pa: {"safe": ["1", "2"]}, "column safe of scores.parquet holds string, not numbers"),
    "boolean": (lambda pa: {"safe": [True, False]}, "column safe of scores.parquet holds bool, not numbers"),
    "null": (lambda pa: {"safe": [1.0, None]}, "row 2 of scores.parquet: safe is null"),
    "nan": (lambda pa: {"safe": [1.0, float("nan")]}, "row 2 of scores.parquet: safe is nan"),
    "prompt": (lambda pa: {"prompt": [1.5, 2.5]}, "column prompt of scores.parquet holds double"),
    "null prompt": (lambda pa: {"prompt": ["p", None]}, "row 2 of scores.parquet: prompt is null"),
    "missing": (lambda pa: {"safe": None}, "scores.parquet has no column 'safe'"),
    "lists": (lambda pa: {"safe": [[1.0], [2.0]]}, "column safe of scores.parquet holds list"),
    "lengths": (
        lambda pa: {"safe": [[1.0], [2.0]], "helpful": [[1.0], [2.0, 3.0]]},
        "row 2 of scores.parquet: safe has 1 entries, helpful has 2",
    ),
    "one list": (lambda pa: {"helpful": [[1.0], [2.0]]}, "column safe of scores.parquet holds double, and"),
    "empty list": (
        lambda pa: {"helpful": [[1.0], []], "safe": [[1.0], []]}, "row 2 of scores.parquet: helpful is empty",
    ),
    "null in a list": (
        lambda pa: {"safe": [[1.0, None], [2.0]], "helpful": [[1.0, 2.0], [3.0]]},
        "row 1 of scores.parquet: safe is null",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PARQUET)
def test_bad_parquet_is_refused(tmp_path: Path, case: str) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow reads Parquet")
    import pyarrow.parquet as pq

    change, text = PARQUET[case]
    columns = {"prompt": ["p", "p"], "helpful": [1.0, 2.0], "safe": [0.0, 1.0]} | change(pa)
    path = tmp_path / "scores.parquet"
    pq.write_table(pa.table({k: v for k, v in columns.items() if v is not None}), path)
    with pytest.raises(DataError) as caught:
        read_scores(path, reward="helpful", utilities=["safe"])
    assert text in str(caught.value)


@pytest.mark.parametrize("form", FORMS)
def test_an_id_twice_is_refused_with_both_rows(tmp_path: Path, parser: str, form: str) -> None:
    need(form)
    rows = [row | {"id": f"n{k}"} for k, row in enumerate(ROWS)]
    rows[17]["id"] = "n5"
    path = write(tmp_path / f"scores{form}", rows)
    by = "rows" if form == ".parquet" else "lines"
    with pytest.raises(DataError, match=f"id 'n5' occurs twice in scores{form}: in {by} 6 and 18"):
        read_scores(path, id="id", **NAMES)  # type: ignore[arg-type]
    read_scores(path, **NAMES)  # type: ignore[arg-type]  # without ids nothing is amiss
    grouped = write(tmp_path / f"grouped{form}", grouped_rows(rows))
    with pytest.raises(DataError, match="an id occurs twice in grouped"):
        read_scores(grouped, id="id", **NAMES)  # type: ignore[arg-type]


def test_places_that_hold_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file"):
        read_scores(tmp_path / "nosuch.jsonl", reward="r")
    with pytest.raises(DataError, match="is not a file"):
        read_scores(tmp_path, reward="r")


def test_a_file_that_changes_in_between_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "scores.jsonl", ROWS)
    scores = read_scores(path, **NAMES)  # type: ignore[arg-type]
    write(path, ROWS[:-1])
    with pytest.raises(DataError, match=r"scores.jsonl changed while it was used"):
        list(texts_of(scores))


def test_parquet_without_pyarrow_names_the_install_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scores.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'adjoint-autodiff\[align\]'"):
        read_scores(path, reward="r")
    lines = write(tmp_path / "scores.jsonl", ROWS)  # and JSON lines need it not
    check_same(read_scores(lines, **NAMES), ROWS)  # type: ignore[arg-type]


def test_texts_of_scores_from_arrays() -> None:
    scores = Scores.dense([[0.0, 1.0]], {}, prompts=["p"], responses=["a", "b"])
    assert list(texts_of(scores)) == [Texts("p", ["a", "b"], None)]
    with pytest.raises(DataError, match="no prompts to export"):
        list(texts_of(Scores.dense([[0.0, 1.0]], {})))


def test_texts_are_not_kept(tmp_path: Path) -> None:
    """Memory: responses of 200 kB each, and what is held afterwards is the numbers."""
    import tracemalloc

    rows = [row | {"response": "x" * 200_000} for row in ROWS[:40]]
    path = write(tmp_path / "scores.jsonl", rows)
    tracemalloc.start()
    scores = read_scores(path, **NAMES)  # type: ignore[arg-type]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 100_000 and scores.n_responses == 40
