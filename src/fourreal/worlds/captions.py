"""Sentences about worlds: a small grammar with synonyms and free word order, always true to the labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .actions import ACTIONS
from .facing import Facing
from .hashing import uniforms
from .looks import GROUNDS, SKIES, WEATHER_WORDS
from .model import Worlds
from .props import HELD, SCENERY, WORN
from .subjects import SUBJECTS
from .vocabulary import FACTORS

_SLOT = 500
_DRAWS = 32  # the longest sentence takes 27
_FACING_SLOT, _FACING_DRAWS = 1_100, 3
_WAY_SAID, _SIDE_SAID = 0.6, 0.5  # of the captions; either subject's side
COLOR_WORDS = {
    "gray": ("gray", "grey"),
    "golden": ("golden", "gold"),
    "silver": ("silver",),
    "purple": ("purple", "violet"),
}
CLOTHED = ("person", "girl", "astronaut")
OPENINGS = ("", "", "", "", "a 3D rendering of ", "a video of ", "an animation of ")
BESIDE_ONE = ("near {}", "next to {}", "beside {}")
BESIDE_MANY = ("near {}", "among {}", "in front of {}")
COMPANY = ("next to {} {}", "and {} {} beside it", "with {} that is {}")
FUNCTION_WORDS = ("a", "an", "in", "is", "wearing")  # the sentence's own, beside those of the phrases above

Labels = dict[str, str]


class _Draws:
    """A row of random numbers, handed out in order."""

    def __init__(self, numbers: list[float]) -> None:
        self._left = list(numbers)

    def share(self) -> float:
        return self._left.pop(0)

    def pick(self, words: tuple[str, ...]) -> str:
        return words[int(self.share() * len(words))]


def label_names(worlds: Worlds) -> list[Labels]:
    """The labels of every world by name, e.g. {"subject": "fox", "action": "jumping", ...}."""
    ids = {k: v.tolist() for k, v in worlds.labels.items()}
    return [{k: FACTORS[k][v[i]] for k, v in ids.items()} for i in range(len(worlds))]


def captions(worlds: Worlds, *, variant: int = 0, omit: float = 0.0, seen: Sequence[Facing] | None = None) -> list[str]:
    """One sentence for every world.

    Args:
        worlds: B worlds.
        variant: another number gives other words and another order for the same world.
        omit: probability in 0..1 of leaving out each of ground, sky, weather, scenery and hat.
        seen: how the camera sees the subjects, which sentences then say at times; None to leave it open.
    """
    draws = uniforms(worlds.seeds, _SLOT + _DRAWS * variant, _DRAWS).tolist()
    said = _said(worlds, variant, seen)
    return [
        _sentence(labels, _Draws(row), omit, words)
        for labels, row, words in zip(label_names(worlds), draws, said, strict=True)
    ]


def _said(worlds: Worlds, variant: int, seen: Sequence[Facing] | None) -> list[Facing]:
    """What is said of how subjects are seen: sometimes all of it, sometimes nothing."""
    if seen is None:
        return [Facing()] * len(worlds)
    draws = uniforms(worlds.seeds, _FACING_SLOT + _FACING_DRAWS * variant, _FACING_DRAWS).tolist()
    return [
        Facing(
            words.way if way < _WAY_SAID else "",
            words.first if first < _SIDE_SAID else "",
            words.second if second < _SIDE_SAID else "",
        )
        for words, (way, first, second) in zip(seen, draws, strict=True)
    ]


def _article(words: str) -> str:
    if words.endswith("balloons"):
        return words
    return ("an " if words[0] in "aeiou" else "a ") + words


def plural(noun: str) -> str:
    """Several of a piece of scenery, e.g. "bushes"."""
    if noun.startswith("stack of"):
        return noun.replace("stack of", "stacks of")
    return noun + ("es" if noun.endswith(("sh", "ss", "us")) else "s")


def with_item(action: str, words: str, thing: str) -> str:
    """Words for an action with the thing that it uses in place of "{item}", e.g. "eating a carrot"."""
    if "a {item}" in words:
        return words.replace("a {item}", _article(thing))
    return words.replace("{item}", _article(thing) if action == "eating" else thing)


def _being(name: str, color: str, draws: _Draws) -> str:
    """A noun with its colour, e.g. "a purple kitten"."""
    subject = next(s for s in SUBJECTS if s.name == name)
    plain = draws.share() < 0.6
    noun = draws.pick(subject.words)
    noun = name if plain else noun
    shade = draws.pick(COLOR_WORDS.get(color, (color,)))
    if color == "natural":
        return _article(noun)
    if name in CLOTHED:  # the colour is that of the clothes, not of the person
        return _article(f"{noun} in {shade}")
    return _article(f"{shade} {noun}")


def _doing(action: str, item: str, vehicle: bool, draws: _Draws) -> str:
    """The action, e.g. "eating a carrot"."""
    words = draws.pick(next(a.words for a in ACTIONS if a.name == action))
    thing = draws.pick(next((p.words for p in HELD if p.name == item), ("",)))
    if vehicle and action == "driving":
        return "driving"
    if vehicle and action == "standing":
        return "standing still"
    return with_item(action, words, thing)


def _beside(prop: str, draws: _Draws) -> str:
    thing = next(p for p in SCENERY if p.name == prop)
    noun = draws.pick(thing.words)
    if thing.many == 1:
        return draws.pick(BESIDE_ONE).format(_article(noun))
    return draws.pick(BESIDE_MANY).format(plural(noun))


def _kept(stays: bool, phrase: Callable[[], str]) -> list[str]:
    """The phrase, unless there is none or it does not stay; it draws its words either way."""
    words = phrase()
    return [words] if words and stays else []


def _details(labels: Labels, draws: _Draws, omit: float) -> list[str]:
    """Phrases for place, scenery, time of day and weather."""
    place = next(g.words for g in GROUNDS if g.name == labels["ground"])
    sky = next(s.words for s in SKIES if s.name == labels["sky"])
    clear, bare = labels["weather"] == "clear", labels["prop"] == "none"
    return [
        *_kept(draws.share() >= omit, lambda: draws.pick(place)),
        *_kept(draws.share() >= omit, lambda: "" if bare else _beside(labels["prop"], draws)),
        *_kept(draws.share() >= omit, lambda: draws.pick(sky)),
        *_kept(draws.share() >= omit, lambda: "" if clear else draws.pick(WEATHER_WORDS[labels["weather"]])),
    ]


def _placed(who: str, side: str) -> str:
    return f"{who} {side}" if side else who


def _sentence(labels: Labels, draws: _Draws, omit: float, seen: Facing) -> str:
    who = _being(labels["subject"], labels["color"], draws)
    plan = next(s.plan for s in SUBJECTS if s.name == labels["subject"])
    does = _doing(labels["action"], labels["item"], plan in {"car", "ship", "plane"}, draws)
    hat = next((p.words for p in WORN if p.name == labels["hat"]), None)
    if hat is not None and draws.share() >= omit:
        who += f" wearing {_article(draws.pick(hat))}"
    who = _placed(who, seen.first)
    opening = draws.pick(OPENINGS)
    core = f"{opening}{who} {'is ' if draws.share() < 0.25 and not opening else ''}{does}"
    details = _details(labels, draws, omit)
    if labels["second"] != "none":
        core = f"{core} {_company(labels, draws, seen.second)}"
    details += [seen.way] if seen.way else []
    front = [details.pop(int(draws.share() * len(details)))] if details and draws.share() < 0.25 else []
    if len(details) > 1 and draws.share() < 0.4:
        details.reverse()
    text = " ".join([", ".join([*front, core]), *details])
    return text[0].upper() + text[1:] + ("." if draws.share() < 0.7 else "")


def _company(labels: Labels, draws: _Draws, side: str) -> str:
    other = _placed(_being(labels["second"], labels["second_color"], draws), side)
    plan = next(s.plan for s in SUBJECTS if s.name == labels["second"])
    does = _doing(labels["second_action"], "none", plan in {"car", "ship", "plane"}, draws)
    return draws.pick(COMPANY).format(other, does)
