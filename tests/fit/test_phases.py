"""Phase tables for subjects that turn and are known from all sides."""

from __future__ import annotations

from fourreal.fit.phases import frozen_leads
from fourreal.recipes import temporal_default


def test_the_frozen_clip_leads() -> None:
    """Nothing is revealed, nothing grows, frames teach the motion alone, of what turns nearly as one."""
    usual = {p.name: p for p in temporal_default(guided=True)}
    led = {p.name: p for p in frozen_leads(tuple(usual.values()))}
    assert list(led) == [name for name in usual if name != "reveal"]
    for name, phase in led.items():
        assert phase.led
        assert phase.growth is None
        assert phase.losses["arap"] == 10 * usual[name].losses["arap"]
        assert phase.rates["motion"].start < usual[name].rates["motion"].start
        assert {k: v for k, v in phase.rates.items() if k != "motion"} == {
            k: v for k, v in usual[name].rates.items() if k != "motion"
        }
        assert phase.guidance == usual[name].guidance
    assert led["joint"].steps == usual["joint"].steps
    assert led["motion"].steps < usual["motion"].steps, "its course is known"
    assert not any(phase.led for phase in usual.values())
