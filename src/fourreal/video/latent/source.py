"""Where a model's files lie and whether they are whole: `model_index.json` is read here, not by diffusers.

diffusers answers a wrong folder with an AttributeError deep inside and an offline hub id with a page of text; here each
gets one sentence that says what to do.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fourreal.core.errors import FileFormatError, MissingDependencyError
from fourreal.core.storage import read_json
from fourreal.video.base import ModelSourceError

from .settings import Family

INDEX = "model_index.json"
FAMILIES: dict[str, Family] = {
    "WanPipeline": "wan",
    "WanImageToVideoPipeline": "wan",
    "WanVACEPipeline": "wan",
    "LTXPipeline": "ltx",
    "LTXImageToVideoPipeline": "ltx",
    "LTXConditionPipeline": "ltx",
    "SanaWMPipeline": "sana-wm",
}
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_WEIGHTS = ("text_encoder", "text_encoder_2", "image_encoder", "transformer", "transformer_2", "vae")


@dataclass(frozen=True, eq=False)
class Source:
    """A folder with a diffusers pipeline, checked.

    Attributes:
        folder: with `model_index.json`.
        kind: class of the pipeline.
        index: what `model_index.json` says.
    """

    folder: Path
    kind: str
    index: dict[str, Any]

    @property
    def family(self) -> Family:
        """Which code drives it."""
        return FAMILIES[self.kind]

    @property
    def name(self) -> str:
        """For people: the folder's name, or the hub id of a cached download."""
        parts = [p for p in self.folder.parts if p.startswith("models--")]
        return parts[-1].removeprefix("models--").replace("--", "/") if parts else self.folder.name

    def parts(self) -> list[str]:
        """Components that have weights."""
        return [name for name in _WEIGHTS if isinstance(self.index.get(name), list) and self.index[name][1]]

    def config(self, part: str) -> dict[str, Any]:
        """A component's `config.json`; empty if it has none."""
        path = self.folder / part / "config.json"
        return read_json(path) if path.is_file() else {}

    def class_of(self, part: str) -> Any:
        """The class of a component, from diffusers or transformers."""
        import importlib

        library, name = self.index[part]
        if library not in ("diffusers", "transformers"):
            raise ModelSourceError(
                f'{self.folder}: the {part} comes from "{library}", whose code is not run; '
                "use a model made of classes of diffusers and transformers"
            )
        return getattr(importlib.import_module(library), name)

    def pipeline(self) -> Any:
        """The pipeline's class."""
        import diffusers

        return getattr(diffusers, self.kind)

    def license(self) -> str:
        """What the model card beside the weights says, or where to look."""
        card = self.folder / "README.md"
        if card.is_file():
            head = card.read_text(encoding="utf-8", errors="replace")[:4000]
            if found := re.search(r"^license(?:_name)?:\s*(\S.*)$", head, re.MULTILINE):
                return found[1].strip().strip("\"'")
        return "unknown: see the page of the weights"


def find_source(name: str, tell: Callable[[str], None] = lambda _: None) -> Source:
    """The model at a folder or hub id, downloaded if need be, with all its files checked.

    Raises:
        ModelSourceError: if it is no whole, supported diffusers pipeline or cannot be fetched.
        MissingDependencyError: if the extra `models` is not installed.
    """
    require_diffusers()
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _whole(folder)
    if folder.is_file():
        raise ModelSourceError(f"--model {name} is a file; give the folder that holds {INDEX}")
    if not _HUB_ID.fullmatch(name) or name.startswith((".", "/", "~")):
        raise ModelSourceError(
            f"--model {name}: there is no such folder, and it is no hub id such as Wan-AI/Wan2.1-VACE-1.3B-diffusers"
        )
    return _of_hub(name, tell)


def _whole(folder: Path) -> Source:
    """The source in a folder, all of whose files are there."""
    source = Source(folder, *_read_index(folder))
    for part in source.parts():
        _check_weights(folder, part)
    return source


def require_diffusers() -> None:
    """Raise `MissingDependencyError` unless the extra `models` is installed; quieten its progress bars."""
    import importlib.util

    for library in ("diffusers", "transformers", "accelerate", "ftfy"):
        if importlib.util.find_spec(library) is None:
            raise MissingDependencyError(
                f"--model needs {library}, which is not installed; run: pip install 'fourreal[models]'"
            )
    import diffusers
    import transformers

    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()


def _read_index(folder: Path) -> tuple[str, dict[str, Any]]:
    path = folder / INDEX
    if not path.is_file():
        inside = sorted(p.parent for p in folder.glob(f"*/{INDEX}"))
        if inside:
            hint = f"did you mean {inside[0]}?"
        elif (folder / "config.json").is_file() or list(folder.glob("*.safetensors")):
            hint = "these are weights in another layout; take the repository whose name ends in -Diffusers"
        else:
            hint = "a diffusers model has one; its download may not have finished"
        raise ModelSourceError(f"{folder} holds no {INDEX}: {hint}")
    try:
        index = read_json(path)
    except FileFormatError as error:
        raise ModelSourceError(f"{error}; download the file again") from None
    kind = index.get("_class_name") if isinstance(index, dict) else None
    if kind not in FAMILIES:
        raise ModelSourceError(
            f"{folder} is a {kind or 'file without _class_name'}, which is not supported; "
            f"supported are {', '.join(FAMILIES)}"
        )
    return str(kind), index


def _check_weights(folder: Path, part: str) -> None:
    """Raise unless the component's configuration and all of its shards are there and whole."""
    where = folder / part
    if not (where / "config.json").is_file():
        raise ModelSourceError(f"{folder} lacks {part}/config.json; {_again(folder)}")
    files = weight_files(where)
    if not files:
        pickled = any(where.glob("*.bin")) or any(where.glob("*.pt"))
        why = "only pickled weights, which are never opened" if pickled else "no weights"
        raise ModelSourceError(f"{where} has {why}; {_again(folder)}")
    for path in files:
        if path.parent != where or not path.is_file():
            raise ModelSourceError(
                f"{where} lacks {path.name} ({len(files)} files of weights in all); {_again(folder)}"
            )
        if (missing := _missing_bytes(path)) != 0:
            raise ModelSourceError(f"{path} is cut short by {missing} bytes; {_again(folder)}")


def weight_files(where: Path) -> list[Path]:
    """The safetensors files of a component that are loaded (not its other precisions), there or not."""
    for base in ("diffusion_pytorch_model", "model"):
        index = where / f"{base}.safetensors.index.json"
        if index.is_file():
            try:
                return [where / name for name in sorted(set(read_json(index)["weight_map"].values()))]
            except (FileFormatError, KeyError, AttributeError, TypeError):
                raise ModelSourceError(f"{index} cannot be read; {_again(where.parent)}") from None
        if (where / f"{base}.safetensors").is_file():
            return [where / f"{base}.safetensors"]
    return []


def _missing_bytes(path: Path) -> int:
    """Bytes that a safetensors file lacks at its end, from its header; 0 if it is whole."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size, 200_000_000):
            return max(8 + length - size, 1) if length < 1 << 40 else 1
        try:
            header = json.loads(file.read(length))
        except ValueError:
            return 1
    ends = [v["data_offsets"][1] for k, v in header.items() if k != "__metadata__"]
    return max(8 + length + max(ends, default=0) - size, 0)


def _again(folder: Path) -> str:
    parts = [p for p in folder.parts if p.startswith("models--")]
    name = parts[-1].removeprefix("models--").replace("--", "/") if parts else "NAME"
    return f"the download is not complete, so finish it with: hf download {name}" + (
        "" if parts else f" --local-dir {folder}"
    )


def _of_hub(name: str, tell: Callable[[str], None]) -> Source:
    """A model of the hub: as it was downloaded before, or downloaded now."""
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    with contextlib.suppress(Exception):
        return _whole(Path(snapshot_download(name, local_files_only=True)))
    try:
        _, index = _read_index(Path(hf_hub_download(name, INDEX)).parent)  # before gigabytes are on their way
        tell(f"fetching {name} from the hub; what has arrived stays if this is stopped")
        return _whole(Path(snapshot_download(name, allow_patterns=_wanted(index))))
    except ModelSourceError:
        raise
    except GatedRepoError:
        raise ModelSourceError(
            f"{name} asks for its licence to be accepted: open https://huggingface.co/{name}, accept, "
            "and run: hf auth login"
        ) from None
    except (RepositoryNotFoundError, HFValidationError):
        raise ModelSourceError(f"the hub knows no model {name}; check the name, or give a folder") from None
    except Exception as error:
        raise ModelSourceError(
            f"{name} is not whole on this machine and the hub cannot be reached ({type(error).__name__}); where there "
            f"is a network run: hf download {name} --local-dir FOLDER, and use --model FOLDER"
        ) from None


def _wanted(index: dict[str, Any]) -> list[str]:
    """Files of the hub to fetch: those of the pipeline, and none of the other layouts that lie beside it."""
    parts = [name for name, value in index.items() if isinstance(value, list) and value[1]]
    kinds = ("*.json", "*.safetensors", "*.model", "*.txt")
    return [INDEX, "README.md", *(f"{part}/{kind}" for part in parts for kind in kinds)]
