"""Wan's autoencoders over whole clips: for scores, which want the same small clip again and again.

diffusers works through a clip in pieces, one frame and then four at a time (to decode, one latent frame at a time), and
keeps the frames that causal convolutions look back to: little memory, many small launches. Here every layer sees the
whole clip. What is computed is the same, with the rule of the first piece written out: halving frames in time leaves
the first as it is, doubling them leaves it alone, and doubling looks back no further than the second.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fourreal.core.replay import best_convolutions

from .causal import TAPS, Step, Way, normed, summed, wide

Layer = Callable[[Tensor], Tensor]  # [N, F, H, W, C] to the same with other numbers
_PIECE = 4  # frames that diffusers encodes at once


class UnknownLayerError(Exception):
    """An autoencoder has a layer, or a form of one, that this module does not know."""


@dataclass(frozen=True, eq=False)
class Clips:
    """An `AutoencoderKLWan` of diffusers, over whole clips; its weights are copied, laid out for speed.

    Attributes:
        encoder, decoder: the layers of both halves.
        patch: pixels on a side that become channels first (Wan 2.2); 1 if none do.
    """

    encoder: tuple[Layer, ...]
    decoder: tuple[Layer, ...]
    patch: int

    @staticmethod
    def of(vae: Any, way: Way) -> Clips | None:
        """The autoencoder, convolved this way; None if it has layers unknown here, which diffusers itself must run."""
        try:
            _expect(type(vae).__name__ == "AutoencoderKLWan", vae)
            _expect(sum(vae.config.temperal_downsample) <= int(math.log2(_PIECE)), vae)
            build = _Build(way)
            return Clips(build.encoder(vae), build.decoder(vae), int(vae.config.patch_size or 1))
        except (UnknownLayerError, AttributeError):  # another version of diffusers may name things otherwise
            return None

    def encode(self, clip: Float[Tensor, "N 3 F H W"]) -> Float[Tensor, "N C f h w"]:
        """The most likely latents, as `encode(clip).latent_dist.mode()`; differentiable."""
        from diffusers.models.autoencoders.autoencoder_kl_wan import patchify

        kept = 1 + (clip.shape[2] - 1) // _PIECE * _PIECE  # diffusers leaves out what fills no piece, too
        x = patchify(clip[:, :, :kept], self.patch).permute(0, 2, 3, 4, 1)
        for layer in self.encoder:
            x = layer(x)
        return x.permute(0, 4, 1, 2, 3)

    def decode(self, latents: Float[Tensor, "N C f h w"]) -> Float[Tensor, "N 3 F H W"]:
        """The clip in [-1, 1], as `decode(latents)`."""
        from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify

        x = latents.permute(0, 2, 3, 4, 1)
        for layer in self.decoder:
            x = layer(x)
        return unpatchify(x.permute(0, 4, 1, 2, 3), self.patch).clamp(-1, 1)


def _expect(holds: bool, module: Any) -> None:
    if not holds:
        raise UnknownLayerError(type(module).__name__)


def _named(module: Any, name: str) -> None:
    _expect(type(module).__name__ == name, module)


def _vector(weights: Tensor) -> Tensor:
    return wide(weights.detach()).flatten()


def _gamma(norm: Any) -> Tensor:
    """The weights of a norm over channels."""
    _named(norm, "WanRMS_norm")
    _expect(norm.channel_first and not isinstance(norm.bias, Tensor), norm)
    return _vector(norm.gamma)


def _matrix(convolution: Any) -> tuple[Tensor, Tensor]:
    """Weights and bias of a convolution that sees one pixel."""
    weight = convolution.weight.detach()
    _expect(set(weight.shape[2:]) == {1}, convolution)
    _plain(convolution, weight.shape[2:], (1,) * (weight.dim() - 2))
    return weight.flatten(1).contiguous(), convolution.bias.detach()


def _plain(convolution: Any, size: Iterable[int], stride: Iterable[int]) -> None:
    """Expect a convolution of this size and stride, and a bias."""
    same = tuple(convolution.kernel_size) == tuple(size) and tuple(convolution.stride) == tuple(stride)
    bare = set(convolution.dilation) == {1} and convolution.groups == 1 and convolution.bias is not None
    _expect(same and bare, convolution)


@dataclass(frozen=True)
class _Build:
    """Layers from the modules of diffusers; each is checked to be what it is taken for.

    Attributes:
        way: of all causal convolutions.
    """

    way: Way

    def encoder(self, vae: Any) -> tuple[Layer, ...]:
        """Frames to the most likely latents: the first half of what the last convolution makes."""
        half, (weight, bias) = vae.encoder, _matrix(vae.quant_conv)
        _named(half, "WanEncoder3d")
        most = len(weight) // 2
        ends = partial(F.linear, weight=weight[:most], bias=bias[:most])
        inner = [self.layer(module) for module in half.down_blocks]
        return (*self.begin(half), *inner, *self.middle(half.mid_block), *self.end(half), ends)

    def decoder(self, vae: Any) -> tuple[Layer, ...]:
        """Latents to frames."""
        half, (weight, bias) = vae.decoder, _matrix(vae.post_quant_conv)
        _named(half, "WanDecoder3d")
        begins = partial(F.linear, weight=weight, bias=bias)
        inner = [self.layer(module) for module in half.up_blocks]
        return (begins, *self.begin(half), *self.middle(half.mid_block), *inner, *self.end(half))

    def begin(self, half: Any) -> tuple[Layer, ...]:
        """The first convolution."""
        return self.step(half.conv_in), partial(_biased, bias=_vector(half.conv_in.bias))

    def end(self, half: Any) -> tuple[Layer, ...]:
        """The last norm, activation and convolution."""
        _named(half.nonlinearity, "SiLU")
        gamma = _gamma(half.norm_out)
        last = self.step(half.conv_out, gamma, torch.zeros_like(gamma))
        return last, partial(_biased, bias=_vector(half.conv_out.bias))

    def step(self, convolution: Any, gamma: Tensor | None = None, bias: Tensor | None = None) -> Step:
        """A causal convolution of three frames and 3x3 pixels."""
        _named(convolution, "WanCausalConv3d")
        _plain(convolution, (TAPS, 3, 3), (1, 1, 1))
        _expect(tuple(convolution._padding) == (1, 1, 1, 1, TAPS - 1, 0), convolution)
        return Step(convolution.weight.detach(), self.way, gamma, bias)

    def layer(self, module: Any) -> Layer:
        """Whatever stands between the first and the last convolution."""
        known: dict[str, Callable[[Any], Layer]] = {
            "WanResidualBlock": self.residual,
            "WanResample": resample,
            "WanUpBlock": self.up,
            "WanResidualDownBlock": self.shortened,
            "WanResidualUpBlock": self.shortened,
        }
        _expect(type(module).__name__ in known, module)
        return known[type(module).__name__](module)

    def middle(self, module: Any) -> list[Layer]:
        """Residual blocks with attention between them."""
        _named(module, "WanMidBlock")
        first, *others = module.resnets
        layers = [self.residual(first)]
        for attention, block in zip(module.attentions, others, strict=True):
            layers += [self.attention(attention), self.residual(block)]
        return layers

    def residual(self, module: Any) -> Layer:
        """Twice norm, activation and convolution, beside what came."""
        _named(module, "WanResidualBlock")
        _named(module.nonlinearity, "SiLU")
        one, other = _gamma(module.norm1), _gamma(module.norm2)
        first = self.step(module.conv1, one, torch.zeros_like(one))
        second = self.step(module.conv2, other, _vector(module.conv1.bias))
        shortcut = module.conv_shortcut
        past = None if isinstance(shortcut, nn.Identity) else _matrix(shortcut)
        return _Residual(first, second, _vector(module.conv2.bias), past)

    def attention(self, module: Any) -> Layer:
        """Within each frame."""
        _named(module, "WanAttentionBlock")
        return _Attention(_gamma(module.norm), _matrix(module.to_qkv), _matrix(module.proj))

    def up(self, module: Any) -> Layer:
        """Residual blocks, then more pixels."""
        layers = [self.residual(block) for block in module.resnets]
        return partial(_chain, layers=(*layers, *(resample(one) for one in module.upsamplers or ())))

    def shortened(self, module: Any) -> Layer:
        """Wan 2.2: residual blocks and a change of size, beside means or copies of what came."""
        sized = getattr(module, "downsampler", None) or getattr(module, "upsampler", None)
        layers = [self.residual(block) for block in module.resnets]
        layers += [resample(sized)] if sized is not None else []
        past = module.avg_shortcut
        if past is None:
            return partial(_chain, layers=tuple(layers))
        _expect(type(past).__name__ in ("AvgDown3D", "DupUp3D"), past)
        if type(past).__name__ == "DupUp3D":
            past = partial(past, first_chunk=True)
        return partial(_beside, layers=tuple(layers), past=past)


def _biased(x: Tensor, bias: Tensor) -> Tensor:
    return x + bias.to(x)


def _chain(x: Tensor, layers: tuple[Layer, ...]) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x


def _beside(x: Tensor, layers: tuple[Layer, ...], past: Layer) -> Tensor:
    """What the layers make of x, and what `past`, a module of diffusers, does."""
    return _chain(x, layers) + past(x.permute(0, 4, 1, 2, 3).contiguous()).permute(0, 2, 3, 4, 1)


@dataclass(frozen=True, eq=False)
class _Residual:
    first: Step
    second: Step
    bias: Float[Tensor, " O"]  # of the second convolution
    past: tuple[Tensor, Tensor] | None

    def __call__(self, x: Tensor) -> Tensor:
        past = x if self.past is None else F.linear(x, *self.past)
        return summed(past, self.second(self.first(x)), self.bias)


@dataclass(frozen=True, eq=False)
class _Attention:
    gamma: Float[Tensor, " C"]
    inward: tuple[Tensor, Tensor]
    outward: tuple[Tensor, Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        asked = F.linear(normed(x, self.gamma), *self.inward)
        q, k, v = asked.flatten(0, 1).flatten(1, 2)[:, None].chunk(3, -1)
        seen = F.scaled_dot_product_attention(q, k, v).reshape(x.shape)
        return x + F.linear(seen, *self.outward)


def resample(module: Any) -> Layer:
    """More or fewer pixels, and frames."""
    _named(module, "WanResample")
    up, time = module.mode.startswith("upsample"), module.mode.endswith("3d")
    _expect(module.mode in ("upsample2d", "upsample3d", "downsample2d", "downsample3d"), module)
    first, convolution = module.resample
    if up:
        _expect(type(first).__name__ == "WanUpsample" and tuple(first.scale_factor) == (2.0, 2.0), first)
    else:
        _expect(tuple(first.padding) == (0, 1, 0, 1), first)
    _plain(convolution, (3, 3), (1, 1) if up else (2, 2))
    weight = convolution.weight.detach().contiguous(memory_format=torch.channels_last)
    pixels = partial(_larger if up else _smaller, weight=weight, bias=convolution.bias.detach())
    if not time:
        return pixels
    _named(module.time_conv, "WanCausalConv3d")
    _plain(module.time_conv, (TAPS, 1, 1), (1 if up else 2, 1, 1))
    frames = module.time_conv.weight.detach()[..., 0, 0].transpose(1, 2).flatten(1).contiguous()
    moments = partial(_doubled if up else _halved, weight=frames, bias=module.time_conv.bias.detach())
    return partial(_chain, layers=(moments, pixels) if up else (pixels, moments))


def _pictures(x: Tensor) -> Tensor:
    return x.flatten(0, 1).permute(0, 3, 1, 2)


def _clips(pictures: Tensor, like: Tensor) -> Tensor:
    return pictures.permute(0, 2, 3, 1).unflatten(0, like.shape[:2])


def _larger(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Twice as many pixels on a side, then a convolution."""
    with best_convolutions():
        return _clips(F.conv2d(F.interpolate(_pictures(x), scale_factor=2.0), weight, bias, padding=1), x)


def _smaller(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Half as many pixels on a side, by a convolution that sees zeros to the right and below."""
    with best_convolutions():
        return _clips(F.conv2d(F.pad(_pictures(x), (0, 1, 0, 1)), weight, bias, stride=2), x)


def _doubled(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Two frames for each but the first, which no other looks back to."""
    count = x.shape[1] - 1
    before = F.pad(x[:, 1:], (0, 0, 0, 0, 0, 0, TAPS - 1, 0))
    made = F.linear(torch.cat([before[:, k : k + count] for k in range(TAPS)], -1), weight, bias)
    pairs = made.unflatten(-1, (2, -1)).permute(0, 1, 4, 2, 3, 5).flatten(1, 2)
    return torch.cat([x[:, :1], pairs], 1)


def _halved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """One frame for every two after the first, from them and the one before."""
    if x.shape[1] == 1:
        return x
    seen = torch.cat([x[:, :-2:2], x[:, 1:-1:2], x[:, 2::2]], -1)
    return torch.cat([x[:, :1], F.linear(seen, weight, bias)], 1)
