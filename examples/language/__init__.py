"""A small language model of film reviews: its text, the model, its training; what the alignment builds on.

corpus = load_text()
vocabulary = Vocabulary([s.text for s in corpus.train])
params = train(init(rng, len(vocabulary)), vocabulary, …)
prompts = vocabulary.prompts([s.text for s in corpus.held_out])
said = sample(params, prompts, 8, rng, temperature=0.8)
log_prob(params, prompts, said.tokens, 0.8)  # (P, 8), differentiable in params; ad.compile takes it
"""

from .model import Responses, init, log_prob, sample
from .text import Corpus, MissingText, Sentence, Vocabulary, load_text
from .training import Progress, perplexity, train

__all__ = [
    "Corpus",
    "MissingText",
    "Progress",
    "Responses",
    "Sentence",
    "Vocabulary",
    "init",
    "load_text",
    "log_prob",
    "perplexity",
    "sample",
    "train",
]
