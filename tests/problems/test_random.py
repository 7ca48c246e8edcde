"""Random programs with a known verdict: convex, flat, linear, indefinite; boxes, balls, starts far away."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad
from adjoint.problems import Status


def run(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, m, p = int(rng.integers(1, 9)), 0, int(rng.integers(0, 8))
    m = int(rng.integers(0, max(1, n // 2)))
    M = rng.normal(size=(n, n))
    kinds = {
        "convex": M @ M.T + 0.1 * np.eye(n), "indefinite": M + M.T, "linear": np.zeros((n, n)),
        "flat": np.outer(M[0], M[0]),
    }  # fmt: skip
    kind = str(rng.choice(list(kinds)))
    Q, c, inside = kinds[kind], rng.normal(size=n), rng.normal(size=n)
    A, G = rng.normal(size=(m, n)), rng.normal(size=(p, n))
    b, d = A @ inside, G @ inside + rng.uniform(0, 1, p) * (rng.random(p) < 0.7)
    ball = rng.random() < 0.5
    box = (inside - rng.uniform(0, 2, n), inside + rng.uniform(0, 2, n)) if rng.random() < 0.7 else None
    contradictory = bool(rng.random() < 0.1 and p > 0)
    if contradictory:
        G, d = np.vstack([G, -G[:1]]), np.append(d, -d[0] - 0.5)
    ineq = {"linear": lambda x: G @ x - d} if p else {}
    if ball:
        ineq["ball"] = lambda x: np.sum((x - inside) ** 2) - 4
    found = ad.minimize(
        lambda x: 0.5 * x @ Q @ x + c @ x,
        rng.normal(size=n) * 10 ** rng.uniform(-1, 2),
        eq={"plane": lambda x: A @ x - b} if m else None,
        ineq=ineq,
        bounds=box,
    )
    where = f"seed {seed}, {kind}, n={n}, m={m}, p={p}, ball={ball}, box={box is not None}\n{found}"
    arrays = [found.x, found.fun, *found.multipliers.values()]
    assert all(np.all(np.isfinite(a)) for a in arrays), where
    if contradictory:
        assert found.status is Status.INFEASIBLE and found.violation > 0.1, where
        w = found.certificate
        for x in inside + 3 * rng.normal(size=(20, n)):  # Farkas: no x makes all of these ≤ 0
            total = w["linear"] @ (G @ x - d)
            total += w["ball"] * (np.sum((x - inside) ** 2) - 4) if ball else 0.0
            total += w["plane"] @ (A @ x - b) if m else 0.0
            total += w["lower"] @ (box[0] - x) + w["upper"] @ (x - box[1]) if box else 0.0
            assert total >= found.violation - 1e-6, where
    elif box is not None or ball or kind == "convex":
        assert found.status is Status.SOLVED and found.residuals.hold(1e-8), where
        assert found.fun <= 0.5 * inside @ Q @ inside + c @ inside + 1e-8 or kind == "indefinite", where
    else:
        assert found.status in (Status.SOLVED, Status.UNBOUNDED), where


@pytest.mark.parametrize("block", range(3))
def test_random_programs(block: int) -> None:
    for seed in range(10 * block, 10 * block + 10):
        run(seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_many_random_programs(block: int) -> None:
    for seed in range(100 + 50 * block, 150 + 50 * block):
        run(seed)
