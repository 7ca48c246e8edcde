"""Score files for the tests: rows as dictionaries, written in every form."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]


def long_rows(prompts: int = 30, seed: int = 0, most: int = 6) -> list[Row]:
    """One row per response; helpful and safe pull against each other, humor goes its own way."""
    rng = np.random.default_rng(seed)
    rows = []
    for x in range(prompts):
        for k in range(int(rng.integers(2, most + 1))):
            gives = rng.normal()
            rows.append(
                {
                    "prompt": f"question {x}?", "response": f"answer {x}.{k} ✓", "id": f"{x}-{k}",
                    "helpful": round(gives + 0.3 * rng.normal(), 6),
                    "safe": round(0.5 - gives + 0.5 * rng.normal(), 6),
                    "humor": round(rng.normal(), 6), "log_base": round(0.3 * rng.normal(), 6),
                }
            )  # fmt: skip
    return rows


def grouped_rows(rows: Iterable[Row]) -> list[Row]:
    """The same with one row per prompt."""
    out: dict[str, Row] = {}
    for row in rows:
        mine = out.setdefault(row["prompt"], {"prompt": row["prompt"]})
        for name, value in row.items():
            if name != "prompt":
                mine.setdefault({"response": "responses"}.get(name, name), []).append(value)
    return list(out.values())


def jsonl(rows: Iterable[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write(path: Path, rows: list[Row]) -> Path:
    """By the suffix: .jsonl, .gz or .parquet."""
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=7)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(jsonl(rows).encode()))
    else:
        path.write_text(jsonl(rows), encoding="utf-8")
    return path


def read_lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
