"""What `scan` prints: a table for people, JSON Lines for programs, CSV for spreadsheets, one HTML file for a DPO."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scanner.backtest import Comparison, Labelled, RuleRecord
from scanner.clauses import no_clause
from scanner.evidence import places_words
from scanner.inspection import Silence, nearness
from scanner.labels import LABELS, explanation, label_title
from scanner.model import SEVERITIES, Evidence, Finding, Problem, Verdict
from scanner.routing import ROLES_IN_WORDS

# A spreadsheet takes a cell that begins with one of these for a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# The terminal is for a first look; the HTML page and the JSON lines have all of them.
_MOST_REASONS = 3
_MOST_QUIET = 3
_SEVERITY_STYLE = {"minor": "cyan", "moderate": "yellow", "severe": "bold red"}
PROBLEM_WORDS = {
    "encrypted": "locked, so nobody but the key's holder can say what is in it",
    "corrupt": "damaged or cut off",
    "too_large": "larger than the limit",
    "too_deep": "nested too deep",
    "too_many_parts": "more parts than the limit",
    "timed_out": "took longer than the limit",
    "budget": "only partly searched: the budget was used up",
    "unsupported": "of a kind that this version cannot read",
    "crashed": "stopped the reader",
    "unavailable": "could not be fetched",
    "skipped": "left out on purpose: too small to hold words, switched off by the policy, or protected correspondence",
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A rule whose conditions hold in the message, and which fires only where the messages before show `needs` too."""

    rule: str
    owner: str
    topic: str
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One message or document of a scan."""

    path: str
    verdict: Verdict
    silences: tuple[Silence, ...] = ()
    # A file of no bytes: nothing in it was read.
    empty: bool = False
    waiting: tuple[Waiting, ...] = ()

    @property
    def explained(self) -> bool:
        """It was asked why: what each label means is said too. Some rule is always silent about a message."""
        return bool(self.silences)

    @property
    def found(self) -> tuple[Finding, ...]:
        """Findings that count: not exempted, not of a rule in shadow."""
        return tuple(item for item in self.verdict.findings if item.exempted_by is None and not item.shadow)


@dataclass(slots=True)
class Summary:
    """The counts of a scan, kept while its lines pass by."""

    messages: int = 0
    incomplete: int = 0
    locked: int = 0
    empty: int = 0
    # Left alone by decision, or judged for some topics alone: nothing found in them says nothing.
    not_judged: int = 0
    # Of these, the ones with findings: judged for the topics of the findings, and counted with those too.
    judged_in_part: int = 0
    flagged: int = 0
    # Nothing found, and nothing in them that was not read or not judged.
    clean: int = 0
    ours: int = 0
    stored: int = 0
    topics: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    unread_arguments: list[str] = field(default_factory=list)

    def add(self, line: Line) -> None:
        self.messages += 1
        self.incomplete += not line.verdict.complete
        self.locked += line.verdict.unread_protected > 0
        self.empty += line.empty
        self.flagged += bool(line.found)
        self.not_judged += bool(line.verdict.not_judged)
        self.judged_in_part += bool(line.verdict.not_judged and line.found)
        self.clean += line.verdict.complete and not (
            line.found or line.empty or line.verdict.unread_protected or line.verdict.not_judged
        )
        self.ours += line.verdict.direction in ("outbound", "internal")
        self.stored += line.verdict.direction == "stored"
        self.topics.update(item.topic for item in line.found)
        self.problems.update(problem.kind for problem in line.verdict.problems)

    @property
    def exit_status(self) -> int:
        """Contract section 1: 0 nothing found and all read, 1 something found, 2 not done, not all read, or nothing read.

        What the policy leaves unjudged was not failed at: it is said and counted apart, and changes no status.
        """
        if self.unread_arguments:
            return 2
        if self.flagged:
            return 1
        return 2 if self.incomplete or self.locked or self.messages == self.empty else 0

    @property
    def not_judged_words(self) -> str:
        part = f" ({self.judged_in_part} of them for some topics only)" if self.judged_in_part else ""
        return f"{self.not_judged} not judged{part}"

    def words(self) -> str:
        """One honest sentence: incomplete is never called clean."""
        if not self.messages:
            return "Nothing was read."
        parts = [f"{self.messages} looked at", f"{self.flagged} with findings"]
        if self.incomplete:
            parts.append(f"{self.incomplete} not wholly read")
        if self.locked:
            parts.append(f"{self.locked} with locked parts")
        if self.empty:
            parts.append(f"{self.empty} empty")
        if self.not_judged:
            parts.append(self.not_judged_words)
        parts.append(f"{self.clean} clean")
        return ", ".join(parts) + "."


def print_explained(console: Console, line: Line, only: frozenset[str]) -> None:
    """For each rule why it fired or what it missed."""
    console.print(f"{escape(_visible(line.path))}: {line.verdict.direction}", style="bold")
    if line.verdict.not_judged:
        console.print(f"  not judged: {_visible(line.verdict.not_judged)}", markup=False)
    for item in line.verdict.findings:
        if only and item.rule not in only:
            continue
        kind = "fired" if item.exempted_by is None else f"excused by {item.exempted_by}"
        state = f"{kind}, in shadow" if item.shadow else kind
        console.print(
            f"  {item.rule} {state} on the {item.owner}'s words ({item.topic}, {item.severity})", markup=False
        )
        for reason in item.reasons:
            console.print(f"      {_visible(reason)}", markup=False)
    for one in line.waiting:
        if only and one.rule not in only:
            continue
        console.print(
            f"  {one.rule} waits for the past on the {one.owner}'s words ({one.topic}): everything that it asks of this message "
            "holds, and these files do not show the rest, which the service knows from its store:",
            markup=False,
        )
        for need in one.needs:
            console.print(f"      {need}", markup=False)
    for silence in line.silences:
        if only and silence.rule not in only:
            continue
        console.print(
            f"  {silence.rule} stayed quiet on the {silence.owner}'s words: {silence.met} of {silence.needed} conditions hold",
            markup=False,
        )
        for wish in silence.missing:
            console.print(f"      {_visible(wish)}", markup=False)


_CHANGES = ("kept", "dropped", "excused", "cannot tell", "added")


def print_comparison(console: Console, found: Comparison) -> None:
    """The answer of a back-test: a sentence, a table, and what to look at."""
    console.print(found.words(), markup=False, soft_wrap=True)
    if found.changed:
        console.print(f"Changed rules: {', '.join(found.changed)}", markup=False, soft_wrap=True)
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("topic", "reviewers said", *_CHANGES):
        table.add_column(heading)
    for topic, said in sorted({(topic, said) for topic, _, said in found.counts}):
        numbers = [str(found.counts[topic, change, said]) for change in _CHANGES]
        table.add_row(topic, said.replace("_", " "), *numbers)
    if table.row_count:
        console.print(table)
    for look in found.look:
        message = _visible(look.internet_id) or str(look.message_id)
        what = f"case {look.case_id}" if look.case_id is not None else f"message {message} of {look.mailbox}"
        console.print(f"  {look.change}: {what} ({look.topic})", markup=False, soft_wrap=True)


def print_labelled(console: Console, pairs: Sequence[tuple[Labelled, Labelled]], changed: Sequence[str]) -> None:
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("topic", "found", "missed", "false alarms"):
        table.add_column(heading)
    for before, after in pairs:
        cells = [(before.found, after.found), (before.missed, after.missed), (before.false_alarms, after.false_alarms)]
        table.add_row(before.topic, *(str(a) if a == b else f"{a} → {b}" for a, b in cells))
    console.print(table)
    console.print(f"{len(changed)} files with another outcome" + (":" if changed else "."))
    for name in changed[:50]:
        console.print(f"  {_visible(name)}", markup=False, soft_wrap=True)


def print_records(console: Console, records: Sequence[RuleRecord]) -> None:
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("rule", "state", "cases", "in shadow", "confirmed", "false", "precision (95 %)", "suggestion"):
        table.add_column(heading, overflow="fold")
    for item in records:
        known = item.precision
        share = f"{known.confirmed / known.judged:.0%} ({known.low:.0%} to {known.high:.0%})" if known else "not judged"
        table.add_row(
            item.rule,
            item.state,
            str(item.cases),
            str(item.in_shadow),
            str(known.confirmed if known else 0),
            str(known.false_alarms if known else 0),
            share,
            known.suggestion if known else "",
        )
    console.print(table)


def as_json(line: Line) -> str:
    """Contract section 2, one line."""
    verdict = line.verdict
    shown: dict[str, Any] = {
        "path": line.path,
        "message_id": verdict.message_id,
        "direction": verdict.direction,
        "complete": verdict.complete,
        "unread_protected": verdict.unread_protected,
        "not_judged": verdict.not_judged or None,
        "elapsed_ms": verdict.elapsed_ms,
        "problems": [
            {"part": item.part, "kind": item.kind, "read": item.read, "detail": item.detail}
            for item in verdict.problems
        ],
        "findings": [_finding(item, explained=line.explained) for item in verdict.findings],
        "versions": asdict(verdict.versions),
    }
    if line.silences:
        shown["silent_rules"] = [asdict(item) for item in line.silences]
    if line.waiting:
        shown["waiting_rules"] = [asdict(item) for item in line.waiting]
    # JSON has no lone surrogates; a path on disk may (PEP 383).
    return msgspec.json.encode(_printable(shown)).decode()


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() if not value.isprintable() else value
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(item) for item in value]
    return value


def _visible(text: str) -> str:
    """For eyes: a name may hold escape sequences, line breaks or marks that turn the text round."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


_SHADOW = "shadow: the rule is on trial, or the policy counts such messages only when there are several"


def _finding(item: Finding, *, explained: bool = False) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "key": item.key,
        "rule": item.rule,
        "title": item.title,
        "topic": item.topic,
        "category": item.category,
        "severity": item.severity,
        "confidence": item.confidence,
        "owner": item.owner,
        "clauses": list(item.clauses),
        "subjects": item.subjects,
        # Who reads the contract's keys alone must not count what the table and the exit status leave out.
        "exempted_by": item.exempted_by or (_SHADOW if item.shadow else None),
        "shadow": item.shadow,
        "evidence": [
            {
                "label": line.label,
                "part": line.part,
                "count": line.count,
                "mask": line.mask,
                "confidence": line.confidence,
                **({"where": places_words(line.places)} if line.places else {}),
                **({"means": explanation(line.label)} if explained else {}),
            }
            for line in item.evidence
        ],
        "reasons": list(item.reasons),
        "advice": item.advice,
    }
    if item.route is not None:
        shown["route"] = {"role": item.route.role, "person": item.route.person, "because": item.route.because}
    return shown


CSV_COLUMNS = (
    "path", "topic", "severity", "confidence", "rule", "title", "clauses", "people_concerned", "route_role", "route_person",
    "evidence", "complete", "problems", "not_judged",
)  # fmt: skip


def as_csv(lines: Iterable[Line]) -> Iterable[str]:
    """A row for each finding, and one for each message that has none but was not wholly read or not judged. Safe to open in a
    spreadsheet.
    """
    yield _row(CSV_COLUMNS)
    for line in lines:
        problems = "; ".join(f"{item.part}: {item.kind}" for item in line.verdict.problems)
        read = ("yes" if line.verdict.complete else "no", problems, line.verdict.not_judged)
        for item in line.found:
            evidence = "; ".join(
                f"{_part(entry)}: {label_title(entry.label)} ×{entry.count}, {_mask(entry)}" for entry in item.evidence
            )
            route = item.route
            yield _row(
                (
                    line.path, item.topic, item.severity, str(item.confidence), item.rule, item.title, " ".join(item.clauses),
                    str(item.subjects), route.role if route else "", route.person if route else "", evidence, *read,
                )
            )  # fmt: skip
        if not line.found and (line.verdict.problems or line.verdict.not_judged):
            yield _row((line.path, *[""] * 10, *read))


def _how_not_judged(line: Line) -> str:
    """A message with findings was judged for some topics; the reason that follows is why not for the others."""
    return "not judged otherwise:" if line.found else "not judged"


def _mask(entry: Evidence) -> str:
    """The mask for eyes: one that shows nothing of the value begins with the label, which stands beside it already."""
    return entry.mask.removeprefix(f"{entry.label.replace('_', ' ')}, ")


def _part(entry: Evidence) -> str:
    return f"{entry.part}, {places_words(entry.places)}" if entry.places else entry.part


def _row(cells: Sequence[str]) -> str:
    buffer = io.StringIO()
    shown = ("\n".join(map(_visible, cell.split("\n"))) for cell in cells)
    # The writer puts quotation marks round a line break only where it is one of its own.
    csv.writer(buffer, lineterminator="\r\n").writerow(
        "'" + cell if cell.startswith(_FORMULA) else cell for cell in shown
    )
    return buffer.getvalue().removesuffix("\r\n")


def print_line(console: Console, line: Line) -> None:
    """One message for a reader at a terminal; silent where there is nothing to say."""
    if not (line.found or line.verdict.problems or line.silences or line.verdict.not_judged):
        return
    console.print(f"[bold]{escape(_visible(line.path))}[/bold]  [dim]{line.verdict.direction}[/dim]", highlight=False)
    for item in line.found:
        style = _SEVERITY_STYLE[item.severity]
        console.print(
            f"  [{style}]{item.severity:<8}[/{style}] {escape(_visible(item.title))} [dim]({item.topic})[/dim]",
            highlight=False,
        )
        if item.route is not None:
            whom = item.route.person or "nobody yet"
            console.print(
                f"           goes to {ROLES_IN_WORDS[item.route.role]}, {escape(_visible(whom))}: {escape(_visible(item.route.because))}",
                highlight=False,
            )
        shown = Table.grid(padding=(0, 2))
        for entry in item.evidence[:8]:
            times = f"×{entry.count}" if entry.count > 1 else ""
            shown.add_row(
                "          ",
                escape(_visible(_part(entry))),
                label_title(entry.label),
                times,
                escape(_visible(_mask(entry))),
            )
        if item.evidence:
            console.print(shown, highlight=False)
        for reason in item.reasons[:_MOST_REASONS]:
            console.print(f"           why: {escape(_visible(reason))}", style="dim", highlight=False)
        if line.explained:
            for label in dict.fromkeys(entry.label for entry in item.evidence):
                if words := explanation(label):
                    console.print(f"           {LABELS[label].title}: {words}", style="dim", highlight=False)
        clause = f"clause {', '.join(item.clauses)}" if item.clauses else no_clause(item.topic)
        console.print(f"           {clause}", style="dim", highlight=False)
    if line.verdict.not_judged:
        how = _how_not_judged(line)
        console.print(f"  [magenta]{how}[/magenta] {escape(_visible(line.verdict.not_judged))}", highlight=False)
    for problem in line.verdict.problems:
        console.print(f"  [magenta]not read[/magenta] {escape(_problem(problem))}", highlight=False)
    for one in line.waiting:
        needs = "; ".join(one.needs)
        console.print(
            f"  [dim]waits    {one.rule} ({one.owner}): fires only where {escape(needs)}[/dim]", highlight=False
        )
    nearest = sorted(line.silences, key=nearness)
    near = [silence for silence in nearest if silence.told][:_MOST_QUIET]
    for silence in near:
        console.print(
            f"  [dim]quiet    {silence.rule} ({silence.owner}): {escape(_visible(silence.reason))}[/dim]",
            highlight=False,
        )
    if len(nearest) > len(near):
        how = "more, further off" if near else "in all, and none came near"
        console.print(
            f"  quiet    {len(nearest) - len(near)} {how}; `mailwarden rules explain MAIL` shows them all",
            style="dim",
            highlight=False,
            markup=False,
        )


def _problem(problem: Problem) -> str:
    how = "partly read" if problem.read == "part" else "unread"
    detail = f" ({problem.detail})" if problem.detail else ""
    return _visible(f"{problem.part}: {how}, {PROBLEM_WORDS[problem.kind]}{detail}")


def print_summary(console: Console, summary: Summary) -> None:
    if summary.topics:
        table = Table(title="Findings by topic", title_justify="left", show_edge=False, pad_edge=False)
        table.add_column("topic")
        table.add_column("findings", justify="right")
        for topic, number in summary.topics.most_common():
            table.add_row(topic.replace("_", " "), str(number))
        console.print()
        console.print(table)
    console.print()
    console.print(summary.words(), style="bold", highlight=False)
    if summary.not_judged:
        console.print("Not judged is not clean: each of these messages says why.", highlight=False)
    if summary.problems:
        listed = ", ".join(f"{number} {kind}" for kind, number in summary.problems.most_common())
        console.print(f"Parts with a problem: {listed}. Not read is not clean.", highlight=False)


def as_html(lines: Sequence[Line], summary: Summary, title: str, made_at: datetime) -> str:
    """One self-contained page: no script, no link to anywhere, everything escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    routes: dict[str, list[tuple[Line, Finding]]] = {}
    for line in lines:
        for item in line.found:
            whom = f"{ROLES_IN_WORDS[item.route.role]}: {item.route.person or 'nobody yet'}" if item.route else "nobody"
            routes.setdefault(whom, []).append((line, item))
    for entries in routes.values():
        entries.sort(key=lambda entry: (-SEVERITIES.index(entry[1].severity), entry[0].path))
    unread = [line for line in lines if line.verdict.problems]
    page: str = environment.get_template("report.html").render(
        title=title,
        made_at=made_at,
        summary=summary,
        routes=dict(sorted(routes.items())),
        unread=unread,
        left=[line for line in lines if line.verdict.not_judged],
        words=PROBLEM_WORDS,
        visible=_visible,
        no_clause=no_clause,
        labels=LABELS,
        explanation=explanation,
        part=_part,
        mask=lambda entry: f"not shown ({_mask(entry)})" if _mask(entry) != entry.mask else entry.mask,
    )
    return page
