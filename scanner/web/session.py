"""Who is asking: the signed session cookie, the CSRF token that belongs to it, and passwords of local accounts.

The cookie holds no secret and no role: only the account's name, times, and a mark of the password it was opened
with. Roles are read from the store at each request, so that a change counts at once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from itsdangerous import BadSignature, URLSafeSerializer

LIFETIME = timedelta(hours=8)
IDLE = timedelta(minutes=30)
# RFC 6238 section 5.2: accept one step on either side for clocks that differ.
TOTP_STEP_SECONDS = 30
MAX_PASSWORD = 1024
MIN_PASSWORD = 12

_HASHER = PasswordHasher()  # argon2id with the RFC 9106 low-memory parameters
# Checked when the account does not exist, so that the answer takes as long as for one that does.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$f8rIvTtd+z8Jg1ze5fgXRg$rM8/ZLP4xQFjM8fYtmjH+YKr/vesvfho7+4GlK2BUig"


def hash_password(password: str) -> str:
    """The argon2id hash to store for a local account. Raises ValueError for a password that is too short or too long."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise ValueError(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    return _HASHER.hash(password)


def password_fits(password_hash: str | None, password: str) -> bool:
    """Whether the password is right; takes the same time when there is no such account."""
    try:
        fits = _HASHER.verify(password_hash or _NOBODY, password[:MAX_PASSWORD])
    except (VerificationError, InvalidHashError):
        return False
    return fits and password_hash is not None


def new_totp_secret() -> str:
    """A base32 secret for an authenticator app (RFC 6238)."""
    return pyotp.random_base32()


def totp_step(secret: str, code: str, now: datetime) -> int | None:
    """The time step that the six digits belong to, or None where they are wrong. A step may be used once."""
    digits = "".join(character for character in code if character.isdigit())
    if len(digits) != 6:
        return None
    generator = pyotp.TOTP(secret)
    current = int(now.timestamp()) // TOTP_STEP_SECONDS
    for step in (current, current - 1, current + 1):
        if hmac.compare_digest(generator.generate_otp(step), digits):
            return step
    return None


@dataclass(frozen=True, slots=True)
class Session:
    """One browser's session; `account` is empty until somebody has signed in. Times are seconds since 1970."""

    id: str
    account: str
    csrf: str
    since: int
    seen: int
    mark: str = ""


class Sessions:
    """Makes, reads and ends sessions for one application.

    A cookie is good for eight hours, or for thirty minutes without a request. Signing out also remembers the
    session's id until it would have ended anyway, so that a copied cookie is of no use.
    """

    def __init__(self, key: bytes, *, secure: bool) -> None:
        if len(key) < 16:
            raise ValueError("the session key has at least 16 bytes")
        self._signer = URLSafeSerializer(
            key, salt="mailwarden session", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )
        self._key = key
        self.secure = secure
        # The prefix makes browsers refuse the cookie without Secure and Path=/ (RFC 6265bis section 4.1.3.2).
        self.cookie = "__Host-mailwarden" if secure else "mailwarden"
        # One sign-in is proved at a time: argon2 takes 64 MB, and a burst of guesses must not outrun the lock-out.
        self.proving = threading.Lock()
        self._lock = threading.Lock()
        self._ended: dict[str, int] = {}
        self._used_codes: dict[tuple[str, int], int] = {}

    def start(self, now: datetime, *, account: str = "", password_hash: str = "") -> Session:
        moment = int(now.timestamp())
        return Session(
            id=secrets.token_urlsafe(16),
            account=account,
            csrf=secrets.token_urlsafe(24),
            since=moment,
            seen=moment,
            mark=self.mark(password_hash) if account else "",
        )

    def mark(self, password_hash: str) -> str:
        """Changes when the password does, which ends every session opened with the old one."""
        return hmac.new(self._key, b"password\0" + password_hash.encode(), hashlib.sha256).hexdigest()[:16]

    def write(self, session: Session, now: datetime) -> str:
        """The cookie's text, good for another thirty minutes from now."""
        text = self._signer.dumps(asdict(replace(session, seen=int(now.timestamp()))))
        return text.decode() if isinstance(text, bytes) else text

    def read(self, cookie: str | None, now: datetime) -> Session | None:
        """The session in a cookie, or None where it is forged, over, or ended by signing out."""
        if not cookie:
            return None
        try:
            session = Session(**self._signer.loads(cookie))
        except (BadSignature, TypeError):
            return None
        moment = int(now.timestamp())
        if moment - session.since >= LIFETIME.total_seconds() or moment - session.seen >= IDLE.total_seconds():
            return None
        with self._lock:
            return None if session.id in self._ended else session

    def end(self, session: Session, now: datetime) -> None:
        moment = int(now.timestamp())
        with self._lock:
            self._ended = {key: until for key, until in self._ended.items() if until > moment}
            self._ended[session.id] = session.since + int(LIFETIME.total_seconds())

    def use_code(self, account: str, step: int, now: datetime) -> bool:
        """Whether this account may use the code of this time step: once (RFC 6238 section 5.2)."""
        moment = int(now.timestamp())
        with self._lock:
            self._used_codes = {key: until for key, until in self._used_codes.items() if until > moment}
            if (account, step) in self._used_codes:
                return False
            self._used_codes[(account, step)] = moment + 4 * TOTP_STEP_SECONDS
            return True


def same_token(expected: str, given: str) -> bool:
    return bool(expected) and hmac.compare_digest(expected.encode(), given.encode())
