"""The record: `Tape`, its columns, and `Variable`, the handle on one of its nodes."""

from .tape import Tape, name, open_tapes, scope
from .variable import Variable

__all__ = ["Tape", "Variable", "name", "open_tapes", "scope"]
