"""The steps: the quadratic model over bounds against SciPy, many prompts from a sample of them, resamples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from adjoint.models import align
from adjoint.models.alignment import Progress, diagnostics, newton, solve
from adjoint.models.alignment.newton import model_step

from .samples import random_scores


@pytest.mark.parametrize("by_coordinates", [False, True])
def test_steps_minimize_the_model(by_coordinates: bool) -> None:
    rng = np.random.default_rng(0)
    for size in (1, 2, 3, 6, 20):
        for _ in range(20):
            root = rng.normal(size=(size + 2, size)) * rng.lognormal(size=size)
            target = rng.normal(size=size + 2)
            lower, upper = -rng.exponential(size=size) * (rng.random(size) < 0.7), rng.exponential(size=size)
            expected = lsq_linear(root, target, (lower, upper), method="bvls", tol=1e-14).x
            H, g = root.T @ root, -root.T @ target
            if by_coordinates:
                found = newton._by_coordinates(H, g, lower, upper)
            else:
                found = model_step(H, g, lower, upper)
            np.testing.assert_allclose(found, expected, atol=1e-6)
            assert np.all((lower <= found) & (found <= upper))


def test_steps_without_curvature_go_to_the_bounds() -> None:
    """Best of K: ∇²D is zero, or singular with a gradient along its null direction."""
    one, zero = np.ones(2), np.zeros((2, 2))
    np.testing.assert_allclose(model_step(zero, np.array([-1.0, 2.0]), -one, 3 * one), [3, -1])
    flat = np.ones((2, 2))
    np.testing.assert_allclose(model_step(flat, np.array([-1.0, 0.0]), -one, 3 * one), [2, -1])
    np.testing.assert_allclose(model_step(flat, np.array([-1.0, -1.0]), -one, 3 * one), [0.5, 0.5])
    assert model_step(np.zeros((0, 0)), np.zeros(0), np.zeros(0), np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("form", [{"beta": 0.2}, {"kl_budget": 0.7}], ids=["beta", "budget"])
def test_many_prompts_start_from_a_sample(form: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same answer in fewer steps over all prompts."""
    scores, steps, levels = random_scores(0, 2000, "ab", weighted=True), [], ["a>=0.5", "b>=0.3 relative"]

    def told(progress: Progress) -> None:
        steps[-1] = progress.done

    found = []
    for sample in (100_000, 2000):
        monkeypatch.setattr(solve, "SAMPLE", sample)
        monkeypatch.setattr(diagnostics, "SAMPLE", sample)
        steps.append(0)
        found.append(align(scores, constraints=levels, progress=told, random_state=0, **form))
    assert steps[1] < steps[0]
    assert found[0].multipliers == pytest.approx(found[1].multipliers, abs=1e-9)
    assert found[0].beta == pytest.approx(found[1].beta, abs=1e-9)
