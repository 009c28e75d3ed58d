# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..perceptual.vgg import ALL_LAYERS
from .analysis import CLAIMS, TRAITS, VERSIONS
from .measures import MEASURES


def markdown(report: dict[str, Any]) -> str:
    """The whole report; plots are referred to by their names beside it."""
    parts = ["# Style analysis", _about(report), _group_tables(report), "![Measures](measures.png)",
             "![Spectra](spectrum.png)"]  # fmt: skip
    if "comparisons" in report:
        parts += [_claims(report), "![Effects](effects.png)", _effects(report)]
    if report["components"]:
        parts += [_components(report), "![Components](components.png)"]
    if report["clusters"]:
        parts += [_clusters(report), "![Clusters](clusters.png)"]
    parts.append(_pictures(report))
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _about(report: dict[str, Any]) -> str:
    words = "\n".join(f"- **{name.replace('_', ' ')}**: {text}" for name, text in MEASURES.items())
    return (
        f"{len(report['pictures'])} pictures of {report['side']}x{report['side']} pixels' area; gram matrices "
        f"F F^T / positions of VGG-19 {ALL_LAYERS[0]} to {ALL_LAYERS[-1]}.\n\n{words}"
    )


def _group_tables(report: dict[str, Any]) -> str:
    groups = report["groups"]
    rows = [[name, str(g["pictures"]), str(g["sources"]), *(f"{g['traits'][t]:.3f}" for t in TRAITS)]
            for name, g in groups.items()]  # fmt: skip
    text = table(["group", "pictures", "sources", "chroma", "blank", "contrast", "log sharpness", "log pixels"], rows)
    rows = [[measured.replace("_", " "), name, *(f"{g['as_is'][layer][measured]:.3f}" for layer in ALL_LAYERS)]
            for measured in MEASURES for name, g in groups.items()]  # fmt: skip
    return text + "\n\n" + table(["mean", "group", *ALL_LAYERS], rows)


def _claims(report: dict[str, Any]) -> str:
    rows = []
    for group, claims in report["claims"].items():
        for claim, found in claims.items():
            measured, sign = CLAIMS[claim]
            rows.append([group, claim, f"{measured} {'larger' if sign > 0 else 'smaller'}", f"**{found['answer']}**",
                         ", ".join(found["agree"]) or "none", ", ".join(found["against"]) or "none"])  # fmt: skip
    reference = list(report["groups"])[-1]
    return f"## Claims, beside {reference}\n\n" + table(
        ["group", "claim", "measure", "answer", "layers that agree", "layers that say the opposite"], rows
    )


def _effects(report: dict[str, Any]) -> str:
    rows = []
    for group, found in report["comparisons"].items():
        for version in VERSIONS:
            for measured in MEASURES:
                cells = []
                for effect in found[version][measured].values():
                    star = "" if effect["holm"] >= 0.05 else "*"
                    rest = "-" if effect["adjusted"] is None else f"{effect['adjusted']:+.2f}"
                    cells.append(f"{effect['delta']:+.2f}{star} ({effect['low']:+.2f}..{effect['high']:+.2f}; {rest})")
                rows.append([group, version.replace("_", " "), measured.replace("_", " "), *cells])
    legend = "Cliff's delta (95% interval; delta of what chroma, blank paper, contrast, sharpness and the file's size "
    legend += "do not explain); * corrected p < 0.05."
    return table(["group", "version", "measure", *ALL_LAYERS], rows) + "\n\n" + legend


def _components(report: dict[str, Any]) -> str:
    found = report["components"]
    names = found["components"]
    told = ", ".join(f"{name} {found['told_by_component'][name]:.0%}" for name in names)
    rows = [[layer, *(f"{found['answer'][layer][name]:.2f}" for name in names)] for layer in ALL_LAYERS]
    text = table(["layer", *names], rows)
    rows = [[name, *(f"{found['profile'][name][layer]:.2f}" for layer in ALL_LAYERS)] for name in names]
    return (
        f"## Components\n\n{found['pictures']} pictures, one component changed at a time. Which one was changed is "
        f"told from the five layers' gram distances alone in {found['told']:.0%} of the cases (chance "
        f"{1 / len(names):.0%}, p = {found['p']:.3f}): {told}. Shuffling the picture's tiles moves the grams by "
        f"{found['layout']:.2f} of what these changes do, for equal changes of pixels.\n\n"
        f"{text}\n\n{table(['component', *ALL_LAYERS], rows)}"
    )


def _clusters(report: dict[str, Any]) -> str:
    found = report["clusters"]
    text = "## Clusters\n\nAverage linkage on gram distances."
    if "nearest_agree" in found:
        even = 1 / len(set(found["groups"]))
        text += (f" The nearest neighbor of a picture is of its own group in {found['nearest_agree']:.0%} "
                 f"(mean of the groups; chance {even:.0%}, p = {found['p']:.3f}).")  # fmt: skip
    groups = list(dict.fromkeys(found["groups"]))
    rows = []
    for cluster in dict.fromkeys(found["clusters"]):
        members = [i for i, c in enumerate(found["clusters"]) if c == cluster]
        counts = [str(sum(found["groups"][i] == g for i in members)) for g in groups]
        shown = ", ".join(found["pictures"][i] for i in members[:4]) + (", ..." if len(members) > 4 else "")
        rows.append([str(cluster + 1), *counts, shown])
    return text + "\n\n" + table(["cluster", *groups, "pictures"], rows)


def _pictures(report: dict[str, Any]) -> str:
    """The first of the pictures, with their effective ranks and sparsity; all are in the JSON."""
    shown = report["pictures"][:40]
    rows = [[p["picture"], p["group"],
             *(f"{p['as_is'][layer]['rank']:.1f} / {p['as_is'][layer]['hoyer']:.2f} / {p['as_is'][layer]['dip']:.3f}"
               for layer in ALL_LAYERS)] for p in shown]  # fmt: skip
    more = len(report["pictures"]) - len(shown)
    text = "## Pictures\n\nEffective rank / Hoyer sparsity / dip.\n\n" + table(["picture", "group", *ALL_LAYERS], rows)
    return text + (f"\n\nAnd {more} more, in report.json." if more else "")
