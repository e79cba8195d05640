"""The root key in its file, the subkeys made from it, and sealing what must not lie in clear (D15, D16).

A subkey serves one purpose only, so that what leaves with a worker opens nothing else. AES-256-GCM (NIST SP 800-38D)
with a fresh random nonce seals; HKDF-SHA-256 (RFC 5869) makes the subkeys.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from scanner.errors import ConfigError, MailwardenError

Purpose = Literal["evidence", "contacts", "spread", "cache", "audit", "web", "push"]
KEY_BYTES = 32
NONCE_BYTES = 12


class WrongKey(MailwardenError):
    """Sealed bytes do not open: another key, another place, or changed on the way."""


@dataclass(frozen=True, slots=True)
class RootKey:
    """32 random bytes that never leave this process. `number` tells keys apart after a rotation (D15)."""

    secret: bytes = field(repr=False)
    number: int = 1

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise ValueError(f"a root key has {KEY_BYTES} bytes")

    @classmethod
    def random(cls) -> RootKey:
        """A key for one run, never written: what `scan` without configuration uses."""
        return cls(os.urandom(KEY_BYTES))

    def subkey(self, purpose: Purpose) -> bytes:
        """The 32 bytes for one purpose; the same every time."""
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"mailwarden {purpose}".encode()).derive(self.secret)


def create_root_key(path: Path) -> None:
    """Writes a new key that only its owner can read. Never overwrites: losing a key loses what it sealed."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigError(str(path), "is there already; a root key is never overwritten") from error
    except OSError as error:
        raise ConfigError(str(path), f"cannot be created: {error.strerror}") from error
    with os.fdopen(handle, "wb") as file:
        file.write(os.urandom(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())


def load_root_key(path: Path, number: int = 1) -> RootKey:
    """Reads the key. Refuses a file that others may read, that is not a plain file, or that has another size."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise ConfigError(str(path), f"the root key cannot be read: {error.strerror}") from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(str(path), "the root key must be a plain file")
        mode = status.st_mode & 0o777
        if mode & 0o077:
            raise ConfigError(
                str(path), f"others may read the root key (mode {mode:04o}); set the mode to 0600 or 0400"
            )
        secret = os.read(handle, KEY_BYTES + 1)
    finally:
        os.close(handle)
    if len(secret) != KEY_BYTES:
        raise ConfigError(str(path), f"a root key has exactly {KEY_BYTES} bytes")
    return RootKey(secret, number)


def seal(key: bytes, data: bytes, place: str) -> bytes:
    """Encrypts. `place` says what and where it is; it opens nowhere else, and is not part of the result."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, place.encode())


def unseal(key: bytes, sealed: bytes, place: str) -> bytes:
    """Decrypts what `seal` made. Raises WrongKey where key, place or bytes are not the same."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode())
    except (InvalidTag, ValueError) as error:
        raise WrongKey(f"{place} does not open with this key") from error
