"""What mailboxes do by themselves towards outsiders: inbox rules that forward or redirect, and automatic replies.

Each rule and each reply is an item of its own, judged like a message. What Graph cannot see is a gap and said so by `GAPS`:
forwarding set by an administrator or on the mailbox itself, and rules that only Outlook on one computer runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping

from connectors.graph import GraphClient, Json, segment, text
from scanner.errors import ConnectorError
from scanner.model import Address, Body, Cursor, Envelope, Problem, Recipient, Share
from scanner.ports import Folder, ItemRef, Page, RawItem

# Facts of microsoft-graph-docs#9830, #5862 and #2910.
GAPS = (
    "forwarding that an administrator set on a mailbox (ForwardingSmtpAddress): Graph does not show it; list it with"
    " Get-Mailbox -ResultSize Unlimited | Where-Object ForwardingSmtpAddress",
    "in-place archive mailboxes: Graph does not reach them; search them with Purview",
    "guests who open files as members of a SharePoint group: Graph does not list a group's members",
)
_FORWARDS = (
    ("forwardTo", "forwards to"),
    ("forwardAsAttachmentTo", "forwards as an attachment to"),
    ("redirectTo", "redirects to"),
)


class M365Settings:
    """A `Source` with one folder a mailbox. The token is a hash of what was found, so that nothing new costs no judging."""

    name = "m365_settings"

    def __init__(self, client: GraphClient, *, mailbox_ids: Callable[[], Mapping[str, str]] | None = None) -> None:
        self._client = client
        self._mailbox_ids = mailbox_ids

    def check(self) -> list[str]:
        return self._client.check(self.name)

    def folders(self, mailbox: str) -> Iterator[Folder]:
        yield Folder(mailbox, "settings", "settings")

    def changes(self, folder: Folder, cursor: Cursor | None) -> Iterator[Page]:
        """All rules and the automatic reply that are not as they were, on one page."""
        before = set(cursor.token.split("\n")) if cursor is not None else set()
        found = {envelope.provider_id: envelope for envelope in self._items(folder.mailbox)}
        new = tuple(
            ItemRef(folder.mailbox, folder.id, identifier, envelope=envelope)
            for identifier, envelope in found.items()
            if identifier not in before
        )
        yield Page(new, "\n".join(sorted(found)), last=True)

    def fetch(self, ref: ItemRef) -> Envelope | RawItem:
        """The rule or reply as it is now. Raises ConnectorError with status 404 where it has changed or gone."""
        if ref.envelope is not None:
            return ref.envelope
        for envelope in self._items(ref.mailbox):
            if envelope.provider_id == ref.id:
                return envelope
        raise ConnectorError("this setting of the mailbox has changed or gone", permanent=True, status=404)

    def _items(self, mailbox: str) -> Iterator[Envelope]:
        known = self._mailbox_ids() if self._mailbox_ids is not None else {}
        user = f"/users/{segment(known.get(mailbox, mailbox))}"
        yield from self._rules(user, mailbox)
        yield from self._reply(user, mailbox)

    def _rules(self, user: str, mailbox: str) -> Iterator[Envelope]:
        what = f"reading the inbox rules of {mailbox}"
        for rule in self._client.pages(f"{user}/mailFolders/inbox/messageRules", what=what, mailbox=mailbox):
            identifier = text(rule, "id", what)
            if rule.get("isEnabled") is False:
                continue
            actions = rule.get("actions")
            if not isinstance(actions, dict) or (rule.get("isReadOnly") and not _targets(actions)):
                # Graph cannot model it and hides what it does (docs-contrib#3336): unknown, and not harmless.
                detail = "an inbox rule that only Outlook can show; what it does is unknown"
                problem = Problem("mailbox rule", "settings", "unsupported", "none", detail)
                yield self._envelope(
                    mailbox, f"rule {identifier} unknown", "An inbox rule that Graph cannot show.", (), (problem,)
                )
                continue
            targets = _targets(actions)
            if targets:
                lines = [f"This inbox rule {verb} {address}." for verb, address in targets]
                addresses = tuple(dict.fromkeys(address for _, address in targets))
                state = json.dumps([targets, rule.get("conditions"), rule.get("exceptions")], sort_keys=True)
                yield self._envelope(mailbox, f"rule {identifier} {_hash(state)}", "\n".join(lines), addresses, ())

    @staticmethod
    def _envelope(
        mailbox: str, identifier: str, body: str, to: tuple[str, ...], problems: tuple[Problem, ...]
    ) -> Envelope:
        return Envelope(
            source=M365Settings.name,
            kind="mailbox_rule",
            mailbox=mailbox,
            provider_id=identifier,
            from_=Address(mailbox),
            recipients=tuple(Recipient("to", address) for address in to),
            subject="Mailbox rule",
            bodies=(Body("text/plain", body),),
            problems=problems,
        )

    def _reply(self, user: str, mailbox: str) -> Iterator[Envelope]:
        what = f"reading the mailbox settings of {mailbox}"
        settings = self._client.get(
            f"{user}/mailboxSettings", what=what, mailbox=mailbox, params={"$select": "automaticRepliesSetting"}
        )
        reply = settings.get("automaticRepliesSetting")
        if not isinstance(reply, dict):
            raise ConnectorError(f"{what}: Graph's answer lacks 'automaticRepliesSetting'", permanent=True)
        words = str(reply.get("externalReplyMessage") or "")
        # The documentation writes `All` where the schema has `all`.
        audience = str(reply.get("externalAudience") or "none").lower()
        if str(reply.get("status") or "").lower() == "disabled" or audience == "none" or not words.strip():
            return
        yield Envelope(
            source=self.name,
            kind="automatic_reply",
            mailbox=mailbox,
            provider_id=f"reply {_hash(words + audience)}",
            from_=Address(mailbox),
            subject="Automatic reply",
            bodies=(Body("text/html", words),),
            audience=(Share("anyone"),),
        )


def _targets(actions: Json) -> list[tuple[str, str]]:
    """What the rule does with mail and where it sends it: (words, address), in Graph's order."""
    found = []
    for name, words in _FORWARDS:
        for recipient in actions.get(name) or ():
            inner = recipient.get("emailAddress") if isinstance(recipient, dict) else None
            address = str((inner or {}).get("address") or "").strip().lower()
            # Somebody of the directory may be named by an Exchange address (/o=…), which leads to no outsider.
            if "@" in address:
                found.append((words, address))
    return found


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()[:16]
