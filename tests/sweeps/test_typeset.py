"""The Lagrangian of a program in symbols: LaTeX and MathML from one form, repeats as sums."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.ops.formula import FORMULAS, MATHML, Formula, document, formula, name, number

from ..helpers import Program, each_program, normal, record, twelve_layers
from ..render.browser import Opened, launched

X = normal(4)
# how many children an element of MathML Core has; others may have any number
CHILDREN = {"mfrac": 2, "msub": 2, "msup": 2, "msubsup": 3, "munderover": 3, "mover": 2}
CORE = {
    *CHILDREN,
    "math",
    "mtable",
    "mtr",
    "mtd",
    "mrow",
    "mi",
    "mn",
    "mo",
    "mtext",
    "mspace",
    "msqrt",
    "mstyle",
}


def check_latex(text: str) -> None:
    """In spirit: one aligned environment, balanced braces, nothing that TeX would trip over."""
    assert text.startswith("\\begin{aligned}") and text.endswith("\\end{aligned}")
    assert (
        text.count("\\begin{aligned}") == text.count("\\end{aligned}") == 1 + text.count(r"\left[ \begin{a")
    )
    depth = 0
    for k, c in enumerate(text):
        if text[k - 1 : k] != "\\":
            depth += (c == "{") - (c == "}")
        assert depth >= 0
    assert depth == 0
    assert len(re.findall(r"\\left(?![a-z])", text)) == len(re.findall(r"\\right(?![a-z])", text))
    assert not re.search(r"(?<!\\)[#%$]", text)
    assert not re.search(r"_[^{\\]", re.sub(r"\\_", "", text)), "a subscript without braces"
    assert not re.search(r"[_^]\{[^{}]*\}_\{|\}\^\{[^{}]*\}\^", text), "a double sub- or superscript"
    lines = text.splitlines()[1:-1]
    ends = (r"\\", r"\begin{aligned}")  # the last line of an inner block needs none
    last = [k for k, line in enumerate(lines) if line.startswith(r"\end{aligned}")]
    assert all(line.endswith(ends) for k, line in enumerate(lines[:-1]) if k + 1 not in last)
    assert all(line.count("&") - line.count(r"\&") == (k not in last) for k, line in enumerate(lines))


@each_program
def test_latex_of_programs(p: Program) -> None:
    tape, loss, _ = record(p.function, *p.args)
    check_latex(ad.Lagrangian(tape, loss).latex())
    check_latex(ad.Lagrangian(tape, loss).latex(limit=2))


def test_latex_says_what_the_program_does() -> None:
    with ad.Tape() as tape:
        w, b = tape.parameter(X, "W_1"), tape.parameter(1.0, "b")
        loss = np.sum(np.tanh(w) + b)
    text = ad.Lagrangian(tape, loss).latex()
    assert text.splitlines()[1] == r"\mathcal{L}\left(z, W, \lambda\right) ={} & z_{4} \\"
    assert r"\tanh" in text and "W_{1}" in text and r"z_{4}" in text
    assert text.count(r"\lambda_{") == 3
    assert "(2 more)" in ad.Lagrangian(tape, loss).latex(limit=1)


def test_latex_escapes_names() -> None:
    with ad.Tape() as tape, ad.scope("enc_1/50%"):
        x = tape.parameter({"a_b$": X, "c&d{e}": X, "f^~g\\h": X, "über": X})
        loss = ad.name(sum(np.sum(v) for v in x.values()), "$loss_{%")
    check_latex(ad.Lagrangian(tape, loss).latex())


def check_mathml(text: str) -> ET.Element:
    """Well-formed, MathML Core, with the children that each element needs."""
    root = ET.fromstring(text)
    for element in root.iter():
        space, _, tag = element.tag[1:].partition("}")
        assert space == MATHML and tag in CORE, element.tag
        assert len(element) == CHILDREN.get(tag, len(element)), ET.tostring(element)
        if tag in ("mi", "mn", "mo", "mtext"):
            assert element.text and not len(element)
    return root


def letters(latex: str) -> str:
    """What is left of LaTeX without commands that are no letters."""
    for command, letter in {"lambda": "λ", "nu": "ν", "mu": "μ", "sigma": "σ", "mathcal{L}": "ℒ"}.items():
        latex = latex.replace(f"\\{command}", letter)
    latex = re.sub(r"\\(begin|end)\{aligned\}", "", latex).replace(r"\bmod", "mod").replace(r"^{-1}", "1")
    silent = "left|right|mathtt|operatorname|text|tfrac|frac|sqrt|top|sum|quad|cdots|times|overline|star"
    silent += "|ge|le|ne|wedge|vee|oplus|lfloor|rfloor"
    latex = re.sub(rf"\\({silent})(?![a-z])", " ", latex)
    return "".join(c for c in latex if c.isalnum())


@each_program
def test_mathml_of_programs_says_what_their_latex_says(p: Program) -> None:
    tape, loss, _ = record(p.function, *p.args)
    lagrangian = ad.Lagrangian(tape, loss)
    for limit in (40, 2):
        root = check_mathml(lagrangian.mathml(limit))
        said = "".join(c for c in "".join(root.itertext()) if c.isalnum())
        assert said == letters(lagrangian.latex(limit))


@pytest.mark.parametrize(
    ("made", "latex", "mathml"),
    [
        (name("W_1"), "W_{1}", "<msub><mi>W</mi><mn>1</mn></msub>"),
        (number(-0.25), "-0.25", "<mrow><mo>−</mo><mn>0.25</mn></mrow>"),
        (number(1.5e-7), r"1.5 \times {10}^{-7}", "<mrow><mn>1.5</mn><mo>×</mo><msup><mn>10</mn>"
         "<mrow><mo>−</mo><mn>7</mn></mrow></msup></mrow>"),
        (name("x") - (name("y") - 1), r"x - \left(y - 1\right)", None),
        ((name("x") + 1) * (name("x") + 1), r"{\left(x + 1\right)}^{2}", None),
        (-(name("x") * 2) / name("y"), r"\frac{-x \, 2}{y}", None),
        (FORMULAS.where(name("x") > 0, name("x"), 0),
         r"\operatorname{where}\left(x > 0, x, 0\right)", None),
    ],
)  # fmt: skip
def test_formulas(made: Formula, latex: str, mathml: str | None) -> None:
    assert made.latex() == latex
    if mathml:
        assert made.mathml() == mathml
    check_mathml(document(made))


def test_layers_that_repeat_are_one_sum() -> None:
    loss = twelve_layers()
    lagrangian = ad.Lagrangian(loss.tape, loss)
    text = lagrangian.latex()
    assert len(text.splitlines()) < 14
    assert r"\sum_{k = 0}^{10} \left[" in text
    # the first turn takes x, which is not h of a turn before: what repeats begins after its product
    assert r"\mathtt{layer}k\mathtt{/h} \, W_{k + 1}" in text
    check_latex(text)
    root = check_mathml(lagrangian.mathml())
    assert len(list(root.iter(f"{{{MATHML}}}munderover"))) == 1


def written_out(tape: ad.Tape, loss: ad.Variable) -> list[str]:
    """Each constraint as a line, by hand: what sums must expand to."""
    from adjoint.sweeps.typeset import _term

    lam = ad.Lagrangian(tape, loss).lam
    return [
        _term(tape, i, op).latex()
        for i, op in enumerate(tape.operations)
        if op is not None and lam[i] is not None
    ]


def expanded(text: str) -> list[str]:
    """The lines of a Lagrangian with its sums over k written out."""
    lines, body, turns = [], None, range(0)
    for line in text.splitlines()[2:-1]:
        line = line.removesuffix(r" \\").removeprefix("& ").removeprefix("+ ")
        start = re.fullmatch(r"\\sum_\{k = (\d+)\}\^\{(\d+)\} \\left\[ \\begin\{aligned\}", line)
        if start:
            body, turns = [], range(int(start[1]), int(start[2]) + 1)
        elif line.startswith(r"\end{aligned}"):
            for k in turns:
                lines += [value(each, k) for each in body or []]
            body = None
        else:
            (lines if body is None else body).append(line)
    return lines


def value(line: str, k: int) -> str:
    """A line of a sum at one k."""
    growing = r"(?:(\d+) )?k(?: ([+-]) (\d+))?"
    index = re.compile(rf"(?<![A-Za-z\\{{}}]){growing}(?![a-z])|(?<=\{{){growing}(?=\}})")

    def at(found: re.Match[str]) -> str:
        slope, sign, shift = (found[j] or found[j + 3] for j in (1, 2, 3))
        return str(int(slope or 1) * k + int(f"{sign or '+'}{shift or 0}"))

    return index.sub(at, line)


def test_a_sum_written_out_is_the_program() -> None:
    """The witness: putting k = 1, 2, … into the sum gives the constraints of the tape, one by one."""
    with ad.Tape() as tape:
        x = tape.parameter(0.5, name="x")
        for _ in range(9):
            x = np.sin(x) * 1.5 + np.cos(x)
        loss = np.exp(-x)
    text = ad.Lagrangian(tape, loss).latex()
    assert r"\sum_{k" in text and len(text.splitlines()) < 16
    assert expanded(text) == written_out(tape, loss)


def test_names_that_do_not_grow_evenly_are_not_folded() -> None:
    with ad.Tape() as tape:
        x = tape.parameter(0.5, name="x")
        for k in (1, 2, 4, 8, 16, 32):
            x = ad.name(np.sin(x), f"h{k}")
    text = ad.Lagrangian(tape, x).latex()
    assert r"\sum" not in text and "h_{32}" in text


def test_repeats_of_repeats_use_two_indices() -> None:
    with ad.Tape() as tape:
        x = tape.parameter(0.5, name="x")
        for _ in range(6):
            for _ in range(20):
                x = np.sin(x)
            x = np.exp(x)
    text = ad.Lagrangian(tape, x).latex()
    assert r"\sum_{l = 1}^{5}" in text and r"\sum_{k = 21 l + 1}^{21 l + 20}" in text
    check_latex(text)
    check_mathml(ad.Lagrangian(tape, x).mathml())


HOSTILE = [
    "</math><script>alert(1)</script>", "a & b", "<mi>", '"quoted" onload="x"', "\x00\x1b[31m", "\u202e",
    "\ud800", "x" * 10_000, "line\nbreak", "]]>", "&lt;", "   ", "λ µ 漢字 🦜", "1", "-1",
]  # fmt: skip


@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_stay_names(label: str) -> None:
    with ad.Tape() as tape:
        w = tape.parameter(2.0, name=label)
        loss = ad.name(np.sin(w) * w, label + "?")
    lagrangian = ad.Lagrangian(tape, loss)
    root = check_mathml(lagrangian.mathml())
    plain = ad.Lagrangian(*_same_program())
    assert [e.tag for e in root.iter()] == [e.tag for e in check_mathml(plain.mathml()).iter()]
    assert len(lagrangian.mathml()) < 10_000 and len(lagrangian.latex()) < 3000
    check_latex(lagrangian.latex())


def _same_program() -> tuple[ad.Tape, Any]:
    with ad.Tape() as tape:
        w = tape.parameter(2.0, name="first")
        return tape, ad.name(np.sin(w) * w, "second")


def test_a_row_from_outside_that_calls_numpy_by_name() -> None:
    assert formula("words").mathml() == "<mi>words</mi>"
    op = ad.elementwise("by_numpy", lambda m, x: np.arcsinh(x) + 1, lambda m, x, z: 1 / np.sqrt(1 + x * x))
    with ad.Tape() as tape:
        loss = op(tape.parameter(2.0, name="w"))
    assert r"\operatorname{by\_numpy}\left(w\right)" in ad.Lagrangian(tape, loss).latex()
    check_mathml(ad.Lagrangian(tape, loss).mathml())


def test_a_browser_typesets_it(tmp_path: Path) -> None:
    """Fractions are stacked, lines follow each other, sides are aligned at the equals sign."""
    with ad.Tape() as tape:
        x, y = tape.parameter(X, name="x"), tape.parameter(2.0, name="y")
        loss = ad.name(np.sum(np.sqrt(x * x + 1) / y), "loss")
    text = f"<!doctype html><meta charset=utf-8>{ad.Lagrangian(tape, loss).mathml()}"
    with launched() as browser:
        opened = Opened(browser, tmp_path / "page.html", text)
        boxes = opened.page.evaluate(
            "() => Object.fromEntries(['mtr', 'mfrac > *', 'mtd:last-child'].map(s => [s, "
            "[...document.querySelectorAll(s)].map(e => e.getBoundingClientRect().toJSON())]))"
        )
        opened.close()
    rows, (over, under), sides = boxes["mtr"], boxes["mfrac > *"], boxes["mtd:last-child"]
    assert all(a["bottom"] <= b["top"] + 1 for a, b in pairwise(rows)) and len(rows) == 6
    middles = [box["x"] + box["width"] / 2 for box in (over, under)]
    assert over["bottom"] <= under["top"] + 1 and abs(middles[0] - middles[1]) < 2
    assert len({round(side["left"]) for side in sides}) == 1 and rows[0]["height"] > 10


def test_an_exponent_belongs_to_all_that_stands_before_it() -> None:
    x, y = name("x"), name("y")
    assert ((x / y) ** 2).latex() == r"{\left(\frac{x}{y}\right)}^{2}"
    assert ((x**y) ** 2).latex() == r"{\left({x}^{y}\right)}^{2}"
    assert ((name("x1") ** 2) ** y).latex() == r"{\left(x_{\mathtt{}1}^{2}\right)}^{y}".replace(
        r"\mathtt{}", ""
    )
    assert ((x**y) ** 2).mathml().count("<mo>(</mo>") == 1


def test_numbers_that_are_not_finite_are_signs() -> None:
    assert number(np.inf).latex() == r"\infty" and number(-np.inf).latex() == r"-\infty"
    assert number(-np.inf).mathml() == "<mrow><mo>−</mo><mi>∞</mi></mrow>"
    assert number(np.nan).latex() == r"\operatorname{NaN}"
