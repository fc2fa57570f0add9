"""What it gains to draw several drafts and keep the one that the critic likes best."""

from __future__ import annotations

import torch
from _video_classifier import JUDGED, Classifier, judged
from _video_setting import DRAFTS, Setting, all_said, frame_psnr, liked, signs, table

from fourreal.worlds import captions

_ORBIT = 60.0  # degrees


def drafts(setting: Setting, classifier: Classifier) -> dict[str, object]:
    """The first of some drafts and the one that is kept: labels found, and frozen clips against truth."""
    alone = {"second": "none"}
    worlds = setting.worlds("drafts", setting.options.many(512), labels=alone)
    given = setting.given(all_said(worlds), "dynamic")
    clips, values = setting.drafts(given)
    kept = liked(clips, values)
    true = setting.likeness(setting.dynamic(worlds, setting.generator("drafts")), given)
    made, chosen = (judged(classifier, c).accuracy(worlds) for c in (clips[0], kept))
    rows = [(k, made[k], chosen[k]) for k in JUDGED]
    table(
        f"drafts: accuracy on {len(worlds)} clips, of which a critic chose",
        ("factor", "first draft", f"best of {DRAFTS}"),
        rows,
    )
    told = float((true > values[0]).float().mean())
    means = [float(v.mean()) for v in (true, values[0], values.amax(0))]
    print("log odds of true clips, of drafts, of those kept: " + ", ".join(f"{v:.2f}" for v in means))
    print(f"true clips that it likes better than the draft of the same words: {told:.2f}")
    frozen = _frozen(setting)
    return {"first": made, "kept": chosen, "true preferred": told, "log odds": means, "frozen": frozen}


def _frozen(setting: Setting) -> dict[str, float]:
    """PSNR of frozen clips round true first frames against the truth."""
    count = setting.options.many(128)
    worlds = setting.worlds("drafts", count, 1 << 20)
    truth, camera, _ = setting.orbit(worlds, _ORBIT * signs(count), setting.moments("drafts", count))
    given = setting.given(captions(worlds), "freeze", known=setting.first_known(), camera=camera)
    clips, values = setting.drafts(given, truth)
    each = torch.stack([frame_psnr(c, truth)[:, 1:].mean(1) for c in clips])
    found = {
        "the first": float(each[0].mean()),
        "the best by the critic": float(each.gather(0, values.argmax(0)[None]).mean()),
        "the best by the truth": float(each.amax(0).mean()),
    }
    table(f"drafts: PSNR of {count} frozen clips over {_ORBIT:g} degrees", ("clip", "PSNR"), list(found.items()))
    return found
