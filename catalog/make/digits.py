"""Trains a small convolutional network on scikit-learn's 8x8 digits with JAX."""

from common import Graph, finish_folder, start_folder
import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
import optax
from onnx import TensorProto
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

CARD = """
# Handwritten digits, 8x8

A convolutional network of {parameters:,} parameters that reads one handwritten digit from an 8x8 grey picture
(0 is paper, 16 is full ink).

## Data
The digits data set bundled with scikit-learn (`sklearn.datasets.load_digits`, BSD-3-Clause), which is the test part of "Optical
Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak, 1998; UCI Machine Learning Repository, CC BY 4.0): 1,797 pictures.
1,437 were used for training, 360 (stratified, `random_state=7`) were held out.

## Measured on the 360 held-out pictures
| what | value |
|---|---|
| accuracy | {accuracy:.3f} |
| worst digit (recall) | {worst_digit}: {worst:.3f} |

The same writers may appear in both parts, so the accuracy for a new writer is likely lower.

## Input and answer
`application/json`: `{{"instances": [{{"pixels": [64 numbers]}}]}}`, or `{{"instances": [{{"rows": ["0 0 5 13 9 1 0 0", ...]}}]}}` with eight lines of eight numbers
as text; `text/csv`: 64 numbers a line, row by row; `application/x-npy`: `[8, 8]` or `[n, 8, 8]`.
The answer is `{{"predictions": [{{"label": "7", "score": ..., "probabilities": {{...}}}}]}}`.

## Limits
Only digits, centred and scaled as in the data set. Anything else gets a digit's name all the same.

## Licence
Apache-2.0 for the model. Made by `catalog/make/digits.py`.
"""


def init(key):
    k = jax.random.split(key, 4)
    normal = lambda key, shape, fan: jax.random.normal(key, shape) * (2 / fan) ** 0.5
    return dict(c1=normal(k[0], (16, 1, 3, 3), 9), b1=jnp.zeros(16), c2=normal(k[1], (32, 16, 3, 3), 144), b2=jnp.zeros(32),
                w1=normal(k[2], (512, 48), 512), d1=jnp.zeros(48), w2=normal(k[3], (48, 10), 48), d2=jnp.zeros(10))


def forward(p, x):
    conv = lambda x, w, b: jax.nn.relu(jax.lax.conv(x, w, (1, 1), "SAME") + b[None, :, None, None])
    x = conv(conv(x / 16.0, p["c1"], p["b1"]), p["c2"], p["b2"])
    x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    x = jax.nn.relu(x.reshape(len(x), -1) @ p["w1"] + p["d1"])
    return x @ p["w2"] + p["d2"]


def train(x, y):
    p, rng = init(jax.random.PRNGKey(5)), np.random.default_rng(5)
    optimizer = optax.adamw(optax.cosine_decay_schedule(2e-3, 1200), weight_decay=1e-2)
    state = optimizer.init(p)
    loss_of = lambda p, x, y: optax.softmax_cross_entropy_with_integer_labels(forward(p, x), y).mean()

    @jax.jit
    def step(p, s, x, y):
        change, s = optimizer.update(jax.grad(loss_of)(p, x, y), s, p)
        return optax.apply_updates(p, change), s

    for _ in range(1200):
        at = rng.integers(len(x), size=64)
        p, state = step(p, state, x[at], y[at])
    return jax.tree.map(np.asarray, p)


def export(p, path):
    g = Graph()
    x = g.op("Reshape", "pixels", g.ints(-1, 1, 8, 8))
    x = g.op("Div", x, g.weight(np.full((1, 1, 1, 1), 16.0)))
    for w, b in (("c1", "b1"), ("c2", "b2")):
        x = g.op("Relu", g.op("Conv", x, g.weight(p[w]), g.weight(p[b]), kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
    x = g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = g.op("Reshape", x, g.ints(-1, 512))
    x = g.op("Relu", g.linear(x, p["w1"], p["d1"][None]))
    g.op("Softmax", g.linear(x, p["w2"], p["d2"][None]), axis=1, out="probabilities")
    g.save(path, [("pixels", TensorProto.FLOAT, ["batch", 8, 8])], [("probabilities", TensorProto.FLOAT, ["batch", 10])])


def main():
    data = load_digits()
    images = data.images.astype(np.float32)
    train_x, held_x, train_y, held_y = train_test_split(images, data.target, test_size=360, stratify=data.target, random_state=7)
    p = train(train_x[:, None], train_y)
    folder = start_folder("jax-imageclassification-digits", "1.0.0")
    path = folder / "artifact" / "model.onnx"
    export(p, path)
    got = onnxruntime.InferenceSession(str(path)).run(None, {"pixels": held_x})[0].argmax(1)
    recall = [(got[held_y == d] == d).mean() for d in range(10)]
    worst = int(np.argmin(recall))
    accuracy = float((got == held_y).mean())
    print(f"digits: accuracy {accuracy:.3f}")
    # Examples are held-out pictures: the first of each digit that the payload names (right or wrong, not chosen).
    first = {d: held_x[held_y == d][0].astype(int) for d in (3, 7, 0)}
    rows = lambda picture: [" ".join(map(str, line)) for line in picture]
    finish_folder(
        folder, display_name="Handwritten digits, 8x8", description="Reads one handwritten digit from an 8x8 grey picture.",
        task="Image Classification", framework="jax", provider="Stoa", keywords=["image-classification", "digits", "cnn"],
        content_types=["application/json", "text/csv", "application/x-npy"], accept_types=["application/json"], min_memory_mb=128,
        card=CARD.format(parameters=sum(a.size for a in p.values()), accuracy=accuracy, worst_digit=worst, worst=recall[worst]),
        example_payloads={
            "three": {"content_type": "application/json", "body": {"instances": [{"rows": rows(first[3])}]}},
            "seven_and_zero": {"content_type": "application/json", "body": {"instances": [{"rows": rows(first[7])}, {"rows": rows(first[0])}]}},
            "seven_csv": {"content_type": "text/csv", "body": ",".join(map(str, first[7].ravel()))},
        },
        config=dict(task="image-classification", model_file="model.onnx", input=dict(name="pixels", shape=[8, 8]),
                    output=dict(name="probabilities"), labels=[str(d) for d in range(10)]))


if __name__ == "__main__":
    main()
