"""Rows read as LaTeX: symbols whose operators print."""

from __future__ import annotations

from typing import Any

NAMED = {
    "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "exp", "log", "max", "min",
}  # fmt: skip
SUM, PRODUCT, ATOM = 0, 1, 2  # how tightly a piece of text binds


class Symbol:
    """A piece of LaTeX and how tightly it binds."""

    def __init__(self, text: str, binding: int = ATOM) -> None:
        self.text, self.binding = text, binding

    def __str__(self) -> str:
        return self.text

    def _inside(self, binding: int) -> str:
        return self.text if self.binding >= binding else rf"\left({self.text}\right)"

    def __add__(self, other: Any) -> Symbol:
        return Symbol(f"{self.text} + {_symbol(other).text}", SUM)

    def __sub__(self, other: Any) -> Symbol:
        return Symbol(f"{self.text} - {_symbol(other)._inside(PRODUCT)}", SUM)

    def __mul__(self, other: Any) -> Symbol:
        other = _symbol(other)
        if self.text == other.text:
            return Symbol(f"{{{self._inside(ATOM)}}}^{{2}}")
        return Symbol(rf"{self._inside(PRODUCT)} \, {other._inside(PRODUCT)}", PRODUCT)

    def __truediv__(self, other: Any) -> Symbol:
        return Symbol(rf"\frac{{{self.text}}}{{{_symbol(other).text}}}")

    def __pow__(self, other: Any) -> Symbol:
        return Symbol(f"{{{self._inside(ATOM)}}}^{{{_symbol(other).text}}}")

    def __neg__(self) -> Symbol:
        return Symbol(f"-{self._inside(PRODUCT)}", SUM)

    def __pos__(self) -> Symbol:
        return self

    def _infix(self, operator: str, other: Any) -> Symbol:
        return Symbol(f"{self._inside(PRODUCT)} {operator} {_symbol(other)._inside(PRODUCT)}", SUM)

    def __mod__(self, other: Any) -> Symbol:
        return self._infix(r"\bmod", other)

    def __floordiv__(self, other: Any) -> Symbol:
        return Symbol(rf"\left\lfloor {self / other} \right\rfloor")

    def __gt__(self, other: Any) -> Symbol:
        return self._infix(">", other)

    def __ge__(self, other: Any) -> Symbol:
        return self._infix(r"\ge", other)

    def __lt__(self, other: Any) -> Symbol:
        return self._infix("<", other)

    def __le__(self, other: Any) -> Symbol:
        return self._infix(r"\le", other)

    def __eq__(self, other: object) -> Any:
        return self._infix("=", other)

    def __ne__(self, other: object) -> Any:
        return self._infix(r"\ne", other)

    def __and__(self, other: Any) -> Symbol:
        return self._infix(r"\wedge", other)

    def __or__(self, other: Any) -> Symbol:
        return self._infix(r"\vee", other)

    def __xor__(self, other: Any) -> Symbol:
        return self._infix(r"\oplus", other)

    def __radd__(self, other: Any) -> Symbol:
        return _symbol(other) + self

    def __rsub__(self, other: Any) -> Symbol:
        return _symbol(other) - self

    def __rmul__(self, other: Any) -> Symbol:
        return _symbol(other) * self

    def __rtruediv__(self, other: Any) -> Symbol:
        return _symbol(other) / self

    __hash__ = None  # type: ignore[assignment]


def _symbol(x: Any) -> Symbol:
    return x if isinstance(x, Symbol) else Symbol(f"{x:g}" if isinstance(x, float) else str(x))


class LatexReading:
    r"""`m.tanh(x)` prints `\tanh\left(x\right)`; a few functions have a notation of their own."""

    def __getattr__(self, name: str) -> Any:
        head = rf"\{name}" if name in NAMED else r"\operatorname{" + name.replace("_", r"\_") + "}"
        return lambda *args: Symbol(rf"{head}\left({', '.join(str(_symbol(a)) for a in args)}\right)")

    def sqrt(self, x: Any) -> Symbol:
        """A root sign."""
        return Symbol(rf"\sqrt{{{x}}}")

    def absolute(self, x: Any) -> Symbol:
        """Bars."""
        return Symbol(rf"\left|{x}\right|")

    def maximum(self, x: Any, y: Any) -> Symbol:
        r"""The maximum of two, as `\max`."""
        return Symbol(rf"\max\left({x}, {y}\right)")

    def minimum(self, x: Any, y: Any) -> Symbol:
        r"""The minimum of two, as `\min`."""
        return Symbol(rf"\min\left({x}, {y}\right)")

    def expit(self, x: Any) -> Symbol:
        """The logistic sigmoid."""
        return Symbol(rf"\sigma\left({x}\right)")


LATEX = LatexReading()
