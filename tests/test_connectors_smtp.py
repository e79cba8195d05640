"""Notices over SMTP, against a small server in this process: TLS, sign-in, refusals and unclear ends."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import trustme

from connectors.smtp import SmtpNotices, SmtpServer
from scanner.errors import ConfigError, ConnectorError
from scanner.ports import Notice

NOTICE = Notice(
    "dpo@elt.example", "1 case: personal data – open", "A case waits for you.\n.\nhttps://dlp.elt.example/cases/1\n"
)
FROM = "mailwarden@elt.example"


class Server(socketserver.ThreadingTCPServer):
    """`replies` gives another reply for a verb; `hang_up_at` closes the connection at a verb or after the text (`.`)."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, context: ssl.SSLContext, implicit: bool) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.context, self.implicit = context, implicit
        self.replies: dict[str, str] = {}
        self.hang_up_at = ""
        self.starttls = True
        self.taken: list[bytes] = []
        self.verbs: list[str] = []
        self.encrypted_login = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class Conversation(socketserver.StreamRequestHandler):
    server: Server

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")

    def secure(self) -> None:
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", 0)

    def handle(self) -> None:
        server, tls = self.server, self.server.implicit
        if tls:
            self.secure()
        self.say("220 mail.example ready")
        while line := self.rfile.readline():
            verb = line.split()[0].decode().upper() if line.split() else ""
            server.verbs.append(verb)
            if verb == server.hang_up_at:
                return
            if verb in server.replies:
                self.say(server.replies[verb])
            elif verb == "EHLO":
                self.say("250-mail.example")
                if server.starttls and not tls:
                    self.say("250-STARTTLS")
                self.say("250 AUTH PLAIN")
            elif verb == "STARTTLS":
                self.say("220 go ahead")
                self.secure()
                tls = True
            elif verb == "AUTH":
                server.encrypted_login = tls
                good = base64.b64decode(line.split()[2]) == b"\0scanner\0hush-hush"
                self.say("235 welcome" if good else "535 bad credentials for scanner hush-hush")
            elif verb == "DATA":
                self.say("354 go on")
                text = b""
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    text += part.removeprefix(b".") if part.startswith(b"..") else part
                server.taken.append(text)
                if server.hang_up_at == ".":
                    return
                self.say(server.replies.get(".", "250 taken"))
            else:
                self.say("221 bye" if verb == "QUIT" else "250 fine")


@contextmanager
def serving(tmp_path: Path, *, implicit: bool = False) -> Iterator[tuple[Server, dict[str, Any]]]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Server(context, implicit) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield (
            server,
            {"host": "127.0.0.1", "port": server.server_address[1], "ca_file": tmp_path / "ca.pem", "timeout": 10},
        )
        server.shutdown()


@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
def test_a_notice_arrives_whole_over_each_kind_of_connection(security: Any, tmp_path: Path) -> None:
    with serving(tmp_path, implicit=security == "tls") as (server, where):
        login = {} if security == "none" else {"username": "scanner", "password": "hush-hush"}
        sender = SmtpNotices(SmtpServer(**where, security=security, **login), FROM)
        assert sender.check() == []
        assert sender.send(NOTICE) == "sent"
        (taken,) = server.taken
        assert server.encrypted_login is (security != "none")
    mail = message_from_bytes(taken, policy=policy.default)
    assert (mail["From"], mail["To"], mail["Subject"]) == (FROM, NOTICE.to, NOTICE.subject)
    assert mail.get_content().replace("\r\n", "\n") == NOTICE.text
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@elt.example>")


def test_a_subject_cannot_start_another_header_and_a_recipient_cannot_be_two(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, where):
        sender = SmtpNotices(SmtpServer(**where), FROM)
        sender.send(Notice(NOTICE.to, "1 case\r\nBcc: all@elt.example\r\n\r\nbody", "x"))
        for bad in ("a@b.example\r\nRCPT TO:<c@d.example>", "a@b.example, c@d.example", "", "nobody"):
            with pytest.raises(ConnectorError, match="not a mail address") as caught:
                sender.send(Notice(bad, "x", "y"))
            assert caught.value.permanent
        (taken,) = server.taken
        assert server.verbs.count("RCPT") == 1
    mail = message_from_bytes(taken, policy=policy.default)
    assert mail["Bcc"] is None
    assert mail["Subject"] == "1 case Bcc: all@elt.example body"


@pytest.mark.parametrize(
    ("verb", "reply", "permanent"),
    [
        ("MAIL", "550 no", True),
        ("RCPT", "451 later", False),
        ("RCPT", "550 nobody", True),
        ("DATA", "554 no", True),
        (".", "452 full", False),
    ],
)
def test_a_refusal_is_lasting_or_passing_by_its_number(verb: str, reply: str, permanent: bool, tmp_path: Path) -> None:
    with serving(tmp_path) as (server, where):
        server.replies[verb] = reply
        with pytest.raises(ConnectorError, match=reply[:3]) as caught:
            SmtpNotices(SmtpServer(**where), FROM).send(NOTICE)
    assert (caught.value.permanent, caught.value.status) == (permanent, int(reply[:3]))


def test_a_connection_that_breaks_after_the_text_is_unsure_and_before_it_is_an_error(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, where):
        sender = SmtpNotices(SmtpServer(**where), FROM)
        server.hang_up_at = "."
        assert sender.send(NOTICE) == "unsure"
        server.hang_up_at = "RCPT"
        with pytest.raises(ConnectorError) as caught:
            sender.send(NOTICE)
    assert not caught.value.permanent


def test_a_host_without_starttls_gets_neither_password_nor_text(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, where):
        server.starttls = False
        sender = SmtpNotices(SmtpServer(**where, username="scanner", password="hush-hush"), FROM)
        assert "STARTTLS" in sender.check()[0]
        with pytest.raises(ConnectorError, match="STARTTLS"):
            sender.send(NOTICE)
        assert not {"AUTH", "MAIL"} & set(server.verbs)


def test_an_unknown_certificate_and_a_wrong_password_are_lasting_and_show_no_secret(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, where):
        stranger = SmtpNotices(SmtpServer(**{**where, "ca_file": None}), FROM)
        with pytest.raises(ConnectorError, match="certificate is not trusted") as caught:
            stranger.send(NOTICE)
        assert caught.value.permanent
        wrong = SmtpNotices(SmtpServer(**where, username="scanner", password="hush"), FROM)
        with pytest.raises(ConnectorError, match="did not accept username and password") as caught:
            wrong.send(NOTICE)
    assert caught.value.permanent
    assert "hush" not in str(caught.value) + repr(SmtpServer(**where, username="scanner", password="hush"))


def test_a_host_that_is_not_there_may_be_tried_again() -> None:
    sender = SmtpNotices(SmtpServer("127.0.0.1", 1), FROM)
    with pytest.raises(ConnectorError, match="cannot be reached") as caught:
        sender.send(NOTICE)
    assert not caught.value.permanent
    assert sender.check() == [str(caught.value)]


@pytest.mark.parametrize(
    ("changed", "mail_from", "place"),
    [
        ({}, "nobody", "notices.from"),
        ({"host": ""}, FROM, "smtp"),
        ({"port": 0}, FROM, "smtp"),
        ({"security": "ssl"}, FROM, "smtp.security"),
        ({"security": "none", "username": "a", "password": "b"}, FROM, "smtp.security"),
        ({"username": "a"}, FROM, "smtp.username"),
        ({"ca_file": Path("none.pem")}, FROM, "smtp.ca_file"),
    ],
)
def test_bad_settings_are_refused_at_once(changed: dict[str, Any], mail_from: str, place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SmtpNotices(SmtpServer(**{"host": "mail.example", **changed}), mail_from)
    assert caught.value.place == place
