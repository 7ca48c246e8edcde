"""What a thread does with the neighbouring elements that it takes together, as statements."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .writer import Lines, indented


class Place(NamedTuple):
    """Where elements lie.

    Attributes:
        name: one for each place in a loop.
        kind: their C type in memory.
        element: the text of an element, given that of its number.
        whole: the condition under which vectors may be moved there; "": these are no neighbours.
    """

    name: str
    kind: str
    element: Callable[[str], str]
    whole: str


class Elements:
    r"""Loads, statements for each element, and stores: all loads come before all stores.

    One element is `const float v1 = p0[j]; … p1[j] = v2;`. Of several, j … j + V − 1, those that lie side by
    side are a vector, which `fetch` and `put` of device.cuh move by one instruction where `whole` holds, and
    element by element where it does not. Who computes what, and in which order, is the same: no result
    depends on an address.

    >>> elements = Elements(4)
    >>> x = elements.load(Place("0", "float", lambda j: f"p0[row + {j}]", "straight"))
    >>> elements.store(Place("1", "float", lambda j: f"p1[row + {j}]", "straight"), f"expf({x})")
    >>> print(*elements.lines(), sep="\n")
    const auto x0 = fetch<4>(&p0[row + j], straight, 4);
    Pack<float, 4> z1;
    #pragma unroll
    for (int k = 0; k < 4; ++k) {
        z1.at[k] = expf(x0.at[k]);
    }
    put(&p1[row + j], z1, straight, 4);

    Args:
        vector: how many elements.
        left: the variable that says how many remain, where that may be fewer.

    Attributes:
        each: statements for an element; what is loaded is there, and what is stored is taken from there.
        condition: stands before a statement that only elements which remain may make.
    """

    def __init__(self, vector: int, left: str = "") -> None:
        self.vector, self.left = vector, left or str(vector)
        self.condition = f"if (k < {left}) " if left else ""
        self.each: Lines = []
        self._safe = f"(k < {left} ? j + k : j)" if left else "(j + k)"
        self._loads: Lines = []
        self._stores: Lines = []

    def load(self, at: Place) -> str:
        """The text of an element in memory, among the statements for each."""
        if self.vector == 1:
            return at.element("j")
        x = f"x{at.name}"
        if at.whole:
            move = f"fetch<{self.vector}>(&{at.element('j')}, {at.whole}, {self.left})"
            self._loads.append(f"const auto {x} = {move};")
        else:
            self._loads += [
                self._pack(x, at.kind),
                *self._unrolled(f" {x}.at[k] = {at.element(self._safe)};"),
            ]
        return f"{x}.at[k]"

    def store(self, at: Place, value: str) -> None:
        """Store an element's value."""
        if self.vector == 1:
            self._stores.append(f"{at.element('j')} = {value};")
        elif at.whole:
            z = f"z{at.name}"
            self._loads.append(self._pack(z, at.kind))
            self.each.append(f"{z}.at[k] = {value};")
            self._stores.append(f"put(&{at.element('j')}, {z}, {at.whole}, {self.left});")
        else:
            self.each.append(f"{self.condition}{at.element('(j + k)')} = {value};")

    def _pack(self, name: str, kind: str) -> str:
        return f"Pack<{kind}, {self.vector}> {name};"

    def _unrolled(self, rest: str) -> Lines:
        return ["#pragma unroll", f"for (int k = 0; k < {self.vector}; ++k){rest}"]

    def lines(self) -> Lines:
        """All of it, in order."""
        if self.vector == 1:
            return [*self.each, *self._stores]
        return [*self._loads, *self._unrolled(" {"), *indented(self.each), "}", *self._stores]
