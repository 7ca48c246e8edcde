"""What derivative functions are called, so that help() and a traceback say which one it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from .recording import Argnum

Function = Callable[..., Any]


def name_of(f: object) -> str:
    """A function's name, for another name or a message; partial objects and the like have none."""
    return getattr(f, "__name__", None) or getattr(f, "name", None) or "function"


def named(f: Function, transform: str, argnum: Argnum = 0) -> Callable[[Function], Function]:
    """Decorate a derivative of f: f's signature, a name such as `grad_of_f_wrt_argnum_0`, and a docstring."""

    def decorate(derivative: Function) -> Function:
        if callable(f):
            wraps(f)(derivative)
        name = name_of(f)
        derivative.__name__ = derivative.__qualname__ = f"{transform}_of_{name}_wrt_argnum_{argnum}"
        about = f"{transform} of {name} with respect to argument {argnum}."
        derivative.__doc__ = f"{about}\n\n{f.__doc__}" if f.__doc__ else about
        return derivative

    return decorate
