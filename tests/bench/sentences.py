"""Recall and false alarms on 4,900 single sentences, a mail each, by writers who had seen neither product nor tests.

    python tests/bench/sentences.py [--half odd|even] [--class NAME] [--errors]

`sentences/*.jsonl`: `text`, `label` (what it is, or `none`) and `near` (what a harmless one resembles). Each is sent as the whole body
of a mail from a teacher to whoever the topic concerns: a colleague, a pupil's parent, a supplier. A sentence out of its mail is harder
than a mail, and many need what is not there (an attachment, a list of recipients, a second sign): recall here is compared with
itself from version to version, not with the figures on mails. The odd lines were read while tuning, the even ones were not.
`disclosure` expects the hand-over to the DSL; `sensitive` goes to an outsider about a pupil named before it.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections import Counter
from email.message import EmailMessage
from pathlib import Path

import yaml

import detectors
from connectors.people_file import parse_people
from scanner import inspection
from scanner.directory import Directory
from scanner.evidence import FingerprintKey
from scanner.extract import Limits, open_item
from scanner.inspection import HitCache, Instruments, Regime
from scanner.policy import load_policy
from scanner.ports import RawItem
from scanner.routing import load_routing
from scanner.rulebook import load_rulebook

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
COLLEAGUE, PARENT, PUPIL, OUTSIDER = (
    "colleague@oak.example",
    "r.holt@gmail.com",
    "p.holt@oak.example",
    "sales@supplier.example",
)
# Class: the topics any of which is right, and to whom it goes.
CLASSES = {
    "threat": ({"threats"}, COLLEAGUE),
    "harassment": ({"harassment_discrimination"}, COLLEAGUE),
    "discrimination": ({"harassment_discrimination"}, COLLEAGUE),
    "sexual": ({"sexual_content"}, COLLEAGUE),
    "insult": ({"inappropriate_language"}, COLLEAGUE),
    "disrepute": ({"defamation_disrepute"}, OUTSIDER),
    "private_business": ({"private_business"}, COLLEAGUE),
    "contract_commitment": ({"contract_commitment"}, OUTSIDER),
    "personal_cloud": ({"personal_cloud"}, COLLEAGUE),
    "ai_service": ({"ai_service"}, COLLEAGUE),
    "phishing": ({"phishing"}, COLLEAGUE),
    "gambling": ({"gambling"}, COLLEAGUE),
    "auction": ({"auctions", "private_business", "junk_bulk_mail"}, COLLEAGUE),
    "copyright": ({"copyright_media"}, COLLEAGUE),
    "impersonation": ({"impersonation"}, COLLEAGUE),
    "credentials": ({"credentials_in_mail", "password_exposed"}, OUTSIDER),
    "confidential": ({"confidential_info"}, OUTSIDER),
    "chain": ({"chain_mail"}, COLLEAGUE),
    "hoax": ({"chain_mail"}, COLLEAGUE),
    "round_robin": ({"junk_bulk_mail", "chain_mail"}, "all.staff@oak.example"),
    "private_contact": ({"sharing_personal_contact", "staff_pupil_contact"}, PARENT),
    "staff_pupil": ({"staff_pupil_contact", "sharing_personal_contact", "sexual_content"}, PUPIL),
    "disclosure": ({"safeguarding_concern"}, COLLEAGUE),
    "sensitive": ({"personal_data"}, OUTSIDER),
}
PEOPLE = {
    "organisation": "Oak Learning Trust",
    "domains": ["oak.example"],
    "schools": ["Oak Academy"],
    "people": [
        {"email": "teacher@oak.example", "name": "Robin Marlow", "role": "staff", "school": "Oak Academy"},
        {"email": COLLEAGUE, "name": "Kim Ferris", "role": "staff", "school": "Oak Academy"},
        {"email": PUPIL, "name": "Pat Holt", "role": "pupil", "school": "Oak Academy"},
    ],
    "contacts": [{"email": PARENT, "name": "Rae Holt", "pupils": ["Pat Holt"]}],
}


def mail(text: str, label: str) -> bytes:
    """The sentence as a mail from a teacher to whom its class concerns."""
    message = EmailMessage()
    message["From"] = "Robin Marlow <teacher@oak.example>"
    message["To"] = CLASSES[label][1]
    message["Subject"] = "Hello"
    message["Date"] = "Tue, 10 Nov 2026 11:00:00 +0000"
    about = "This is about Callum Reid in 9B. " if label == "sensitive" else ""
    message.set_content(about + text + "\n")
    return message.as_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--half", choices=("odd", "even", "all"), default="even", help="odd: read while tuning; even: not"
    )
    parser.add_argument("--class", dest="only", choices=sorted(CLASSES), help="one class and its near misses")
    parser.add_argument("--errors", action="store_true", help="each miss and false alarm of the odd half")
    options = parser.parse_args()
    if options.errors and options.half != "odd":
        parser.error("--errors shows the odd half only: the even one stays unread")
    logging.disable(logging.WARNING)
    rules, seeing = REPOSITORY / "rules", detectors.load()
    rulebook = load_rulebook(rules, seeing.labels)
    regime = Regime(rulebook, load_policy(rules, "base", rulebook), load_routing(rules))
    directory = Directory(parse_people(yaml.safe_dump(PEOPLE).encode(), "people of the bench"))
    tools = Instruments(seeing, Limits(), FingerprintKey(0, b"\0" * 32), HitCache())
    right, asked, false, harmless, ordinary = (
        Counter[str](),
        Counter[str](),
        Counter[str](),
        Counter[str](),
        Counter[str](),
    )
    for path in sorted((HERE / "sentences").glob("*.jsonl")):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            case = json.loads(line)
            label = case["label"] if case["label"] != "none" else case["near"]
            wanted = options.half == "all" or (number % 2 == 1) == (options.half == "odd")
            if not wanted or (options.only and label != options.only):
                continue
            item = RawItem(mail(case["text"], label or "threat"), "message/rfc822")
            found = {
                each.topic
                for _, envelope in open_item(item, Limits())
                for each in inspection.inspect(envelope, directory, regime, tools).findings
            }
            if not label:
                ordinary["lines"] += 1
                ordinary.update(found - {"safeguarding_concern"})
                if options.errors and found - {"safeguarding_concern"}:
                    print(f"false  {sorted(found)}  {case['text']}")
                continue
            hit = bool(found & CLASSES[label][0])
            if case["label"] == "none":
                harmless[label] += 1
                false[label] += hit
            else:
                asked[label] += 1
                right[label] += hit
            if options.errors and hit == (case["label"] == "none"):
                print(f"{'false ' if hit else 'missed'} {label}: {case['text']}")
    for label in sorted(asked):
        print(
            f"{label:20} found {right[label]:3} of {asked[label]:3}   near misses reported {false[label]:3} of {harmless[label]:3}"
        )
    print(
        f"{'all':20} found {right.total():3} of {asked.total():3}   near misses reported {false.total():3} of {harmless.total():3}"
    )
    if ordinary:
        reported = {topic: count for topic, count in ordinary.items() if topic != "lines"}
        print(f"ordinary lines: {ordinary['lines']}, reported: {reported or 'none'}")


if __name__ == "__main__":
    main()
