"""Names of files inside files: they may only lead into the folder of the file that names them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

from fourreal.core.errors import FileFormatError


def check_relative(name: object, source: Path | str) -> str:
    """`name` with forward slashes and without "./", if it is a relative path that stays inside its folder.

    Raises `FileFormatError` naming `source` for absolute paths (of any operating system), "..", and names that are
    empty, no text, or hold a NUL.
    """
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        raise FileFormatError(f"{source}: a file name must be non-empty text, got {name!r}")
    forward = name.replace("\\", "/")
    windows, path = PureWindowsPath(name), PurePosixPath(forward)
    if windows.drive or windows.root or path.is_absolute() or ".." in path.parts or forward.startswith("~"):
        raise FileFormatError(f"{source}: file names must stay inside its folder, got {name!r}; use a relative path")
    return str(path)
