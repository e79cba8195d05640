"""How a file is protected, from its bytes alone: `mailwarden protection FILE`.

The grades: `none` anyone reads it, `signed` anyone reads it and can check who wrote it, `weak` it looks locked and is not,
`strong` unreadable without the secret, `unknown` a lock that cannot be judged. Facts: MS-OFFCRYPTO, ISO 32000, APPNOTE,
RFC 5652, RFC 9580 and the place named at each rule.
"""

from __future__ import annotations

from dataclasses import replace

from scanner.errors import fault_of
from scanner.extract import archives, foreign, legacy, mail_stores, office, pdf, portals, sealed
from scanner.extract.limits import Limits
from scanner.extract.mail import parse_message
from scanner.extract.reading import read
from scanner.extract.sniff import DOCX, ODF, OOXML_LOCKED, PPTX, XLSX, media_type
from scanner.model import UNPROTECTED, Envelope, Protection

_CLEAR_SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"


def grade(data: bytes, name: str = "") -> tuple[str, Protection]:
    """Media type and protection of one file. Never raises; `name` only names the service of a file that no type fits."""
    kind = media_type(data)
    try:
        return kind, _protection(kind, data, name)
    except (RecursionError, MemoryError) as error:
        return kind, Protection("unknown", f"{kind}, cannot be read", False, (fault_of(error),))


def _protection(kind: str, data: bytes, name: str) -> Protection:
    if kind == "application/pdf":
        return pdf.lock(data)
    if kind in (DOCX, XLSX, PPTX):
        return office.lock(data, kind)
    if kind == "application/zip" or kind.startswith(ODF):
        return archives.lock(data)
    if kind == "application/x-7z-compressed":
        return foreign.seven_zip_lock(data)
    if kind == "application/vnd.rar":
        return archives.foreign_lock(data)
    if kind in (OOXML_LOCKED, "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"):
        return legacy.lock(data)
    if kind == "application/pkcs7-mime":
        return sealed.cms_lock(data)
    if kind == "application/pgp-encrypted":
        return sealed.pgp_lock(data)
    if kind == "application/pgp-signature" or _CLEAR_SIGNED in data[:2_000]:
        return replace(sealed.SIGNED, mechanism="OpenPGP signature")
    if kind == "application/x-microsoft-rpmsg-message":
        return sealed.rpmsg_lock(data)
    if kind == "application/x-age-encryption":
        return sealed.AGE_LOCK
    if kind == "message/rfc822":
        return _mail_protection(parse_message(data, Limits()))
    if kind == "application/vnd.ms-outlook":
        envelope = mail_stores.outlook_envelope(data, Limits())
        return UNPROTECTED if envelope is None else _mail_protection(envelope)
    if kind == "application/x-ole-storage":
        return legacy.lock(data)
    if kind == "text/html":
        return portals.wrapper(data.decode("latin-1")) or UNPROTECTED
    if kind == "application/octet-stream":
        return portals.package(data, name) or UNPROTECTED
    return UNPROTECTED


def _mail_protection(envelope: Envelope) -> Protection:
    """A mail is as its seal: encrypted or signed as a whole, or open. Attachments with a lock of their own are not it.

    A notice of a portal holds nothing locked, but what was written to the recipient lies elsewhere: `unknown` by its name.
    """
    content_type = envelope.header("content-type").lower()
    whole = [blob for blob in envelope.blobs if not blob.claimed_type.startswith("text/")]
    for blob in whole:
        kind = media_type(blob.data, blob.claimed_type)
        if kind == "application/pkcs7-mime" and ("signed" in content_type or not envelope.bodies):
            return sealed.cms_lock(blob.data)
        if kind == "application/pgp-encrypted" and "multipart/encrypted" in content_type:
            return sealed.pgp_lock(blob.data)
        if kind == "application/pgp-signature" and "multipart/signed" in content_type:
            return replace(sealed.SIGNED, mechanism="OpenPGP signature")
        if kind == "application/x-microsoft-rpmsg-message":
            return sealed.rpmsg_lock(blob.data)
        if kind == "application/octet-stream" and (lock := portals.package(blob.data, blob.name)) is not None:
            return lock
    for blob in envelope.blobs:
        if media_type(blob.data, blob.claimed_type) == "text/html" and (
            lock := portals.wrapper(blob.data.decode("latin-1"))
        ):
            return lock
    for body in envelope.bodies:
        text = body.text.encode("ascii", "replace")
        if b"-----BEGIN PGP MESSAGE-----" in text:
            return sealed.pgp_lock(text)
        if _CLEAR_SIGNED in text:
            return replace(sealed.SIGNED, mechanism="OpenPGP signature")
    bare = read(replace(envelope, blobs=()), Limits())
    notices = (part.protection for part in bare.parts if part.path == "body" and part.protection.grade == "unknown")
    return next(notices, UNPROTECTED)
