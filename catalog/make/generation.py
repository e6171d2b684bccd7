"""Trains the two text generators (JAX) and writes them as ONNX graphs that do one token a step over a cache.

Usage: python generation.py tiny|gated
"""

import math
import sys

import common  # noqa: F401  (first: sets the thread flags before JAX starts)
import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
import optax
from common import Graph, finish_folder, start_folder, text_payload
from onnx import TensorProto
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

import harbour
import stories
from cards import EULA, gated_card, tiny_card

END = "<|endoftext|>"
SPECS = {
    "tiny": dict(make=stories.story, seed=11, docs=24000, vocab=1024, width=96, layers=3, heads=4, context=160, steps=1500),
    "gated": dict(make=harbour.note, seed=12, docs=16000, vocab=640, width=64, layers=2, heads=4, context=144, steps=1000),
}
BATCH = 16


def corpus(spec):
    """Distinct documents; the last 500 are held out."""
    rng, seen = np.random.default_rng(spec["seed"]), {}
    while len(seen) < spec["docs"]:
        seen.setdefault(spec["make"](rng))
    docs = list(seen)
    return docs[:-500], docs[-500:]


def train_tokenizer(docs, size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[END], show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(docs[:4000], trainer)
    return tokenizer


def windows(tokenizer, docs, context):
    """Rows of context+1 tokens; what does not fit is dropped.

    Every second row starts at some later sentence of its document instead of the first, so that the model can also
    continue a prompt that is no opening.
    """
    end, rows, row = tokenizer.token_to_id(END), [], []
    for encoding, doc in zip(tokenizer.encode_batch(docs), docs):
        ids = encoding.ids
        if not row:
            row = [end]
            if len(rows) % 2:
                sentences = doc.split(". ")
                ids = tokenizer.encode(". ".join(sentences[1 + len(rows) // 2 % (len(sentences) - 1):])).ids
        row += ids + [end]
        if len(row) > context:
            rows.append(row[:context + 1])
            row = []
    return np.array(rows, dtype=np.int32)


def init(key, spec, vocab):
    d, layers = spec["width"], spec["layers"]
    keys = iter(jax.random.split(key, 4 * layers + 2))
    normal = lambda shape, scale: scale * jax.random.normal(next(keys), shape)
    block = lambda: dict(
        qkv=normal((d, 3 * d), d ** -0.5), out=normal((d, d), (2 * layers * d) ** -0.5),
        up=normal((d, 4 * d), d ** -0.5), down=normal((4 * d, d), (8 * layers * d) ** -0.5),
        norm1=jnp.ones(d), norm2=jnp.ones(d))
    return dict(embed=normal((vocab, d), 0.05), place=normal((spec["context"], d), 0.02),
                blocks=[block() for _ in range(layers)], norm=jnp.ones(d))


def rms(x, gain):
    return x * gain / jnp.sqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-5)


def forward(params, tokens, heads):
    """Logits for every position of a batch of rows."""
    rows, length = tokens.shape
    x = params["embed"][tokens] + params["place"][:length]
    mask = jnp.where(jnp.tril(jnp.ones((length, length), bool)), 0.0, -1e9)
    for b in params["blocks"]:
        split = lambda t: t.reshape(rows, length, heads, -1).transpose(0, 2, 1, 3)
        q, k, v = (split(t) for t in jnp.split(rms(x, b["norm1"]) @ b["qkv"], 3, -1))
        scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(q.shape[-1]) + mask
        mixed = (jax.nn.softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(rows, length, -1)
        x = x + mixed @ b["out"]
        x = x + jax.nn.silu(rms(x, b["norm2"]) @ b["up"]) @ b["down"]
    return rms(x, params["norm"]) @ params["embed"].T


def train(spec, vocab, rows):
    params = init(jax.random.PRNGKey(spec["seed"]), spec, vocab)
    schedule = optax.warmup_cosine_decay_schedule(0.0, 3e-3, 100, spec["steps"], 1e-4)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=0.05))
    state, rng = optimizer.init(params), np.random.default_rng(spec["seed"])

    def loss_of(p, batch):
        logits = forward(p, batch[:, :-1], spec["heads"])
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[:, 1:]).mean()

    @jax.jit
    def step(p, s, batch):
        loss, gradient = jax.value_and_grad(loss_of)(p, batch)
        change, s = optimizer.update(gradient, s, p)
        return optax.apply_updates(p, change), s, loss

    for i in range(spec["steps"]):
        params, state, loss = step(params, state, rows[rng.integers(len(rows), size=BATCH)])
        if i % 100 == 0:
            print(f"step {i} loss {float(loss):.3f}", flush=True)
    return jax.tree.map(lambda a: np.asarray(a, np.float32), params), jax.jit(loss_of)


def export(params, spec, vocab, path):
    """One decoding step: (token, position, keys, values) -> (logits, new_keys, new_values); all shapes fixed.

    keys and values are [layers, context, width]; rows at and after `position` are masked, the caller writes the
    returned rows at `position` before the next step.
    """
    d, h, layers, context = spec["width"], spec["heads"], spec["layers"], spec["context"]
    g = Graph()

    def norm(x, gain):
        mean = g.op("ReduceMean", g.op("Mul", x, x), axes=[-1], keepdims=1)
        root = g.op("Sqrt", g.op("Add", mean, g.weight(np.float32(1e-5).reshape(1, 1))))
        return g.op("Div", g.op("Mul", x, g.weight(gain[None])), root)

    embed = g.weight(params["embed"], half=True)
    x = g.op("Add", g.op("Gather", embed, "token", axis=0), g.op("Gather", g.weight(params["place"], half=True), "position", axis=0))
    past = g.op("Less", g.weight(np.arange(context, dtype=np.int64)), "position")
    mask = g.op("Where", past, g.weight(np.zeros(1, np.float32)), g.weight(np.full(1, -1e9, np.float32)))
    mask = g.op("Reshape", mask, g.ints(1, 1, context))
    new_keys, new_values = [], []
    for i, b in enumerate(params["blocks"]):
        a = norm(x, b["norm1"])
        q, k, v = (g.op("MatMul", a, g.weight(w, half=True)) for w in np.split(b["qkv"], 3, 1))
        new_keys.append(k), new_values.append(v)
        heads = lambda t, n: g.op("Transpose", g.op("Reshape", t, g.ints(n, h, d // h)), perm=[1, 0, 2])
        old = lambda t: g.op("Gather", t, g.weight(np.array(i, np.int64)), axis=0)
        q, own_k, own_v = heads(q, 1), heads(k, 1), heads(v, 1)
        past_k, past_v = heads(old("keys"), context), heads(old("values"), context)
        scale = g.weight(np.full((1, 1, 1), 1 / math.sqrt(d // h), np.float32))
        dot = lambda keys: g.op("Mul", g.op("MatMul", q, g.op("Transpose", keys, perm=[0, 2, 1])), scale)
        scores = g.op("Concat", g.op("Add", dot(past_k), mask), dot(own_k), axis=2)
        mixed = g.op("MatMul", g.op("Softmax", scores, axis=2), g.op("Concat", past_v, own_v, axis=1))
        mixed = g.op("Reshape", g.op("Transpose", mixed, perm=[1, 0, 2]), g.ints(1, d))
        x = g.op("Add", x, g.op("MatMul", mixed, g.weight(b["out"], half=True)))
        up = g.op("MatMul", norm(x, b["norm2"]), g.weight(b["up"], half=True))
        x = g.op("Add", x, g.op("MatMul", g.op("Mul", up, g.op("Sigmoid", up)), g.weight(b["down"], half=True)))
    g.op("MatMul", norm(x, params["norm"]), g.op("Transpose", embed, perm=[1, 0]), out="logits")
    g.op("Concat", *new_keys, axis=0, out="new_keys")
    g.op("Concat", *new_values, axis=0, out="new_values")
    cache, row = [layers, context, d], [layers, d]
    f, n = TensorProto.FLOAT, TensorProto.INT64
    g.save(path, [("token", n, [1]), ("position", n, [1]), ("keys", f, cache), ("values", f, cache)],
           [("logits", f, [1, vocab]), ("new_keys", f, row), ("new_values", f, row)])


class Stepper:
    """Runs the exported graph token by token, as the container does."""

    def __init__(self, path, spec):
        self.session, shape = onnxruntime.InferenceSession(path), (spec["layers"], spec["context"], spec["width"])
        self.keys, self.values, self.position = np.zeros(shape, np.float32), np.zeros(shape, np.float32), 0

    def __call__(self, token):
        at = self.position
        logits, k, v = self.session.run(None, {"token": np.array([token], np.int64), "position": np.array([at], np.int64), "keys": self.keys, "values": self.values})
        self.keys[:, at], self.values[:, at], self.position = k, v, at + 1
        return logits[0]


def held_out_loss(path, spec, rows):
    """Loss of the exported (half-precision-weight) graph itself, so that the card tells of the file it stands by."""
    losses = []
    for row in rows[:40]:
        run = Stepper(path, spec)
        for token, target in zip(row[:-1], row[1:]):
            logits = run(token)
            losses.append(np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[target])
    return float(np.mean(losses))


def greedy(path, spec, tokenizer, prompt, limit=60):
    run, ids, end = Stepper(path, spec), tokenizer.encode(prompt).ids, tokenizer.token_to_id(END)
    for token in [end, *ids]:
        logits = run(token)
    out = []
    while len(out) < limit and (token := int(logits.argmax())) != end:
        out.append(token)
        logits = run(token)
    return tokenizer.decode(out)


def main(name):
    spec = SPECS[name]
    train_docs, held_docs = corpus(spec)
    tokenizer = train_tokenizer(train_docs, spec["vocab"])
    vocab = tokenizer.get_vocab_size()
    rows, held = windows(tokenizer, train_docs, spec["context"]), windows(tokenizer, held_docs, spec["context"])
    print(f"{name}: vocabulary {vocab}, {len(rows)} training rows, {len(held)} held out", flush=True)
    params, loss_of = train(spec, vocab, rows)

    folder = start_folder(f"stoa-textgeneration-{name}", "1.0.0")
    path = str(folder / "artifact" / "model.onnx")
    export(params, spec, vocab, folder / "artifact" / "model.onnx")
    tokenizer.save(str(folder / "artifact" / "tokenizer.json"), pretty=False)

    run, row = Stepper(path, spec), held[0]
    stepped = np.stack([run(t) for t in row[:-1]])
    whole = np.asarray(forward(params, jnp.asarray(row[None, :-1]), spec["heads"]))[0]
    assert np.abs(stepped - whole).max() < 0.1, "exported graph differs from the trained model"

    loss = held_out_loss(path, spec, held)
    facts = dict(parameters=sum(a.size for a in jax.tree.leaves(params)), vocab=vocab, context=spec["context"],
                 layers=spec["layers"], width=spec["width"], heads=spec["heads"], documents=len(train_docs),
                 tokens_seen=spec["steps"] * BATCH * spec["context"], perplexity=math.exp(loss),
                 training_loss=float(loss_of(params, rows[:32])), held_rows=min(40, len(held)))
    prompts = ["Mira the miller lived", "One evening, a stranger"] if name == "tiny" else ["Harbour note for Friday.", "The Silver Gull"]
    samples = [(p, greedy(path, spec, tokenizer, p)) for p in prompts]
    common_keys = dict(
        task="Text Generation", framework="stoa", provider="Stoa", content_types=["application/json", "application/x-text"],
        accept_types=["application/json"], min_memory_mb=256,
        config=dict(task="text-generation", model_file="model.onnx", tokenizer_file="tokenizer.json",
                    decoder=dict(style="cached_step", layers=spec["layers"], context=spec["context"], width=spec["width"]),
                    bos_token=END, eos_token=END, defaults=dict(max_new_tokens=64, do_sample=False)))
    sampled = dict(max_new_tokens=48, do_sample=True, temperature=0.8, top_k=20, seed=7)
    if name == "tiny":
        finish_folder(folder, **common_keys, display_name="Stoa Tiny Stories",
                      description="A very small transformer that continues short village stories.",
                      keywords=["text-generation", "transformer", "stories", "english"], card=tiny_card(facts, samples),
                      example_payloads={"story": text_payload(prompts[0], parameters={"max_new_tokens": 72}),
                                        "sampled_story": text_payload(prompts[1], parameters=sampled)})
    else:
        finish_folder(folder, **common_keys, display_name="Stoa Harbour Notes (gated)",
                      description="A very small transformer that writes harbour notes; its use needs consent to an EULA.",
                      keywords=["text-generation", "transformer", "gated", "english"], card=gated_card(facts, samples),
                      eula=EULA, licence="Stoa Harbour Notes Licence 1.0",
                      example_payloads={"note": text_payload(prompts[0], parameters={"max_new_tokens": 72}),
                                        "sampled_note": text_payload(prompts[1], parameters=sampled)})
    for prompt, text in samples:
        print(f"[{prompt}]{text}")
    print(f"held-out perplexity {facts['perplexity']:.2f}")


if __name__ == "__main__":
    main(sys.argv[1])
