"""For `schedule.py --teacher`: phases with scores, and a video model of true architecture that gives them."""

from __future__ import annotations

import argparse
from dataclasses import replace

from _teachers_build import ARCHITECTURES, build, compiled, fitting

from fourreal.fit.phases import Phase
from fourreal.stages.scoring import Teacher

_FAINT = 1e-6  # random weights teach nothing: their scores cost what scores cost, and leave the scene alone


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The teacher's options."""
    parser.add_argument("--teacher", choices=list(ARCHITECTURES), help="true architecture, random weights")
    parser.add_argument("--score-size", type=int, nargs=2, default=(144, 256), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--gradient", choices=("pixel", "latent"), default="latent")
    parser.add_argument("--compile", action="store_true", help="one block of each kind of the teacher's network")
    parser.add_argument("--tiny", action="store_true", help="a teacher of a few thousand parameters, to try the script")


def teacher_of(args: argparse.Namespace) -> Teacher | None:
    """The teacher that was asked for, its autoencoder in bfloat16."""
    if args.teacher is None:
        return None
    dtype = "float32" if args.device == "cpu" else "bfloat16"
    built = build(args.teacher, argparse.Namespace(device=args.device, tiny=args.tiny, vae_dtype=dtype))
    if args.compile:
        compiled(built.pipe.transformer, True)
    model = built.model(fitting(tuple(args.score_size), built), "joined", eager=args.eager)
    return Teacher(model, built.text, built.text, args.gradient)


def faint(phase: Phase) -> Phase:
    """`phase`, whose scores hardly count."""
    wanted = phase.guidance
    return phase if wanted is None else replace(phase, guidance=replace(wanted, weight=_FAINT * wanted.weight))


def scores_of(phase: Phase) -> int:
    """How many scores a phase asks for."""
    return 0 if phase.guidance is None else -(-phase.steps // phase.guidance.every)
