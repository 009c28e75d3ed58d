# SPDX-License-Identifier: GPL-3.0-or-later
"""Every difference between the Python APIs of Blender 4.2 and 5.2 that StyleTX meets, and nothing else.

The rest of the add-on is written for one Blender: the newest. What is called differently, or is not there yet,
in an older one is asked for here.
"""

from __future__ import annotations

import contextlib
from typing import Any

import bpy

MODERN_COMPOSITOR: bool = bpy.app.version >= (5, 0, 0)
"""5.0 made the compositor's tree an ordinary node group and dropped the nodes that shaders have as well."""


RELATIVE_PATH: Any = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()
"""Options of a property whose path may begin in the .blend's folder ("//"): 4.5 and later show others in red then."""


# Trees


def compositor_tree(scene: bpy.types.Scene) -> Any | None:
    """The node tree of the scene's compositor, or None where the scene has none."""
    owner: Any = scene
    return owner.compositing_node_group if MODERN_COMPOSITOR else owner.node_tree


def nodes_in_use(scene: bpy.types.Scene) -> bool:
    """True where rendering the scene goes through its compositor tree ("Use Nodes", always on from 5.0)."""
    return compositor_tree(scene) is not None and (MODERN_COMPOSITOR or bool(scene.use_nodes))


def new_compositor_tree(scene: bpy.types.Scene) -> Any:
    """Give a scene without a compositor tree one that holds Render Layers linked to the output, and return it."""
    owner: Any = scene
    if MODERN_COMPOSITOR:
        tree = new_compositor_group("Compositor Nodes")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        owner.compositing_node_group = tree
        output = tree.nodes.new("NodeGroupOutput")
    else:
        owner.use_nodes = True  # where Blender has an interface the new tree is not empty
        tree = owner.node_tree
        tree.nodes.clear()
        output = tree.nodes.new("CompositorNodeComposite")
    layers = tree.nodes.new("CompositorNodeRLayers")
    layers.scene = scene
    layers.location, output.location = (0, 300), (800, 300)
    tree.links.new(layers.outputs["Image"], output.inputs[0])
    return tree


def new_compositor_group(name: str) -> Any:
    """An empty node group of the compositor's kind."""
    groups: Any = bpy.data.node_groups  # the stubs know no kind of tree
    return groups.new(name, "CompositorNodeTree")


def use_nodes(scene: bpy.types.Scene) -> None:
    """Let rendering go through the scene's compositor tree."""
    if not MODERN_COMPOSITOR:
        scene.use_nodes = True


def without_compositor(scene: bpy.types.Scene) -> None:
    """Let a scene that is ours alone render without its compositor and sequencer."""
    scene.render.use_compositing = False
    scene.render.use_sequencer = False


# Nodes


def new_mix(tree: Any, blend: str = "MIX", clamp: bool = False) -> tuple[Any, Any, Any, Any]:
    """A node that blends two colors, alpha of the first kept: its sockets (factor, first, second, result)."""
    if MODERN_COMPOSITOR:
        node = tree.nodes.new("ShaderNodeMix")
        node.data_type, node.blend_type, node.clamp_result = "RGBA", blend, clamp
        return node.inputs[0], node.inputs[6], node.inputs[7], node.outputs[2]
    node = tree.nodes.new("CompositorNodeMixRGB")
    node.blend_type, node.use_clamp = blend, clamp
    return node.inputs[0], node.inputs[1], node.inputs[2], node.outputs[0]


def new_math(tree: Any, operation: str) -> Any:
    """A node for arithmetic on two values."""
    node = tree.nodes.new("ShaderNodeMath" if MODERN_COMPOSITOR else "CompositorNodeMath")
    node.operation = operation
    return node


def new_gamma(tree: Any) -> Any:
    """A node that raises a color (input 0) to a power (input 1)."""
    return tree.nodes.new("ShaderNodeGamma" if MODERN_COMPOSITOR else "CompositorNodeGamma")


def new_set_alpha(tree: Any, multiply: bool) -> Any:
    """A node that takes its alpha from input 1: the color multiplied by it too, or left alone."""
    node = tree.nodes.new("CompositorNodeSetAlpha")
    if MODERN_COMPOSITOR:
        node.inputs["Type"].default_value = "Apply Mask" if multiply else "Replace Alpha"
    else:
        node.mode = "APPLY" if multiply else "REPLACE_ALPHA"
    return node


def to_straight(node: Any) -> None:
    """Set an Alpha Convert node to give straight color."""
    if MODERN_COMPOSITOR:
        node.inputs["Type"].default_value = "To Straight"
    else:
        node.mapping = "PREMUL_TO_STRAIGHT"


# Scenes


def multilayer_exr(settings: bpy.types.ImageFormatSettings) -> None:
    """Set an output to multilayer OpenEXR, 32 bit: results at strength 0 then equal the render bit for bit."""
    if hasattr(settings, "media_type"):  # 5.0: decides which formats may be chosen
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth = "32"
    settings.exr_codec = "ZIP"
    if hasattr(settings, "color_management"):
        settings.color_management = "FOLLOW_SCENE"


def working_space_is_rec709() -> bool:
    """From 5.0 a file may choose another scene-linear space than the linear Rec.709 of all before."""
    space = getattr(bpy.data, "colorspace", None)
    return space is None or space.working_space == "Linear Rec.709"


def has_white_balance(view: bpy.types.ColorManagedViewSettings) -> bool:
    """4.3 brought white balance to the view settings."""
    return bool(getattr(view, "use_white_balance", False))


def literal_path(path: str) -> str:
    """An output path that is taken as it stands: from 5.0 braces are templates."""
    return path.replace("{", "{{").replace("}", "}}") if bpy.app.version >= (5, 0, 0) else path


# Animation


def action_curves(animation: bpy.types.AnimData | None) -> list[Any]:
    """The F-curves of an ID's action: those of its slot where actions have slots (4.4 and later)."""
    if animation is None or animation.action is None:
        return []
    action: Any = animation.action
    if not hasattr(action, "layers") or not hasattr(animation, "action_slot"):
        return list(action.fcurves)
    slot = animation.action_slot
    curves: list[Any] = []
    if slot is not None:
        for layer in action.layers:
            for strip in layer.strips:
                bag = strip.channelbag(slot)
                curves += list(bag.fcurves) if bag else []
    return curves


def all_curves(action: bpy.types.Action) -> list[Any]:
    """The F-curves of an action, whatever they move."""
    whole: Any = action
    if not hasattr(whole, "layers"):
        return list(whole.fcurves)
    bags = [bag for layer in whole.layers for strip in layer.strips for bag in strip.channelbags]
    return [curve for bag in bags for curve in bag.fcurves]


def own_action(animation: bpy.types.AnimData | None) -> Any | None:
    """Give an ID that shares its action a copy of its own, and return that; None where it has no action."""
    if animation is None or animation.action is None:
        return None
    owner: Any = animation
    slot = getattr(owner, "action_slot", None)
    action: Any = owner.action.copy()
    owner.action = action
    if slot is not None and owner.action_slot is None:
        owner.action_slot = next((found for found in action.slots if found.handle == slot.handle), None)
    return action


def curve_owner(animation: bpy.types.AnimData, curve: Any) -> Any:
    """The collection that an F-curve of an ID's action is in: new ones are made there, old ones removed."""
    action: Any = animation.action
    if not hasattr(action, "layers") or not hasattr(animation, "action_slot"):
        return action.fcurves
    bags = [strip.channelbag(animation.action_slot) for layer in action.layers for strip in layer.strips]
    return next(bag.fcurves for bag in bags if bag and curve in list(bag.fcurves))


# Sequencer


def sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene that the sequencer shows: from 5.0 a workspace may choose another one than the window's."""
    chosen: bpy.types.Scene | None = getattr(context.workspace, "sequencer_scene", None)
    return context.scene if chosen is None else chosen


def shown_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene whose settings the editor under the mouse shows."""
    in_sequencer = context.area is not None and context.area.type == "SEQUENCE_EDITOR"
    return sequencer_scene(context) if in_sequencer else context.scene


def within_sequencer(scene: bpy.types.Scene) -> contextlib.AbstractContextManager[Any]:
    """Where modifiers of strips can be added and removed: 5.0 dies of it where no sequencer shows a scene."""
    if hasattr(bpy.context, "sequencer_scene"):
        return bpy.context.temp_override(sequencer_scene=scene)
    return contextlib.nullcontext()


def strips(owner: Any) -> Any:
    """The strips at the top of a sequence editor, or in a meta strip: "sequences" before 4.4."""
    return owner.strips if hasattr(owner, "strips") else owner.sequences


def all_strips(editor: Any) -> Any:
    """The strips of a sequence editor, those in meta strips too."""
    return editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all


def strip_range(strip: Any) -> tuple[int, int]:
    """The first frame that shows a strip, and the one after the last: renamed in 5.2."""
    if hasattr(strip, "left_handle"):
        return int(strip.left_handle), int(strip.right_handle)
    return int(strip.frame_final_start), int(strip.frame_final_end)


def set_strip_length(strip: Any, frames: int) -> None:
    """Have a strip end that many frames after its first."""
    setattr(strip, "duration" if hasattr(strip, "left_handle") else "frame_final_duration", frames)


def picture_files(settings: bpy.types.ImageFormatSettings, linear: bool, deep: bool) -> None:
    """Set an output to pictures with alpha: OpenEXR half where linear, else PNG of 8 bit, or of 16 where deep."""
    if hasattr(settings, "media_type"):  # 5.0
        settings.media_type = "IMAGE"
    settings.file_format = "OPEN_EXR" if linear else "PNG"
    settings.color_mode = "RGBA"
    settings.color_depth = "16" if linear or deep else "8"
    if linear:
        settings.exr_codec = "ZIP"
    if hasattr(settings, "color_management"):
        settings.color_management = "FOLLOW_SCENE"
