"""The README tells the truth: its program runs and prints the numbers written beside it."""

from __future__ import annotations

import linecache
import re
import warnings
from pathlib import Path

import numpy as np

import adjoint as ad
from adjoint.ops import PRIMITIVES

README = (Path(__file__).parents[1] / "README.md").read_text()
CODE = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))


def printed_by_the_program(capsys) -> list[str]:
    registered = set(PRIMITIVES)
    source = CODE.splitlines(keepends=True)
    linecache.cache["train.py"] = (len(CODE), None, source, "train.py")
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the recipe that looks for a NaN makes one
        exec(compile(CODE, "train.py", "exec"), {})
    for name in set(PRIMITIVES) - registered:
        del PRIMITIVES[name]
    return capsys.readouterr().out.splitlines()


def test_program_prints_what_the_comments_say(capsys) -> None:
    printed = printed_by_the_program(capsys)
    beside = [c.strip() for c in re.findall(r"^print\(.*?\)\s+# ([-\[(\dT].*)$", CODE, re.MULTILINE)]
    below = [c[2:] for c in re.findall(r"^# .*$", CODE, re.MULTILINE)]
    assert len(beside) == 15 and len(below) == 10
    for promised in [*(re.split(r"[;:]", c)[0] for c in beside), *below]:
        assert any(says(line, promised) for line in printed), promised


NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:e[-+]?\d+)?")


def says(line: str, promised: str) -> bool:
    """The same words and the same numbers, but for rounding (residuals of 1e-17 are rounding altogether)."""
    if NUMBER.sub("#", line).split() != NUMBER.sub("#", promised).split():
        return False
    pairs = zip(map(float, NUMBER.findall(line)), map(float, NUMBER.findall(promised)), strict=True)
    return all(np.isclose(x, y, rtol=1e-6, atol=1e-12) for x, y in pairs)


def test_program_finds_the_nan(capsys) -> None:
    printed = "\n".join(printed_by_the_program(capsys))
    assert "first non-finite value: sqrt#1, 1 element\n  recorded at train.py:" in printed


def test_error_text_is_the_one_the_library_gives() -> None:
    with ad.Tape() as tape:
        w2, x = tape.parameter(np.ones((12, 4)), name="W2"), tape.input(np.ones((32, 10)))
        with ad.scope("encoder"), ad.scope("layer2"):
            try:
                x @ w2
            except ad.ShapeError as error:
                text = str(error)
    shown = README.split("ShapeError: ")[1].split("```")[0]
    lines = [line.strip() for line in shown.strip().splitlines()]
    assert text.splitlines()[0] == lines[0]
    assert 'in scope "encoder/layer2":  x @ w2' in text
    assert [line.strip() for line in text.splitlines()[2:]] == lines[2:]


def test_explanation_is_of_the_kind_that_compiled_functions_give(capsys) -> None:
    """The same program; steps, kernels and seconds are those of the machine it was made on."""
    printed = "\n".join(printed_by_the_program(capsys))
    shown = re.search(r"<!-- explain -->\n```\n(.*?)```", README, re.DOTALL)
    assert shown
    for found, promised in zip(parts_of(printed), parts_of(shown[1]), strict=True):
        assert found == promised


def parts_of(explanation: str) -> list[object]:
    """What does not depend on the machine: heading, arguments, nodes, columns, kinds of steps."""
    _, _, text = explanation.partition("step: ")
    lines = [line.split() for line in text.splitlines()]
    columns = next(k for k, words in enumerate(lines) if words[:2] == ["step", "kind"])
    nodes = next(words for words in lines if words[1:3] == ["recorded", "nodes;"])
    kinds = {words[1] for words in lines[columns + 2 :] if words and words[0].isdigit()}
    return [lines[0], lines[2], nodes[:3], lines[columns], kinds]


def test_the_picture_is_of_that_program() -> None:
    """What its boxes and its legend say is what the program's second block draws today."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[:2]
    code = "\n".join(blocks)
    linecache.cache["train.py"] = (len(code), None, code.splitlines(keepends=True), "train.py")
    program: dict[str, object] = {}
    exec(compile(code, "train.py", "exec"), program)
    drawn = ad.draw(program["L"]).svg()
    kept = (Path(__file__).parents[1] / "docs" / "graph.svg").read_text("utf-8")
    texts = [re.findall(r"<text[^>]*>([^<]*)</text>", svg) for svg in (kept, drawn)]
    assert texts[0] == texts[1], "ad.draw(L).save('docs/graph.svg') brings it up to date"


def test_commands_stand_where_ci_finds_them() -> None:
    for mark, words in (("demo", "-m adjoint demo"), ("tests", "-m pytest")):
        block = re.search(rf"<!-- {mark} -->\n```\n(.*?)```", README, re.DOTALL)
        assert block and words in block[1] and "venv" in block[1]


def test_migration_page_runs_and_prints_what_it_says(capsys) -> None:
    page = (Path(__file__).parents[1] / "docs" / "from_autograd.md").read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    exec(compile(code, "migration.py", "exec"), {})
    promised = re.search(r"^print\(.*\)  # (.*)$", code, re.MULTILINE)
    assert promised
    assert np.isclose(float(capsys.readouterr().out), float(promised[1]), atol=1e-3)
