"""A live viewer in the browser, by viser: time, modes, the clips' cameras, camera paths recorded as films."""

from __future__ import annotations

import contextlib
import io
import math
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import torch
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FourRealError
from fourreal.core.geometry import matrix_to_quat, quat_to_matrix, rigid, rigid_inverse
from fourreal.core.paths import interpolate
from fourreal.fit.coverage import Coverage

from .coverage import ramp_colors, seen_share
from .films import FPS, write_film
from .lifted import Lifted
from .splats import gaussians_at

if TYPE_CHECKING:
    import viser

Mode = Literal["moving", "frozen moment", "coverage"]
MODES: tuple[Mode, ...] = ("moving", "frozen moment", "coverage")
_TYPICAL = 0.05  # median standard deviation in the viewer's units: its covariances are half floats
_TICK = 1 / 30  # seconds
_SPEEDS = {"1x": 1.0, "1/2x": 0.5, "1/4x": 0.25}


class LiveViewer:
    """A running server that shows a scene; `stop` it when done.

    Attributes:
        url: where to look.
        views: the cameras of the path being made, in order.
    """

    def __init__(
        self,
        lifted: Lifted,
        run: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 8080,
        coverage: Coverage | None = None,
    ) -> None:
        import viser

        self._lifted, self._run = lifted, run
        self._coverage = None if coverage is None else seen_share(coverage)
        self._scale = _TYPICAL / float(lifted.scene.gaussians.scales.median().clamp_min(1e-9))
        with contextlib.redirect_stdout(io.StringIO()):  # its banner; the command says where to look
            self._server = viser.ViserServer(host=host, port=port, verbose=False)
        self.url = f"http://{host}:{self._server.get_port()}"
        self.views: list[Cameras] = []
        self._shown: tuple[float, Mode] | None = None
        self._stopped = threading.Event()
        self._recording = threading.Lock()
        self._begin()
        self._controls()
        self.update()

    def stop(self) -> None:
        """End the server."""
        self._stopped.set()
        self._server.stop()

    def run_forever(self) -> None:
        """Play until `stop` or Ctrl-C."""
        before = time.monotonic()
        while not self._stopped.is_set():
            now = time.monotonic()
            self.advance(now - before)
            before = now
            self.update()
            self._stopped.wait(_TICK)

    def advance(self, seconds: float) -> None:
        """Let time run, there and back, if it is playing and the scene moves."""
        last = self._lifted.scene.n_times - 1
        if last == 0 or not self._play.value:
            return
        self._clock = (self._clock + seconds * self._lifted.scene.fps * _SPEEDS[self._speed.value]) % (2 * last)
        self._time.value = round(min(self._clock, 2 * last - self._clock), 2)

    def show(self, *, moment: float | None = None, mode: Mode | None = None) -> None:
        """Set the time (in frames of the reference clip) or the mode, as the controls do."""
        if moment is not None:
            self._play.value = False
            self._time.value = moment
        if mode is not None:
            self._mode.value = mode
        self.update()

    def update(self) -> None:
        """Send the splats of the present time and mode, if these are new."""
        mode = cast("Mode", self._mode.value)
        moment = float(self._time.value) if mode == "moving" else float(self._lifted.instant)
        if (moment, mode) == self._shown:
            return
        self._shown = (moment, mode)
        g = gaussians_at(self._lifted, moment)
        covariances = self._covariances(g.quats, g.scales)
        colors = g.colors if mode != "coverage" or self._coverage is None else ramp_colors(self._coverage, g.colors)
        with self._server.atomic():
            self._splats.set_gaussians(
                centers=_numpy(g.means * self._scale), covariances=_numpy(covariances), rgbs=_numpy(colors),
                opacities=_numpy(g.opacities[:, None]),
            )  # fmt: skip

    def record(self, seconds: float = 6.0, *, moving: bool = True) -> Path:
        """Render a film through `views` at an even speed, with time running or frozen; returns its file.

        Raises `FourRealError` if there are fewer than two views, or a film is being rendered.
        """
        if len(self.views) < 2:
            raise FourRealError(f"a path needs at least two views, got {len(self.views)}; fly somewhere and add one")
        if not self._recording.acquire(blocking=False):
            raise FourRealError("a film is being rendered; wait for it")
        try:
            path = self._film_path()
            write_film(path, self._lifted, self._path(seconds, moving), on_frame=self._tell)
        finally:
            self._recording.release()
        return path

    def _path(self, seconds: float, moving: bool) -> Cameras:
        first, count, last = self.views[0], max(2, round(seconds * FPS)), self._lifted.scene.n_times - 1
        times = torch.full((count,), float(self._lifted.instant))
        if moving and last:
            phase = (torch.arange(count) * self._lifted.scene.fps / FPS) % (2 * last)
            times = torch.minimum(phase, 2 * last - phase)
        viewmats, Ks = (torch.cat([getattr(v, name) for v in self.views]) for name in ("viewmats", "Ks"))
        return interpolate(Cameras(viewmats, Ks, first.width, first.height), count, times=times)

    def _film_path(self) -> Path:
        taken = [p.stem.removeprefix("path-") for p in (self._run / "films").glob("path-*.mp4")]
        number = 1 + max([int(n) for n in taken if n.isdecimal()], default=0)
        return self._run / "films" / f"path-{number}.mp4"

    def _tell(self, done: int, total: int) -> None:
        self._bar.visible = done < total
        self._bar.value = 100 * done / total

    def _begin(self) -> None:
        lifted, server = self._lifted, self._server
        up, count = tuple(lifted.up.tolist()), len(lifted.scene.gaussians)
        server.gui.configure_theme(dark_mode=True, show_logo=False, show_share_button=False, control_width="medium")
        server.scene.set_up_direction(up)
        background = (lifted.scene.background * 255).round().byte().numpy()
        server.scene.set_background_image(np.broadcast_to(background, (1, 1, 3)).copy())
        self._splats = server.scene.add_gaussian_splats(
            "/scene",
            np.zeros((count, 3)),
            np.tile(np.eye(3), (count, 1, 1)),
            np.zeros((count, 3)),
            np.zeros((count, 1)),
        )
        server.on_client_connect(lambda client: self._place(client, lifted.home))

    def _controls(self) -> None:
        gui, last = self._server.gui, self._lifted.scene.n_times - 1
        moves = last > 0
        modes = [m for m in MODES if (m != "moving" or moves) and (m != "coverage" or self._coverage is not None)]
        self._clock = 0.0
        self._time = gui.add_slider("Time", 0.0, max(float(last), 1e-3), 0.01, 0.0, visible=moves)
        self._play = gui.add_checkbox("Play", moves, visible=moves)
        self._speed = gui.add_dropdown("Speed", list(_SPEEDS), visible=moves)
        self._mode = gui.add_dropdown("Show", modes, hint="coverage: red is seen in few frames, blue in many")
        with gui.add_folder("Cameras"):
            home = gui.add_button("Reference")
            walk = gui.add_slider("Freeze frame", 0, max(len(self._lifted.walk) - 1, 1), 1, 0)
        with gui.add_folder("Film"):
            add, undo = gui.add_button("Add this view"), gui.add_button("Remove the last view")
            self._count = gui.add_markdown("no views yet")
            seconds = gui.add_number("Seconds", 6.0, min=0.5, max=120.0, step=0.5)
            moving = gui.add_checkbox("Time runs", moves, visible=moves)
            film = gui.add_button("Record", color="orange")
            self._bar = gui.add_progress_bar(0.0, visible=False)
        self._time.on_update(lambda event: self._hold() if event.client is not None else None)
        home.on_click(lambda event: self._place(event.client, self._lifted.home))
        walk.on_update(lambda event: self._place(event.client, self._lifted.walk[_within(walk.value, self._lifted)]))
        add.on_click(lambda event: self._add(event.client))
        undo.on_click(lambda _: self._remove())
        film.on_click(lambda event: self._record_for(event.client, seconds.value, moving.value))

    def _hold(self) -> None:
        """The user took the time slider: stop playing."""
        self._play.value = False
        self._clock = float(self._time.value)

    def _add(self, client: viser.ClientHandle | None) -> None:
        if client is not None:
            camera = client.camera
            self.add_view(torch.tensor(camera.wxyz), torch.tensor(camera.position), float(camera.fov))

    def add_view(self, wxyz: Tensor, position: Tensor, fov: float) -> None:
        """Append a view to the path: camera-to-world rotation (OpenCV axes), position in the viewer's units, vertical
        field of view in radians."""
        home = self._lifted.home
        c2w = rigid(quat_to_matrix(wxyz.double()), position.double() / self._scale)
        focal = home.height / 2 / math.tan(fov / 2)
        K = torch.tensor([[focal, 0, home.width / 2], [0, focal, home.height / 2], [0, 0, 1.0]])
        self.views.append(Cameras(rigid_inverse(c2w)[None].float(), K[None], home.width, home.height))
        self._count.content = f"{len(self.views)} views"

    def _remove(self) -> None:
        del self.views[-1:]
        self._count.content = f"{len(self.views)} views" if self.views else "no views yet"

    def _record_for(self, client: viser.ClientHandle | None, seconds: float, moving: bool) -> None:
        try:
            words, title = str(self.record(seconds, moving=moving)), "Film written"
        except FourRealError as error:
            words, title = str(error), "No film"
        if client is not None:
            client.add_notification(title, words, auto_close_seconds=10.0)

    def _place(self, client: viser.ClientHandle | None, camera: Cameras) -> None:
        """Put the user's camera to one of the clips'."""
        if client is None:
            return
        with client.atomic():
            client.camera.fov = 2 * math.atan(camera.height / 2 / float(camera.Ks[0, 1, 1]))
            client.camera.wxyz = _numpy(matrix_to_quat(camera.c2w[0, :3, :3]))
            client.camera.position = _numpy(camera.positions[0] * self._scale)
            client.camera.look_at = _numpy(self._ahead(camera) * self._scale)

    def _ahead(self, camera: Cameras) -> Tensor:
        """The point on the camera's axis as far away as the pivot."""
        eye = camera.positions[0]
        return eye + (self._lifted.pivot - eye).norm() * camera.viewmats[0, 2, :3]

    def _covariances(self, quats: Tensor, scales: Tensor) -> Tensor:
        """[N, 3, 3] in the viewer's units, within the range of half floats."""
        spread = quat_to_matrix(quats) * (scales * self._scale).clamp(1e-3, 200.0)[:, None]
        return spread @ spread.transpose(1, 2)


def _within(index: float, lifted: Lifted) -> int:
    return min(int(index), len(lifted.walk) - 1)


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().cpu().float().contiguous().numpy()
