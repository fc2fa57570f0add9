"""Safe files: written under a temporary name and renamed when whole; tensors as safetensors, the rest as JSON."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .errors import FileFormatError

_META_KEY = "fourreal"


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path` (same suffix); flush it and rename it to `path` if the block succeeds.

    A reader therefore sees the old file or the whole new one, never a part. The folder is created if missing.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Path | str, data: Any) -> None:
    """Write `data` as indented JSON, atomically; NaN and infinity are refused (ValueError)."""
    text = json.dumps(data, indent=1, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path | str) -> Any:
    """Read a JSON file; raises `FileFormatError` naming the file if it is missing or malformed."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileFormatError(f"{path} does not exist") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path} is not valid JSON: {error}") from None


def save_tensors(path: Path | str, tensors: Mapping[str, Tensor], meta: Mapping[str, Any], *, kind: str) -> None:
    """Write `tensors` and JSON-able `meta` to one safetensors file, atomically; `kind` names what the file holds."""
    header = {_META_KEY: json.dumps({"kind": kind, **meta}, allow_nan=False)}
    contiguous = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(contiguous, temporary, metadata=header)


def load_tensors(path: Path | str, *, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote. Raises `FileFormatError` if the file is missing, damaged or of another kind."""
    if not Path(path).is_file():
        raise FileFormatError(f"{path} does not exist")
    try:
        with safe_open(path, framework="pt") as file:
            meta = json.loads((file.metadata() or {}).get(_META_KEY, "null"))
            tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, json.JSONDecodeError) as error:
        raise FileFormatError(f"{path} is damaged or not a safetensors file: {error}") from None
    if not isinstance(meta, dict) or meta.get("kind") != kind:
        found = meta.get("kind") if isinstance(meta, dict) else None
        raise FileFormatError(f"{path} holds {found or 'no fourreal data'!r}, wanted {kind!r}")
    return tensors, meta
