"""The reference clip in the canonical scene: which of its frames the scene shows, and where its camera is."""

from __future__ import annotations

import torch

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError
from fourreal.core.geometry import align_cameras
from fourreal.core.video import Video
from fourreal.io.frames import resize_frames

from ._sfm import Attempt, matched
from .base import Finding, PoseError, PoseReport, Poses, count_words
from .checks import examine
from .colmap import interpolated
from .frames import camera_moves

_JOINT = Attempt("reference and freeze-time clip together", 2, 0.004, 0.85, None)
_LEAST = 0.6  # of the reference frames must register, or their poses would be invented


def reference_cameras(
    reference: Video, freeze: Video, poses: Poses, *, canonical: int, moves: bool | None = None, threads: int = 2
) -> Poses:
    """The cameras of the reference clip, in the scene of `poses`; their times are 0, 1, 2, ...

    A camera at rest has the pose of the canonical frame throughout. A moving one is estimated by structure from
    motion over both clips together; moving subjects contradict each other there and are left out as outliers.

    Args:
        reference: the clip in which time runs.
        freeze: the freeze-time clip.
        poses: of the freeze-time clip.
        canonical: the freeze frame that shows the reference view.
        moves: whether the reference camera moves; found by `camera_moves` if not given.
        threads: for features; the rest runs on one, so that results repeat.

    Raises:
        PoseError: if too few frames of a moving reference clip register.
        MissingDependencyError: if the camera moves and pycolmap is not installed.
        FieldError: if clips and poses do not fit.
    """
    if len(poses.cameras) != len(freeze) or not 0 <= canonical < len(freeze):
        raise FieldError(
            f"the poses must be those of the freeze-time clip ({len(freeze)} frames, canonical among them), "
            f"got {len(poses.cameras)} and canonical {canonical}"
        )
    count = len(reference)
    if not (camera_moves(reference) if moves is None else moves):
        still = poses.cameras[[canonical] * count].resized(reference.width, reference.height)
        report = PoseReport("reference camera at rest", count, count, focal_px=float(still.Ks[0, 0, 0]))
        return Poses(_timed(still), report)
    return _registered(reference, freeze, poses, canonical, threads)


def _registered(reference: Video, freeze: Video, poses: Poses, canonical: int, threads: int) -> Poses:
    count, focal = len(reference), float(poses.cameras.Ks[canonical, 0, 0])
    frames = torch.cat([freeze.frames, resize_frames(reference.frames, freeze.height, freeze.width)])
    with matched(frames, _JOINT, focal, threads=threads) as matches:
        models = matches.models(focal)
    shared = [[f for f in m.frames if f < len(freeze)] for m in models]
    held = [[f - len(freeze) for f in m.frames if f >= len(freeze)] for m in models]
    usable = [i for i in range(len(models)) if len(shared[i]) >= 3 and len(held[i]) >= 2]
    best = max(usable, key=lambda i: len(held[i]), default=None)
    found = held[best] if best is not None else []
    if best is None or len(found) < _LEAST * count:
        raise PoseError(
            f"the reference camera moves, and {len(found)} of {count} frames of the reference clip register with the "
            "freeze-time clip; give its cameras (--cameras cameras.json)",
            registered=len(found),
            total=count,
        )
    model = models[best]
    rows = [i for i, f in enumerate(model.frames) if f >= len(freeze)]
    K = poses.cameras.Ks[canonical]
    views = torch.cat([model.viewmats[[i for i in range(len(model.frames)) if i not in rows]], model.viewmats[rows]])
    joint = Cameras(views.float(), K.expand(len(views), 3, 3).contiguous(), freeze.width, freeze.height)
    anchors = len(shared[best])
    move = align_cameras(joint[list(range(anchors))], poses.cameras[shared[best]])
    own = move.apply_cameras(joint[list(range(anchors, len(views)))])
    viewmats = interpolated(own.viewmats.double(), tuple(found), count).float()
    cameras = Cameras(viewmats, K.expand(count, 3, 3).contiguous(), freeze.width, freeze.height)
    cameras = _timed(cameras.resized(reference.width, reference.height))
    missing = [i for i in range(count) if i not in set(found)]
    note = [f"frames {count_words(missing)} of the reference clip are interpolated"] if missing else []
    findings, arc = examine(cameras)
    report = PoseReport(
        "reference camera registered", len(found), count, model.error, arc, float(K[0, 0]), only_walks(findings),
        tuple(note),
    )  # fmt: skip
    return Poses(cameras, report)


def only_walks(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The checks that hold for a reference camera: it need not circle anything, so only jumps, points behind it and
    its focal length speak against its poses."""
    return tuple(f for f in findings if f.name in ("steps", "behind", "focal"))


def _timed(cameras: Cameras) -> Cameras:
    times = torch.arange(len(cameras), dtype=torch.float32)
    return Cameras(cameras.viewmats, cameras.Ks, cameras.width, cameras.height, times)
