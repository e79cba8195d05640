"""Self, colleague, parent or stranger: what is made of each private address in eval/school, as a confusion matrix.

    python tests/bench/relations.py [FOLDER]

The truth comes from the corpus: private addresses and contacts that people.yaml lists; where a mail expects `personal_address`
and its only private recipient is listed nowhere, that one is the sender's own. `records` uses people.yaml as it is; `blind`
without private addresses, contacts and governors, as in a trust that has imported none. FOLDER is a corpus (contract section 6).
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import detectors
from connectors.people_file import load_people
from detectors.names import is_private_provider
from detectors.relations import Relations
from scanner.directory import Directory
from scanner.extract import Limits, open_item, read
from scanner.model import Envelope, Recipient
from scanner.ports import Message, NameBudget, RawItem

SCHOOL = Path(__file__).resolve().parents[3] / "shared" / "eval" / "school"
CLASSES = ("self", "colleague", "parent", "stranger")


def truth(recipient: Recipient, envelope: Envelope, directory: Directory, expected: set[str]) -> str:
    sender = directory.person(envelope.from_.address) if envelope.from_ else None
    owner = directory.private_owner(recipient.address)
    if owner is not None:
        return "self" if sender is not None and owner.email == sender.email else "colleague"
    if directory.contact(recipient.address) is not None:
        return "parent"
    private = [item for item in envelope.recipients if is_private_provider(item.domain)]
    alone = len(private) == 1 and directory.person(recipient.address) is None
    return "self" if "personal_address" in expected and alone else "stranger"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SCHOOL
    known = load_people(folder / "people.yaml")
    staff = tuple(replace(person, personal_addresses=()) for person in known.people if person.role != "governor")
    told = {"records": Directory(known), "blind": Directory(replace(known, people=staff, contacts=()))}
    loaded = detectors.load()
    matrix: dict[str, Counter[tuple[str, str]]] = {name: Counter() for name in told}
    relations = {name: Relations() for name in told}
    for line in (folder / "labels.jsonl").read_text("utf-8").splitlines():
        label = json.loads(line)
        raw = RawItem((folder / label["file"]).read_bytes(), "message/rfc822")
        for _, envelope in open_item(raw, Limits()):
            if told["records"].direction(envelope) != "outbound":
                continue
            parts = read(envelope, Limits()).parts
            private = [item for item in envelope.recipients if is_private_provider(item.domain)]
            for name, directory in told.items():
                hits = tuple(
                    replace(hit, part=part.path, owner=part.owner_at(hit.start))
                    for part in parts
                    if part.text and private
                    for hit in loaded.content(
                        part.text, part.tables, people=directory.people, budget=NameBudget(60_000)
                    )
                )
                message = Message(envelope, "outbound", parts, hits, directory)
                for item in private:
                    said = relations[name].of(item.address, item.name, message).kind
                    seen = said if said in CLASSES else "stranger"
                    real = truth(item, envelope, told["records"], set(label["expect"]))
                    matrix[name][real, seen] += 1
    for name, counted in matrix.items():
        print(f"{name:<10}" + "".join(f"{seen:>11}" for seen in CLASSES) + "   <- said")
        for real in CLASSES:
            print(f"{real:<10}" + "".join(f"{counted[real, seen]:>11}" for seen in CLASSES))
        right = sum(counted[one, one] for one in CLASSES)
        print(f"right: {right} of {counted.total()}\n")


if __name__ == "__main__":
    main()
