"""Still images in and out, through Pillow."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from fourreal.core.errors import VideoError
from fourreal.core.storage import atomic_path

if TYPE_CHECKING:
    from PIL import Image

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
_WRITABLE = (".png", ".jpg", ".jpeg")
_DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # Pillow's names for 16 bits of gray


def read_image(path: Path | str) -> Float[Tensor, "3 H W"]:
    """Read one image as RGB in [0, 1], 8 bits a channel, turned as its EXIF orientation says.

    Gray is repeated, 16 bits are rounded to 8, transparency is composited over black. Raises `VideoError`
    if the file is missing, damaged or no image that Pillow knows.
    """
    pixels = torch.from_numpy(load_rgb(path))
    return pixels.permute(2, 0, 1).float() / 255


def write_image(path: Path | str, image: Float[Tensor, "3 H W"], *, quality: int = 95) -> None:
    """Write RGB in [0, 1] (clamped) atomically: PNG (exact to 8 bits) or JPEG (full colour resolution)."""
    path = Path(path)
    if path.suffix.lower() not in _WRITABLE:
        raise VideoError(f"{path}: cannot write images of type {path.suffix!r}; use {', '.join(_WRITABLE)}")
    from PIL import Image

    picture = Image.fromarray(to_bytes(image[None])[0])
    options: dict[str, Any] = {} if path.suffix.lower() == ".png" else {"quality": quality, "subsampling": 0}
    with atomic_path(path) as temporary:
        picture.save(temporary, **options)


def write_images(folder: Path | str, frames: Float[Tensor, "F 3 H W"]) -> list[Path]:
    """Write `frames` as 000.png, 001.png, ... (more digits from 1000 frames on) and return their paths."""
    digits = max(3, len(str(len(frames) - 1)))
    paths = [Path(folder) / f"{i:0{digits}d}.png" for i in range(len(frames))]
    for path, frame in zip(paths, frames, strict=True):
        write_image(path, frame)
    return paths


def list_images(folder: Path | str) -> list[Path]:
    """The images of a folder in natural order (2.png before 10.png), without hidden and other files."""
    found = [p for p in Path(folder).iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
    return sorted(found, key=lambda p: natural_key(p.name))


def natural_key(name: str) -> list[int | str]:
    """Sorts names as people count: "2.png" before "10.png"; upper and lower case alike."""
    return [int(s) if s.isdigit() else s for s in re.split(r"(\d+)", name.lower())]


def load_rgb(path: Path | str) -> UInt8[np.ndarray, "H W 3"]:
    """`read_image` as bytes, channels last."""
    with open_image(path) as picture:
        from PIL import ImageOps

        return picture_to_rgb(ImageOps.exif_transpose(picture), path)


@contextlib.contextmanager
def open_image(path: Path | str) -> Iterator[Image.Image]:
    """Open an image; what Pillow raises, also while the block decodes it, becomes a `VideoError`."""
    from PIL import Image

    if not Path(path).is_file():
        raise VideoError(f"{path} does not exist or is not a file")
    try:
        with Image.open(path) as picture:
            yield picture
    except Image.UnidentifiedImageError:
        raise VideoError(f"{path} is not an image, or of a type that Pillow does not know") from None
    except Image.DecompressionBombError as error:
        raise VideoError(f"{path} is too large: {error}") from None
    except (OSError, SyntaxError, EOFError) as error:
        raise VideoError(f"{path} is damaged or truncated: {error}") from None


def picture_to_rgb(picture: Image.Image, path: Path | str) -> UInt8[np.ndarray, "H W 3"]:
    """Pixels of a Pillow picture of any mode as RGB bytes; raises `VideoError` for floating point ones."""
    if picture.mode == "F":
        raise VideoError(f"{path} holds floating point pixels of unknown range; convert it to 8 or 16 bit PNG")
    if picture.mode in _DEEP_MODES:
        gray = (np.asarray(picture).astype(np.int64).clip(0, 65535) + 128) // 257
        return np.repeat(gray.astype(np.uint8)[..., None], 3, axis=2)
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        pixels = np.asarray(picture.convert("RGBA")).astype(np.uint16)
        return ((pixels[..., :3] * pixels[..., 3:] + 127) // 255).astype(np.uint8)
    return np.array(picture.convert("RGB"))


def to_bytes(frames: Float[Tensor, "F 3 H W"]) -> UInt8[np.ndarray, "F H W 3"]:
    """RGB in [0, 1] (clamped) as rounded bytes, channels last."""
    scaled = (frames.detach().cpu().float().clamp(0, 1) * 255).round_().byte()
    return np.ascontiguousarray(scaled.permute(0, 2, 3, 1).numpy())
