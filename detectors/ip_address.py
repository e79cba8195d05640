"""Internet addresses."""

from __future__ import annotations

import ipaddress
import re

from detectors.base import Ladder, PatternDetector, Reading


class IpAddress(PatternDetector):
    """An Internet protocol address. It is a person's at most together with a log of who used it.

    Versions and section numbers have the same shape; it counts only beside words that name it.
    """

    labels = ("ip_address",)
    wake = (r"\bip\b", r"\bipv[46]\b", r"internet protocol", r"\bdhcp\b")
    reach = 340
    patterns = (
        r"(?<![\w.:-])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\w:-])(?!\.\d)",
        r"(?<![\w.:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w.:])",
    )
    context = ("ip", "ip address", "ip addresses", "ips", "ipv4", "ipv6", "internet protocol", "dhcp", "from ip")
    headings = ("ip", "ipaddress", "ipaddr", "sourceip", "clientip")
    against = ("version", "v", "section", "clause", "release", "build", "paragraph", "firmware")

    def read(self, match: re.Match[str]) -> Reading | None:
        try:
            address = ipaddress.ip_address(match.group())
        except ValueError:
            return None
        if address.is_unspecified or address.is_loopback:
            return None
        return Reading(str(address), Ladder(0.0, 0.5, 0.7), (f"IPv{address.version} address",))
