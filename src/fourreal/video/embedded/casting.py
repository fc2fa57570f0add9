"""Which worlds a training is shown more often than chance shows them: what reads badly, and two subjects at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fourreal.core.errors import FourRealError
from fourreal.worlds import Worlds, sample_worlds
from fourreal.worlds.labels import draw_labels, given
from fourreal.worlds.vocabulary import FACTORS

# Seeds from here on are for evaluation; training never draws them.
EVALUATION_SEED = 1 << 40
_OTHERS = 8  # seeds tried for a world of two subjects, a quarter of which have them
_FAR = 1 << 36  # between those seeds: no training gets as far


@dataclass(frozen=True)
class Casting:
    """What is drawn more often, besides what chance makes of it.

    Attributes:
        favour: subjects, alone ("cat") or with what they do ("cat spinning").
        favoured: share of the worlds that is made of them, 0 to 1.
        company: share of the worlds that are chosen for having two subjects, 0 to 1; chance gives them to a quarter.
    """

    favour: tuple[str, ...] = ()
    favoured: float = 0.1
    company: float = 0.0

    def check(self) -> None:
        """Raise `FourRealError` for no share, `LabelError` for what worlds have not, or what does not go together."""
        for name in ("favoured", "company"):
            if not 0 <= (share := getattr(self, name)) <= 1:
                raise FourRealError(f"--{name} {share} must be a share of the worlds, 0 to 1")
        for subject, action in map(_split, self.favour):
            labels = {"subject": subject} | ({"action": action} if action else {})
            draw_labels(torch.zeros(1, dtype=torch.long), given(labels, 1, torch.device("cpu")))

    def worlds(self, seeds: Tensor, device: torch.device, generator: torch.Generator) -> Worlds:
        """Worlds of `seeds` on `device`, some of them of what is drawn more often; `generator`, on it, says which."""

        def rand() -> Tensor:
            return torch.rand(len(seeds), generator=generator, device=device).cpu()

        if self.company:
            seeds = torch.where(rand() < self.company, _accompanied(seeds, device), seeds)
        if not self.favour:
            return sample_worlds(seeds, device)
        return sample_worlds(seeds, device, labels=self._labels(seeds.to(device), rand().tolist()))

    def _labels(self, ids: Tensor, draw: list[float]) -> dict[str, list[str]]:
        """Subject and action of every world; those that are not of what is favoured keep their own."""
        count = len(self.favour)
        chosen = [_split(self.favour[int(x / self.favoured * count)]) if x < self.favoured else None for x in draw]
        subjects = _names("subject", draw_labels(ids, {}))
        labels = {"subject": [one[0] if one else name for one, name in zip(chosen, subjects, strict=True)]}
        actions = _names("action", draw_labels(ids, given(labels, len(ids), ids.device)))
        labels["action"] = [one[1] if one and one[1] else name for one, name in zip(chosen, actions, strict=True)]
        return labels


def _split(entry: str) -> tuple[str, str]:
    """Subject and action of "cat" or "cat spinning"; the action may be empty."""
    subject, _, action = entry.partition(" ")
    return subject, action


def _names(factor: str, labels: Mapping[str, Tensor]) -> list[str]:
    return [FACTORS[factor][i] for i in labels[factor].tolist()]


def _accompanied(seeds: Tensor, device: torch.device) -> Tensor:
    """For each seed one of a world of two subjects, where one is found among a few."""
    others = (seeds[:, None] + _FAR * torch.arange(_OTHERS)) % EVALUATION_SEED
    second = draw_labels(others.flatten().to(device), {})["second"].view(others.shape).cpu()
    return others.gather(1, (second > 0).long().argmax(1)[:, None])[:, 0]
