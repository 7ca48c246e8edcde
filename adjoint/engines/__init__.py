"""How a tape runs: traced once, planned, emitted as kernels, replayed by one call."""

from .compiled import Compiled, compile
from .explain import Explanation, Report

__all__ = ["Compiled", "Explanation", "Report", "compile"]
