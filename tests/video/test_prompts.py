"""The freeze-time recipe, and camera paths as exact cameras."""

from __future__ import annotations

import math

import pytest
import torch

from fourreal.guidance import camera_path_of
from fourreal.video import CameraPath
from fourreal.video.path_cameras import cameras_of_path
from fourreal.video.prompts import FreezeTimeRecipe, told, without_actions


@pytest.mark.parametrize(
    ("prompt", "still"),
    [
        ("a panda dancing on grass at sunset", "a panda on grass at sunset"),
        ("a fox jumping", "a fox"),
        ("a dog running wildly through the snow, barking", "a dog through the snow,"),
        ("a knight holding a sword", "a knight holding a sword"),
        ("a king in a building in the morning", "a king in a building in the morning"),
        ("rolling hills at sunset", "rolling hills at sunset"),
        ("A cat and a dog  playing in the rain.", "A cat and a dog in the rain."),
    ],
)
def test_actions_are_left_out_and_what_holds_things_together_is_not(prompt: str, still: str) -> None:
    assert without_actions(prompt) == still


def test_the_papers_recipe() -> None:
    """Camera circulating around ... time elapse (4Real, section 3.1)."""
    assert (
        FreezeTimeRecipe().prompt("a panda dancing on grass")
        == "Camera circulating around a panda on grass, time elapse"
    )


def test_every_part_can_be_changed() -> None:
    recipe = FreezeTimeRecipe("orbit shot of", "", "blur", "0rb4it", drop_actions=False)
    assert recipe.prompt("a panda  dancing") == "0rb4it, orbit shot of a panda dancing"
    assert told("a panda dancing", "ugly", "freeze", recipe) == ("0rb4it, orbit shot of a panda dancing", "blur, ugly")
    assert told("a panda dancing", "ugly", "dynamic", recipe) == ("a panda dancing", "ugly")


class TestCameras:
    @pytest.mark.parametrize("seed", range(3))
    def test_they_go_where_the_path_says(self, seed: int) -> None:
        """As the view sampling of guidance measures it: azimuth, elevation, logarithm of the distance."""
        ends = torch.rand(3, generator=torch.Generator().manual_seed(seed)) * torch.tensor([2.0, 0.6, 0.5])
        path = CameraPath(torch.linspace(0, 1, 9)[:, None] * ends)
        cameras = cameras_of_path(path, (96, 160), distance=3.0, fov=50.0)
        measured = camera_path_of(cameras, torch.tensor([0.0, 0, 3.0]), torch.tensor([0.0, -1, 0]))
        torch.testing.assert_close(measured, path.values, atol=1e-5, rtol=0)

    def test_the_first_is_the_world(self) -> None:
        path = CameraPath(torch.tensor([[0.3, 0.1, 0.2], [0.6, 0.1, 0.2]]))
        cameras = cameras_of_path(path, (96, 160), distance=2.0, fov=90.0)
        torch.testing.assert_close(cameras.viewmats[0], torch.eye(4), atol=1e-6, rtol=0)
        assert cameras.Ks[0].tolist() == [[pytest.approx(80.0), 0, 80], [0, pytest.approx(80.0), 48], [0, 0, 1]]

    def test_right_and_up_and_away(self) -> None:
        path = CameraPath(torch.tensor([[0, 0, 0], [0.2, 0, 0], [0, 0.2, 0], [0, 0, math.log(2)]]))
        eyes = cameras_of_path(path, (96, 160), distance=3.0, fov=50.0).positions
        assert eyes[1, 0] > 0.5
        assert eyes[2, 1] < -0.5, "y points down"
        torch.testing.assert_close(eyes[3], torch.tensor([0.0, 0, -3.0]), atol=1e-5, rtol=0)
