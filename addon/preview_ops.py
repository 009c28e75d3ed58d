# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that show something in an image editor: a preview, a painted still, the painted frames."""

from __future__ import annotations

import bpy

from styletx_core.errors import InputError

from . import preview, run
from .mixins import Result, register_classes_factory
from .operators import Paint
from .properties import state_of
from .style_ops import OnImage, shown_file, shown_image


class _Shown(Paint):
    """Ends with the preview in an image editor."""

    def end(self) -> Result:
        result = super().end()
        if preview.preview() is not None and self._run.finished is not None:
            found = preview.open_editor(bpy.context)
            if found is not None:
                found[1].spaces.active.image = preview.preview()
        return result


class STYLETX_OT_preview_frame(_Shown, bpy.types.Operator):
    bl_idname = "styletx.preview_frame"
    bl_label = "Preview Frame"
    bl_description = "Render and paint the current frame in a small size, and show it in an Image Editor"
    bl_options = {"UNDO"}

    def make(self, context: bpy.types.Context) -> run.Run:
        return preview.PreviewRun(context.scene, context.scene.frame_current, self._windowed)


class STYLETX_OT_stylize_image(OnImage, _Shown, bpy.types.Operator):
    bl_idname = "styletx.stylize_image"
    bl_label = "Stylize Image"
    bl_description = "Paint the picture that the editor shows, a render's result too; the picture itself stays"
    bl_options = {"UNDO"}

    def make(self, context: bpy.types.Context) -> run.Run:
        return preview.PictureRun(context.scene, self._windowed, shown_image(context), shown_file(context))


class STYLETX_OT_play_result(bpy.types.Operator):
    bl_idname = "styletx.play_result"
    bl_label = "Play Painted Frames"
    bl_description = "Show the painted frames in an Image Editor, and play them with the timeline"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.scene is None or not state_of(context.scene).result_path:
            cls.poll_message_set("There are no painted frames yet")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Result:
        try:
            preview.play(context)
        except InputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if not bpy.app.background and not context.screen.is_animation_playing:
            bpy.ops.screen.animation_play()
        return {"FINISHED"}


_CLASSES = (STYLETX_OT_preview_frame, STYLETX_OT_stylize_image, STYLETX_OT_play_result)

_register_classes, _unregister_classes = register_classes_factory(_CLASSES)


def register() -> None:
    _register_classes()


def unregister() -> None:
    _unregister_classes()
    preview.forget()
