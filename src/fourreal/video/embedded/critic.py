"""A critic of drawn clips: of several from one sentence it tells which looks most like a true clip of that sentence.

A head on what the base network itself sees in a clip with some noise on it, as discriminators of distilled diffusion
models are built (arXiv 2403.12015): the network knows what subjects and actions look like, and the noise hides by what
small signs a drawn clip could be told from a true one. Keeping the best of several by a discriminator is rejection
sampling (arXiv 1810.06758).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .network import BaseNetwork, Conditions
from .objective import noised
from .pairs import Pairs
from .sampling import noise_of

LEVELS = (0.2, 0.35, 0.5)  # shares of noise at which a clip is looked at, in training anywhere between
_MISMATCHED = 3  # for so many pairs of a batch, there is one true clip with another's words


@dataclass(frozen=True)
class CriticConfig:
    """Size of the critic.

    Attributes:
        dim: channels of the base network's tokens.
        after: blocks of the base network after which it looks, rising.
        heads: places of a clip that it may attend to, of each look.
        width: channels of what it takes from there.
        hidden: of the last layer but one.
    """

    dim: int = 384
    after: tuple[int, ...] = (3, 6)
    heads: int = 8
    width: int = 64
    hidden: int = 128

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


class CriticNetwork(nn.Module):
    """Attention over the tokens of a clip, and one number; positive for true clips."""

    def __init__(self, config: CriticConfig) -> None:
        super().__init__()
        self.config = config
        c, looks = config, len(config.after)
        self.where = nn.ModuleList(nn.Linear(c.dim, c.heads) for _ in range(looks))
        self.what = nn.ModuleList(nn.Linear(c.dim, c.width) for _ in range(looks))
        self.mixed = nn.Linear(looks * c.heads * c.width, c.hidden)
        self.out = nn.Linear(c.hidden, 1)

    def forward(self, seen: Sequence[Float[Tensor, "B N d"]]) -> Float[Tensor, " B"]:
        """Of what the base network holds after each of `config.after` blocks."""
        found = []
        for tokens, where, what in zip(seen, self.where, self.what, strict=True):
            even = F.layer_norm(tokens, tokens.shape[-1:])
            share = where(even).softmax(1)
            found.append((share.transpose(1, 2) @ F.silu(what(even))).flatten(1))
        return self.out(F.silu(self.mixed(torch.cat(found, -1))))[:, 0]


def _seen(
    base: BaseNetwork, after: Sequence[int], clips: Tensor, noise: Tensor, level: Tensor, given: Conditions
) -> list[Tensor]:
    return base.features(noised(clips, noise, level, given.known), level, given, after)


@torch.no_grad()
def likeness(
    critic: CriticNetwork, base: BaseNetwork, clips: Float[Tensor, "B F 3 H W"], given: Conditions, seed: int = 0
) -> Float[Tensor, " B"]:
    """How much clips in [-1, 1] look like true ones of what is given: log odds, the mean over `LEVELS`."""
    noise = noise_of([seed], clips.shape[1:], clips.device).expand_as(clips)  # the same for all, so that they compare
    given = given._replace(guidance=torch.ones_like(given.guidance))
    found = []
    for level in LEVELS:
        with torch.autocast(clips.device.type, torch.bfloat16, enabled=clips.is_cuda):
            levels = torch.full((len(clips),), level, device=clips.device)
            found.append(critic(_seen(base, critic.config.after, clips, noise, levels, given)).float())
    return torch.stack(found).mean(0)


def critic_loss(
    critic: CriticNetwork, base: BaseNetwork, pairs: Pairs, generator: torch.Generator
) -> Float[Tensor, ""]:
    """Cross entropy of true clips with their words against drawn ones, and against true ones with others' words.

    Args:
        critic: what learns.
        base: is asked, and stays as it is.
        pairs: true and drawn clips.
        generator: of noise, levels and mirrored clips.
    """
    count, device = len(pairs.true), pairs.true.device
    given = pairs.given._replace(guidance=torch.ones_like(pairs.given.guidance))

    def rand(size: int) -> Tensor:
        return torch.rand(size, generator=generator, device=device)

    other = given.at(slice(0, count // _MISMATCHED))
    other = other._replace(words=given.words[-len(other.words) :])
    told = Conditions(*(torch.cat(values) for values in zip(given, given, other, strict=True)))
    clips = torch.cat((pairs.true, pairs.drawn, pairs.true[: len(other.words)]))
    mirrored = rand(len(clips)) < 0.5
    clips = torch.where(mirrored.view(-1, 1, 1, 1, 1), clips.flip(-1), clips)
    turned = told.camera * torch.tensor([-1.0, 1.0, 1.0], device=device)
    told = told._replace(camera=torch.where(mirrored.view(-1, 1, 1), turned, told.camera))
    level = LEVELS[0] + (LEVELS[-1] - LEVELS[0]) * rand(len(clips))
    noise = torch.randn(clips.shape, generator=generator, device=device)
    with torch.no_grad():
        seen = _seen(base, critic.config.after, clips, noise, level, told)
    said = critic([tokens.detach() for tokens in seen]).float()
    truth = torch.zeros_like(said)
    truth[:count] = 1
    weight = torch.ones_like(said)
    weight[:count] = (len(said) - count) / count  # as much of the one as of the other
    return F.binary_cross_entropy_with_logits(said, truth, weight)
