"""Mails under policy packs: the shipped rules and detectors, the cast of the rules' examples, one pack at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import detectors
from connectors.people_file import load_people
from scanner.directory import Directory
from scanner.evidence import FingerprintKey
from scanner.extract import Limits
from scanner.inspection import Instruments, Regime, inspect
from scanner.model import Envelope, Finding, Grant, People, Verdict
from scanner.policy import Policy, load_policy
from scanner.routing import load_routing
from scanner.rulebook import Rulebook, load_rulebook

RULES = Path(__file__).parent.parent / "rules"
SLUGS = ("base", "constellation", "cpps", "partnership", "treetops", "laat")
FIVE = SLUGS[1:]
# A file that needs its password to open: zip with AES-256, and zip with the old cipher. Invented bytes inside.
STRONG_ZIP = "group.zip"


@cache
def instruments() -> Instruments:
    return Instruments(detectors.load(), Limits(), FingerprintKey(1, b"k" * 32))


@cache
def rulebook() -> Rulebook:
    return load_rulebook(RULES)


@cache
def pack(slug: str) -> Policy:
    return load_policy(RULES, slug, rulebook())


@cache
def regime(slug: str) -> Regime:
    return Regime(rulebook(), pack(slug), load_routing(RULES))


@cache
def cast() -> People:
    return load_people(RULES / "examples.people.yml")


def example_file(rule: str, name: str) -> bytes:
    """The bytes of an attachment in a rule's examples."""
    found = rulebook().rule(rule)
    assert found is not None
    return next(
        item.data
        for example in found.examples
        for item in example.attachments
        if item.name == name and item.data is not None
    )


def judge(slug: str, envelope: Envelope, *grants: Grant, people: People | None = None) -> Verdict:
    who = people or cast()
    if grants:
        who = replace(who, grants=(*who.grants, *grants))
    return inspect(envelope, Directory(who), regime(slug), instruments())


def found(
    slug: str, envelope: Envelope, *grants: Grant, topic: str = "", people: People | None = None
) -> list[Finding]:
    """Findings that count: not excused; those in shadow are among them."""
    verdict = judge(slug, envelope, *grants, people=people)
    return [item for item in verdict.findings if not item.exempted_by and (not topic or item.topic == topic)]


def packs_that_find(envelope: Envelope, topic: str, *grants: Grant, among: Sequence[str] = SLUGS) -> set[str]:
    return {slug for slug in among if found(slug, envelope, *grants, topic=topic)}
