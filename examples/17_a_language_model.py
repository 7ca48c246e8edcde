"""A language model of film reviews, learnt in minutes: what it knows beyond counts of words.

    x_t = c E[y_{t−1}],   h_t = GRU(h_{t−1}, x_t),   p(y_t | y_<t) = softmax(E h_t + b),   min E[−log p]

8,004 sentences that people wrote train it, 600 others judge it: perplexity, exp(mean −log p), is how many
words it hesitates between. Counting words gives 355; counting pairs of words, well smoothed, 141. Then it
goes on where sentences that it never saw begin (unselected), and says how likely each word of one was.

The text is in the source distribution of vaderSentiment 3.3.2 (MIT licence), which pip fetches once.
Source: Cho et al. 2014, arXiv:1406.1078; Press & Wolf 2017, arXiv:1608.05859 (one E at both ends).
Picture: language_model.png, in the folder given as argument or a temporary one. --quick: seconds, no sense.
"""

import time

import numpy as np
from language import Vocabulary, init, load_text, log_prob, model, perplexity, sample, train, training
from language.arguments import arguments
from language.baselines import Counts

from adjoint import nn

folder, quick = arguments()
STEPS, EVERY = (20, 10) if quick else (1200, 100)  # two minutes of two cores that have nothing else to do
corpus, rng, history = load_text(), np.random.default_rng(0), []
texts, judges, unseen = ([s.text for s in part] for part in corpus)
vocabulary = Vocabulary(texts)
parts, judged = training.blocks(vocabulary, texts), training.blocks(vocabulary, judges)
unigram, bigram = Counts(parts, len(vocabulary)).perplexities(judged)


def tell(progress: training.Progress) -> None:
    history.append(progress)
    print(f"step {progress.step} of {STEPS}: perplexity {progress.perplexity:.0f}", flush=True)


begun = time.perf_counter()
start = init(rng, len(vocabulary))
params = train(start, vocabulary, texts, judges, rng=rng, steps=STEPS, every=EVERY, callback=tell)
found, seconds = perplexity(params, judged), time.perf_counter() - begun
print(f"perplexity: words {unigram:.0f}, pairs {bigram:.0f}, the model {found:.1f}, after {seconds:.0f} s\n")

prompts = vocabulary.prompts(unseen)[:8]
said = sample(params, prompts, 2, rng, temperature=0.7)
for prompt, responses in zip(prompts, said.tokens, strict=True):
    print(vocabulary.decode(prompt), *(f"… {vocabulary.decode(r)}" for r in responses), sep="\n    ")
# the same probabilities from whole sentences at once, not word by word
apart = np.max(np.abs(log_prob(params, prompts, said.tokens, 0.7) - said.log_prob))

sentence = next(t for t in vocabulary.block(unseen, 24) if t[15] and t[17] == 0 and not np.any(t == 2))
tokens = sentence[sentence != 0]
before = np.concatenate([[1], tokens[:-1]])[:, None]
h = model.states(params, np.zeros((1, params["gru"]["state"]["W"].shape[0]), np.float32), before)
nats = -nn.log_softmax(model.logits(params, h[:, 0]))[np.arange(len(tokens)), tokens]
try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
    left.plot([p.step for p in history], [p.perplexity for p in history], "o-")
    for value, name in ((unigram, "words counted"), (bigram, "pairs of words counted")):
        left.axhline(value, color="0.5", linestyle=":")
        left.annotate(f"{name}: {value:.0f}", (STEPS, value), ha="right", va="bottom", color="0.3")
    left.set(yscale="log", xlabel="steps of 32 sentences", title="perplexity on sentences kept back")
    left.set_yticks([100, 150, 200, 300], ["100", "150", "200", "300"])
    left.minorticks_off()
    right.barh(range(len(tokens)), np.exp(-nats), color="tab:blue")
    right.set_yticks(range(len(tokens)), [vocabulary.words[t] for t in tokens])
    right.invert_yaxis()
    right.set(xscale="log", xlim=(1e-7, 1), title="p of each word, given those before it")
    figure.savefig(folder / "language_model.png", dpi=120)
    print("picture:", folder / "language_model.png")

ok = (quick or found < bigram < unigram) and apart < 1e-3
ratio = found / bigram
print(f"check: perplexity / counts' {ratio:.3f}, log π apart {apart:.1e}  {'ok' if ok else 'FAILED'}")
