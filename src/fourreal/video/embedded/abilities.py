"""Verbs that their subjects can do: the worlds have no car that dances, and a network asked for one draws lumps."""

from __future__ import annotations

from dataclasses import replace

from fourreal.worlds.vocabulary import actions_of

from .phrasebook import Entry, entries, with_things
from .reader import Unit

_GOING = ("driving", "sailing", "flying", "swimming", "walking")
# What comes nearest to an action for a body that cannot do it, best first.
_INSTEAD: dict[str, tuple[str, ...]] = {
    "throwing": ("playing with a ball",),
    "walking": _GOING,
    "running": _GOING,
    "swimming": _GOING,
    "sailing": ("swimming", *_GOING),
    "driving": ("sailing", "running", "swimming", "flying"),
    "flying": ("jumping",),
    "rolling": ("spinning",),
    "dancing": ("spinning",),
}
_ALONE = ("driving",)  # said of vehicles; animals and people drive something


def fitted(unit: Unit, subject: str) -> Unit | None:
    """A unit that says an action, as the subject can do it: itself, another action that comes near, or None.

    A guess is not replaced by another guess: what was not understood for sure and cannot be done is left out.

    Args:
        unit: with the phrase of an action.
        subject: name of a subject, e.g. "car".
    """
    entry = unit.entry
    if entry is None or entry.factor != "action":
        return unit
    able = actions_of(subject)
    if entry.value in able:
        alone = entry.words == _ALONE and "walking" in able
        return replace(unit, entry=replace(entry, words=with_things()["driving", "kart"])) if alone else unit
    other = None if unit.guessed else _nearest(entry.value, subject)
    return None if other is None else replace(unit, entry=_plain(other, subject), mapped=True)


def going(subject: str) -> Entry | None:
    """How a subject goes: walking, or however its body can; None if it goes nowhere."""
    action = _nearest("walking", subject)
    return None if action is None else _plain(action, subject)


def _nearest(action: str, subject: str) -> str | None:
    """The action, or what comes nearest to it of what the subject can do."""
    able = actions_of(subject)
    return next((a for a in (action, *_INSTEAD.get(action, ())) if a in able), None)


def _plain(action: str, subject: str) -> Entry:
    """The shortest phrase for an action that captions have for this subject."""
    entry = min((e for e in entries() if e.label == ("action", action)), key=lambda e: len(e.words))
    alone = action == "driving" and "walking" not in actions_of(subject)
    return replace(entry, words=_ALONE) if alone else entry
