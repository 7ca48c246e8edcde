"""Reading 10⁶ rows of scores with their texts: time, and peak memory against the columns of numbers.

Every way reads the same rows (prompt, response, three scores; 8 responses per prompt) in its own process.
Memory is what the process grew by at its peak, once the libraries are loaded; 3 times the columns of numbers
is asked for. With pyarrow about 75 MB of it are buffers that do not grow with the file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from environment import heading, versions
from harness import emit, table

ASKED = 3.0  # times the columns of numbers, at most
COLUMNS = ("helpful", "safe", "humor")
WORDS = ("rain", "garden", "please", "explain", "carefully", "first", "then", "cost", "time", "safety")


def write(path: Path, rows: int) -> None:
    """About 300 bytes a row, as JSON lines."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        for start in range(0, rows, 8):
            prompt = f"question {start}: " + " ".join(rng.choice(WORDS, 12))
            for scores in np.round(rng.normal(size=(8, 3)), 4).tolist():
                text = " ".join(rng.choice(WORDS, 20))
                row = {"prompt": prompt, "response": text} | dict(zip(COLUMNS, scores, strict=True))
                file.write(json.dumps(row) + "\n")


def convert(lines: Path, target: Path) -> None:
    """The same as Parquet."""
    import pyarrow.json as pj
    import pyarrow.parquet as pq

    pq.write_table(pj.read_json(lines), target, row_group_size=1 << 17)


READ = """
import json, sys, time
from adjoint.models.alignment import read_scores, source
if sys.argv[2] == "standard library":
    source._arrow_reader = lambda columns, grouped: None
if sys.argv[2] == "pyarrow":
    import pyarrow.json, pyarrow.parquet
def peak():  # kB; getrusage would also know the peak of the process that started this one
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmHWM"))
before = peak()
wall, process = time.perf_counter(), time.process_time()
scores = read_scores(sys.argv[1], reward="helpful", utilities=["safe", "humor"])
wall, process = time.perf_counter() - wall, time.process_time() - process
grown = peak() - before
print(json.dumps({"wall": wall, "process": process, "memory": grown * 1024 / (24 * scores.n_responses)}))
"""


def main() -> None:
    """Write, read in every way, print a table and JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    print(heading())
    used = versions(("adjoint-autodiff", "pyarrow", "numpy"))
    shown = []
    with tempfile.TemporaryDirectory() as folder:
        lines, parquet = Path(folder) / "scores.jsonl", Path(folder) / "scores.parquet"
        write(lines, rows)
        convert(lines, parquet)
        for path, parser_name in ((lines, "pyarrow"), (lines, "standard library"), (parquet, "pyarrow")):
            command = [sys.executable, "-c", READ, str(path), parser_name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            result = json.loads(done.stdout)
            verdict = "met" if result["memory"] <= ASKED else "missed"
            way = f"{path.suffix} by {parser_name}"
            shown.append([way, *(f"{result[key]:.2f}" for key in ("process", "wall", "memory")), verdict])
            emit("reading", f"{rows:,} rows", way, result.pop("wall"), "s", rows, **result, versions=used)
    heads = ["", "process s", "wall s", "memory / columns", f"asked for ≤ {ASKED:g}"]
    table(f"{rows:,} rows", heads, shown)


if __name__ == "__main__":
    main()
