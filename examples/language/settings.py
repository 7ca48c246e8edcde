"""What can be chosen in the experiment, and its quick form."""

from __future__ import annotations

from dataclasses import dataclass, replace

from adjoint.errors import AdjointError


class ExperimentError(AdjointError, ValueError):
    """A setting with which there is no experiment, or a level that cannot be met."""


@dataclass(frozen=True)
class Settings:
    """Everything that can be chosen.

    Attributes:
        seed: of all randomness.
        level: what E clean must be at least.
        betas: β of the policies, from mild to bold.
        papers: further β, for which only λ* and its diagnostics are computed.
        steps: updates of the language model's training, with batches of `batch` sentences.
        units: of its recurrence.
        least: how often a word occurs that gets a number.
        temperature: τ of the policy.
        words: the most words of a response.
        practice, exam: prompts of each kind.
        k: responses to each practice prompt, for λ* and DPO.
        exam_k: responses to each exam prompt.
        pairs: preferences of each prompt, `passes` over them by DPO.
        gradient_steps: of the policy gradient at λ*.
        rounds: how often λ is tried, with `round_steps` steps of policy gradient each.
        round_k: responses to each practice prompt by which a round is judged.
        rate: Adam's, for biases.
    """

    seed: int = 0
    level: float = 0.96
    betas: tuple[float, ...] = (0.5, 0.25, 0.1)
    papers: tuple[float, ...] = (1.0, 0.05)
    steps: int = 1000
    batch: int = 32
    units: int = 192
    least: int = 5
    temperature: float = 0.8
    words: int = 20
    practice: int = 480
    exam: int = 600
    k: int = 16
    exam_k: int = 4
    pairs: int = 24
    passes: int = 1
    gradient_steps: int = 60
    rounds: int = 8
    round_steps: int = 10
    round_k: int = 2
    rate: float = 0.04

    def __post_init__(self) -> None:
        if self.k < 2:
            raise ExperimentError(
                f"λ* needs at least 2 responses to each prompt, got k = {self.k}\n  With one there is "
                "nothing to choose from, and no policy differs from the reference."
            )
        least = {"steps": 2, "practice": 2, "exam": 2, "exam_k": 1, "rounds": 1, "round_k": 1}
        for name, bound in least.items():  # a standard error needs two prompts
            if getattr(self, name) < bound:
                raise ExperimentError(f"{name} should be at least {bound}, got {getattr(self, name)}")
        if not self.betas or min((*self.betas, *self.papers)) <= 0:
            raise ExperimentError(f"β should be numbers > 0, got {self.betas} and {self.papers}")


QUICK = replace(
    Settings(), steps=30, units=24, least=20, betas=(0.5,), papers=(0.1,), practice=24, exam=24, k=4, pairs=4,
    gradient_steps=4, rounds=2, round_steps=2, words=8, level=0.95,
)  # fmt: skip
