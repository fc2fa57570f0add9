"""Seeds, labels and captions."""

from __future__ import annotations

import pytest
import torch

from fourreal.worlds import FACTORS, LabelError, Worlds, actions_of, captions, items_of, label_names, sample_worlds
from fourreal.worlds.actions import ACTIONS
from fourreal.worlds.looks import GROUNDS, SKIES, WEATHER_WORDS
from fourreal.worlds.model import POOLS
from fourreal.worlds.props import HELD, SCENERY, WORN
from fourreal.worlds.subjects import SUBJECTS


def _same(a: Worlds, b: Worlds) -> bool:
    parts = ("slots", "rig", "surroundings", "view")
    return all(
        torch.equal(getattr(getattr(a, p), f), getattr(getattr(b, p), f)) for p in parts for f in vars(getattr(a, p))
    ) and all(torch.equal(a.labels[k], b.labels[k]) for k in FACTORS)


def test_vocabulary_is_large_enough():
    least = {"subject": 24, "action": 16, "color": 12, "ground": 8, "sky": 6, "prop": 9, "weather": 4}
    assert all(len(FACTORS[k]) >= n and len(set(FACTORS[k])) == len(FACTORS[k]) for k, n in least.items())
    wanted = (
        "panda bear fox dog cat rabbit horse elephant giraffe zebra tiger cow pig goat penguin duck owl turtle fish "
        "dolphin frog mouse dinosaur dragon robot person astronaut car truck boat airplane"
    )
    assert set(wanted.split()) <= set(FACTORS["subject"])


def test_same_seed_same_world_whatever_the_batch():
    seeds = [5, 0, 77, -3, 2**40, 12]
    batch = sample_worlds(seeds)
    for i, seed in enumerate(seeds):
        assert _same(sample_worlds([seed]), batch[i : i + 1])
    assert not _same(sample_worlds([6]), batch[:1])


def test_seeds_cover_the_vocabulary_and_stay_consistent():
    worlds = sample_worlds(range(1000))
    for factor, names in FACTORS.items():
        seen = set(worlds.labels[factor].tolist())
        least = 0.55 if factor == "second_action" else 0.9  # the second subject holds nothing
        assert len(seen) >= least * len(names), factor
    share = float((worlds.labels["second"] > 0).float().mean())
    assert 0.15 < share < 0.4
    for names in label_names(worlds[:300]):
        assert names["action"] in actions_of(names["subject"])
        wants = items_of(names["action"])
        assert names["item"] in (wants if wants and names["item"] != "none" else ("none",))


def test_every_part_finds_a_slot():
    worlds = sample_worlds(range(150))
    counts = {s.name: len(s.parts) for s in SUBJECTS}
    for i, names in enumerate(label_names(worlds)):
        owner = worlds.slots.owner[i]
        hat = next((len(p.parts) for p in WORN if p.name == names["hat"]), 0)
        assert int((owner == 1).sum()) == counts[names["subject"]] + hat
        assert int((owner == 2).sum()) == counts.get(names["second"], 0)
    assert worlds.slots.center.shape[1] == sum(POOLS)


def test_labels_can_be_fixed():
    worlds = sample_worlds(range(20), labels={"subject": "fox", "action": ["jumping", "reading"] * 10, "sky": "night"})
    for i, names in enumerate(label_names(worlds)):
        assert (names["subject"], names["action"], names["sky"]) == ("fox", ["jumping", "reading"][i % 2], "night")
        assert names["item"] == ("book" if i % 2 else "none")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"subject": "foxx"}, "did you mean 'fox'"),
        ({"subjct": "fox"}, "did you mean 'subject'"),
        ({"subject": "car", "action": "reading"}, "it can do: standing"),
        ({"subject": ["fox", "cat"]}, "one name or 3 names"),
    ],
)
def test_wrong_labels_are_explained(labels, message):
    with pytest.raises(LabelError, match=message):
        sample_worlds(range(3), labels=labels)


def _mentions(text: str, words: tuple[str, ...]) -> bool:
    return any(w.split("{")[0].strip().lower() in text for w in words)


def test_captions_tell_the_labels():
    worlds = sample_worlds(range(300))
    for text, names in zip(captions(worlds), label_names(worlds), strict=True):
        low = text.lower().replace("grey", "gray").replace("violet", "purple").replace("stacks of", "stack of")
        subject = next(s for s in SUBJECTS if s.name == names["subject"])
        assert _mentions(low, (subject.name, *subject.words)), text
        if names["color"] != "natural":
            assert names["color"].removesuffix("en") in low, text
        if names["action"] not in {"standing", "driving"}:
            assert _mentions(low, next(a.words for a in ACTIONS if a.name == names["action"])), text
        for factor, things in (("ground", GROUNDS), ("sky", SKIES), ("prop", SCENERY), ("item", HELD), ("hat", WORN)):
            thing = next((t for t in things if t.name == names[factor]), None)
            if thing is not None and names["action"] not in {
                "drinking",
                "throwing",
                "singing",
                "playing a videogame",
                "watching a movie",
                "driving",
            }:
                assert _mentions(low.replace("cactuses", "cactus"), (*thing.words, thing.name)), (factor, text)
        if names["weather"] != "clear":
            assert _mentions(low, WEATHER_WORDS[names["weather"]]), text
        if names["second"] != "none":
            other = next(s for s in SUBJECTS if s.name == names["second"])
            assert _mentions(low, (other.name, *other.words)), text


def test_the_longest_captions_have_words_enough():
    all_of_it = {
        "hat": "crown",
        "second": "duck",
        "prop": "rock",
        "weather": "rain",
        "color": "gray",
        "second_color": "golden",
    }
    for variant in range(4):
        for text in captions(sample_worlds(range(60), labels=all_of_it), variant=variant):
            assert "crown" in text
            assert "gold" in text


def test_captions_vary_and_repeat():
    worlds = sample_worlds(range(40))
    assert captions(worlds) == captions(worlds)
    assert sum(a != b for a, b in zip(captions(worlds), captions(worlds, variant=1), strict=True)) > 30
    short, full = captions(worlds, omit=0.9), captions(worlds)
    assert sum(map(len, short)) < 0.8 * sum(map(len, full))
    assert not any("{" in c or "  " in c for c in full)
