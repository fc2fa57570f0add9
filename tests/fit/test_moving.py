"""Nodes go where the clip moves: to the subject, not to the ground and the sky."""

from __future__ import annotations

import torch

from fourreal.deform import NodeConfig, Space
from fourreal.fit.clips import Clips
from fourreal.fit.ground import Plane
from fourreal.fit.moving import moving
from fourreal.fit.seeding import seed_gaussians
from fourreal.fit.static import Targets
from fourreal.fit.stereo import focus_distance
from fourreal.worlds import core_cameras, orbit_cameras, reference_cameras, render, sample_worlds


def filmed(still: bool = False) -> Clips:
    worlds = sample_worlds([3])
    around = orbit_cameras(worlds, 8, 64, 36, degrees=60.0, moment=0.0)
    running = reference_cameras(worlds, 8, 64, 36)
    freeze, reference = (
        Targets(render(worlds, shots, geometry=False).rgb[0], core_cameras(shots, 0)) for shots in (around, running)
    )
    if still:
        reference = Targets(reference.images[:1].expand_as(reference.images).contiguous(), reference.cameras)
    return Clips(freeze, reference, 0, 0)


def setting(clips: Clips) -> tuple[torch.Tensor, Space]:
    means = seed_gaussians(clips.freeze, 2000, torch.Generator().manual_seed(0)).means
    return means, Space(torch.zeros(3), torch.tensor(0.5 * focus_distance(clips.freeze)))


def test_what_moves_is_found_and_most_nodes_go_there() -> None:
    clips = filmed()
    means, space = setting(clips)
    busy = moving(clips, means, space.centre, space.extent)
    assert 0.01 < float(busy.float().mean()) < 0.5
    plain = NodeConfig(nodes=64).build(means, 8, 0, space=space)
    field = NodeConfig(nodes=64).build(means, 8, 0, space=space, busy=busy)
    assert len(field.nodes) == 64

    def there(nodes: torch.Tensor) -> int:
        return int((torch.cdist(nodes, means[busy]).amin(1) < 1e-3).sum())

    with torch.no_grad():
        field.motions += 0.1
    far = ~busy & (torch.cdist(means, means[busy]).amin(1) > 1.0)
    moved = field.offsets(means, 3.0).means.detach().abs().amax(1)
    assert float(moved[far].median()) < 1e-3 * float(moved[busy].median()), "the surroundings hold still"
    assert there(field.nodes) >= min(48, int(busy.sum())) > there(plain.nodes)


def test_a_clip_that_stands_still_leaves_all_near_gaussians() -> None:
    clips = filmed(still=True)
    means, space = setting(clips)
    near = ((means - space.centre).abs() < 1.5 * space.extent).all(1)
    assert torch.equal(moving(clips, means, space.centre, space.extent), near)


def test_the_ground_a_subject_passes_over_holds_still() -> None:
    clips = filmed()
    means, space = setting(clips)
    low = Plane(torch.tensor([0.0, 0.0, 1.0]), -10.0)  # far below: nothing lies on it
    busy = moving(clips, means, space.centre, space.extent)
    assert torch.equal(moving(clips, means, space.centre, space.extent, low), busy)
    height = float(means[busy, 2].median())
    above = moving(clips, means, space.centre, space.extent, Plane(low.normal, height))
    assert bool((above <= busy).all())
    assert 0 < int(above.sum()) <= int(busy.sum()) // 2
    assert float(means[above, 2].min()) > height


def test_a_hill_behind_the_subject_is_no_limb_of_it() -> None:
    clips = filmed()
    subject = torch.tensor([[0.0, 0.0, 0.4], [0.1, 0.2, 0.3], [-0.2, 0.0, 0.2]])
    hill = torch.tensor([[-1.0, 0.0, 0.09], [-1.2, 0.1, 0.12], [0.3, 1.2, 0.1]])
    ground, still = Plane(torch.tensor([0.0, 0.0, 1.0]), 0.0), filmed(still=True)
    points, one = torch.cat((subject, hill)), torch.tensor(1.0)
    assert moving(still, points, torch.zeros(3), one, ground).tolist() == [True] * 3 + [False] * 3
    assert moving(still, points, torch.zeros(3), one).all(), "without a ground all of it is near"
    assert not moving(clips, hill, torch.zeros(3), one, ground).any()
