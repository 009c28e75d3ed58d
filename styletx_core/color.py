# SPDX-License-Identifier: GPL-3.0-or-later
"""Scene-linear color to what the screen shows and back, as Blender does it, by OpenColorIO.

Blender multiplies by 2^exposure in scene-linear, applies the look, then the view of the display, then the
power 1/gamma; with alpha it does so on unpremultiplied color. Its config reproduces its PNG files to 3e-5.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import cv2
import numpy as np
import PyOpenColorIO as ocio

from .channels import each, largest, times
from .errors import InputError
from .job import ViewSettings
from .shot import Encoding, Frame

Apply = Callable[[np.ndarray], np.ndarray]  # Nx3 float32 to Nx3 float32

NEAR = 1 / 512  # an inverse that shows a color this close is left as it is
TABLE = 65  # entries along each side of a baked inverse
DARKEST = 2.0 ** -9  # added to the table's entries before their logarithm is taken
CHUNK = 1 << 15  # pixels; smaller arrays are not worth a thread
TRUSTED = 0.1  # alpha from which a pixel's unpremultiplied color is taken as it is; below it is mixed in
EMPTY = 1 / 255  # alpha up to which it counts for nothing


class ViewTransform:
    """The scene's view transform both ways. `notices` says what the user should know about it.

    environment: whether $OCIO counts where the settings name no config.
    Raises InputError where the config, or the display, view or look in it, does not exist.
    """

    def __init__(self, settings: ViewSettings, environment: bool = True) -> None:
        self.settings = settings
        self.notices: list[str] = []
        if not settings.gamma > 0:
            raise InputError(f"The view's gamma is {settings.gamma}; give one above 0.")
        path = settings.ocio or (os.environ.get("OCIO") if environment else None)
        self._forward, self._inverse = self._by_config(path) if path else self._plain()
        # Many views' inverse is exact for all that they can show; the others' needs help.
        sample = self.to_display(np.exp2(np.random.default_rng(0).uniform(-8, 4, (4096, 3))))
        shown = np.clip(self._forward(self._inverse(sample)), 0, 1)
        self._exact = bool(np.median(np.abs(shown - sample)) < 1e-4)
        if not self._exact:
            self._inverse = self._baked(self._inverse)

    def to_display(self, linear: np.ndarray) -> np.ndarray:
        """Straight scene-linear color ...x3 to display-referred float32 0..1. NaN becomes 0."""
        clean = _finite(np.asarray(linear, np.float32), lowest=0.0)
        return np.clip(self._forward(clean.reshape(-1, 3)), 0, 1).reshape(clean.shape)

    def to_linear(self, display: np.ndarray) -> np.ndarray:
        """Straight display color ...x3 to scene-linear float32 from 0 up that the view shows as that color.

        Views that compress the gamut, such as AgX, cannot show every display color: those come out as near as
        a search gets.
        """
        wanted = np.fmin(np.fmax(np.asarray(display, np.float32), 0), 1).reshape(-1, 3)  # NaN becomes 0
        linear = self._inverse(wanted) if self._exact else self._nearer(self._inverse, wanted, rounds=1)
        return linear.reshape(np.shape(display))

    def _nearer(self, inverse: Apply, wanted: np.ndarray, rounds: int) -> np.ndarray:
        """Inverse of `wanted` (Nx3) by an `inverse` that is off here and there.

        Each round aims beyond the color by what was missed, and keeps what lands nearer.
        """
        linear = inverse(wanted)
        shown = np.clip(self._forward(linear), 0, 1)
        todo, target = np.arange(len(wanted)), wanted
        for _ in range(rounds):
            error = np.abs(shown - wanted[todo]).max(axis=1, initial=0)
            far = error > NEAR
            todo, error = todo[far], error[far]
            target = np.clip(target[far] + wanted[todo] - shown[far], 0, 1)
            tried = inverse(target)
            shown = np.clip(self._forward(tried), 0, 1)
            better = np.abs(shown - wanted[todo]).max(axis=1, initial=0) < error
            linear[todo[better]] = tried[better]
            todo, target, shown = todo[better], target[better], shown[better]
        return linear

    def _baked(self, inverse: Apply) -> Apply:
        """A table of the inverse over all display colors, searched for once.

        OpenColorIO's own inverse of a view that is itself a table is slower, and some are further off.
        """
        steps = np.linspace(0, 1, TABLE, dtype=np.float32)
        grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
        entries = self._nearer(inverse, grid, rounds=8)
        table = ocio.Lut3DTransform()
        table.setGridSize(TABLE)
        table.setInterpolation(ocio.INTERP_TETRAHEDRAL)
        # In stops, which colors between the entries are even in.
        table.setData(np.log2(entries + DARKEST).astype(np.float32).ravel())
        processor = ocio.Config.CreateRaw().getProcessor(table).getDefaultCPUProcessor()
        return lambda display: _scene(np.exp2(_threaded(processor, display)) - np.float32(DARKEST))

    def _plain(self) -> tuple[Apply, Apply]:
        settings = self.settings
        if settings.view != "Standard" or settings.look != "None" or settings.display != "sRGB":
            raise InputError(f"The view {settings.view} (display {settings.display}, look {settings.look})"
                             " needs an OpenColorIO config; give Blender's (datafiles/colormanagement/config.ocio) "
                             "with --ocio or in $OCIO.")
        self.notices.append("No OpenColorIO config given: plain sRGB is used for the view transform.")
        scale, power = np.float32(2.0 ** settings.exposure), np.float32(1 / settings.gamma)

        def forward(linear: np.ndarray) -> np.ndarray:
            value = np.minimum(np.clip(linear, 0, 65504) * scale, 1)
            curved = np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** np.float32(1 / 2.4) - 0.055)
            shown = np.clip(curved, 0, 1)
            return np.asarray(shown if power == 1 else shown**power, np.float32)

        def inverse(display: np.ndarray) -> np.ndarray:
            value = display ** (1 / power)
            curved = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** np.float32(2.4))
            return np.asarray(curved / scale, np.float32)

        return forward, inverse

    def _by_config(self, path: str) -> tuple[Apply, Apply]:
        settings = self.settings
        try:
            config = ocio.Config.CreateFromFile(path)
        except (ocio.Exception, ocio.ExceptionMissingFile, RuntimeError) as error:
            raise InputError(f"{path} cannot be read as an OpenColorIO config; check the path.") from error
        _must_be_in("display", settings.display, config.getDisplaysAll(), path)
        _must_be_in("view", settings.view, config.getViews(settings.display), path)
        group = ocio.GroupTransform()
        if settings.exposure:
            scale = np.diag([2.0 ** settings.exposure] * 3 + [1.0])
            group.appendTransform(ocio.MatrixTransform(scale.ravel()))
        space = "scene_linear"
        look = self._look(config, path)
        if look is not None:
            process = config.getLook(look).getProcessSpace()
            group.appendTransform(ocio.LookTransform(src=space, dst=process, looks=look))
            space = process
        view = ocio.DisplayViewTransform(src=space, display=settings.display, view=settings.view)
        view.setLooksBypass(look is not None)
        group.appendTransform(view)
        if settings.gamma != 1:
            group.appendTransform(ocio.ExponentTransform([1 / settings.gamma] * 3 + [1.0]))
        try:
            forward = config.getProcessor(group).getDefaultCPUProcessor()
            # Lossless: the default inverse of a table of three dimensions can be off by 0.03.
            backward = config.getProcessor(group, ocio.TRANSFORM_DIR_INVERSE)
            inverse = backward.getOptimizedCPUProcessor(ocio.BIT_DEPTH_F32, ocio.BIT_DEPTH_F32,
                                                        ocio.OPTIMIZATION_LOSSLESS)
        except ocio.ExceptionMissingFile as error:
            raise InputError(f"{path} misses a file that its view {settings.view} needs; give the config in the "
                             "folder it came in.") from error
        except ocio.Exception as error:
            raise InputError(f"The view {settings.view} of {path} cannot be used both ways; choose another "
                             "view.") from error
        return partial(_threaded, forward), lambda display: _scene(_threaded(inverse, display))

    def _look(self, config: ocio.Config, path: str) -> str | None:
        look = self.settings.look
        if look in ("None", ""):
            return None
        names = list(config.getLookNames())
        # Blender's panel leaves out the view's name that some looks begin with.
        if look not in names and f"{self.settings.view} - {look}" in names:
            look = f"{self.settings.view} - {look}"
        _must_be_in("look", look, names, path)
        return look


def to_picture(frame: Frame, encoding: Encoding, transform: ViewTransform) -> np.ndarray:
    """The frame as a picture for the network: HxWx3 float32, straight display RGB 0..1, free of NaN.

    Where the frame is transparent the nearest opaque colors are continued, so that nothing dark bleeds over
    the edges of what is there.
    """
    picture = _straight_display(frame, encoding, transform)
    if frame.alpha is None or frame.alpha.min() >= TRUSTED or not frame.alpha.max() > 0:
        return picture
    alpha = np.nan_to_num(frame.alpha)
    hollow = (alpha < 0.5 * min(1.0, float(alpha.max()))).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(hollow, cv2.DIST_L2, cv2.DIST_MASK_5,
                                                labelType=cv2.DIST_LABEL_PIXEL)
    solid = hollow == 0
    colors = np.zeros((int(labels.max()) + 1, 3), np.float32)
    colors[labels[solid]] = picture[solid]
    trust = np.clip((alpha - EMPTY) / (TRUSTED - EMPTY), 0, 1)[..., None]
    mixed = colors[labels] * (1 - trust) + picture * trust
    return np.where(trust < 1, mixed, picture).astype(np.float32)


def put_back(frame: Frame, encoding: Encoding, picture: np.ndarray, stylized: np.ndarray,
             transform: ViewTransform, to: Encoding) -> tuple[np.ndarray, np.ndarray | None]:
    """The stylized picture in the frame's place: rgb HxWx3 float32 and the frame's own alpha.

    picture: what `to_picture` made of the frame. stylized: what the network made of that, HxWx3 display 0..1.
    to: "linear" gives premultiplied scene-linear, "display" straight display color. A pixel that was not
    changed is the frame's own to the last bit, with what lies beyond the view's range; where it was, the view
    shows it as stylized. In between, what lies beyond the range fades out.
    """
    stylized = np.asarray(stylized, np.float32)
    if to == "display":
        return _put_back_display(frame, encoding, picture, stylized, transform), frame.alpha
    if encoding == "linear":
        rgb = frame.rgb.astype(np.float32, copy=True)
    else:
        rgb = transform.to_linear(frame.rgb)
        if frame.alpha is not None:
            rgb = times(rgb, frame.alpha)
    change = largest(np.abs(stylized - picture))
    changed = change > 0
    linear = transform.to_linear(stylized)
    alpha = None if frame.alpha is None else np.nan_to_num(frame.alpha)
    if alpha is not None:
        changed &= alpha > 0  # light without coverage (fire, glare) has no place in the picture: it stays
    near = changed & (change < 1 / 50)
    if near.any():
        keep = np.clip(1 - 50 * change[near], 0, 1)[:, None]
        own = np.nan_to_num(rgb[near], nan=0.0, posinf=65504.0, neginf=0.0)
        if alpha is not None:
            own /= alpha[near][:, None]
        linear[near] += keep * (own - transform.to_linear(picture[near]))
    if alpha is not None:
        linear = times(linear, alpha)
    np.copyto(rgb, linear, where=each(changed, 3))
    return rgb, frame.alpha


def _put_back_display(frame: Frame, encoding: Encoding, picture: np.ndarray, stylized: np.ndarray,
                      transform: ViewTransform) -> np.ndarray:
    if frame.alpha is None:
        return stylized.copy()
    # Faint pixels were mixed with their surroundings for the network; the change is laid on their own color.
    rgb = stylized.copy()
    faint = frame.alpha < TRUSTED
    if encoding == "linear":
        faint &= frame.alpha > 0  # behind nothing the continued colors are best: there they cannot fringe
    if faint.any():
        own = Frame(frame.number, frame.rgb[faint][None], frame.alpha[faint][None])
        moved = _straight_display(own, encoding, transform)[0] + (stylized[faint] - picture[faint])
        rgb[faint] = np.clip(moved, 0, 1)
    return rgb


def _straight_display(frame: Frame, encoding: Encoding, transform: ViewTransform) -> np.ndarray:
    """The frame's color as Blender shows it."""
    if encoding == "display":
        return np.clip(np.nan_to_num(frame.rgb), 0, 1)
    if frame.alpha is None or frame.alpha.min() == frame.alpha.max() == 1:
        return transform.to_display(frame.rgb)
    alpha = frame.alpha[..., None]
    with np.errstate(over="ignore", invalid="ignore"):  # infinity is white, NaN becomes 0
        straight = np.divide(frame.rgb, alpha, out=frame.rgb.copy(), where=alpha > 0)
    return transform.to_display(straight)


def _must_be_in(kind: str, name: str, names: Iterable[str], path: str) -> None:
    names = list(names)  # OpenColorIO's iterators can be read once
    if name not in names:
        raise InputError(f"{path} has no {kind} '{name}'; it has: {', '.join(names)}.")


def _scene(linear: np.ndarray) -> np.ndarray:
    """Inverses reach below 0 for colors the view cannot show; light does not, and filters choke on it."""
    return np.maximum(_finite(linear), 0)


def _finite(values: np.ndarray, lowest: float | None = None) -> np.ndarray:
    """The values, NaN as 0 and infinity as half precision's largest. Nearly always they are finite: then no copy."""
    if np.isfinite(values).all():
        return values
    return np.nan_to_num(values, nan=0.0, posinf=65504.0, neginf=lowest)


def _threaded(processor: ocio.CPUProcessor, color: np.ndarray) -> np.ndarray:
    """Apply to a copy of Nx3 float32, split over the processors; OpenColorIO lets go of Python's lock."""
    result = np.array(color, np.float32, order="C")
    pieces = [result[start:start + CHUNK] for start in range(0, len(result), CHUNK)]
    if len(pieces) == 1:
        processor.applyRGB(result)
    elif pieces:
        with ThreadPoolExecutor(min(len(pieces), os.cpu_count() or 1)) as pool:
            list(pool.map(processor.applyRGB, pieces))
    return result
