"""Units of a prompt as one sentence in the grammar of captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .abilities import fitted
from .clause import Part, with_article, words_of
from .phrasebook import FRAME, Entry, Words, with_things
from .reader import Unit, as_noun
from .views import SIDE, WAY, other_side

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
    apart: tuple[Words, ...] = ()
    parts: list[Part] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    dropped: list[Unit] = field(default_factory=list)
    colors: list[Unit] = field(default_factory=list)
    sizes: list[Unit] = field(default_factory=list)
    doing: list[Unit] = field(default_factory=list)
    places: list[Unit] = field(default_factory=list)

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

    def _subjects(self) -> list[Part]:
        return [p for p in self.parts if p.label[0] == "subject"]

    def _goes_on(self, unit: Unit) -> bool:
        """Whether a comparison goes on with the unit: to a preposition, or a verb where the sentence has none."""
        if unit.kind == "link":
            return unit.link in {"like", "is", "and", "that"}
        if unit.entry is not None and unit.entry.factor in {"ground", "sky", "weather"} and " " in unit.source:
            return False  # "in the rain" is one phrase
        acting = any(p.label[0] == "action" for p in self.parts)
        return acting or unit.entry is None or unit.entry.factor != "action"

    def finish(self) -> None:
        """Say alone what has nothing to describe: a verb always, a colour where the prompt says nothing else."""
        alone = [*self.doing, *(() if self.parts or self.doing else self.colors)]
        self.parts += [Part([unit], words_of(unit)) for unit in alone]
        self.dropped += [u for u in (*self.colors, *self.sizes) if u not in alone]
        self._forget()
        self._fit_verbs()
        self._stand()

    def _fit_verbs(self) -> None:
        """Have every subject do what its body can do."""
        who = next((p.entry.value for p in self._subjects() if p.entry), "")
        for part in list(self.parts):
            if part.entry is not None and part.entry.factor == "subject":
                who = part.entry.value
            elif part.entry is not None and part.entry.factor == "action" and who:
                self._fit_verb(part, who)

    def _fit_verb(self, part: Part, who: str) -> None:
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
        part.units, part.words = [unit, *(things if same else ())], words_of(unit)
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
        elif entry.label == SIDE:
            self._place(unit)
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
        elif last is None or last.color or (after is not None and after.factor not in {"action", FRAME}):
            self.dropped.append(unit)  # it describes a thing, and captions have no colours for things
        else:  # "a fox that is red", "a girl in a red dress"
            last.color = words_of(unit)[0]
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
        color = words_of(self.colors[0])[0] if self.colors else ""
        told = entry.words[0] in _SIZES  # "tiny baby dragon"
        size = self.sizes[0].link if self.sizes and not told else ""
        units = [unit, *self.colors, *(self.sizes if size else ())]
        self.parts.append(Part(units, entry.words, tuple(link.split()), color, size))
        self.parts += [Part([place], words_of(place)) for place in self.places]
        for action in self.doing:
            self.parts.append(Part([action], words_of(action)))
        self.places = []
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
            named = last is not None and (last.factor in {"subject", "hat"} or last.label == SIDE)
            verb = ("is",) if "is" in self.links and named else ()
            joined = ("and",) if "and" in self.links and last is not None and last.factor == "action" else ()
            that = ("that",) if verb and "that" in self.links else ()
            self.parts.append(Part([unit], entry.words, (*joined, *that, *verb)))
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
        words = ("with", *with_article(entry.words))
        acting = any(u.entry is not None and u.entry.factor == "action" for u in self.units)
        if not acting:
            words = next(w for (_, item), w in with_things().items() if item == entry.value)
        self.parts.append(Part([unit], words))
        self._forget()

    def _place(self, unit: Unit) -> None:
        """Where the subject before stands, or the one to come: "on the left a cat and on the right a dog"."""
        if not self._subjects() or "and" in self.links:
            (self.dropped if self.places else self.places).append(unit)
            return
        at = self._behind(self._subjects()[-1])
        if at < len(self.parts) and self.parts[at].label == SIDE:
            self.dropped.append(unit)
        else:
            self.parts.insert(at, Part([unit], words_of(unit)))
        self._forget()

    def _behind(self, subject: Part) -> int:
        """Where a word about the subject has its place: behind its name and what it wears."""
        at = 1 + next(i for i, p in enumerate(self.parts) if p is subject)
        while at < len(self.parts) and self.parts[at].label[0] == "hat":
            at += 1
        return at

    def _stand(self) -> None:
        """Say where both of two subjects stand, and of others nothing."""
        self.dropped += self.places
        found = [p for p in self.parts if p.label == SIDE]
        if len(self._subjects()) != 2 or (len(found) == 2 and found[0].words == found[1].words):
            self.parts = [p for p in self.parts if p.label != SIDE]
            self.dropped += [u for p in found for u in p.units]
            return
        for who, words in zip(self._subjects(), self.apart, strict=False):
            at = self._behind(who)
            if at < len(self.parts) and self.parts[at].label == SIDE:
                continue
            side = other_side(found[0].words) if found else words
            self.parts.insert(at, Part([Unit("entry", "", Entry(*SIDE, side, side))], side))

    def _detail(self, unit: Unit, entry: Entry) -> None:
        """Places, times, weathers, scenery and hats: each once, in the captions' own form."""
        same = next((p for p in self.parts if p.label == entry.label), None)
        if same is not None and entry.label == WAY and same.words != entry.words:
            self.dropped.append(unit)  # captions say how the first subject is seen
        elif same is None:
            words, before = entry.words, ()
            if entry.factor == "hat":
                words, before = with_article(words), ("wearing",)
            elif entry.factor == "prop":
                fitting = _BESIDE_ONE if entry.article or entry.value == "balloons" else _BESIDE_MANY
                before = tuple(next((w for w in reversed(self.links) if w in fitting), "near").split())
                words = with_article(words) if entry.article else words
            self.parts.append(Part([unit], words, before))
        self._forget()

    def _forget(self) -> None:
        """Drop what waited for the part just added."""
        self.links, self.colors, self.sizes, self.doing = [], [], [], []


def compose(units: Sequence[Unit], apart: tuple[Words, ...] = ()) -> Sentence:
    """The sentence for a prompt's units: their order is kept, but a verb before its noun goes behind it.

    Subjects get an article, places, times and weathers the captions' prepositions, things the action that they are for.
    Words are empty if no unit is understood. Of two subjects `apart` says where they stand, unless the units do.
    """
    composer = _Composer(list(units), apart)
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


def _doing_with(verb: Unit, action: Entry, item: Entry) -> Words:
    """The phrase for an action with a thing that the prompt names after it; empty if they do not go together."""
    table = with_things()
    same = action.words if action.value == "throwing" else table.get((action.value, item.value), ())
    if same or not verb.source.startswith("play"):
        return same
    return next((w for (_, value), w in table.items() if value == item.value and w[0] == "playing"), ())
