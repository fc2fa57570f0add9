"""The phrases of captions as entries to look up: what people write for them and what to feed the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from fourreal.worlds.actions import ACTIONS
from fourreal.worlds.props import SCENERY
from fourreal.worlds.words import Concept, concepts, split_words

ARTICLES = frozenset({"a", "an", "the"})
FRAME = "frame"  # stands for the factor of "a video of" and "beside it", which say nothing by themselves
_LEADS = (("in", "front", "of"), ("in",), ("on",), ("at",), ("under",), ("while",), ("it",))
_LIGHT = frozenset({"taking", "having", "doing", "playing", "making", "watching", "racing", "enjoying"})

Words = tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """A phrase of captions.

    Attributes:
        factor, value: the label it stands for, or `FRAME` and a name.
        key: the words to look it up by, without articles.
        words: the words to feed the network, articles and prepositions of its own included.
        article: whether captions put "a" or "an" before it.
    """

    factor: str
    value: str
    key: Words
    words: Words
    article: bool = False

    @property
    def shown(self) -> str:
        """Its name in a report: "sunset" for "at sunset"."""
        return " ".join(_core(self.words) if self.factor in {"ground", "sky", "weather"} else self.words)

    @property
    def label(self) -> tuple[str, str]:
        """The label it stands for."""
        return self.factor, self.value


@lru_cache(maxsize=1)
def entries() -> tuple[Entry, ...]:
    """Every way to name every label, best first; a key that could mean two labels is there once, for the first."""
    found: dict[Words, Entry] = {}
    for concept in concepts():
        for entry in _of(concept):
            found.setdefault(entry.key, entry)
    return tuple(found.values())


@lru_cache(maxsize=1)
def with_things() -> dict[tuple[str, str], Words]:
    """The phrase for an action with a thing, by label values: (eating, apple) gives "eating an apple"."""
    out: dict[tuple[str, str], Words] = {}
    things = {c.value: c.phrases for c in concepts() if c.factor == "item"}
    doings = {c.value: c.phrases for c in concepts() if c.factor == "action"}
    for action in ACTIONS:
        phrases = doings[action.name]
        for item in action.items:
            fitting = [p for p in phrases for t in things[item] if p[-len(t) :] == t]
            out[action.name, item] = (fitting or list(phrases))[0]
    return out


def bare(words: Sequence[str]) -> Words:
    """The words without articles."""
    return tuple(w for w in words if w not in ARTICLES)


def _core(words: Words) -> Words:
    """A place, time or weather without the preposition before it."""
    rest, trimmed = words, True
    while trimmed:
        trimmed = False
        for lead in (*_LEADS, *((a,) for a in ARTICLES)):
            if rest[: len(lead)] == lead and len(rest) > len(lead):
                rest, trimmed = rest[len(lead) :], True
    return rest


def _of(concept: Concept) -> list[Entry]:
    factor, value = concept.factor, concept.value
    one = {p.name for p in SCENERY if p.many == 1 and p.name != "balloons"}
    article = factor in {"subject", "item", "hat"} or (factor == "prop" and value in one)
    out = [Entry(factor, value, bare(p), p, article) for p in concept.phrases]
    if factor in {"ground", "sky", "weather"}:
        out += [Entry(factor, value, bare(_core(p)), p) for p in concept.phrases]
    if factor == "action":
        out += _heads(concept)
    if factor == "action" or value == "day":  # these names are no words for it
        return out
    return [*out, Entry(factor, value, tuple(split_words(value)), out[0].words, article)]


def _heads(concept: Concept) -> list[Entry]:
    """The verbs alone, where they tell the action: "reading" for "reading a book"."""
    out = []
    for phrase in concept.phrases:
        verb = phrase[0]
        if verb in _LIGHT or len(phrase) == 1:
            continue
        words = (verb,) if concept.value == "eating" else phrase  # which food is for the prompt to say
        out.append(Entry("action", concept.value, (verb,), words))
    return out
