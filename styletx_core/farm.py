# SPDX-License-Identifier: GPL-3.0-or-later
"""A job as a template for render farms: Open Job Description, 2023-09 (https://github.com/OpenJobDescription).

Each task makes a chunk of the shot's frames with `styletx run`. A chunk's frames are those of the whole job, bit for
bit on one kind of machine: statistics are the whole shot's. Tasks share nothing but files, so a farm may run them in
any order, kill them and run them again. The precision is written down, as each worker would choose by its own device.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from styletx_core import keyed
from styletx_core.errors import InputError
from styletx_core.files import atomic_path
from styletx_core.job import Job
from styletx_core.memory import estimate
from styletx_core.registry import method_info
from styletx_core.results import absolute
from styletx_core.shot import Shot, open_shot
from styletx_core.temporal import EVERY, pieces

CHUNK = 1 + 4 * EVERY  # frames a task
MOST_TASKS = 1024  # that a template may list
_FOUND, _MADE = {"dataFlow": "IN"}, {"dataFlow": "OUT"}


def write_bundle(job: Job, directory: str | Path, frames: int = CHUNK) -> int:
    """Write what a farm takes into a directory; returns how many tasks there are.

    template.json has tasks of up to ``frames`` frames, and the paths are its parameters: parameters.json has them for
    `openjd run`, parameter_values.json for AWS Deadline Cloud. Raises InputError for a job that cannot be run.
    """
    made, paths = template(job, frames)
    listed = {"parameterValues": [{"name": name, "value": path} for name, path in paths.items()]}
    for name, content in (("template", made), ("parameters", paths), ("parameter_values", listed)):
        with atomic_path(Path(directory) / f"{name}.json") as aside:
            aside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return len(made["steps"][0]["parameterSpace"]["taskParameterDefinitions"][0]["range"])


def template(job: Job, frames: int = CHUNK) -> tuple[dict[str, Any], dict[str, str]]:
    """The template as plain values, and its parameters for this job's files."""
    job.validate()
    job = absolute(job)
    if job.settings.precision == "auto":
        job = replace(job, settings=replace(job.settings, precision="float32"))
    with open_shot(job.input.path, job.input.frames, job.input.layer, job.input.camera) as shot:
        chunks = _chunks(shot.numbers, frames)
        needs = _needs(job, shot)
    if len(chunks) > MOST_TASKS:
        raise InputError(
            f"The shot would be cut into {len(chunks)} tasks, but a template lists {MOST_TASKS} at most; give more"
            " frames a task (--chunk-frames)."
        )
    parameters, settings, paths = _paths(job)
    run = ["run", "{{Task.File.Job}}", "--progress", "openjd", *settings]
    steps: list[dict[str, Any]] = [
        {
            "name": "Stylize",
            "hostRequirements": {"amounts": [{"name": f"amount.worker.{name}", "min": n} for name, n in needs.items()]},
            "parameterSpace": {
                "taskParameterDefinitions": [
                    {"name": "First", "type": "INT", "range": [chunk[0] for chunk in chunks]},
                    {"name": "Last", "type": "INT", "range": [chunk[-1] for chunk in chunks]},
                ],
                "combination": "(First, Last)",
            },
            "script": _script(job, [*run, "--set", "input.chunk=[{{Task.Param.First}}, {{Task.Param.Last}}]"]),
        }
    ]
    if job.output.movie:
        steps.append({"name": "Movie", "dependencies": [{"dependsOn": "Stylize"}], "script": _script(job, run)})
    command = {"name": "StyleTX", "type": "STRING", "default": "styletx", "description": "The command on the workers."}
    made = {
        "specificationVersion": "jobtemplate-2023-09",
        "name": f"StyleTX {PurePath(job.input.path).stem}"[:100],
        "parameterDefinitions": [command, *parameters],
        "steps": steps,
    }
    return made, paths


def _needs(job: Job, shot: Shot) -> dict[str, int]:
    """What a worker has to have: memory in MiB, and a graphics card where the job is for one."""
    settings = job.settings
    # "auto" is either, so that it takes the larger memory
    devices = ("cpu", "cuda") if settings.device == "auto" else (settings.device,)
    found = [
        estimate(
            shot.width,
            shot.height,
            settings.method,
            settings.tile,
            device,
            len(shot.numbers) > 1,
            min(keyed.values(settings.size)),
            settings.precision,
        )
        for device in devices
    ]
    needs = {"memory": max(-(-memory.host // 2**20) for memory in found)}
    if settings.device.startswith("cuda"):
        needs |= {"gpu": 1, "gpu.memory": -(-found[0].device // 2**20)}
    return needs


def _chunks(numbers: list[int], most: int) -> list[list[int]]:
    """The frames of each task. Where there may be enough of them they are whole pieces, which depend on no others."""
    chunks: list[list[int]] = []
    for piece in pieces(numbers):
        own = list(piece.own)
        if chunks and len(chunks[-1]) + len(own) <= most:
            chunks[-1] += own
        else:
            chunks += [own[i : i + most] for i in range(0, len(own), most)]
    return chunks


def _script(job: Job, arguments: list[str]) -> dict[str, Any]:
    data = json.dumps(replace(job, input=replace(job.input, chunk=None)).to_dict(), indent=2)
    return {
        "embeddedFiles": [{"name": "Job", "type": "TEXT", "filename": "job.json", "data": data + "\n"}],
        "actions": {"onRun": {"command": "{{Param.StyleTX}}", "args": arguments}},
    }


def _paths(job: Job) -> tuple[list[dict[str, Any]], list[str], dict[str, str]]:
    """Parameters for what the job reads and writes, so that farms can find it and move it; how tasks take them; values.

    A template may have no default for a path outside its own directory.
    """
    parameters: list[dict[str, Any]] = []
    settings: list[str] = []
    values: dict[str, str] = {}

    def add(name: str, field: str, path: str | None, kind: str, flow: dict[str, str], rest: str = "") -> None:
        if path is not None and "://" not in path:
            parameters.append({"name": name, "type": "PATH", "objectType": kind, **flow})
            values[name] = path
            settings.extend(["--set", f"{field}={{{{Param.{name}}}}}{rest}"])

    def find(name: str, field: str, path: str | None) -> None:
        """A picture, a directory of frames, a movie or a pattern, of which only the directory can be moved."""
        given = Path(path) if path is not None else None
        if given is None or given.exists():
            add(name, field, path, "DIRECTORY" if given is not None and given.is_dir() else "FILE", _FOUND)
        else:
            add(name, field, str(given.parent), "DIRECTORY", _FOUND, f"/{given.name}")

    find("Input", "input.path", job.input.path)
    add("Camera", "input.camera", job.input.camera, "FILE", _FOUND)
    for number, style in enumerate(job.styles):
        if method_info(job.settings.method).styles == "any":  # else it is a name
            add(f"Style{number + 1}", f"styles.{number}.path", style.path, "FILE", _FOUND)
        if style.region is not None:
            find(f"Mask{number + 1}", f"styles.{number}.region.mask", style.region.mask)
    add("Weights", "settings.weights", job.settings.weights, "FILE", _FOUND)
    add("ColorConfig", "view.ocio", job.view.ocio, "FILE", _FOUND)
    add("Output", "output.directory", job.output.directory, "DIRECTORY", _MADE)
    add("Movie", "output.movie", job.output.movie, "FILE", _MADE)
    return parameters, settings, values
