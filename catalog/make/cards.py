"""The words of the generators' model cards and the EULA of the gated one (all written by us)."""


def _generator_card(title, intro, data, facts, samples, licence):
    shown = "\n\n".join(f"> **{prompt}**{text}" for prompt, text in samples)
    return f"""# {title}

{intro}

## What it is
A decoder-only transformer made for this catalog: {facts['parameters']:,} parameters, {facts['layers']} layers, width {facts['width']}, {facts['heads']} heads,
a byte-level BPE vocabulary of {facts['vocab']} tokens and a context of {facts['context']} tokens. The ONNX graph does one token a step over a
key/value cache; weights are stored in half precision and computed in single precision.

## Training data
{data} {facts['documents']:,} distinct documents for training, 500 held out; {facts['tokens_seen']:,} tokens were seen in training
(adamw, batch 16, one CPU thread). Made by `catalog/make/generation.py`.

## Measured
| what | value |
|---|---|
| perplexity per token on held-out documents of the same grammar ({facts['held_rows']} rows, the exported file) | {facts['perplexity']:.2f} |
| training loss at the end (nats per token) | {facts['training_loss']:.3f} |

The held-out documents are new, but they come from the same grammar as the training ones: the number says that
the model learned the grammar, not that it knows English.

Greedy continuations:

{shown}

## Use and limits
It is there to show a real model being served. It knows only its small world: a prompt from outside it is answered
with text from inside it. It has no knowledge, follows no instructions and must not be used for decisions.

## Licence
{licence}
"""


def tiny_card(facts, samples):
    return _generator_card(
        "Stoa Tiny Stories", "Continues short stories about a village, its people and their animals.",
        "Stories from a small grammar that we wrote (`catalog/make/stories.py`).", facts, samples,
        "Apache-2.0, model and data.")


def gated_card(facts, samples):
    return _generator_card(
        "Stoa Harbour Notes", "Writes the daily notes of a harbour master of an invented port. Use needs consent to `EULA.txt`.",
        "Notes from a small grammar that we wrote (`catalog/make/harbour.py`).", facts, samples,
        "Stoa Harbour Notes Licence 1.0, see `EULA.txt`.")


EULA = """
STOA HARBOUR NOTES LICENCE 1.0
End user licence agreement for the model "stoa-textgeneration-gated"

Please read this before you use the model. You show that you agree by setting the acceptance flag
(AcceptEula) when you create a model from it or ask for its files.

1. What you get. You may run the model, study it, change it and share it, for any lawful purpose, free of charge.
2. Not for navigation. The notes that the model writes are invented. You will not use them, or let others use
   them, to navigate a vessel, to plan a voyage, or in any place where somebody could take them for a real
   notice to mariners.
3. Say that it is invented. When you publish text from the model, you say that a model wrote it.
4. Pass it on. Whoever gets the model or a changed copy from you gets this text too and is bound by it.
5. No warranty. The model is given as it is. Nobody who made it answers for damage that comes from its use, as
   far as the law allows this to be said.
6. End. If you break points 2 to 4 your licence ends; it comes back when you have put the matter right.
"""
