"""`4real view`: fly through the scene of a run in the browser, live."""

from __future__ import annotations

from pathlib import Path

import tyro

from fourreal.core.errors import FourRealError

from .device import DeviceName, resolve_device


def view(
    run: tyro.conf.Positional[Path], port: int = 8080, host: str = "127.0.0.1", device: DeviceName = "auto"
) -> int:
    """Open a live viewer: time, coverage colours, the clips' cameras, and camera paths recorded as films.

    For a page to send to others, see scene.html in the run: it needs no server.

    Args:
        run: folder of `4real lift` or `4real generate`.
        port: of the server; the next free one is taken.
        host: address to listen on; others than 127.0.0.1 let other machines in.
        device: where recorded films are rendered; auto takes a CUDA GPU if torch and gsplat can use it.
    """
    if not 1 <= port <= 65535:
        raise FourRealError(f"--port must lie in 1..65535, got {port}; 8080 is usual")
    where = resolve_device(device)
    from rich.console import Console

    from fourreal.export import read_lifted
    from fourreal.export.coverage import find_coverage
    from fourreal.export.live import LiveViewer

    console = Console()
    lifted = read_lifted(run, where)
    viewer = LiveViewer(lifted, run, host=host, port=port, coverage=find_coverage(run, lifted))
    console.print(f"open {viewer.url} in a browser; Ctrl-C ends the viewer", markup=False, highlight=False)
    try:
        viewer.run_forever()
    except KeyboardInterrupt:
        console.print("viewer closed")
    finally:
        viewer.stop()
    return 0
