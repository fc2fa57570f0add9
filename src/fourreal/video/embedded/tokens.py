"""Captions as rows of word ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int64
from torch import Tensor

from fourreal.worlds.words import split_words


def vocabulary_of(words: Sequence[str]) -> dict[str, int]:
    """Ids from 1 in the order of `words`; 0 is the blank."""
    return {word: i + 1 for i, word in enumerate(words)}


def encode_captions(sentences: Sequence[str], vocabulary: Mapping[str, int], length: int) -> Int64[Tensor, "B L"]:
    """Word ids of every sentence, cut or filled with blanks to `length`; words outside the vocabulary are left out."""
    rows = []
    for sentence in sentences:
        ids = [vocabulary[w] for w in split_words(sentence) if w in vocabulary][:length]
        rows.append(ids + [0] * (length - len(ids)))
    return torch.tensor(rows, dtype=torch.int64).reshape(len(sentences), length)
