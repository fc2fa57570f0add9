"""The nouns: what they accept, what they refuse and how they say it, and that files give back what was saved."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from fourreal.core.cameras import Cameras
from fourreal.core.checks import check_int, check_tensor
from fourreal.core.errors import FieldError, FileFormatError, FourRealError
from fourreal.core.gaussians import Gaussians
from fourreal.core.geometry import quat_normalize, quat_to_matrix, rigid
from fourreal.core.scene import Scene
from fourreal.core.video import Video


def splats(count: int = 4, seed: int = 0) -> Gaussians:
    g = torch.Generator().manual_seed(seed)
    return Gaussians(
        means=torch.randn(count, 3, generator=g),
        quats=torch.randn(count, 4, generator=g),
        log_scales=torch.randn(count, 3, generator=g),
        logit_opacities=torch.randn(count, generator=g),
        colors=torch.rand(count, 3, generator=g),
    )


def cameras(count: int = 3, seed: int = 0) -> Cameras:
    g = torch.Generator().manual_seed(seed)
    views = rigid(
        quat_to_matrix(quat_normalize(torch.randn(count, 4, generator=g))), torch.randn(count, 3, generator=g)
    )
    Ks = torch.tensor([[60.0, 0, 32], [0, 62, 18], [0, 0, 1]]).repeat(count, 1, 1)
    return Cameras(views, Ks, 64, 36, torch.rand(count, generator=g) * 5)


def changed(value: Any, **changes: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__} | changes


def poked(tensor: torch.Tensor, index: tuple[int, ...], value: float) -> torch.Tensor:
    out = tensor.clone()
    out[index] = value
    return out


NAN, INF = math.nan, math.inf
GOOD_VIDEO, GOOD_CAMERAS, GOOD_SPLATS = Video(torch.rand(2, 3, 4, 5)), cameras(), splats()
GOOD_SCENE = Scene(GOOD_SPLATS, {"train": GOOD_CAMERAS})

MISTAKES: list[tuple[type, Any, dict[str, Any], str]] = [
    (Video, GOOD_VIDEO, {"frames": torch.rand(2, 4, 5, 3)}, r"must have shape \[F, 3, H, W\], got \[2, 4, 5, 3\]"),
    (Video, GOOD_VIDEO, {"frames": torch.rand(3, 4, 5)}, r"Video.frames must have shape .* got \[3, 4, 5\]"),
    (Video, GOOD_VIDEO, {"frames": torch.rand(2, 3, 4, 5).double()}, "must be float32, got torch.float64; convert"),
    (Video, GOOD_VIDEO, {"frames": torch.zeros(2, 3, 4, 5, dtype=torch.uint8)}, "must be float32, got torch.uint8"),
    (Video, GOOD_VIDEO, {"frames": torch.full((1, 3, 2, 2), 255.0)}, r"must lie in \[0, 1\], but spans \[255, 255\]"),
    (Video, GOOD_VIDEO, {"frames": torch.full((1, 3, 2, 2), NAN)}, "12 of 12 entries are NaN"),
    (Video, GOOD_VIDEO, {"frames": torch.zeros(0, 3, 2, 2)}, r"at least one pixel, got shape \[0, 3, 2, 2\]"),
    (Video, GOOD_VIDEO, {"fps": 0.0}, "Video.fps must be a positive number, got 0.0"),
    (Video, GOOD_VIDEO, {"fps": INF}, "Video.fps must be a positive number, got inf"),
    (Cameras, GOOD_CAMERAS, {"width": 0}, "Cameras.width must be an integer of at least 1, got 0"),
    (Cameras, GOOD_CAMERAS, {"height": -36}, "Cameras.height must be an integer of at least 1, got -36"),
    (Cameras, GOOD_CAMERAS, {"width": True}, "Cameras.width must be an integer of at least 1, got True"),
    (Cameras, GOOD_CAMERAS, {"viewmats": torch.eye(4)}, r"viewmats must have shape \[C, 4, 4\], got \[4, 4\]"),
    (Cameras, GOOD_CAMERAS, {"Ks": GOOD_CAMERAS.Ks[:2]}, r"Ks must have shape \[3, 3, 3\], got \[2, 3, 3\]"),
    (Cameras, GOOD_CAMERAS, {"times": torch.zeros(2)}, r"times must have shape \[3\], got \[2\]"),
    (Cameras, GOOD_CAMERAS, {"viewmats": 2 * GOOD_CAMERAS.viewmats}, r"viewmats\[0\] .* 3 of 3 are affected"),
    (
        Cameras,
        GOOD_CAMERAS,
        {"viewmats": GOOD_CAMERAS.viewmats * torch.tensor([-1.0, 1, 1, 1])[:, None]},
        r"viewmats\[0\] is mirrored; wanted a rigid world-to-camera matrix",
    ),
    (
        Cameras,
        GOOD_CAMERAS,
        {"viewmats": poked(GOOD_CAMERAS.viewmats, (1, 3, 0), 0.5)},
        r"viewmats\[1\] has a last row other than 0 0 0 1.* 1 of 3",
    ),
    (Cameras, GOOD_CAMERAS, {"Ks": poked(GOOD_CAMERAS.Ks, (2, 0, 0), -60.0)}, r"Ks\[2\] must be .*positive focal"),
    (Cameras, GOOD_CAMERAS, {"Ks": poked(GOOD_CAMERAS.Ks, (1, 0, 1), 3.0)}, r"Ks\[1\] must be \[\[fx, 0, cx\]"),
    (Gaussians, GOOD_SPLATS, {"means": torch.zeros(4, 2)}, r"Gaussians.means must have shape \[N, 3\], got \[4, 2\]"),
    (Gaussians, GOOD_SPLATS, {"quats": torch.ones(3, 4)}, r"Gaussians.quats must have shape \[4, 4\], got \[3, 4\]"),
    (Gaussians, GOOD_SPLATS, {"quats": poked(GOOD_SPLATS.quats, (2,), 0.0)}, r"quats\[2\] is zero.*\(1 affected\)"),
    (Gaussians, GOOD_SPLATS, {"log_scales": torch.full((4, 3), 31.0)}, r"log_scales must lie in \[-30, 30\]"),
    (Gaussians, GOOD_SPLATS, {"logit_opacities": torch.full((4,), -INF)}, "logit_opacities must be finite"),
    (Gaussians, GOOD_SPLATS, {"logit_opacities": torch.full((4,), 51.0)}, r"must lie in \[-50, 50\]"),
    (Gaussians, GOOD_SPLATS, {"colors": torch.full((4, 3), -0.1)}, r"colors must lie in \[0, 1\], but spans \[-0.1"),
    (Scene, GOOD_SCENE, {"background": torch.tensor([0.0, 2.0, 0.0])}, r"Scene.background must lie in \[0, 1\]"),
    (Scene, GOOD_SCENE, {"n_times": 0}, "Scene.n_times must be an integer of at least 1, got 0"),
    (Scene, GOOD_SCENE, {"fps": NAN}, "Scene.fps must be a positive number, got nan"),
    (Scene, GOOD_SCENE, {"cameras": {"a/b": GOOD_CAMERAS}}, "group names .* hold no '/', got 'a/b'"),
    (Scene, GOOD_SCENE, {"cameras": {"": GOOD_CAMERAS}}, "group names must be non-empty"),
]


@pytest.mark.parametrize(("kind", "good", "mistake", "message"), MISTAKES)
def test_a_wrong_field_is_refused_by_name_value_and_remedy(kind, good, mistake, message):
    kind(**changed(good))  # the unchanged one is fine, so the error below is due to the mistake
    with pytest.raises(FieldError, match=message) as caught:
        kind(**changed(good, **mistake))
    assert isinstance(caught.value, FourRealError)  # the command line prints it without a traceback
    assert isinstance(caught.value, ValueError)


def test_values_of_a_wrong_type_are_refused_too():
    with pytest.raises(FieldError, match=r"x must be a torch tensor of shape \[N, 3\], got list"):
        check_tensor("x", [1, 2], ("N", 3))
    for value in (36.0, "36", None, True):
        with pytest.raises(FieldError, match=f"x must be an integer of at least 0, got {value!r}"):
            check_int("x", value, low=0)


class TestVideo:
    def test_it_knows_its_measures(self):
        clip = Video(torch.rand(6, 3, 4, 5), 12.0)
        assert (len(clip), clip.height, clip.width, clip.duration) == (6, 4, 5, 0.5)

    def test_selection_keeps_order_and_repeats(self):
        clip = Video(torch.rand(4, 3, 2, 2))
        assert torch.equal(clip.select([2, 0, -1, 2]).frames, clip.frames[[2, 0, 3, 2]])

    @pytest.mark.parametrize("indices", [[], [4], [-5], [0, 9]])
    def test_frames_that_are_not_there_are_named(self, indices):
        with pytest.raises(FieldError, match=r"must name frames 0..3"):
            Video(torch.rand(4, 3, 2, 2)).select(indices)


class TestCameras:
    @settings(deadline=None, max_examples=30)
    @given(st.integers(0, 2**31), st.integers(1, 6))
    def test_c2w_inverts_and_positions_map_to_the_origin(self, seed, count):
        views = cameras(count, seed)
        assert torch.allclose(views.viewmats @ views.c2w, torch.eye(4).expand(count, 4, 4), atol=1e-5)
        origin = (views.viewmats[:, :3, :3] @ views.positions[..., None])[..., 0] + views.viewmats[:, :3, 3]
        assert origin.abs().max() < 1e-5
        assert torch.equal(views.c2w[:, :3, 3], views.positions)

    def test_positions_and_c2w_carry_gradients_to_the_pose(self):
        views = cameras()
        viewmats = views.viewmats.clone().requires_grad_()
        Cameras(viewmats, views.Ks, 64, 36).c2w[:, :3, 3].sum().backward()
        assert viewmats.grad is not None
        assert viewmats.grad[:, :3, 3].abs().min() > 0

    @pytest.mark.parametrize(("size", "factor"), [((128, 72), (2, 2)), ((32, 36), (0.5, 1))])
    def test_resizing_moves_pixels_with_the_image(self, size, factor):
        views = cameras()
        point = views.positions[0] + views.c2w[0, :3, 2] * 3 + 0.2
        before, after = (self.pixel(v, point) for v in (views, views.resized(*size)))
        assert torch.allclose(after, before * torch.tensor(factor), atol=1e-4)

    def pixel(self, views: Cameras, point: torch.Tensor) -> torch.Tensor:
        seen = views.Ks[0] @ (views.viewmats[0, :3, :3] @ point + views.viewmats[0, :3, 3])
        return seen[:2] / seen[2]

    @pytest.mark.parametrize("seed", range(4))
    def test_projecting_is_what_the_intrinsics_say(self, seed):
        views = cameras(seed=seed)
        points = views.positions + views.c2w[:, :3, 2] * 3 + 0.2  # one before each camera
        pixels, depth = views.project(points)
        for i, view in enumerate(depth.T):
            local = views.viewmats[:, :3, :3] @ points[i] + views.viewmats[:, :3, 3]
            torch.testing.assert_close(view, local[:, 2])
        torch.testing.assert_close(pixels[0, 0], self.pixel(views, points[0]))
        back = views.unproject(pixels, depth)  # what lies behind a camera has no pixel to come back from
        torch.testing.assert_close(back[torch.arange(3), torch.arange(3)], points, rtol=1e-4, atol=1e-4)
        own, _ = views.project(points[:, None])  # another point for each camera
        torch.testing.assert_close(own[:, 0], pixels[torch.arange(3), torch.arange(3)])

    @pytest.mark.parametrize("index", [1, slice(0, 2), [2, 0], torch.tensor([True, False, True])])
    def test_indexing_keeps_a_batch_with_its_times(self, index):
        views = cameras()
        rows = [index] if isinstance(index, int) else index
        assert torch.equal(views[index].viewmats, views.viewmats[rows])
        assert torch.equal(views[index].moments, views.moments[rows])
        assert views[index].viewmats.dim() == 3

    def test_times_default_to_zero(self):
        views = cameras()
        assert Cameras(views.viewmats, views.Ks, 64, 36).moments.tolist() == [0, 0, 0]

    def test_none_at_all_is_allowed(self):
        assert len(cameras()[slice(0, 0)]) == 0


class TestGaussians:
    def test_the_activated_values(self):
        gaussians = splats()
        assert torch.allclose(gaussians.scales, gaussians.log_scales.exp())
        assert torch.allclose(gaussians.opacities, 1 / (1 + (-gaussians.logit_opacities).exp()))
        assert len(gaussians) == 4

    def test_moving_keeps_the_values(self):
        moved = splats().to("cpu")
        assert all(torch.equal(moved.tensors()[k], v) for k, v in splats().tensors().items())

    def test_no_splats_is_allowed(self):
        assert len(splats(0)) == 0


def damage(change: Callable[[bytes], bytes]) -> Callable[[Any], None]:
    return lambda path: path.write_bytes(change(path.read_bytes()))


def other_kind(path: Any) -> None:
    save_file({"x": torch.zeros(1)}, path, metadata={"fourreal": json.dumps({"kind": "deformation"})})


def without_a_tensor(path: Any) -> None:
    meta = {"kind": "scene", "version": 1, "n_times": 1, "fps": 8.0, "camera_sizes": {}}
    save_file({"background": torch.zeros(3)}, path, metadata={"fourreal": json.dumps(meta)})


def newer_version(path: Any) -> None:
    save_file({"x": torch.zeros(1)}, path, metadata={"fourreal": json.dumps({"kind": "scene", "version": 2})})


def sizes_as_a_list(path: Any) -> None:
    meta = {"kind": "scene", "version": 1, "n_times": 1, "fps": 8.0, "camera_sizes": [1, 2]}
    tensors = {f"gaussians/{k}": v for k, v in splats().tensors().items()}
    save_file(tensors | {"background": torch.zeros(3)}, path, metadata={"fourreal": json.dumps(meta)})


def impossible_values(path: Any) -> None:
    meta = {"kind": "scene", "version": 1, "n_times": 1, "fps": 8.0, "camera_sizes": {}}
    tensors = {f"gaussians/{k}": v for k, v in splats().tensors().items()}
    tensors |= {"gaussians/colors": torch.full((4, 3), 7.0), "background": torch.zeros(3)}
    save_file(tensors, path, metadata={"fourreal": json.dumps(meta)})


DAMAGE = {
    "missing": (lambda path: path.unlink(), "does not exist"),
    "empty": (damage(lambda data: b""), "damaged or not a safetensors"),
    "half": (damage(lambda data: data[: len(data) // 2]), "damaged or not a safetensors"),
    "one byte short": (damage(lambda data: data[:-1]), "damaged or not a safetensors"),
    "text": (damage(lambda data: b"hello world, this is not it"), "damaged or not a safetensors"),
    "another program's": (lambda path: save_file({"x": torch.zeros(1)}, path), "no fourreal data.*wanted 'scene'"),
    "another kind": (other_kind, "deformation.*wanted 'scene'"),
    "newer": (newer_version, "version 2, this program reads version 1"),
    "a part missing": (without_a_tensor, "lacks or misnames a part"),
    "sizes as a list": (sizes_as_a_list, "lacks or misnames a part"),
    "impossible values": (impossible_values, r"colors must lie in \[0, 1\]"),
}


class TestSceneFiles:
    @settings(deadline=None, max_examples=20)
    @given(st.integers(0, 2**31), st.integers(0, 9), st.integers(1, 30))
    def test_what_is_saved_comes_back_bit_for_bit(self, tmp_path_factory, seed, count, n_times):
        path = tmp_path_factory.mktemp("scene") / "scene.safetensors"
        groups = {"train": cameras(3, seed), "held out": cameras(2, seed + 1).resized(128, 72)}
        scene = Scene(splats(count, seed), groups, torch.rand(3), n_times, 24000 / 1001)
        scene.save(path)
        back = Scene.load(path)
        assert (back.n_times, back.fps) == (n_times, 24000 / 1001)
        assert torch.equal(back.background, scene.background)
        for name, tensor in scene.gaussians.tensors().items():
            assert torch.equal(back.gaussians.tensors()[name], tensor)
        assert list(back.cameras) == list(groups)
        for name, group in groups.items():
            again = back.cameras[name]
            assert (again.width, again.height) == (group.width, group.height)
            assert torch.equal(again.viewmats, group.viewmats)
            assert torch.equal(again.Ks, group.Ks)
            assert torch.equal(again.moments, group.moments)

    @pytest.mark.parametrize("case", DAMAGE)
    def test_a_damaged_file_says_what_is_wrong_with_which_file(self, tmp_path, case):
        path = tmp_path / "scene.safetensors"
        GOOD_SCENE.save(path)
        harm, why = DAMAGE[case]
        harm(path)
        with pytest.raises(FileFormatError, match=why) as caught:
            Scene.load(path)
        assert "scene.safetensors" in str(caught.value)

    def test_saving_detached_copies_leaves_gradients_alone(self, tmp_path):
        tensors = splats().tensors()
        tensors["means"].requires_grad_()
        Scene(Gaussians(**tensors)).save(tmp_path / "scene.safetensors")
        assert tensors["means"].requires_grad
        assert not Scene.load(tmp_path / "scene.safetensors").gaussians.means.requires_grad
