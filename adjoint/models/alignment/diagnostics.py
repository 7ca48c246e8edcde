"""What no multiplier tells by itself: whether the sampled responses can carry the answer."""

from __future__ import annotations

from .result import Diagnostic  # noqa: F401
