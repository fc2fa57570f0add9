"""What a lift needs to know of two clips is found, or said to be amiss in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FourRealError
from fourreal.core.video import Video
from fourreal.io.cameras_json import CameraGroup, CameraSet
from fourreal.io.frames import resize
from fourreal.pose import (
    PoseError,
    Wanted,
    locate,
    pair_picture,
    prepare_clips,
    shared_moment,
    standing_still,
)
from fourreal.worlds import core_cameras, reference_cameras, render, sample_worlds

WorldClip = Callable[..., tuple[Video, Cameras]]


@pytest.fixture(scope="module")
def reference() -> tuple[Video, Cameras]:
    """The reference clip of the world of `freeze`."""
    world = sample_worlds([3], "cpu")
    shots = reference_cameras(world, 6)
    rgb = render(world, shots, ss=1, geometry=False).rgb
    return Video(rgb[0].float().contiguous()), core_cameras(shots, 0, 6)


@pytest.fixture
def freeze(world_clip: WorldClip) -> tuple[Video, Cameras]:
    """A walk of 40 degrees round world 3 at time 0."""
    return world_clip(3, 40.0, 8)


def given(freeze: Cameras, reference: Cameras | None = None, **more: float) -> CameraSet:
    groups = {"freeze": CameraGroup(freeze)}
    if reference is not None:
        groups["ref"] = CameraGroup(reference)
    return CameraSet(groups, n_times=16, **more)  # type: ignore[arg-type]


def test_a_portrait_clip_costs_no_more_than_a_landscape_one() -> None:
    tall = prepare_clips(Video(torch.rand(2, 3, 512, 288)), None).freeze
    assert tall.height * tall.width <= 1.02 * 256 * 144
    assert tall.height / tall.width == pytest.approx(512 / 288, rel=0.02)
    assert tall.height % 2 == tall.width % 2 == 0
    small = Video(torch.rand(2, 3, 40, 30))
    assert prepare_clips(small, None).freeze is small


def test_clips_of_two_sizes_become_one_and_another_shape_is_cropped_not_squeezed() -> None:
    freeze, round_ = Video(torch.rand(3, 3, 72, 128)), torch.zeros(2, 3, 128, 128)
    y, x = torch.meshgrid(torch.arange(128) - 64, torch.arange(128) - 64, indexing="ij")
    round_[:, :, (x**2 + y**2) < 30**2] = 1
    ready = prepare_clips(freeze, Video(round_))
    assert ready.reference is not None
    assert ready.reference.frames.shape == (2, 3, 72, 128)
    lit = ready.reference.frames[0, 0] > 0.5
    wide, high = lit.any(0).sum(), lit.any(1).sum()
    assert abs(int(wide) - int(high)) <= 2
    assert "128x128" in ready.notes[0]
    alike = prepare_clips(freeze, Video(torch.rand(2, 3, 144, 256)))
    assert alike.reference is not None
    assert alike.reference.frames.shape == (2, 3, 72, 128)
    assert not alike.notes


def test_a_single_frame_is_no_clip() -> None:
    one, many = Video(torch.rand(1, 3, 36, 64)), Video(torch.rand(4, 3, 36, 64))
    with pytest.raises(FourRealError, match="freeze-time clip has 1 frame; it must show the scene from several sides"):
        prepare_clips(one, None)
    with pytest.raises(FourRealError, match="leave --reference out for a static scene"):
        prepare_clips(many, one)


def test_a_freeze_clip_that_rests_is_refused(freeze: tuple[Video, Cameras]) -> None:
    clip, cameras = freeze
    resting = Video(clip.frames[:1].repeat(8, 1, 1, 1))
    assert standing_still(clip) == ""
    with pytest.raises(PoseError, match=r"does not move: 100% of its points rest"):
        locate(resting, None)
    found = locate(resting, None, Wanted(given(cameras)))
    assert "does not move" in found.notes[0]


def test_the_shared_moment_is_found_and_shown(freeze: tuple[Video, Cameras], reference: tuple[Video, Cameras]) -> None:
    turned = Video(freeze[0].frames.flip(0))
    moment = shared_moment(turned, reference[0])
    assert (moment.reference, moment.freeze) == (0, 7)
    assert moment.similarity is not None
    assert moment.similarity > 0.95
    picture = pair_picture(turned, reference[0], moment)
    assert torch.equal(picture[:, :, :256], reference[0].frames[0])
    assert torch.equal(picture[:, :, -256:], turned.frames[7])
    assert shared_moment(turned, reference[0], reference_frame=0).freeze == 7
    assert shared_moment(turned, reference[0], freeze_frame=7).reference == 0


def test_wrong_frames_are_named_with_the_right_ones(
    freeze: tuple[Video, Cameras], reference: tuple[Video, Cameras]
) -> None:
    with pytest.raises(FourRealError, match=r"--freeze-frame must lie in 0\.\.7 \(the clip has 8 frames\), got 8"):
        shared_moment(freeze[0], reference[0], freeze_frame=8)
    with pytest.raises(FourRealError, match="--freeze-frame must lie"):
        locate(freeze[0], None, Wanted(given(freeze[1]), freeze_frame=-1))
    wrong = shared_moment(freeze[0], reference[0], freeze_frame=6, reference_frame=0)
    assert wrong.freeze == 6
    assert "look unlike" in wrong.notes[0]
    assert "freeze frame 0" in wrong.notes[0]


def test_a_reference_of_another_scene_is_warned_of_with_its_number(
    freeze: tuple[Video, Cameras], world_clip: WorldClip
) -> None:
    other = world_clip(5, 0.0, 3)[0]
    moment = shared_moment(freeze[0], other)
    assert moment.similarity is not None
    assert moment.similarity < 0.5
    assert f"{moment.similarity:.2f}" in moment.notes[0]
    assert "do both clips show one scene?" in moment.notes[0]


def test_given_cameras_tell_the_moment(freeze: tuple[Video, Cameras], reference: tuple[Video, Cameras]) -> None:
    clip, cameras = freeze
    seen = reference[1]
    found = locate(clip, reference[0], Wanted(given(cameras, seen)))
    assert (found.instant, found.canonical) == (0, 0)
    assert found.reference is not None
    assert torch.equal(found.reference.cameras.viewmats, seen.viewmats)
    assert not found.reference.report.suspicious
    assert torch.equal(found.freeze.cameras.viewmats, cameras.viewmats)
    order = [3, 4, 5, 6, 7, 0, 1, 2]
    mixed = locate(Video(clip.frames[order]), reference[0], Wanted(given(cameras[order], seen)))
    assert mixed.canonical == 5
    away = locate(Video(clip.frames[4:]), reference[0], Wanted(given(cameras[[4, 5, 6, 7]], seen)))
    assert away.canonical == 0
    assert "degrees away" in " ".join(away.notes)
    alone = locate(clip, reference[0], Wanted(given(cameras)))
    assert alone.reference is not None
    torch.testing.assert_close(alone.reference.cameras.viewmats[3], cameras.viewmats[0])
    assert alone.reference.cameras.moments.tolist() == list(range(6))


def test_cameras_of_another_clip_are_refused(freeze: tuple[Video, Cameras], reference: tuple[Video, Cameras]) -> None:
    clip, cameras = freeze
    with pytest.raises(FourRealError, match=r'group "freeze" has 7 cameras for 8 frames'):
        locate(clip, None, Wanted(given(cameras[[*range(7)]])))
    spread = replace(cameras, times=torch.arange(8.0))
    with pytest.raises(FourRealError, match=r'group "freeze": all cameras must have one time, got 0 to 7'):
        locate(clip, None, Wanted(given(spread)))
    slow = replace(reference[1], times=torch.arange(6.0) / 2)
    with pytest.raises(FourRealError, match=r'group "ref": times must be 0, 1, 2'):
        locate(clip, reference[0], Wanted(given(cameras, slow)))
    with pytest.raises(FourRealError, match="another shape"):
        locate(resize(clip, 100, 100), None, Wanted(given(cameras)))
    with pytest.raises(FourRealError, match=r"the frozen time of the cameras must lie in 0\.\.5"):
        locate(clip, reference[0], Wanted(given(replace(cameras, times=torch.full((8,), 9.0)), reference[1])))
    with pytest.raises(FourRealError, match=r'no group "freeze"; they have ref'):
        locate(clip, None, Wanted(CameraSet({"ref": CameraGroup(reference[1])}, n_times=6)))
    strange = locate(Video(clip.frames.flip(0)), reference[0], Wanted(given(cameras, reference[1])))
    assert "do cameras and clips belong together?" in " ".join(strange.notes)
