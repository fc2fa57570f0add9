"""Hosted generation against a local server that speaks the protocols of the hub, its router and fal.ai's queue."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from fourreal.core.video import Video
from fourreal.io.frames import resize_frames
from fourreal.io.images import read_image
from fourreal.io.video import write_video
from fourreal.video import CameraPath, KnownFrames, ModelSourceError, UnsupportedConditionError
from fourreal.video.choose import open_models
from fourreal.video.embedded.model import EmbeddedVideoModel
from fourreal.video.hosted import FOLDER, HostedVideoModel, open_hosted
from fourreal.video.latent.settings import ModelSettings

TOKEN = "hf_verysecrettoken"
TEXT, IMAGE = "Wan-AI/Wan2.2-T2V-A14B", "Wan-AI/Wan2.2-I2V-A14B"
ROUTES = {TEXT: ("text-to-video", "fal-ai/wan/v2.2/text"), IMAGE: ("image-to-video", "fal-ai/wan/v2.2/image")}


class Host:
    """What the server knows, and what it was asked."""

    def __init__(self, clip: bytes) -> None:
        self.clip, self.failures = clip, []
        self.asked: list[tuple[str, dict[str, Any], str]] = []
        self.paths: list[str] = []
        self.polls = 0


class Handler(BaseHTTPRequestHandler):
    host: Host
    protocol_version = "HTTP/1.1"

    def log_message(self, *about: Any) -> None:
        pass

    def send(self, state: int, data: bytes, kind: str = "application/json") -> None:
        self.send_response(state)
        if state == 404 and self.path.startswith("/api/models/"):
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def tell(self, about: Any, state: int = 200) -> None:
        self.send(state, json.dumps(about).encode())

    def do_GET(self) -> None:
        path, host = self.path.partition("?")[0], self.host
        host.paths.append(path)
        if path.startswith("/api/models/"):
            name = path.removeprefix("/api/models/")
            if name not in ROUTES:
                return self.tell({"error": "Repository not found"}, 404)
            task, there = ROUTES[name]
            mapping = {"fal-ai": {"status": "live", "providerId": there, "task": task}}
            return self.tell({"id": name, "_id": "0", "inferenceProviderMapping": mapping})
        if path.endswith("/status"):
            host.polls += 1
            return self.tell({"status": "COMPLETED" if host.polls % 2 == 0 else "IN_PROGRESS"})
        if path.endswith("/requests/7"):
            return self.tell({"video": {"url": f"http://{self.headers['Host']}/files/made.mp4"}})
        if path == "/files/made.mp4":
            assert "Authorization" not in self.headers, "the token must not go to where files lie"
            return self.send(200, host.clip, "video/mp4")
        return self.tell({"error": "unknown"}, 404)

    def do_POST(self) -> None:
        host = self.host
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        host.asked.append((self.path, body, self.headers.get("Authorization", "")))
        if host.failures:
            state = host.failures.pop(0)
            if state == 0:  # hang up
                self.close_connection = True
                return self.connection.close()
            return self.tell({"error": "no"}, state)
        place = self.path.partition("?")[0]
        return self.tell({"request_id": "7", "status": "IN_QUEUE", "response_url": f"http://q{place}/requests/7"})


@pytest.fixture(scope="module")
def mp4(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """33 frames of 96x160: grey at first, white at last."""
    path = tmp_path_factory.mktemp("clip") / "made.mp4"
    write_video(path, Video(torch.linspace(0.3, 1, 33)[:, None, None, None].expand(33, 3, 96, 160).contiguous(), 16))
    return path.read_bytes()


@pytest.fixture
def host(mp4: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    import huggingface_hub
    from huggingface_hub import constants
    from huggingface_hub.inference._providers import _common, fal_ai

    host = Host(mp4)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("H", (Handler,), {"host": host}))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    here = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "ENDPOINT", here)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "INFERENCE_PROXY_TEMPLATE", here + "/{provider}")
    monkeypatch.setattr(fal_ai, "_POLLING_INTERVAL", 0.001)
    _common._fetch_inference_provider_mapping.cache_clear()
    yield host
    server.shutdown()
    server.server_close()
    thread.join()
    huggingface_hub.close_session()


@pytest.fixture
def news() -> list[str]:
    return []


@pytest.fixture
def model(host: Host, tmp_path: Path, news: list[str]) -> HostedVideoModel:
    return open_hosted(
        f"hf-inference:{TEXT},{IMAGE}", size=(48, 80), cache=tmp_path, tell=news.append, pause=lambda _: None
    )


def test_a_sentence_becomes_a_clip(model: HostedVideoModel, host: Host) -> None:
    """17 frames spread over the 33 that came, at the size that was asked for."""
    assert model.spec.features == {"text", "first_frame"}
    steps: list[tuple[int, int]] = []
    text = model.encode_text("a fox jumping on grass")
    clip = model.generate(text, seed=5, steps=20, on_step=lambda done, total: steps.append((done, total)))
    assert clip.shape == (16, 3, 48, 80)
    assert float(clip[0].mean()) == pytest.approx(0.3, abs=0.03)
    assert float(clip[-1].mean()) == pytest.approx(1.0, abs=0.03)
    assert steps == [(1, 1)]
    ((path, body, key),) = host.asked
    assert path == "/fal-ai/fal-ai/wan/v2.2/text?_subdomain=queue"
    assert key == f"Bearer {TOKEN}"
    assert (body["prompt"], body["seed"], body["num_inference_steps"]) == ("a fox jumping on grass", 5, 20)
    assert body["negative_prompt"]


def test_a_picture_is_frozen_and_walked_round(model: HostedVideoModel, host: Host, tmp_path: Path) -> None:
    picture = torch.rand(1, 3, 24, 40)
    text = model.encode_text("a fox jumping on grass", context="freeze")
    clip = model.generate(text, known=KnownFrames((0,), picture))
    assert torch.equal(clip[:1], resize_frames(picture, 48, 80))
    ((path, body, _),) = host.asked
    assert "/image" in path
    assert body["prompt"] == "Camera circulating around a fox on grass, time elapse"
    sent = tmp_path / "sent.png"
    sent.write_bytes(base64.b64decode(body["image_url"].partition(",")[2]))
    assert float((read_image(sent) - clip[0]).abs().max()) < 0.003


def test_nothing_is_paid_for_twice(model: HostedVideoModel, host: Host, tmp_path: Path) -> None:
    text = model.encode_text("a fox")
    first = model.generate(text, seed=1)
    assert torch.equal(model.generate(text, seed=1), first)
    assert len(host.asked) == 1
    (path,) = (tmp_path / FOLDER).glob("*.mp4")
    path.write_bytes(b"half a cl")
    assert torch.equal(model.generate(text, seed=1), first)
    model.generate(text, seed=2)
    assert len(host.asked) == 3


@pytest.mark.parametrize("failures", [[503], [429, 500, 502], [0, 503]])
def test_passing_errors_are_waited_out(
    model: HostedVideoModel, host: Host, news: list[str], failures: list[int]
) -> None:
    """A crowd, a restart, a lost connection; the pauses grow."""
    waits: list[float] = []
    object.__setattr__(model, "pause", waits.append)
    host.failures[:] = failures
    count = len(failures)
    assert model.generate(model.encode_text("a fox")).shape[0] == 16
    assert len(host.asked) == count + 1
    assert waits == [1.0, 2.0, 4.0][:count]
    assert sum("trying again" in line for line in news) == count
    assert not any(TOKEN in line for line in news)


def test_a_host_that_stays_away(model: HostedVideoModel, host: Host, tmp_path: Path) -> None:
    host.failures[:] = [503] * 6
    with pytest.raises(ModelSourceError, match=r"in 6 attempts: it answers with state 503; run the same command"):
        model.generate(model.encode_text("a fox"))
    assert not list(tmp_path.rglob("*.mp4")), "nothing half made stays"
    assert model.generate(model.encode_text("a fox")).shape[0] == 16


@pytest.mark.parametrize(
    ("state", "hint"), [(401, "hf auth login"), (402, "credit"), (403, "may not"), (404, "another")]
)
def test_a_refusal_is_not_repeated(model: HostedVideoModel, host: Host, state: int, hint: str) -> None:
    host.failures[:] = [state]
    with pytest.raises(ModelSourceError, match=hint) as caught:
        model.generate(model.encode_text("a fox"))
    assert len(host.asked) == 1
    assert TOKEN not in str(caught.value)


def test_what_comes_is_no_clip(model: HostedVideoModel, host: Host) -> None:
    host.clip = b"<html>sorry</html>"
    with pytest.raises(ModelSourceError, match="what came is no clip"):
        model.generate(model.encode_text("a fox"))


def test_a_clip_that_is_too_short(model: HostedVideoModel, host: Host, tmp_path: Path) -> None:
    path = tmp_path / "short.mp4"
    write_video(path, Video(torch.rand(8, 3, 48, 80), 8))
    host.clip = path.read_bytes()
    with pytest.raises(ModelSourceError, match=r"sent 8 frames, fewer than 16; use --frames 8"):
        model.generate(model.encode_text("a fox"))


def test_what_it_cannot_be_told(model: HostedVideoModel) -> None:
    text = model.encode_text("a fox")
    with pytest.raises(UnsupportedConditionError, match="camera path"):
        model.generate(text, camera=CameraPath(torch.zeros(16, 3)))
    with pytest.raises(UnsupportedConditionError, match=r"\(prefix\)"):
        model.generate(text, known=KnownFrames((0, 1), torch.rand(2, 3, 48, 80)))
    with pytest.raises(UnsupportedConditionError, match=r"hosted .*--teacher"):
        model.encode(torch.rand(16, 3, 48, 80))


def test_one_task_alone(host: Host) -> None:
    from_text = open_hosted(TEXT)
    with pytest.raises(UnsupportedConditionError, match="first frame"):
        from_text.generate(from_text.encode_text("a fox"), known=KnownFrames((0,), torch.rand(1, 3, 8, 8)))
    from_picture = open_hosted(IMAGE)
    with pytest.raises(UnsupportedConditionError, match=r"needs a first frame"):
        from_picture.generate(from_picture.encode_text("a fox"))


def test_the_embedded_model_teaches(host: Host) -> None:
    pair = open_models(f"hf-inference:{TEXT}", None, "cpu", ModelSettings(size=(48, 80)))
    assert isinstance(pair.generator, HostedVideoModel)
    assert isinstance(pair.teacher, EmbeddedVideoModel)
    assert pair.generator.spec.size == (48, 80)


class TestOpening:
    def test_an_unknown_model(self, host: Host) -> None:
        with pytest.raises(ModelSourceError, match="knows no model nobody/nothing"):
            open_hosted("hf-inference:nobody/nothing")

    def test_a_model_of_another_task(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(ROUTES, "some/painter", ("text-to-image", "fal-ai/flux"))
        with pytest.raises(ModelSourceError, match=r"nobody serves some/painter .*but for text-to-image"):
            open_hosted("hf-inference:some/painter")

    def test_no_name(self, host: Host) -> None:
        with pytest.raises(ModelSourceError, match="names no model"):
            open_hosted("hf-inference:")

    def test_no_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
        with pytest.raises(ModelSourceError, match="hf auth login"):
            open_hosted(f"hf-inference:{TEXT}")

    def test_no_network(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
        with pytest.raises(ModelSourceError, match="cannot be reached") as caught:
            open_hosted(f"hf-inference:{TEXT}")
        assert TOKEN not in str(caught.value)
