"""The same programs, read with jax's names: gradients agree to rounding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from adjoint import grad
from adjoint import tree as trees

from ..helpers import jax_in_double
from . import test_dynamics as dynamics
from . import test_likelihoods as likelihoods
from . import test_networks as networks

jax = pytest.importorskip("jax", reason="jax, the independent witness, is not installed")
pytestmark = pytest.mark.peers

PROGRAMS: dict[str, tuple[Any, Any, Any]] = {
    "convnet": (networks, networks.convnet_loss, networks.convnet()),
    "rnn": (networks, networks.rnn_loss, networks.rnn()),
    "lstm": (networks, networks.lstm_loss, networks.lstm()),
    "classification": (networks, networks.log_loss, networks.layers_of(2, 8, 2)),
    "mixture": (likelihoods, likelihoods.mixture, likelihoods.start_of_mixture()),
    "evidence": (likelihoods, likelihoods.evidence, np.array([0.1, -0.3, -2.0])),
    "rosenbrock": (dynamics, dynamics.rosenbrock, dynamics.X0),
}


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    with jax_in_double():
        yield


@pytest.mark.parametrize("name", PROGRAMS)
def test_gradients_are_those_of_jax(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, loss, parameters = PROGRAMS[name]
    ours = grad(loss)(parameters)
    monkeypatch.setattr(module, "np", jax.numpy)  # the same text in jax's words
    if hasattr(module, "logsumexp"):
        monkeypatch.setattr(module, "logsumexp", jax.scipy.special.logsumexp)
    # many steps written out run sooner than they compile
    gradient = jax.grad(loss) if name in ("rnn", "lstm") else jax.jit(jax.grad(loss))
    theirs = gradient(jax.tree_util.tree_map(jax.numpy.asarray, parameters))
    for a, b in zip(trees.flatten(ours)[0], trees.flatten(theirs)[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
