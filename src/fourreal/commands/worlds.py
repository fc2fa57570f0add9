"""`4real worlds`: look at the procedural worlds."""

from __future__ import annotations

from pathlib import Path

from fourreal.core.errors import FourRealError


def worlds(
    seed: int = 0, sheet: Path = Path("worlds.png"), count: int = 6, width: int = 256, height: int = 144
) -> None:
    """Draw a contact sheet of captioned procedural 4D worlds: time from left to right, then the frozen-time orbit.

    Args:
        seed: first world of the sheet; the others follow.
        sheet: picture to write (.png or .jpg).
        count: worlds, one a row.
        width: pixels of one frame.
        height: pixels of one frame.
    """
    if count < 1 or width < 16 or height < 16:
        raise FourRealError(f"--count must be at least 1 and frames at least 16x16, got {count} of {width}x{height}")
    if sheet.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise FourRealError(f"--sheet must end in .png or .jpg, got {sheet}")
    from rich.console import Console

    from fourreal.worlds.sheet import write_sheet

    console = Console()
    with console.status(f"rendering {count} worlds"):
        write_sheet(sheet, seed, count, width, height)
    console.print(f"{sheet}: worlds {seed} to {seed + count - 1}")
