"""Our sampling asks every network exactly what diffusers' own pipelines ask: same noise in, same clip out.

This is what makes a teacher of the same code trustworthy, since `denoise` and `generate` share one velocity.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from fourreal.video import CameraPath, KnownFrames
from fourreal.video.path_cameras import cameras_of_path

from .tiny_latent import PIPELINES, SIZES, ltx_first, tiny_latent

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of their schedulers
PROMPT = "a fox jumping on grass"
SIZE = (32, 64)


@pytest.fixture(params=PIPELINES, scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def smooth(count: int, size: tuple[int, int]) -> torch.Tensor:
    rough = torch.rand(count, 3, 3, 4, generator=torch.Generator().manual_seed(5))
    return torch.nn.functional.interpolate(rough, size, mode="bilinear", align_corners=False).clamp(0, 1)


def ours(kind: str, known: KnownFrames | None, camera: CameraPath | None = None) -> torch.Tensor:
    model = tiny_latent(kind)
    return model.generate(model.encode_text(PROMPT), known=known, camera=camera, seed=3)


def theirs(kind: str, **conditions: Any) -> torch.Tensor:
    """The same through the pipeline as its makers wrote it."""
    model = tiny_latent(kind)
    pipe = PIPELINES[kind]()
    pipe.set_progress_bar_config(disable=True)
    height, width = model.spec.size
    made = pipe(
        prompt=PROMPT,
        negative_prompt=model.facts.negative,
        height=height,
        width=width,
        num_frames=17,
        num_inference_steps=2,
        guidance_scale=model.guidance,
        generator=torch.Generator().manual_seed(3),
        output_type="pt",
        **conditions,
    ).frames
    return made.reshape(17, 3, height, width)


def pil(frame: torch.Tensor) -> Any:
    from PIL import Image

    return Image.fromarray((frame.permute(1, 2, 0) * 255).round().byte().numpy())


def assert_same(one: torch.Tensor, other: torch.Tensor, but: tuple[int, ...] = ()) -> None:
    keep = [i for i in range(len(one)) if i not in but]
    assert one[keep].std() > 0.01, "a clip of one colour proves nothing"
    torch.testing.assert_close(one[keep], other[keep], atol=2e-4, rtol=0)


@pytest.mark.parametrize("kind", ["wan", "wan-vace", "ltx", "ltx-first"])
def test_text_alone(kind: str) -> None:
    assert_same(ours(kind, None), theirs(kind, **({"frame_rate": 24} if "ltx" in kind else {})))


@pytest.mark.parametrize("indices", [(0,), tuple(range(9)), (2, 5, 16)])
def test_vace_with_known_frames(indices: tuple[int, ...]) -> None:
    known = KnownFrames(indices, smooth(len(indices), SIZE))
    clip, mask = torch.full((17, 3, *SIZE), 0.5), torch.ones(17, 3, *SIZE)
    clip[list(indices)], mask[list(indices)] = known.frames, 0
    assert_same(ours("wan-vace", known), theirs("wan-vace", video=clip[None], mask=mask[None]), indices)


@pytest.mark.parametrize("kind", ["wan-experts", "wan-ti2v"])
def test_wan_from_a_first_frame(kind: str) -> None:
    known = KnownFrames((0,), smooth(1, SIZE))
    assert_same(ours(kind, known), theirs(kind, image=known.frames), (0,))


def test_wan_that_looks_at_the_first_frame() -> None:
    """Wan 2.1's CLIP embedding, of 8 bits a channel as CLIP was trained."""
    frame = (smooth(1, SIZE) * 255).round() / 255
    found = ours("wan-clip", KnownFrames((0,), frame))
    assert_same(found, theirs("wan-clip", image=pil(frame[0])), (0,))


def test_the_first_ltx_from_a_first_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers.pipelines.ltx import pipeline_ltx_image2video as theirs_module

    monkeypatch.setattr(theirs_module, "retrieve_latents", lambda made, *_: made.latent_dist.mode())
    monkeypatch.setitem(PIPELINES, "ltx-first", lambda: theirs_module.LTXImageToVideoPipeline(**ltx_first().components))
    known = KnownFrames((0,), smooth(1, SIZE))
    assert_same(ours("ltx-first", known), theirs("ltx-first", image=known.frames, frame_rate=24), (0,))


@pytest.mark.parametrize("indices", [(0,), tuple(range(9)), (8,)])
def test_ltx_with_known_frames(indices: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Their latents of known frames are samples and get noise on top; without both, nothing differs."""
    from diffusers.pipelines.ltx import pipeline_ltx_condition as theirs_module

    monkeypatch.setattr(theirs_module, "retrieve_latents", lambda made, **_: made.latent_dist.mode())
    known = KnownFrames(indices, smooth(len(indices), SIZE))
    told: dict[str, Any] = {"image": known.frames} if len(indices) == 1 else {"video": known.frames[None]}
    pictures = theirs("ltx", **told, frame_index=indices[0], image_cond_noise_scale=0.0, frame_rate=24)
    assert_same(ours("ltx", known), pictures, indices)


def test_sana_wm_along_a_camera_path() -> None:
    size = SIZES["sana-wm"]
    frame = (smooth(1, size) * 255).round() / 255
    path = CameraPath(torch.stack([torch.linspace(0, 0.8, 17), torch.linspace(0, 0.2, 17), torch.zeros(17)], 1))
    model = tiny_latent("sana-wm")
    cameras = cameras_of_path(path, size, distance=model.settings.distance, fov=model.settings.fov)
    K = cameras.Ks[0]
    made = theirs(
        "sana-wm",
        image=pil(frame[0]),
        c2w=torch.linalg.inv(cameras.viewmats).numpy(),
        intrinsics=[float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2])],
    )
    assert_same(ours("sana-wm", KnownFrames((0,), frame), path), made, (0,))
