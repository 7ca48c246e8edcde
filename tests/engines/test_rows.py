"""Regions whose rows have several axes, each with strides of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad

from ..helpers import normal
from .harness import agree, fallbacks


@pytest.mark.parametrize("columns", [3, 8, 100])
@pytest.mark.parametrize("images", [2, 60])
def test_pooling(images: int, columns: int) -> None:
    """A maximum over two inner axes: in one chunk and in several, whose first rows lie anywhere."""

    def f(x: Any, w: Any) -> Any:
        h = np.maximum(x * w, 0)
        return np.sum(np.max(np.reshape(h, (images, 5, 2, 7, 2, columns)), axis=(2, 4)) ** 2)

    compiled = agree(
        ad.value_and_grad(f, argnum=(0, 1)), normal(images, 10, 14, columns), normal(columns), factor=10
    )
    assert not fallbacks(compiled)


def test_rows_with_numbers_of_their_own() -> None:
    """Softmax along the last axis of a transposed array: rows' numbers are written through strides."""

    def f(x: Any) -> Any:
        z = np.transpose(x, (2, 0, 1, 3))
        e = np.exp(z - np.max(z, axis=3, keepdims=True))
        p = e / np.sum(e, axis=3, keepdims=True)
        return np.transpose(np.sum(p * p, axis=3), (1, 2, 0)), np.sum(z * p, axis=(1, 3))

    agree(f, normal(9, 8, 11, 6), factor=10)
