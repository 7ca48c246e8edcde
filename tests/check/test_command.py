"""`python -m adjoint check`: rules of the library, functions of the user's, and everything typed wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.__main__ import main
from adjoint.errors import UnknownNameError
from adjoint.ops.primitive import PRIMITIVES
from adjoint.targets import load

from ..helpers import fresh, message

MODULE = """
import numpy as np

def loss(w, x):
    return np.sum(np.tanh(x @ w) ** 2)

def by_hand(w, x):
    h = np.tanh(x @ w)
    return x.T @ (2 * h * (1 - h**2))

def wrong(w, x):
    return -by_hand(w, x)

def make_args():
    return np.array([0.5, -0.2]), np.eye(3, 2)

def draw_args(rng):
    print("drawn", rng.normal())
    return make_args()

def sized_args(n=2):
    return np.ones(n), np.eye(3, n)

ARGS = make_args()
number = 3

def raises(w, x):
    return {}["missing"]

class Model:
    @staticmethod
    def loss(w, x):
        return loss(w, x)
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "my.py").write_text(MODULE)
    (tmp_path / "my_broken_module.py").write_text("import no_such_dependency")
    (tmp_path / "my_faulty_module.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("my", None)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("my:loss --args my:make_args", 0, "gradients of loss: passed"),
        ("my:Model.loss --args my:ARGS --argnum 0 --order 1", 0, "passed"),
        ("my:loss --args my:ARGS --argnum 0 --gradient my:by_hand", 0, "passed"),
        ("my:loss --args my:ARGS --argnum 0 --gradient my:wrong", 1, "argument w, index ["),
        ("my:loss --args my:sized_args --argnum 0", 0, "passed"),
        ("my:loss --args my:ARGS --multipliers", 0, "residual injection at 6 nodes"),
    ],
)  # fmt: skip
def test_functions_of_the_user(arguments: str, code: int, words: str, capsys: Any) -> None:
    assert main(["check", *arguments.split()]) == code
    printed = capsys.readouterr()
    assert words in printed.out and printed.err == ""
    assert ("other directions: --seed N" in printed.out) == (code == 1)


def test_seed_draws_the_arguments(capsys: Any) -> None:
    drawn = []
    for seed in ("3", "3", "4"):
        assert main(["check", "my:loss", "--args", "my:draw_args", "--seed", seed]) == 0
        drawn.append(capsys.readouterr().out.splitlines()[0])
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("my:los --args my:ARGS", 2, "my:los: my has no 'los'; did you mean loss?"),
        ("mx:loss --args my:ARGS", 2, "mx:loss: there is no module 'mx' in "),
        ("my.sub:loss --args my:ARGS", 2, "there is no module 'my.sub'"),
        ("my_broken_module:f --args my:ARGS", 2, "importing my_broken_module failed: No module named"),
        ("my_faulty_module:f --args my:ARGS", 2, "my_faulty_module failed: ZeroDivisionError: division by"),
        ("my.py:loss --args my:ARGS", 2, "did you mean my:loss?"),
        ("my:loss --args my:ARGS --engine numpy", 2, "--engine is for the library's rules"),
        ("my:loss --args my:ARGS --multipliers --gradient my:by_hand", 2, "it takes no --gradient"),
        ("my:loss --args my:ARGS --multipliers --order 2", 2, "it takes no --order"),
        ("tanh --multipliers", 2, "--multipliers is for a function"),
        ("my:loss", 2, "is checked at some point: give --args module:name"),
        ("my:number --args my:ARGS", 2, "my:number is no function but int 3"),
        ("my:loss --args my:number", 2, "must give a tuple of the function's arguments, (x,)"),
        ("my:loss --args my:raises", 2, "--args my:raises raised TypeError"),
        ("my:loss --args ARGS", 2, "--args needs module:function, got 'ARGS'"),
        ("my:loss --args my:ARGS --gradient my:number", 2, "--gradient my:number is no"),
        ("my:loss my:Model.loss", 2, "one function at a time"),
        ("tanh --order 2", 2, "--order is for a function, module:function; none is given"),
        ("tanhh", 2, "no primitive tanhh; did you mean tanh"),
        ("my:raises --args my:ARGS", 1, "raised KeyError: 'missing' at "),
        ("my:loss --args my:ARGS --argnum 7", 1, "could not be checked: argnum 7 is out of range"),
    ],
)  # fmt: skip
def test_what_is_typed_wrong(arguments: str, code: int, words: str, capsys: Any) -> None:
    assert main(["check", *arguments.split()]) == code
    printed = capsys.readouterr()
    assert words in printed.err and "Traceback" not in printed.err
    assert printed.out == ""


def test_rules_by_name_and_a_table(capsys: Any) -> None:
    assert main(["check", "tanh", "matmul", "--seed", "5"]) == 0
    printed = capsys.readouterr().out
    assert "2 of 2 primitives pass on numpy and numba (" in printed
    assert "elementwise" in printed and "products" in printed


def test_a_wrong_rule_fails_aloud(capsys: Any) -> None:
    wrong = ad.elementwise(
        next(fresh), lambda m, x: m.sin(x), lambda m, x, z: 1.01 * m.cos(x), domain=((-1, 1),)
    )
    try:
        assert main(["check", wrong.name, "tanh", "--engine", "numpy"]) == 1
    finally:
        PRIMITIVES.pop(wrong.name)
    printed = capsys.readouterr().out
    assert f"rule {wrong.name}: FAILED" in printed and f"FAILED: {wrong.name}" in printed
    assert "1 of 2 primitives pass on numpy" in printed


def test_load_finds_attributes_and_leaves_the_path_as_it_is() -> None:
    assert load("numpy:linalg.norm") is np.linalg.norm
    before = [p for p in sys.path if p != str(Path.cwd())]
    for _ in range(2):
        load("my:loss")
        assert sys.path == [str(Path.cwd()), *before]
    assert message(UnknownNameError, load, "loss") == "this needs module:function, got 'loss'"
