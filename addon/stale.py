# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a scene still is what its frames were rendered from.

Two witnesses, since neither sees everything. A handler hears of edits as they happen and marks the scene as changed;
it sees every kind of edit, but only while the add-on is on. A fingerprint of what the scene holds is compared when a
file is opened and before rendered frames are used again. Frames are used again only when both say so.

Moving through time, saving and rendering are no changes: values that are animated are told by their F-curves and
drivers, never by what they happen to be at the current frame.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import compat
from .properties import state_of
from .shots import is_temporary
from .wiring import is_ours

_SILENT = (bpy.types.Scene, bpy.types.Collection, bpy.types.WindowManager, bpy.types.Screen, bpy.types.WorkSpace,
           bpy.types.Brush, bpy.types.Text, bpy.types.CompositorNodeTree, bpy.types.Speaker, bpy.types.Sound)
"""IDs whose updates say nothing about the picture, or come with every selection and every scene that is added or
removed. What matters in scenes and collections is in the fingerprint."""

_VIEW_ONLY = ("show_", "select", "hide_viewport", "hide_select", "is_", "ui_", "tag", "lock_", "active",
              "use_fake_user", "matrix_", "texspace", "auto_texspace", "bl_", "name_full", "debug_", "preview_",
              "location_absolute", "width_hidden", "dimensions")
"""Beginnings of properties that change no render."""

_OUTPUT_ONLY = {"filepath", "use_overwrite", "use_placeholder", "use_lock_interface", "threads", "threads_mode",
                "use_compositing", "use_sequencer", "use_render_cache", "display_mode", "compositor_device",
                "compositor_precision", "compositor_denoise_device", "compositor_denoise_final_quality",
                "compositor_denoise_preview_quality", "fps", "fps_base", "use_file_extension", "use_motion_blur",
                "use_persistent_data", "use_border", "border_min_x", "border_min_y", "border_max_x", "border_max_y",
                "device", "use_auto_tile", "tile_size", "gpu_backend", "resolution_x", "resolution_y",
                "resolution_percentage", "gi_cache_info", "preview_pixel_size", "simplify_gpencil_onplay"}
"""Scene settings that our frames do not depend on, or that are told by the resolution below."""

_NOT_RENDERED = ("styletx.", "sequence_editor.")
"""Beginnings of what a scene's animation may move without changing our frames."""

_last_frame: dict[str, int] = {}
_known_graphs: set[int] = set()


def fingerprint(scene: bpy.types.Scene, layer: str) -> str:
    """A hash of everything found in a scene that its rendered frames depend on, whatever the current frame is."""
    digest = hashlib.sha256()
    for item in _content(scene, layer):
        digest.update(repr(item).encode("utf-8", "surrogateescape"))
        digest.update(b"\n")
    return digest.hexdigest()


def hear(scene: bpy.types.Scene) -> None:
    """Let the handler hear now of edits that Blender has not looked at yet (a script's last lines)."""
    if bpy.context.view_layer is not None and scene == bpy.context.scene:
        bpy.context.view_layer.update()


def _content(scene: bpy.types.Scene, layer: str) -> Iterator[Any]:
    render = scene.render
    yield layer, render.resolution_x * render.resolution_percentage, render.resolution_y * render.resolution_percentage
    yield [(m.frame, m.camera.name_full) for m in scene.timeline_markers if m.camera is not None]
    yield scene.camera.name_full if scene.camera else None
    moving = _animated_paths(scene)
    yield from _animation(scene)
    for part in ("render", "cycles", "eevee"):
        owner = getattr(scene, part, None)
        if owner is not None:
            yield part, _values(owner, moving, part + ".", _OUTPUT_ONLY)
    view_layer: Any = scene.view_layers.get(layer)
    if view_layer is not None:
        yield [(c.name, c.exclude, c.holdout, c.indirect_only) for c in _tree(view_layer.layer_collection)]
        yield view_layer.material_override and view_layer.material_override.name_full
    yield [(c.name_full, c.hide_render) for c in scene.collection.children_recursive]
    seen: dict[Any, None] = {scene.world: None} if scene.world else {}
    for thing in sorted(scene.objects, key=lambda o: o.name_full):
        yield from _object(thing)
        for data in (thing.data, *(slot.material for slot in thing.material_slots),
                     *(system.settings for system in thing.particle_systems)):
            if data is not None:
                seen[data] = None
        for modifier in thing.modifiers:
            group = getattr(modifier, "node_group", None)
            if group is not None:
                seen[group] = None
    for data in sorted(seen, key=lambda d: (type(d).__name__, d.name_full)):
        yield from _data(data)


def _tree(collection: Any) -> Iterator[Any]:
    yield collection
    for child in collection.children:
        yield from _tree(child)


def _object(thing: Any) -> Iterator[Any]:
    moving = _animated_paths(thing)
    yield thing.name_full, thing.type, thing.parent and thing.parent.name_full, thing.parent_bone
    yield _values(thing, moving, "", set())
    yield [tuple(row) for row in thing.matrix_parent_inverse]
    yield [slot.material and slot.material.name_full for slot in thing.material_slots]
    for modifier in thing.modifiers:
        path = f'modifiers["{bpy.utils.escape_identifier(modifier.name)}"].'
        yield modifier.type, _values(modifier, moving, path, {"execution_time", "persistent_uid"}), _customs(modifier)
    for constraint in thing.constraints:
        yield constraint.type, _values(constraint, moving, f'constraints["{constraint.name}"].',
                                       {"error_location", "error_rotation"})
    yield from _animation(thing)


def _data(data: Any) -> Iterator[Any]:
    """What a mesh, material, light, world, node tree and the like hold."""
    moving = _animated_paths(data)
    yield type(data).__name__, data.name_full, data.library and data.library.filepath
    # the angles of a camera follow from its lens, which may be animated
    yield _values(data, moving, "", {"angle", "angle_x", "angle_y", "lens_unit"})
    yield from _animation(data)
    if isinstance(data, bpy.types.Mesh) and data.shape_keys is None and not data.is_editmode:
        yield len(data.polygons), _digest(data.vertices, "co", 3)
    keys = getattr(data, "shape_keys", None)
    if keys is not None:
        moving = _animated_paths(keys)
        for block in keys.key_blocks:
            yield block.name, _values(block, moving, f'key_blocks["{block.name}"].', set())
            yield _digest(block.data, "co", 3)
        yield from _animation(keys)
    tree = data if isinstance(data, bpy.types.NodeTree) else getattr(data, "node_tree", None)
    if tree is not None:
        yield from _nodes(tree)
        if tree is not data:
            yield from _animation(tree)


def _nodes(tree: Any) -> Iterator[Any]:
    moving = _animated_paths(tree)
    for node in tree.nodes:
        path = f'nodes["{bpy.utils.escape_identifier(node.name)}"].'
        yield node.bl_idname, node.name, _values(node, moving, path, {"location", "width", "height", "color", "label"})
        image = getattr(node, "image", None)
        yield image and (image.name_full, image.filepath)
        for number, socket in enumerate(node.inputs):
            animated = f"{path}inputs[{number}].default_value" in moving
            if not animated and not socket.is_linked and hasattr(socket, "default_value"):
                yield number, _plain(socket.default_value)
        ramp = getattr(node, "color_ramp", None)
        if ramp is not None:
            yield [(e.position, tuple(e.color)) for e in ramp.elements]
        group = getattr(node, "node_tree", None)
        if group is not None and group is not tree:
            yield from _nodes(group)
    yield [(k.from_node.name, k.from_socket.identifier, k.to_node.name, k.to_socket.identifier) for k in tree.links]


def _animation(data: Any) -> Iterator[Any]:
    animation = data.animation_data
    if animation is None:
        return
    for curve in compat.action_curves(animation):
        if curve.data_path.startswith(_NOT_RENDERED):
            continue
        yield curve.data_path, curve.array_index, curve.extrapolation, curve.mute
        yield _digest(curve.keyframe_points, "co", 2)
        yield _digest(curve.keyframe_points, "handle_left", 2), _digest(curve.keyframe_points, "handle_right", 2)
        yield [point.interpolation for point in curve.keyframe_points]
    for curve in animation.drivers:
        if not curve.data_path.startswith(_NOT_RENDERED):
            yield curve.data_path, curve.array_index, curve.driver.type, curve.driver.expression
    for track in animation.nla_tracks:
        for strip in track.strips:
            yield track.mute, strip.frame_start, strip.frame_end, strip.scale, strip.action and strip.action.name_full


def _animated_paths(data: Any) -> set[str]:
    """RNA paths of an ID whose values follow the frame."""
    animation = getattr(data, "animation_data", None)
    if animation is None:
        return set()
    curves = [*compat.action_curves(animation), *animation.drivers]
    for track in animation.nla_tracks:
        curves += [c for strip in track.strips if strip.action for c in getattr(strip.action, "fcurves", ())]
    return {curve.data_path for curve in curves}


def _values(owner: Any, moving: set[str], path: str, leave: set[str]) -> list[Any]:
    """(name, value) of the plain properties of an RNA struct that can be set and are not animated."""
    found = []
    for prop in owner.bl_rna.properties:
        name = prop.identifier
        if prop.is_readonly or prop.type in {"POINTER", "COLLECTION"} or name in leave:
            continue
        if name.startswith(_VIEW_ONLY) and name != "show_render":
            continue
        if path + name in moving:
            continue
        found.append((name, _plain(getattr(owner, name))))
    return found


def _customs(owner: Any) -> list[Any]:
    """Custom properties, which hold the inputs of geometry nodes."""
    return [(key, _plain(owner[key])) for key in owner.keys()] if hasattr(owner, "keys") else []  # noqa: SIM118


def _plain(value: Any) -> Any:
    if isinstance(value, (bool, int, float, str)) or value is None:
        return value
    if isinstance(value, set):
        return sorted(value)
    if hasattr(value, "name_full"):
        return value.name_full
    try:
        return [_plain(item) for item in value]
    except TypeError:
        return type(value).__name__


def _digest(items: Any, name: str, width: int) -> str:
    """Hash of one float attribute over a whole collection."""
    import numpy as np

    values = np.empty(len(items) * width, np.float32)
    try:
        items.foreach_get(name, values)
    except (TypeError, AttributeError, RuntimeError):
        return str(len(items))
    return hashlib.sha256(values.tobytes()).hexdigest()


# Handlers


def _matters(update: Any, moved_in_time: bool) -> bool:
    """True for an update that may change the picture."""
    data = update.id.original
    if isinstance(data, _SILENT) or is_temporary(data):
        return False
    if isinstance(data, bpy.types.Image):
        return data.type not in {"RENDER_RESULT", "COMPOSITING"} and not is_ours(data)
    if isinstance(data, bpy.types.Object):
        # shading alone comes with every rebuild of the scene's relations; a real one comes with its material
        return not moved_in_time and (update.is_updated_transform or update.is_updated_geometry)
    if isinstance(data, bpy.types.Action):
        curves = compat.all_curves(data)
        ours = curves and all(curve.data_path.startswith(_NOT_RENDERED) for curve in curves)
        return not moved_in_time and not ours
    return not moved_in_time or update.is_updated_geometry


def _changed(updates: Iterable[Any], moved_in_time: bool) -> bool:
    return any(_matters(update, moved_in_time) for update in updates)


def _playing() -> bool:
    return any(window.screen.is_animation_playing for window in bpy.context.window_manager.windows)


@persistent
def on_update(scene: bpy.types.Scene, graph: bpy.types.Depsgraph) -> None:
    """Mark scenes with results as changed when something in view of the handler changed."""
    if is_temporary(scene):
        return
    moved = _last_frame.get(scene.name, scene.frame_current) != scene.frame_current
    _last_frame[scene.name] = scene.frame_current
    watched = [
        (other, state)
        for other in bpy.data.scenes
        if (state := state_of(other)).rendered and not state.changed and not is_temporary(other)
    ]
    if not watched:
        return
    if graph.as_pointer() not in _known_graphs:
        # a new window, view layer or file: everything in it is updated, so the updates say nothing
        _known_graphs.add(graph.as_pointer())
        certain = False
    elif _changed(graph.updates, moved):
        # who starts to play has all that is animated updated once, at the same frame, and that says nothing either
        certain = not _playing()
    else:
        return
    for other, state in watched:
        state.changed = certain or state.rendered != fingerprint(other, state.layer)


@persistent
def on_frame(scene: bpy.types.Scene, *_: object) -> None:
    """Remember the frame, so that the updates that follow are not taken for edits."""
    if not is_temporary(scene):
        _last_frame[scene.name] = scene.frame_current


@persistent
def on_load(*_: object) -> None:
    """Compare every scene of a file with what its frames were rendered from."""
    _last_frame.clear()
    _known_graphs.clear()
    for scene in bpy.data.scenes:
        _last_frame[scene.name] = scene.frame_current
        state = state_of(scene)
        if state.rendered and not state.changed and state.rendered != fingerprint(scene, state.layer):
            state.changed = True


def register() -> None:
    bpy.app.handlers.depsgraph_update_post.append(on_update)
    bpy.app.handlers.frame_change_post.append(on_frame)
    bpy.app.handlers.load_post.append(on_load)


def unregister() -> None:
    for handlers, handler in (
        (bpy.app.handlers.depsgraph_update_post, on_update),
        (bpy.app.handlers.frame_change_post, on_frame),
        (bpy.app.handlers.load_post, on_load),
    ):
        if handler in handlers:
            handlers.remove(handler)
