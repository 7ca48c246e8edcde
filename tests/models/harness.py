"""What the tests of models share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def refused(kind: type[Exception], text: str, call: Callable[[], Any]) -> None:
    """The call raises an error of this kind (or, beside scikit-learn, of its own too) that says so."""
    with pytest.raises(kind) as caught:
        call()
    assert text in str(caught.value)
