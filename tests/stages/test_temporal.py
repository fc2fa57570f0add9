"""Motion of a subject that is known to turn: how it looks is the frozen clip's to say, where that shows all of it."""

from __future__ import annotations

from dataclasses import replace

import torch

from fit.block import BODY, SPOT, pictures, scene, seen_from, turning
from fourreal.deform.nodes import NodeField
from fourreal.fit.clips import Clips
from fourreal.fit.state import FitState
from fourreal.recipes import Ablations, temporal_default
from fourreal.stages.temporal import TemporalConfig, fit_temporal

SPEED = 22.5


def all_round() -> Clips:
    """The block turns in a clip that shows it in other colours: red and green are exchanged."""
    clips, _ = turning(SPEED)
    assert clips.reference is not None
    walk = pictures(scene(), seen_from(*(20.0 * i for i in range(18))))
    other = replace(clips.reference, images=clips.reference.images[:, [1, 0, 2]])
    return Clips(walk, other, 0, clips.instant)


def fitted(clips: Clips, **changed: object) -> FitState:
    config = replace(TemporalConfig(temporal_default(0.04, Ablations(warp=False)), nodes=32), **changed)
    return fit_temporal(clips, scene(), {}, config)


def test_a_subject_that_is_known_to_turn_keeps_the_looks_that_the_frozen_clip_shows() -> None:
    clips = all_round()
    led, free = fitted(clips, turns=True), fitted(clips, turns=False)
    start = scene()
    assert len(led.params["means"]) == len(start), "nothing is revealed"

    def strayed(state: FitState) -> float:
        return float((state.params["colors"][:BODY] - start.colors[:BODY]).detach().abs().mean())

    assert strayed(led) < 0.5 * strayed(free)
    motion = led.modules["motion"]
    assert isinstance(motion, NodeField)
    assert motion.room.any(), "it turns about itself"
    means = led.params["means"].detach()[:BODY]
    at = torch.tensor([clips.instant, clips.instant + 4.0])
    now, later = (means + motion.offsets(led.params["means"].detach(), at).means.detach()[:, :BODY]).unbind()
    turned = [torch.atan2(*(points - SPOT)[:, [0, 2]].T) for points in (now, later)]
    far = (means - SPOT)[:, [0, 2]].norm(dim=1) > 0.2
    angle = torch.rad2deg(torch.remainder(turned[1] - turned[0] + torch.pi, 2 * torch.pi) - torch.pi)[far].abs()
    assert abs(float(angle.median()) - 4 * SPEED) < 15
