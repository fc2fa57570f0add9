"""The examples of docs/files.md run, one after another, as a reader would run them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from fourreal.io.cameras_json import read_cameras_json

PAGE = Path(__file__).parents[2] / "docs" / "files.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_every_python_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, str(PAGE), "exec"), names)
    made = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert {"clip.mp4", "small.gif", "first.jpg", "scene.safetensors", "splats.ply", "cameras.json"} <= made
    assert {"sparse/0/images.bin", "transforms.json"} <= {name.replace("\\", "/") for name in made}


def test_the_json_example_can_be_read(tmp_path):
    (example,) = blocks("json")
    (tmp_path / "cameras.json").write_text(json.dumps(json.loads(example)))
    assert read_cameras_json(tmp_path / "cameras.json").groups["ref"].files == ("ref/000.png",)
