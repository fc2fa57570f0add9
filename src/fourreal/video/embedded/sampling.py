"""Clips from the base network, many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from fourreal.core.replay import Replays

from .halves import by_halves
from .network import BaseNetwork, Conditions
from .objective import guided
from .solver import solve_afresh

# More draws fewer kinds of everything, less draws softer shapes; see docs/model_card.md for what was compared.
GUIDANCE = 2.5
# Of frozen clips with known frames, which say more than the words: at 3 they turn less and hold together less well.
FROZEN_GUIDANCE = 2.0
SCORE_GUIDANCE = 3.0  # of single predictions, asked for as a score
STEPS = 10


def conditions(
    words: Int64[Tensor, "B L"],
    context: Int64[Tensor, " B"],
    frames: int,
    *,
    known: Bool[Tensor, "B F"] | None = None,
    camera: Float[Tensor, "B F 3"] | None = None,
) -> Conditions:
    """Conditions for sampling; without a camera the network chooses its own."""
    count, device = len(words), words.device
    return Conditions(
        words,
        context,
        torch.zeros(count, frames, dtype=torch.bool, device=device) if known is None else known,
        torch.zeros(count, frames, 3, device=device) if camera is None else camera - camera[:, :1],
        torch.full((count,), camera is not None, device=device),
        torch.ones(count, device=device),
    )


@dataclass(frozen=True, eq=False)
class Predictor:
    """A base network as it is asked for guided clean clips.

    Attributes:
        network: the base.
        distilled: whether guidance was distilled into it: one evaluation then does what takes another network two.
        guidance: weight of classifier-free guidance; 1 is none.
        halves: words for the left and the right half of every picture, in place of those for the whole.
        replays: recordings of the network on a GPU, for later calls of as many clips; None to launch every kernel.
    """

    network: BaseNetwork
    distilled: bool
    guidance: float = GUIDANCE
    replays: Replays | None = None
    halves: Int64[Tensor, "2 B L"] | None = None

    @torch.no_grad()
    def __call__(self, noisy: Tensor, level: Tensor, given: Conditions) -> Float[Tensor, "B F 3 H W"]:
        """The guided clean clip of (1 - level) clean + level noise; level is [B]."""
        weight = torch.full_like(level, self.guidance)
        once = self.distilled or self.guidance == 1
        if once:
            given = given._replace(guidance=weight)

        def clean_of(
            noisy: Tensor, level: Tensor, weight: Tensor, halves: Tensor | None = None, **given: Tensor
        ) -> Tensor:
            told = Conditions(**given)
            with torch.autocast(noisy.device.type, torch.bfloat16, enabled=noisy.is_cuda):
                if halves is not None:
                    return by_halves(self.network, noisy, level, told, halves, None if once else weight)
                if once:
                    return self.network(noisy, level, told).float()
                return guided(self.network, noisy, level, told, weight)

        inputs = {"noisy": noisy, "level": level, "weight": weight, **given._asdict()}
        inputs |= {} if self.halves is None else {"halves": self.halves}
        if self.replays is None:
            return clean_of(**inputs)
        with self.replays.recording():
            return self.replays.run((self.network, once), clean_of, **inputs)


def noises_of(seeds: Sequence[int], shape: Sequence[int], device: torch.device) -> Iterator[Float[Tensor, "B F 3 H W"]]:
    """Unit normal noise for every seed, again and again, the same on any device and in any batch."""
    generators = [torch.Generator().manual_seed(s) for s in seeds]
    while True:
        yield torch.stack([torch.randn(*shape, generator=g) for g in generators]).to(device)


def noise_of(seeds: Sequence[int], shape: Sequence[int], device: torch.device) -> Float[Tensor, "B F 3 H W"]:
    """The first of `noises_of`."""
    return next(noises_of(seeds, shape, device))


def sample(
    predictor: Predictor,
    given: Conditions,
    clear: Float[Tensor, "B F 3 H W"] | None,
    seeds: Sequence[int],
    *,
    steps: int = STEPS,
    on_step: Callable[[int, int], None] | None = None,
    noises: Iterator[Float[Tensor, "B F 3 H W"]] | None = None,
) -> Float[Tensor, "B F 3 H W"]:
    """Clips in [-1, 1].

    Args:
        predictor: the base network and its guidance.
        given: conditions.
        clear: clips that hold the given frames in [-1, 1], kept exactly; None if there are none.
        seeds: of the noise, one for each clip.
        steps: network evaluations.
        on_step: called with evaluations done and in all.
        noises: other noise than that of the seeds, which a CPU makes: where thousands of clips are drawn it is slow.
    """
    c = predictor.network.config
    shape, device = (c.frames, 3, c.height, c.width), given.words.device
    mask = given.known[:, :, None, None, None]
    clear = torch.zeros(len(seeds), *shape, device=device) if clear is None else clear

    def clean_of(x: Tensor, level: float) -> Tensor:
        noisy = torch.where(mask, clear, x)
        levels = torch.full((len(x),), level, device=x.device)
        return torch.where(mask, clear, predictor(noisy, levels, given))

    noises = noises_of(seeds, shape, device) if noises is None else noises
    return torch.where(mask, clear, solve_afresh(clean_of, noises, steps, on_step=on_step))
