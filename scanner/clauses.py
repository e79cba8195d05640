"""The clause register: for every clause of a trust's policy, what this product does about it. Data in `rules/policies/clauses/`.

Each clause is answered by exactly one of: `rules` or `tests` (enforced: rules that are on in the pack, or a behaviour with the
test that shows it), `open` (what is still to be built), `none` (why it is not about mail or documents). `cited_by` names rules
whose findings cite the clause without enforcing it. `says` is in our own
words; a trust that wants its own wording shown puts it into `rules/policies/wording/<slug>.yml`, clause id to text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal

from scanner.rulebook import Rulebook
from scanner.yaml_source import Node, Reader, load

Answer = Literal["enforced", "open", "none"]
# Topics of which a case is made whatever a policy says, because it may protect somebody.
_SOMEBODY_IN_DANGER = frozenset({"threats", "safeguarding_concern", "staff_pupil_contact"})
ANSWERS: tuple[Answer, ...] = ("enforced", "open", "none")
# What a scanner can do about a clause at all: decide it, show a sign of it, obey it itself, or nothing.
CLASSES = ("full", "partial", "record", "none")


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause: its id as printed with the pack's slug, what it says in our own words, and the answer to it."""

    id: str
    says: str
    kind: str = ""
    rules: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    open: str = ""
    none: str = ""
    from_: date | None = None
    until: date | None = None
    cited_by: tuple[str, ...] = ()

    @property
    def answer(self) -> Answer:
        if self.rules or self.tests:
            return "enforced"
        return "open" if self.open else "none"

    @property
    def by(self) -> str:
        """What the answer rests on, in words."""
        if self.answer == "enforced":
            return ", ".join((*(f"rule {rule}" for rule in self.rules), *self.tests))
        return self.open or self.none

    def in_force(self, day: date | None, pack_from: date | None, pack_until: date | None) -> bool:
        """Whether it was in force on that day. Mail without a date is judged by the clauses of today."""
        first, last = self.from_ or pack_from, self.until or pack_until
        return day is None or ((first is None or first <= day) and (last is None or day <= last))


def load_register(
    reader: Reader, folder: Path, slug: str, rulebook: Rulebook | None
) -> tuple[tuple[Clause, ...], bytes]:
    """The clauses of `folder/policies/clauses/<slug>.yml`, none where there is no such file, and the bytes they came from."""
    path = folder / "policies" / "clauses" / f"{slug}.yml"
    if not path.is_file():
        return (), b""
    shown = f"{folder.name}/policies/clauses/{path.name}"
    words, word_bytes = _wording(reader, folder, slug)
    clauses: dict[str, Clause] = {}
    for item in reader.items(load(path, shown)):
        clause = _clause(reader, item, slug, rulebook)
        if clause.id in clauses:
            reader.wrong(item, f"clause {clause.id!r} is there twice")
        plain = clause.id.partition(":")[2]
        if plain in words:
            clause = replace(clause, says=words.pop(plain))
        clauses[clause.id] = clause
    for left in words:
        reader.wrong(f"{folder.name}/policies/wording/{slug}.yml", f"there is no clause {left!r}")
    return tuple(clauses.values()), path.read_bytes() + word_bytes


def _clause(reader: Reader, node: Node, slug: str, rulebook: Rulebook | None) -> Clause:
    keys = ("id", "class", "says", "rules", "tests", "open", "none", "cited_by", "from", "until")
    found = reader.mapping(node, keys, needed=("id", "class", "says"))
    answers = [key for key in ("rules", "tests", "open", "none") if key in found]
    if not answers or (len(answers) > 1 and answers != ["rules", "tests"]):
        reader.wrong(node, "needs exactly one answer: rules and/or tests, open, or none")
    rules = reader.texts(found.get("rules"))
    cited_by = reader.texts(found.get("cited_by"))
    if rulebook is not None:
        for key, names in (("rules", rules), ("cited_by", cited_by)):
            for name in names:
                if rulebook.rule(name) is None:
                    reader.wrong(found[key], f"there is no rule {name!r}")
    days = {}
    for key in ("from", "until"):
        if key in found and not isinstance(found[key].value, date):
            reader.wrong(found[key], "must be a day, such as 2026-09-01")
        days[key] = found[key].value if key in found and isinstance(found[key].value, date) else None
    return Clause(
        id=f"{slug}:{reader.text(found.get('id'))}",
        says=reader.text(found.get("says")),
        kind=reader.choice(found.get("class"), CLASSES, "none"),
        rules=rules,
        tests=reader.texts(found.get("tests")),
        open=reader.text(found.get("open")),
        none=reader.text(found.get("none")),
        from_=days["from"],  # type: ignore[arg-type]
        until=days["until"],  # type: ignore[arg-type]
        cited_by=cited_by,
    )


def _wording(reader: Reader, folder: Path, slug: str) -> tuple[dict[str, str], bytes]:
    path = folder / "policies" / "wording" / f"{slug}.yml"
    if not path.is_file():
        return {}, b""
    root = load(path, f"{folder.name}/policies/wording/{path.name}")
    if not isinstance(root.value, dict):
        reader.wrong(root, "must be a mapping of clause ids to the trust's own words")
        return {}, path.read_bytes()
    return {clause: reader.text(text) for clause, text in root.value.items()}, path.read_bytes()


def unfounded(clauses: Iterable[Clause], off: frozenset[str], rulebook: Rulebook) -> list[str]:
    """Sentences about answers that do not hold: an enforced clause with a rule that does not run under the pack."""
    wrong = []
    for clause in clauses:
        for name in clause.rules:
            rule = rulebook.rule(name)
            if rule is None or not rule.runs or rule.state == "shadow" or rule.id in off:
                wrong.append(f"{clause.id}: rule {name} does not run under this pack")
    return wrong


def counts(clauses: Iterable[Clause]) -> dict[str, Counter[str]]:
    """How many clauses of each class are enforced, open and none; under "all" the sums."""
    found: dict[str, Counter[str]] = {kind: Counter() for kind in (*CLASSES, "all")}
    for clause in clauses:
        found[clause.kind][clause.answer] += 1
        found["all"][clause.answer] += 1
    return found


def no_clause(topic: str) -> str:
    """What stands in the place of a finding's clauses where it cites none, of the policy in force when the mail was sent."""
    why = "somebody may be in danger" if topic in _SOMEBODY_IN_DANGER else "the rules in force look for it"
    return f"no clause of the policy in force names it; reported because {why}"
