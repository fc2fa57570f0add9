"""What subjects are recognised by in a clip of 36x64: two eyes, and the colour that was said all over."""

from __future__ import annotations

import pytest
import torch

from fourreal.worlds import sample_worlds
from fourreal.worlds.looks import COLORS, linear
from fourreal.worlds.model import SUBJECT
from fourreal.worlds.parts import BONES
from fourreal.worlds.subjects import SUBJECTS, Subject


def _colors_of(subject: str, color: str, bones: set[str]) -> torch.Tensor:
    """Ground colours [N, 3] of the parts on these bones, each scaled to its brightest channel."""
    world = sample_worlds([7], labels={"subject": subject, "color": color, "second": "none"})
    own = torch.isin(world.slots.bone[0], torch.tensor([BONES.index(b) for b in bones]))
    main = world.slots.main[0][own & (world.slots.owner[0] == SUBJECT)]
    return main / main.amax(-1, keepdim=True)


@pytest.mark.parametrize(("subject", "bones"), [("dinosaur", {"legL", "shinR"}), ("squirrel", {"tail", "tip"})])
def test_a_darker_shade_is_painted_with_the_rest(subject: str, bones: set[str]) -> None:
    purple = torch.tensor(linear(COLORS["purple"]))
    painted = _colors_of(subject, "purple", bones)
    torch.testing.assert_close(painted, (purple / purple.max()).expand_as(painted), atol=0.12, rtol=0)


def test_black_stays_black_whatever_the_colour() -> None:
    world = sample_worlds([7], labels={"subject": "panda", "color": "pink", "second": "none"})
    arms = (world.slots.bone[0] == BONES.index("foreL")) & (world.slots.owner[0] == SUBJECT)
    assert world.slots.main[0][arms].max() < 0.03


@pytest.mark.parametrize("subject", [s for s in SUBJECTS if s.plan in {"quad", "bird", "fish"}], ids=lambda s: s.name)
def test_an_animal_has_two_eyes(subject: Subject) -> None:
    eyes = [p for p in subject.parts if p.pattern == "eye"]
    assert len(eyes) == 2
    assert eyes[0].center[0] == -eyes[1].center[0]
