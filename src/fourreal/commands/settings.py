"""What the options of the commands mean: recipes, resolved settings, and the stages that follow from them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fourreal.core.errors import FourRealError
from fourreal.export.outputs import OUTPUTS, write_outputs
from fourreal.recipes import canonical_default, canonical_paper, detail_default, temporal_default, temporal_paper
from fourreal.run import Stage
from fourreal.stages import canonical, clips, detail, poses, temporal, videos
from fourreal.stages.canonical import CanonicalConfig
from fourreal.stages.clips import ClipsConfig
from fourreal.stages.detail import DetailConfig
from fourreal.stages.lift_views import COVERAGE, write_coverage
from fourreal.stages.lifted import LIFTED, MOTION, NOTES, SCENE, WARP
from fourreal.stages.news import Desk, News, Tell
from fourreal.stages.poses import PosesConfig
from fourreal.stages.scoring import Teacher
from fourreal.stages.settings import SettingsError, from_json, to_json
from fourreal.stages.temporal import TemporalConfig
from fourreal.stages.videos import VideosConfig
from fourreal.video.base import Upsamples
from fourreal.video.embedded.weights import FOLDER

from .models import ModelOptions

if TYPE_CHECKING:
    import torch

    from fourreal.video.choose import Models

RecipeName = Literal["preview", "default", "paper"]
_STEP = {"preview": 8.0, "default": 6.0, "paper": 4.0}  # degrees between freeze-time frames
_LINK = 60.0  # degrees that a clip of the embedded model adds to a walk, about
_DRAFTS = {"preview": 2, "default": 4, "paper": 4}
_SEEDS = {"preview": 12_000, "default": 20_000, "paper": 40_000}
_IMAGES = 4, 2  # a step of both stages of the paper's schedule: the frozen instant loses nothing, motion soon does


@dataclass(frozen=True)
class Settings:
    """The resolved settings of a run: what `config.json` holds.

    Attributes:
        canonical, temporal: the fits.
        detail: how the scene learns from pictures that the video model draws again.
        poses: how cameras are found.
        videos: what is drawn; or
        clips: which clips are taken instead.
        models: which video models.
        weights: networks of one's own for the embedded model.
        prompt: what a teacher is told of clips that were not drawn from one; None for no teacher.
        recipe, effort: where the settings came from.
        until: last stage.
    """

    canonical: CanonicalConfig
    temporal: TemporalConfig
    detail: DetailConfig = field(default_factory=DetailConfig)
    poses: PosesConfig = field(default_factory=PosesConfig)
    videos: VideosConfig | None = None
    clips: ClipsConfig | None = None
    models: ModelOptions = field(default_factory=ModelOptions)
    weights: Path | None = None
    prompt: str | None = None
    recipe: RecipeName = "default"
    effort: float = 1.0
    until: Literal["videos", "poses", "canonical", "temporal", "detail", "outputs"] = "outputs"

    @property
    def said(self) -> str | None:
        """What the scene shows, in words."""
        return self.prompt if self.videos is None else self.videos.prompt

    @property
    def guided(self) -> bool:
        """Whether a phase of a fit asks a teacher."""
        return any(p.guidance is not None for p in (*self.canonical.phases, *self.temporal.phases))


def fits(recipe: RecipeName, effort: float, seed: int, guided: bool = False) -> tuple[CanonicalConfig, TemporalConfig]:
    """The settings of both fits; `guided` if there is a teacher. The preview takes no time for one.

    Raises:
        FourRealError: if the effort is out of range.
    """
    if not 0 < effort <= 100:
        raise FourRealError(f"--effort must lie in (0, 100], got {effort:g}; 1 is the usual")
    if recipe == "paper":
        frozen = canonical_paper(effort, guided=guided, images=_IMAGES[0])
        moving = temporal_paper(effort, guided=guided, images=_IMAGES[1])
        first = CanonicalConfig(frozen, _SEEDS[recipe], seed=seed, field="mlp", warp_above=0.0)
        return first, TemporalConfig(moving, seed=seed, field="mlp")
    steps, guided = (0.4 * effort, False) if recipe == "preview" else (effort, guided)
    first = CanonicalConfig(canonical_default(steps, guided=guided), _SEEDS[recipe], seed=seed)
    return first, TemporalConfig(temporal_default(steps, guided=guided), seed=seed)


def detail_of(recipe: RecipeName, effort: float, seed: int) -> DetailConfig:
    """The settings of the detail pass; only the paper's recipe has it (docs/generate.md has the figures)."""
    return DetailConfig(recipe == "paper", detail_default(effort), seed=seed)


def step_of(recipe: RecipeName) -> float:
    """Degrees between two freeze-time frames, at most."""
    return _STEP[recipe]


def drafts_of(recipe: RecipeName) -> int:
    """Small drafts of every clip: the preview has no time for more than two."""
    return _DRAFTS[recipe]


def read_settings(data: Any, where: str) -> Settings:
    """The settings in a `config.json`. Raises `SettingsError` naming what is wrong."""
    return from_json(Settings, data, where)


class Opened:
    """The video models of a run, opened when they are first needed."""

    def __init__(self, settings: Settings, device: torch.device, cache: Path, tell: Any) -> None:
        self._settings, self._device, self._cache, self._tell = settings, device, cache, tell

    @cached_property
    def models(self) -> Models:
        """Generator and teacher."""
        s = self._settings
        steps = None if s.videos is None else s.videos.steps
        return s.models.open(self._device, steps=steps, weights=s.weights, cache=self._cache, tell=self._tell)

    @cached_property
    def teacher(self) -> Teacher | None:
        """Who scores the fits; None if no phase asks, or nobody is to.

        Raises:
            FourRealError: if the model cannot score, or the prompt says nothing to it.
        """
        said = self._settings.said
        if not self._settings.guided or said is None or self.models.teacher is None:
            return None
        return Teacher.of(self.models.teacher, said, self._settings.models.score_gradient)

    def upsampler(self) -> Upsamples | None:
        """Who draws pictures again: the first of the run's models that can; None if the run has no such model.

        Clips of one's own have none unless a model is named, the embedded one knows nothing of their world.
        """
        if self._settings.videos is None and self._settings.models.is_default:
            return None
        for model in self.models:
            if model is not None and "upsample" in model.spec.features and isinstance(model, Upsamples):
                return model
        return None

    def check(self) -> None:
        """Raise `FourRealError` if the prompt or a setting of the clips does not fit the model."""
        config = self._settings.videos
        if config is not None:
            spec = self.models.generator.spec
            videos.check_videos(config, spec)
            if config.from_frame is not None:
                videos.read_picture(config.from_frame, spec.size)
            self.models.generator.encode_text(config.prompt, context="dynamic")
        if self._settings.clips is not None:
            clips.check_clips(self._settings.clips)


def pipeline(settings: Settings, run: Path, device: torch.device, opened: Opened) -> list[Stage]:
    """The stages of a run, in order."""
    own = {name: run / name for name in (videos.FREEZE, videos.REFERENCE, videos.NOTES, poses.GIVEN)}
    found = {name: run / name for name in (poses.CAMERAS, poses.REPORT)}
    taught = {"models": to_json(settings.models), "prompt": settings.said} if settings.guided else {}
    fitted = {name: run / name for name in (canonical.SCENE, canonical.WARP)}
    lifted = tuple(f"{LIFTED}/{name}" for name in (SCENE, WARP, NOTES))
    memory = "--set canonical.seeds=8000, --set poses.width=192, or --recipe preview"
    stages = [
        *_sources(settings, device, opened),
        Stage(
            "poses", to_json(settings.poses), own, (poses.CAMERAS, poses.REPORT),
            lambda desk, tell: poses.find_poses(settings.poses, desk, tell, device),
            seconds=10, editable=True, advice="--set poses.width=192",
        ),
        Stage(
            "canonical", {**to_json(settings.canonical), **taught}, {videos.FREEZE: run / videos.FREEZE, **found},
            (canonical.SCENE, canonical.WARP, canonical.REPORT),
            lambda desk, tell: canonical.make_canonical(settings.canonical, device, desk, tell, opened.teacher),
            seconds=_guess(settings.canonical.phases), advice=memory,
        ),
        Stage(
            "temporal", {**to_json(settings.temporal), **taught}, {**own, **found, **fitted},
            (*lifted, temporal.REPORT),
            lambda desk, tell: temporal.make_temporal(settings.temporal, device, desk, tell, opened.teacher),
            seconds=_guess(settings.temporal.phases), advice=memory,
        ),
        _detail(settings, run, device, opened),
        Stage(
            "outputs", {}, {**{name: run / name for name in (SCENE, MOTION, WARP)}, **own, **found}, OUTPUTS,
            lambda desk, tell: _outputs(device, desk, tell), seconds=10, advice="--recipe preview",
        ),
    ]  # fmt: skip
    names = [stage.name for stage in stages]
    return stages[: names.index(settings.until) + 1] if settings.until in names else stages


def _sources(settings: Settings, device: torch.device, opened: Opened) -> list[Stage]:
    """The stage that draws the clips, or takes them from files; none where they lie in the run already."""
    config, taken = settings.videos, settings.clips
    if config is not None:
        drawn = (videos.REFERENCE,) * (config.which != "freeze") + (videos.FREEZE,) * (config.which != "dynamic")
        inputs = {"weights": settings.weights or FOLDER} if settings.models.is_default else {}
        inputs |= {} if config.from_frame is None else {"picture": config.from_frame}
        models = {k: v for k, v in to_json(settings.models).items() if not k.startswith(("teacher", "score"))}
        return [
            Stage(
                "videos", {**to_json(config), "models": models}, inputs, (*drawn, videos.NOTES, videos.SHEET),
                lambda desk, tell: videos.make_videos(config, opened.models.generator, desk, tell, device),
                seconds=drawing_seconds(config) if settings.models.is_default else 40, editable=True,
                advice="--size, or use --offload",
            )
        ]  # fmt: skip
    if taken is not None:
        return [
            Stage(
                "videos", to_json(taken), taken.files, (*taken.files, videos.NOTES),
                lambda desk, tell: clips.take_clips(taken, desk, tell), seconds=2, editable=True,
            )
        ]  # fmt: skip
    return []


def drawing_seconds(config: videos.VideosConfig) -> float:
    """Seconds that the embedded model draws for, about; it need not be loaded to say so."""
    links = max(1, math.ceil(videos.covered(config, turns=False) / _LINK))
    return videos.planned_work(config, links, tries=True, chooses=True).seconds


def _guess(phases: tuple[Any, ...]) -> float:
    """Seconds that phases take, about, on two cores; only their proportions, those of a `default` run, matter."""
    return sum(p.steps * (0.05 + 0.015 * (p.views + 1.5 * p.frames) / p.shrink**2) for p in phases)


def _detail(settings: Settings, run: Path, device: torch.device, opened: Opened) -> Stage:
    """The stage that publishes the scene, fine-tuned if that is wanted, and what the clips show of it."""
    config = settings.detail

    def work(desk: Desk, tell: Tell) -> None:
        detail.make_detail(config, device, desk, tell, opened.upsampler)
        write_coverage(desk.out, device)

    inputs = {name: run / name for name in (*(f"{LIFTED}/{n}" for n in (SCENE, MOTION, WARP, NOTES)), poses.REPORT)}
    wanted: dict[str, Any] = {"on": False}
    if config.on:
        wanted = {**to_json(config), "models": to_json(settings.models)}
        inputs |= {name: run / name for name in (videos.FREEZE, videos.REFERENCE, poses.CAMERAS)}
        inputs |= {"weights": settings.weights or FOLDER} if settings.models.is_default else {}
    return Stage(
        "detail", wanted, inputs, (SCENE, WARP, NOTES, COVERAGE), work,
        seconds=_guess(config.phases) * 1.4 if config.on else 2,
        advice="--set detail.clips=2, or --set detail.on=false",
    )  # fmt: skip


def _outputs(device: torch.device, desk: Desk, tell: Tell) -> None:
    """What the user gets."""
    write_outputs(desk.run, device, out=desk.out, on_news=lambda doing, share: tell(News(doing=doing, share=share)))


def settings_of_run(data: Any, where: Path) -> Settings:
    """The settings of a run that is there. Raises `SettingsError` for a config that this version cannot read."""
    try:
        return read_settings(data, str(where))
    except SettingsError as error:
        raise SettingsError(f"{error}; the run was made by another version, or edited: start a new one") from None


def with_fits(settings: Settings, recipe: RecipeName | None, effort: float | None) -> Settings:
    """The settings with both fits of another recipe or effort, if one is named."""
    if recipe is None and effort is None:
        return settings
    recipe, effort = recipe or settings.recipe, settings.effort if effort is None else effort
    taught = settings.said is not None and settings.models.teacher != "none"
    first, later = fits(recipe, effort, settings.canonical.seed, taught)
    return replace(
        settings, canonical=first, temporal=later, detail=detail_of(recipe, effort, settings.canonical.seed),
        recipe=recipe, effort=effort,
    )  # fmt: skip
