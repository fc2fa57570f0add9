"""A subject that turns about itself is found turning, wherever the clip says so, and carries nothing else along."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.gaussians import Gaussians
from fourreal.core.geometry import quat_exp, quat_multiply, quat_to_matrix
from fourreal.deform import NodeConfig, Space, load_field, save_field
from fourreal.deform.nodes import NodeField
from fourreal.deform.room import ROOM, Room
from fourreal.fit import courses
from fourreal.fit.clips import Clips
from fourreal.fit.ground import Plane
from fourreal.fit.spin import find_spin, upwards
from fourreal.fit.static import Targets
from fourreal.raster.base import Splats, Views
from fourreal.raster.numba_cpu import render

FRAMES, INSTANT, HEIGHT, WIDTH = 12, 5, 54, 96
UP = torch.tensor([0.0, -1.0, 0.0])
SPOT = torch.tensor([0.3, 0.0, 0.1])  # where the subject stands
SUBJECT = 600


def scene() -> Gaussians:
    """A long body with a head at one end, of four colours, on a ground of 400 Gaussians and before a wall of 300."""
    g = torch.Generator().manual_seed(3)
    body = (torch.rand(SUBJECT, 3, generator=g) - 0.5) * torch.tensor([1.0, 0.3, 0.3])
    head = body[:, 0] > 0.3
    body[head, 1] -= 0.25
    colors = torch.tensor([0.9, 0.3, 0.1]).expand(SUBJECT, 3).clone()
    colors[head] = torch.tensor([1.0, 1.0, 0.8])
    colors[body[:, 2] > 0] *= 0.5
    ground = torch.rand(400, 3, generator=g) * torch.tensor([5.0, 0.0, 5.0]) + torch.tensor([-2.5, 0.45, -2.5])
    wall = torch.rand(300, 3, generator=g) * torch.tensor([6.0, 3.0, 0.0]) + torch.tensor([-3.0, -2.5, 2.6])
    means = torch.cat([body + SPOT, ground, wall])
    rest = torch.tensor([0.3, 0.5, 0.4]).expand(700, 3)
    sizes = torch.cat([torch.full((SUBJECT, 3), 0.05), torch.full((700, 3), 0.15)]).log()
    quats = torch.tensor([1.0, 0, 0, 0]).expand(len(means), 4).clone()
    return Gaussians(means, quats, sizes, torch.full((len(means),), 4.0), torch.cat([colors, rest]))


def cameras(frames: int = FRAMES) -> Cameras:
    """At rest, a little above the ground."""
    tilt = quat_to_matrix(quat_exp(torch.tensor([0.15, 0.0, 0.0])))
    viewmat = torch.eye(4)
    viewmat[:3, :3], viewmat[:3, 3] = tilt, torch.tensor([0.0, 0.2, 3.0])
    K = torch.tensor([[90.0, 0, 48], [0, 90.0, 27], [0, 0, 1]])
    many = viewmat.expand(frames, 4, 4).clone(), K.expand(frames, 3, 3).clone()
    return Cameras(*many, WIDTH, HEIGHT, torch.arange(frames * 1.0))


def filmed(angles: Tensor, shifts: Tensor | None = None) -> Clips:
    """The subject turned by `angles` about the upright line through it, and moved to the right by `shifts`."""
    own, base = cameras(), Splats.of(scene())
    views = Views(own.viewmats[:1], own.Ks[:1], WIDTH, HEIGHT)
    frames = []
    for i, angle in enumerate(angles):
        turn = quat_exp(angle * UP)
        means, quats = base.means.clone(), base.quats.clone()
        means[:SUBJECT] = (means[:SUBJECT] - SPOT) @ quat_to_matrix(turn).T + SPOT
        means[:SUBJECT, 0] += 0.0 if shifts is None else shifts[i]
        quats[:SUBJECT] = quat_multiply(turn.expand(SUBJECT, 4), quats[:SUBJECT])
        frames.append(render(base._replace(means=means, quats=quats), views, None).color[0])
    images = torch.stack(frames).detach()
    return Clips(Targets(images, own), Targets(images, own), 0, INSTANT)


def busy() -> Tensor:
    return torch.arange(len(scene().means)) < SUBJECT


@pytest.mark.parametrize("speed", [24.0, -31.0])
def test_a_whole_turn_and_more_is_found(speed: float) -> None:
    truth = torch.deg2rad(speed * (torch.arange(FRAMES) - INSTANT))
    spin = find_spin(scene(), filmed(truth), busy(), UP, render)
    assert spin is not None
    assert spin.angles[INSTANT] == 0
    assert float((spin.angles - truth).abs().max()) < math.radians(20)
    assert spin.worth < 0.4
    assert float((spin.room.centre - SPOT)[[0, 2]].norm()) < 0.1


def test_who_dances_about_while_turning_is_followed() -> None:
    truth = torch.deg2rad(31.0 * (torch.arange(FRAMES) - INSTANT))
    aside = 0.16 * torch.sin(0.8 * (torch.arange(FRAMES) - INSTANT))
    spin = find_spin(scene(), filmed(truth, aside), busy(), UP, render)
    assert spin is not None
    assert (spin.angles - truth).abs().max() < math.radians(13)
    # Where its middle is taken to: before it was followed it was up to 0.16 beside.
    arm = SPOT - spin.room.centre
    carried = (quat_to_matrix(quat_exp(spin.angles[:, None] * UP)) @ arm) + spin.room.centre + spin.places
    assert (carried[:, 0] - SPOT[0] - aside).abs().max() < 0.1
    assert (carried[:, 2] - SPOT[2]).abs().max() < 0.12
    assert torch.equal(carried[INSTANT], SPOT)


def test_the_line_is_found_where_only_the_front_was_seen() -> None:
    """The median of what is there is not what the subject turns about."""
    truth = torch.deg2rad(24.0 * (torch.arange(FRAMES) - INSTANT))
    g = scene()
    seen = ~(busy() & (g.means[:, 2] > SPOT[2] + 0.03))
    front = Gaussians(g.means[seen], g.quats[seen], g.log_scales[seen], g.logit_opacities[seen], g.colors[seen])
    spin = find_spin(front, filmed(truth), busy()[seen], UP, render)
    assert spin is not None
    assert float((spin.angles - truth).abs().max()) < math.radians(30)


def test_what_stands_nods_or_goes_past_does_not_turn() -> None:
    still = torch.zeros(FRAMES)
    assert find_spin(scene(), filmed(still), busy(), UP, render) is None
    nodding = torch.deg2rad(15.0 * torch.sin(torch.arange(FRAMES) - float(INSTANT)))
    assert find_spin(scene(), filmed(nodding), busy(), UP, render) is None
    passing = 0.12 * (torch.arange(FRAMES) - INSTANT)
    assert find_spin(scene(), filmed(still, passing), busy(), UP, render) is None
    assert find_spin(scene(), filmed(still), torch.zeros_like(busy()), UP, render) is None


def test_who_waves_beside_a_face_that_stays_does_not_turn() -> None:
    """Where its arm was nothing is left, and one that turns away leaves nothing, too: but its face would be gone."""
    g, body, arm = scene(), slice(0, 500), slice(500, SUBJECT)
    generator = torch.Generator().manual_seed(5)
    egg = torch.nn.functional.normalize(torch.randn(500, 3, generator=generator), dim=1) * torch.tensor(
        [0.3, 0.45, 0.3]
    )
    g.means[body] = egg + SPOT
    g.colors[body] = torch.where(egg[:, 2:] < -0.1, 0.95, 0.1).expand(500, 3)
    shoulder, along = SPOT + torch.tensor([0.28, -0.1, 0.0]), torch.rand(100, 1, generator=generator) * 0.5
    g.colors[arm] = 0.1
    own = cameras()
    views, frames = Views(own.viewmats[:1], own.Ks[:1], WIDTH, HEIGHT), []
    for beat in (torch.arange(FRAMES) - INSTANT) / 6:
        lift = 0.5 * torch.cos(2 * math.pi * beat)
        g.means[arm] = shoulder + along * torch.stack([lift.cos(), -lift.sin(), torch.zeros(())])
        frames.append((g.means.clone(), render(Splats.of(g), views, None).color[0]))
    images = torch.stack([image for _, image in frames])
    g.means[:] = frames[INSTANT][0]
    assert find_spin(g, Clips(Targets(images, own), Targets(images, own), 0, INSTANT), busy(), UP, render) is None


def test_before_a_moving_camera_nothing_is_looked_for() -> None:
    clips = filmed(torch.deg2rad(24.0 * (torch.arange(FRAMES) - INSTANT)))
    assert clips.reference is not None
    clips.reference.cameras.viewmats[-1, 0, 3] += 0.05
    assert find_spin(scene(), clips, busy(), UP, render) is None


def test_the_subject_turns_and_the_ground_stays() -> None:
    gaussians = scene()
    truth = torch.deg2rad(30.0 * (torch.arange(FRAMES) - INSTANT))
    clips = filmed(truth)
    spin = find_spin(gaussians, clips, busy(), UP, render)
    assert spin is not None
    space = Space(torch.zeros(3), torch.tensor(1.0))
    field = NodeConfig(nodes=96).build(gaussians.means, FRAMES, INSTANT, space=space, busy=busy())
    spin.turn(field)
    field.rebind(gaussians.means)
    with torch.no_grad():
        moved = field.offsets(gaussians.means, torch.arange(FRAMES * 1.0)).means
    assert not moved[:, SUBJECT:].any()
    assert not moved[INSTANT].any()
    arms = gaussians.means[:SUBJECT] - SPOT
    for frame in (0, 3, FRAMES - 1):
        wanted = arms @ quat_to_matrix(quat_exp(truth[frame] * UP)).T - arms
        missed = (moved[frame, :SUBJECT] - wanted).norm(dim=1).mean()
        assert float(missed) < 0.2 * float(wanted.norm(dim=1).mean())


def test_a_room_is_kept_with_its_field_and_older_files_have_none(tmp_path) -> None:
    gaussians = scene()
    field = NodeConfig(nodes=40).build(gaussians.means, FRAMES, INSTANT, busy=busy())
    room = Room(SPOT, UP, torch.tensor(0.6), torch.tensor(-0.4))
    field.room.copy_(room.numbers())
    save_field(tmp_path / "motion.safetensors", field)
    again = load_field(tmp_path / "motion.safetensors")
    assert isinstance(again, NodeField)
    assert torch.equal(Room.of(again.room).numbers(), room.numbers())
    del field._buffers["room"]
    save_field(tmp_path / "older.safetensors", field)
    older = load_field(tmp_path / "older.safetensors")
    assert isinstance(older, NodeField)
    assert torch.equal(older.room, torch.zeros(ROOM))


def test_things_turn_about_the_grounds_normal_or_the_pictures_up() -> None:
    clips = filmed(torch.zeros(FRAMES))
    assert torch.allclose(upwards(clips, Plane(UP, -0.45)), UP)
    assert float(upwards(clips, None) @ UP) > 0.98


@pytest.mark.gpu
def test_a_gpu_finds_the_same_turning() -> None:
    from fourreal.raster import select

    device = torch.device("cuda")
    truth = torch.deg2rad(24.0 * (torch.arange(FRAMES) - INSTANT))
    clips = filmed(truth)
    here = find_spin(scene(), clips, busy(), UP, render)
    there = find_spin(scene().to(device), clips.to(device), busy().to(device), UP.to(device), select(device))
    assert here is not None
    assert there is not None
    assert torch.equal(there.angles.cpu(), here.angles)
    field = NodeConfig(nodes=96).build(scene().means.to(device), FRAMES, INSTANT, busy=busy().to(device))
    there.turn(field)
    field.rebind(scene().means.to(device))
    assert not field.offsets(scene().means.to(device), torch.arange(FRAMES * 1.0)).means[:, SUBJECT:].any()


def test_poses_in_no_order_are_no_turning(monkeypatch: pytest.MonkeyPatch) -> None:
    angles = torch.deg2rad(torch.randint(-180, 180, (FRAMES,), generator=torch.Generator().manual_seed(1)).float())
    angles[INSTANT] = 0.0
    assert find_spin(scene(), filmed(angles), busy(), UP, render) is None
    monkeypatch.setattr("fourreal.fit.courses._CHANCE", 9.0)
    assert find_spin(scene(), filmed(angles), busy(), UP, render) is not None, "some course or other meets them"


def test_who_is_known_to_turn_is_found_where_pictures_alone_leave_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drawn kitten has another face and another light with every turn; the prompt says that it spins."""
    truth = torch.deg2rad(22.5 * (torch.arange(FRAMES) - INSTANT))
    clips = filmed(truth)
    monkeypatch.setattr("fourreal.fit.spin._BETTER", 0.0)
    monkeypatch.setattr("fourreal.fit.courses._CHANCE", 0.0)  # as if any order met the clip as well
    assert find_spin(scene(), clips, busy(), UP, render) is None
    spin = find_spin(scene(), clips, busy(), UP, render, told=True)
    assert spin is not None
    assert (spin.angles - truth).abs().max() < math.radians(8)
    assert find_spin(scene(), filmed(torch.zeros(FRAMES)), busy(), UP, render, told=True) is None, "nothing turns here"


def test_what_lies_beside_who_is_known_to_turn_stays() -> None:
    """A rock changes its colour while time runs, as drawn rocks do, and so it may move; but it would turn into view."""
    truth, whole = torch.deg2rad(22.5 * (torch.arange(FRAMES) - INSTANT)), scene()
    rock = torch.tensor([1.6, 0.1, 1.0]) + 0.1 * torch.randn(200, 3, generator=torch.Generator().manual_seed(5))
    with_rock = Gaussians(
        torch.cat([whole.means, rock]), torch.cat([whole.quats, whole.quats[:200]]),
        torch.cat([whole.log_scales, whole.log_scales[:200]]),
        torch.cat([whole.logit_opacities, whole.logit_opacities[:200]]),
        torch.cat([whole.colors, torch.tensor([0.5, 0.3, 0.2]).expand(200, 3)]),
    )  # fmt: skip
    clips, own = filmed(truth), cameras()
    assert clips.reference is not None
    pixels = own[[0]].project(rock)[0][0].long()
    images = clips.reference.images.clone()
    images[:, :, pixels[:, 1], pixels[:, 0]] = torch.linspace(0.2, 0.6, FRAMES)[:, None, None]
    may_move = torch.cat([busy(), torch.ones(200, dtype=torch.bool)])
    spin = find_spin(with_rock, replace(clips, reference=Targets(images, own)), may_move, UP, render, told=True)
    assert spin is not None
    assert not spin.room.holds(rock).any()
    assert spin.room.holds(whole.means[:SUBJECT]).float().mean() > 0.9
    assert (spin.angles - truth).abs().max() < math.radians(8)


def test_a_face_of_many_gaussians_does_not_draw_the_line_to_it() -> None:
    """A fox was turned about its head, in which density control had put most of its Gaussians, and none was found."""
    truth, whole = torch.deg2rad(22.5 * (torch.arange(FRAMES) - INSTANT)), scene()
    often = torch.ones(len(whole), dtype=torch.long)
    often[:SUBJECT][whole.means[:SUBJECT, 0] - SPOT[0] > 0.3] = 6
    faced = Gaussians(**{name: value.repeat_interleave(often, 0) for name, value in whole.tensors().items()})
    spin = find_spin(faced, filmed(truth), busy().repeat_interleave(often), UP, render, told=True)
    assert spin is not None
    assert (spin.angles - truth).abs().max() < math.radians(8)
    assert float((spin.room.centre - SPOT)[[0, 2]].norm()) < 0.12


@given(st.integers(0, 1000), st.integers(0, 9))
def test_a_course_that_goes_onwards_neither_stops_nor_turns_back(seed: int, instant: int) -> None:
    cost = torch.rand(10, courses.ANGLES, generator=torch.Generator().manual_seed(seed))
    steps = courses.steady(cost, instant, onwards=True)
    assert int(steps[instant]) == 0
    assert bool((steps.diff() > 0).all()) or bool((steps.diff() < 0).all())


def test_who_goes_most_of_the_way_round_may_be_met_by_shifting_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fourreal.fit.spin._BETTER", 0.0)  # as if shifting met every frame
    steps = torch.arange(FRAMES) - INSTANT
    assert find_spin(scene(), filmed(torch.deg2rad(24.0 * steps)), busy(), UP, render) is not None
    assert find_spin(scene(), filmed(torch.deg2rad(12.0 * steps)), busy(), UP, render) is None, "may as well go past"


def test_who_goes_round_steadily_turns_though_other_orders_are_met_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body drawn anew with every turn is met a little better by some angle in any order; in one it is steady."""
    monkeypatch.setattr("fourreal.fit.courses.missed", lambda cost, instant: 0.8)  # as if every order met it as well
    monkeypatch.setattr("fourreal.fit.spin._BETTER", 0.0)
    steady = torch.deg2rad(24.0 * (torch.arange(FRAMES) - INSTANT))
    mixed = steady[torch.tensor([7, 2, 10, 0, 9, INSTANT, 3, 11, 1, 8, 4, 6])]
    assert find_spin(scene(), filmed(steady), busy(), UP, render) is not None
    assert find_spin(scene(), filmed(mixed), busy(), UP, render) is None


def test_who_goes_most_of_the_way_round_may_be_met_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drawn kitten has another face with every turn, and is met badly; in this order alone it goes round."""
    steps = torch.arange(FRAMES) - INSTANT
    part, whole = (filmed(torch.deg2rad(speed * steps)) for speed in (12.0, 24.0))
    assert find_spin(scene(), part, busy(), UP, render) is not None
    monkeypatch.setattr("fourreal.fit.spin._WORTH", 0.0)
    assert find_spin(scene(), part, busy(), UP, render) is None
    assert find_spin(scene(), whole, busy(), UP, render) is not None
    monkeypatch.setattr("fourreal.fit.spin._WORTH_ROUND", 0.0)
    assert find_spin(scene(), whole, busy(), UP, render) is None
