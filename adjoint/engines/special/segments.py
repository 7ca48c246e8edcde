"""Ragged rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..graph import Node
from .kernel import Kernel

PLANNERS: dict[Any, Callable[[Node], Kernel | None]] = {}
