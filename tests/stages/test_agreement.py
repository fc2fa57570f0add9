"""Frames get a deformation each only where they contradict each other."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fourreal.core.errors import FourRealError
from fourreal.recipes import Ablations, canonical_default
from fourreal.stages.canonical import Agreement, CanonicalConfig, agreement_of, fit_canonical, unwarped
from fourreal.stages.trial import TUNING, Case, Filming, world_case

CPU = torch.device("cpu")
SHORT = CanonicalConfig(canonical_default(0.01), seeds=400, nodes=16)


@pytest.fixture(scope="module")
def clean() -> Case:
    return world_case(TUNING + 3, Filming(128, 72, 2, 12, 45.0), CPU)


@pytest.fixture(scope="module")
def bent() -> Case:
    return world_case(TUNING + 3, Filming(128, 72, 2, 12, 45.0, warp=0.5), CPU)


def warps(case: Case, config: CanonicalConfig) -> float:
    field = fit_canonical(case.clips, config, CPU).modules["warp"]
    return max(float(p.detach().abs().max()) for name, p in field.named_parameters() if p.requires_grad)


def test_a_clean_clip_is_fitted_as_if_there_were_no_warps(clean: Case) -> None:
    without = replace(SHORT, phases=canonical_default(0.01, Ablations(warp=False)))
    ours, theirs = (fit_canonical(clean.clips, c, CPU).params for c in (SHORT, without))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert tuple(map(unwarped, SHORT.phases)) == without.phases


def test_a_bent_clip_gets_warps_and_a_clean_one_on_request(clean: Case, bent: Case) -> None:
    assert agreement_of(bent.clips, SHORT).warped
    assert not agreement_of(clean.clips, SHORT).warped
    assert warps(bent, SHORT) > 0
    assert warps(clean, replace(SHORT, warp_above=0.0)) > 0
    assert agreement_of(clean.clips, replace(SHORT, warp_above=0.0)) == Agreement(None, True)


def test_cameras_that_follow_the_pictures_tell_nothing(clean: Case) -> None:
    assert agreement_of(replace(clean.clips, given=False), SHORT) == Agreement(None, True)


def test_people_are_told(clean: Case, bent: Case) -> None:
    for case, words in ((clean, "none needs a deformation"), (bent, "each gets a small deformation")):
        assert words in agreement_of(case.clips, SHORT).sentence(128)


def test_an_impossible_limit_is_refused() -> None:
    with pytest.raises(FourRealError, match="share of the width"):
        replace(SHORT, warp_above=-1.0)
