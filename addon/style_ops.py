# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators on styles: into the library and out of it, into the blend and out of it, folders of the preferences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, StringProperty

from styletx_core.errors import InputError

from . import compat, image_files, keyed, library, run, texts
from .mixins import OperatorMixin, Result, register_classes_factory
from .preferences import preferences
from .properties import active_style, state_of

EXTENSIONS = "*.png;*.jpg;*.jpeg;*.tif;*.tiff;*.exr;*.webp;*.bmp;*.tga;*.jp2;*.hdr"


def shown_image(context: bpy.types.Context) -> Any:
    """The picture that the image editor shows; None in any other editor."""
    return getattr(context.space_data, "image", None)


def shown_file(context: bpy.types.Context) -> str:
    """The file of the frame that the image editor shows of a sequence; "" where it shows none."""
    space: Any = context.space_data
    return image_files.frame_file(space.image, space.image_user)


class InScene(OperatorMixin):
    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.scene is not None


class OnImage(OperatorMixin):
    """Works on the picture that the image editor shows."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if shown_image(context) is None:
            cls.poll_message_set("Open a picture in this editor")
            return False
        return super().poll(context)


class STYLETX_OT_add_style(bpy.types.Operator):
    bl_idname = "styletx.add_style"
    bl_label = "Add to Library"
    bl_description = "Put copies of picture files among your own styles, and choose the last one"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(  # type: ignore[valid-type]
        name="File", description="The picture file", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )
    directory: StringProperty(  # type: ignore[valid-type]
        name="Folder", description="Where the picture files are", subtype="DIR_PATH", options={"SKIP_SAVE"}
    )
    files: CollectionProperty(  # type: ignore[valid-type]
        type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"}
    )
    filter_glob: StringProperty(default=EXTENSIONS, options={"HIDDEN"})  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> Result:
        paths = [Path(self.directory) / file.name for file in self.files if file.name] or [Path(self.filepath)]
        return _added(self, context, paths)


class STYLETX_OT_keep_style(bpy.types.Operator):
    bl_idname = "styletx.keep_style"
    bl_label = "Keep in Library"
    bl_description = "Put a copy of the chosen picture among your own styles"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        style = active_style(state_of(compat.shown_scene(context)))
        return style is not None and bool(style.path)

    def execute(self, context: bpy.types.Context) -> Result:
        style = active_style(state_of(compat.shown_scene(context)))
        return {"CANCELLED"} if style is None else _added(self, context, [library.find(style.path)])


class STYLETX_OT_add_image_style(OnImage, InScene, bpy.types.Operator):
    bl_idname = "styletx.add_image_style"
    bl_label = "Use as Style"
    bl_description = "Put the picture that the editor shows among your own styles, and choose it"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> Result:
        try:
            path = library.add_image(shown_image(context), context.scene, file=shown_file(context))
        except InputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return _choose(self, context, path)


class STYLETX_OT_remove_style(bpy.types.Operator):
    bl_idname = "styletx.remove_style"
    bl_label = "Remove from Library"
    bl_description = "Delete the chosen picture from your own styles"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        style = active_style(state_of(compat.shown_scene(context)))
        if style is None or not library.is_own(str(library.find(style.path))):
            cls.poll_message_set("Only styles of your own can be removed")
            return False
        return run.current is None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> Result:
        style = active_style(state_of(compat.shown_scene(context)))
        if style is None:
            return {"CANCELLED"}
        path = library.find(style.path)
        try:
            library.remove(path)
        except InputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        style.path = ""
        self.report({"INFO"}, texts.report("Removed {name}", name=path.name))
        return {"FINISHED"}


class STYLETX_OT_add_blend(InScene, bpy.types.Operator):
    bl_idname = "styletx.add_blend"
    bl_label = "Add Style"
    bl_description = "Blend one more style in: up to four, each with a weight"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        if len(state_of(compat.shown_scene(context)).styles) >= library.MOST:
            cls.poll_message_set(f"A blend has {library.MOST} styles at most")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Result:
        state = state_of(compat.shown_scene(context))
        if not state.styles:
            state.styles.add()  # the place of the one that is not chosen yet
        state.styles.add()
        state.active_style = len(state.styles) - 1
        return {"FINISHED"}


class STYLETX_OT_remove_blend(InScene, bpy.types.Operator):
    bl_idname = "styletx.remove_blend"
    bl_label = "Remove Style"
    bl_description = "Take a style out of the blend"
    bl_options = {"REGISTER", "UNDO"}

    index: IntProperty(  # type: ignore[valid-type]
        name="Number", description="Which one, from 0; -1: the active one", default=-1
    )

    def execute(self, context: bpy.types.Context) -> Result:
        state = state_of(compat.shown_scene(context))
        index = state.active_style if self.index < 0 else self.index
        if index >= len(state.styles):
            return {"CANCELLED"}
        state.styles.remove(index)
        keyed.take_out(compat.shown_scene(context), index)
        state.active_style = max(0, min(state.active_style, len(state.styles) - 1))
        return {"FINISHED"}


class STYLETX_OT_edit_folders(bpy.types.Operator):
    bl_idname = "styletx.edit_folders"
    bl_label = "Style Folder"
    bl_description = "Add a folder of pictures to the library, or take one out; its files stay"
    bl_options = {"INTERNAL"}

    remove: BoolProperty(options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]
    index: IntProperty(options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]
    directory: StringProperty(  # type: ignore[valid-type]
        name="Folder", description="A folder of picture files", subtype="DIR_PATH", options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        if self.remove:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> Result:
        folders = preferences().folders
        if not self.remove:
            if not Path(self.directory).is_dir():
                self.report({"ERROR"}, f"There is no folder '{self.directory}': choose another one.")
                return {"CANCELLED"}
            folders.add().path = self.directory
        elif self.index < len(folders):
            folders.remove(self.index)
        library.items.changed()
        context.preferences.is_dirty = True
        return {"FINISHED"}


def _added(operator: bpy.types.Operator, context: bpy.types.Context, paths: list[Path]) -> Result:
    path = None
    for source in paths:
        try:
            path = library.add(source)
        except InputError as error:
            operator.report({"ERROR"}, str(error))
            return {"CANCELLED"}
    return {"CANCELLED"} if path is None else _choose(operator, context, path)


def _choose(operator: bpy.types.Operator, context: bpy.types.Context, path: Path) -> Result:
    state = state_of(compat.shown_scene(context))
    (active_style(state) or state.styles.add()).path = str(path)
    operator.report({"INFO"}, texts.report("'{name}' is in the library of styles", name=path.stem))
    return {"FINISHED"}


_CLASSES = (
    STYLETX_OT_add_style,
    STYLETX_OT_keep_style,
    STYLETX_OT_add_image_style,
    STYLETX_OT_remove_style,
    STYLETX_OT_add_blend,
    STYLETX_OT_remove_blend,
    STYLETX_OT_edit_folders,
)

register, unregister = register_classes_factory(_CLASSES)
