"""Who writes to whom (D22): messages and files by day between two keyed fingerprints, who has part in a conversation. No text."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa

from scanner.model import Ties
from scanner.store import cases
from scanner.store.rows import Seen, SeenRecipient
from scanner.store.tables import APPEARANCE, CASE, DECISION, FACT, FINDING, THREAD_PARTY, TIE, insert

# A conversation with more people in it is a mailing list.
MOST_PARTIES = 200
# Stands for all recipients of a message: it counts once, however many they are.
_EVERYBODY = ""
# As sure as a rule has to be that an address is private to our staff.
_SURE = 0.6
# So many confirmed findings are looked at for one recipient.
_MOST_CONFIRMED = 200


def write(connection: sa.Connection, ties: Ties, sent_at: datetime) -> None:
    """Counts one message; call it once for each."""
    day = sent_at.astimezone(UTC).date()
    for address, files in ((_EVERYBODY, ties.files), *((one.address, 0) for one in ties.to)):
        connection.execute(
            insert(connection, TIE)
            .values(sender=ties.sender, address=address, day=day, messages=1, files=files)
            .on_conflict_do_update(
                index_elements=["sender", "address", "day"],
                set_={"messages": TIE.c.messages + 1, "files": TIE.c.files + files},
            )
        )
    if ties.thread:
        parties = sorted({ties.sender, *(one.address for one in ties.to)})
        connection.execute(
            insert(connection, THREAD_PARTY).on_conflict_do_nothing(),
            [{"thread": ties.thread, "address": one, "day": day} for one in parties],
        )


def before(connection: sa.Connection, ties: Ties, sent_at: datetime, files_within: timedelta) -> Seen:
    """What came before the day of a message: copies of it in other mailboxes are of the same day and say nothing."""
    day = sent_at.astimezone(UTC).date()
    pairs = {(ties.sender, one.address) for one in ties.to} | {(one.address, ties.sender) for one in ties.to}
    pairs |= {(ties.sender, twin) for one in ties.to for twin in one.twins}
    counts = _counts(connection, pairs, day)
    own = sa.select(sa.func.coalesce(sa.func.sum(TIE.c.messages), 0), sa.func.min(TIE.c.day))
    mine = (TIE.c.sender == ties.sender, TIE.c.address == _EVERYBODY)
    sent, first = connection.execute(own.where(*mine, TIE.c.day < day)).one()
    files = connection.execute(
        sa.select(sa.func.coalesce(sa.func.sum(TIE.c.files), 0)).where(
            *mine,
            TIE.c.day.between(day - files_within, day - timedelta(days=1)),
        )
    ).scalar_one()
    parties: set[str] = set()
    if ties.thread:
        query = sa.select(THREAD_PARTY.c.address).where(THREAD_PARTY.c.thread == ties.thread, THREAD_PARTY.c.day < day)
        parties = set(connection.execute(query.limit(MOST_PARTIES)).scalars())
    recipients = tuple(
        SeenRecipient(
            outside=one.outside,
            written=counts.get((ties.sender, one.address), 0),
            heard=counts.get((one.address, ties.sender), 0),
            twin=max((counts.get((ties.sender, twin), 0) for twin in one.twins), default=0),
            in_thread=one.address in parties,
            confirmed=bool(one.marks) and _confirmed(connection, one.marks),
        )
        for one in ties.to
    )
    readers = sa.select(sa.func.min(TIE.c.day)).where(
        TIE.c.sender.in_([one.address for one in ties.to]), TIE.c.address == _EVERYBODY, TIE.c.day < day
    )
    read_since = connection.execute(readers).scalar_one()
    return Seen(
        int(sent),
        day - first if first is not None else timedelta(0),
        int(files),
        len(parties),
        recipients,
        day - read_since if read_since is not None else timedelta(0),
    )


def _counts(connection: sa.Connection, pairs: set[tuple[str, str]], day: date) -> dict[tuple[str, str], int]:
    senders = sorted({sender for sender, _ in pairs})
    addresses = sorted({address for _, address in pairs})
    query = (
        sa.select(TIE.c.sender, TIE.c.address, sa.func.sum(TIE.c.messages).label("messages"))
        .where(TIE.c.sender.in_(senders), TIE.c.address.in_(addresses), TIE.c.day < day)
        .group_by(TIE.c.sender, TIE.c.address)
    )
    return {(row.sender, row.address): int(row.messages) for row in connection.execute(query)}


def _confirmed(connection: sa.Connection, marks: tuple[str, ...]) -> bool:
    """A reviewer confirmed a case about work sent to this very address, which the finding itself took for one of our staff's:
    what else was among the recipients of that mail is learned from nobody.
    """
    query = (
        sa.select(FINDING.c.evidence)
        .join(APPEARANCE, APPEARANCE.c.finding_id == FINDING.c.id)
        .join(FACT, FACT.c.message_id == APPEARANCE.c.message_id)
        .join(CASE, CASE.c.id == FINDING.c.case_id)
        .join(DECISION, cases.last_word_is("confirm"))
        .where(FACT.c.fingerprint.in_(marks), FACT.c.confidence >= _SURE, FINDING.c.topic == "personal_address")
        .limit(_MOST_CONFIRMED)
    )
    shown = (item for evidence in connection.execute(query).scalars() for item in evidence)
    return any(item["fingerprint"] in marks and item["confidence"] >= _SURE for item in shown)


def forget(connection: sa.Connection, last_day: date) -> None:
    connection.execute(sa.delete(TIE).where(TIE.c.day < last_day))
    connection.execute(sa.delete(THREAD_PARTY).where(THREAD_PARTY.c.day < last_day))
