# SPDX-License-Identifier: GPL-3.0-or-later
"""Regions: parts of the picture with styles of their own, told by objects, materials, masks or pictures.

Objects and materials are found by Cryptomatte, in the frames as they are rendered; masks of Blender are drawn to files,
frame by frame, in a scene of our own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, PointerProperty, StringProperty

from styletx_core.errors import InputError, WorkError

from . import compat, image_files, library
from .mixins import register_classes_factory
from .rendering import sentence
from .shots import TEMPORARY, resolution

KINDS = [
    ("OBJECT", "Object", "An object, by Cryptomatte: edges are exact", "OBJECT_DATA", 0),
    ("COLLECTION", "Collection", "All objects of a collection, by Cryptomatte", "OUTLINER_COLLECTION", 1),
    ("MATERIAL", "Material", "Whatever has a material, by Cryptomatte", "MATERIAL", 2),
    ("INDEX", "Object Index", "Objects with this pass index", "SORTSIZE", 3),
    ("MASK", "Mask", "A mask, animated too: white is inside", "MOD_MASK", 4),
    ("IMAGE", "Image", "A picture or an image sequence, stretched over the frame: white is inside", "IMAGE_DATA", 5),
]

UNSEEN = {"CAMERA", "LIGHT", "EMPTY", "SPEAKER", "ARMATURE", "LATTICE", "LIGHT_PROBE"}
"""Types of objects that no render shows; Cryptomatte does not know them."""


def renders(thing: bpy.types.Object) -> bool:
    """True for an object of a type that a render shows."""
    return thing.type not in UNSEEN


def _offered(self: Any, thing: bpy.types.Object) -> bool:
    return renders(thing)


class StyleTXRegion(bpy.types.PropertyGroup):
    """A part of the picture with a style of its own."""

    kind: EnumProperty(name="Region", description="What tells the part", items=KINDS, options=set())  # type: ignore[valid-type]
    object: PointerProperty(  # type: ignore[valid-type]
        name="Object", description="The object, as Cryptomatte knows it", type=bpy.types.Object, poll=_offered
    )
    collection: PointerProperty(  # type: ignore[valid-type]
        name="Collection", description="The collection whose objects are the part", type=bpy.types.Collection
    )
    material: PointerProperty(  # type: ignore[valid-type]
        name="Material", description="The material, as Cryptomatte knows it", type=bpy.types.Material
    )
    index: IntProperty(name="Index", description="Pass index of the objects", min=0, max=32767, options=set())  # type: ignore[valid-type]
    mask: PointerProperty(  # type: ignore[valid-type]
        name="Mask", description="The mask whose inside is the part", type=bpy.types.Mask
    )
    image: PointerProperty(  # type: ignore[valid-type]
        name="Image", description="The picture that is white where the part is", type=bpy.types.Image
    )
    invert: BoolProperty(name="Invert", description="Everywhere else instead", options=set())  # type: ignore[valid-type]
    style: StringProperty(  # type: ignore[valid-type]
        name="Style", description="The picture in whose style this part is painted", subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
    )  # fmt: skip


@dataclass(frozen=True)
class Drawing:
    """A mask that is to be drawn to files."""

    mask: str
    folder: Path


FIELDS = {"OBJECT": "object", "COLLECTION": "collection", "MATERIAL": "material", "MASK": "mask", "IMAGE": "image"}
"""Kind -> the property that holds the data-block."""


def title(region: Any) -> str:
    """What a region is called in a list."""
    if region.kind == "INDEX":
        name = f"Index {region.index}"
    else:
        data = getattr(region, FIELDS[region.kind])
        name = data.name if data is not None else "Nothing chosen"
    return f"All but {name}" if region.invert else name


def rendered(collection: bpy.types.Collection) -> list[bpy.types.Object]:
    """The objects of a collection that can be seen in a render; Cryptomatte knows of no others."""
    return [thing for thing in collection.all_objects if renders(thing) and not thing.hide_render]


def shown(scene: bpy.types.Scene, layer: str, data: list[Any]) -> list[Any]:
    """Of these data-blocks those that a render of the view layer can show: of an object there, or used by one.

    So instances count, those of collections, particles and geometry nodes; what is hidden in renders counts too, as
    that may be animated.
    """
    there: set[Any] = set(_objects(scene.view_layers[layer].layer_collection))
    below = scene.background_set
    while below is not None:
        there.update(below.objects)
        below = below.background_set
    if there.issuperset(data):
        return data
    everything: Any = bpy.data  # the type stubs of 4.2 want all arguments of this
    users = everything.user_map()
    return [thing for thing in data if _used(thing, there, users)]


def _objects(part: bpy.types.LayerCollection) -> Iterator[bpy.types.Object]:
    if not part.exclude:
        yield from part.collection.objects
    for child in part.children:
        yield from _objects(child)


def _used(data: Any, there: set[Any], users: Any) -> bool:
    """True where a data-block is one of those, or one of those uses it, however far up."""
    found, left = {data}, [data]
    while left:
        one = left.pop()
        if one in there:
            return True
        # all that is in a scene is used by it, which says nothing of what it shows
        more = {user for user in users.get(one, ()) if user.id_type != "SCENE"} - found
        found |= more
        left += more
    return False


def key(state: Any) -> list[Any]:
    """What regions are told by."""
    found: list[Any] = [state.elsewhere] if state.regions else []
    for region in state.regions:
        names: list[Any] = []
        if region.kind == "COLLECTION" and region.collection is not None:
            names = [thing.name for thing in rendered(region.collection)]
        found.append([title(region), region.kind, region.style, *names])
    return found


def gather(
    scene: bpy.types.Scene, state: Any, layer: str | None, folder: Path | None
) -> tuple[list[dict[str, Any]], list[Drawing]]:
    """The regions' styles as a job has them, and the masks to draw before. Raises InputError for what is missing.

    layer: the view layer that is rendered; None where frames are taken that are rendered already. folder: where masks
    and pictures that are not files are written to; None looks at the settings and writes nothing.
    """
    styles, drawings = [], []
    for region in state.regions:
        if not region.style.strip():
            raise InputError(f"The region '{title(region)}' has no style: choose one, or remove the region.")
        where: dict[str, Any] = {"invert": region.invert}
        if region.kind == "INDEX":
            where["index"] = region.index
        else:
            data = getattr(region, FIELDS[region.kind])
            if data is None:
                raise InputError(f"A region has no {region.kind.lower()}: choose one, or remove the region.")
            if region.kind == "COLLECTION" and not rendered(data):
                raise InputError(f"Nothing in the collection '{data.name}' of a region renders: choose another one.")
            if region.kind == "OBJECT" and not renders(data):
                raise InputError(f"The object '{data.name}' of a region is nothing that renders: choose another one.")
            things = rendered(data) if region.kind == "COLLECTION" else [data]
            if layer is not None and region.kind in ("OBJECT", "COLLECTION", "MATERIAL"):
                things = shown(scene, layer, things)
                if not things:
                    raise InputError(
                        f"The {region.kind.lower()} '{data.name}' of a region is not in the view layer '{layer}' that "
                        f"is painted: choose another one, or link it to the scene '{scene.name}'."
                    )
            file = _file(data) if region.kind == "IMAGE" else ""
            if folder is None:
                continue
            if region.kind == "MASK":
                drawing = Drawing(data.name, folder / bpy.path.clean_name(data.name))
                drawings.append(drawing)
                where["mask"] = str(drawing.folder)
            elif region.kind == "IMAGE":
                where["mask"] = file or _written(scene, data, folder)
            elif region.kind == "MATERIAL":
                where["material"] = [_literal(data.name)]
            else:
                where["object"] = [_literal(thing.name) for thing in things]
        styles.append({"path": library.for_method(state.method, region.style), "weight": 1.0, "region": where})
    return styles, drawings


def _literal(name: str) -> str:
    """A name in which nothing stands for other letters."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def _file(image: Any) -> str:
    """The file of a picture, or the pattern of a sequence; "" for what has no file of the engine's kinds.

    Raises InputError for a movie, and for a sequence whose files the engine cannot read one for each frame.
    """
    if image.source == "MOVIE":
        raise InputError(
            f"The image '{image.name}' of a region is a movie: choose an image sequence, with a file for each frame."
        )
    path = Path(bpy.path.abspath(image.filepath))
    usable = path.suffix.lower() in library.PICTURES and path.is_file() and not image.is_dirty and not image.packed_file
    if image.source == "SEQUENCE" and usable:
        match = re.fullmatch(r"(.*?)(\d+)(\D*)", path.stem)
        if match:
            return str(path.with_name(match[1] + "#" * len(match[2]) + match[3] + path.suffix))
    if image.source == "SEQUENCE":
        raise InputError(
            f"The image sequence '{image.name}' of a region cannot be read as masks: give PNG, JPEG, TIFF or EXR files "
            "with the frame's number in their names."
        )
    return str(path) if image.source == "FILE" and usable else ""


def _written(scene: bpy.types.Scene, image: Any, folder: Path) -> str:
    """The file that a picture without one is written to."""
    written = folder / f"{bpy.path.clean_name(image.name)}.png"
    image_files.save(image, scene, written, image_files.SEEN)
    return str(written)


def draw_masks(scene: str, mask: str, frames: list[int], folder: str) -> Iterator[int]:
    """Draw a mask to files, white inside, in the size of the scene's render; yields each frame when it is there.

    Raises WorkError when a frame could not be drawn.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    for path in place.glob("mask_*.png"):
        path.unlink()
    of, drawn = bpy.data.scenes[scene], bpy.data.masks[mask]
    stage = bpy.data.scenes.new(TEMPORARY)
    stage[TEMPORARY] = 1
    name = stage.name
    before = {image.name for image in bpy.data.images}
    try:
        stage.sequence_editor_create()
        # a mask strip begins with the mask's first frame, and shows nothing before
        begin = drawn.frame_start
        strip = compat.strips(stage.sequence_editor).new_mask("mask", drawn, 1, begin)
        compat.set_strip_length(strip, max(max(frames) - begin, 0) + 1)
        render, view = stage.render, stage.view_settings
        render.resolution_x, render.resolution_y = resolution(of)
        render.resolution_percentage = 100
        render.use_compositing, render.use_sequencer, render.dither_intensity = False, True, 0.0
        setattr(view, "view_transform", "Raw")  # noqa: B010 - Blender's types know the names of no config
        compat.picture_files(render.image_settings, linear=False, deep=False)
        for frame in frames:
            stage.frame_set(max(frame, begin))
            path = place / f"mask_{frame:04d}.png"
            render.filepath = compat.literal_path(str(path))
            try:
                with bpy.context.temp_override(scene=stage):
                    bpy.ops.render.render(write_still=True, scene=name)
            except RuntimeError as error:
                raise WorkError(f"The mask '{mask}' could not be drawn: {sentence(error)}") from None
            if not path.is_file():
                raise WorkError(f"The mask '{mask}' gave no picture at frame {frame}: see whether it can be rendered.")
            yield frame
    finally:
        bpy.data.scenes.remove(bpy.data.scenes[name])
        for image in list(bpy.data.images):
            if image.name not in before and image.type in {"RENDER_RESULT", "COMPOSITING"}:
                bpy.data.images.remove(image)


register, unregister = register_classes_factory((StyleTXRegion,))
