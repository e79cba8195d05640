"""Bytes in, text out: every part of a message or document either read or recorded as a problem.

Nothing here raises for what a file contains, nothing asks the network, a store or a clock, and nothing here decides what
may leave the organisation.
"""

from scanner.extract.keys import Opened, may_hold_key
from scanner.extract.limits import Limits
from scanner.extract.normal import normalise
from scanner.extract.protection import grade
from scanner.extract.reading import Reading, open_item, read
from scanner.extract.sniff import EXECUTABLES

__all__ = [
    "EXECUTABLES",
    "Limits",
    "Opened",
    "Reading",
    "grade",
    "may_hold_key",
    "normalise",
    "open_item",
    "read",
]
