"""Notices as mail over SMTP (RFC 5321) with TLS, for where Graph may not send."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Literal

from connectors.people_file import is_address
from scanner.errors import ConfigError, ConnectorError
from scanner.ports import Notice

Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """`security`: `starttls` (port 587), `tls` from the first byte (465), `none` for a relay that takes no password."""

    host: str
    port: int = 587
    security: Security = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    timeout: float = 30.0


class SmtpNotices:
    """A `Sender`: one connection for each notice, because notices are few."""

    def __init__(self, server: SmtpServer, mail_from: str) -> None:
        if not is_address(mail_from):
            raise ConfigError("notices.from", "must be the address that notices are sent from")
        if not server.host or not 0 < server.port < 65536:
            raise ConfigError("smtp", "needs a host name and a port from 1 to 65535")
        if server.security not in ("starttls", "tls", "none"):
            raise ConfigError("smtp.security", f"must be starttls, tls or none, not {server.security!r}")
        if server.security == "none" and (server.username or server.password):
            raise ConfigError("smtp.security", "a password is never sent without TLS; choose starttls or tls")
        if bool(server.username) != bool(server.password):
            raise ConfigError("smtp.username", "username and password belong together")
        try:
            self._context = ssl.create_default_context(cafile=str(server.ca_file) if server.ca_file else None)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError("smtp.ca_file", f"{server.ca_file} is not a readable file of PEM certificates") from error
        self._server = server
        self._from = mail_from

    def check(self) -> list[str]:
        """One sentence if the host cannot be reached or does not let us in."""
        try:
            self._connect().quit()
        except ConnectorError as error:
            return [str(error)]
        except (OSError, smtplib.SMTPException) as error:
            return [str(self._failed(error))]
        return []

    def send(self, notice: Notice) -> Literal["sent", "unsure"]:
        """`unsure` when the connection broke after the text had gone out. Raises ConnectorError when it was not taken."""
        if not is_address(notice.to):
            raise ConnectorError("a notice's recipient is not a mail address", permanent=True, code="BadRecipient")
        content = self._message(notice).as_bytes()
        connection = self._connect()
        try:
            self._expect(connection.mail(self._from), "the sender")
            self._expect(connection.rcpt(notice.to), "the recipient")
        except (OSError, smtplib.SMTPException) as error:
            connection.close()
            raise self._failed(error) from error
        except ConnectorError:
            connection.close()
            raise
        try:
            self._expect(connection.data(content), "the message")
        except smtplib.SMTPDataError as error:
            raise self._failed(error) from error
        except (OSError, smtplib.SMTPException):
            return "unsure"
        finally:
            connection.close()
        return "sent"

    def _message(self, notice: Notice) -> EmailMessage:
        """Header values are folded to one line first; the library refuses what would still start another header."""
        message = EmailMessage(policy=SMTP)
        message["From"] = self._from
        message["To"] = notice.to
        message["Subject"] = " ".join(notice.subject.split())
        message["Date"] = formatdate(localtime=False)
        message["Message-ID"] = make_msgid(domain=self._from.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies to notices
        message.set_content(notice.text)
        return message

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        try:
            if server.security == "tls":
                connection: smtplib.SMTP = smtplib.SMTP_SSL(
                    server.host, server.port, timeout=server.timeout, context=self._context
                )
            else:
                connection = smtplib.SMTP(server.host, server.port, timeout=server.timeout)
        except (OSError, smtplib.SMTPException) as error:
            raise self._failed(error) from error
        try:
            connection.ehlo_or_helo_if_needed()
            if server.security == "starttls":
                connection.starttls(context=self._context)
            if server.username:
                connection.login(server.username, server.password)
        except (OSError, smtplib.SMTPException) as error:
            connection.close()
            raise self._failed(error) from error
        return connection

    def _expect(self, reply: tuple[int, bytes], what: str) -> None:
        code = reply[0]
        if code not in (250, 251):
            raise ConnectorError(
                f"{self._server.host} refused {what} ({code})", permanent=code >= 500, status=code, code="Refused"
            )

    def _failed(self, error: Exception) -> ConnectorError:
        """RFC 5321 section 4.2.1: replies from 500 on are lasting, from 400 on they pass. No server text is repeated."""
        host = self._server.host
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return ConnectorError(
                f"{host} did not accept username and password", permanent=True, status=error.smtp_code
            )
        if isinstance(error, smtplib.SMTPNotSupportedError):
            return ConnectorError(f"{host} does not offer what is needed (STARTTLS or a sign-in)", permanent=True)
        if isinstance(error, smtplib.SMTPResponseException):
            permanent = error.smtp_code >= 500
            return ConnectorError(f"{host} refused ({error.smtp_code})", permanent=permanent, status=error.smtp_code)
        if isinstance(error, ssl.SSLCertVerificationError):
            return ConnectorError(
                f"{host}: its certificate is not trusted; name the CA in smtp.ca_file", permanent=True
            )
        said = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        return ConnectorError(f"{host} cannot be reached ({said})", permanent=False)
