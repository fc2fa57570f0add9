"""The one loss: identities between parametrisations, where gradients go, scale, and a known world that it finds."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fourreal.core.errors import FieldError
from fourreal.guidance import N_REF, Known, annealed_level, augment, level_of, sds_loss, sigma_of
from fourreal.video import KnownFrames
from fourreal.video.oracle import OracleVideoModel


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scaled(frames: Tensor) -> Tensor:
    return frames * 2 - 1


def half(x: Tensor, sigma: float, known: Known | None) -> Tensor:
    return x / 2


def clip(frames: int = 3, height: int = 4, width: int = 5, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(frames, 3, height, width, generator=seeded(9), dtype=dtype).requires_grad_()


def gradient(loss: Tensor, frames: Tensor) -> Tensor:
    return torch.autograd.grad(loss, frames)[0]


@pytest.mark.parametrize("sigma", [0.02, 0.7, 40.0])
def test_networks_of_clean_noise_and_velocity_give_one_gradient(sigma: float) -> None:
    """A network in each parametrisation, of one function; x - x0 = sigma (eps' - eps) = t (v' - (eps - x))."""
    frames, t = clip(), level_of(sigma)
    mix = torch.randn(3, 3, 3, 3, generator=seeded(4), dtype=torch.float64)

    def predicted_noise(noisy: Tensor) -> Tensor:
        return F.conv2d(noisy / (1 + sigma), mix, padding=1).tanh()

    def by_noise(x: Tensor, sigma: float, known: Known | None) -> Tensor:
        return x - sigma * predicted_noise(x)

    def by_velocity(x: Tensor, sigma: float, known: Known | None) -> Tensor:
        noised = (1 - t) * x  # the flow's own mix (1 - t) clean + t noise
        velocity = predicted_noise(x) - by_noise(x, sigma, None)
        return noised - t * velocity

    found = [
        gradient(sds_loss(frames, scaled, d, sigma=sigma, generator=seeded()), frames) for d in (by_noise, by_velocity)
    ]
    clean = scaled(frames)
    noise = torch.randn(clean.shape, generator=seeded(), dtype=torch.float64)
    apart = (predicted_noise(clean + sigma * noise) - noise).detach()  # SDS as DreamFusion has it
    textbook = torch.autograd.grad(clean, frames, 2 * sigma * apart * N_REF / clean.numel())[0]
    for grad in found:
        assert float((grad - textbook).abs().max() / textbook.abs().max()) < 1e-9


@pytest.mark.parametrize("sigma", [0.3, 5.0])
def test_weightings_differ_by_their_factor(sigma: float) -> None:
    loss = {
        w: float(sds_loss(clip(), scaled, half, sigma=sigma, generator=seeded(), weighting=w).detach())
        for w in ("x0", "flow", "eps")
    }
    assert loss["flow"] == pytest.approx(loss["x0"] / level_of(sigma))
    assert loss["eps"] == pytest.approx(loss["x0"] / sigma)


def test_at_the_papers_size_it_is_the_papers_sum() -> None:
    frames, told = clip(16, 36, 64, torch.float32), Known((0,), torch.rand(1, 3, 36, 64))
    loss = sds_loss(frames, scaled, lambda x, s, k: torch.zeros_like(x), sigma=0.5, generator=seeded(), known=told)
    expected = scaled(frames[1:]).square().sum()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_known_frames_pull_but_are_not_pulled() -> None:
    frames = clip(5)
    given = torch.rand(2, 3, 4, 5, dtype=torch.float64).requires_grad_()
    seen = []

    def denoise(x: Tensor, sigma: float, known: Known | None) -> Tensor:
        seen.append((x, known))
        assert not torch.is_grad_enabled()
        assert not x.requires_grad
        return x - x.mean(0, keepdim=True)  # frames talk to each other

    loss = sds_loss(frames, scaled, denoise, sigma=1e-6, generator=seeded(), known=Known((0, 3), given))
    loss.backward()
    assert frames.grad is not None
    assert given.grad is None
    assert float(frames.grad[[0, 3]].abs().max()) == 0
    assert float(frames.grad[[1, 2, 4]].abs().amax((1, 2, 3)).min()) > 0
    assert seen[0][1].indices == (0, 3)
    torch.testing.assert_close(seen[0][0][[0, 3]], scaled(given.detach()), atol=1e-4, rtol=0)


def test_no_gradient_reaches_known_frames_through_an_encoder_that_merges() -> None:
    frames = clip(6)

    def pairs(x: Tensor) -> Tensor:
        return scaled(x).unflatten(0, (3, 2)).mean(1)

    sds_loss(frames, pairs, half, sigma=1.0, generator=seeded(), known=Known((0,), frames[:1])).backward()
    assert frames.grad is not None
    assert float(frames.grad[0].abs().max()) == 0
    assert float(frames.grad[1].abs().max()) > 0


def test_no_gradient_into_the_network() -> None:
    layer = torch.nn.Conv2d(3, 3, 1, dtype=torch.float64)
    frames = clip()
    sds_loss(frames, scaled, lambda x, s, k: layer(x), sigma=1.0, generator=seeded()).backward()
    assert layer.weight.grad is None
    assert frames.grad is not None


def test_the_generator_decides() -> None:
    one, two, other = (sds_loss(clip(), scaled, half, sigma=1.0, generator=seeded(s)).item() for s in (1, 1, 2))
    assert one == two != other


@pytest.mark.parametrize("augmented", [False, True])
def test_it_drives_frames_to_the_oracles_world(augmented: bool) -> None:
    model = OracleVideoModel(3, size=(18, 32), score_size=(18, 32), frames=4)
    text = model.encode_text("anything")
    truth = model.generate(text)
    told = Known((0,), truth[:1])
    frames = torch.full((4, 3, 18, 32), 0.5, requires_grad=True)
    optimizer, generator = torch.optim.Adam([frames], lr=0.1), seeded()

    def denoise(x: Tensor, sigma: float, known: Known | None) -> Tensor:
        assert known is not None
        return model.denoise(x, sigma, text, known=KnownFrames(known.indices, known.frames))

    for step in range(40):
        clip_, known = augment(frames, told, (18, 32), generator)[:2] if augmented else (frames, told)
        sigma = sigma_of(annealed_level(step, 40))
        optimizer.zero_grad()
        sds_loss(clip_, model.encode, denoise, sigma=sigma, generator=generator, known=known).backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 40)
    assert float((frames[1:] - truth[1:]).detach().abs().mean()) < 0.02
    assert torch.equal(frames[0].detach(), torch.full((3, 18, 32), 0.5)), "the known frame is given, not learnt"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sigma": 0.0}, "sigma must be positive"),
        ({"sigma": math.nan}, "sigma must be positive"),
        ({"known": Known((1, 0), torch.rand(2, 3, 4, 5))}, "strictly increasing from 0 to 2"),
        ({"known": Known((), torch.rand(0, 3, 4, 5))}, "not be empty"),
        ({"known": Known((3,), torch.rand(1, 3, 4, 5))}, "from 0 to 2"),
        ({"known": Known((0, 1, 2), torch.rand(3, 3, 4, 5))}, "all 3 frames are known"),
        ({"known": Known((0,), torch.rand(1, 3, 8, 5))}, r"known frames must have shape \[1, 3, 4, 5\]"),
        ({"denoise": lambda x, s, k: x[:1]}, "keep the shape"),
    ],
)
def test_impossible_requests(changes: dict, why: str) -> None:
    arguments = {"encode": scaled, "denoise": half, "sigma": 1.0, "generator": seeded()} | changes
    with pytest.raises(FieldError, match=why):
        sds_loss(clip(), **arguments)


def test_levels() -> None:
    assert level_of(sigma_of(0.3)) == pytest.approx(0.3)
    assert annealed_level(0, 100) == 0.98
    assert annealed_level(25, 100, highest=0.8, lowest=0.2) == pytest.approx(0.5)
    assert annealed_level(100, 100) == pytest.approx(0.02)
    assert annealed_level(900, 100) == annealed_level(100, 100)
    for call in (lambda: sigma_of(1.0), lambda: level_of(-1.0), lambda: annealed_level(-1, 5)):
        with pytest.raises(FieldError):
            call()
    with pytest.raises(FieldError, match="lowest <= highest"):
        annealed_level(1, 5, highest=0.1, lowest=0.5)


def test_the_example_of_the_page_runs() -> None:
    page = Path(__file__).parents[2] / "docs" / "guidance.md"
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
    clip_ = names["clip"]
    assert isinstance(clip_, Tensor)
    assert clip_.grad is not None
