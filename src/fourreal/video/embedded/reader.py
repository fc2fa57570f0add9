"""Words of a prompt as units: phrases of captions, links between them, and what is not understood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .inflections import noun_forms, verb_forms
from .phrasebook import ARTICLES, FRAME, Entry, Words, bare, entries
from .views import views
from .word_table import OTHER, Label, WordTable


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DETERMINERS = ARTICLES | _words("this these those his her its their my our your some one")
_LINKS = {
    **{w: w for w in ("and", "beside", "in", "is", "near", "that", "wearing", "with")},
    **dict.fromkeys(_words("are was were be being been s"), "is"),
    **dict.fromkeys(_words("who which"), "that"),
    **dict.fromkeys(_words("wears wear wore dressed donning sporting"), "wearing"),
    **dict.fromkeys(_words("by alongside behind around"), "near"),
    **dict.fromkeys(_words("amid amidst among amongst between"), "among"),
    "like": "like",
    **dict.fromkeys(
        _words(
            "on at under over across through into onto inside along above below beneath underneath from to of for off "
            "against toward towards past upon within outside after before during about via without"
        ),
        "other",
    ),
}
_BESIDE_IT = Entry(FRAME, "company", ("beside", "it"), ("beside", "it"))
_LONG_LINKS: dict[Words, str] = {
    ("next", "to"): "next to",
    ("in", "front", "of"): "in front of",
    **{(verb, "like"): "like" for verb in ("look", "looks", "looked", "looking", "dressed", "shaped", "just")},
    **{(verb, "as"): "like" for verb in ("dressed", "disguised")},
}
_SILENT = _words(
    "he she it they him them i me we us you himself herself itself themselves there here has have had having do does "
    "did doing will would shall should can could may might must get gets getting got go goes going went gone make "
    "makes made let lets as while when where then than so or but not no yes if please show me take takes taking put "
    "puts up down out away back top middle front day time something very really just too also own dont doesnt "
    "isnt cant wont"
)
_NOUNS = frozenset({"subject", "item", "hat", "prop", "ground", "sky", "weather"})
_ALL = _NOUNS | {"color", "action"}
_SIZES = {"little": "little", "small": "little", "tiny": "little", "mini": "little", "baby": "baby", "young": "young"}


@dataclass(frozen=True)
class Unit:
    """A part of a prompt.

    Attributes:
        kind: "entry" for a phrase of captions, "size" for little, baby or young, "article", "link" for what joins two
            others, "unknown" for content that is not understood.
        source: as the user wrote it.
        entry: the phrase (a size that can be a noun has one too).
        link: of a link or size: the word that captions use for it, or "other" where they have none.
        mapped: whether the entry stands for another word than the user's.
        guessed: whether it only comes near that word, which no example is.
    """

    kind: Literal["entry", "size", "article", "link", "unknown"]
    source: str
    entry: Entry | None = None
    link: str = ""
    mapped: bool = False
    guessed: bool = False


class Reader:
    """Reads prompts by one word table."""

    def __init__(self, table: WordTable) -> None:
        self.table = table
        # phrases by their first word, each with its caption entry or the label of an example
        self._index: dict[str, dict[Words, Entry | Label]] = {}
        found: dict[Words, Entry | Label] = {**table.phrases, **{e.key: e for e in (*entries(), *views())}}
        for key, value in found.items():
            self._index.setdefault(key[0], {})[key] = value

    def units(self, words: Sequence[str]) -> list[Unit]:
        """The units of a prompt, in its order; words that say nothing are left out."""
        out, i = [], 0
        while i < len(words):
            noun = bool(out) and out[-1].kind in {"article", "link"} and out[-1].link not in {"and", "is", "that"}
            unit, used = self._unit(words, i, noun, _acting(out))
            if unit is not None:
                out.append(unit)
            i += used
        return out

    def _unit(self, words: Sequence[str], i: int, noun: bool, acting: bool) -> tuple[Unit | None, int]:
        """The unit that begins at word i, if it says anything, and the number of words it takes."""
        word = words[i]
        phrase, used = self._phrase(words, i, noun)
        for long, link in _LONG_LINKS.items():
            if tuple(words[i : i + len(long)]) == long and used <= len(long):
                return Unit("link", " ".join(long), link=link), len(long)
        if tuple(words[i : i + 2]) == _BESIDE_IT.words:
            return Unit("entry", "beside it", _BESIDE_IT), 2
        if word in _SIZES and used <= 1:
            return Unit("size", word, phrase.entry if phrase else None, _SIZES[word], word not in _SIZES.values()), 1
        if phrase is not None and (used > 1 or not self._is_function(word)):
            return phrase, used
        if word in _DETERMINERS:
            return Unit("article", word), 1
        if word in _LINKS:
            return Unit("link", word, link=_LINKS[word]), 1
        return (None if word in _SILENT or len(word) == 1 else self._guess(word, noun, acting)), 1

    def _is_function(self, word: str) -> bool:
        return word in _DETERMINERS or word in _LINKS or word in _SILENT

    def _phrase(self, words: Sequence[str], i: int, noun: bool) -> tuple[Unit | None, int]:
        """The longest phrase or example at word i, inflected or not; articles inside it may be there or not."""
        best, used, found = None, 0, ()
        for first in _forms(words[i], noun):
            for key, value in self._index.get(first, {}).items():
                length = _matches(key, words, i)
                if length > used:
                    best, used, found = value, length, key
        if best is None:
            return None, 0
        source = " ".join(words[i : i + used])
        if isinstance(best, Entry):
            return Unit("entry", source, best, mapped=best.factor == FRAME and best.key != bare(best.words)), used
        if best == OTHER:
            return Unit("unknown", source), used
        entry = self.table.closest_entry(" ".join(found), best)
        return Unit("entry", source, entry, mapped=entry.shown not in noun_forms(source)), used

    def _guess(self, word: str, noun: bool, acting: bool) -> Unit:
        """A word that is no example, by its neighbours; what follows an article, a preposition or a verb is no verb."""
        factors = {"action"} if word.endswith("ing") else _NOUNS if noun else _ALL - {"action"} if acting else _ALL
        label = self.table.nearest((word, *_forms(word, noun)), factors)
        if label is None:
            return Unit("unknown", word)
        return Unit("entry", word, self.table.closest_entry(word, label), mapped=True, guessed=True)


def _acting(units: Sequence[Unit]) -> bool:
    """Whether the last subject, if there is one, has its verb: what follows is no other without "and" or "that"."""
    for unit in reversed(units):
        if unit.link in {"and", "is", "that"} or (unit.entry is not None and unit.entry.factor == "subject"):
            return False
        if unit.entry is not None and unit.entry.factor == "action":
            return True
    return False


def _forms(word: str, noun: bool) -> tuple[str, ...]:
    """The word and what it may be an inflection of, likeliest first."""
    if word in _DETERMINERS or word in _LINKS or len(word) < 3:
        return (word,)
    nouns, verbs = noun_forms(word), verb_forms(word)
    if noun:
        return (word, *nouns, *(() if word.endswith("s") else verbs))
    return (word, *verbs, *nouns)


def _matches(key: Words, words: Sequence[str], i: int) -> int:
    """How many words from i on the rest of `key` takes (its first is known to fit); 0 if it does not fit."""
    at = i + 1
    for wanted in key[1:]:
        while at < len(words) and words[at] in _DETERMINERS and words[at] != wanted:
            at += 1
        if at >= len(words) or not (words[at] == wanted or wanted in noun_forms(words[at])):
            return 0
        at += 1
    return at - i


def as_noun(unit: Unit) -> Unit:
    """A size that describes nothing, as the noun that it can be, or as unknown: "a baby crawling"."""
    return replace(unit, kind="unknown") if unit.entry is None else replace(unit, kind="entry", link="")
