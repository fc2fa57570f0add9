"""From free English to words that the embedded model knows, with an honest report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from fourreal.video.base import PromptError, check_prompt
from fourreal.worlds.words import split_words

from .abilities import going
from .phrasebook import ARTICLES, FRAME, Entry
from .reader import Reader, Unit
from .sentence import MOST_WORDS, compose
from .views import ROUND, SIDE, WAY, places_for, sides_of, way_for
from .word_table import WordTable

__all__ = ["Understanding", "WordTable", "understand"]

_VIDEOS = {
    **dict.fromkeys(("video", "videos", "clip", "movie", "film", "footage"), "a video of"),
    **dict.fromkeys(("animation", "cartoon", "gif"), "an animation of"),
    **dict.fromkeys(("rendering", "render"), "a 3d rendering of"),
    **dict.fromkeys(("photo", "photograph", "picture", "image", "shot", "painting", "drawing", "scene", "view"), ""),
}
# Said where a prompt leaves the light open: drawn at dusk, dark subjects are hard to tell from what they stand before.
_LIGHT = ("on", "a", "sunny", "day")
_DULL_LIGHT = ("on", "a", "cloudy", "day")  # where it says that it rains, snows or is foggy
_OPENING = 16  # words in which "a photorealistic video of" may end


@dataclass(frozen=True)
class Understanding:
    """What the model makes of a prompt.

    Attributes:
        words: in the grammar of captions, at most 40, to feed the network.
        mapped: pairs of what the user wrote and the known phrase that stands for it; inflections are not listed.
        ignored: content words that are not understood.
        light: words at the end that the prompt does not say, "on a sunny day"; "" for none.
        action: what the first subject does, which the prompt does not say, "walking"; "" for none.
        way: how the first subject is seen, which the prompt does not say, "facing left"; "" for none.
        places: where two subjects stand, which the prompt does not say, "on the left, on the right"; "" for none.
        turns: whether somebody turns about itself.
    """

    words: tuple[str, ...]
    mapped: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]
    light: str = ""
    action: str = ""
    way: str = ""
    places: str = ""
    turns: bool = False

    def line(self) -> str:
        """One line for the user: understood as "a fox jumping" (wolf -> fox; ignored: quantum)."""
        notes = [", ".join(f"{a} -> {b}" for a, b in self.mapped)] if self.mapped else []
        notes += [f"ignored: {_listed(self.ignored)}"] if self.ignored else []
        notes += [f"action not said: {self.action}"] if self.action else []
        notes += [f"light not said: {self.light}"] if self.light else []
        notes += [f"view not said: {self.way}"] if self.way else []
        notes += [f"places not said: {self.places}"] if self.places else []
        return f'understood as "{" ".join(self.words)}"' + (f" ({'; '.join(notes)})" if notes else "")


def understand(prompt: str, table: WordTable, *, complete: bool = False, view: bool = True) -> Understanding:
    """Read a prompt: phrases of captions pass, inflections are resolved, other words go to the nearest known phrase.

    Args:
        prompt: in free English.
        table: word vectors.
        complete: have a prompt that leaves the light open say that it is day, and one that has its subject do nothing
            that it goes.
        view: whether the words are for a clip of running time before a still camera, in which a subject faces one way
            and two subjects stand side by side: this is said as well, if `complete`. Else what a prompt says of it is
            ignored.

    Raises:
        PromptError: if the prompt is empty, too long, or names nothing that the model knows.
    """
    check_prompt(prompt)
    reader = _reader(table)
    units = _units(split_words(prompt), reader)
    if not view:
        units = [replace(u, kind="unknown", entry=None) if _views(u) else u for u in units]
    sentence = compose(units)
    if not sentence.words:
        said = f"; not understood: {_listed(sentence.ignored)}" if sentence.ignored else ""
        raise PromptError(
            f"the prompt names nothing that the model knows{said}. It reads English and knows animals, people and "
            "vehicles (panda, fox, cat, robot, car), what they do (dancing, running, eating, playing the guitar) and "
            'where (on grass, on the beach, at night, in the rain), as in "a fox jumping on snow at sunset"'
        )
    found = Understanding(sentence.words, sentence.mapped, sentence.ignored)
    found = replace(found, turns=("action", ROUND) in _labels(found, units))
    if not complete:
        return found
    found, units = _acting(found, units)
    found = _lit(_apart(found, units) if view else found, units)
    return _turned(found, reader) if view else found


def _views(unit: Unit) -> bool:
    return unit.entry is not None and unit.entry.label in {WAY, SIDE}


def _labels(found: Understanding, units: Sequence[Unit]) -> set[tuple[str, str]]:
    """What the prompt says."""
    return {u.entry.label for u in units if u.entry is not None and u.source not in found.ignored}


def _told(found: Understanding, units: Sequence[Unit]) -> set[str]:
    """What the prompt speaks of."""
    return {factor for factor, _ in _labels(found, units)}


def _acting(found: Understanding, units: list[Unit]) -> tuple[Understanding, list[Unit]]:
    """What was understood, and from what, with the first subject going where the prompt has it do nothing.

    Left to chance it may do any of 28 things, and of a few steps comes a body between them.
    """
    subjects = [i for i, u in enumerate(units) if u.entry is not None and u.entry.factor == "subject"]
    if _told(found, units) & {"action", "item"} or not subjects:
        return found, units
    last = subjects[0]
    while last + 1 in subjects:  # "a corgi puppy", "a robot waiter"
        last += 1
    ignored = compose(units[: last + 1]).ignored
    who = next(units[i] for i in subjects if units[i].source not in ignored).entry
    entry = None if who is None else going(who.value)
    if entry is None:
        return found, units
    more = [*units[: last + 1], Unit("entry", "", entry), *units[last + 1 :]]
    words = compose(more).words
    if len(words) != len(found.words) + len(entry.words):  # there is no room for it
        return found, units
    return replace(found, words=words, action=" ".join(entry.words)), more


def _apart(found: Understanding, units: Sequence[Unit]) -> Understanding:
    """What was understood, with the places of two subjects: left open, one may take the other's look."""
    sentence = compose(units, places_for(found.words))
    added = [side for side in sides_of(sentence.words) if side not in sides_of(found.words)]
    if not added or sentence.ignored != found.ignored:  # or there is no room for them
        return found
    return replace(found, words=sentence.words, places=", ".join(added))


def _turned(found: Understanding, reader: Reader) -> Understanding:
    """What was understood, with the way that the first subject faces where the prompt leaves it open."""
    said = [u.entry for u in reader.units(found.words) if u.entry is not None]
    doing = next((entry.value for entry in said if entry.factor == "action"), "")
    way = way_for(doing, found.words)
    who = any(entry.factor == "subject" for entry in said)
    if not who or any(entry.label == WAY for entry in said) or len(found.words) + len(way) > MOST_WORDS:
        return found
    return replace(found, words=found.words + way, way=" ".join(way))


def _lit(found: Understanding, units: Sequence[Unit]) -> Understanding:
    """What was understood, with the light where the prompt names none and the sentence has room."""
    told = _told(found, units)
    light = _DULL_LIGHT if "weather" in told else _LIGHT
    if "sky" in told or len(found.words) + len(light) > MOST_WORDS:
        return found
    return replace(found, words=found.words + light, light=" ".join(light))


def _units(words: Sequence[str], reader: Reader) -> list[Unit]:
    """The units of a prompt; "a photorealistic video of" becomes what captions say for it, or nothing."""
    for i in range(1, min(_OPENING, len(words))):
        if words[i] == "of" and words[i - 1] in _VIDEOS:
            start = next((k for k in range(i - 1, max(-1, i - 6), -1) if words[k] in ARTICLES), 0 if i < 6 else i - 1)
            said = tuple(_VIDEOS[words[i - 1]].split())
            opening = (
                [Unit("entry", " ".join(words[start : i + 1]), Entry(FRAME, "opening", said, said))] if said else []
            )
            return [*reader.units(words[:start]), *opening, *reader.units(words[i + 1 :])]
    return reader.units(words)


def _listed(words: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(w if len(w) <= 30 else w[:29] + "…" for w in words[:most])
    return shown if len(words) <= most else f"{shown} and {len(words) - most} more"


@lru_cache(maxsize=4)
def _reader(table: WordTable) -> Reader:
    return Reader(table)
