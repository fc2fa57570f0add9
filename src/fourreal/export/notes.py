"""Sentences about how clips and cameras came about, from a run's own notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CHOSEN = {
    "score": "chosen for its sharpness",
    "walk": "chosen for the walk round it",
    "circle": "chosen for the circle round it, since its subject turns",
}
CLIP_NAMES = {"ref": "Reference clip", "freeze": "Freeze-time clip"}


def pose_lines(poses: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(severity, sentence) about the cameras, from `poses/report.json` or `lift.json`."""
    lines: list[tuple[str, str]] = []
    for group in ("freeze", "reference"):
        report = poses.get(group)
        if not isinstance(report, dict):
            continue
        error = report.get("reprojection_px")
        residual = f", points fit to {error:.2f} px" if isinstance(error, (int, float)) else ""
        told = f"{report.get('method', 'unknown')}, {report.get('registered')} of {report.get('total')} frames"
        lines.append(("head", f"{CLIP_NAMES['ref' if group == 'reference' else 'freeze']}: {told}{residual}"))
        findings = report.get("findings")
        for finding in findings if isinstance(findings, list) else []:
            if isinstance(finding, dict) and finding.get("words"):
                lines.append((str(finding.get("severity", "ok")), str(finding["words"])))
        lines += [("tried", str(words)) for words in report.get("diagnosis") or [] if isinstance(words, str)]
    if not lines and isinstance(poses.get("poses"), str):
        lines = [("head", str(poses["poses"])), *(("tried", str(v)) for v in poses.get("diagnosis") or [])]
    return lines


def making_of(videos: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(severity, sentence) about how the clips were drawn, from `videos/videos.json`; empty for a user's own clips."""
    if not videos.get("prompt"):
        return []
    model, seed = videos.get("model"), videos.get("seed")
    lines = [("head", f"Drawn by {model}, seed {seed}" if model else f"Seed {seed}")]
    if isinstance(videos.get("frozen_frame"), int):
        why = _CHOSEN.get(str(videos.get("frame_chosen_by")), "as asked for")
        lines.append(("ok", f"frame {videos['frozen_frame']} of the reference clip is frozen, {why}"))
    lines += _tried_frames(videos.get("frames_tried"))
    lines += _drafts("the reference clip", videos.get("drafts"))
    takes = videos.get("takes")
    for take in takes if isinstance(takes, list) else []:
        if isinstance(take, dict) and isinstance(take.get("explained_db"), float):
            kept = "was kept" if take.get("kept") else "was dropped"
            words = f"take {take.get('take')}: a static scene explains {take['explained_db']:.1f} dB of it; it {kept}"
            lines.append(("ok" if take.get("kept") else "tried", words))
    links = videos.get("links")
    for link in links if isinstance(links, list) else []:
        lines += _link(link) if isinstance(link, dict) else []
    return lines


def _tried_frames(tried: object) -> list[tuple[str, str]]:
    """What walks round frames, or circles, say of them."""
    found = [one for one in tried if isinstance(one, dict)] if isinstance(tried, list) else []
    walks = [f"{one['frame']} ({one['explained_db']:.1f} dB)" for one in found if {"frame", "explained_db"} <= {*one}]
    circles = [f"{one['frame']} ({one['missed']:.0%})" for one in found if {"frame", "missed"} <= {*one}]
    lines = [f"how well a static scene explains a walk round frame {', '.join(walks)}"] if walks else []
    if circles:
        about = "of the subject that turns, what it misses if frozen in a frame and turned"
        lines.append(f"{about}: frame {', '.join(circles)}")
    return [("ok", line) for line in lines]


def _drafts(what: str, drafts: object) -> list[tuple[str, str]]:
    """Which of several small drafts was taken."""
    found = [d for d in drafts if isinstance(d, dict)] if isinstance(drafts, list) else []
    kept = next((i for i, d in enumerate(found, 1) if d.get("kept")), None)
    if kept is None:
        return []
    values = ", ".join(f"{d['likeness']:.1f}" for d in found if isinstance(d.get("likeness"), float))
    return [("ok", f"{what} is number {kept} of {len(found)} drafts (log odds of a true clip: {values})")]


def _link(link: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What happened to one piece of the freeze-time clip."""
    frames, tries = link.get("frames"), link.get("tries")
    if not (isinstance(frames, list) and frames and isinstance(tries, list) and tries):
        return []
    what = f"freeze-time frames {min(frames)} to {max(frames)}"
    kept = next((t for t in tries if isinstance(t, dict) and t.get("seed") == link.get("seed")), {})
    again = f"; {len(tries)} tries, seed {link.get('seed')} was kept" if len(tries) > 1 else ""
    findings = [str(words) for words in kept.get("findings") or []]
    lines = [("suspect" if findings else "ok", f"{what}: {'; '.join(findings) or 'sound'}{again}")]
    lines += _drafts(what, kept.get("drafts"))
    for other in tries:
        if isinstance(other, dict) and other is not kept and other.get("findings"):
            lines.append(("tried", f"seed {other.get('seed')} was dropped: {'; '.join(map(str, other['findings']))}"))
    return lines
