"""Wan's autoencoders over whole clips are diffusers' own, which work piece by piece: values, and gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fourreal.video import VideoModelError
from fourreal.video.latent import causal
from fourreal.video.latent.causal import WAYS, Kernel, Step, Way, activated, activated_back, normed
from fourreal.video.latent.clips import Clips
from fourreal.video.latent.codec import Codec

from .tiny_latent import tiny_latent

pytestmark = pytest.mark.usefixtures("one_thread")

KINDS = ("2.1", "2.2")
SIZES = {"2.1": (16, 24), "2.2": (32, 48)}
# Pieces that are first, second (which looks back to the first), and others; every way through the longest.
CASES = [("joined", 1), ("joined", 5), *((way, 13) for way in WAYS)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64).to(dtype)


@cache
def autoencoder(kind: str, dtype: torch.dtype = torch.float64) -> Any:
    """As published but for the number of channels; norms and biases, which start as ones and zeros, are moved."""
    from diffusers import AutoencoderKLWan

    more: dict[str, Any] = {"z_dim": 4, "latents_mean": [0.1] * 4, "latents_std": [1.5] * 4}
    if kind == "2.2":
        more |= {"in_channels": 12, "out_channels": 12, "is_residual": True, "patch_size": 2, "decoder_base_dim": 3}
        more |= {"scale_factor_spatial": 16}
    torch.manual_seed(3)
    vae = AutoencoderKLWan(base_dim=2, **more).to(dtype).eval().requires_grad_(False)
    for weights in vae.parameters():
        if weights.dim() == 1 or weights.numel() == len(weights):
            weights.add_(0.2 * torch.randn_like(weights))
    return vae


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their doubling of pixels goes through single precision, which no comparison in double precision survives."""
    from diffusers.models.autoencoders.autoencoder_kl_wan import WanUpsample

    monkeypatch.setattr(WanUpsample, "forward", nn.Upsample.forward)


def whole(kind: str, way: Way, dtype: torch.dtype = torch.float64) -> Clips:
    found = Clips.of(autoencoder(kind, dtype), way)
    assert found is not None
    return found


def with_gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    made = function(x)
    return made.detach(), torch.autograd.grad(made, x, randn(*made.shape, seed=7, dtype=made.dtype))[0]


@pytest.mark.usefixtures("exact")
class TestEqual:
    @pytest.mark.parametrize(("way", "frames"), CASES)
    @pytest.mark.parametrize("kind", KINDS)
    def test_encoding(self, kind: str, way: Way, frames: int) -> None:
        clip, vae = randn(1, 3, frames, *SIZES[kind]), autoencoder(kind)
        theirs = with_gradient(lambda x: vae.encode(x).latent_dist.mode(), clip)
        assert theirs[1].any()
        torch.testing.assert_close(with_gradient(whole(kind, way).encode, clip), theirs, atol=1e-12, rtol=1e-9)

    @pytest.mark.parametrize(("way", "frames"), CASES)
    @pytest.mark.parametrize("kind", KINDS)
    def test_decoding(self, kind: str, way: Way, frames: int) -> None:
        latents, vae = randn(1, 4, (frames - 1) // 4 + 1, 2, 3), autoencoder(kind)
        theirs = vae.decode(latents).sample
        assert float((theirs.abs() < 1).double().mean()) > 0.5, "what is clamped proves nothing"
        torch.testing.assert_close(whole(kind, way).decode(latents), theirs, atol=1e-12, rtol=1e-9)

    def test_gradients_of_decoding(self) -> None:
        latents, vae = randn(1, 4, 3, 2, 2), autoencoder("2.1")
        theirs = with_gradient(lambda z: vae.decode(z).sample, latents)
        torch.testing.assert_close(with_gradient(whole("2.1", "joined").decode, latents), theirs, atol=1e-11, rtol=1e-9)

    def test_frames_that_fill_no_piece_are_left_out(self) -> None:
        clip = randn(1, 3, 12, 16, 16)
        theirs = autoencoder("2.1").encode(clip).latent_dist.mode()
        torch.testing.assert_close(whole("2.1", "joined").encode(clip), theirs)


@pytest.mark.parametrize(("kind", "way"), [*(("2.1", way) for way in WAYS), ("2.2", "joined")])
def test_single_precision_rounds_as_theirs_does(kind: str, way: Way) -> None:
    """As far from the truth in double precision as theirs, to a factor of two."""
    clip, latents = randn(1, 3, 5, *SIZES[kind]), randn(1, 4, 2, 2, 3)
    vae, ours = autoencoder(kind, torch.float32), whole(kind, way, torch.float32)
    truth = whole(kind, way)
    cases = (
        (truth.encode(clip), vae.encode(clip.float()).latent_dist.mode(), ours.encode(clip.float())),
        (truth.decode(latents), vae.decode(latents.float()).sample, ours.decode(latents.float())),
    )
    for right, theirs, mine in cases:
        assert float((mine - right).abs().mean()) < 2 * float((theirs - right).abs().mean()) + 1e-8
        torch.testing.assert_close(mine, theirs, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("way", WAYS)
def test_half_precision_rounds_as_theirs_does(way: Way) -> None:
    clip, latents = randn(2, 3, 5, 16, 16), randn(2, 4, 2, 2, 2)
    vae, ours, truth = autoencoder("2.1", torch.bfloat16), whole("2.1", way, torch.bfloat16), whole("2.1", way)
    clip, latents = clip.bfloat16(), latents.bfloat16()
    cases = (
        (truth.encode(clip.double()), vae.encode(clip).latent_dist.mode(), ours.encode(clip)),
        (truth.decode(latents.double()), vae.decode(latents).sample, ours.decode(latents)),
    )
    for right, theirs, mine in cases:
        assert mine.dtype == torch.bfloat16
        assert float((mine - right).abs().mean()) < 1.5 * float((theirs - right).abs().mean())


class TestSteps:
    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("frames", [1, 2, 5])
    def test_a_kernel_is_the_convolution_and_its_mirror_the_gradient(self, way: Way, frames: int) -> None:
        x, weight = randn(2, frames, 4, 5, 3).requires_grad_(), randn(6, 3, 3, 3, 3, seed=1)
        padded = F.pad(x.permute(0, 4, 1, 2, 3), (1, 1, 1, 1, 2, 0))
        right = F.conv3d(padded, weight).permute(0, 2, 3, 4, 1)
        step = Step(weight, way)
        torch.testing.assert_close(step.forward(x.detach()), right.detach())
        grad = randn(*right.shape, seed=2)
        (back,) = torch.autograd.grad(right, x, grad)
        torch.testing.assert_close(step.backward(x.detach(), grad), back)

    def test_the_activations_gradient(self) -> None:
        x, bias, gamma = randn(5, 7).requires_grad_(), randn(7, seed=1), randn(7, seed=2)
        assert torch.autograd.gradcheck(lambda x: activated(x, bias, gamma), x)
        grad = randn(5, 7, seed=3)
        (right,) = torch.autograd.grad(activated(x, bias, gamma), x, grad)
        torch.testing.assert_close(activated_back(x.detach(), bias, gamma, grad), right)
        assert not activated_back(torch.zeros(1, 7), torch.zeros(7), torch.ones(7), torch.zeros(1, 7)).any()

    def test_a_norm_is_a_root_mean_square(self) -> None:
        x = randn(4, 9)
        torch.testing.assert_close(normed(3 * x, torch.ones(9)).square().mean(-1), torch.ones(4).double())
        assert not normed(torch.zeros(1, 9), torch.ones(9)).any()

    @pytest.mark.parametrize("way", WAYS)
    def test_gradients_by_finite_differences(self, way: Way) -> None:
        step = Step(randn(2, 3, 3, 3, 3), way, randn(3, seed=1), randn(3, seed=2))
        assert torch.autograd.gradcheck(step, randn(1, 3, 2, 2, 3, seed=4).requires_grad_())

    def test_nothing_but_what_came_is_kept(self) -> None:
        """Gradients of whole clips would take tens of gigabytes otherwise."""
        kept: list[Tensor] = []
        x = randn(1, 5, 4, 4, 8).requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
            Step(randn(8, 8, 3, 3, 3), "joined", torch.ones(8), torch.zeros(8))(x)
        assert [t.data_ptr() for t in kept] == [x.data_ptr()]

    def test_channels_are_filled_up_for_matrix_units(self) -> None:
        kernel = Kernel.of(torch.ones(5, 3, 3, 3, 3), "joined")
        assert kernel.weight.shape == (8, 24, 3, 3)
        assert kernel(kernel.arranged(torch.ones(1, 1, 3, 3, 3))).shape == (1, 1, 3, 3, 5)


class TestUnknown:
    """What is not known is left to diffusers, which then does all of it."""

    def test_other_autoencoders(self) -> None:
        assert Clips.of(tiny_latent("ltx").codec.vae, "joined") is None
        model = tiny_latent("ltx")
        with model.codec.scoring():
            assert model.codec._whole() is None

    @pytest.mark.parametrize(
        "change",
        [
            lambda vae: setattr(vae.encoder.mid_block.resnets[0], "nonlinearity", nn.ReLU()),
            lambda vae: setattr(vae.decoder.conv_in, "dilation", (1, 2, 2)),
            lambda vae: setattr(vae.decoder.up_blocks[0].upsamplers[0], "mode", "upsample4d"),
            lambda vae: setattr(vae.decoder, "up_blocks", nn.ModuleList([nn.Identity()])),
            lambda vae: setattr(vae.encoder.norm_out, "bias", nn.Parameter(torch.ones(3, 1, 1, 1))),
            lambda vae: delattr(vae, "quant_conv"),
        ],
    )
    def test_other_layers(self, change: Callable[[Any], None]) -> None:
        from diffusers import AutoencoderKLWan

        vae = AutoencoderKLWan(base_dim=3, dim_mult=[1, 1, 1, 1], num_res_blocks=1)
        assert Clips.of(vae, "joined") is not None
        change(vae)
        assert Clips.of(vae, "joined") is None

    def test_a_half_that_no_piece_fits(self) -> None:
        from diffusers import AutoencoderKLWan

        vae = AutoencoderKLWan(base_dim=3, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[True] * 3)
        assert Clips.of(vae, "joined") is None

    def test_the_old_way_is_still_there(self) -> None:
        vae = tiny_latent("wan").codec.vae
        codec = Codec.of(vae, way=None)
        frames = torch.rand(17, 3, 32, 32, generator=seeded())
        with codec.scoring():
            assert codec._whole() is None
            assert torch.equal(codec.encode(frames), Codec.of(vae).encode(frames))


@pytest.mark.parametrize("kind", ["wan", "wan-ti2v"])
def test_scores_work_on_whole_clips_and_drawing_does_not(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = tiny_latent(kind), []
    vae = model.codec.vae
    pieces = replace(model, codec=Codec.of(vae, None))
    encode, decode = vae._encode, vae._decode
    monkeypatch.setattr(vae, "_encode", lambda *a, **k: asked.append("encode") or encode(*a, **k))
    monkeypatch.setattr(vae, "_decode", lambda *a, **k: asked.append("decode") or decode(*a, **k))
    frames = torch.rand(17, 3, *model.spec.picture_size, generator=seeded())
    z = model.encode(frames)
    shown = model.decode(z)
    assert asked == []
    assert torch.equal(pieces.encode(frames), model.codec.encode(frames)[0].transpose(0, 1)), "it can be declined"
    asked.clear()
    torch.testing.assert_close(z, model.codec.encode(frames)[0].transpose(0, 1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(shown, model.codec.decode(z.transpose(0, 1)[None])[0], atol=1e-4, rtol=1e-4)
    assert asked == ["encode", "decode"]


@pytest.mark.parametrize("kind", ["wan", "ltx"])
def test_clips_are_decoded_together_as_alone(kind: str) -> None:
    model = tiny_latent(kind)
    z = torch.randn(2, model.spec.encoded_frames, model.spec.channels, *model.spec.score_size, generator=seeded())
    both = model.decode(z)
    assert both.shape[:2] == (2, 17)
    torch.testing.assert_close(both, torch.stack([model.decode(one) for one in z]), atol=1e-5, rtol=1e-5)


def test_a_recorded_gradient_has_one_owner_at_a_time() -> None:
    """Recordings (which a CPU does not make) have memory for one clip: until its gradient is taken, or it is gone."""
    codec = Codec.of(tiny_latent("wan").codec.vae)
    clips = [torch.rand(1, 3, 5, 16, 16, generator=seeded(i)).requires_grad_() for i in range(2)]

    def owner() -> object:
        return codec._state.lease()

    with codec.scoring():
        right = [torch.autograd.grad(codec._modes(clip).sum(), clip)[0] for clip in clips]
        first = codec._taught(clips[0])
        lease = owner()
        second = codec._taught(clips[1])
        assert lease is not None
        assert owner() is lease, "the second clip runs beside the recording"
        for made, clip, gradient in zip((first, second), clips, right, strict=True):
            torch.testing.assert_close(torch.autograd.grad(made.sum(), clip, retain_graph=True)[0], gradient)
        third = codec._taught(clips[1])
        assert owner() is not lease
        with pytest.raises(VideoModelError, match="a second time, after another clip"):
            torch.autograd.grad(first.sum(), clips[0])
        del third
        assert owner() is None, "a clip whose gradient nobody can take any more holds nothing"


def test_without_triton_the_plain_formulas_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    causal.kernels.cache_clear()
    monkeypatch.setattr(causal.importlib, "import_module", lambda *a: (_ for _ in ()).throw(ImportError()))
    assert causal.kernels() is None
    causal.kernels.cache_clear()
