"""The language model of the examples, on a text whose entropy is known; no network."""

from __future__ import annotations

import doctest
import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adjoint as ad

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

language = importlib.import_module("language")
baselines = importlib.import_module("language.baselines")
model = importlib.import_module("language.model")
tables = importlib.import_module("language.tables")
text = importlib.import_module("language.text")
training = importlib.import_module("language.training")

NOUNS, WORDS = ("film", "plot", "cast", "music"), ("good", "dull", "not good", "too long")
TEXTS = [f"The {noun} is {word}." for noun in NOUNS for word in WORDS]
# of the seven or eight words and marks only the noun, and what is said of it, are open: 1 of 4 each
NATS = np.log(16) * len(TEXTS) / sum(len(text.words(s)) + 1 for s in TEXTS)


@pytest.fixture(scope="module")
def vocabulary() -> Any:
    return language.Vocabulary(TEXTS, least=1)


@pytest.fixture(scope="module")
def trained(vocabulary: Any) -> Any:
    rng = np.random.default_rng(0)
    start = language.init(rng, len(vocabulary), units=16)
    return language.train(start, vocabulary, 8 * TEXTS, TEXTS, rng=rng, steps=300, size=32, rate=2e-2)


def by_hand(params: Any, prompt: list[int], response: list[int], temperature: float) -> float:
    """log π in float64, word by word, with the gates written out."""
    E, b = params["embedding"]["W"].astype(float), params["bias"].astype(float)
    W, c, U, d = (params["gru"][a][k].astype(float) for a in ("input", "state") for k in ("W", "b"))
    n = E.shape[1]
    h, total = np.zeros(n), 0.0
    for k, (before, word) in enumerate(zip([1, *prompt, *response], [*prompt, *response], strict=False)):
        x, s = 1.6 * np.sqrt(n) * E[before] @ W + c, h @ U + d
        r, u = 1 / (1 + np.exp(-(x + s)[: 2 * n].reshape(2, n)))
        h = (1 - u) * np.tanh(x[2 * n :] + r * s[2 * n :]) + u * h
        z = np.delete((E @ h + b) / temperature, [text.PAD, text.UNKNOWN])
        if k >= len(prompt):
            total += (E[word] @ h + b[word]) / temperature - np.log(np.sum(np.exp(z)))
    return total


def test_it_learns_what_can_be_learnt(trained: Any, vocabulary: Any) -> None:
    found = language.perplexity(trained, training.blocks(vocabulary, TEXTS))
    assert np.exp(NATS) <= found < 1.02 * np.exp(NATS)


def test_sampled_and_stated_probabilities(trained: Any, vocabulary: Any) -> None:
    prompts = np.array([[3, 0, 0], [3, vocabulary.encode("film")[0], vocabulary.encode("is")[0]]], np.int32)
    said = language.sample(trained, prompts, 400, np.random.default_rng(1), steps=8, temperature=1.3)
    stated = ad.compile(language.log_prob)(trained, prompts, said.tokens, np.float32(1.3))
    ends = said.tokens == text.END
    assert np.all(np.sum(ends, axis=-1) <= 1) and np.any(ends)
    after_end = np.cumsum(ends, axis=-1) - ends > 0
    assert np.all(after_end == ~said.mask) and not np.any(said.tokens[after_end])
    np.testing.assert_allclose(said.log_prob, stated, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(language.log_prob(trained, prompts, said.tokens, 1.3), stated, rtol=1e-4)
    for p, prompt in enumerate([[3], list(prompts[1])]):
        for k in range(5):
            words = [int(w) for w in said.tokens[p, k][said.mask[p, k]]]
            assert by_hand(trained, prompt, words, 1.3) == pytest.approx(stated[p, k], abs=1e-4)
    said_good = [vocabulary.decode(row) == "good." for row in said.tokens[1]]
    good = [*vocabulary.encode("good."), text.END]
    sure = np.exp(by_hand(trained, list(prompts[1]), good, 1.3))
    assert np.mean(said_good) == pytest.approx(sure, abs=4 * np.sqrt(sure / 400))


def test_counts(vocabulary: Any) -> None:
    parts = training.blocks(vocabulary, TEXTS)
    counts, every = baselines.Counts(parts, len(vocabulary)), np.arange(len(vocabulary))
    rare = baselines.Counts([np.random.default_rng(0).integers(1, 9, (5, 9))], len(vocabulary))
    for found in (counts, rare):
        for word in every:  # also after words that nothing follows
            assert np.sum(found.bigram(np.full_like(every, word), every)) == pytest.approx(1, abs=1e-12)
        assert np.sum(found.unigram) == pytest.approx(1, abs=1e-12)
    assert np.min(rare.bigram(every, every)) > 0
    the, film, dull = (vocabulary.encode(word)[0] for word in ("the", "film", "dull"))
    # after "the" come four nouns, four times each; no pair occurs once, so that nothing is discounted
    assert counts.bigram(the, film) == pytest.approx(1 / 4)
    assert counts.bigram(the, dull) == 0
    assert counts.perplexities(parts)[1] == pytest.approx(np.exp(NATS))


def test_words_and_numbers_go_round(vocabulary: Any, tmp_path: Path) -> None:
    odd = "It's   well , 'a' film--that DOESN'T (really) end...  or 're-do' 3 times!"
    once = text.sentence(text.words(odd))
    assert once == "it's – well, a film that doesn't really end... or re do 3 times!"
    assert text.words(once) == text.words(odd)
    for known in TEXTS:
        assert vocabulary.decode(vocabulary.encode(known)) == known.lower()
    assert vocabulary.decode(vocabulary.encode("The film is blue.")) == "the film is <unknown>."
    block = vocabulary.block([*TEXTS, "The film is good. " * 9], 10)
    assert [vocabulary.decode(row) for row in block[:-1]] == [s.lower() for s in TEXTS]
    assert text.END not in block[-1]  # cut off, not ended
    offered = ["The film is good.", "The blue film is good.", "The film is", "Good. The film is long."]
    found = vocabulary.prompts([*offered, "The film is long."], 2)  # each beginning once
    np.testing.assert_array_equal(found, [vocabulary.encode("the film")])


def test_one_state_at_a_time_or_all(trained: Any, vocabulary: Any) -> None:
    """Padding changes neither the state before it nor the loss."""
    block = training.blocks(vocabulary, TEXTS)[0]
    tokens = block[:, :4]
    longer = np.concatenate([tokens, np.full((5, 4), text.PAD, np.int32)])
    assert model.loss(trained, longer) == pytest.approx(model.loss(trained, tokens), rel=1e-6)
    prompt = np.array([vocabulary.encode("The film is")], np.int32)
    padded = np.concatenate([prompt, np.full((1, 3), text.PAD, np.int32)], axis=1)
    np.testing.assert_allclose(model.after(trained, padded), model.after(trained, prompt), rtol=1e-6)


def test_the_ends_of_the_unit_interval_are_words_too(trained: Any) -> None:
    vocabulary = len(trained["bias"])
    rows = np.random.default_rng(3).normal(size=(64, 16)).astype(np.float32)
    for u in (np.float32(0), np.nextafter(np.float32(1), np.float32(0))):
        word, log_pi, _ = ad.compile(model._say)(trained, rows, np.full(64, u), np.float32(0.7))
        assert not np.any(np.isin(word, (text.PAD, text.UNKNOWN))) and np.max(word) < vocabulary
        assert np.min(log_pi) > -50 and (u == 0) == np.all(word == text.END)


def test_gradients_of_log_probabilities(trained: Any, vocabulary: Any) -> None:
    double = ad.tree_map(lambda x: x.astype(float), trained)
    prompts = np.array([vocabulary.encode("The film"), vocabulary.encode("The plot")], np.int32)
    answers = np.stack([vocabulary.block(["is dull.", "is not good."], 6)] * 2)

    def total(params: Any) -> Any:
        return np.sum(language.log_prob(params, prompts, answers, 0.7) * np.array([[1.0, -2.0], [0.5, 3.0]]))

    ad.check.gradients(total, [double]).raise_on_failure()


def test_progress_is_told_and_what_was_given_stays(vocabulary: Any) -> None:
    start = language.init(np.random.default_rng(0), len(vocabulary), units=16)
    before, told = ad.tree_map(np.copy, start), []
    trained, again = (
        language.train(
            start, vocabulary, 4 * TEXTS, TEXTS, rng=np.random.default_rng(7), steps=6, size=32, every=4,
            callback=told.append,
        )
        for _ in range(2)
    )  # fmt: skip
    assert [p.step for p in told] == [4, 6, 4, 6] and told[:2] == told[2:]
    for a, b in zip(ad.tree.flatten(start)[0], ad.tree.flatten(before)[0], strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(ad.tree.flatten(trained)[0], ad.tree.flatten(again)[0], strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="smaller batches"):
        language.train(start, vocabulary, TEXTS, TEXTS, rng=np.random.default_rng(7), steps=2, size=32)


def test_checkpoints(trained: Any, tmp_path: Path) -> None:
    ad.save(tmp_path / "model.npz", trained)
    again = ad.load(tmp_path / "model.npz")
    prompts = np.array([[3]], np.int32)
    a, b = (language.sample(p, prompts, 9, np.random.default_rng(0)) for p in (trained, again))
    np.testing.assert_array_equal(a.tokens, b.tokens)
    np.testing.assert_array_equal(a.log_prob, b.log_prob)


def test_a_text_that_cannot_be_fetched_names_the_command(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(text.sys, "executable", str(tmp_path / "no python"))
    with pytest.raises(language.MissingText) as caught:
        language.load_text(directory=tmp_path / "texts")
    assert "pip download" in str(caught.value) and "vaderSentiment==3.3.2" in str(caught.value)
    assert not list((tmp_path / "texts").iterdir())
    (tmp_path / "texts" / text.FILE).write_bytes(b"something else")
    with pytest.raises(language.MissingText, match="SHA-256"):
        language.load_text(directory=tmp_path / "texts")


@pytest.mark.parametrize("module", [model, tables, text], ids=lambda m: m.__name__)
def test_docstrings_say_what_happens(module: Any) -> None:
    found = doctest.testmod(module)
    assert found.failed == 0 < found.attempted
