"""What is wrong with a file, said without a word of Python or of the file."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from xml.etree.ElementTree import ParseError

import pytest

from scanner.errors import fault_of


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (zipfile.BadZipFile("Jo Finch.xlsx"), "its list of files does not fit its bytes"),
        (KeyError("Jo Finch"), "something that it refers to is not there"),
        (UnicodeDecodeError("utf-8", b"Jo", 0, 1, "x"), "its letters are in no encoding that fits"),
        (ParseError("Jo Finch"), "it is no well-formed XML"),
        (FileNotFoundError("Jo Finch"), "its bytes do not fit together"),
        (struct.error("x"), "its structure makes no sense"),
        (zlib.error("x"), "its structure makes no sense"),
    ],
)
def test_a_fault_is_told_by_its_kind_and_never_in_its_own_words(error: Exception, words: str) -> None:
    assert fault_of(error) == words


def test_no_reader_tells_the_name_of_an_exception() -> None:
    """A reader of a report is no programmer."""
    for file in (Path(__file__).parents[1] / "scanner" / "extract").glob("*.py"):
        assert "{type(error).__name__}" not in file.read_text("utf-8"), file.name
