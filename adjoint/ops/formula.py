r"""Formulas: one symbolic form of what a primitive computes, and two ways to write it, LaTeX and MathML.

A `Formula` is a small tree. Its operators build larger ones, so that a row of the table of primitives can be
read as a formula like as anything else: `row(FORMULAS, x, y)`. How a form is written stands once, in `FORMS`.

>>> x = name("x")
>>> row = lambda m, x: m.tanh(x) / 2
>>> row(FORMULAS, x).latex()
'\\frac{\\tanh\\left(x\\right)}{2}'
>>> row(FORMULAS, x).mathml()
'<mfrac><mrow><mi>tanh</mi><mo>(</mo><mi>x</mi><mo>)</mo></mrow><mn>2</mn></mfrac>'
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from ..text import clean

SUM, PRODUCT, ATOM = 0, 1, 2  # how tightly a form binds
LONGEST = 60  # characters of a name
NAMED = {
    "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "exp", "log", "max", "min",
}  # fmt: skip


class Form(NamedTuple):
    """How a form is written; `{0}` is its first part."""

    latex: str
    mathml: str
    binding: int = ATOM


def _operator(latex: str, sign: str, binding: int = SUM) -> Form:
    return Form(f"{{0}} {latex} {{1}}", f"<mrow>{{0}}<mo>{escape(sign)}</mo>{{1}}</mrow>", binding)


FORMS = {
    "add": _operator("+", "+"),
    "subtract": _operator("-", "−"),
    "times": Form(r"{0} \, {1}", '<mrow>{0}<mspace width="0.17em"/>{1}</mrow>', PRODUCT),
    "multiple": Form("{0} {1}", "<mrow>{0}{1}</mrow>", PRODUCT),
    "scaled": _operator(r"\times", "×", PRODUCT),
    "gains": _operator(r"\mathrel{{+}}=", "+="),
    "derivative": Form(
        r"\frac{{\partial {0}}}{{\partial {1}}}",
        "<mfrac><mrow><mo>∂</mo>{0}</mrow><mrow><mo>∂</mo>{1}</mrow></mfrac>",
    ),
    "negative": Form("-{0}", "<mrow><mo>−</mo>{0}</mrow>", SUM),
    "correlate": _operator(r"\star", "⋆"),
    "mod": _operator(r"\bmod", "mod"),
    ">": _operator(">", ">"), ">=": _operator(r"\ge", "≥"),
    "<": _operator("<", "<"), "<=": _operator(r"\le", "≤"),
    "=": _operator("=", "="), "!=": _operator(r"\ne", "≠"),
    "and": _operator(r"\wedge", "∧"), "or": _operator(r"\vee", "∨"), "xor": _operator(r"\oplus", "⊕"),
    "fraction": Form(r"\frac{{{0}}}{{{1}}}", "<mfrac>{0}{1}</mfrac>"),
    "power": Form("{{{0}}}^{{{1}}}", "<msup>{0}{1}</msup>"),
    "indexed power": Form("{0}_{{{1}}}^{{{2}}}", "<msubsup>{0}{1}{2}</msubsup>"),
    "top": Form(r"\top", "<mo>⊤</mo>"),
    "subscript": Form("{0}_{{{1}}}", "<msub>{0}{1}</msub>"),
    "item": Form("{{{0}}}_{{[{1}]}}", "<msub>{0}<mrow><mo>[</mo>{1}<mo>]</mo></mrow></msub>"),
    "parentheses": Form(r"\left({0}\right)", "<mrow><mo>(</mo>{0}<mo>)</mo></mrow>"),
    "call": Form(r"{0}\left({1}\right)", "<mrow>{0}<mo>(</mo>{1}<mo>)</mo></mrow>"),
    "indicator": Form(r"\left[{0}\right]", "<mrow><mo>[</mo>{0}<mo>]</mo></mrow>"),
    "root": Form(r"\sqrt{{{0}}}", "<msqrt>{0}</msqrt>"),
    "bars": Form(r"\left|{0}\right|", "<mrow><mo>|</mo>{0}<mo>|</mo></mrow>"),
    "norm": Form(r"\left\| {0} \right\|", "<mrow><mo>‖</mo>{0}<mo>‖</mo></mrow>"),
    "floor": Form(r"\left\lfloor {0} \right\rfloor", "<mrow><mo>⌊</mo>{0}<mo>⌋</mo></mrow>"),
    "conjugate": Form(r"\overline{{{0}}}", '<mover>{0}<mo stretchy="true">¯</mo></mover>'),
    "sum": Form(r"\sum {0}", "<mrow><mo>∑</mo>{0}</mrow>", PRODUCT),
    "mean": Form(
        r"\tfrac{{1}}{{n}} \sum {0}",
        '<mrow><mstyle displaystyle="false"><mfrac><mn>1</mn><mi>n</mi></mfrac></mstyle><mo>∑</mo>{0}</mrow>',
        PRODUCT,
    ),
    "logsumexp": Form(
        r"\log \sum e^{{{0}}}", "<mrow><mi>log</mi><mo>∑</mo><msup><mi>e</mi>{0}</msup></mrow>", PRODUCT
    ),
    "max": Form(r"\max {0}", '<mrow><mi>max</mi><mspace width="0.17em"/>{0}</mrow>', PRODUCT),
    "min": Form(r"\min {0}", '<mrow><mi>min</mi><mspace width="0.17em"/>{0}</mrow>', PRODUCT),
    "turns": Form(
        r"\sum_{{{0}}}^{{{1}}} \left[ {2} \right]",
        '<mrow><munderover><mo movablelimits="false">∑</mo>{0}{1}</munderover>'
        "<mrow><mo>[</mo>{2}<mo>]</mo></mrow></mrow>",
    ),
    "term": Form("+ {0}", '<mrow><mo form="infix">+</mo>{0}</mrow>', SUM),
    "said": Form(r"\text{{ {0}}}", "<mrow><mspace width=\"0.3em\"/>{0}</mrow>"),
    "defined": Form("{0} ={{}}", "<mrow>{0}<mo>=</mo></mrow>"),
    "remark": Form(r"\cdots \quad \text{{({0})}}", '<mrow><mo>⋯</mo><mspace width="1em"/>{0}</mrow>'),
}  # fmt: skip
RAISED = {"fraction", "power", "indexed power"}  # an exponent beside them would seem to be that of a part
NUMBER = re.compile(r"-?[0-9]+")
MATHML = "http://www.w3.org/1998/Math/MathML"
LETTERS = {
    "λ": r"\lambda",
    "ν": r"\nu",
    "μ": r"\mu",
    "ℓ": r"\ell",
    "ℒ": r"\mathcal{L}",
    "σ": r"\sigma",
    "∞": r"\infty",
}
ESCAPES = {c: f"\\{c}" for c in "_#%&${}"} | {"\\": r"\backslash{}", "^": r"\wedge{}", "~": r"\sim{}"}


class Formula:
    """A piece of mathematics: the name of its form, and its parts, formulas or, of a leaf, a text."""

    __slots__ = ("form", "parts")

    def __init__(self, form: str, *parts: Any) -> None:
        self.form, self.parts = form, parts

    def latex(self) -> str:
        """As LaTeX, without a mathematics environment around it."""
        return self._written(0)

    def mathml(self) -> str:
        """As presentation MathML (Core), without the `<math>` around it."""
        return self._written(1)

    def _written(self, how: int) -> str:
        special = SPECIAL.get(self.form)
        if special is not None:
            return special[how](self)
        form = FORMS[self.form]
        return (form.mathml if how else form.latex).format(*[part._written(how) for part in self.parts])

    @property
    def binding(self) -> int:
        """How tightly it binds: what binds less than an operator wants is put in parentheses."""
        form = FORMS.get(self.form)
        return form.binding if form is not None else ATOM

    def inside(self, binding: int) -> Formula:
        """This formula, in parentheses if it binds less tightly than that."""
        return self if self.binding >= binding else Formula("parentheses", self)

    def __repr__(self) -> str:
        return f"<Formula {self.latex()}>"

    # ------------------------------------------------------------------------------------ operators
    def __add__(self, other: Any) -> Formula:
        return Formula("add", self, formula(other))

    def __sub__(self, other: Any) -> Formula:
        if self.form == "number" and isinstance(other, (int, float)):  # the exponent of a power's derivative
            return number(float(self.parts[0]) - other)
        return Formula("subtract", self, formula(other).inside(PRODUCT))

    def __mul__(self, other: Any) -> Formula:
        other = formula(other)
        if self.latex() == other.latex():
            return self.raised(number(2))
        return Formula("times", self.inside(PRODUCT), other.inside(PRODUCT))

    def __truediv__(self, other: Any) -> Formula:
        return Formula("fraction", self, formula(other))

    def __pow__(self, other: Any) -> Formula:
        return self.raised(formula(other))

    def raised(self, exponent: Formula) -> Formula:
        """A power, or another superscript; an index stays below it."""
        if self.form == "subscript":
            return Formula("indexed power", *self.parts, exponent)
        if self.form in RAISED:
            return Formula("power", Formula("parentheses", self), exponent)
        return Formula("power", self.inside(ATOM), exponent)

    def __neg__(self) -> Formula:
        return Formula("negative", self.inside(PRODUCT))

    def __pos__(self) -> Formula:
        return self

    def infix(self, form: str, other: Any) -> Formula:
        """Two operands and a sign between them."""
        return Formula(form, self.inside(PRODUCT), formula(other).inside(PRODUCT))

    def __mod__(self, other: Any) -> Formula:
        return self.infix("mod", other)

    def __floordiv__(self, other: Any) -> Formula:
        return Formula("floor", self / other)

    def __gt__(self, other: Any) -> Formula:
        return self.infix(">", other)

    def __ge__(self, other: Any) -> Formula:
        return self.infix(">=", other)

    def __lt__(self, other: Any) -> Formula:
        return self.infix("<", other)

    def __le__(self, other: Any) -> Formula:
        return self.infix("<=", other)

    def __eq__(self, other: object) -> Any:
        return self.infix("=", other)

    def __ne__(self, other: object) -> Any:
        return self.infix("!=", other)

    def __and__(self, other: Any) -> Formula:
        return self.infix("and", other)

    def __or__(self, other: Any) -> Formula:
        return self.infix("or", other)

    def __xor__(self, other: Any) -> Formula:
        return self.infix("xor", other)

    def __radd__(self, other: Any) -> Formula:
        return formula(other) + self

    def __rsub__(self, other: Any) -> Formula:
        return formula(other) - self

    def __rmul__(self, other: Any) -> Formula:
        return formula(other) * self

    def __rtruediv__(self, other: Any) -> Formula:
        return formula(other) / self

    def __bool__(self) -> bool:
        raise TypeError("a formula has no truth value")  # NumPy's own maximum would choose by it

    __hash__ = None  # type: ignore[assignment]


# ---------------------------------------------------------------------------------------------- leaves
def formula(x: Any) -> Formula:
    """A formula as it is; a number, or anything else by its text."""
    if isinstance(x, Formula):
        return x
    return number(x) if isinstance(x, (int, float)) and not isinstance(x, bool) else word(str(x))


def number(x: float) -> Formula:
    """A number in four digits: `-0.5`, `1.2 × 10⁻⁵`, `∞`."""
    text = f"{x:.4g}"
    if text.startswith("-"):
        return Formula("negative", number(-x))
    if not math.isfinite(x):
        return letter("∞") if x > 0 else word("NaN")
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return Formula("number", text)
    power = Formula("power", Formula("number", "10"), number(int(exponent)))
    return power if mantissa == "1" else Formula("scaled", Formula("number", mantissa), power)


def name(text: str) -> Formula:
    """A name of the user's: one letter with digits as a letter with an index, everything else upright."""
    letter = re.fullmatch(r"([A-Za-z])_?(\d*)", text)
    if not letter:
        return word(text) if NUMBER.fullmatch(text) else Formula("name", clean(text, LONGEST))
    return subscript(letter[1], letter[2]) if letter[2] else Formula("letter", letter[1])


def subscript(letter: str, index: Any) -> Formula:
    """`z_{12}`; the index is a number or a name."""
    return Formula("subscript", Formula("letter", letter), Formula("name", str(index)))


def letter(text: str) -> Formula:
    """One letter, Latin or Greek."""
    return Formula("letter", text)


def word(text: str) -> Formula:
    """A function's name, or words, upright."""
    return Formula("word", clean(text, LONGEST))


def listed(parts: Sequence[Formula]) -> Formula:
    """Parts with commas between them."""
    return Formula("list", *parts)


def call(function: str, *operands: Any) -> Formula:
    """`tanh(x, y)`."""
    return Formula("call", word(function), listed([formula(x) for x in operands]))


NOTHING, TOP = Formula("nothing"), Formula("top")


def aligned(rows: Sequence[Sequence[Formula]]) -> Formula:
    """Lines in two columns, the first aligned to the right; a third is a remark."""
    return Formula("aligned", *(Formula("row", *row) for row in rows))


def _latex_word(f: Formula) -> str:
    text = f.parts[0]
    if text in NAMED:
        return f"\\{text}"
    return rf"\operatorname{{{_latex_escaped(text)}}}"


def _latex_escaped(text: str) -> str:
    return "".join(ESCAPES.get(c, c) for c in text)


def _latex_name(f: Formula) -> str:
    """Pieces of a name: letters, and numbers or formulas of them in between."""
    return "".join(_latex_piece(p) if isinstance(p, str) else p.latex() for p in f.parts)


def _latex_piece(text: str) -> str:
    return text if NUMBER.fullmatch(text) else rf"\mathtt{{{_latex_escaped(text)}}}"


def _mathml_name(f: Formula) -> str:
    pieces = [
        p.mathml() if isinstance(p, Formula) else f"<{tag}>{_xml(p)}</{tag}>"
        for p in f.parts
        for tag in ("mn" if isinstance(p, str) and NUMBER.fullmatch(p) else "mi",)
    ]
    return pieces[0] if len(pieces) == 1 else f"<mrow>{''.join(pieces)}</mrow>"


def _xml(text: str) -> str:
    return escape(text, {'"': "&quot;"}) or " "


def _joined(how: int, comma: str) -> Callable[[Formula], str]:
    return lambda f: comma.join(part._written(how) for part in f.parts)


def _latex_rows(f: Formula) -> str:
    return "\\begin{aligned}\n" + " \\\\\n".join(row.latex() for row in f.parts) + "\n\\end{aligned}"


def _latex_row(f: Formula) -> str:
    left, right, *remark = (part.latex() for part in f.parts)
    return f"{left} & {right}".strip() + "".join(rf" && \quad {text}" for text in remark if text)


def _mathml_row(f: Formula) -> str:
    cells = (part.mathml() for part in f.parts)
    sides = ("right; padding-right: 0.15em", "left; padding-left: 0.15em", "left; padding-left: 2em")
    columns = "".join(
        f'<mtd style="text-align: {side}">{cell}</mtd>' for side, cell in zip(sides, cells, strict=False)
    )
    return f"<mtr>{columns}</mtr>"


SPECIAL: dict[str, tuple[Callable[[Formula], str], Callable[[Formula], str]]] = {
    "number": (lambda f: f.parts[0], lambda f: f"<mn>{_xml(f.parts[0])}</mn>"),
    "letter": (lambda f: LETTERS.get(f.parts[0], f.parts[0]), lambda f: f"<mi>{f.parts[0]}</mi>"),
    "word": (_latex_word, lambda f: f"<mi>{_xml(f.parts[0])}</mi>"),
    "text": (lambda f: _latex_escaped(f.parts[0]), lambda f: f"<mtext>{_xml(f.parts[0])}</mtext>"),
    "name": (_latex_name, _mathml_name),
    "list": (_joined(0, ", "), _joined(1, '<mo separator="true">,</mo>')),
    "aligned": (
        _latex_rows,
        lambda f: f'<mtable displaystyle="true">{"".join(row.mathml() for row in f.parts)}</mtable>',
    ),
    "row": (_latex_row, _mathml_row),
    "nothing": (lambda f: "", lambda f: "<mrow></mrow>"),
}


def document(f: Formula) -> str:
    """A whole `<math>` element in display style, for a page."""
    return f'<math xmlns="{MATHML}" display="block" class="lagrangian">{f.mathml()}</math>'


# --------------------------------------------------------------------------------------------- reading
class FormulaReading:
    r"""`m.tanh(x)` is `\tanh\left(x\right)`; a few functions have a notation of their own."""

    def __getattr__(self, name: str) -> Any:
        return lambda *operands: call(name, *operands)

    def sqrt(self, x: Any) -> Formula:
        """A root sign."""
        return Formula("root", formula(x))

    def absolute(self, x: Any) -> Formula:
        """Bars."""
        return Formula("bars", formula(x))

    def maximum(self, x: Any, y: Any) -> Formula:
        r"""The maximum of two, as `\max`."""
        return call("max", x, y)

    def minimum(self, x: Any, y: Any) -> Formula:
        r"""The minimum of two, as `\min`."""
        return call("min", x, y)

    def promoted(self, x: Any, like: Any) -> Formula:
        """A dtype is no part of a formula."""
        return formula(x)

    def indicator(self, condition: Any, like: Any) -> Formula:
        """1 where the condition holds, else 0: brackets."""
        return Formula("indicator", formula(condition))

    def where(self, condition: Any, x: Any, y: Any) -> Formula:
        """A choice between numbers that are known is made."""
        if isinstance(condition, Formula) and condition.form == "=":
            left, right = condition.parts
            if left.form == right.form == "number":
                return formula(x if left.parts == right.parts else y)
        return call("where", condition, x, y)

    def expit(self, x: Any) -> Formula:
        """The logistic sigmoid."""
        return Formula("call", letter("σ"), formula(x))


FORMULAS = FormulaReading()
