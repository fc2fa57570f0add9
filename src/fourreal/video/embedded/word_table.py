"""`WordTable`: vectors of common English words, to find the label that a word comes nearest to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourreal.core.errors import FileFormatError
from fourreal.core.storage import load_tensors
from fourreal.video.base import ModelSourceError

from .phrasebook import Entry, Words, entries

KIND = "word table"
OTHER = ("other", "")  # label of words that stand for nothing in a caption
NEAR = 0.52  # least score of a word that is no example itself
NEAR_ACTION = 0.6  # the same for actions: verbs are closer together
_SECOND = 0.25  # weight of a label's second nearest example in its score
_PLAIN = 0.1  # how much nearer than a label's own name another phrase must be
_PATH = Path(__file__).parent / "weights" / "words.safetensors"

Label = tuple[str, str]


class _Groups(NamedTuple):
    """Rows of the examples, sorted by label; those of `OTHER` by themselves."""

    labels: tuple[Label, ...]
    rows: np.ndarray
    starts: np.ndarray
    counts: np.ndarray
    others: np.ndarray
    vectors: np.ndarray


@dataclass(frozen=True, eq=False)
class WordTable:
    """Words and phrases, their vectors, and labels of those that are examples of one.

    Attributes:
        words: N texts, lower case, words separated by single spaces.
        vectors: [N, D] float32 of length 1; the dot product of two is their likeness, -1..1.
        examples: [N] int64, index into `labels` of the label that a text is an example of, or -1.
        labels: (factor, value) pairs, and `OTHER`.
    """

    words: tuple[str, ...]
    vectors: Float[Tensor, "N D"]
    examples: Int[Tensor, " N"]
    labels: tuple[Label, ...]

    @staticmethod
    def load(path: Path | str | None = None) -> WordTable:
        """The shipped table, or another that `tools/make_word_table.py` wrote.

        Raises:
            ModelSourceError: if the file is missing, damaged or made for other captions.
        """
        return _load(_PATH if path is None else Path(path))

    def label(self, text: str) -> Label | None:
        """The label that `text` is an example of (`OTHER` for none of them), or None where it is no example."""
        row = self._rows.get(text)
        index = -1 if row is None else int(self.examples[row])
        return None if index < 0 else self.labels[index]

    def nearest(self, texts: Iterable[str], factors: Collection[str], above: float = 0.0) -> Label | None:
        """The nearest label of `factors` to any of `texts`; None if none is near, or `OTHER` is nearer.

        A label's score is the likeness of its nearest example, averaged (3 to 1) with that of its second nearest: one
        example alone may be near by its spelling. `above` raises the score that counts as near.
        """
        rows = [self._rows[t] for t in texts if t in self._rows]
        groups = self._groups
        allowed = np.array([label[0] in factors for label in groups.labels])
        if not rows or not allowed.any():
            return None
        words = groups.vectors[rows]  # numpy: a few thousand products take less than a thread's waking
        likeness = words @ groups.vectors[groups.rows].T
        best = np.maximum.reduceat(likeness, groups.starts, axis=1)
        rest = np.where(likeness == np.repeat(best, groups.counts, axis=1), 0.0, likeness)
        second = np.maximum.reduceat(rest, groups.starts, axis=1)
        scores = np.where(allowed, ((1 - _SECOND) * best + _SECOND * second.clip(min=0)).max(0), -1.0)
        score, label = float(scores.max()), groups.labels[int(scores.argmax())]
        others = words @ groups.vectors[groups.others].T
        held_off = others.size > 0 and float(others.max()) > score
        least = above + (NEAR_ACTION if label[0] == "action" else NEAR)
        return None if score < least or held_off else label

    def closest_entry(self, text: str, label: Label) -> Entry:
        """The caption phrase of `label` that comes nearest to `text`; a short one where there is one."""
        choice = [e for e in entries() if e.label == label]
        if label[0] not in {"ground", "sky", "weather"}:
            first = text.split(maxsplit=1)[0]
            same = [e for e in choice if e.words[0] == first]  # "playing with a ball" for "playing tennis"
            least = min(len(e.words) for e in choice)
            choice = same if same and least > 1 else [e for e in choice if len(e.words) == least]
        row = self._rows.get(text)
        if row is None:
            return choice[0]
        likeness = self.vectors[[self._rows[" ".join(e.key)] for e in choice]] @ self.vectors[row]
        plain = torch.tensor([_PLAIN if " ".join(e.key) == e.value else 0.0 for e in choice])
        return choice[int((likeness + plain).argmax())]

    @cached_property
    def phrases(self) -> dict[Words, Label]:
        """Examples by their words."""
        return {
            tuple(w.split()): self.labels[i] for w, i in zip(self.words, self.examples.tolist(), strict=True) if i >= 0
        }

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words)}

    @cached_property
    def _groups(self) -> _Groups:
        examples = self.examples.numpy()
        other = self.labels.index(OTHER) if OTHER in self.labels else len(self.labels)
        rows = np.flatnonzero((examples >= 0) & (examples != other))
        rows = rows[np.argsort(examples[rows], kind="stable")]
        present, starts, counts = np.unique(examples[rows], return_index=True, return_counts=True)
        labels = tuple(self.labels[i] for i in present)
        return _Groups(labels, rows, starts, counts, np.flatnonzero(examples == other), self.vectors.numpy())


@lru_cache(maxsize=4)
def _load(path: Path) -> WordTable:
    try:
        tensors, meta = load_tensors(path, kind=KIND)
        words, labels = tuple(meta["words"]), tuple((f, v) for f, v in meta["labels"])
        raw, examples = tensors["vectors"], tensors["examples"].long()
    except (FileFormatError, KeyError, TypeError, ValueError) as error:
        raise ModelSourceError(
            f"cannot read the word table {path}: {error}; reinstall the package, or make it by tools/make_word_table.py"
        ) from None
    _check(path, words, labels, raw, examples)
    vectors = torch.nn.functional.normalize(raw.float(), dim=1)
    return WordTable(words, vectors, examples, labels)


def _check(path: Path, words: tuple[str, ...], labels: tuple[Label, ...], raw: Tensor, examples: Tensor) -> None:
    """Raise unless the parts fit together and every caption phrase is an example."""
    good = raw.dtype == torch.int8 and raw.dim() == 2 and raw.shape[1] > 0 and len(raw) == len(words)
    good = good and examples.shape == (len(words),) and set(map(type, words)) == {str}
    if not good or int(examples.max()) >= len(labels) or int(examples.min()) < -1:
        raise ModelSourceError(
            f"the word table {path} is damaged: its parts do not fit together; reinstall the package"
        )
    known = {w: labels[i] for w, i in zip(words, examples.tolist(), strict=True) if i >= 0}
    lacking = [" ".join(e.key) for e in entries() if known.get(" ".join(e.key)) != e.label]
    strange = set(labels) - {e.label for e in entries()} - {OTHER}
    if lacking or strange:
        what = f"lacks {lacking[0]!r}" if lacking else f"has the unknown label {min(strange)}"
        raise ModelSourceError(
            f"the word table {path} was made for other captions: it {what}; make it anew by tools/make_word_table.py"
        )
