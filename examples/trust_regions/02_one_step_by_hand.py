"""One TRPO step by hand: the gradient, the Fisher matrix, the multiplier, and what the multiplier promises.

    max gᵀx  s.t. ½ xᵀFx ≤ δ:    g = λFx  and  ½ xᵀFx = δ,   so   λ = √(gᵀF⁻¹g/2δ),   x = F⁻¹g/λ

The policy is a Gaussian with two parameters, its mean and the logarithm of its standard deviation. λ is the
derivative of the best gain in δ: a difference quotient of two steps says so. The step is only as good as the
ellipse ½ xᵀFx = δ is close to the curve KL = δ; the picture shows both.

Source: Schulman et al. 2015, arXiv:1502.05477, appendix C.
Picture: one_step_by_hand.png, in the folder given as argument or a temporary one.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import adjoint as ad
from adjoint.models.trpo import DiagonalGaussian, Policy, trpo_step

rng = np.random.default_rng(0)
normal = DiagonalGaussian(1)
policy = Policy(lambda theta, x: (theta[:1] + 0.0 * x, theta[1:] + 0.0 * x), normal)
theta, delta = np.array([0.0, -0.5]), 0.05
x = np.zeros((4000, 1))  # one state: nothing to observe
old = policy.apply(theta, x)
actions = normal.sample(old, rng.standard_normal((4000, 1)))
advantages = -((actions[:, 0] - 0.6) ** 2)  # the best action is 0.6
advantages -= advantages.mean()
before = normal.log_prob(old, actions)


def surrogate(theta):
    return np.mean(advantages * np.exp(normal.log_prob(policy.apply(theta, x), actions) - before))


def divergence(theta):
    return np.mean(normal.divergence(old, policy.apply(theta, x)))


g, F = ad.grad(surrogate)(theta), ad.hessian(divergence)(theta)  # F is diag(1/σ², 2) for a Gaussian
lam = np.sqrt(g @ np.linalg.solve(F, g) / (2 * delta))
by_hand = np.linalg.solve(F, g) / lam
print(f"g = {g}, F = {F.ravel().round(6)}, λ = {lam:.6f}, x = {by_hand}")


def take(delta):
    return trpo_step(policy, theta, x, actions, advantages, delta=delta, damping=0.0, compiled=False)


step, h = take(delta), 1e-5
print(step)  # at the full length the curve KL = δ would be left: see the picture
slope = (take(delta + h).predicted_gain - take(delta - h).predicted_gain) / (2 * h)
print(f"d(gain)/dδ = {slope:.6f} by differences")

try:
    from matplotlib.figure import Figure
except ImportError:
    print("no picture: pip install matplotlib")
else:
    a, b = np.meshgrid(np.linspace(-0.35, 0.35, 61), np.linspace(-0.45, 0.4, 61))
    at = np.stack([a, b], axis=-1)
    gains, kls = (np.apply_along_axis(lambda d, f=f: f(theta + d), -1, at) for f in (surrogate, divergence))
    axes = (figure := Figure(figsize=(6.4, 5), layout="constrained")).subplots()
    axes.clabel(axes.contour(a, b, gains, 14, cmap="Greys", linewidths=0.8), fontsize=7)
    axes.contour(a, b, kls, [delta], colors="#b4531f", linewidths=2)
    axes.contour(a, b, 0.5 * (F[0, 0] * a**2 + F[1, 1] * b**2), [delta], colors="#1b5e9b", linestyles="--")
    axes.annotate("", by_hand, (0, 0), arrowprops={"arrowstyle": "-|>", "lw": 2, "shrinkA": 0, "shrinkB": 0})
    axes.plot([], [], "#b4531f", label="KL = δ")
    axes.plot([], [], "#1b5e9b", ls="--", label="½ xᵀFx = δ")
    axes.set(xlabel="change of the mean", ylabel="change of log σ", title=f"Gain; λ = {lam:.2f} per nat")
    axes.legend(loc="lower left")
    path = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "one_step_by_hand.png"
    figure.savefig(path, dpi=120)
    print("picture:", path)

off, wrong = np.max(np.abs(step.direction - by_hand)), abs(slope / lam - 1)
ok = off < 1e-10 and wrong < 1e-6 and step.kl <= delta
print(f"check: step − by hand {off:.1e}, d(gain)/dδ − λ {wrong:.1e} of λ  {'ok' if ok else 'FAILED'}")
