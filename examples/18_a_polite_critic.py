"""A sharper critic who stays polite: a language model aligned under a constraint, from text to page.

    max E sharp − β KL(π ‖ π_ref)   subject to   E clean ≥ 0.96

The model of example 17 is the reference. Its responses to the first words of unseen sentences are scored by
VADER (negativity: the reward) and by alt-profanity-check (inoffensiveness: the constraint); λ* comes from
the scores alone. Policies are trained at λ* by DPO, on the exported preferences, and by policy gradient; then
λ goes on by iterative dualization. All are examined on other prompts, by two more scorers, too.

The scorers: pip install 'adjoint-autodiff[text,plot]'; the text is fetched once. --quick: seconds, nonsense.
Source: X. Huang et al., NeurIPS 2024, arXiv:2405.19544; B. Zhang et al., NeurIPS 2025. Written to the folder
given or a temporary one: the page language.html, its picture language.png, and language.md, language.json.
"""

import json
from functools import partial

from language import load_text
from language.arguments import arguments
from language.experiment import run
from language.page import html, markdown
from language.picture import draw
from language.scorers import panel
from language.settings import QUICK, Settings
from language.tables import exam, met

folder, quick = arguments()
settings, scorers = QUICK if quick else Settings(), panel()
results = run(settings, load_text(), scorers, partial(print, flush=True))

for at in results.found:
    print(f"\nβ = {at.beta:g}, required: clean ≥ {settings.level:g}\n{exam(results, at).text()}")
command = f"python examples/18_a_polite_critic.py{' --quick' * quick}"
pages = {"language.html": html(results, scorers, command)}
pages["language.md"] = markdown(results, scorers, "language.png", command)
pages["language.json"] = json.dumps(results.record(), indent=1, allow_nan=False) + "\n"
for name, content in pages.items():
    (folder / name).write_text(content, encoding="utf-8")
print("\npage:", folder / "language.html")

if draw(results, folder / "language.png"):
    print("picture:", folder / "language.png")
else:
    print("no picture: pip install matplotlib")

worst = max(a.certificate.violation for a in results.papers)
rows = [at.row("iterative") for at in results.found]
slack = ", ".join(f"{x.mean:+.4f} ± {x.error:.4f}" for x in (row.slack(settings.level) for row in rows))
ok = worst < 1e-8 and (quick or all(met(row, settings.level) for row in rows))
print(f"seconds of processor time: {results.processor:.0f}")
print(f"check: violated on paper {worst:.0e}, slack at the exam {slack}  {'ok' if ok else 'FAILED'}")
