"""The label factors and their values, and what goes with what."""

from __future__ import annotations

from .actions import ACTIONS, PLANS
from .looks import COLORS, GROUNDS, SKIES, WEATHERS
from .props import HELD, SCENERY, WORN
from .subjects import SUBJECTS

NONE = "none"

# Every factor's values, in the order of their label ids.
FACTORS: dict[str, tuple[str, ...]] = {
    "subject": tuple(s.name for s in SUBJECTS),
    "color": tuple(COLORS),
    "action": tuple(a.name for a in ACTIONS),
    "item": (NONE, *(p.name for p in HELD)),
    "hat": (NONE, *(p.name for p in WORN)),
    "prop": (NONE, *(p.name for p in SCENERY)),
    "ground": tuple(g.name for g in GROUNDS),
    "sky": tuple(s.name for s in SKIES),
    "weather": tuple(WEATHERS),
    "second": (NONE, *(s.name for s in SUBJECTS)),
    "second_color": tuple(COLORS),
    "second_action": tuple(a.name for a in ACTIONS),
}


def actions_of(subject: str) -> tuple[str, ...]:
    """Names of the actions that a subject can do."""
    plan = next(s.plan for s in SUBJECTS if s.name == subject)
    return tuple(a.name for a in ACTIONS if plan in a.poses)


def items_of(action: str) -> tuple[str, ...]:
    """Names of the held things that an action can use; empty for none."""
    return next(a.items for a in ACTIONS if a.name == action)


def plan_index(subject: int) -> int:
    """Index in `PLANS` of a subject's body plan."""
    return PLANS.index(SUBJECTS[subject].plan)


def uses_item(subject: int, action: int) -> bool:
    """Whether the subject needs a held thing for the action: vehicles never do."""
    return bool(ACTIONS[action].items) and SUBJECTS[subject].plan in {"quad", "biped", "bird"}
