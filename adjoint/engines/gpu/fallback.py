"""Primitives without a kernel run by their own value, on arrays of the device.

Where cupy lacks something the value, or this, goes to the host; and of what cupy's factorisations refuse or
make into NaN, NumPy says there what it is: it has an answer, or the words for why there is none. A primitive
of the user's is asked there again, too: what it raises of NumPy's arrays arrives as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import AdjointError
from ...ops.determinants import det, slogdet
from ...ops.device import on_host
from ...ops.factorize import cholesky, qr
from ...ops.fourier import fft, ifft, irfft, rfft
from ...ops.index import argsort
from ...ops.linalg import inv, solve, solve_triangular
from ...ops.primitive import NO_PARAMS, item
from ...ops.search import argpartition, searchsorted
from ...ops.spectral import eig, eigh, svd
from ..graph import Node, foreign_kinds
from ..rewriting.factors import log_abs_det, sign_det
from .kernel import Call

# What cupy, or this library on its behalf, raises of a function, an option or operands that it cannot do;
# LinAlgError is a ValueError.
UNABLE = (TypeError, ValueError, IndexError, AttributeError, NotImplementedError, AdjointError)
# what NumPy refuses, cuSOLVER may answer with numbers that are none
CHECKED = frozenset({cholesky, solve, inv, solve_triangular, qr, eigh, svd, eig})
# where cupy's function is the best there is
BEST = CHECKED | {
    det, slogdet, sign_det, log_abs_det, argsort, argpartition, searchsorted, fft, ifft, rfft, irfft,
    item,
}  # fmt: skip


def own_value(node: Node, on_host: bool = False) -> Call:
    """The primitive's value, copied to where the result belongs; `on_host`: cupy is not asked."""
    assert node.op is not None
    foreign = foreign_kinds(node)
    if on_host:
        reason = "it runs on the host, in NumPy's order"
    elif getattr(node.op.value, "by_host", False):
        reason = "it runs on the host: cupy has nothing like it"
    elif node.op in BEST:
        reason = ""
    else:
        reason = f"kernels hold no {foreign[0]}" if foreign else "it has no kernel"
    call = Call(None, node, reason=reason)
    call.function = _Value(call, on_host)
    return call


class _Value:
    """The value of a call's node, on the device if cupy can, else on the host."""

    def __init__(self, call: Call, on_host: bool) -> None:
        self.call, self.params = call, call.node.params or NO_PARAMS
        self.on_host = on_host

    def __call__(self, cupy: Any, *operands: Any, out: Any) -> Any:
        op = self.call.node.op
        assert op is not None
        z, refusal = (None, "") if self.on_host else self._on_device(cupy, operands)
        if z is None:
            z = op.value(*map(_sent_back, operands), **self.params)
            if refusal:  # and NumPy can: from now on it is asked first
                self.on_host, self.call.reason = True, f"it runs on the host; on the device: {refusal}"
        if out is None:
            return tuple(map(cupy.asarray, z)) if isinstance(z, tuple) else z
        if out.size:
            out[...] = cupy.asarray(z) if isinstance(z, np.ndarray) else z
        return None

    def _on_device(self, cupy: Any, operands: Sequence[Any]) -> tuple[Any, str]:
        """What cupy makes of it; None where NumPy has to say what it is, or why it is nothing.

        With it what was said when it refused, empty where others of these operands may be good.
        """
        op = self.call.node.op
        assert op is not None
        try:
            z = op.value(*operands, **self.params)
        except UNABLE as error:
            if isinstance(error, (AdjointError, np.linalg.LinAlgError)):
                return None, ""
            return None, (str(error).strip() or type(error).__name__).splitlines()[0]
        parts = z if isinstance(z, tuple) else (z,)
        if op in CHECKED and not all(bool(cupy.isfinite(part).all()) for part in parts):
            return None, ""
        return z, ""


def _sent_back(x: Any) -> Any:
    """An operand as NumPy's: without axes a number."""
    if isinstance(x, tuple):
        return tuple(map(_sent_back, x))
    x = on_host(x)
    return x[()] if isinstance(x, np.ndarray) else x
