"""Parents and carers from the school's management system, as a CSV file: one line for each contact and pupil.

Columns by name, in any order: `email` and `name` of the contact, `pupil`, `school`, `class`. Mistakes are told by line, never by
value: the file is a list of families.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Protocol

from connectors.people_file import is_address
from scanner.errors import ConfigError, ConfigErrors
from scanner.model import Contact, Pupil

COLUMNS = ("email", "name", "pupil", "school", "class")
_MAX_BYTES = 64 * 1024 * 1024
_MAX_MISTAKES = 50
_MAX_FIELD = 500


class _Rows(Protocol):
    """What `csv.reader` gives."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


def read_contacts(path: Path, schools: Collection[str] = ()) -> tuple[Contact, ...]:
    """The contacts of a CSV file, each address once with all its pupils, in order of address.

    `schools`: the names that a school may have; none means any. Raises ConfigErrors with every mistake and its line.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror or error}") from error
    if len(data) > _MAX_BYTES:
        raise ConfigError(str(path), f"is larger than {_MAX_BYTES:,} bytes")
    try:
        words = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        words = data.decode("cp1252", "replace")  # what Excel writes on Windows without being told otherwise
    delimiter = ";" if words.partition("\n")[0].count(";") > words.partition("\n")[0].count(",") else ","
    rows = csv.reader(io.StringIO(words, newline=""), delimiter=delimiter)
    try:
        return _contacts(rows, path, schools)
    except csv.Error as error:
        raise ConfigError(f"{path.name}:{rows.line_num}", "is not CSV (a quote is not closed?)") from error


def _contacts(rows: _Rows, path: Path, schools: Collection[str]) -> tuple[Contact, ...]:
    heading = [name.strip().lower() for name in next(rows, [])]
    errors = [
        ConfigError(f"{path.name}:1", f"column {name!r} is missing (allowed: {', '.join(COLUMNS)})")
        for name in ("email", "name")
        if name not in heading
    ]
    errors += [
        ConfigError(f"{path.name}:1", f"unknown column {name[:40]!r} (allowed: {', '.join(COLUMNS)})")
        for name in heading
        if name not in COLUMNS
    ]
    if len(set(heading)) != len(heading):
        errors.append(ConfigError(f"{path.name}:1", "a column is there twice"))
    if errors:
        raise ConfigErrors(errors)
    names: dict[str, str] = {}
    pupils: dict[str, dict[Pupil, None]] = {}
    known = {school.casefold(): school for school in schools}
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        place = f"{path.name}:{rows.line_num}"
        if len(row) != len(heading):
            errors.append(ConfigError(place, f"has {len(row)} fields, the heading has {len(heading)}"))
            continue
        cells = {name: " ".join(cell.split()) for name, cell in zip(heading, row, strict=True)}
        email, school = cells["email"].lower(), cells.get("school", "")
        if any(len(cell) > _MAX_FIELD for cell in cells.values()):
            errors.append(ConfigError(place, f"a field is longer than {_MAX_FIELD} characters"))
        elif not is_address(email):
            errors.append(ConfigError(place, "email is not a mail address"))
        elif not cells["name"]:
            errors.append(ConfigError(place, "name is empty"))
        elif known and school and school.casefold() not in known:
            errors.append(ConfigError(place, f"school is not one of ours ({', '.join(schools)})"))
        else:
            names.setdefault(email, cells["name"])
            listed = pupils.setdefault(email, {})
            if cells.get("pupil"):
                listed[Pupil(cells["pupil"], known.get(school.casefold(), school), cells.get("class", ""))] = None
        if len(errors) >= _MAX_MISTAKES:
            errors.append(ConfigError(path.name, "has more mistakes; mend these first"))
            break
    if errors:
        raise ConfigErrors(errors)
    return tuple(Contact(email, names[email], tuple(pupils[email])) for email in sorted(names))
