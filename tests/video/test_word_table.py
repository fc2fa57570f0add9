"""The table of word vectors that ships: what it holds, and damaged ones that are refused."""

from __future__ import annotations

import pytest
import torch

from fourreal.core.storage import load_tensors, save_tensors
from fourreal.video.base import ModelSourceError
from fourreal.video.embedded.phrasebook import entries
from fourreal.video.embedded.word_table import KIND, WordTable

TABLE = WordTable.load()
SHIPPED = "src/fourreal/video/embedded/weights/words.safetensors"


def test_table_is_small_and_says_where_it_is_from():
    tensors, meta = load_tensors(SHIPPED, kind=KIND)
    assert tensors["vectors"].dtype == torch.int8
    assert "MiniLM" in meta["source"]
    assert "Apache-2.0" in meta["license"]


def _spoiled(path, change) -> None:
    tensors, meta = load_tensors(SHIPPED, kind=KIND)
    change(tensors, meta)
    save_tensors(path, tensors, {k: v for k, v in meta.items() if k != "kind"}, kind=KIND)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, m: t.update(vectors=t["vectors"][:-1].clone()), "do not fit"),
        (lambda t, m: t.update(vectors=t["vectors"].float()), "do not fit"),
        (lambda t, m: t.update(examples=t["examples"] + 999), "do not fit"),
        (lambda t, m: t.update(examples=torch.full_like(t["examples"], -1)), "other captions"),
        (lambda t, m: m["labels"].append(["subject", "unicorn"]), "other captions.*unicorn"),
        (lambda t, m: m.pop("words"), "cannot read"),
        (lambda t, m: t.pop("vectors"), "cannot read"),
    ],
)
def test_damaged_tables_are_refused(tmp_path, change, message):
    path = tmp_path / "words.safetensors"
    _spoiled(path, change)
    with pytest.raises(ModelSourceError, match=message):
        WordTable.load(path)


def test_missing_and_broken_tables_are_refused(tmp_path):
    with pytest.raises(ModelSourceError, match="does not exist"):
        WordTable.load(tmp_path / "no.safetensors")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"not a table")
    with pytest.raises(ModelSourceError, match="damaged"):
        WordTable.load(broken)


def test_every_caption_phrase_is_an_example():
    for entry in entries():
        assert TABLE.label(" ".join(entry.key)) == entry.label
