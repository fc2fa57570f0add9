"""Units of a prompt as one sentence in the grammar of captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fourreal.worlds.captions import CLOTHED

from .abilities import fitted
from .phrasebook import FRAME, Entry, Words, with_things
from .reader import Unit, as_noun

MOST_WORDS = 40
_COMPANY = ("and", "beside", "near", "next to", "with")
_BESIDE_ONE = ("beside", "near", "next to")
_BESIDE_MANY = ("among", "in front of", "near")
_SIZES = frozenset({"little", "baby", "young"})
_PEOPLE = frozenset({"person", "girl"})
_VEHICLES = frozenset({"airplane", "boat", "bus", "car", "rocket", "train", "truck"})
_KEEPERS = frozenset(
    {"breeder", "farmer", "groomer", "keeper", "lover", "owner", "rider", "tamer", "trainer", "walker"}
)
_YOUNG = frozenset({"puppy", "pup", "kitten", "kitty", "foal", "calf", "lamb", "piglet", "duckling"})


@dataclass
class _Part:
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

    def rendered(self) -> Words:
        """All its words."""
        entry = self.entry
        if entry is None or entry.factor != "subject":
            return (*self.before, *self.words)
        clothed = bool(self.color) and entry.value in CLOTHED  # the colour is that of the clothes, as in captions
        noun = [w for w in ("" if clothed else self.color, self.size) if w] + list(self.words)
        return (*self.before, *_with_article(tuple(noun)), *(("in", self.color) if clothed else ()))


@dataclass(frozen=True)
class Sentence:
    """What a prompt comes to.

    Attributes:
        words: in the grammar of captions, at most `MOST_WORDS`.
        mapped: pairs of what the user wrote and the phrase that stands for it.
        ignored: content that is not understood or has no place.
    """

    words: Words
    mapped: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]


@dataclass
class _Composer:
    units: list[Unit]
    parts: list[_Part] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    dropped: list[Unit] = field(default_factory=list)
    colors: list[Unit] = field(default_factory=list)
    sizes: list[Unit] = field(default_factory=list)
    doing: list[Unit] = field(default_factory=list)

    def run(self) -> None:
        """Take every unit in turn, but not what somebody is only likened to: "dancing like a rock star"."""
        likened = False
        for i, unit in enumerate(self.units):
            entry = unit.entry
            likened = (likened and self._goes_on(unit)) or (unit.link == "like" and bool(self._subjects()))
            if likened:
                self.dropped += [unit] if unit.kind not in {"article", "link"} else []
            elif unit.kind == "link":
                self.links.append(unit.link)
            elif unit.kind == "unknown":
                self.dropped.append(unit)
            elif unit.kind == "size":
                self._size(i, unit)
            elif entry is not None:
                self._entry(i, unit, entry)

    def _subjects(self) -> list[_Part]:
        return [p for p in self.parts if p.entry is not None and p.entry.factor == "subject"]

    def _goes_on(self, unit: Unit) -> bool:
        """Whether a comparison goes on with the unit: to a preposition, or a verb where the sentence has none."""
        if unit.kind == "link":
            return unit.link in {"like", "is", "and", "that"}
        if unit.entry is not None and unit.entry.factor in {"ground", "sky", "weather"} and " " in unit.source:
            return False  # "in the rain" is one phrase
        acting = any(p.entry is not None and p.entry.factor == "action" for p in self.parts)
        return acting or unit.entry is None or unit.entry.factor != "action"

    def finish(self) -> None:
        """Say alone what has nothing to describe: a verb always, a colour where the prompt says nothing else."""
        alone = [*self.doing, *(() if self.parts or self.doing else self.colors)]
        self.parts += [_Part([unit], _words_of(unit)) for unit in alone]
        self.dropped += [u for u in (*self.colors, *self.sizes) if u not in alone]
        self._forget()
        self._fit_verbs()

    def _fit_verbs(self) -> None:
        """Have every subject do what its body can do."""
        who = next((p.entry.value for p in self._subjects() if p.entry), "")
        for part in list(self.parts):
            if part.entry is not None and part.entry.factor == "subject":
                who = part.entry.value
            elif part.entry is not None and part.entry.factor == "action" and who:
                self._fit_verb(part, who)

    def _fit_verb(self, part: _Part, who: str) -> None:
        said, *things = part.units
        unit = fitted(said, who)
        if unit is said:
            return
        if unit is None:
            self.parts.remove(part)
            self.dropped += part.units
            return
        self._swap(said, unit)
        same = unit.entry is not None and said.entry is not None and unit.entry.label == said.entry.label
        part.units, part.words = [unit, *(things if same else ())], _words_of(unit)
        self.dropped += [] if same else things

    def _swap(self, old: Unit, new: Unit) -> None:
        """Put `new` where `old` is, so that reports keep the prompt's order."""
        self.units[next(i for i, u in enumerate(self.units) if u is old)] = new

    def _entry(self, i: int, unit: Unit, entry: Entry) -> None:
        if entry.factor == "subject":
            self._subject(i, unit, entry)
        elif entry.factor == "color":
            self._color(i, unit)
        elif entry.factor == "action":
            self._action(i, unit, entry)
        elif entry.factor == "item":
            self._item(unit, entry)
        else:
            self._detail(unit, entry)

    def _entry_at(self, i: int, factor: str) -> Entry | None:
        """The phrase of unit i, if that is one of `factor`."""
        entry = self.units[i].entry if 0 <= i < len(self.units) else None
        return entry if entry is not None and entry.factor == factor else None

    def _describes(self, i: int) -> bool:
        """Whether the unit stands before a subject that it can describe."""
        for unit in self.units[i + 1 :]:
            if unit.kind == "entry" and unit.entry is not None and unit.entry.factor not in {"color", "action"}:
                return unit.entry.factor == "subject"
            if unit.kind == "article" or (unit.kind == "link" and unit.link != "and"):
                return False
        return False

    def _begins(self, i: int) -> bool:
        """Whether the unit stands at the beginning of a noun and what describes it, not behind a noun."""
        before = next((u for u in reversed(self.units[:i]) if u.kind != "unknown"), None)
        if before is None or before.kind in {"article", "size"}:
            return True
        if before.entry is not None:
            return before.entry.factor == "color"
        return before.link != "is"

    def _size(self, i: int, unit: Unit) -> None:
        if self._describes(i):
            (self.dropped if self.sizes else self.sizes).append(unit)
            return
        noun = as_noun(unit)
        if noun.entry is None:
            self.dropped.append(noun)
        else:
            self._entry(i, noun, noun.entry)

    def _color(self, i: int, unit: Unit) -> None:
        after = self.units[i + 1].entry if i + 1 < len(self.units) else None
        last = next((p for p in reversed(self.parts) if p.entry and p.entry.factor == "subject"), None)
        if self._describes(i) or (last is None and i + 1 == len(self.units)):
            (self.dropped if self.colors else self.colors).append(unit)
        elif last is None or last.color or (after is not None and after.factor != "action"):
            self.dropped.append(unit)  # it describes a thing, and captions have no colours for things
        else:  # "a fox that is red", "a girl in a red dress"
            last.color = _words_of(unit)[0]
            last.units.append(unit)
            self.links.clear()

    def _subject(self, i: int, unit: Unit, entry: Entry) -> None:
        after, before = self._entry_at(i + 1, "subject"), self._entry_at(i - 1, "subject")
        if before is not None and before.label != entry.label:
            if entry.words[-1] in _YOUNG:
                return  # "a corgi puppy"
            if self._is_trade(i):
                self.dropped.append(unit)
                return
        trade = after is not None and self._is_trade(i + 1)
        if after is not None and not trade and (after.label == entry.label or after.words[-1] not in _YOUNG):
            if after.label != entry.label:  # the first of two nouns describes the second: "a robot dog"
                self.dropped.append(unit)
            return
        others = bool(self._subjects())
        if others and self._rides(unit, entry):
            return
        if others and not self.links and self.parts[-1].entry and self.parts[-1].entry.label == entry.label:
            return
        link = next((w for w in reversed(self.links) if w in _COMPANY), "next to") if others else ""
        color = _words_of(self.colors[0])[0] if self.colors else ""
        told = entry.words[0] in _SIZES  # "tiny baby dragon"
        size = self.sizes[0].link if self.sizes and not told else ""
        units = [unit, *self.colors, *(self.sizes if size else ())]
        self.parts.append(_Part(units, entry.words, tuple(link.split()), color, size))
        for action in self.doing:
            self.parts.append(_Part([action], _words_of(action)))
        self._forget()

    def _rides(self, unit: Unit, entry: Entry) -> bool:
        """Whether the subject is a vehicle that is driven: captions know karts. Nobody in them rides an animal."""
        last = self.parts[-1]
        if last.entry is None or last.entry.value != "driving" or any(w in _COMPANY for w in self.links):
            return False
        if entry.value not in _VEHICLES:
            self.parts.remove(last)
            self.dropped += last.units
            return False
        kart = replace(last.entry, words=with_things()["driving", "kart"])
        driven = replace(unit, entry=kart, mapped=True)
        self._swap(unit, driven)
        last.words = kart.words
        last.units.append(driven)
        self._forget()
        return True

    def _is_trade(self, i: int) -> bool:
        """Whether noun i only says what the known subject before it does for a living: "a robot waiter"."""
        before, noun = self.units[i - 1], self.units[i]
        if before.entry is None or noun.entry is None or before.mapped or not noun.mapped:
            return False
        people = noun.entry.value in _PEOPLE and before.entry.value not in _PEOPLE | _VEHICLES
        return people and noun.source.removesuffix("s") not in _KEEPERS

    def _action(self, i: int, unit: Unit, entry: Entry) -> None:
        last = self.parts[-1].entry if self.parts else None
        if self._begins(i) and self._describes(i):  # "a dancing panda"
            self.doing.append(unit)
            return
        if last is not None and last.factor == "action" and "and" not in self.links:
            guessed = self.parts[-1].units[0]
            if guessed.mapped and not unit.mapped:  # "serving drinks": the known of two verbs
                self.dropped.append(guessed)
                self.parts[-1].units[0], self.parts[-1].words = unit, entry.words
                self._forget()
                return
        if last is None or last.label != entry.label:
            verb = ("is",) if "is" in self.links and last is not None and last.factor in {"subject", "hat"} else ()
            joined = ("and",) if "and" in self.links and last is not None and last.factor == "action" else ()
            that = ("that",) if verb and "that" in self.links else ()
            self.parts.append(_Part([unit], entry.words, (*joined, *that, *verb)))
        self._forget()

    def _item(self, unit: Unit, entry: Entry) -> None:
        """A thing joins the action that it is used for, and brings its own where there is none."""
        last = self.parts[-1] if self.parts else None
        if last is not None and last.entry is not None and last.entry.factor == "action":
            fitting = _doing_with(last.units[0], last.entry, entry)
            if fitting:
                if last.words != fitting and last.units[0].source.startswith("play"):
                    last.units[0] = replace(last.units[0], mapped=False)  # the thing told which playing was meant
                last.words = fitting
                last.units.append(unit)
                self._forget()
                return
        words = ("with", *_with_article(entry.words))
        acting = any(u.entry is not None and u.entry.factor == "action" for u in self.units)
        if not acting:
            words = next(w for (_, item), w in with_things().items() if item == entry.value)
        self.parts.append(_Part([unit], words))
        self._forget()

    def _detail(self, unit: Unit, entry: Entry) -> None:
        """Places, times, weathers, scenery and hats: each once, in the captions' own form."""
        if not any(p.entry is not None and p.entry.label == entry.label for p in self.parts):
            words, before = entry.words, ()
            if entry.factor == "hat":
                words, before = _with_article(words), ("wearing",)
            elif entry.factor == "prop":
                fitting = _BESIDE_ONE if entry.article or entry.value == "balloons" else _BESIDE_MANY
                before = tuple(next((w for w in reversed(self.links) if w in fitting), "near").split())
                words = _with_article(words) if entry.article else words
            self.parts.append(_Part([unit], words, before))
        self._forget()

    def _forget(self) -> None:
        """Drop what waited for the part just added."""
        self.links, self.colors, self.sizes, self.doing = [], [], [], []


def compose(units: Sequence[Unit]) -> Sentence:
    """The sentence for a prompt's units: their order is kept, but a verb before its noun goes behind it.

    Subjects get an article, places, times and weathers the captions' prepositions, things the action that they are for.
    Words are empty if no unit is understood.
    """
    composer = _Composer(list(units))
    composer.run()
    composer.finish()
    if all(part.entry is not None and part.entry.factor == FRAME for part in composer.parts):
        composer.parts.clear()
    words: list[str] = []
    said: list[Unit] = []
    dropped = list(composer.dropped)
    for part in composer.parts:
        more = part.rendered()
        if len(words) + len(more) <= MOST_WORDS:
            words += more
            said += part.units
        else:
            dropped += part.units
    order = {id(u): i for i, u in enumerate(composer.units)}
    mapped = [(u.source, u.link or (u.entry.shown if u.entry else "")) for u in _in_order(said, order) if u.mapped]
    ignored = [u.source for u in _in_order(dropped, order)]
    return Sentence(tuple(words), tuple(dict.fromkeys(mapped)), tuple(dict.fromkeys(ignored)))


def _in_order(units: Sequence[Unit], order: dict[int, int]) -> list[Unit]:
    return sorted(units, key=lambda u: order.get(id(u), len(order)))


def _words_of(unit: Unit) -> Words:
    return () if unit.entry is None else unit.entry.words


def _doing_with(verb: Unit, action: Entry, item: Entry) -> Words:
    """The phrase for an action with a thing that the prompt names after it; empty if they do not go together."""
    table = with_things()
    same = action.words if action.value == "throwing" else table.get((action.value, item.value), ())
    if same or not verb.source.startswith("play"):
        return same
    return next((w for (_, value), w in table.items() if value == item.value and w[0] == "playing"), ())


def _with_article(words: Words) -> Words:
    return ("an" if words[0][0] in "aeiou" else "a", *words)
