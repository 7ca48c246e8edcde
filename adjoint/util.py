"""HIPS/autograd's module of that name: one function, deprecated there too."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from .test_util import check_grads

__all__ = ["quick_grad_check"]


def quick_grad_check(
    fun: Callable[..., Any], arg0: Any, extra_args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
) -> None:
    """Deprecated; `adjoint.test_util.check_grads`, of the first argument.

    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     quick_grad_check(lambda x, y: x**2 + y, 1.0, (2.0,))
    """
    warnings.warn(
        "quick_grad_check is deprecated: use test_util.check_grads", DeprecationWarning, stacklevel=2
    )
    check_grads(lambda x: fun(x, *extra_args, **(kwargs or {})), modes=["rev"])(arg0)
