"""A run folder as a lift leaves it, made in a moment: coloured balls that swing over a floor."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from fourreal.core.cameras import Cameras
from fourreal.core.gaussians import Gaussians
from fourreal.core.geometry import look_at
from fourreal.core.scene import Scene
from fourreal.core.video import Video
from fourreal.deform import MlpConfig, NodeConfig, Space, save_field
from fourreal.deform.storage import Field
from fourreal.export import Lifted, read_lifted
from fourreal.export.lifted import load_warp
from fourreal.io.video import write_video

CPU = torch.device("cpu")
SIZE, FRAMES = (96, 54), 5
PROMPT = "three balls <swinging> over a floor & a {{ sky }}"


def floor_and_balls(count: int = 900) -> Gaussians:
    """A grey floor, three balls, and a few far and faint Gaussians."""
    draw = torch.Generator().manual_seed(1)
    third = count // 3
    floor = torch.rand(third, 3, generator=draw) * torch.tensor([4.0, 0.02, 4.0]) - torch.tensor([2.0, 0.7, 2.0])
    middles = torch.tensor([[-0.6, 0, 0], [0, 0.2, 0.2], [0.6, 0, 0]])[torch.arange(third) % 3]
    balls = middles + 0.09 * torch.randn(third, 3, generator=draw)
    sky = torch.randn(count - 2 * third, 3, generator=draw) * torch.tensor([30.0, 20.0, 2.0])
    sky[:, 2] -= 60
    palette = torch.tensor([[0.9, 0.2, 0.15], [0.2, 0.7, 0.3], [0.2, 0.35, 0.9]])
    colors = torch.cat((torch.full((third, 3), 0.45), palette[torch.arange(third) % 3], torch.full_like(sky, 0.75)))
    scales = torch.cat((torch.full((third, 3), 0.08), torch.full((third, 3), 0.05), torch.full_like(sky, 3.0)))
    stretch = 1 + 0.8 * torch.rand(count, 3, generator=draw)
    return Gaussians(
        torch.cat((floor, balls, sky)),
        torch.randn(count, 4, generator=draw),
        (scales * stretch).log(),
        torch.cat((torch.randn(count - 1, generator=draw) + 1, torch.tensor([-9.0]))),  # the last one is never drawn
        (colors + 0.1 * torch.rand(count, 3, generator=draw)).clamp(0, 1),
    )


def cameras(count: int, degrees: float, times: torch.Tensor) -> Cameras:
    angles = torch.linspace(-degrees / 2, degrees / 2, count) * math.pi / 180
    eyes = torch.stack((2.6 * angles.sin(), torch.full_like(angles, 0.5), 2.6 * angles.cos()), 1)
    viewmats = look_at(eyes, torch.zeros(3), torch.tensor([0.0, 1.0, 0.0]))
    K = torch.tensor([[85.0, 0, SIZE[0] / 2], [0, 85.0, SIZE[1] / 2], [0, 0, 1]])
    return Cameras(viewmats, K.repeat(count, 1, 1), *SIZE, times)


def swinging(means: torch.Tensor, config: NodeConfig | MlpConfig) -> Field:
    """A motion that is zero at time 1."""
    field = config.build(means, FRAMES, 1, space=Space(torch.zeros(3), torch.tensor(1.0)))
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in field.named_parameters():
            if name in ("motions", "heads.weight"):
                parameter.add_(
                    torch.randn(parameter.shape, generator=generator) * (0.12 if name == "motions" else 0.03)
                )
    return field


def make_run(folder: Path, config: NodeConfig | MlpConfig | None) -> Path:
    """`scene.safetensors` and, unless `config` is None, `motion.safetensors`."""
    gaussians = floor_and_balls()
    groups = {"freeze": cameras(7, 60.0, torch.ones(7))}
    if config is not None:
        groups["ref"] = cameras(1, 0.0, torch.zeros(1))[[0] * FRAMES]
        groups["ref"] = Cameras(groups["ref"].viewmats, groups["ref"].Ks, *SIZE, torch.arange(FRAMES).float())
        save_field(folder / "motion.safetensors", swinging(gaussians.means, config))
        warp = NodeConfig(nodes=8).build(gaussians.means, 7, 3, space=Space(torch.zeros(3), torch.tensor(1.0)))
        with torch.no_grad():
            warp.motions.normal_(std=0.01, generator=torch.Generator().manual_seed(2))
        save_field(folder / "warp.safetensors", warp)
    background = torch.tensor([0.5, 0.6, 0.7])
    Scene(gaussians, groups, background, n_times=1 if config is None else FRAMES).save(folder / "scene.safetensors")
    return folder


NODES = NodeConfig(nodes=12, interpolation="cubic", scaling=True)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A moving scene with clips, notes and a log."""
    folder = make_run(tmp_path_factory.mktemp("run"), NODES)
    lifted = read_lifted(folder, CPU)
    for group, name in (("ref", "reference"), ("freeze", "freeze")):
        shown = lifted.render(lifted.scene.cameras[group])
        if group == "freeze":  # its frames disagree a little, as the warp says
            warp = load_warp(folder, lifted)
            assert warp is not None
            shown = lifted.render_warped(lifted.scene.cameras[group], warp)
        noisy = shown + 0.02 * torch.randn(3, *SIZE[::-1])
        write_video(folder / "videos" / f"{name}.mp4", Video(noisy.clamp(0, 1), 8.0))
    (folder / "videos" / "videos.json").write_text(json.dumps({"prompt": PROMPT, "understood": "ball, swinging"}))
    stages = {"videos": {"seconds": 4.0, "files": {}}, "temporal": {"seconds": 200.0, "files": {}}}
    (folder / "manifest.json").write_text(json.dumps({"version": 1, "stages": stages}))
    (folder / "config.json").write_text(json.dumps({"recipe": "preview", "canonical": {"seeds": 900}}))
    rows = [{"stage": "temporal", "share": i / 9, "terms": {"l2": 0.1 / (i + 1), "rigid": 1e-4}} for i in range(9)]
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, rows)) + '\n{"stage": "temporal", "sha')
    finding = {"name": "steps", "severity": "suspect", "words": "one step is four times as long as the others"}
    report = {"method": "orbit", "registered": 7, "total": 7, "reprojection_px": 0.4, "findings": [finding]}
    (folder / "poses").mkdir()
    (folder / "poses" / "report.json").write_text(json.dumps({"freeze": report, "reference": None}))
    return folder


@pytest.fixture(scope="session")
def lifted(run: Path) -> Lifted:
    return read_lifted(run, CPU)


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene without motion, and nothing else in the folder."""
    return make_run(tmp_path_factory.mktemp("still"), None)
