"""The words of captions."""

from __future__ import annotations

import pytest

from fourreal.worlds import FACTORS, Concept, caption_words, captions, concepts, label_names, sample_worlds, split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A fox's go-kart, in 3D!", ["a", "foxs", "go", "kart", "in", "3d"]),
        ("  snake_case\tand\nlines. ", ["snake", "case", "and", "lines"]),
        ("Ein süßer Fuchs — ﬁn", ["ein", "süßer", "fuchs", "fin"]),
        ("cafe\u0301", ["café"]),
        ("… !? '’", []),
        ("", []),
    ],
)
def test_split_words(text, words):
    assert split_words(text) == words


def test_captions_use_only_caption_words():
    worlds = sample_worlds(range(600))
    known, seen = set(caption_words()), set()
    for variant, omit in ((0, 0.0), (1, 0.0), (2, 0.3), (7, 0.8)):
        for text in captions(worlds, variant=variant, omit=omit):
            seen.update(split_words(text))
    assert seen <= known
    assert len(known - seen) < 0.1 * len(known)  # and they do use nearly all of them
    assert list(caption_words()) == sorted(known)


def test_concepts_cover_every_label_that_captions_name():
    found = {(c.factor, c.value) for c in concepts()}
    silent = {("color", "natural"), ("item", "none"), ("hat", "none"), ("prop", "none"), ("weather", "clear")}
    factors = [f for f in FACTORS if not f.startswith("second")]
    assert found == {(f, v) for f in factors for v in FACTORS[f]} - silent
    assert all(c.phrases and all(c.phrases) for c in concepts())
    known = set(caption_words())
    assert {w for c in concepts() for p in c.phrases for w in p} <= known


def test_concepts_hold_the_phrases_of_captions():
    by_name = {(c.factor, c.value): c for c in concepts()}
    assert by_name["subject", "panda"] == Concept(
        "subject", "panda", (("panda",), ("panda", "bear"), ("baby", "panda"))
    )
    assert by_name["color", "gray"].phrases == (("gray",), ("grey",))
    assert ("eating", "an", "apple") in by_name["action", "eating"].phrases
    assert ("driving",) in by_name["action", "driving"].phrases
    assert by_name["prop", "bush"].phrases == (("bushes",), ("flowering", "bushes"))
    assert ("at", "sunset") in by_name["sky", "sunset"].phrases


def test_every_caption_contains_a_phrase_of_each_label():
    worlds = sample_worlds(range(200))
    by_name = {(c.factor, c.value): c for c in concepts()}
    for text, labels in zip(captions(worlds), label_names(worlds), strict=True):
        sentence = f" {' '.join(split_words(text))} "
        for factor in ("subject", "color", "hat", "prop", "ground", "sky", "weather"):
            concept = by_name.get((factor, labels[factor]))
            if concept is not None:
                assert any(f" {' '.join(p)} " in sentence for p in concept.phrases), (text, concept)
