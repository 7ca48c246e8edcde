"""HIPS/autograd's module of that name, as far as programs look at plain values through it."""

from __future__ import annotations

from typing import Any

from .tape import Variable

__all__ = ["getval", "isbox"]


def isbox(x: Any) -> bool:
    """Whether x is recorded: a Variable."""
    return isinstance(x, Variable)


def getval(x: Any) -> Any:
    """The plain value, detached from every tape (`x.value`); of anything else, itself.

    >>> ad.grad(lambda x: x * getval(x))(3.0)
    np.float64(3.0)
    """
    return x.value if isinstance(x, Variable) else x
