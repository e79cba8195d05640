"""Imported parents and carers, encrypted at rest (D16): one sealed file, decrypted only into a worker's snapshot."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from scanner.errors import ConfigError
from scanner.keys import WrongKey, seal, unseal
from scanner.model import Contact

_PLACE = "imported contacts"


@dataclass(frozen=True, slots=True)
class Difference:
    """What an import would change, in numbers: no name and no address is printed."""

    added: int
    changed: int
    removed: int
    kept: int
    pupils: int


def load_contacts(path: Path, key: bytes) -> tuple[Contact, ...]:
    """The contacts last imported, none where there is no file. Raises ConfigError where the key does not open it."""
    try:
        sealed = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror}") from error
    try:
        return msgspec.json.decode(unseal(key, sealed, _PLACE), type=tuple[Contact, ...])
    except (WrongKey, msgspec.MsgspecError) as error:
        raise ConfigError(str(path), "does not open with this root key; import the contacts again") from error


def save_contacts(path: Path, contacts: Sequence[Contact], key: bytes) -> None:
    """Put the contacts in place of those before, whole or not at all; only the owner may read the file."""
    sealed = seal(key, msgspec.json.encode(tuple(contacts)), _PLACE)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".contacts-")  # mode 0600
        with os.fdopen(handle, "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError as error:
        raise ConfigError(str(path), f"cannot be written: {error.strerror}") from error


def difference(before: Sequence[Contact], after: Sequence[Contact]) -> Difference:
    old = {contact.email: contact for contact in before}
    new = {contact.email: contact for contact in after}
    common = old.keys() & new.keys()
    changed = sum(old[email] != new[email] for email in common)
    pupils = len({pupil for contact in after for pupil in contact.pupils})
    return Difference(
        len(new.keys() - old.keys()), changed, len(old.keys() - new.keys()), len(common) - changed, pupils
    )
