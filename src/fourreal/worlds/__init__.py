"""Procedural 4D worlds: captioned, animated scenes rendered with exact cameras, depth, masks and tracks."""

from __future__ import annotations

from .bulk import render_fast
from .cameras import clip_times, core_cameras, orbit_cameras, place_cameras, reference_cameras
from .captions import captions, label_names
from .errors import LabelError
from .model import Worlds
from .render import Shots, Truth, render
from .sample import sample_worlds
from .sheet import contact_sheet, write_sheet
from .spoil import Spoiled, bend, spoil, thaw
from .tracks import Tracks, project, tracks, visible
from .vocabulary import FACTORS, actions_of, items_of
from .words import Concept, caption_words, concepts, split_words

__all__ = [
    "FACTORS",
    "Concept",
    "LabelError",
    "Shots",
    "Spoiled",
    "Tracks",
    "Truth",
    "Worlds",
    "actions_of",
    "bend",
    "caption_words",
    "captions",
    "clip_times",
    "concepts",
    "contact_sheet",
    "core_cameras",
    "items_of",
    "label_names",
    "orbit_cameras",
    "place_cameras",
    "project",
    "reference_cameras",
    "render",
    "render_fast",
    "sample_worlds",
    "split_words",
    "spoil",
    "thaw",
    "tracks",
    "visible",
    "write_sheet",
]
