"""`python _generate_child.py FILE COMMAND...` is `4real COMMAND...`, and writes down how much memory it took.

Main memory is the process's own highest resident set (VmHWM: what getrusage says may be its parent's). The memory of a
GPU is what torch allocated at most.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from fourreal import cli
from fourreal.core.storage import write_json


def peak_mb() -> dict[str, float]:
    """Megabytes at most: "memory_mb" and, where a GPU was used, "gpu_mb"."""
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            highest = int(line.split()[1])
    out = {"memory_mb": highest / 1024}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        out["gpu_mb"] = torch.cuda.max_memory_allocated() / 2**20
    return out


def main() -> None:
    """Run the command; the file is written however it ends, short of being killed."""
    notes, sys.argv = Path(sys.argv[1]), ["4real", *sys.argv[2:]]
    try:
        cli.main()
    finally:
        write_json(notes, peak_mb())


if __name__ == "__main__":
    main()
