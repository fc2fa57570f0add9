"""The base network: a convolutional stem at half resolution around a transformer over space, time and words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from .blocks import Block, ResBlock, fourier, rotary

CONTEXTS = ("dynamic", "freeze")
_CAMERA_FEATURES = 3 * 8 + 1
_RAY_FEATURES = 6 * 2 * 3
# A middling reference view of the worlds: a clip tells its cameras' path, not where it begins.
_ELEVATION, _FOV = math.radians(13.0), math.radians(37.0)


@dataclass(frozen=True)
class BaseConfig:
    """Size of the base network.

    Attributes:
        frames, height, width: the clips it makes.
        channels: of the stem, which works at half the resolution.
        dim: of the transformer.
        depth: transformer blocks.
        head: channels of an attention head.
        text_dim, text_depth: of the encoder of words.
        words: most words of a prompt.
        vocabulary: number of words known, without the blank.
    """

    frames: int = 16
    height: int = 36
    width: int = 64
    channels: int = 128
    dim: int = 384
    depth: int = 7
    head: int = 64
    text_dim: int = 192
    text_depth: int = 2
    words: int = 40
    vocabulary: int = 600

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


class Conditions(NamedTuple):
    """What a batch of clips is conditioned on.

    words: [B, L] word ids, 0 for blank; all blank is no text. context: [B] index into `CONTEXTS`.
    known: [B, F] whether a frame is given. camera: [B, F, 3] azimuth, elevation (radians) and log distance relative
    to frame 0. has_camera: [B]. guidance: [B] weight of guidance that the prediction shall have built in; 1 is none.
    """

    words: Int64[Tensor, "B L"]
    context: Int64[Tensor, " B"]
    known: Bool[Tensor, "B F"]
    camera: Float[Tensor, "B F 3"]
    has_camera: Bool[Tensor, " B"]
    guidance: Float[Tensor, " B"]

    def without_text(self) -> Conditions:
        """The same without words."""
        return self._replace(words=torch.zeros_like(self.words))

    def at(self, index: Tensor | slice) -> Conditions:
        """Those of some clips."""
        return Conditions(*(value[index] for value in self))


def rays(camera: Float[Tensor, "B F 3"], height: int, width: int) -> Float[Tensor, "B F h w 6"]:
    """Pluecker coordinates (direction, then eye x direction; arXiv 2106.02634) of a grid of rays along a path.

    The words of a path say what a camera does, its rays where each place of each picture looks: rays that may meet in
    one point of the scene become comparable. The eye of frame 0 lies at distance 1 from what it looks at.

    Args:
        camera: azimuth, elevation (radians) and log distance relative to frame 0.
        height, width: of the grid, which spans a picture of this ratio.
    """
    azimuth, elevation, distance = camera.unbind(-1)
    elevation = elevation + _ELEVATION
    zero, level = torch.zeros_like(azimuth), elevation.cos()
    back = torch.stack((level * azimuth.sin(), elevation.sin(), level * azimuth.cos()), -1)
    right = torch.stack((azimuth.cos(), zero, -azimuth.sin()), -1)
    down = torch.linalg.cross(right, back)
    tangent = math.tan(_FOV / 2)
    y = torch.linspace(1 / height - 1, 1 - 1 / height, height, device=camera.device, dtype=camera.dtype) * tangent
    x = torch.linspace(1 / width - 1, 1 - 1 / width, width, device=camera.device, dtype=camera.dtype)
    x = (x * (tangent * width / height))[:, None]
    across, along, behind = (value[:, :, None, None] for value in (right, down, back))
    direction = F.normalize(x * across + y[:, None, None] * along - behind, dim=-1)
    eye = (distance.exp()[..., None] * back)[:, :, None, None].expand_as(direction)
    return torch.cat((direction, torch.linalg.cross(eye, direction)), -1)


class TextEncoder(nn.Module):
    """Word ids to text tokens; every position is attended to, blanks too."""

    def __init__(self, config: BaseConfig) -> None:
        super().__init__()
        d = config.text_dim
        self.embed = nn.Embedding(config.vocabulary + 1, d)
        self.place = nn.Parameter(torch.randn(config.words, d) * 0.02)
        self.still = nn.Parameter(torch.cat((torch.zeros(2, d), torch.ones(1, d))).repeat(2, 1), requires_grad=False)
        self.blocks = nn.ModuleList(Block(d, 64) for _ in range(config.text_depth))
        self.out = nn.Linear(d, config.dim)
        nn.init.normal_(self.embed.weight, std=0.3)

    def forward(self, words: Int64[Tensor, "B L"]) -> Float[Tensor, "B L d"]:
        """Tokens of the main transformer."""
        x = self.embed(words) + self.place
        still = self.still.expand(len(words), -1, -1)
        for block in self.blocks:
            x = block(x, still, None)
        return self.out(F.layer_norm(x, x.shape[-1:]))


class BaseNetwork(nn.Module):
    """Predicts the clean clip from a noisy one."""

    table: Tensor

    def __init__(self, config: BaseConfig) -> None:
        super().__init__()
        self.config = config
        c, d = config.channels, config.dim
        self.grid = (config.frames // 2, config.height // 4, config.width // 4)
        self.text = TextEncoder(config)
        self.pooled = nn.Linear(config.dim, d)
        self.noise = nn.Sequential(nn.Linear(64, d), nn.SiLU(), nn.Linear(d, d))
        self.context = nn.Embedding(len(CONTEXTS), d)
        self.guidance = nn.Linear(16, d, bias=False)
        self.camera = nn.Sequential(nn.Linear(_CAMERA_FEATURES, d), nn.SiLU(), nn.Linear(d, d))
        self.rays = nn.Linear(2 * _RAY_FEATURES, d, bias=False)
        self.given = nn.Embedding(2, d)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(d, 6 * d))
        self.enter = nn.Conv2d(16, c, 3, padding=1)
        self.before = nn.ModuleList(ResBlock(c, d) for _ in range(2))
        self.tokens, self.pixels = nn.Linear(8 * c, d), nn.Linear(d, 8 * c)
        self.frame = nn.Linear(2 * d, d)
        self.place = nn.Parameter(torch.randn(self.grid[0] * self.grid[1] * self.grid[2], d) * 0.02)
        self.blocks = nn.ModuleList(Block(d, config.head) for _ in range(config.depth))
        self.after = nn.ModuleList(ResBlock(c, d) for _ in range(2))
        self.leave = nn.Conv2d(c, 12, 3, padding=1)
        for layer in (self.modulation[1], self.leave, self.guidance, self.frame, self.rays):
            assert isinstance(layer, (nn.Linear, nn.Conv2d))
            nn.init.zeros_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        self.register_buffer("table", rotary(self.grid, config.words, config.head), persistent=False)

    def forward(
        self, noisy: Float[Tensor, "B F 3 H W"], level: Float[Tensor, " B"], given: Conditions
    ) -> Float[Tensor, "B F 3 H W"]:
        """The clean clip, in [-1, 1].

        Args:
            noisy: (1 - level) clean + level noise; known frames clean.
            level: 0..1, the share of noise.
            given: the conditions.
        """
        batch, frames, _, height, width = noisy.shape
        x, whole, each, text = self._entered(noisy, level, given)
        flat = F.silu(each).flatten(0, 1)
        x = x + self._transformed(x, whole, each, text, given)
        for block in self.after:
            x = block(x, flat)
        out = F.pixel_shuffle(self.leave(F.silu(x)), 2)
        return out.reshape(batch, frames, 3, height, width)

    def features(
        self, noisy: Float[Tensor, "B F 3 H W"], level: Float[Tensor, " B"], given: Conditions, after: Sequence[int]
    ) -> list[Float[Tensor, "B N d"]]:
        """What the tokens of the pictures hold after so many blocks each, rising; else as `forward`."""
        x, whole, each, text = self._entered(noisy, level, given)
        tokens, condition = self._tokens(x, whole, each, text, given)
        found = []
        for number, block in enumerate(self.blocks[: after[-1]], 1):
            tokens = block(tokens, condition, self.table)
            if number in after:
                found.append(tokens[:, text.shape[1] :])
        return found

    def _entered(self, noisy: Tensor, level: Tensor, given: Conditions) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Stem features [B F, c, H/2, W/2], conditions of clip and frames, and text tokens."""
        text = self.text(given.words)
        whole, each = self._conditions(level, given, text)
        mask = given.known[:, :, None, None, None].to(noisy.dtype).expand(-1, -1, 1, *noisy.shape[-2:])
        folded = F.pixel_unshuffle(torch.cat((noisy, mask), 2).flatten(0, 1), 2)
        x = self.enter(folded.contiguous(memory_format=torch.channels_last))
        flat = F.silu(each).flatten(0, 1)
        for block in self.before:
            x = block(x, flat)
        return x, whole, each, text

    def _conditions(self, level: Tensor, given: Conditions, text: Tensor) -> tuple[Tensor, Tensor]:
        """[B, d] for the clip and [B, F, d] for each frame."""
        whole = self.noise(fourier(level, 32, 400.0)) + self.pooled(text.mean(1)) + self.context(given.context)
        weight = given.guidance.log()[:, None]
        whole = whole + self.guidance(torch.cat((weight, fourier(weight[:, 0], 8, 8.0)[:, :15] * weight), -1))
        known = given.has_camera[:, None, None].to(given.camera.dtype)
        turns = fourier(given.camera, 4, 6.0).flatten(2) * known
        features = torch.cat((turns, known.expand(*turns.shape[:2], 1)), -1)
        return whole, whole[:, None] + self.camera(features) + self.given(given.known.long())

    def _looks(self, given: Conditions) -> Tensor:
        """[B, N, d]: which rays the tokens look along, zero for clips without cameras."""
        t, h, w = self.grid
        features = fourier(rays(given.camera, h, w), 3, 6.0).flatten(4)
        known = given.has_camera[:, None, None].to(features.dtype)
        pairs = features.unflatten(1, (t, 2)).permute(0, 1, 3, 4, 2, 5).flatten(4).flatten(1, 3)
        return self.rays(pairs) * known

    def _tokens(self, x: Tensor, whole: Tensor, each: Tensor, text: Tensor, given: Conditions) -> tuple[Tensor, Tensor]:
        """Tokens of text and of stem features [B F, c, H/2, W/2], and what the blocks are conditioned on."""
        (t, h, w), c, batch = self.grid, x.shape[1], len(whole)
        patches = x.reshape(batch, t, 2, c, h, 2, w, 2).permute(0, 1, 4, 6, 2, 3, 5, 7).reshape(batch, t * h * w, -1)
        moment = self.frame(F.silu(each).reshape(batch, t, -1)).repeat_interleave(h * w, 1)
        where = moment + self.place + self._looks(given)
        tokens = torch.cat((text, self.tokens(patches) + where), 1)
        return tokens, self.modulation(whole).unflatten(-1, (6, -1))

    def _transformed(self, x: Tensor, whole: Tensor, each: Tensor, text: Tensor, given: Conditions) -> Tensor:
        """Stem features [B F, c, H/2, W/2] through the transformer and back."""
        (t, h, w), c, batch = self.grid, x.shape[1], len(whole)
        tokens, condition = self._tokens(x, whole, each, text, given)
        for block in self.blocks:
            tokens = block(tokens, condition, self.table)
        out = self.pixels(F.layer_norm(tokens[:, text.shape[1] :], tokens.shape[-1:]))
        out = out.reshape(batch, t, h, w, 2, c, 2, 2).permute(0, 1, 4, 5, 2, 6, 3, 7)
        return out.reshape(x.shape[0], c, 2 * h, 2 * w)


def grown(network: BaseNetwork, words: Sequence[str], more: Sequence[str]) -> BaseNetwork:
    """The network with a place for new words, which say nothing yet.

    Args:
        network: what knows `words`, in the order of their ids.
        words, more: its vocabulary, and one that holds all of it, in any order.
    """
    if tuple(words) == tuple(more):
        return network
    old = network.text.embed.weight
    known = {word: i + 1 for i, word in enumerate(words)}
    rows = [old[0], *(old[known[word]] if word in known else old[1:].mean(0) for word in more)]
    wider = BaseNetwork(replace(network.config, vocabulary=len(more)))
    wider.load_state_dict({**network.state_dict(), "text.embed.weight": torch.stack(rows)})
    return wider
