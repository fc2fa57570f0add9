"""The words of captions: how text splits into them, which there are, and which label each phrase stands for."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from .actions import ACTIONS
from .captions import BESIDE_MANY, BESIDE_ONE, COLOR_WORDS, COMPANY, FUNCTION_WORDS, OPENINGS, plural, with_item
from .facing import SIDES, WAYS
from .looks import COLORS, GROUNDS, SKIES, WEATHER_WORDS
from .motion import Action
from .props import HELD, SCENERY, WORN
from .subjects import SUBJECTS

_WORD = re.compile(r"[^\W_]+")
_APOSTROPHES = str.maketrans("", "", "'’‘ʼ`")


@dataclass(frozen=True)
class Concept:
    """A value of a label factor and what captions call it.

    Attributes:
        factor: subject, color, action, item, hat, prop, ground, sky or weather. The second subject uses the same words.
        value: name of the label.
        phrases: word sequences as `split_words` gives them: nouns without article, places, times and weathers with
            their preposition, actions with the thing that they use.
    """

    factor: str
    value: str
    phrases: tuple[tuple[str, ...], ...]


def split_words(text: str) -> list[str]:
    """Lower-case runs of letters and digits; apostrophes are dropped, everything else separates.

    "A fox's go-kart, in 3D!" gives a, foxs, go, kart, in, 3d.
    """
    plain = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES)
    return _WORD.findall(plain.lower())


@lru_cache(maxsize=1)
def caption_words() -> tuple[str, ...]:
    """Every word that `captions` can produce, sorted."""
    grammar = (*FUNCTION_WORDS, *OPENINGS, *BESIDE_ONE, *BESIDE_MANY, *COMPANY, *WAYS, *SIDES)
    words = {w for text in grammar for w in split_words(text)}
    words |= {w for concept in concepts() for phrase in concept.phrases for w in phrase}
    return tuple(sorted(words))


@lru_cache(maxsize=1)
def concepts() -> tuple[Concept, ...]:
    """What captions call every label, in the order of `FACTORS`.

    Values that captions pass over (the natural colour, clear weather, no hat) are left out.
    """
    return (
        *(_concept("subject", s.name, (s.name, *s.words)) for s in SUBJECTS),
        *(_concept("color", c, COLOR_WORDS.get(c, (c,))) for c in COLORS if c != "natural"),
        *(_concept("action", a.name, _doings(a)) for a in ACTIONS),
        *(_concept("item", p.name, p.words) for p in HELD),
        *(_concept("hat", p.name, p.words) for p in WORN),
        *(_concept("prop", p.name, tuple(w if p.many == 1 else plural(w) for w in p.words)) for p in SCENERY),
        *(_concept("ground", g.name, g.words) for g in GROUNDS),
        *(_concept("sky", s.name, s.words) for s in SKIES),
        *(_concept("weather", w, words) for w, words in WEATHER_WORDS.items() if any(words)),
    )


def _concept(factor: str, value: str, texts: tuple[str, ...]) -> Concept:
    phrases = dict.fromkeys(tuple(split_words(t)) for t in texts)
    return Concept(factor, value, tuple(phrases))


def _doings(action: Action) -> tuple[str, ...]:
    """All texts for an action, with each thing that it can use; vehicles drive without one."""
    things = [w for p in HELD if p.name in action.items for w in p.words] or ["thing"]
    texts = [with_item(action.name, w, t) if "{item}" in w else w for w in action.words for t in things]
    return (*texts, "driving") if action.name == "driving" else tuple(texts)
