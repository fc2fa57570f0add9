"""The third stage: the frozen instant, from the freeze-time clip (4Real, section 3)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FourRealError
from fourreal.core.scene import Scene
from fourreal.core.storage import write_json
from fourreal.deform import MlpConfig, NodeConfig, save_field
from fourreal.fit.bounds import Lens
from fourreal.fit.checkpoint import fingerprint
from fourreal.fit.clips import Clips
from fourreal.fit.dynamic import dynamic_objective, render_dynamic
from fourreal.fit.formed import CameraIncrements
from fourreal.fit.loop import Progress
from fourreal.fit.moving import inner_space
from fourreal.fit.phases import Phase
from fourreal.fit.seeding import seed_gaussians
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets
from fourreal.fit.stereo import focus_distance
from fourreal.pose.agreement import disagreement
from fourreal.pose.tracks import follow
from fourreal.raster import select

from .fitting import Beginning, Curve, Glances, OnProgress, OnState, fit_from
from .news import Desk, News, Tell
from .poses import read_run_clips
from .scoring import Teacher, taught

SCENE, WARP, REPORT = "canonical/scene.safetensors", "canonical/warp.safetensors", "canonical/report.json"


@dataclass(frozen=True)
class CanonicalConfig:
    """How the frozen instant is fitted.

    Attributes:
        phases: to go through.
        seeds: Gaussians to start from.
        nodes: control nodes of the deformation of each frame.
        seed: of everything random.
        field: "nodes" for control nodes, or "mlp" for the paper's network, which wants a GPU.
        warp_above: where cameras were given, frames get a deformation each only if followed points miss the cameras by
            more than this share of the width (`pose.agreement`); 0 for always. Where frames agree, there is nothing for
            it to explain, and it takes up what the scene should hold (docs/lift.md).
    """

    phases: tuple[Phase, ...]
    seeds: int = 20_000
    nodes: int = 256
    seed: int = 0
    field: Literal["nodes", "mlp"] = "nodes"
    warp_above: float = 0.0036

    def __post_init__(self) -> None:
        if not 0 <= self.warp_above < math.inf:
            raise FourRealError(
                f"canonical.warp_above is a share of the width, 0 or more, got {self.warp_above}; 0.0036 is usual"
            )
        for name in ("seeds", "nodes"):
            if getattr(self, name) < 1:
                raise FourRealError(f"canonical.{name} must be at least 1, got {getattr(self, name)}")


class Agreement(NamedTuple):
    """Whether freeze-time frames agree, and what follows.

    share: of the width, by which followed points miss the cameras; None if nobody looked, or there were none to follow.
    warped: whether frames get a deformation each.
    """

    share: float | None
    warped: bool

    def sentence(self, width: int) -> str:
        """For people; empty if nobody looked."""
        if self.share is None:
            return ""
        done = "each gets a small deformation of its own" if self.warped else "none needs a deformation of its own"
        return f"the freeze-time frames agree to {self.share * width:.1f} pixels: {done}"


def agreement_of(clips: Clips, config: CanonicalConfig) -> Agreement:
    """Look at a freeze-time clip, if its frames would get deformations and need not.

    Only given cameras tell: those found from the pictures agree with them, and deformations take up their errors.
    """
    freeze = clips.freeze
    if not clips.given or not config.warp_above or not any("warp" in p.fields for p in config.phases):
        return Agreement(None, True)
    share = disagreement(freeze.cameras.to("cpu"), follow(freeze.images))
    return Agreement(share, share is None or share > config.warp_above)


def unwarped(phase: Phase) -> Phase:
    """`phase` without the frames' own deformations."""
    return replace(
        phase,
        fields=tuple(f for f in phase.fields if f != "warp"),
        rates={k: v for k, v in phase.rates.items() if k != "warp"},
        losses={k: v for k, v in phase.losses.items() if k != "small"},
    )


def fit_canonical(
    clips: Clips,
    config: CanonicalConfig,
    device: torch.device,
    *,
    agreement: Agreement | None = None,
    teacher: Teacher | None = None,
    checkpoint: Path | None = None,
    on_progress: OnProgress = lambda _: None,
    on_state: OnState = lambda _: None,
) -> FitState:
    """Seed Gaussians and fit them to the freeze-time clip, with its warp and its cameras' increments.

    A `teacher` scores the phases that have a guidance. `agreement` is looked for if it is not given.
    """
    agreement = agreement or agreement_of(clips, config)
    phases = config.phases if agreement.warped else tuple(map(unwarped, config.phases))
    seeds = seed_gaussians(clips.freeze, config.seeds, torch.Generator().manual_seed(config.seed))
    lens = Lens.of(clips.freeze.cameras, focus_distance(clips.freeze))
    beginning = Beginning(seeds, clips.freeze.extent(), config.seed, _modules(clips, seeds.means, config), lens)
    run = fingerprint(phases, str(asdict(replace(config, phases=()))), device.type)
    frozen = Clips(clips.freeze, None, clips.canonical)
    objective = taught(
        dynamic_objective(frozen, select(device), shown_only=config.field == "mlp"), frozen, teacher, select(device)
    )
    return fit_from(
        beginning, phases, objective, run, checkpoint=checkpoint, on_progress=on_progress, on_state=on_state
    )


def _modules(clips: Clips, means: Tensor, config: CanonicalConfig) -> dict[str, nn.Module]:
    freeze = clips.freeze
    kind = MlpConfig(discrete=True) if config.field == "mlp" else NodeConfig(nodes=config.nodes, centred=True)
    return {
        "warp": kind.build(means, len(freeze.cameras), clips.canonical, space=inner_space(freeze, means)),
        "poses": CameraIncrements(len(freeze.cameras), clips.canonical, focus_distance(freeze), means.device),
    }


def refined_cameras(state: FitState, freeze: Targets) -> Cameras:
    """The freeze-time cameras with the increments that were fitted."""
    poses = state.modules["poses"]
    assert isinstance(poses, CameraIncrements)
    with torch.no_grad():
        viewmats = poses.apply_to(
            freeze.cameras.viewmats, torch.arange(len(freeze.cameras), device=poses.twists.device)
        )
    return replace(freeze.cameras, viewmats=viewmats)


def make_canonical(
    config: CanonicalConfig, device: torch.device, desk: Desk, tell: Tell, teacher: Teacher | None = None
) -> None:
    """Fit the run's freeze-time clip; write the canonical scene, its warp, and how the fit went.

    Raises:
        FourRealError: if a file is missing, or the fit diverges.
    """
    clips = read_run_clips(desk.run)[0].to(device)
    curve = Curve.open(desk.scratch / "curve.jsonl")
    agreement = agreement_of(clips, config)
    tell(News(agreement.sentence(clips.freeze.cameras.width), doing="first guess of the scene", share=0.0))

    def progress(news: Progress) -> None:
        curve.add(news)
        tell(told(news))

    def glance(state: FitState) -> None:
        view = refined_cameras(state, clips.freeze)[[clips.canonical, 0]]
        shown = render_dynamic(state.splats(), None, view, select(device)).cpu()
        tell(News(picture=torch.cat([clips.freeze.images[clips.canonical].cpu(), *shown], -1)))

    state = fit_canonical(
        clips, config, device, agreement=agreement, teacher=teacher, on_progress=progress, on_state=Glances(glance),
        checkpoint=desk.scratch / "checkpoint.safetensors",
    )  # fmt: skip
    glance(state)
    cameras = {"freeze": refined_cameras(state, clips.freeze).to("cpu")}
    Scene(state.gaussians().to("cpu"), cameras).save(desk.out / SCENE)
    save_field(desk.out / WARP, state.modules["warp"])  # type: ignore[arg-type]
    found = {"disagreement": agreement.share, "warped": agreement.warped}
    write_json(desk.out / REPORT, {"gaussians": len(state.params["means"]), **found, "curve": curve.rows})


def told(news: Progress) -> News:
    """Progress of a fit as news."""
    text = "the fit diverged: going on from the last good state at half the learning rate" if news.recovered else ""
    terms = {k: v for k, v in news.terms.items() if math.isfinite(v)} | {"gaussians": float(news.gaussians)}
    return News(text, news.phase, min(news.step / news.steps, 1.0), terms)
