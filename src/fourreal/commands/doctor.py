"""`4real doctor`: what this machine has, and what to do about what it lacks."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

GIB = 1024**3


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was looked at, how it is, and what to do unless it is "ok"."""

    name: str
    status: Literal["ok", "note", "missing"]
    found: str
    advice: str = ""


def doctor(json_output: bool = False) -> int:
    """Check Python, torch, device, gsplat, pycolmap, ffmpeg, numba, memory and disk; say what to do about each gap.

    Args:
        json_output: print the findings as JSON instead of a table.
    """
    findings = examine()
    if json_output:
        print(json.dumps([asdict(f) for f in findings], indent=1))  # noqa: T201
    else:
        _show(findings)
    return int(any(f.status == "missing" for f in findings))


def examine() -> list[Finding]:
    """Every finding, in the order of the report; a check that itself fails is reported, not raised."""
    checks = (_python, _torch, _device, _gsplat, _pycolmap, _ffmpeg, _numba, _memory, _disk)
    return [_guarded(check) for check in checks]


def _guarded(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Exception as error:
        name = check.__name__.strip("_")
        return Finding(name, "missing", f"{type(error).__name__}: {error}", "reinstall: pip install fourreal")


def _show(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("", "what", "found", "what to do"):
        table.add_column(column, overflow="fold")
    marks = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "missing": "[red]missing[/]"}
    for f in findings:
        table.add_row(marks[f.status], f.name, f.found, f.advice)
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    lacking = [f.name for f in findings if f.status == "missing"]
    console.print(f"\nmissing: {', '.join(lacking)}" if lacking else "\nready: try `4real demo`")


def _python() -> Finding:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("python", "ok", found)


def _torch() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("torch", "missing", "not installed", "pip install torch")
    return Finding("torch", "ok", version("torch"))


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        found = f"{properties.name}, {properties.total_memory / GIB:.0f} GiB, CUDA {torch.version.cuda}"
        return Finding("device", "ok", found)
    found = f"CPU, {os.cpu_count()} cores (torch uses {torch.get_num_threads()})"
    advice = "works; a CUDA build of torch and an NVIDIA GPU make fitting many times faster"
    return Finding("device", "ok" if torch.version.cuda is None else "note", found, advice)


def _gsplat() -> Finding:
    import torch

    try:
        found = version("gsplat")
    except PackageNotFoundError:
        if torch.cuda.is_available():
            return Finding("gsplat", "missing", "not installed", "pip install 'fourreal[cuda]' to use the GPU")
        return Finding("gsplat", "ok", "not installed", "not needed without an NVIDIA GPU")
    if torch.cuda.is_available() and shutil.which("nvcc") is None:
        advice = "gsplat compiles its kernels on first use: install the CUDA toolkit (nvcc) of torch's CUDA version"
        return Finding("gsplat", "note", f"{found}, no nvcc on PATH", advice)
    return Finding("gsplat", "ok", found)


def _pycolmap() -> Finding:
    try:
        return Finding("pycolmap", "ok", version("pycolmap"))
    except PackageNotFoundError:
        advice = "pip install 'fourreal[sfm]' to estimate camera poses of your own clips"
        return Finding("pycolmap", "note", "not installed", advice)


def _ffmpeg() -> Finding:
    import imageio_ffmpeg

    path = imageio_ffmpeg.get_ffmpeg_exe()
    answer = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=20, check=True)
    words = answer.stdout.split()
    return Finding("ffmpeg", "ok", " ".join(words[1:3]))


def _numba() -> Finding:
    import numba

    return Finding("numba", "ok", f"{numba.__version__}, {numba.get_num_threads()} threads")


def _memory() -> Finding:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return Finding("memory", "ok", "unknown on this system")
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    if total < 3.5:
        return Finding("memory", "note", f"{total:.1f} GiB", "4 GiB or more are advised; close other programs")
    return Finding("memory", "ok", f"{total:.1f} GiB")


def _disk() -> Finding:
    free = shutil.disk_usage(os.getcwd()).free / GIB
    if free < 1:
        return Finding("disk", "missing", f"{free:.1f} GiB free here", "free at least 1 GiB, or use --out elsewhere")
    return Finding("disk", "ok", f"{free:.0f} GiB free here")
