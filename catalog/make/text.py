"""Shared by the two text encoders: a tokenizer of our own training and fixed-length encoding."""

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers


def train_tokenizer(texts, size, length):
    """Lower-cased words; rows are cut and padded to `length`, id 0 is padding, 1 is unknown.

    Not WordPiece: the library's trainer for it numbers its pieces differently in each run.
    """
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordLevelTrainer(vocab_size=size, special_tokens=["[PAD]", "[UNK]"], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(length=length)
    return tokenizer


def encode(tokenizer, texts):
    return np.array([e.ids for e in tokenizer.encode_batch(list(texts))], dtype=np.int64)
