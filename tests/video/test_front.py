"""The shipped network tells faces from backs."""

from __future__ import annotations

import math

import pytest
import torch

from fourreal.video.base import Faces
from fourreal.video.embedded.model import EmbeddedVideoModel
from fourreal.video.embedded.stream import shoot
from fourreal.worlds import captions, render, sample_worlds
from fourreal.worlds.pose import transforms


@pytest.mark.parametrize("subject", ["cat", "dog", "fox"])
def test_the_more_a_subject_looks_at_the_camera_the_more_it_faces_it(subject: str) -> None:
    model = EmbeddedVideoModel.load()
    assert isinstance(model, Faces)
    labels = {"subject": subject, "action": "spinning", "second": "none", "prop": "none", "sky": "day"}
    world = sample_worlds([(1 << 40) + 4], labels=labels)
    azimuth = torch.zeros(1, 8, 3)
    azimuth[..., 0] = torch.arange(8) * (2 * math.pi / 8)
    shots = shoot(world, azimuth, torch.full((1, 8), 0.5), 36, 64)[0]
    views = render(world, shots, ss=2, geometry=False).rgb[0]
    looks = transforms(world, shots.times)[0][0, :, 0, :, 2]  # subjects look along z in their own axes
    toward = -(looks * shots.viewmats[0, :, 2, :3]).sum(-1)
    text = model.encode_text(captions(world)[0], context="freeze")
    facing = torch.tensor([model.faces(text, view) for view in views])
    assert torch.corrcoef(torch.stack((toward, facing)))[0, 1] > 0.7
    assert facing[toward.argmax()] > 0.1
    assert facing[toward.argmin()] < 0
