"""The road: prompts, responses, scores, λ*, policies by DPO and by policy gradient, iterative dualization.

    max E sharp − β KL(π ‖ π_ref)   subject to   E clean ≥ level

Prompts are the first words of sentences that the language model never saw. Some of them, *practice*, make λ*
and train the policies; the others, *exam*, are used for the table only. Everything follows from one seed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np

from adjoint import nn
from adjoint.models import align
from adjoint.models.alignment import (
    Alignment,
    Scores,
    Status,
    decreasing_rate,
    read_preferences,
    write_preferences,
)

from .model import Params, init
from .policies import Learner, Reference, Speaker, dpo, located
from .results import AtBeta, Average, Results, Round, Row
from .scorers import Panel
from .settings import ExperimentError, Settings
from .tables import WHO
from .text import Corpus, Vocabulary
from .training import train

Tell = Callable[[str], None]
# streams of random numbers of one seed, beside those that the language model and the prompts have
EXAM, ROUNDS, POLICIES = 5, 6, 7
LEAST_RATE = 1.0  # of λ, where the limit does not bind at λ* and dλ*/db is 0


class Study:
    """What all β share: the language model, the prompts, the reference's responses with their scores."""

    def __init__(self, settings: Settings, corpus: Corpus, scorers: Panel, tell: Tell) -> None:
        self.settings, self.scorers, self.tell = settings, scorers, tell
        self.seconds: dict[str, float] = {}
        streams = np.random.SeedSequence(settings.seed).spawn(4)
        of_model, of_prompts, of_practice, of_exam = map(np.random.default_rng, streams)
        texts, judges, unseen = ([s.text for s in part] for part in corpus)
        vocabulary = Vocabulary(texts, least=settings.least)
        prompts = vocabulary.prompts(unseen)
        wanted = settings.practice + settings.exam
        if len(prompts) < wanted:
            raise ExperimentError(
                f"{wanted} prompts are wanted, and {len(unseen):,} held-out sentences have {len(prompts)}\n "
                " Give a longer text, or ask for fewer: Settings(practice=…, exam=…)."
            )
        of_prompts.shuffle(prompts)
        self.practice, self.exam = prompts[: settings.practice], prompts[settings.practice : wanted]
        with self.timed("training the language model"):
            params = train(
                init(of_model, len(vocabulary), units=settings.units), vocabulary, texts, judges,
                rng=of_model, steps=settings.steps, size=settings.batch, every=max(settings.steps // 4, 1),
                callback=lambda p: tell(f"  step {p.step}: perplexity {p.perplexity:.1f}"),
            )  # fmt: skip
        self.reference = Reference(params, vocabulary, settings.temperature, settings.words)
        with self.timed("drawing and scoring responses"):
            self.heard = self.reference.speak(params, self.practice, settings.k, scorers, of_practice)
            self.judged = self.reference.speak(params, self.exam, settings.exam_k, scorers, of_exam)
        self.people = {
            one.name: float(np.corrcoef(one(unseen), [s.rating for s in corpus.held_out])[0, 1])
            for one in scorers
        }

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """A context whose processor time is kept."""
        self.tell(what)
        begun = time.process_time()
        yield
        self.seconds[what.strip()] = time.process_time() - begun

    @cached_property
    def scores(self) -> Scores:
        """Of the practice responses, with names by which exported texts are found again."""
        decode = self.reference.vocabulary.decode
        prompts = [f"{x}: {decode(p)}" for x, p in enumerate(self.practice)]
        responses = [f"{k}: {decode(t)}" for row in self.heard.said.tokens for k, t in enumerate(row)]
        own = self.heard.scores
        return Scores.dense(own["sharp"], {"clean": own["clean"]}, prompts=prompts, responses=responses)

    def one_shot(self, beta: float) -> Alignment:
        """λ* from the scores alone.

        Raises:
            ExperimentError: no policy over these responses is clean enough.
        """
        level, seed = self.settings.level, self.settings.seed  # of what the diagnostics draw
        found = align(self.scores, beta=beta, constraints=f"clean >= {level!r}", random_state=seed)
        if found.status is Status.INFEASIBLE:
            assert found.infeasibility is not None
            best = found.infeasibility.best["clean"]
            raise ExperimentError(
                f"no policy over these responses has E clean ≥ {level}: the cleanest of each prompt's "
                f"{self.settings.k} average {best:.4f}\n  Ask for less, or draw more responses."
            )
        return found

    def at_exam(self, params: Params, who: str, lam: float) -> tuple[Row, Speaker]:
        """A policy's row: the same random numbers for every policy, so that rows can be compared."""
        rng = np.random.default_rng([self.settings.seed, EXAM])
        said = self.reference.speak(params, self.exam, self.settings.exam_k, self.scorers, rng)
        scores = {name: Average.of(x) for name, x in said.scores.items()}
        return Row(who, lam, Average.of(said.ratios), scores), said

    def tilt(self, beta: float, lam: float, who: str) -> Row:
        """The policy of the theory, π_ref e^{s/β}, on the reference's exam responses."""
        own = self.judged.scores
        logits = (own["sharp"] + lam * own["clean"]) / beta
        log_weights = nn.log_softmax(logits)
        weights, ratios = np.exp(log_weights), log_weights + np.log(logits.shape[1])
        scores = {name: Average.of(x, weights) for name, x in own.items()}
        return Row(who, lam, Average.of(ratios, weights), scores)

    def preferences(self, alignment: Alignment, rng: np.random.Generator) -> Params:
        """DPO on pairs that were written to a file, and read from it."""
        settings, scores = self.settings, alignment.scores
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pairs.jsonl"
            write_preferences(path, scores, alignment.multipliers, pairs=settings.pairs, rng=rng)
            pairs = read_preferences(path)
        assert scores.prompts is not None and scores.responses is not None
        k = settings.k
        responses = [scores.responses[x * k : x * k + k] for x in range(scores.n_prompts)]
        places = located(pairs, scores.prompts, responses)  # type: ignore[arg-type]
        return dpo(
            self.reference, self.heard, places, beta=alignment.beta, rng=rng, passes=settings.passes,
            rate=settings.rate,
        )  # fmt: skip

    def dualize(self, learner: Learner, alignment: Alignment) -> list[Round]:
        """λ ← [λ − η (E clean − aim)]₊ with a policy that goes on from where it was.

        The aim is the level and one standard error: practice prompts are a sample of all prompts. The first η
        is dλ*/db, Newton's step if the policy could be anything.
        """
        settings, scorer = self.settings, self.scorers.clean
        lam, path = alignment.multipliers["clean"], list[Round]()
        rule = decreasing_rate(max(alignment.level_response[0, 0], LEAST_RATE))
        rng = np.random.default_rng([settings.seed, ROUNDS])
        for t in range(settings.rounds):
            learner.learn(lam, settings.round_steps)
            said = self.reference.speak(learner.params, self.practice, settings.round_k, [scorer], rng)
            clean = Average.of(said.scores[scorer.name])
            path.append(Round(lam, clean))
            self.tell(f"    λ = {lam:.3f}: E clean {clean.mean:.4f} ± {clean.error:.4f}")
            if t + 1 < settings.rounds:
                lam = max(lam - rule(t, None) * (clean.mean - clean.error - settings.level), 0.0)  # type: ignore[arg-type]
        return path

    def at(self, found: Alignment) -> AtBeta:
        """Everything at one β, from its λ* on."""
        settings, beta, lam = self.settings, found.beta, found.multipliers["clean"]
        self.tell(f"\nβ = {beta:g}: λ* = {lam:.4f} ± {found.standard_errors['clean']:.4f}")
        rng = np.random.default_rng([settings.seed, POLICIES, round(1e6 * beta)])
        rows = [self.tilt(beta, 0.0, "free tilt"), self.tilt(beta, lam, "tilt")]
        samples = {}

        def examined(params: Params, who: str, lam: float) -> None:
            row, said = self.at_exam(params, who, lam)
            rows.append(row)
            samples[who] = [texts[0] for texts in said.texts]
            clean, sharp = row.scores["clean"], row.scores["sharp"]
            self.tell(
                f"    {WHO[who]}: clean {clean.mean:.4f} ± {clean.error:.4f}, sharp {sharp.mean:+.3f}, KL "
                f"{row.kl.mean:.3f}"
            )

        with self.timed(f"  DPO, β = {beta:g}"):
            examined(self.preferences(found, rng), "dpo", lam)
        deciding = (self.scorers.sharp, self.scorers.clean)
        learner = Learner(self.reference, self.practice, deciding, beta=beta, rng=rng, rate=settings.rate)
        with self.timed(f"  policy gradient, β = {beta:g}"):
            learner.learn(lam, settings.gradient_steps)
            examined(learner.params, "gradient", lam)
        onward = learner.copy()  # is it λ that helps, or only more training?
        with self.timed(f"  as many steps at λ*, β = {beta:g}"):
            onward.learn(lam, settings.rounds * settings.round_steps)
            examined(onward.params, "longer", lam)
        with self.timed(f"  iterative dualization, β = {beta:g}"):
            path = self.dualize(learner, found)
            examined(learner.params, "iterative", path[-1].lam)
        return AtBeta(found, tuple(rows), tuple(path), samples)


def run(settings: Settings, corpus: Corpus, scorers: Panel, tell: Tell = lambda text: None) -> Results:
    """The whole road.

    Args:
        settings: what was chosen.
        corpus: the sentences.
        scorers: who judges.
        tell: called with a line of text now and then.

    Raises:
        ExperimentError: too few sentences, or a level that cannot be met.
        ScorerError: a score that is no number.
    """
    begun = time.process_time(), time.perf_counter()
    study = Study(settings, corpus, scorers, tell)
    reference, said = study.at_exam(study.reference.params, "reference", np.nan)
    betas = sorted({*settings.betas, *settings.papers}, reverse=True)
    papers = {beta: study.one_shot(beta) for beta in betas}
    found = tuple(study.at(papers[beta]) for beta in settings.betas)
    prompts = [study.reference.vocabulary.decode(p) for p in study.exam]
    return Results(
        settings, reference, tuple(papers.values()), Average.of(study.heard.scores["clean"]), found, prompts,
        [texts[0] for texts in said.texts], study.people, study.seconds,
        time.process_time() - begun[0], time.perf_counter() - begun[1],
    )  # fmt: skip
