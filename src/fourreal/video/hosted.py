"""Clips from a hosted model, for people without a GPU: `--generator hf-inference:MODEL`.

Requests go through `InferenceClient` of huggingface_hub to whichever provider serves the model. It draws; it cannot
score. Clips that have arrived are kept in the run, so that nothing is paid for twice.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

from jaxtyping import Float
from torch import Tensor

from fourreal.core.errors import MissingDependencyError, VideoError
from fourreal.core.storage import atomic_path
from fourreal.io.frames import cover, resize_frames, subsample
from fourreal.io.video import read_video

from .base import (
    CameraPath,
    Context,
    Feature,
    KnownFrames,
    ModelSourceError,
    TextCondition,
    UnsupportedConditionError,
    VideoModelError,
    VideoModelSpec,
    check_features,
    check_prompt,
)
from .prompts import FreezeTimeRecipe, told

PREFIX = "hf-inference:"
FOLDER = "hosted"
Task = Literal["text-to-video", "image-to-video"]
_ATTEMPTS = 6
_LONGEST_PAUSE = 60.0  # seconds
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # states of HTTP that may be over in a moment
_NEGATIVE = "blurry, distorted, low quality, subtitles, watermark"


class Route(NamedTuple):
    """Who serves a model, and what for."""

    model: str
    provider: str
    task: Task


@dataclass(frozen=True, eq=False)
class HostedVideoModel:
    """One or two hosted models behind the protocol: one that draws from text, one that makes a picture move.

    Attributes:
        routes: who serves which task.
        frames: of the clips that are returned, spread evenly over those that arrive.
        size: (height, width) that they are cropped and resized to.
        recipe: how frozen time is asked for.
        negative: what clips must not show.
        cache: folder of the run, for clips that have arrived; None keeps none.
        tell: told about waiting and retries.
        pause: waits for some seconds between attempts.
    """

    routes: tuple[Route, ...]
    frames: int = 16
    size: tuple[int, int] = (288, 512)
    recipe: FreezeTimeRecipe = field(default_factory=FreezeTimeRecipe)
    negative: str = _NEGATIVE
    cache: Path | None = None
    tell: Callable[[str], None] = lambda _: None
    pause: Callable[[float], None] = time.sleep

    @property
    def spec(self) -> VideoModelSpec:
        """What the models can do together."""
        tasks = {route.task for route in self.routes}
        features: set[Feature] = {"text"}
        if "image-to-video" in tasks:
            features.add("first_frame")
        alone: frozenset[Feature] = frozenset({"first_frame"}) if "text-to-video" not in tasks else frozenset()
        name = " and ".join(route.model for route in self.routes)
        return VideoModelSpec(
            name, frozenset(features), self.frames, self.size, self.size, 3, 8.0,
            "that of the model and the terms of its provider", required=alone,
        )  # fmt: skip

    def encode_text(self, prompt: str, *, context: Context = "dynamic") -> TextCondition:
        """The prompt in the words that the host will get. Raises `PromptError` if it is empty or far too long."""
        check_prompt(prompt)
        said = told(prompt, self.negative, context, self.recipe)
        return TextCondition(prompt, context, f'{self.spec.name} is asked for: "{said[0]}"', said)

    def generate(
        self,
        text: TextCondition,
        *,
        size: tuple[int, int] | None = None,
        known: KnownFrames | None = None,
        camera: CameraPath | None = None,
        seed: int = 0,
        steps: int | None = None,
        on_step: Callable[[int, int], None] | None = None,
    ) -> Float[Tensor, "F 3 H W"]:
        """A clip from the host, cropped and resized to `size`; a known first frame comes back as given.

        Raises:
            UnsupportedConditionError: for known frames but the first, camera paths, or a task that nobody serves.
            ModelSourceError: if the host refuses, does not answer after several attempts, or sends no clip.
        """
        check_features(known, camera, self.spec)
        if not (isinstance(text.payload, tuple) and len(text.payload) == 2):
            raise UnsupportedConditionError(
                f"the text {text.prompt[:40]!r} was encoded by another model; use encode_text of {self.spec.name}"
            )
        height, width = self.size if size is None else size
        picture = None if known is None else resize_frames(known.frames[:1].detach().float().cpu(), height, width)
        video = cover(read_video(self._fetched(text.payload, picture, seed, steps)), height, width)
        if len(video) < self.frames:
            raise ModelSourceError(
                f"{self.spec.name} sent {len(video)} frames, fewer than {self.frames}; use --frames {len(video)}"
            )
        clip = subsample(video, count=self.frames).frames.clone()
        if picture is not None:
            clip[:1] = picture
        if on_step is not None:
            on_step(1, 1)
        return clip

    def encode(self, frames: Float[Tensor, "F 3 H W"]) -> Float[Tensor, "F C h w"]:
        """Raises `UnsupportedConditionError`: a hosted model shows no gradients."""
        self._no_score()

    def denoise(
        self,
        x: Float[Tensor, "F C h w"],
        sigma: float,
        text: TextCondition,
        *,
        known: KnownFrames | None = None,
        camera: CameraPath | None = None,
    ) -> Float[Tensor, "F C h w"]:
        """Raises `UnsupportedConditionError`: a hosted model shows no gradients."""
        self._no_score()

    def _no_score(self) -> NoReturn:
        raise UnsupportedConditionError(
            f"{self.spec.name} is hosted and cannot be a teacher (score); use --teacher embedded or --teacher none"
        )

    def _fetched(self, said: tuple[str, str], picture: Tensor | None, seed: int, steps: int | None) -> Path:
        """The file of a clip: kept from before, or fetched now."""
        task: Task = "text-to-video" if picture is None else "image-to-video"
        route = next(route for route in self.routes if route.task == task)
        asked = {"prompt": said[0], "negative": said[1], "seed": seed, "steps": steps}
        png = None if picture is None else _png(picture[0])
        about = json.dumps([list(route), asked, hashlib.sha256(png or b"").hexdigest()])
        folder = Path(self.cache or _temporary()) / FOLDER
        path = folder / f"{hashlib.sha256(about.encode()).hexdigest()[:24]}.mp4"
        if path.is_file() and _is_clip(path):
            self.tell(f"the clip of {route.model} is here from before")
            return path
        self.tell(f"asking {route.provider} for a clip of {route.model}; this may take minutes")
        with atomic_path(path) as temporary:
            self._retried(route, lambda: temporary.write_bytes(_ask(route, asked, png)), temporary)
        return path

    def _retried(self, route: Route, attempt: Callable[[], Any], made: Path) -> None:
        """Try until a clip is there; passing errors are waited out, longer every time."""
        wait, why = 1.0, ""
        for number in range(_ATTEMPTS):
            if number:
                self.tell(f"{route.provider}: {why}; trying again in {wait:.0f} s ({number + 1} of {_ATTEMPTS})")
                self.pause(wait)
                wait = min(2 * wait, _LONGEST_PAUSE)
            try:
                attempt()
                if _is_clip(made):
                    return
                why = "what came is no clip"
            except _network_errors() as error:
                state = _state(error)
                if state is not None and state not in _PASSING:
                    raise _refused(route, state) from None
                why = f"it answers with state {state}" if state else f"no connection ({type(error).__name__})"
            except (ValueError, KeyError) as error:
                raise ModelSourceError(f"{route.provider} does not serve {route.model}: {_line(error)}") from None
        raise ModelSourceError(
            f"{route.provider} made no clip of {route.model} in {_ATTEMPTS} attempts: {why}; run the same command "
            "later, it goes on from here, or use another model"
        )


def open_hosted(names: str, **settings: Any) -> HostedVideoModel:
    """The hosted models `hf-inference:MODEL` or `hf-inference:TEXT_MODEL,IMAGE_MODEL`, as the hub lists them.

    Args:
        names: with or without the prefix.
        settings: fields of `HostedVideoModel` but the routes.

    Raises:
        ModelSourceError: if nobody is logged in, the hub cannot be reached, or nobody serves a model for video.
        MissingDependencyError: if huggingface_hub is not installed.
    """
    import importlib.util

    if importlib.util.find_spec("huggingface_hub") is None:
        raise MissingDependencyError("hf-inference needs huggingface_hub; run: pip install 'fourreal[models]'")
    from huggingface_hub import get_token

    if not get_token():
        raise ModelSourceError(
            "hf-inference needs a token of huggingface.co; run `hf auth login`, or set HF_TOKEN to a token that may "
            "call inference providers"
        )
    models = [name.strip() for name in names.removeprefix(PREFIX).split(",") if name.strip()]
    if not models:
        raise ModelSourceError("hf-inference: names no model; for example hf-inference:Wan-AI/Wan2.2-TI2V-5B")
    return HostedVideoModel(tuple(_route(model) for model in models), **settings)


def _route(model: str) -> Route:
    """Who serves a model."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    try:
        listed = HfApi().model_info(model, expand=["inferenceProviderMapping"]).inference_provider_mapping or []
    except (RepositoryNotFoundError, HFValidationError):
        raise ModelSourceError(f"hf-inference: the hub knows no model {model}") from None
    except _network_errors() as error:
        state = _state(error)
        why = f"state {state}" if state else type(error).__name__
        raise ModelSourceError(
            f"hf-inference: the hub cannot be reached to see who serves {model} ({why}); "
            "try again, or use --model FOLDER"
        ) from None
    for one in listed:
        if one.task in ("text-to-video", "image-to-video") and one.status != "error":
            return Route(model, one.provider, one.task)
    tasks = ", ".join(sorted({one.task for one in listed})) or "nothing"
    raise ModelSourceError(
        f"hf-inference: nobody serves {model} for text-to-video or image-to-video (but for {tasks}); its page on the "
        "hub lists who does what"
    )


def _ask(route: Route, asked: dict[str, Any], png: bytes | None) -> bytes:
    """One request. The token comes from its standard place and is told to nobody else."""
    from huggingface_hub import InferenceClient

    client = InferenceClient(provider=route.provider, timeout=900)  # type: ignore[arg-type]
    more = {"num_inference_steps": asked["steps"], "seed": asked["seed"], "model": route.model}
    if png is None:
        return client.text_to_video(asked["prompt"], negative_prompt=[asked["negative"]], **more)
    return client.image_to_video(png, prompt=asked["prompt"], negative_prompt=asked["negative"], **more)


def _network_errors() -> tuple[type[Exception], ...]:
    """What requests raise: the base class of the HTTP library, whichever huggingface_hub uses, and of the system."""
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError.__bases__


def _state(error: Exception) -> int | None:
    response = getattr(error, "response", None)
    return None if response is None else int(response.status_code)


def _refused(route: Route, state: int) -> VideoModelError:
    hints = {
        401: "the token is not valid; run `hf auth login`",
        403: "the token may not call inference providers; make one that may, and run `hf auth login`",
        402: "the account has no credit left for inference providers",
        404: "the provider no longer has the model; choose another",
    }
    hint = hints.get(state, "the request was not accepted")
    return ModelSourceError(f"{route.provider} refuses {route.model} (state {state}): {hint}")


def _is_clip(path: Path) -> bool:
    try:
        return len(read_video(path, max_frames=1)) == 1
    except VideoError:
        return False


def _png(picture: Float[Tensor, "3 H W"]) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    pixels = (picture.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def _temporary() -> str:
    import tempfile

    return tempfile.mkdtemp(prefix="fourreal-hosted-")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
