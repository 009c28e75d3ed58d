# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of `blender FILE.blend --command styletx ...` in a real Blender, which no `bpy` module can do.

    python tests/addon/command_check.py CHROOT PYTHON

CHROOT and PYTHON as in window.py. Installs the zip in the tree, makes a file there, runs the commands, prints what they
said and exits with 1 where something is not as it should be.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from window import INSIDE, prepare, run, told

MAKE = f"""
import bpy
scene = bpy.context.scene
scene.render.engine, scene.cycles.samples, scene.cycles.device = "CYCLES", 2, "CPU"
scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 64, 48, 100
scene.cycles.use_denoising = False  # Debian builds Blender without the denoiser
scene.frame_start, scene.frame_end = 1, 3
scene.styletx.output = "//painted/"
scene.sequence_editor_create().sequences.new_image("still", "{INSIDE}/style.png", 1, 1)
bpy.ops.wm.save_as_mainfile(filepath="{INSIDE}/shot.blend")
scene.frame_end, scene.styletx.output = 30, "//long/"
bpy.ops.wm.save_as_mainfile(filepath="{INSIDE}/long.blend")
"""
KILL = """
$@ & pid=$!
for _ in $(seq 1200); do ls long/Scene/painted/frame_0002.exr 2>/dev/null && break; sleep 0.1; done
kill -9 $pid
sleep 21  # until the job counts as one of a Blender that is gone
"""
"""Runs a command until the second frame is painted."""
SEE = "import bpy; s = bpy.context.scene; print('SEEN', s.styletx.result_last, s.styletx.strength, s.use_nodes)"


def main(chroot: Path, python: Path) -> int:
    here = prepare(chroot)
    (here / "make.py").write_text(MAKE, "utf-8")
    (here / "kill.sh").write_text(KILL, "utf-8")
    given = f"--style {INSIDE}/style.png --worker {python.absolute()}"
    paint = f"blender shot.blend --command styletx render {given}"
    commands = [
        "blender -b --command styletx --help",
        f"{paint} --strength 0.5 --device cpu --save",
        f'blender -b shot.blend --python-expr "{SEE}"',
        f"blender shot.blend --command styletx frame --frame 2 --worker {python.absolute()}",
        "blender shot.blend --command styletx render --style /nowhere.png",
        "blender shot.blend --command styletx render --strength much",
        "blender shot.blend --command styletx render --scene Other",
        "blender shot.blend --command styletx resume",
        "blender shot.blend --command styletx test",
        f"blender shot.blend --command styletx strips --strip still {given} --size 0.5 --keep-colors luminance",
        f"bash kill.sh blender long.blend --command styletx render {given}",
        f"blender long.blend --command styletx resume --worker {python.absolute()}",
    ]
    lines = ["blender -b --python make.py"]
    for number, command in enumerate(commands):
        lines.append(f"{command} >out{number}.txt 2>&1; echo $? >rc{number}.txt")
    log = run(chroot, python, lines)
    if not (here / "shot.blend").is_file():
        print(log[-3000:])
        return told({"the file was made": False})
    outs = [(here / f"out{number}.txt").read_text(errors="replace") for number in range(len(commands))]
    codes = [int((here / f"rc{number}.txt").read_text()) for number in range(len(commands))]
    for command, code, out in zip(commands, codes, outs, strict=True):
        said = "\n".join(line for line in out.splitlines() if "Fra:" not in line)
        print(f"$ {command}   -> {code}\n{said}\n")
    checks = {
        "help names the commands": codes[0] == 0 and all(word in outs[0] for word in ("render", "strips", "resume")),
        "a render is painted": codes[1] == 0 and "Painted 3 frames" in outs[1],
        "progress is told": "StyleTX: Rendering frame 2" in outs[1],
        "the file is saved with the result": "SEEN 3 0.5 True" in outs[2],
        "a frame is painted": codes[3] == 0 and "Painted 1 frame" in outs[3],
        "the frames are there": len(list((here / "painted" / "Scene" / "painted").glob("frame_*.exr"))) == 3,
        "no style: bad input": codes[4] == 2 and "/nowhere.png" in outs[4],
        "no number: bad input": codes[5] == 2 and "--strength" in outs[5],
        "no scene: bad input": codes[6] == 2 and "Other" in outs[6],
        "nothing to resume: bad input": codes[7] == 2 and "interrupted" in outs[7],
        "a worker without PyTorch fails its test": codes[8] == 1 and "cannot import" in outs[8],
        "a strip is painted": codes[9] == 0 and "Painted 1 frame" in outs[9] and ": still" in outs[9],
        "a render is killed": "Painted 30" not in outs[10] and "frame_0002.exr" in outs[10],
        "and goes on": codes[11] == 0 and "Painted 30 frames" in outs[11] and "Rendering frame 1 " not in outs[11],
        "no traceback": not any("Traceback" in out for out in outs),
    }
    return told(checks)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2])))
