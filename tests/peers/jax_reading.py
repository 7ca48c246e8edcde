"""jax as a reader of the random programs: value, gradient, tangents and Hessian product, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from . import jaxpr
from .programs import Draft, Library, arguments, directions, program

jax = pytest.importorskip("jax", reason="jax, the independent witness, is not installed")


def _write(x: Any, index: Any, v: Any, how: str) -> Any:
    at = jax.numpy.asarray(x).at[np.asarray(index) if isinstance(index, list) else index]
    return at.multiply(v, unique_indices=True) if how == "multiply" else getattr(at, how)(v)


def library() -> Library:
    import jax.scipy.special

    return Library(jax.numpy, jax.scipy.special, _write)


def results(d: Draft) -> dict[str, Any]:
    """What `programs.results` computes, by jax's rules; float64 must be on."""
    f, args, v = program(d, library()), arguments(d), directions(d)

    def everything(x: Any, x_dot: Any) -> Any:
        value_and_gradient = jax.value_and_grad(f, tuple(range(len(args))), has_aux=True)
        return jax.jvp(value_and_gradient, x, x_dot)

    with np.errstate(all="ignore"):
        closed, shapes = jax.make_jaxpr(everything, return_shape=True)(args, v)
        flat = jaxpr.run(closed, *map(np.asarray, (*args, *v)))
    ((value, z), gradient), ((_, z_dot), product) = jax.tree.unflatten(jax.tree.structure(shapes), flat)
    return {"value": value, "z": z, "gradient": gradient, "z_dot": z_dot, "hvp": product}
