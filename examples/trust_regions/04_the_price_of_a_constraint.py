"""What it costs to be safe: CPO's multiplier against the exact price of a limit on hazards.

    max J(π)  s.t. J_c(π) ≤ b,      ν = dJ*/db

A square is to be crossed; the short way leads through hazards, the long one around them. A linear program in
the occupancies knows the best policy and its price ν for every limit b. CPO knows gradients alone; at the
policy it converges to, the multiplier of its cost constraint is that price: the slope of what is possible.

Source: Achiam et al. 2017, arXiv:1705.10528; Altman 1999, "Constrained Markov decision processes".
Picture: the_price_of_a_constraint.png, in the folder given as argument or a temporary one.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from adjoint import nn
from adjoint.models.trpo import Case, cpo_step, hazard_grid, tabular_policy

grid, policy = hazard_grid(5, slip=0.1), tabular_policy(4)
most = grid.optimum().cost


def train(limit, iterations=100):
    """Exact steps from the uniform policy: return, cost, ν and how many steps were recoveries."""
    theta, cases = np.zeros((25, 4)), []
    for _ in range(iterations):
        pi = nn.softmax(theta)
        states, actions, advantages, costs, weights = grid.batch(pi)
        excess = grid.evaluate(pi).cost - limit
        given = (policy, theta, states, actions, advantages, costs, excess)
        step = cpo_step(*given, weights=weights, damping=0.0, cg_steps=100, max_backtracks=30)
        theta = step.x
        cases.append(step.case)
    found = grid.evaluate(nn.softmax(theta))
    return found.value, found.cost, step.multipliers["cost"], cases.count(Case.RECOVERY)


print("  limit   return (exact)        cost       ν (exact)  recoveries")
rows = []
for share in (0.055, 0.5, 0.97, 1.15):
    value, cost, nu, recoveries = train(limit := share * most)
    best = grid.optimum(limit)
    rows.append((limit, value, cost, nu, best.value, best.price))
    figures = f"{limit:7.3f} {value:8.4f} {best.value:7.4f} {cost:11.6f} {nu:7.4f} {best.price:7.4f}"
    print(figures, f"{recoveries:11d}")

try:
    from matplotlib.figure import Figure
except ImportError:
    print("no picture: pip install matplotlib")
else:
    limits = np.linspace(0.05 * most, 1.25 * most, 120)
    axes = (figure := Figure(figsize=(6.8, 4.4), layout="constrained")).subplots()
    axes.plot(limits, [grid.optimum(b).value for b in limits], color="#555555", label="the best possible")
    for k, (limit, value, _, nu, *_) in enumerate(rows):
        near = np.array([-0.04, 0.04]) * most
        axes.plot(limit + near, value + nu * near, color="#b4531f", lw=3, label="" if k else "slope ν of CPO")
    axes.plot([r[0] for r in rows], [r[1] for r in rows], "o", color="#1b5e9b", label="CPO's policies")
    axes.set(xlabel="limit on the discounted cost", ylabel="return", title="The price of a constraint")
    axes.legend(frameon=False)
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "the_price_of_a_constraint.png", dpi=120)
    print("picture:", folder / "the_price_of_a_constraint.png")

wrong = max(abs(nu - price) / max(price, 0.1) for *_, nu, _, price in rows)
above = max(cost - limit for limit, _, cost, *_ in rows)
short = max(best / value - 1 for _, value, _, _, best, _ in rows)
ok = wrong < 0.05 and above < 1e-6 and short < 1e-3
verdict = "ok" if ok else "FAILED"
print(f"check: ν off by {wrong:.1e}, limit missed by {above:.0e}, return by {short:.0e}  {verdict}")
