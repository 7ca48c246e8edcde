"""Who judges the sentences: four programs that PyPI ships together with what they know.

Two of them decide, and the multiplier is made from their scores; two only look on, so that a policy which has
learned to please the first two instead of doing what was meant is found out.

    sharp      VADER's lexicon: how negative a sentence sounds                              the reward
    clean      alt-profanity-check, a linear classifier: P(not offensive)                   the constraint
    sharp 2    TextBlob's lexicon (of the package pattern): how negative, a second opinion   held out
    clean 2    better-profanity: whether no word is on its list of 916                       held out

Every score is larger for what the name says. Sources: Hutto & Gilbert 2014 (VADER); V. Zhou, "Building a
better profanity detection library with scikit-learn", 2019, of which alt-profanity-check is the kept-up
fork; De Smedt & Daelemans 2012 (pattern).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from typing import NamedTuple

import numpy as np

from adjoint.errors import AdjointError, need

Score = Callable[[Sequence[str]], np.ndarray]
EXTRA = "text"  # of pyproject.toml, which pins these packages


class ScorerError(AdjointError, ValueError):
    """A scorer answered with something that is no score."""


class Scorer(NamedTuple):
    """A program that judges sentences.

    Attributes:
        name: what it says of a sentence when its number is large.
        package, version, licence: where it comes from.
        means: the number, in words.
        score: sentences (n) → (n,) float64.
    """

    name: str
    package: str
    version: str
    licence: str
    means: str
    score: Score

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """The scores (n,) of n sentences, checked to be numbers.

        Raises:
            ScorerError: a score is missing, NaN or infinite; the sentence is named.
        """
        found = np.asarray(self.score(texts), float)
        if found.shape != (len(texts),):
            raise ScorerError(f"{self.package} gave {found.shape} scores for {len(texts)} sentences")
        bad = np.flatnonzero(~np.isfinite(found))
        if bad.size:
            what = f"{self.package} scores {texts[bad[0]]!r} as {found[bad[0]]}; {bad.size} such in all"
            raise ScorerError(f"{what}\n  Leave such sentences out, or choose another scorer.")
        return found


class Panel(NamedTuple):
    """The four scorers: two decide, two look on."""

    sharp: Scorer
    clean: Scorer
    sharp2: Scorer
    clean2: Scorer


@cache
def panel() -> Panel:
    """The four scorers of the experiment.

    Raises:
        MissingPackageError: one of the packages is not installed; the message has the command.
    """
    packages = ("vaderSentiment", "profanity_check", "textblob", "better_profanity")
    for package in packages:
        need(package, "scoring sentences", EXTRA)
    return Panel(
        _scorer("sharp", "vaderSentiment", "VADER's compound score, negated: −1 … 1", _vader()),
        _scorer("clean", "alt-profanity-check", "1 − P(offensive): 0 … 1", _classifier()),
        _scorer("sharp 2", "TextBlob", "TextBlob's polarity, negated: −1 … 1", _textblob()),
        _scorer("clean 2", "better-profanity", "1 if no word is listed, else 0", _listed()),
    )


def _scorer(name: str, package: str, means: str, score: Score) -> Scorer:
    """With the version that judges, which is the pinned one only where the extra was installed."""
    return Scorer(name, package, version(package), "MIT", means, score)


def _vader() -> Score:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    return lambda texts: np.array([-analyzer.polarity_scores(text)["compound"] for text in texts])


def _classifier() -> Score:
    from profanity_check import predict_prob

    return lambda texts: 1.0 - np.asarray(predict_prob(list(texts)), float)


def _textblob() -> Score:
    from textblob.en.sentiments import PatternAnalyzer

    analyzer = PatternAnalyzer()
    return lambda texts: np.array([-analyzer.analyze(text).polarity for text in texts])


def _listed() -> Score:
    """Word by word, each asked once: a sentence at a time takes the package 22 ms."""
    from better_profanity import profanity

    profanity.load_censor_words()
    listed = cache(profanity.contains_profanity)
    return lambda texts: np.array(
        [not any(map(listed, re.findall(r"[\w']+", text))) for text in texts], float
    )
