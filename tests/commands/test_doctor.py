"""`4real doctor` reports every part of the machine, and what to do about each gap."""

from __future__ import annotations

import builtins
import importlib.util
import json
from importlib.metadata import PackageNotFoundError

import pytest

from fourreal.commands import doctor as module
from fourreal.commands.doctor import Finding, doctor, examine

NAMES = ["python", "torch", "device", "gsplat", "pycolmap", "ffmpeg", "numba", "memory", "disk"]


def test_a_test_machine_lacks_nothing_essential() -> None:
    findings = examine()
    assert [f.name for f in findings] == NAMES
    assert [f for f in findings if f.status == "missing"] == []


def test_json_is_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(json_output=True) == 0
    assert [f["name"] for f in json.loads(capsys.readouterr().out)] == NAMES


def test_a_missing_extra_is_a_note_with_its_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "version", absent)
    finding = next(f for f in examine() if f.name == "pycolmap")
    assert (finding.status, "fourreal[sfm]" in finding.advice) == ("note", True)


def test_a_missing_torch_fails_with_advice(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real_import, real_find = builtins.__import__, importlib.util.find_spec

    def without_torch(name: str, *args, **kwargs):
        if name == "torch":
            raise ImportError("No module named 'torch'")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_torch)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else real_find(name))
    findings = {f.name: f for f in examine()}
    assert findings["torch"] == Finding("torch", "missing", "not installed", "pip install torch")
    assert findings["ffmpeg"].status == "ok", "one failed check does not hide the others"
    assert doctor() == 1
    assert "pip install torch" in capsys.readouterr().out


def test_a_nearly_full_disk_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10_000_000})())
    finding = next(f for f in examine() if f.name == "disk")
    assert (finding.status, finding.found) == ("missing", "0.0 GiB free here")
