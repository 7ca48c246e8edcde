"""A shadow price bought and paid: what a multiplier promises, and what solving again brings.

    maximise Σ rₖ log(1 + xₖ)  subject to  water: aᵀx ≤ b,  hours: cᵀx ≤ d,  land: Σx ≤ e,  x ≥ 0

A farm minimises the negative. Its multipliers are prices: one more unit of water is worth μ_water, and a unit
of what is not scarce is worth nothing. We buy some of each, solve again, and compare.

Source: for g ≤ b, df*/db = −μ; see `adjoint.problems`. Picture: shadow_price.png, in the folder given as
argument or a temporary one.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import adjoint as ad

r = np.array([5.0, 3.0, 4.0, 1.0])  # return of each crop
a = np.array([3.0, 1.0, 2.0, 1.5])  # water per hectare
c = np.array([1.0, 2.0, 1.5, 1.0])  # hours per hectare
budget = {"water": 12.0, "hours": 10.0, "land": 20.0}


def loss(x, budget):
    ad.constrain(a @ x, upper=budget["water"], name="water")
    ad.constrain(c @ x, upper=budget["hours"], name="hours")
    ad.constrain(np.sum(x), upper=budget["land"], name="land")
    return -np.sum(r * np.log(1 + x))


def solve(budget):
    return ad.minimize(loss, np.ones(4), args=(budget,), bounds=(0.0, None))


plan = solve(budget)
print(plan)
print("\nbought          promised        paid    difference")
worst = 0.0
for name in budget:
    for amount in (0.01, 1.0):
        more = solve({**budget, name: budget[name] + amount})
        promised, paid = plan.multipliers[name] * amount, plan.fun - more.fun
        print(f"{amount:5.2f} {name:8s} {promised:12.6f} {paid:11.6f} {promised - paid:13.2e}")
        if amount == 0.01:
            worst = max(worst, abs(promised - paid) / amount)

# the same prices by differentiating through the solver, and the change of the plan against solving again
prices = ad.grad(lambda budget: -solve(budget).fun)(budget)
same = max(abs(prices[k] - plan.multipliers[k]) for k in budget)
h = 1e-4
up, down = (solve({**budget, "water": budget["water"] + s * h}).x for s in (1, -1))
moves = np.max(np.abs((up - down) / (2 * h) - plan.sensitivity("water").x))

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    water = np.linspace(4, 30, 40)
    plans = [solve({**budget, "water": w}) for w in water]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    left.plot(water, [-p.fun for p in plans], color="0.2")
    left.axline((12, -plan.fun), slope=float(plan.multipliers["water"]), color="tab:red", linestyle="--")
    left.set(title="the return, and its price at 12 as slope", xlabel="water", ylabel="return")
    for name in budget:
        right.plot(water, [float(p.multipliers[name]) for p in plans], label=name)
    right.set(title="prices: what is scarce changes", xlabel="water", ylabel="multiplier")
    right.legend()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "shadow_price.png", dpi=120)
    print("picture:", folder / "shadow_price.png")

ok = worst < 5e-3 and same < 1e-9 and moves < 1e-6 and plan.residuals.hold(1e-10)
verdict = "ok" if ok else "FAILED"
print(f"check: promised − paid {worst:.1e}, prices − gradient {same:.1e}, dx*/db {moves:.1e}  {verdict}")
