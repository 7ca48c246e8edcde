"""Gradients with respect to arguments that are given by name, or all at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..errors import TreeError, refusal
from .derivatives import grad
from .naming import name_of, named

Function = Callable[..., Any]


def grad_named(f: Function, argname: str) -> Function:
    """The gradient with respect to the argument of that name, however it is passed.

    Raises:
        TreeError: f has no such argument.

    >>> grad_named(lambda a, b: a * b**2, "b")(3.0, b=2.0)
    np.float64(12.0)
    """
    signature = inspect.signature(f)
    if argname not in signature.parameters:
        listed = ", ".join(signature.parameters) or "none"
        raise refusal(TreeError, f"{name_of(f)} has no argument {argname!r}; it has: {listed}")

    @named(f, "grad", list(signature.parameters).index(argname))
    def derivative(*args: Any, **kwargs: Any) -> Any:
        arguments = _arguments(signature, args, kwargs)

        def of_one(x: Any) -> Any:
            return _call(f, signature, {**arguments, argname: x})

        return grad(of_one)(arguments[argname])

    return derivative


def multigrad_dict(f: Function) -> Function:
    """Gradients with respect to all arguments, in a dict by their names; defaults count as arguments.

    `*args` is a tuple under its name, `**kwargs` a dict. Every argument must be a float, an array or a
    container of these; bind others with functools.partial.

    >>> multigrad_dict(lambda a, b=2.0: a * b**2)(3.0)
    {'a': np.float64(4.0), 'b': np.float64(12.0)}
    """
    signature = inspect.signature(f)

    @named(f, "multigrad_dict", tuple(range(len(signature.parameters))))
    def derivative(*args: Any, **kwargs: Any) -> dict[str, Any]:
        arguments = _arguments(signature, args, kwargs)
        found = grad(lambda given: _call(f, signature, given))(arguments)
        return {name: found[name] for name in arguments}

    return derivative


def _arguments(signature: inspect.Signature, args: Any, kwargs: Any) -> dict[str, Any]:
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)


def _call(f: Function, signature: inspect.Signature, arguments: dict[str, Any]) -> Any:
    bound = inspect.BoundArguments(signature, arguments)
    return f(*bound.args, **bound.kwargs)
