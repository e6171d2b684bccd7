"""Writes the small hand-made graphs that the inference container's tests stand on (no training).

full_decoder   a bigram model: each word is followed by the next of `one two three four`, then the end
token_vectors  one vector a token, to test averaging under a mask
two_ports      two inputs, two outputs, no config.json
one_row        a graph whose batch is fixed to one row and which ends in logits
"""

from pathlib import Path

import common  # noqa: F401
import numpy as np
from common import Graph, write_json
from onnx import TensorProto
from tokenizers import Tokenizer, models, pre_tokenizers

HERE = Path(__file__).resolve().parent.parent.parent / "crates/images/inference/tests/container/fixtures"
F, N = TensorProto.FLOAT, TensorProto.INT64


def folder(name):
    path = HERE / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def words_tokenizer(path, words):
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token=words[1]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([words[0]])
    tokenizer.save(str(path / "tokenizer.json"), pretty=False)


def full_decoder():
    path, words, g = folder("full_decoder"), ["<end>", "<unknown>", "one", "two", "three", "four"], Graph()
    table = np.zeros((6, 6), np.float32)
    for now, following in [(0, 2), (1, 0), (2, 3), (3, 4), (4, 5), (5, 0)]:
        table[now, following] = 5
    g.op("Gather", g.weight(table), "input_ids", axis=0, out="logits")
    g.save(path / "model.onnx", [("input_ids", N, ["batch", "length"])], [("logits", F, ["batch", "length", 6])])
    words_tokenizer(path, words)
    write_json(path / "config.json", dict(task="text-generation", decoder=dict(style="full", context=8), eos_token="<end>"))


def token_vectors():
    path, g = folder("token_vectors"), Graph()
    table = g.weight(np.array([[9, 9], [1, 0], [3, 0], [0, 4]], np.float32))
    g.op("Gather", table, "input_ids", axis=0, out="last_hidden_state")
    ports = [("input_ids", N, ["batch", "length"]), ("attention_mask", N, ["batch", "length"])]
    g.op("Identity", "attention_mask", out="mask_seen")
    g.save(path / "model.onnx", ports, [("last_hidden_state", F, ["batch", "length", 2]), ("mask_seen", N, ["batch", "length"])])
    words_tokenizer(path, ["[PAD]", "east", "far", "north"])
    write_json(path / "config.json", dict(task="sentence-embedding", input=dict(name="input_ids", max_length=4), output=dict(name="last_hidden_state")))


def two_ports():
    path, g = folder("two_ports"), Graph()
    g.op("Add", "left", "right", out="sum")
    g.op("Mul", "left", "right", out="product")
    g.save(path / "model.onnx", [("left", F, ["batch", 2]), ("right", F, ["batch", 2])], [("sum", F, ["batch", 2]), ("product", F, ["batch", 2])])


def one_row():
    path, g = folder("one_row"), Graph()
    g.op("MatMul", "x", g.weight(np.eye(2, dtype=np.float32)), out="logits")
    g.save(path / "model.onnx", [("x", F, [1, 2])], [("logits", F, [1, 2])])
    write_json(path / "config.json", dict(task="tabular-classification", input=dict(name="x", columns=["a", "b"]),
                                         output=dict(name="logits", activation="softmax"), labels=["first", "second"]))


if __name__ == "__main__":
    full_decoder(), token_vectors(), two_ports(), one_row()
