"""Why TRPO bounds the KL and not the parameters: a step must not depend on how the policy is written.

    plain:  max gᵀx  s.t. ‖x‖² ≤ ε          x = g/2λ,     λ = ‖g‖/2√ε
    KL:     max gᵀx  s.t. ½ xᵀFx ≤ δ        x = F⁻¹g/λ,   λ = √(gᵀF⁻¹g/2δ)

One policy over three actions, its logits written as θ = Mφ for several matrices M. The plain step and its
multiplier change with M; the policy after the KL step, and its multiplier, do not.

Source: Amari 1998, "Natural gradient works efficiently in learning"; Schulman et al. 2015, arXiv:1502.05477.
Picture: why_the_kl_ball.png, in the folder given as argument or a temporary one.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import adjoint as ad
from adjoint import nn
from adjoint.models.trpo import Categorical, Policy, trpo_step

theta, advantages = np.array([0.6, 0.0, -0.4]), np.array([-1.0, 1.5, 0.5])
old, delta, epsilon = nn.softmax(theta), 0.02, 0.05
angle = np.array([[np.cos(1.0), -np.sin(1.0), 0.0], [np.sin(1.0), np.cos(1.0), 0.0], [0.0, 0.0, 1.0]])
WAYS = {
    "θ = φ": np.eye(3),
    "θ = diag(4, 1, ¼) φ": np.diag([4.0, 1.0, 0.25]),
    "θ = diag(¼, 1, 4) φ": np.diag([0.25, 1.0, 4.0]),
    "θ = a rotation, stretched": angle @ np.diag([3.0, 1.0, 0.3]),
}

print(f"{'parametrization':28s}{'λ plain':>9s}{'λ KL':>9s}   {'plain policy':22s} KL policy")
plain, by_kl, lams = [], [], []
for name, M in WAYS.items():
    policy = Policy(lambda phi, states, M=M: (M @ phi)[None] + 0.0 * states[:, None], Categorical(3))
    phi = np.linalg.solve(M, theta)
    g = ad.grad(lambda phi, M=M: (nn.softmax(M @ phi) - old) @ advantages)(phi)
    lam = np.linalg.norm(g) / (2 * np.sqrt(epsilon))
    plain.append(nn.softmax(M @ (phi + g / (2 * lam))))
    given = (policy, phi, np.zeros(3), np.arange(3), advantages)
    step = trpo_step(*given, weights=old, delta=delta, damping=0.0, compiled=False)
    by_kl.append(nn.softmax(M @ (phi + step.direction)))
    lams.append(step.multipliers["kl"])
    print(f"{name:28s}{lam:9.3f}{lams[-1]:9.3f}   {plain[-1].round(3)!s:22s} {by_kl[-1].round(3)}")

try:
    from matplotlib.figure import Figure
except ImportError:
    print("no picture: pip install matplotlib")
else:
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])
    around = np.linspace(0, 2 * np.pi, 400)
    basis = np.linalg.svd(np.ones((1, 3)))[2][1:]
    rays = np.cos(around)[:, None] * basis[0] + np.sin(around)[:, None] * basis[1]
    F = np.diag(old) - np.outer(old, old)
    ball = nn.softmax(theta + rays * np.sqrt(2 * delta / np.einsum("ij,jk,ik->i", rays, F, rays))[:, None])
    axes = (figure := Figure(figsize=(6.4, 4.6), layout="constrained")).subplots()
    axes.plot(*(ball @ corners).T, color="#1b5e9b", lw=1.2, label=f"½ xᵀFx = {delta}")
    for k, p in enumerate(plain):
        axes.plot(
            *np.array([old, p] @ corners).T, "-s", color="#b4531f", lw=1.2, label="" if k else "plain steps"
        )
    axes.plot(
        *np.array([old, by_kl[0]] @ corners).T, "-o", color="#1b5e9b", lw=2.5, label="KL step, all four"
    )
    axes.plot(*(old @ corners), "ko", ms=8, label="old policy")
    axes.set(title="One policy over three actions, four parametrizations", aspect="equal")
    axes.set(xticks=[], yticks=[], xlabel="← action 0      action 1 →", ylabel="action 2 →")
    axes.legend(frameon=False, loc="lower right")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "why_the_kl_ball.png", dpi=120)
    print("picture:", folder / "why_the_kl_ball.png")

same = max(np.max(np.abs(p - by_kl[0])) for p in by_kl)
apart = max(np.max(np.abs(p - plain[0])) for p in plain)
ok = same < 1e-9 and np.ptp(lams) < 1e-9 and apart > 0.05
print(f"check: KL steps differ by {same:.1e}, plain ones by {apart:.2f}  {'ok' if ok else 'FAILED'}")
