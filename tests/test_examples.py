"""Every example runs in a process of its own, and its computed check says ok."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("**/[0-9]*.py"))
# thirteen scripts of one subject, half a minute in all: the first one ordinarily, the others under `slow`
MARKS = {
    p: pytest.mark.slow for p in EXAMPLES if p.parent.name == "alignment" and not p.stem.startswith("01")
}
# they train for minutes; what they are made of is tested in tests/examples
LANGUAGE = ("17_a_language_model", "18_a_polite_critic")
MARKS |= {p: pytest.mark.slow for p in EXAMPLES if p.stem in LANGUAGE}


@pytest.mark.parametrize("path", [pytest.param(p, marks=MARKS.get(p, ()), id=p.stem) for p in EXAMPLES])
def test_example_checks_itself(path: Path) -> None:
    run = subprocess.run([sys.executable, "-W", "error", str(path)], capture_output=True, text=True, cwd=ROOT)
    if "MissingText" in run.stderr or "MissingPackageError" in run.stderr:
        pytest.skip(f"no text, or nobody to judge it: {run.stderr.strip().splitlines()[-1].strip()}")
    assert run.returncode == 0, run.stderr
    last = run.stdout.strip().splitlines()[-1]
    assert last.startswith("check: ") and last.endswith("  ok"), last


def test_there_are_examples_and_they_are_short() -> None:
    assert len(EXAMPLES) >= 4
    for path in EXAMPLES:
        assert len(path.read_text().splitlines()) <= 80, path.name
