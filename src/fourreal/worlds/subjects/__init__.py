"""The subjects: 19 quadrupeds, 14 upright figures, 8 birds and sea animals, 7 vehicles."""

from __future__ import annotations

from .base import Subject
from .bipeds import bipeds
from .birds import birds_and_fish
from .grazers import grazers
from .predators import predators
from .vehicles import vehicles

SUBJECTS: tuple[Subject, ...] = (*bipeds(), *predators(), *grazers(), *birds_and_fish(), *vehicles())

__all__ = ["SUBJECTS", "Subject"]
