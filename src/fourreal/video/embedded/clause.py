"""Words of a sentence that stay together."""

from __future__ import annotations

from dataclasses import dataclass

from fourreal.worlds.captions import CLOTHED

from .phrasebook import Entry, Words
from .reader import Unit


@dataclass
class Part:
    """Words of the sentence that stay together.

    Attributes:
        units: the units it says.
        words: as fed to the network; of a subject: the noun.
        before: what links it to the sentence before it.
        color, size: of a subject.
    """

    units: list[Unit]
    words: Words
    before: Words = ()
    color: str = ""
    size: str = ""

    @property
    def entry(self) -> Entry | None:
        """The first unit's phrase."""
        return self.units[0].entry

    @property
    def label(self) -> tuple[str, str]:
        """The label of that phrase."""
        return ("", "") if self.entry is None else self.entry.label

    def rendered(self) -> Words:
        """All its words."""
        entry = self.entry
        if entry is None or entry.factor != "subject":
            return (*self.before, *self.words)
        clothed = bool(self.color) and entry.value in CLOTHED  # the colour is that of the clothes, as in captions
        noun = [w for w in ("" if clothed else self.color, self.size) if w] + list(self.words)
        return (*self.before, *with_article(tuple(noun)), *(("in", self.color) if clothed else ()))


def words_of(unit: Unit) -> Words:
    """What the unit's phrase feeds to the network; nothing if it has none."""
    return () if unit.entry is None else unit.entry.words


def with_article(words: Words) -> Words:
    """A noun as captions name it first."""
    return ("an" if words[0][0] in "aeiou" else "a", *words)
