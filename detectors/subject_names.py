"""A pupil's full name in a subject line, sign-up mail of social networks, and a pupil's friend request among it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import ClassVar

from detectors.base import MessageDetector
from detectors.names import words
from detectors.relations import pupils_of
from scanner.directory import Directory
from scanner.model import Hit
from scanner.ports import Message

_NETWORKS = (
    "facebookmail.com", "facebook.com", "instagram.com", "mail.instagram.com", "x.com", "twitter.com", "tiktok.com", "snapchat.com",
    "linkedin.com", "pinterest.com", "reddit.com", "redditmail.com", "discord.com", "discordapp.com", "tumblr.com", "threads.net",
)  # fmt: skip
# What a network writes to the address an account was opened with (its own subject lines), not what it writes to anybody.
_OWN_ACCOUNT = re.compile(
    r"\b(?:confirm(?:ation)?|verif(?:y|ication)|welcome|activate|reset your password|password reset|security code|log-?in (?:code|alert)|"
    r"new (?:login|follower|friend request|message)|friend request|you have \d+ (?:new )?notifications?|finish (?:signing|setting) up)\b",
    re.IGNORECASE,
)
# What a network writes when somebody there seeks the reader's company; whoever it is stands before these words.
_REQUEST = re.compile(
    r"\b(?:sent you (?:a |an )?(?:friend request|follow request|connection request|(?:direct )?message|snap|invitation)"
    r"|(?:wants|would like|has asked|is asking) to (?:be (?:your )?friends?|follow you|connect|chat|add you|message you)"
    r"|(?:added|started following|is (?:now )?following|has followed|followed|messaged|invited|tagged|mentioned) you"
    r"|(?:friend|follow|message) request from)\b",
    re.IGNORECASE,
)
_NAME_BEFORE = 60


class SubjectNames(MessageDetector):
    """The subject line holds the first name and surname of a pupil whom the records know."""

    labels: ClassVar[tuple[str, ...]] = ("child_in_subject",)

    def __init__(self) -> None:
        self._indexed: Directory | None = None
        self._pupils: dict[str, set[tuple[str, ...]]] = {}

    def detect(self, message: Message) -> Iterable[Hit]:
        subject = message.envelope.subject
        if not subject.strip():
            return
        said = words(subject)
        for position, word in enumerate(said):
            for name in self._known(message.directory).get(word, ()):
                if said[position : position + len(name)] == name:
                    yield Hit("child_in_subject", 0, len(subject), " ".join(name), 0.9,
                              ("a pupil's first name and surname",), part="subject")  # fmt: skip
                    return

    def _known(self, directory: Directory) -> dict[str, set[tuple[str, ...]]]:
        if self._indexed is not directory:
            self._indexed = directory
            self._pupils = {}
            names = [person.name for person in directory.people.people if person.role == "pupil"]
            names += [pupil.name for contact in directory.people.contacts for pupil in contact.pupils]
            for name in map(words, names):
                if len(name) > 1:
                    self._pupils.setdefault(name[0], set()).add(name)
        return self._pupils


class SocialNotices(MessageDetector):
    """A social network writes to a work address as to an account holder."""

    labels: ClassVar[tuple[str, ...]] = ("social_account", "pupil_request")

    def detect(self, message: Message) -> Iterable[Hit]:
        origin = message.envelope.from_
        if message.direction != "inbound" or origin is None:
            return
        known = any(origin.domain == network or origin.domain.endswith("." + network) for network in _NETWORKS)
        if known and _OWN_ACCOUNT.search(message.envelope.subject):
            why = ("a social network writes to the holder of an account",)
            yield Hit("social_account", 0, 0, origin.domain, 0.85, why, part="headers")
        if known and _of_a_pupil(message):
            yield Hit(
                "pupil_request", 0, 0, "", 0.85, ("a social network passes on a pupil's request",), part="headers"
            )


def _of_a_pupil(message: Message) -> bool:
    """Somebody with a pupil's first name and surname seeks the reader's company there."""
    pupils = {(name[0], name[-1]) for name in map(words, pupils_of(message.directory)) if len(name) > 1}
    for said in (message.envelope.subject, message.own_words()[:3_000]):
        for match in _REQUEST.finditer(said):
            around = words(said[max(0, match.start() - _NAME_BEFORE) : match.end() + _NAME_BEFORE])
            if any(pair in pupils for pair in pairwise(around)):
                return True
    return False
