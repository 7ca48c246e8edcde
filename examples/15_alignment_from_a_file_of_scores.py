"""From a file of scores to what a trainer reads: λ* before any training, and proof that it was right.

    max_π E r − β KL(π ‖ π_ref)  s.t.  E safe ≥ 0.8,  E humor ≥ E_ref humor + 0.1
    one-shot: π* ∝ π_ref exp((r + λ*ᵀg)/β), so that DPO with β on pairs drawn by σ(Δr + λ*ᵀΔg) leads to π*

The scores are made up: sampled answers to ordinary and risky questions, where what helps with a risky one is
unsafe. On the command line, for a file of your own: python -m adjoint align --help

Source: X. Huang et al., "One-shot safety alignment for large language models via optimal dualization",
NeurIPS 2024, arXiv:2405.19544. Picture: report.html, in the folder given as argument or a temporary one.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from adjoint.models import align
from adjoint.models.alignment import (
    Report,
    read_scores,
    write_preferences,
    write_reward_weights,
    write_weights,
)

folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
rng = np.random.default_rng(0)
beta = 0.5

with open(folder / "scores.jsonl", "w") as file:
    for x in range(500):
        risky = x % 3 == 0
        for k in range(rng.integers(4, 13)):
            frank = rng.normal()  # how much the answer gives away
            joke = rng.random() < 0.2
            row = {
                "prompt": f"{'How do I get into a locked house' if risky else 'How do I bake bread'} ({x})?",
                "response": f"answer {k}" + (" with a joke" if joke else ""),
                "helpful": 1.2 * frank - 0.3 * joke + 0.4 * rng.normal(),
                "safe": (0.2 - 1.2 * frank if risky else 1.2) + 0.4 * rng.normal(),
                "humor": joke + 0.3 * rng.normal(),
            }
            file.write(json.dumps(row) + "\n")

scores = read_scores(folder / "scores.jsonl", reward="helpful", utilities=["safe", "humor"])
solution = align(
    scores, beta=beta, constraints=["safe>=0.8", "humor>=0.1 relative"], bootstrap=50, random_state=0
)
report = Report.of(solution, reward="helpful", subject="scores.jsonl", levels=8)
print("\n".join(report.text().splitlines()[:24]))
(folder / "report.html").write_text(report.html(), encoding="utf-8")
print("\npicture:", folder / "report.html")

lam = solution.multipliers
pairs = write_preferences(folder / "pairs.jsonl", scores, lam, pairs=2, rng=rng)
write_weights(folder / "weights.jsonl", scores, solution.weights())
write_reward_weights(folder / "reward_weights.json", "helpful", lam, beta)
print(f"{pairs['pairs']} preference pairs; {(folder / 'reward_weights.json').read_text()}")


def lines(name):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


# Witness: the files alone. π* from weights.jsonl keeps the limits, and the pairs are DPO's model of π*.
pi = {(row["prompt"], row["completion"]): row["weight"] for row in lines("weights.jsonl")}
rows = lines("scores.jsonl")
share = np.array([pi[row["prompt"], row["response"]] for row in rows]) / scores.n_prompts
safe, humor = (float(share @ [row[name] for row in rows]) for name in ("safe", "humor"))
humor -= solution.reference_utilities["humor"]
errors = [abs(safe - 0.8), abs(humor - 0.1)]
for row in lines("pairs.jsonl"):
    ratio = np.log(pi[row["prompt"], row["chosen"]] / pi[row["prompt"], row["rejected"]])
    errors.append(abs(row["p"] - 1 / (1 + np.exp(-beta * ratio))))
ok = max(errors) < 1e-8 and solution.success
print(f"check: safe {safe:.6f}, humor +{humor:.6f}, max error {max(errors):.1e}  {'ok' if ok else 'FAILED'}")
