"""How a chain letter went round: a picture, the same as a table, and a GraphML file for other programs."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET  # only writes; nothing is parsed
from collections.abc import Mapping
from typing import Any

from scanner.correlate import Outbreak, Walker, trace
from scanner.web import wording
from scanner.web.access import Visitor
from scanner.web.services import WebServices

# More people than this make a picture that nobody can read: the table and the file have them all.
MOST_DRAWN = 60
MOST_LISTED = 500
_COLUMN, _ROW, _RADIUS = 190, 34, 9
_GRAPHML = "http://graphml.graphdrawing.org/xmlns"
# What XML 1.0 cannot hold (section 2.2), however it is escaped.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def outbreak_of(services: WebServices, case_id: int) -> Outbreak | None:
    """The outbreak behind a case, where more than one mail or person belongs to it."""
    found = trace(services.store.outbreak(case_id), services.clock())
    return found if found is not None and len(found.walkers) > 2 else None


def names(services: WebServices, visitor: Visitor, found: Outbreak) -> dict[str, str]:
    """Fingerprint -> what is shown. Names of ours for the DPO only: a manager has no business with other managers' staff.

    Addresses outside are never kept, so that nobody can be named there.
    """
    known: Mapping[str, str] = {}
    if visitor.is_dpo:
        known = services.known_as(frozenset(walker.address for walker in found.walkers if not walker.outside))
    shown: dict[str, str] = {}
    numbers = {True: 0, False: 0}
    for walker in found.walkers:
        numbers[walker.outside] += 1
        plain = "Outside" if walker.outside else "Member"
        shown[walker.address] = known.get(walker.address) or f"{plain} {numbers[walker.outside]}"
    return shown


def outbreak_view(services: WebServices, visitor: Visitor, case_id: int) -> dict[str, Any] | None:
    """What the page of a case shows of it."""
    found = outbreak_of(services, case_id)
    if found is None:
        return None
    who = names(services, visitor, found)
    took_part = [walker for walker in found.walkers if walker.part != "only received"]
    before = wording.count_of(found.depth, "mail", "mails")
    further = wording.count_of(found.unsigned, "further copy", "further copies")
    sent_out = wording.count_of(found.leaving, "passing", "passings") if found.leaving else "None"
    return {
        "sentence": (
            f"First seen from {who[found.first]} on {wording.london(found.first_at)}. "
            f"{wording.count_of(len(took_part), 'person', 'people')} here took part, "
            f"{wording.count_of(len(found.walkers) - len(took_part), 'other', 'others')} only received it or wrote from outside. "
            f"It went {wording.count_of(found.hops, 'step', 'steps')} from where it was first seen"
            + (f"; a copy says that it came through {before} before. " if found.depth else ". ")
            + f"{sent_out} left the organisation."
            + (f" {further} of the same text showed no sign and is not judged." if found.unsigned == 1 else "")
            + (f" {further} of the same text showed no sign and are not judged." if found.unsigned > 1 else "")
        ),
        "growing": "It is still growing."
        if found.growing
        else f"The last passing was on {wording.london(found.last_at)}.",
        "picture": _picture(found, who),
        "steps": [
            {
                "from": who[step.sender],
                "to": who[step.recipient],
                "at": wording.london(step.at),
                "did": wording.SPREAD_ACTS[step.act],
                "leaves": step.leaves,
            }
            for step in found.steps[:MOST_LISTED]
        ],
        "more": max(0, len(found.steps) - MOST_LISTED),
    }


def _picture(found: Outbreak, who: Mapping[str, str]) -> dict[str, Any]:
    """Places of circles and lines: a column for each step away from the first sender."""
    # Those who took part first, then those at the ends, until the picture is full.
    ranked = sorted(found.walkers, key=lambda walker: walker.part == "only received")[:MOST_DRAWN]
    drawn: dict[int, list[Walker]] = {}
    for walker in ranked:
        drawn.setdefault(walker.hop, []).append(walker)
    places: dict[str, tuple[int, int]] = {}
    circles = []
    for column, hop in enumerate(sorted(drawn)):
        for row, walker in enumerate(drawn[hop]):
            x, y = 24 + column * _COLUMN, 24 + row * _ROW
            places[walker.address] = (x, y)
            name = who[walker.address]
            circles.append(
                {
                    "x": x,
                    "y": y,
                    "r": _RADIUS,
                    "kind": "outside" if walker.outside else walker.part.replace(" ", "-"),
                    "name": name if len(name) <= 22 else name[:21] + "…",
                    "title": f"{name}: {'outside' if walker.outside else walker.part}",
                }
            )
    lines = [
        {
            "x1": places[step.sender][0] + _RADIUS,
            "y1": places[step.sender][1],
            "x2": places[step.recipient][0] - _RADIUS,
            "y2": places[step.recipient][1],
            "leaves": step.leaves,
        }
        for step in found.steps
        if step.sender in places and step.recipient in places
    ]
    return {
        "width": max(1, len(drawn)) * _COLUMN + 24,
        "height": max(len(row) for row in drawn.values()) * _ROW + 24,
        "circles": circles,
        "lines": lines,
        "left_out": len(found.walkers) - len(ranked),
    }


def written(found: Outbreak, who: Mapping[str, str]) -> bytes:
    """The outbreak as GraphML: people are nodes with name, part and hop; passings are edges with time and act."""
    root = ET.Element("graphml", {"xmlns": _GRAPHML})
    keys: tuple[tuple[str, str, str], ...] = (
        ("name", "node", "string"), ("part", "node", "string"), ("outside", "node", "boolean"), ("hop", "node", "int"),
        ("at", "edge", "string"), ("act", "edge", "string"), ("leaves", "edge", "boolean"),
    )  # fmt: skip
    for name, about, kind in keys:
        ET.SubElement(root, "key", {"id": name, "for": about, "attr.name": name, "attr.type": kind})
    graph = ET.SubElement(root, "graph", {"id": "outbreak", "edgedefault": "directed"})
    number = {walker.address: f"n{position}" for position, walker in enumerate(found.walkers)}
    for walker in found.walkers:
        node = ET.SubElement(graph, "node", {"id": number[walker.address]})
        values = (
            ("name", _NO_XML.sub("\ufffd", who[walker.address])),
            ("part", "outside" if walker.outside else walker.part),
            ("outside", str(walker.outside).lower()),
            ("hop", str(walker.hop)),
        )
        for key, value in values:
            ET.SubElement(node, "data", {"key": key}).text = value
    for step in found.steps:
        ends = {"source": number[step.sender], "target": number[step.recipient]}
        edge = ET.SubElement(graph, "edge", ends)
        for key, value in (("at", step.at.isoformat()), ("act", step.act), ("leaves", str(step.leaves).lower())):
            ET.SubElement(edge, "data", {"key": key}).text = value
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))
