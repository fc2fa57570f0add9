"""One run of structure from motion through pycolmap: pictures in, cameras of the registered ones out.

Seeds are fixed and the mapper runs on one thread, so that the same pictures give the same poses.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fourreal.core.errors import MissingDependencyError
from fourreal.io.frames import resize_frames
from fourreal.io.images import to_bytes

SEED = 0
FEATURES = 2500  # more do not register more frames, and cost time
_WIDEST = 1280  # pixels: pictures are not enlarged beyond, where features are plenty and time is not
INSTALL = "pip install 'fourreal[sfm]'"

Mapper = Literal["incremental", "global"]


@dataclass(frozen=True)
class Attempt:
    """One setting. `name` is for reports.

    Attributes:
        upscale: pictures are enlarged by this factor (bicubic) before features are looked for: small pictures have
            few features, and SIFT finds those of 2 pixels badly.
        peak: SIFT's peak threshold; lower takes fainter features (COLMAP: 0.0067).
        ratio: largest ratio of the distances of the best and second best match; higher takes more doubtful ones.
        overlap: match each frame with so many following ones (and with those 2, 4, 8, ... frames away up to half
            the clip); None matches all pairs.
        mappers: grow the scene view by view, or solve for all views at once; the next is used where one fails.
    """

    name: str
    upscale: int = 2
    peak: float = 0.004
    ratio: float = 0.8
    overlap: int | None = 6
    mappers: tuple[Mapper, ...] = ("incremental",)


class Model(NamedTuple):
    """What came out, in pycolmap's own frame, in pixels of the clip."""

    frames: tuple[int, ...]  # registered ones, ascending
    viewmats: Tensor  # [R, 4, 4] float64
    focal: float
    points: Tensor  # [N, 3] float64
    colors: Tensor  # [N, 3] float32 in [0, 1]
    error: float  # mean reprojection error
    sightings: float  # points seen by a frame, in the mean
    source: Any = None  # pycolmap's own object


def import_pycolmap() -> Any:
    """The library, silenced. Raises `MissingDependencyError` with the line that installs it."""
    try:
        import pycolmap
    except ImportError:
        raise MissingDependencyError(
            f"pycolmap is not installed; {INSTALL}, or give the cameras (--cameras cameras.json)"
        ) from None
    # It reports every step on stderr; what matters reaches us as exceptions.
    pycolmap.logging.minloglevel = int(pycolmap.logging.Level.FATAL.value)
    return pycolmap


@contextlib.contextmanager
def matched(
    frames: Tensor, attempt: Attempt, focal: float, *, threads: int = 2, closed: bool = False
) -> Iterator[Matched]:
    """Features found and matched in a temporary folder, for as long as the block lasts.

    Args:
        frames: [F, 3, H, W] RGB in [0, 1].
        attempt: the setting.
        focal: focal length in pixels to begin with.
        threads: for features; matches take one, for the sake of the same result every time.
        closed: the last frames show what the first ones do, so they are matched too.
    """
    colmap = import_pycolmap()
    height, width = frames.shape[-2:]
    upscale = max(1.0, min(float(attempt.upscale), _WIDEST / width))
    big = to_bytes(resize_frames(frames, round(height * upscale), round(width * upscale)))
    scale = big.shape[2] / width
    with tempfile.TemporaryDirectory(prefix="fourreal-sfm-") as folder:
        root = Path(folder)
        names = _write(root / "images", big)
        colmap.set_random_seed(SEED)
        lens = (focal * scale, big.shape[2] / 2, big.shape[1] / 2)
        _extract(colmap, root, names, attempt.peak, lens, threads)
        _match(colmap, root, names, attempt, closed)
        yield Matched(colmap, root, scale, tuple(names))


@dataclass(frozen=True)
class Matched:
    """A database of matches, from which scenes can be mapped."""

    colmap: Any
    root: Path
    scale: float
    names: tuple[str, ...]

    def models(self, focal: float, mapper: Mapper = "incremental") -> list[Model]:
        """All models that the mapper finds with this focal length (in pixels of the clip), largest first."""
        with self.colmap.Database.open(self.root / "features.db") as database:
            for camera in database.read_all_cameras():
                camera.params = [focal * self.scale, *camera.params[1:]]
                database.update_camera(camera)
        found = _map(self.colmap, self.root, mapper)
        models = [self._read(r) for r in found if r.num_reg_images() >= 2]
        return sorted(models, key=lambda m: -len(m.frames))

    def freed(self, model: Model) -> Model:
        """The model after a bundle adjustment that also frees the focal length. Changes `model.source`."""
        return self._adjusted(model, "SOFT_L1", 1.0, free_focal=True)

    def settled(self, model: Model, *, free_focal: bool) -> Model:
        """The model after a last bundle adjustment to which wrong matches hardly count. Changes `model.source`.

        Of ten worlds (256x144, 32 frames, true focal length) the median error of rotations went from 0.19 to 0.08
        degrees; a wider loss (1 pixel) leaves 0.12, a narrower one (a quarter) is no better.
        """
        return self._adjusted(model, "CAUCHY", 0.5, free_focal=free_focal)

    def _adjusted(self, model: Model, loss: str, scale: float, *, free_focal: bool) -> Model:
        """Bundle adjustment with a robust loss of `scale` pixels of the enlarged pictures."""
        colmap = self.colmap
        options = colmap.BundleAdjustmentOptions()
        options.refine_focal_length = free_focal
        options.refine_principal_point = options.refine_extra_params = options.print_summary = False
        options.ceres.loss_function_type = getattr(colmap.LossFunctionType, loss)
        options.ceres.loss_function_scale = scale
        options.ceres.solver_options.num_threads = 1
        config = colmap.BundleAdjustmentConfig()
        for number in model.source.reg_image_ids():
            config.add_image(number)
        config.fix_gauge(colmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
        # Not `colmap.bundle_adjustment`: that turns the library's logging on again, for good.
        colmap.create_default_bundle_adjuster(options, config, model.source).solve()
        model.source.update_point_3d_errors()
        return self._read(model.source)

    def _read(self, reconstruction: Any) -> Model:
        order = {name: i for i, name in enumerate(self.names)}
        images = [reconstruction.image(number) for number in reconstruction.reg_image_ids()]
        images.sort(key=lambda image: order[image.name])
        views = [np.vstack([image.cam_from_world().matrix(), [0, 0, 0, 1]]) for image in images]
        cloud = list(reconstruction.points3D.values())
        points = np.array([p.xyz for p in cloud], np.float64).reshape(-1, 3)
        colors = np.array([p.color for p in cloud], np.float32).reshape(-1, 3) / 255
        camera = next(iter(reconstruction.cameras.values()))
        return Model(
            tuple(order[image.name] for image in images),
            torch.from_numpy(np.stack(views)),
            float(camera.mean_focal_length()) / self.scale,
            torch.from_numpy(points),
            torch.from_numpy(colors),
            float(reconstruction.compute_mean_reprojection_error()) / self.scale,
            float(reconstruction.compute_mean_observations_per_reg_image()),
            reconstruction,
        )


def _write(folder: Path, pictures: np.ndarray) -> list[str]:
    """Uncompressed: these files live for seconds."""
    from PIL import Image

    folder.mkdir()
    names = [f"{i:05d}.bmp" for i in range(len(pictures))]
    for name, picture in zip(names, pictures, strict=True):
        Image.fromarray(picture).save(folder / name)
    return names


def _extract(
    colmap: Any, root: Path, names: Sequence[str], peak: float, lens: tuple[float, float, float], threads: int
) -> None:
    reader = colmap.ImageReaderOptions()
    reader.camera_model, reader.camera_params = "SIMPLE_PINHOLE", ",".join(map(repr, lens))
    options = colmap.FeatureExtractionOptions()
    options.num_threads, options.use_gpu = threads, False
    options.sift.peak_threshold, options.sift.max_num_features = peak, FEATURES
    single, cpu = colmap.CameraMode.SINGLE, colmap.Device.cpu
    # Numbered here, in order: extraction numbers them as its threads finish, and the mapping depends on the numbers.
    colmap.Database.open(root / "features.db").close()
    colmap.import_images(root / "features.db", root / "images", single, list(names), reader)
    colmap.extract_features(root / "features.db", root / "images", list(names), single, reader, options, cpu)


def _match(colmap: Any, root: Path, names: Sequence[str], attempt: Attempt, closed: bool) -> None:
    pairs = frame_pairs(len(names), attempt.overlap, closed=closed)
    (root / "pairs.txt").write_text("".join(f"{names[a]} {names[b]}\n" for a, b in pairs))
    matching = colmap.FeatureMatchingOptions()
    matching.num_threads, matching.use_gpu = 1, False  # two draw their samples from one seed as they come
    matching.sift.max_ratio = attempt.ratio
    verification = colmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = SEED
    pairing = colmap.ImportedPairingOptions()
    pairing.match_list_path = root / "pairs.txt"
    colmap.match_image_pairs(root / "features.db", matching, pairing, verification, colmap.Device.cpu)


def frame_pairs(count: int, overlap: int | None, *, closed: bool = False) -> list[tuple[int, int]]:
    """Pairs (a, b), a < b, to match: all, or gaps 1..overlap and 2, 4, 8, ... (across the end too, if `closed`)."""
    if overlap is None:
        return [(a, b) for a in range(count) for b in range(a + 1, count)]
    gaps = {*range(1, overlap + 1), *(1 << k for k in range(overlap) if 1 << k <= count // 2)}
    pairs = {(a, a + gap) for gap in gaps for a in range(count - gap)}
    if closed:
        pairs |= {(b, a) for a in range(overlap) for b in range(count - overlap + a, count)}
        pairs = {(min(p), max(p)) for p in pairs if p[0] != p[1]}
    return sorted(p for p in pairs if p[0] >= 0)


def _map(colmap: Any, root: Path, mapper: Mapper) -> list[Any]:
    out = Path(tempfile.mkdtemp(dir=root))
    if mapper == "global":
        options = colmap.GlobalPipelineOptions()
        options.num_threads, options.random_seed = 1, SEED
        adjust = options.mapper.bundle_adjustment
        adjust.refine_focal_length = False
        found = colmap.global_mapping(root / "features.db", root / "images", out, options)
    else:
        options = colmap.IncrementalPipelineOptions()
        options.num_threads, options.random_seed = 1, SEED
        options.min_model_size = 3
        options.ba_refine_focal_length = options.ba_refine_extra_params = False
        options.mapper.abs_pose_refine_focal_length = False
        options.mapper.abs_pose_refine_extra_params = False
        # The defaults ask for 16 degrees between the first two views, which small arcs do not have.
        options.mapper.init_min_tri_angle = 4.0
        options.mapper.init_min_num_inliers = 50
        found = colmap.incremental_mapping(root / "features.db", root / "images", out, options)
    for reconstruction in found.values():
        reconstruction.extract_colors_for_all_images(root / "images")
    return list(found.values())
