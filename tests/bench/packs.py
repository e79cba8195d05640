"""The same 40 invented mails under all six packs: what each finds, and for each difference the clause that makes it.

python tests/bench/packs.py            the table, then the differences with their clauses
python tests/bench/packs.py --coverage the clause registers: enforced, open, none by pack and class, and what is open
"""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

import made_up  # noqa: E402
from packs_cast import FIVE, SLUGS, example_file, judge, pack  # noqa: E402

from scanner.clauses import ANSWERS, CLASSES, counts  # noqa: E402
from scanner.model import Envelope, Finding  # noqa: E402

JANE, SAM, HEAD, PA = "jane.smith@elt.example", "sam.lee@elt.example", "head@elt.example", "pa@elt.example"
OUT, COUNCIL, PARENT = "desk@outdoorcentre.example", "team@council.gov.example", "pat.jones@gmail.com"
PUPIL, OWN, ALL, FRIEND = (
    "22bjones@northfield.elt.example",
    "jane.smith84@gmail.com",
    "allstaff@elt.example",
    "friend@gmail.com",
)
NUMBER = "Ron Tanner, national insurance number AB 12 34 56 C, date of birth 03/04/1981."
ABUSE = "You are a useless fucking idiot, you stupid twat."
CHAIN = (
    "Send this to ten people within 24 hours for good luck; break the chain and you will have seven years of bad luck."
)
LURE = "Your mailbox has been suspended. Click the link below to verify your account within 24 hours."
WORK = "The Year 9 lesson plans and the seating plan for the pupils are attached, please print the assessment data."
CLOUD = "I saved the class list and the assessment data in my own Dropbox so that I can work at home."
DINNER = "I booked us a table at the Italian for Saturday."
NIGHT = datetime(2026, 9, 7, 20, 0, tzinfo=UTC)
DAY = datetime(2026, 9, 7, 9, 0, tzinfo=UTC)
STRONG = ("group.zip", example_file("transfer_without_authorisation", "group.zip"))
WEAK = ("group.zip", example_file("weak_protection", "group.zip"))
PROGRAM = ("setup.exe", example_file("malware_executables", "setup.exe"))
FORWARD = f"Is this real?\n\n---------- Forwarded message ----------\nFrom: Desk <desk@support.example>\nSubject: Account\n\n{LURE}"
ANSWER = f"Which account?\n\nOn Mon, 7 Sep 2026 at 09:10, Desk <desk@support.example> wrote:\n> {LURE}"

# What a server rule would add to everything that leaves, so that only the mail about it lacks it.
DISCLAIMER = "\n\n-- \nThis e-mail is intended solely for the addressee."


def mail(from_: str, to: list[str], *, body: str = "", disclaimer: bool = True, **more: Any) -> Envelope:
    """A made-up mail as it leaves the house, with the disclaimer unless it is the one that lacks it."""
    return made_up.mail(from_, to, body=body + DISCLAIMER if disclaimer else body, **more)


MAILS: tuple[tuple[str, Envelope], ...] = (
    ("data to an outsider", mail(JANE, [OUT], subject="Form", body=NUMBER)),
    ("data to a trusted authority", mail(JANE, [COUNCIL], subject="Form", body=NUMBER)),
    ("data to a colleague, in the text", mail(JANE, [SAM], subject="Form", body=NUMBER)),
    ("data to a colleague, attached", mail(JANE, [SAM], subject="Form", body="Attached.", files=[("form.txt", NUMBER.encode())])),
    ("a zip with the old cipher to an outsider", mail(JANE, [OUT], subject="Files", files=[WEAK])),
    ("a zip with AES to an outsider", mail(JANE, [OUT], subject="Files", files=[STRONG])),
    ("a zip with AES, by one with a transfer grant", mail(PA, [COUNCIL], subject="Files", files=[STRONG])),
    ("its password in the same mail", mail(JANE, [OUT], subject="Files", body="The password is Harvest7!Moon", files=[STRONG])),
    ("a class list into a private cloud", mail(JANE, [SAM], subject="Year 9", body=CLOUD)),
    ("the same with a locked file", mail(JANE, [SAM], subject="Year 9", body=CLOUD, files=[STRONG])),
    ("work to one's own address", mail(JANE, [OWN], subject="Year 9 assessment", body=WORK)),
    ("work from one's own address", mail(OWN, [SAM], subject="Year 9 assessment", body=WORK)),
    ("private phone number to a pupil", mail(JANE, [PUPIL], subject="Hi", body="Ring me on my own mobile, 07700 900123.")),
    ("private phone number to a parent", mail(JANE, [PARENT], subject="Hi", body="Ring me on my own mobile, 07700 900123.")),
    ("about another family's child", mail(JANE, [PARENT], subject="Amira", body="Dear Nadia Khan,\nAmira Khan was upset today.\nJane")),
    ("abuse of a colleague", mail(JANE, [SAM], subject="Rota", body=ABUSE)),
    ("abuse by a pupil", mail(PUPIL, [SAM], subject="Hey", body=ABUSE)),
    ("a grumble among colleagues", mail(JANE, [SAM], subject="School", body="Honestly, this trust is a joke and the management is useless.")),
    ("a chain letter", mail(JANE, [SAM], subject="Luck", body=CHAIN)),
    ("a chain letter to an outsider", mail(JANE, [OUT], subject="Luck", body=CHAIN)),
    ("a joke to one colleague", mail(JANE, [SAM], subject="Friday funny", body="This made me laugh. A man walks into a library and asks for chips.")),
    ("useful news to all staff", mail(JANE, [ALL], subject="Photocopier", body="The photocopier is mended.")),
    ("a lost mug to all staff", mail(JANE, [ALL], subject="My mug", body="Has anyone seen my mug? Whoever took it, bring it back.")),
    ("a suspicious mail passed on", mail(JANE, [SAM], subject="FW: Account", body=FORWARD)),
    ("the same to IT security", mail(JANE, ["itsecurity@elt.example"], subject="FW: Account", body=FORWARD)),
    ("a suspicious mail answered", mail(JANE, ["desk@support.example"], subject="RE: Account", body=ANSWER)),
    ("a program", mail(JANE, [OUT], subject="Tool", files=[PROGRAM])),
    ("in the head's name without a grant", mail(HEAD, [OUT], sender=SAM, subject="Booking", body="We will come on Friday.")),
    ("in the head's name with a grant", mail(HEAD, [OUT], sender=PA, subject="Booking", body="We will come on Friday.")),
    ("no subject", mail(JANE, [SAM], body="Fine by me.")),
    ("a mail without the disclaimer", mail(JANE, [OUT], subject="Trip", body="See you on Friday.", disclaimer=False)),
    ("a quotation accepted", mail(JANE, ["sales@printco.example"], subject="Boards", body="We accept your quotation of £4,200.")),
    ("reports put into a chatbot", mail(JANE, [SAM], subject="Reports", body="I pasted the whole set of reports into ChatGPT.")),
    ("an own bid at an auction", mail(JANE, [OUT], subject="Bike", body="I am the highest bidder and there are three hours left on the auction.")),
    ("a lottery syndicate", mail(JANE, [SAM], subject="Syndicate", body="The lottery syndicate money is due, five pounds each by Thursday.")),
    ("private tuition offered", mail(JANE, [PARENT], subject="Maths", body="I also offer private tuition at home, 35 pounds an hour. My customers are happy.")),
    ("a private table booked in the morning", mail(JANE, [FRIEND], subject="Dinner", body=DINNER, sent_at=DAY)),
    ("the same in the evening", mail(JANE, [FRIEND], subject="Dinner", body=DINNER, sent_at=NIGHT)),
    ("an answer demanded at nine at night", mail(JANE, [SAM], subject="Figures", body="I need your figures tonight.", sent_at=NIGHT)),
    ("a disclosure to a whistle-blowing line", mail(JANE, ["advice@whistleblowing.example"], subject="A disclosure", body=NUMBER)),
)  # fmt: skip


def shown(finding: Finding) -> str:
    role = finding.route.role if finding.route else "nobody"
    return f"{finding.topic} {finding.severity} → {role}" + (
        " (excused)" if finding.exempted_by else " (pattern)" if finding.shadow else ""
    )


def table() -> int:
    print(
        f"{len(MAILS)} mails; a cell: topic, severity → who gets it; '-' nothing found; 'sealed' not read; 'same' as base\n"
    )
    print("mail | " + " | ".join(SLUGS))
    differing = 0
    unfounded = []
    notes: list[str] = []
    for name, envelope in MAILS:
        verdicts = {slug: judge(slug, envelope) for slug in SLUGS}
        cells = {
            slug: "sealed" if not verdict.parts else "; ".join(sorted(map(shown, verdict.findings))) or "-"
            for slug, verdict in verdicts.items()
        }
        print(
            f"{name} | "
            + " | ".join(cell if slug == "base" or cell != cells["base"] else "same" for slug, cell in cells.items())
        )
        differing += len(set(cells.values())) > 1
        topics = {finding.topic for verdict in verdicts.values() for finding in verdict.findings}
        for topic in sorted(topics):
            of = {
                slug: [item for item in verdict.findings if item.topic == topic] for slug, verdict in verdicts.items()
            }
            if len({tuple(sorted(map(shown, items))) for items in of.values()}) == 1:
                continue
            cited = {slug: items[0].clauses for slug, items in of.items() if items and slug != "base"}
            unfounded += [f"{name}: {slug} {topic}" for slug, clauses in cited.items() if not clauses]
            quiet = sorted(slug for slug, items in of.items() if not items)
            said = "; ".join(
                clauses[0] + (f" and {len(clauses) - 1} more" if len(clauses) > 1 else "")
                for clauses in cited.values()
                if clauses
            )
            notes.append(f"- {name}, {topic}: {said}" + (f"; not under {', '.join(quiet)}" if quiet else ""))
    print(f"\n{differing} of {len(MAILS)} mails have differing outcomes. The clauses behind each difference:")
    print("\n".join(notes))
    print(f"\nfindings of the five packs that differ and cite no clause: {len(unfounded)}")
    print("\n".join(f"  {line}" for line in unfounded))
    return 0


def coverage() -> int:
    print("pack | class | enforced | open | none")
    total: Counter[str] = Counter()
    waits: dict[str, list[str]] = {}
    for slug in FIVE:
        found = counts(pack(slug).register)
        for kind in (*CLASSES, "all"):
            print(f"{slug} | {kind} | " + " | ".join(str(found[kind][answer]) for answer in ANSWERS))
        total += found["all"]
        for clause in pack(slug).register:
            if clause.answer == "open":
                waits.setdefault(clause.open, []).append(clause.id)
    print(
        "five | all | " + " | ".join(str(total[answer]) for answer in ANSWERS) + f"   ({sum(total.values())} clauses)"
    )
    print("\nopen clauses by what they wait for")
    for what, clauses in sorted(waits.items(), key=lambda item: -len(item[1])):
        print(f"- {len(clauses)}: {what}\n    {', '.join(clauses)}")
    return 0


if __name__ == "__main__":
    sys.exit(coverage() if "--coverage" in sys.argv[1:] else table())
