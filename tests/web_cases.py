"""Invented verdicts for the tests of the triage page, put into a store the way the pipeline does it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from scanner.model import (
    Direction,
    Evidence,
    Finding,
    Part,
    Problem,
    ProblemKind,
    Route,
    Segment,
    SegmentOwner,
    Severity,
    Verdict,
    Versions,
)
from scanner.store import AccountRole, Appearance, Committed, Store
from scanner.web import RevealResult, hash_password

NOW = datetime(2026, 10, 5, 9, 30, tzinfo=UTC)
PASSWORD = "correct horse battery"
DPO, HEAD, ADMIN = "dpo@elt.example", "head@northfield.elt.example", "it@elt.example"
VERSIONS = Versions("rules-1", "policy-1", "detectors-1")

TO_DPO = Route("dpo", DPO, "personal data that leaves the trust is for the data protection officer")
TO_HEAD = Route("line_manager", HEAD, "how staff write is for their line manager")
PAST_DPO = Route(
    "deputy_dpo", "deputy@elt.example", "personal data; the data protection officer is a party", fallback=True
)


def finding(
    topic: str,
    title: str,
    *,
    route: Route,
    severity: Severity = "moderate",
    evidence: Sequence[Evidence] = (),
    reasons: Sequence[str] = ("pattern, prefix valid",),
    subjects: int = 0,
    category: str = "personal_data",
    rule: str = "personal_data_to_outsider",
    confidence: float = 0.9,
    owner: SegmentOwner = "sender",
    advice: str = "",
    clauses: Sequence[str] = (),
    seed: str = "",
) -> Finding:
    return Finding(
        key=hashlib.sha256(f"{topic}{title}{seed}".encode()).hexdigest()[:32],
        rule=rule,
        rule_version="3f9a1c",
        title=title,
        topic=topic,
        category=category,
        severity=severity,
        confidence=confidence,
        owner=owner,
        subjects=subjects,
        evidence=tuple(evidence),
        reasons=tuple(reasons),
        clauses=tuple(clauses),
        route=route,
        advice=advice,
    )


def problem(kind: ProblemKind, part: str, detail: str = "") -> Problem:
    return Problem(part, "extract", kind, "none", detail)


def message(
    number: int,
    findings: Sequence[Finding] = (),
    problems: Sequence[Problem] = (),
    *,
    mailbox: str = "j.smith@northfield.elt.example",
    folder: str = "sentitems",
    direction: Direction = "outbound",
    content: str = "",
) -> Committed:
    verdict = Verdict(
        message_id=f"<{number}@elt.example>",
        direction=direction,
        findings=tuple(findings),
        problems=tuple(problems),
        complete=all(item.kind in {"encrypted", "skipped"} for item in problems),
        unread_protected=sum(item.kind == "encrypted" for item in problems),
        facts=(),
        versions=VERSIONS,
        content_hash=content or hashlib.sha256(str(number).encode()).hexdigest(),
        sent_at=NOW - timedelta(days=2, hours=number),
        parts=3,
        elapsed_ms=4.0,
    )
    return Committed(f"AAMk{number}", f"<{number}@elt.example>", mailbox, folder, verdict)


def commit(store: Store, results: Sequence[Committed], *, now: datetime = NOW) -> list[int]:
    found: list[int] = []
    places = dict.fromkeys((item.mailbox, item.folder) for item in results)
    for mailbox, folder in places:
        chosen = [item for item in results if (item.mailbox, item.folder) == (mailbox, folder)]
        found += store.commit_page(source="graph", mailbox=mailbox, folder=folder, token="t1", results=chosen, now=now)
    return found


def add_account(
    store: Store, name: str, role: AccountRole, email: str, *, totp_secret: str | None = None, now: datetime = NOW
) -> None:
    store.add_account(
        name,
        password_hash=hash_password(PASSWORD),
        totp_secret=totp_secret,
        roles={role},
        email=email,
        actor="test",
        now=now,
    )


CLASS_LIST = finding(
    "personal_data",
    "Several people's records went outside",
    route=TO_DPO,
    severity="severe",
    subjects=12,
    evidence=(
        Evidence("nhs", "attachment/1/list.xlsx/Class 4", "••••••••19", 12, 0.97),
        Evidence("date_of_birth", "attachment/1/list.xlsx/Class 4", "2016", 12, 0.88),
        Evidence("person", "attachment/1/list.xlsx/Class 4", "A.B.", 12, 0.71),
        Evidence("address", "body", "ZZ9", 1, 0.66),
        Evidence("reads_as_sensitive", "body", "reads as sensitive, medium", 1, 0.61, places=((3, 2),)),
    ),
    reasons=(
        "nhs (12 times): check digit correct, 'NHS No' heads the column",
        "date of birth (12 times): 'DOB' heads the column",
        "rules that agree: nhs_number_out, personal_data_to_outsider",
    ),
    clauses=("base:personal_data", "base:outsiders"),
    advice="Ask the recipient to delete it, and decide within 72 hours whether the ICO must be told.",
)


def sample_messages() -> list[Committed]:
    """Eight messages: six cases for the DPO and the head, one past the DPO, one with nothing, several unread parts."""
    lists = (
        problem("encrypted", "attachment/2/plan.docx", "AES-256"),
        problem("unsupported", "attachment/3/drawing.dwg", "no reader for this type"),
    )
    return [
        message(1, [CLASS_LIST], lists, content="c1"),
        message(101, [CLASS_LIST], lists, mailbox="office@northfield.elt.example", folder="inbox", content="c1"),
        message(
            2,
            [
                finding(
                    "inappropriate_language",
                    "Abusive words to a colleague",
                    route=TO_HEAD,
                    category="language",
                    rule="abusive_words",
                    evidence=(Evidence("profanity", "body", "strong", 3, 0.86),),
                    reasons=("profanity (3 times): aimed at the reader",),
                )
            ],
            direction="internal",
        ),
        message(
            3,
            [
                finding(
                    "personal_address",
                    "Work sent to the sender's own address",
                    route=TO_HEAD,
                    category="personal_address",
                    rule="work_to_own_address",
                    reasons=("the address is like the sender's name", "two attachments of work"),
                )
            ],
        ),
        message(
            4,
            [
                finding(
                    "weak_protection",
                    "A file that only looks locked",
                    route=TO_DPO,
                    severity="minor",
                    rule="owner_password_pdf",
                    evidence=(Evidence("person", "attachment/1/[name withheld].pdf", "C.D.", 2, 0.6),),
                    confidence=0.62,
                )
            ],
        ),
        message(
            5,
            [
                finding(
                    "chain_mail",
                    "Chain mail passed on",
                    route=TO_HEAD,
                    severity="minor",
                    category="chain_mail",
                    rule="pass_it_on",
                    owner="forwarded",
                )
            ],
        ),
        message(6, [finding("personal_data", "A record of one person went outside", route=PAST_DPO, seed="6")]),
        message(
            7,
            (),
            [problem("corrupt", "attachment/1/report.doc", "not an OLE file"), problem("skipped", "attachment/2")],
        ),
        message(8),
    ]


def revealed(_: Appearance) -> RevealResult:
    """What a worker would return: two parts of plain text, one with a quoted reply and hostile characters."""
    own = "Dear Pat,\n\nplease find this term's list attached. Ring me if <b>anything</b> is wrong.\n\nJane\n"
    quoted = "On Friday Pat Jones wrote:\nCould you send me the list?\u202egnp.exe\x07\n"
    body = Part(
        path="body",
        media_type="text/plain",
        text=own + quoted,
        segments=(Segment("sender", 0, len(own)), Segment("quoted", len(own), len(own) + len(quoted))),
    )
    rows = "Pupil\tBorn\tNHS No\nAda Byron\t10/12/2016\t999 000 0019\nAlan Mathison\t23/06/2016\t999 000 0027\n"
    return RevealResult(
        headings=(
            ("From", "Jane Smith <j.smith@northfield.elt.example>"),
            ("To", "Pat Jones <pat@club.example>"),
            ("Subject", "List for the football club"),
        ),
        parts=(body, Part(path="attachment/1/list.xlsx/Class 4", media_type="text/plain", text=rows)),
        problems=(problem("encrypted", "attachment/2/plan.docx"),),
        parties=frozenset({"j.smith@northfield.elt.example", "pat@club.example"}),
    )
