"""What a user gets out of a run: the 4D page, films, splats for other programs, the report, the live viewer."""

from .films import FilmPath, film_cameras, write_film
from .lifted import Lifted, read_lifted
from .outputs import write_outputs
from .page import write_page
from .report import write_report
from .splats import write_ply_sequence

__all__ = [
    "FilmPath",
    "Lifted",
    "film_cameras",
    "read_lifted",
    "write_film",
    "write_outputs",
    "write_page",
    "write_ply_sequence",
    "write_report",
]
