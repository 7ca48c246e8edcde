"""A pole is balanced, and the multiplier of the trust region says how much each step could have gained.

    max  E A π/π_old   s.t.  E KL(π_old ‖ π) ≤ δ = 0.01,      λ = d(gain)/dδ in return per nat

λ rises while episodes get longer, and with them what a step can gain; once the pole stays up there is little
left to gain, and λ is nearly zero. No step leaves the trust region.

Source: Schulman et al. 2015, arXiv:1502.05477; the cart and its pole: Barto, Sutton and Anderson 1983.
Picture: cart_pole.png, in the folder given as argument or a temporary one.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from adjoint.models.trpo import TRPO, CartPole

agent = TRPO(CartPole, steps=1000, seed=0)
untrained = agent.evaluate(episodes=10)
agent.learn(25_000)
print("   steps  return      λ        KL     gain  predicted")
for line in agent.history[::3]:
    print(
        f"{line.steps:8,d} {line.mean_return:7.1f} {line.lam:6.1f} {line.kl:9.5f} {line.gain:8.4f} "
        f"{line.predicted_gain:9.4f}"
    )
trained = agent.evaluate(episodes=10)
print(f"greedy: {untrained.mean():.0f} steps before, {trained.mean():.0f} after")

# a multiplier's promise: the gain measured at the step is near the one predicted, 2δλ
ratio = np.median([line.gain / line.predicted_gain for line in agent.history])
largest = max(line.kl for line in agent.history)

folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
try:
    agent.plot(folder / "cart_pole.png")
    print("picture:", folder / "cart_pole.png")
except ImportError as why:
    print("no picture:", why)

ok = trained.mean() > 450 and largest <= 0.01 and 0.7 < ratio < 1.1
verdict = "ok" if ok else "FAILED"
print(f"check: return {trained.mean():.0f}, KL ≤ {largest:.4f}, gain / predicted {ratio:.2f}  {verdict}")
