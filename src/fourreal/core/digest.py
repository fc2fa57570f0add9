"""Hashes of files and folders, to tell whether they changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

_WHOLE = 256 << 20  # bytes: larger files are known by size and time of change


def digest(path: Path) -> str:
    """A hash of what a file, or the files of a folder, hold; very large ones by size and time of change."""
    if path.is_dir():
        parts = [f"{p.relative_to(path)} {digest(p)}" for p in sorted(path.rglob("*")) if p.is_file()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
    if not path.is_file():
        return "missing"
    stat = path.stat()
    if stat.st_size > _WHOLE:
        return f"{stat.st_size} bytes of {stat.st_mtime_ns}"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
