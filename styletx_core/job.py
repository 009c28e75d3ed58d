# SPDX-License-Identifier: GPL-3.0-or-later
"""The job: one plain description of a piece of work, the same for add-on, command line, farm and tests.

Imports neither torch nor a picture library, so that the add-on can make and check jobs inside Blender.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from styletx_core.errors import InputError
from styletx_core.files import atomic_path
from styletx_core.keyed import Keyed, sampled
from styletx_core.keyed import values as keyed_values
from styletx_core.options import Value
from styletx_core.registry import method_info

VERSION = 1
MOTIONS = ("auto", "vectors", "flow", "none")
SIZES = 0.25, 4.0
PRECISIONS = ("auto", "float32", "float16")
REGIONS = ("object", "material", "index", "mask")
KEEP_COLORS = ("none", "luminance", "match")
FORMATS = ("auto", "png8", "png16", "tiff16", "exr_half", "exr_float")
MOVIES = (".mp4", ".mov", ".mkv")
PREVIEWS = (".png", ".jpg")
SMALLEST_TILE = 64

T = TypeVar("T")


@dataclass(frozen=True)
class Input:
    """What is stylized."""

    path: str  # a picture, a directory or pattern of frames, or a movie
    frames: tuple[int, int] | None = None  # first and last, both included; None takes all
    layer: str | None = None  # view layer of a multilayer EXR; None takes the only or first one
    camera: str | None = None  # shot.json; None looks beside the frames
    chunk: tuple[int, int] | None = None  # first and last of the frames to make here; others make the rest


@dataclass(frozen=True)
class Region:
    """Where a style shows. One of object, material, index and mask says it."""

    object: tuple[str, ...] = ()  # names in the Cryptomatte Object pass; *, ? and [] stand for any letters
    material: tuple[str, ...] = ()  # the same of the Cryptomatte Material pass
    index: int | None = None  # in the Object Index pass
    mask: str | None = None  # a picture, or a sequence by frame number; white: here
    invert: bool = False  # everywhere else instead


@dataclass(frozen=True)
class Style:
    """A style picture and its share in the mix; only the ratio of the weights counts.

    Styles of the same region are mixed. A style without a region shows wherever none of the others' regions is. In
    frames where its weight is 0 a style is not there, and neither is its region.
    """

    path: str  # of methods of fixed styles, the style's name
    weight: Keyed = 1.0
    region: Region | None = None


@dataclass(frozen=True)
class Settings:
    """How it is stylized. What is keyed is a number, or numbers by frame with straight lines between them."""

    method: str = "adain_reconet"
    strength: Keyed = 1.0  # 0 gives the input itself, 1 the full style
    stability: float = 1.0  # 0 stylizes every frame alone, 1 is as steady as the motion allows
    size: Keyed = 1.0  # of the strokes, which are a share of the picture's height
    keep_colors: str = "none"  # luminance: the frame's chroma, exactly; match: the frame's mean and covariance
    device: str = "auto"
    precision: str = "auto"
    weights: str | None = None  # a safetensors file; None takes the method's own
    options: Mapping[str, Value] = field(default_factory=dict)  # the method's own; see `styletx methods`
    tile: int = 0  # side of the tiles that large pictures are painted in; 0 chooses by the memory they take
    tileable: bool = False  # the picture is a texture whose borders meet, and stays one


@dataclass(frozen=True)
class ViewSettings:
    """The scene's view transform: how scene-linear color becomes what the screen shows."""

    display: str = "sRGB"
    view: str = "Standard"
    look: str = "None"
    exposure: float = 0.0
    gamma: float = 1.0
    ocio: str | None = None  # an OpenColorIO config; None takes the one $OCIO names, else plain sRGB


@dataclass(frozen=True)
class Output:
    """Where the results go."""

    directory: str
    format: str = "auto"  # auto: EXR for scene-linear input, PNG for the rest, of the input's depth
    movie: str | None = None  # encoded from the finished frames
    overwrite: bool = False  # may replace results that another job left in the directory
    preview: str | None = None  # a picture file that shows the frame being painted, for methods that take steps
    preview_every: int = 10  # steps between two of its pictures


@dataclass(frozen=True)
class Job:
    """Everything `styletx_core.run` needs to know."""

    input: Input
    styles: tuple[Style, ...]
    output: Output
    motion: str = "auto"
    settings: Settings = field(default_factory=Settings)
    view: ViewSettings = field(default_factory=ViewSettings)
    version: int = VERSION

    @classmethod
    def from_dict(cls, data: Any) -> Job:
        """A valid job from plain values; raises InputError naming the first field that is wrong."""
        job = _read(cls, data, "")
        job.validate()
        return job

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; `from_dict` gives the same job back."""
        return dict(json.loads(json.dumps(asdict(self))))

    @classmethod
    def load(cls, path: str | Path) -> Job:
        """The job in a JSON file; raises InputError. Paths inside are relative to the working directory."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"There is no job file '{path}'; check the path.") from None
        except OSError as error:
            raise InputError(f"The job file '{path}' cannot be read: {_reason(error)}.") from None
        except ValueError as error:
            raise InputError(f"The job file '{path}' is not valid JSON: {error}.") from None
        return cls.from_dict(data)

    def save(self, path: str | Path) -> None:
        """Writes the job as JSON, whole or not at all."""
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")

    def validate(self) -> None:
        """Raises InputError for the first value that is out of range. Looks at no file."""
        if self.version != VERSION:
            raise InputError(f"The job has version {self.version}, but this StyleTX reads version {VERSION}.")
        _filled("input.path", self.input.path, "the picture, directory, pattern or movie to stylize")
        if self.input.frames is not None and self.input.frames[0] > self.input.frames[1]:
            first, last = self.input.frames
            raise InputError(f"The frame range {first}-{last} runs backward; give the first frame first.")
        if self.input.chunk is not None and self.input.chunk[0] > self.input.chunk[1]:
            first, last = self.input.chunk
            raise InputError(f"The chunk {first}-{last} runs backward; give the first frame first.")
        _one_of("motion", self.motion, MOTIONS)
        method = method_info(self.settings.method)
        if not self.styles and method.styles == "any":
            raise InputError("No style picture is given; give at least one.")
        for number, style in enumerate(self.styles):
            _filled(f"styles[{number}].path", style.path, "a style picture")
            _within_keyed(f"styles[{number}].weight", style.weight, 0, 1000)
            if style.region is not None:
                _one_kind(f"styles[{number}].region", style.region)
        weights = [weight for style in self.styles for weight in keyed_values(style.weight)]
        if self.styles and not any(weight > 0 for weight in weights):
            raise InputError("All style pictures have weight 0; give at least one of them a weight above 0.")
        if not method.blends and len({style.region for style in self.styles}) < len(self.styles):
            raise InputError(
                f"The method '{method.name}' shows one style at a time; leave out the others, or give each a region."
            )
        method.checked_options(self.settings.options)
        if self.settings.weights is not None and not method.trained:
            raise InputError(f"The method '{method.name}' has no weights of its own; leave settings.weights out.")
        _within_keyed("settings.strength", self.settings.strength, 0, 1)
        _within("settings.stability", self.settings.stability, 0, 1)
        _within_keyed("settings.size", self.settings.size, *SIZES)
        _one_of("settings.keep_colors", self.settings.keep_colors, KEEP_COLORS)
        if self.settings.keep_colors == "match" and method.styles == "fixed":
            raise InputError(
                f"The styles of '{method.name}' have their own colors; settings.keep_colors can be luminance."
            )
        if not re.fullmatch(r"auto|cpu|mps|(cuda|xpu)(:\d+)?", self.settings.device):
            raise InputError(
                f"The device '{self.settings.device}' is unknown; choose auto, cpu, cuda, cuda:1, mps or xpu."
            )
        _one_of("settings.precision", self.settings.precision, PRECISIONS)
        if (self.settings.tile or self.settings.tileable) and not method.tiles:
            raise InputError(f"The method '{method.name}' paints pictures in one piece; leave tile and tileable out.")
        if self.settings.tile:
            _within("settings.tile", self.settings.tile, SMALLEST_TILE, 16384)
        _filled("view.display", self.view.display, "a display, such as sRGB")
        _filled("view.view", self.view.view, "a view, such as Standard")
        _within("view.exposure", self.view.exposure, -32, 32)
        _within("view.gamma", self.view.gamma, 0.01, 10)
        _filled("output.directory", self.output.directory, "the directory for the results")
        _one_of("output.format", self.output.format, FORMATS)
        if self.output.movie is not None and Path(self.output.movie).suffix.lower() not in MOVIES:
            raise InputError(f"The movie '{self.output.movie}' has to end in {', '.join(MOVIES)}.")
        if self.output.preview is not None:
            if not method.stepwise:
                raise InputError(f"The method '{method.name}' paints in one go; leave the preview out.")
            if Path(self.output.preview).suffix.lower() not in PREVIEWS:
                raise InputError(f"The preview '{self.output.preview}' has to end in {', '.join(PREVIEWS)}.")
        _within("output.preview_every", self.output.preview_every, 1, 10000)

    def fingerprint(
        self,
        numbers: Iterable[int],
        files: Iterable[Path],
        weights: Path | None = None,
        camera: Path | None = None,
    ) -> str:
        """One string that changes with everything that changes pixels.

        numbers: the frames to stylize. files: those they and the masks are read from; these count by path, size and
        time of change, because hashing a whole shot may take longer than stylizing it. weights, camera
        (shot.json), styles and the color config count by content. The device, the chunk, the movie and overwrite
        do not count. Raises InputError for a file that cannot be read.
        """
        # Imported here because the package's __init__ imports this module.
        from styletx_core import __version__

        values = self.to_dict()
        values["settings"]["device"] = values["settings"]["weights"] = None
        values["output"] = {"format": self.output.format}
        values["input"]["chunk"] = None
        config = self.view.ocio or os.environ.get("OCIO")
        values["input"]["path"] = values["input"]["camera"] = values["view"]["ocio"] = None
        values["settings"]["options"] = method_info(self.settings.method).checked_options(self.settings.options)
        values["input"]["frames"] = numbers = list(numbers)
        for name in ("strength", "size"):
            values["settings"][name] = sampled(getattr(self.settings, name), numbers)
        for style, given in zip(values["styles"], self.styles, strict=True):
            if method_info(self.settings.method).styles == "any":
                style["path"] = _content(Path(given.path))
            style["weight"] = sampled(given.weight, numbers)
            if style["region"] is not None:
                style["region"]["mask"] = style["region"]["mask"] is not None
        values["files"] = [_identity(path) for path in files]
        values["camera"] = _content(camera) if camera else None
        # OpenColorIO also takes configs by name ("ocio://..."); those are told apart by the name.
        values["config"] = _content(Path(config)) if config and Path(config).is_file() else config
        values["weights"] = _content(weights) if weights else None
        values["package"] = __version__
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _identity(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {_reason(error)}.") from None
    return str(path.resolve()), status.st_size, status.st_mtime_ns


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {_reason(error)}.") from None


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _filled(name: str, value: str, meaning: str) -> None:
    if not value.strip():
        raise InputError(f"{name} is empty; give {meaning}.")


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"{name} is '{value}', but has to be one of: {', '.join(known)}.")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(f"{name} is {value:g}, but has to be between {low:g} and {high:g}.")


def _within_keyed(name: str, value: Keyed, low: float, high: float) -> None:
    if not isinstance(value, Mapping):
        _within(name, value, low, high)
        return
    for frame, one in value.items():
        _within(f"{name} in frame {frame}", one, low, high)


def _one_kind(name: str, region: Region) -> None:
    kinds = [kind for kind in REGIONS if getattr(region, kind) not in ((), None)]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "nothing"
        raise InputError(f"{name} is given by {found}; give one of {', '.join(REGIONS)}.")
    for kind in ("object", "material"):
        for entry in getattr(region, kind):
            _filled(f"{name}.{kind}", entry, f"names of {kind}s")
    if region.mask is not None:
        _filled(f"{name}.mask", region.mask, "a picture, directory or pattern")


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_keyed(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return _number(value)
    whole = all(_whole(frame) or (isinstance(frame, str) and re.fullmatch(r"-?\d{1,9}", frame)) for frame in value)
    return bool(value) and whole and all(map(_number, value.values()))


def _to_keyed(value: Any) -> Keyed:
    if isinstance(value, Mapping):
        return {int(frame): float(one) for frame, one in value.items()}
    return float(value)


# Annotation of a field -> (what it has to be, the check, the conversion). Annotations are strings here.
_TYPES: dict[str, tuple[str, Any, Any]] = {
    "str": ("text", lambda v: isinstance(v, str), str),
    "str | None": ("text or null", lambda v: v is None or isinstance(v, str), lambda v: v),
    "bool": ("true or false", lambda v: isinstance(v, bool), bool),
    "int": ("a whole number", _whole, int),
    "int | None": ("a whole number or null", lambda v: v is None or _whole(v), lambda v: v),
    "float": ("a number", _number, float),
    "Keyed": ('a number, or numbers by frame such as {"1": 0, "25": 1}', _is_keyed, _to_keyed),
    "tuple[str, ...]": (
        "a list of texts",
        lambda v: isinstance(v, (list, tuple)) and all(isinstance(i, str) for i in v),
        tuple,
    ),
    "tuple[int, int] | None": (
        "two whole numbers, the first and the last frame, or null",
        lambda v: v is None or (isinstance(v, (list, tuple)) and len(v) == 2 and all(map(_whole, v))),
        lambda v: None if v is None else (v[0], v[1]),
    ),
    "Mapping[str, Value]": (
        "an object of numbers, texts, true and false",
        lambda v: isinstance(v, Mapping) and all(isinstance(i, (bool, str)) or _number(i) for i in v.values()),
        dict,
    ),
}
_PARTS: dict[str, Any] = {
    "Input": Input,
    "Settings": Settings,
    "ViewSettings": ViewSettings,
    "Output": Output,
}


def _read(kind: type[T], data: Any, where: str) -> T:
    """A dataclass from plain values, strictly: every unknown, missing or mistyped field is an InputError."""
    assert is_dataclass(kind)
    title = f"'{where}'" if where else "the job"
    if not isinstance(data, Mapping):
        raise InputError(f"In a job file {title} has to be an object with named fields.")
    known = {item.name: item for item in fields(kind)}
    for name in data:
        if name not in known:
            raise InputError(f"The field '{_join(where, name)}' is unknown; {title} has: {', '.join(known)}.")
    values: dict[str, Any] = {}
    for name, item in known.items():
        path = _join(where, name)
        if name in data:
            values[name] = _value(str(item.type), data[name], path)
        elif item.default is MISSING and item.default_factory is MISSING:
            raise InputError(f"The field '{path}' is missing from the job; add it.")
    return kind(**values)


def _value(annotation: str, value: Any, path: str) -> Any:
    if annotation == "Region | None":
        return None if value is None else _read(Region, value, path)
    if annotation in _PARTS:
        return _read(_PARTS[annotation], value, path)
    if annotation == "tuple[Style, ...]":
        if not isinstance(value, (list, tuple)):
            raise InputError(f"The field '{path}' has to be a list of style pictures.")
        return tuple(_read(Style, item, f"{path}[{number}]") for number, item in enumerate(value))
    meaning, check, convert = _TYPES[annotation]
    if not check(value):
        raise InputError(f"The field '{path}' is {json.dumps(value, default=str)}, but has to be {meaning}.")
    return convert(value)


def _join(where: str, name: object) -> str:
    return f"{where}.{name}" if where else str(name)
