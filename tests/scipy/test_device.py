"""SciPy's functions, and the loops of `adjoint.misc`, over arrays of cupy; `odeint` stays on the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import adjoint as ad
import adjoint.scipy.linalg as la
import adjoint.scipy.signal as sg
import adjoint.scipy.special as sp
import adjoint.scipy.stats as st
from adjoint import misc
from adjoint import tree as trees
from adjoint.errors import DTypeError
from adjoint.misc import fixed_points, optimizers
from adjoint.scipy.integrate import odeint
from tests.device_programs import on_both_sides
from tests.engines.gpu.machine import EAGER, machine

from ..helpers import message, normal


@pytest.fixture(scope="module", params=EAGER)
def cupy(request: pytest.FixtureRequest) -> Iterator[Any]:
    with machine(request.param) as module:
        yield module


X, Y, A = np.abs(normal(4)) + 0.2, np.abs(normal(4, seed=1)) + 0.3, normal(4, 4, seed=2)
S, P = A @ A.T + 4 * np.eye(4), X / np.sum(X)
COUNTS = np.array([0, 1, 1, 0])


def of(f: Callable[..., Any], *args: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Value of Σ f and its gradient in the first argument."""
    return ad.value_and_grad(lambda *xs: np.sum(f(*xs))), args


CASES = {
    "norm": of(lambda x, s: st.norm.logpdf(x, 0.5, s), X, Y),
    "norm tail": of(st.norm.logsf, X),
    "gamma": of(st.gamma.logpdf, X, Y),
    "beta": of(st.beta.logpdf, P, X, Y),
    "chi2": of(lambda x: st.chi2.logpdf(x, 3), X),
    "t": of(lambda x: st.t.logpdf(x, 3.0), X),
    "expon": of(st.expon.logpdf, X),
    "laplace": of(st.laplace.logpdf, X),
    "lognorm": of(st.lognorm.logpdf, X, Y),
    "vonmises": of(st.vonmises.logpdf, X, Y),
    "poisson": of(lambda mu, k: st.poisson.logpmf(k, mu), Y, COUNTS),
    "binom": of(lambda p, k: st.binom.logpmf(k, 3, p), P, COUNTS),
    "bernoulli": of(lambda p, k: st.bernoulli.logpmf(k, p), P, COUNTS),
    "dirichlet": of(lambda a, p: st.dirichlet.logpdf(p, a), X, P),
    "normal in space": of(st.multivariate_normal.logpdf, X, Y, S),
    "normal by variances": of(lambda x, s: st.multivariate_normal.logpdf(x, None, s), X, Y),
    "normal of unit variance": of(st.multivariate_normal.logpdf, X),
    "normal of one variance": of(lambda x: st.multivariate_normal.logpdf(x, cov=2.0), X),
    "normal singular": of(lambda x, m, s: st.multivariate_normal.logpdf(x, m, s, True), X, Y, S),
    "entropy": of(lambda s: st.multivariate_normal.entropy(cov=s), S),
    "gammaln": of(sp.gammaln, X),
    "expit": of(sp.expit, X),
    "erfinv": of(sp.erfinv, P),
    "digamma": of(sp.digamma, X),
    "logsumexp": of(lambda a, b: sp.logsumexp(a, b=b), X, Y),
    "multigammaln": of(lambda a: sp.multigammaln(a + 3, 3), X),
    "convolve": of(sg.convolve, X, Y),
    "solve_triangular": of(lambda b, a: la.solve_triangular(a, b, lower=True), X, np.linalg.cholesky(S)),
    "expm": of(la.expm, A),
    "sqrtm": of(la.sqrtm, S),
    "flatten": (lambda x, a: misc.flatten({"a": a, "x": [x]})[0], (X, A)),
    "sgd": (lambda x: optimizers.sgd(lambda w, k: 2 * w, x, num_iters=5), (X,)),
    "adam": (lambda x: optimizers.adam(lambda w, k: 2 * w, x, num_iters=5), (X,)),
    "rmsprop": (lambda x: optimizers.rmsprop(lambda w, k: 2 * w, x, num_iters=5), (X,)),
    "fixed_point": (
        lambda a: fixed_points.fixed_point(
            lambda a: lambda z: np.cos(a * z) / 4, a, 0 * a, lambda z, y: np.max(np.abs(z - y)), 1e-9
        ),
        (X,),
    ),
}
# they see whether all was well, or are done; cupy has not their functions
WAITING = {
    "dirichlet", "normal in space", "normal by variances", "normal of unit variance",
    "normal of one variance", "entropy", "multigammaln", "solve_triangular", "expm", "sqrtm", "fixed_point",
}  # fmt: skip


def test_every_case_is_the_hosts(cupy):
    waiting = set()
    for name, (f, args) in CASES.items():
        got, want, waited = on_both_sides(cupy, name, f, args)
        if waited:
            waiting.add(name)
        for a, b in zip(trees.flatten(got)[0], trees.flatten(want)[0], strict=True):
            assert np.asarray(a).dtype == np.asarray(b).dtype, name
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10, err_msg=name)
    assert cupy.__spec__ is not None or waiting == WAITING  # only the stand-in counts


def test_an_integration_says_that_it_runs_on_the_host(cupy):
    times, rate = np.linspace(0, 1, 3), cupy.asarray(X)

    def end(rate: Any) -> Any:
        return np.sum(odeint(lambda y, t, k: -k * y, X, times, (rate,)))

    for call in (end, ad.grad(end)):
        text = message(DTypeError, call, rate)
        assert text.startswith("odeint computes on the host, and args/0 is an array of a device")
        assert "ad.tree_map(cupy.asnumpy, args)" in text
