# SPDX-License-Identifier: GPL-3.0-or-later
"""The node group 'StyleTX': the stylized sequence in the place of the render, inside the scene's compositor.

Nodes cannot run Python for each pixel, so the results come back as an Image node that reads the sequence. The group
takes the render ("Original") and gives the stylized picture with the render's alpha; "Factor" mixes the two. On frames
that have no stylized picture it gives the original, by a driver on the frame number (a simple expression, which Blender
evaluates without running Python, so it works with scripts disabled).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

from styletx_core.errors import InputError

from . import compat
from .properties import state_of

NAME = "StyleTX"
TAG = "styletx"
"""Custom property that marks node group, viewer and picture as ours, whatever they are renamed to."""

INVERSE_SPACES = {"Standard": "sRGB", "AgX": "AgX Base sRGB", "Filmic": "Filmic sRGB"}
"""For each view of the display 'sRGB': the color space whose values are that view's, to read a picture back through."""
SCENE_LINEAR = "Linear Rec.709"
VIEWER = "CompositorNodeViewer"


@dataclass(frozen=True)
class Sequence:
    """A stylized sequence on disk: its first file, and the frames it has."""

    path: str
    first: int
    last: int
    step: int
    linear: bool
    """True for scene-linear EXR with premultiplied color, False for display-referred pictures with straight color."""


def check_display_output(scene: bpy.types.Scene) -> None:
    """Refuse (InputError) a view that Blender cannot undo when it reads a display-referred picture back."""
    view: Any = scene.view_settings
    display: str = scene.display_settings.display_device
    wrong = ""
    if display != "sRGB":
        wrong = f"the display '{display}'"
    elif view.view_transform not in INVERSE_SPACES:
        wrong = f"the view '{view.view_transform}'"
    elif view.look != "None":
        wrong = f"the look '{view.look}'"
    elif view.use_curve_mapping:
        wrong = "the curves of the view"
    elif compat.has_white_balance(view):
        wrong = "the white balance of the view"
    if wrong:
        raise InputError(
            f"PNG results cannot be shown right under {wrong} of this scene: choose EXR as the format, "
            "or reset that setting."
        )


def check(scene: bpy.types.Scene) -> None:
    """Refuse (InputError) a scene whose compositor cannot be given our group."""
    if scene.library is not None:
        raise InputError(f"The scene '{scene.name}' is linked from another file: open that file to paint it.")
    tree = compat.compositor_tree(scene)
    if tree is not None and tree.library is not None:
        raise InputError("The compositor's nodes are linked from another file: make them local to see the result.")


def source_layer(scene: bpy.types.Scene) -> str:
    """The view layer whose picture is stylized: the chosen one, or the one that the compositor shows, or the first."""
    tree = compat.compositor_tree(scene)
    used = [layer.name for layer in scene.view_layers if layer.use]
    chosen = state_of(scene).view_layer
    if chosen:
        if chosen not in used:
            raise InputError(f"The view layer '{chosen}' is not there or not rendered: choose another one.")
        return str(chosen)
    if tree is not None:
        for node in _render_layers(tree, scene):
            if node.layer in used and node.outputs["Image"].is_linked:
                return str(node.layer)
    if not used:
        raise InputError(f"Scene '{scene.name}' renders no view layer: switch on 'Use for Rendering' of one.")
    return str(used[0])


def wire(scene: bpy.types.Scene, layer: str, sequence: Sequence) -> list[str]:
    """Show a stylized sequence in the scene's compositor; returns notices for the user.

    Makes the group where there is none and uses it again where there is one. A tree that exists keeps its nodes: links
    from the view layer's picture go through the group from then on, and nothing else changes. A tree that only brings
    the render out, as a new one does, gets a viewer too: the editor's backdrop shows the paint at once.
    """
    notices: list[str] = []
    tree = compat.compositor_tree(scene)
    if tree is None:
        tree = compat.new_compositor_tree(scene)
    elif not compat.nodes_in_use(scene):
        compat.use_nodes(scene)
        if any(not _is_plain(node) for node in tree.nodes):
            notices.append("Use Nodes of the compositor was off and is on now: the tree's other nodes act as well.")
    node = _group_node(tree)
    new = node is None
    if node is None:
        node = tree.nodes.new("CompositorNodeGroup")
        node.name = node.label = NAME
        node.width = 160
        node.node_tree = _unused_group() or _new_group()
    elif _users(node.node_tree) > 1:
        # a copy of a scene shares the group with the first: each needs a sequence of its own
        node.node_tree = node.node_tree.copy()
    _fill(scene, node.node_tree, sequence)
    behind = next((link.from_node for link in node.inputs["Original"].links), None)
    if behind is not None and behind in _render_layers(tree, scene) and behind.layer != layer:
        _take_out(tree, node)
    if not (node.inputs["Original"].is_linked and node.outputs["Image"].is_linked):
        _insert(tree, scene, layer, node)
    if not node.outputs["Image"].is_linked:
        notices.append("The compositor does not use the render: link the node 'StyleTX' to where you want to see it.")
    elif new and all(_is_plain(one) and one.bl_idname != VIEWER for one in tree.nodes):
        _add_viewer(tree, node)
    if not scene.render.use_compositing:
        notices.append("Compositing is off in Output > Post Processing: switch it on to see the result in renders.")
    return notices


def unwire(scene: bpy.types.Scene) -> bool:
    """Take the group out again, its links back to the original; False where there was none."""
    tree = compat.compositor_tree(scene)
    node = _group_node(tree) if tree is not None else None
    if tree is None or node is None:
        return False
    _take_out(tree, node)
    group = node.node_tree
    tree.nodes.remove(node)
    for viewer in [one for one in tree.nodes if one.bl_idname == VIEWER and one.get(TAG)]:
        tree.nodes.remove(viewer)
    if not _users(group):
        picture = _image(group)
        bpy.data.node_groups.remove(group)
        if picture is not None and picture.users == 0:
            bpy.data.images.remove(picture)
    return True


def _take_out(tree: Any, node: Any) -> None:
    """Lead the links behind the group back to what is before it."""
    source = next((link.from_socket for link in node.inputs["Original"].links), None)
    for link in list(node.outputs["Image"].links):
        target = link.to_socket
        tree.links.remove(link)
        if source is not None:
            tree.links.new(source, target)
    for link in list(node.inputs["Original"].links):
        tree.links.remove(link)


def wired(scene: bpy.types.Scene) -> bool:
    """True where the scene's compositor has the group."""
    tree = compat.compositor_tree(scene)
    return tree is not None and _group_node(tree) is not None


def _render_layers(tree: Any, scene: bpy.types.Scene) -> list[Any]:
    return [node for node in tree.nodes if node.bl_idname == "CompositorNodeRLayers" and node.scene in (scene, None)]


def _is_plain(node: Any) -> bool:
    outputs = {"CompositorNodeComposite", "NodeGroupOutput", VIEWER}
    kinds = {"CompositorNodeRLayers", *outputs, "NodeReroute", "NodeFrame"}
    return node.bl_idname in kinds or (node.bl_idname == "CompositorNodeGroup" and is_ours(node.node_tree))


def is_ours(data: Any | None) -> bool:
    return data is not None and bool(data.get(TAG))


def _group_node(tree: Any) -> Any | None:
    return next((n for n in tree.nodes if n.bl_idname == "CompositorNodeGroup" and is_ours(n.node_tree)), None)


def _unused_group() -> Any | None:
    return next((g for g in bpy.data.node_groups if is_ours(g) and not _users(g) and g.library is None), None)


def _users(group: Any) -> int:
    """How many trees use a group. Its own `users` would not do: 4.2 miscounts where masks render.

    For pictures it does, and this would not: 5.2 lists the trees that use the group, too.
    """
    data: Any = bpy.data
    return len(data.user_map(subset={group})[group])


def _new_group() -> Any:
    group = compat.new_compositor_group(NAME)
    group[TAG] = 1
    group.interface.new_socket("Original", in_out="INPUT", socket_type="NodeSocketColor")
    factor = group.interface.new_socket("Factor", in_out="INPUT", socket_type="NodeSocketFloat")
    factor.subtype = "FACTOR"
    factor.default_value, factor.min_value, factor.max_value = 1.0, 0.0, 1.0
    group.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    return group


def _image(group: Any) -> Any | None:
    return next((n.image for n in group.nodes if n.bl_idname == "CompositorNodeImage"), None)


def _load(group: Any, sequence: Sequence) -> Any:
    """The picture data-block of the group, pointed at a sequence; its cached pixels are dropped."""
    picture = _image(group)
    if picture is None or picture.users > 1:
        picture = bpy.data.images.load(sequence.path, check_existing=False)
        picture.name = NAME
        picture[TAG] = 1
    picture.filepath = sequence.path
    picture.source = "SEQUENCE"
    picture.reload()
    return picture


def _fill(scene: bpy.types.Scene, group: Any, sequence: Sequence) -> None:
    """Lay out the inside of the group anew for a sequence and the scene's view."""
    picture = _load(group, sequence)
    if group.animation_data is not None:
        group.animation_data_clear()
    group.nodes.clear()
    nodes, links = group.nodes, group.links
    entry, leave = nodes.new("NodeGroupInput"), nodes.new("NodeGroupOutput")
    image = nodes.new("CompositorNodeImage")
    image.image = picture
    # scene frame f reads file f: Blender's rule is  file = clamp(f - start + 1, 1, duration) + offset
    image.frame_start, image.frame_offset = sequence.first, sequence.first - 1
    image.frame_duration = sequence.last - sequence.first + 1
    image.use_cyclic, image.use_auto_refresh = False, True
    stylized = _to_scene_linear(scene, group, entry.outputs["Original"], image, sequence.linear)

    alpha = nodes.new("CompositorNodeSeparateColor")
    links.new(entry.outputs["Original"], alpha.inputs[0])
    masked = compat.new_set_alpha(group, multiply=not sequence.linear)
    links.new(stylized, masked.inputs["Image"])
    links.new(alpha.outputs["Alpha"], masked.inputs["Alpha"])

    here = compat.new_math(group, "MULTIPLY")
    here.name = "Frame is stylized"
    links.new(entry.outputs["Factor"], here.inputs[0])
    driver = here.inputs[1].driver_add("default_value").driver
    driver.type = "SCRIPTED"
    first, last, step = sequence.first, sequence.last, sequence.step
    driver.expression = f"frame >= {first} and frame <= {last}"
    if step != 1:
        driver.expression += f" and floor((frame - {first}) / {step}) * {step} == frame - {first}"

    factor, below, above, mixed = compat.new_mix(group)
    links.new(here.outputs[0], factor)
    links.new(entry.outputs["Original"], below)
    links.new(masked.outputs[0], above)
    links.new(mixed, leave.inputs["Image"])
    for number, node in enumerate(nodes):
        node.location = (number % 8 * 220, -(number // 8) * 260)


def _to_scene_linear(scene: bpy.types.Scene, group: Any, original: Any, image: Any, linear: bool) -> Any:
    """Nodes that bring the sequence to scene-linear; returns the socket of the result.

    That is premultiplied for linear files, and straight and opaque for display-referred ones.
    """
    picture = image.image
    if linear:
        picture.colorspace_settings.name = SCENE_LINEAR
        picture.alpha_mode = "PREMUL"
        return image.outputs["Image"]
    view = scene.view_settings
    space = INVERSE_SPACES[view.view_transform]
    # straight color, alpha from the original: multiplied after the color is scene-linear, so soft edges stay right
    picture.alpha_mode = "NONE"
    picture.colorspace_settings.name = "Non-Color"
    display = image.outputs["Image"]
    if view.gamma != 1.0:
        # the display's gamma comes after the view transform, so it is undone before it
        display = _gamma(group, display, view.gamma)
    exposed = _view_inverse(group, display, space)
    painted = _exposure(group, exposed, -view.exposure)

    # Where the paint is what the view shows of the original anyway (no paint, strength 0), the original itself is
    # taken: no inverse of a view gives it back exactly, and none what is brighter than the display can show.
    straight = group.nodes.new("CompositorNodePremulKey")
    compat.to_straight(straight)
    group.links.new(original, straight.inputs["Image"])
    opaque = compat.new_set_alpha(group, multiply=False)
    opaque.inputs["Alpha"].default_value = 1.0
    group.links.new(straight.outputs["Image"], opaque.inputs["Image"])
    shown = _convert(group, _exposure(group, opaque.outputs["Image"], view.exposure), SCENE_LINEAR, space)
    parts = group.nodes.new("CompositorNodeSeparateColor")
    group.links.new(_blend(group, "DIFFERENCE", display, shown), parts.inputs[0])
    largest = parts.outputs[0]
    for part in parts.outputs[1:3]:
        either = compat.new_math(group, "MAXIMUM")
        group.links.new(largest, either.inputs[0])
        group.links.new(part, either.inputs[1])
        largest = either.outputs[0]
    same = compat.new_math(group, "MULTIPLY_ADD")
    same.use_clamp = True
    group.links.new(largest, same.inputs[0])
    same.inputs[1].default_value, same.inputs[2].default_value = -50.0, 1.0
    factor, first, second, mixed = compat.new_mix(group)
    group.links.new(same.outputs[0], factor)
    group.links.new(painted, first)
    group.links.new(opaque.outputs["Image"], second)
    return mixed


def _view_inverse(group: Any, display: Any, space: str) -> Any:
    """Scene-linear color that the view shows as `display`.

    Blender's inverse of AgX is off by up to 0.1; correcting what goes in by what comes out, three times, makes nearly
    all colors that AgX can show right. Those that it cannot show, of no scene-linear color at all, stay the nearest.
    """
    corrected = display
    for _ in range(3 if space == INVERSE_SPACES["AgX"] else 0):
        comes_out = _convert(group, _convert(group, corrected, space, SCENE_LINEAR), SCENE_LINEAR, space)
        lacking = _blend(group, "SUBTRACT", display, comes_out)
        corrected = _blend(group, "ADD", corrected, lacking, clamp=True)
    return _convert(group, corrected, space, SCENE_LINEAR)


def _convert(group: Any, socket: Any, source: str, target: str) -> Any:
    node = group.nodes.new("CompositorNodeConvertColorSpace")
    node.from_color_space, node.to_color_space = source, target
    group.links.new(socket, node.inputs[0])
    return node.outputs[0]


def _exposure(group: Any, socket: Any, stops: float) -> Any:
    if stops == 0.0:
        return socket
    node = group.nodes.new("CompositorNodeExposure")
    node.inputs["Exposure"].default_value = stops
    group.links.new(socket, node.inputs["Image"])
    return node.outputs["Image"]


def _gamma(group: Any, socket: Any, power: float) -> Any:
    node = compat.new_gamma(group)
    node.inputs[1].default_value = power
    group.links.new(socket, node.inputs[0])
    return node.outputs[0]


def _blend(group: Any, kind: str, one: Any, other: Any, clamp: bool = False) -> Any:
    factor, first, second, result = compat.new_mix(group, kind, clamp)
    factor.default_value = 1.0
    group.links.new(one, first)
    group.links.new(other, second)
    return result


def _insert(tree: Any, scene: bpy.types.Scene, layer: str, node: Any) -> None:
    """Put the group behind the view layer's picture: every link from there starts at the group from now on."""
    source = next((n for n in _render_layers(tree, scene) if n.layer == layer), None)
    if source is None:
        source = tree.nodes.new("CompositorNodeRLayers")
        source.scene, source.layer = scene, layer
    # above the way to the node that follows: nodes of the user's are not moved to make room
    node.location = (source.location.x + source.width + 40, source.location.y + 180)
    picture = source.outputs["Image"]
    targets = [link.to_socket for link in picture.links if link.to_node != node]
    for target in targets:
        tree.links.new(node.outputs["Image"], target)  # an input takes one link: the new one replaces the old
    tree.links.new(picture, node.inputs["Original"])


def _add_viewer(tree: Any, node: Any) -> None:
    """Let the backdrop show what comes out of the group."""
    viewer = tree.nodes.new(VIEWER)
    viewer[TAG] = 1
    viewer.location = (node.location.x + node.width + 200, node.location.y)
    tree.links.new(node.outputs["Image"], viewer.inputs["Image"])
