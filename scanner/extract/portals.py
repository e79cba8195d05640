"""Wrappers of secure-mail services: what was written lies sealed inside or with the service, and only its web page opens it.

None of these formats is published and no key is at hand, so none is graded better than `unknown`, with the service's name.
The evidence is in the bytes: an address of the service and a sealed payload, or a notice with the address of one message.
A product's name in a text, a subject or a header proves nothing. Facts: the services' public help pages for recipients.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import unquote

from scanner.extract.content import Trouble
from scanner.model import Body, Part, Protection

# Where a recipient is sent to read: host, or host and path, of each service.
_SERVICES = (
    ("Purview message encryption (portal)", r"outlook\.office(?:365)?\.com/encryption/|outlook\.office(?:365)?\.com/e4e/"),
    ("Proofpoint Encryption", r"[\w.-]{3,200}/(?:formpostdir/)?securereader"),
    ("Cisco Secure Email Encryption", r"(?:[\w-]{1,60}\.)?res\.cisco\.com|[\w.-]{3,200}/websafe/"),
    ("Zix", r"(?:[\w-]{1,60}\.)?zix(?:message|messagecenter|mail|corp)\.(?:com|net)"),
    ("Mimecast Secure Messaging", r"(?:[\w-]{1,60}\.){0,3}secure[\w-]{0,60}\.mimecast\.com"),
    ("Egress", r"(?:[\w-]{1,60}\.){0,2}egress\.com"),
    ("Galaxkey", r"(?:[\w-]{1,60}\.){0,2}galaxkey\.com"),
    ("Barracuda Email Encryption", r"encrypt\.barracudanetworks\.com"),
)  # fmt: skip
_SERVICE = re.compile(
    r"https?://(?:" + "|".join(f"(?P<s{number}>{place})" for number, (_, place) in enumerate(_SERVICES)) + r")"
    r"(?P<rest>[^\s\"'<>]{0,2000})",
    re.IGNORECASE,
)
_EMBEDDED = re.compile(r"data:[a-z/+.-]{3,60};[^\"'()<>\s]{0,5000000}", re.IGNORECASE)
# Ciphertext as it stands in a hidden field or a script: letters and figures without end.
_PAYLOAD = re.compile(r"[A-Za-z0-9+/=_%\-]{1000,}")
# The name of one message in an address; the words of an article's address are parted by hyphens.
_TOKEN = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[A-Za-z_%=]{0,60}\d)[A-Za-z0-9_%=]{20,}", re.IGNORECASE
)
_NOTICE = re.compile(
    r"\b(?:(?:secure|encrypted|protected|confidential) (?:e-?mail|message)|(?:e-?mail|message)[^.\n]{0,60} (?:securely|encrypted)"
    r"|sent[^.\n]{0,40} securely)\b",
    re.IGNORECASE,
)
_WAY_IN = re.compile(r"\b(?:click|open|read|view|sign in|log ?in|access)\b", re.IGNORECASE)
_LONGEST_NOTICE, _MOST_LOOKED_AT = 1_500, 2_000_000
# Files that only a service's own program opens, by the ending it gives them.
_PACKAGES = {".switch": "Egress", ".gxk": "Galaxkey"}
_SMALLEST_PACKAGE = 512


def wrapper(page: str) -> Protection | None:
    """The lock of an HTML file that carries a sealed message to a service; None for any other page."""
    page = _EMBEDDED.sub("", page[:_MOST_LOOKED_AT])
    found = _service(page)
    if found is None or _PAYLOAD.search(page) is None:
        return None
    return Protection("unknown", f"{found}, sealed page", False, ("opened by the service alone",))


def package(data: bytes, name: str) -> Protection | None:
    """The lock of a file with a service's ending, of no known type, in which no byte is likelier than another."""
    service = next((whose for ending, whose in _PACKAGES.items() if name.lower().endswith(ending)), None)
    if service is None or len(data) < _SMALLEST_PACKAGE or not _looks_random(data[:_MOST_LOOKED_AT]):
        return None
    return Protection(
        "unknown", f"{service} package", False, ("told by its name and its bytes", "opened by the service alone")
    )


def notice(part: Part, bodies: Iterable[Body]) -> tuple[Part, list[Trouble]]:
    """A body that only says where a sealed message can be read: what it says is read, the message itself is elsewhere.

    The sender's own words must say so and be few: whoever writes about a service, or answers such a mail, writes himself.
    """
    own = "".join(part.text[s.start : s.end] for s in part.segments if s.owner in ("sender", "banner"))
    if not own.strip() or len(own) > _LONGEST_NOTICE or not _NOTICE.search(own) or not _WAY_IN.search(own):
        return part, []
    found = next((name for body in bodies if (name := _service(body.text[:_MOST_LOOKED_AT], has_token=True))), None)
    if found is None:
        return part, []
    lock = Protection("unknown", f"{found}, notice", False, ("the message lies with the service",))
    return replace(part, read="part", protection=lock), [Trouble("encrypted", lock.mechanism, "part")]


def _service(text: str, has_token: bool = False) -> str | None:
    """The first service with an address in the text; with `has_token` only an address that points to one message."""
    if "%3A%2F%2F" in text:
        text = unquote(text)  # Safe Links of Microsoft 365 keep the address they lead to in their own
    for match in _SERVICE.finditer(text):
        if not has_token or _TOKEN.search(match["rest"]):
            return next(name for number, (name, _) in enumerate(_SERVICES) if match[f"s{number}"] is not None)
    return None


def _looks_random(data: bytes) -> bool:
    """Entropy within a tenth of a bit of what so many random bytes have (the Miller-Madow correction)."""
    size = len(data)
    entropy = -sum(count / size * math.log2(count / size) for count in Counter(data).values())
    return entropy > 8 - 255 / (2 * size * math.log(2)) - 0.1
