"""The README tells the truth: its program runs and prints the numbers written beside it."""

from __future__ import annotations

import re
from pathlib import Path

import adjoint as ad

README = (Path(__file__).parents[1] / "README.md").read_text()
CODE = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))


def test_program_prints_what_the_comments_say(capsys) -> None:
    exec(compile(CODE, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    promised = [c.strip() for c in re.findall(r"^print\(.*?\)\s+# ([\[(\d].*)$", CODE, re.MULTILINE)]
    assert len(promised) == 3
    assert printed.splitlines()[: len(promised)] == promised


def test_certificate_and_prediction_are_shown(capsys) -> None:
    exec(compile(CODE, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "KKT certificate" in printed and "VIOLATED" not in printed
    assert "measured Δℓ" in printed and r"\mathcal{L}" in printed


def test_error_text_is_the_one_the_library_gives() -> None:
    import numpy as np

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


def test_commands_stand_where_ci_finds_them() -> None:
    for mark, words in (("demo", "-m adjoint demo"), ("tests", "-m pytest")):
        block = re.search(rf"<!-- {mark} -->\n```\n(.*?)```", README, re.DOTALL)
        assert block and words in block[1] and "venv" in block[1]
