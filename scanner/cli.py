"""The command line: verbs, formats and exit codes of the contract. Thin: each command is a few calls into `scanner.app`."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import version as distribution_version
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from scanner import app, report
from scanner.clauses import CLASSES, counts
from scanner.errors import MailwardenError
from scanner.model import Authorisation
from scanner.policy import QUESTIONS, overdue
from scanner.report import Line, Summary

cli = typer.Typer(
    name="mailwarden",
    help="Scans mail and documents of a school trust for breaches of its acceptable-use policy. No found value is ever printed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
rules_cli = typer.Typer(help="Works on rules.", no_args_is_help=True)
policy_cli = typer.Typer(help="Works on policy packs.", no_args_is_help=True)
authorise_cli = typer.Typer(help="Records, lists and ends authorisations to scan.", no_args_is_help=True)
account_cli = typer.Typer(help="Local accounts for the triage page.", no_args_is_help=True)
cli.add_typer(rules_cli, name="rules")
cli.add_typer(policy_cli, name="policy")
cli.add_typer(authorise_cli, name="authorise")
cli.add_typer(account_cli, name="account")
contacts_cli = typer.Typer(help="Parents and carers from the school's records.", no_args_is_help=True)
cli.add_typer(contacts_cli, name="contacts")


class Format(StrEnum):
    table = "table"
    jsonl = "jsonl"
    csv = "csv"
    html = "html"


class JsonLines(StrEnum):
    jsonl = "jsonl"


class TableOrJsonLines(StrEnum):
    table = "table"
    jsonl = "jsonl"


class Direction(StrEnum):
    auto = "auto"
    outbound = "outbound"


class Answer(StrEnum):
    enforced = "enforced"
    open = "open"
    none = "none"


class Role(StrEnum):
    dpo = "dpo"
    manager = "manager"
    admin = "admin"


RulesOption = Annotated[Path | None, typer.Option("--rules", help="Folder of rules; default: the shipped ones.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="mailwarden.yaml; default: $MAILWARDEN_CONFIG or ./mailwarden.yaml.")
]

errors = Console(stderr=True, soft_wrap=True, highlight=False)


def main() -> None:
    """Entry point: an error becomes one plain sentence on standard error and exit status 2."""
    try:
        cli()
    except MailwardenError as error:
        errors.print(f"mailwarden: {error}", style="red", markup=False)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(2)
    except KeyboardInterrupt:
        errors.print("mailwarden: stopped", markup=False)
        sys.exit(2)


@contextmanager
def _progress(total: int | None, what: str) -> Iterator[Progress]:
    """A bar on standard error where that is a terminal; silent on a pipe."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        progress.add_task(what, total=total)
        yield progress


@cli.command()
def scan(
    paths: Annotated[
        list[Path], typer.Argument(help="Mails, documents, mailboxes, or folders of these.", metavar="PATH…")
    ],
    people: Annotated[Path | None, typer.Option(help="people.yaml: who is who.")] = None,
    policy: Annotated[str, typer.Option(help="Policy pack.")] = "base",
    rules: RulesOption = None,
    as_: Annotated[
        Direction, typer.Option("--as", help="outbound: judge every message as sent to outsiders.")
    ] = Direction.auto,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.table,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also say why the other rules stayed quiet (table and jsonl).")
    ] = False,
) -> None:
    """Scan mails (.eml, .msg, mbox, Maildir, .pst) and documents on this machine.

    Exit status: 0 nothing found and everything read, 1 something found, 2 not done, nothing read, or something not read. What the
    policy leaves unjudged (the mail of a pupil whom it does not bind, say) is named and counted apart from clean; it is no failure.
    """
    job = app.FileScan(
        paths=paths,
        people=people,
        policy=policy,
        rules=rules,
        as_outbound=as_ is Direction.outbound or people is None,
        jobs=jobs,
        explain=explain,
    )
    summary = Summary()
    console = Console(soft_wrap=True, highlight=False)
    kept: list[Line] = []
    with app.scanning(job, say=_say) as lines, _progress(None, "Scanning") as progress:
        for entry in lines:
            if isinstance(entry, str):
                summary.unread_arguments.append(entry)
                errors.print(f"mailwarden: {entry}", style="red", markup=False)
                continue
            summary.add(entry)
            if entry.empty or (entry.verdict.parts == 0 and entry.verdict.complete and not entry.verdict.problems):
                errors.print(f"mailwarden: {entry.path}: holds nothing (an empty file or message)", markup=False)
            progress.advance(progress.task_ids[0])
            if format_ is Format.jsonl:
                print(report.as_json(entry), flush=True)
            elif format_ is Format.table:
                report.print_line(console, entry)
            elif entry.verdict.findings or entry.verdict.problems or entry.verdict.not_judged:
                kept.append(entry)
    if summary.messages == 0 and not summary.unread_arguments:
        errors.print("mailwarden: there was no mail and no document in what was named", markup=False)
    elif people is not None and summary.ours == 0 and as_ is Direction.auto and summary.messages > summary.stored:
        errors.print(
            f"mailwarden: no message comes from a domain of {people}; is it the right file? All were judged as inbound.",
            style="yellow",
            markup=False,
        )
    if people is None and summary.messages > summary.stored:
        errors.print(
            "mailwarden: without --people every message counts as sent by one of yours to outsiders, and rules that ask who is a "
            "pupil, a parent or a colleague stay silent",
            markup=False,
        )
    if format_ is Format.csv:
        for row in report.as_csv(kept):
            print(row)
    elif format_ is Format.html:
        title = f"Mailwarden report: {', '.join(path.name or str(path) for path in paths[:3])}"
        print(report.as_html(kept, summary, title, datetime.now(UTC)))
    elif format_ is Format.table:
        report.print_summary(console, summary)
    raise typer.Exit(summary.exit_status)


def _say(sentence: str) -> None:
    errors.print(sentence, style="dim", markup=False)


@cli.command()
def detect(
    files: Annotated[list[str], typer.Argument(help="Plain UTF-8 texts; - is standard input.", metavar="FILE…|-")],
    lines: Annotated[bool, typer.Option("--lines", help="Each line is a text of its own.")] = False,
    format_: Annotated[JsonLines, typer.Option("--format", help="How to print.")] = JsonLines.jsonl,
) -> None:
    """Print the raw hits of every content detector, before any rule.

    The text itself is not printed: a hit is a label with its place and the reasons for it.
    """
    found = failed = False
    for name, text in _texts(files):
        if text is None:
            failed = True
            continue
        for hit in app.detect(name, text, by_line=lines):
            found = True
            print(json.dumps(hit, ensure_ascii=False))
    raise typer.Exit(2 if failed else int(found))


def _texts(names: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    for name in names:
        try:
            data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
            yield name, data.decode("utf-8-sig")
        except OSError as error:
            errors.print(f"mailwarden: {name}: cannot be read: {error.strerror}", style="red", markup=False)
            yield name, None
        except UnicodeDecodeError as error:
            errors.print(f"mailwarden: {name}: not UTF-8 text (byte {error.start})", style="red", markup=False)
            yield name, None


@cli.command()
def protection(
    files: Annotated[list[Path], typer.Argument(help="Files of any kind.", metavar="FILE…")],
    format_: Annotated[TableOrJsonLines, typer.Option("--format", help="How to print.")] = TableOrJsonLines.table,
) -> None:
    """Say how a file is protected, judged from its bytes, and grade it: none, signed, weak, strong or unknown."""
    failed = False
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("file", "protection", "mechanism", "opens without password", "why"):
        table.add_column(heading, overflow="fold")
    for path, answer in app.protection_of(files):
        if isinstance(answer, str):
            failed = True
            errors.print(f"mailwarden: {path}: {answer}", style="red", markup=False)
        elif format_ is TableOrJsonLines.jsonl:
            print(json.dumps(answer, ensure_ascii=False))
        else:
            opens = "yes" if answer["readable_without_password"] else "no"
            why = "; ".join(answer["reasons"]) or "no lock"
            table.add_row(str(path), str(answer["protection"]), str(answer["mechanism"]), opens, why)
    if table.row_count:
        console = Console(soft_wrap=False)
        console.print(table)
        console.print(
            "weak: looks locked and is not; unknown: a lock that cannot be judged, or too damaged to tell",
            style="dim",
        )
    raise typer.Exit(2 if failed else 0)


@rules_cli.command("check")
def rules_check(rules: RulesOption = None, policy: Annotated[str, typer.Option(help="Policy pack.")] = "base") -> None:
    """Load rules, lists, policy pack and routing, and list every mistake with its file and line."""
    print(app.check_rules(rules, policy))


@rules_cli.command("test")
def rules_test(
    rules: RulesOption = None,
    only: Annotated[list[str] | None, typer.Argument(help="Rule ids; default: all.", metavar="[RULE…]")] = None,
) -> None:
    """Run the examples of the rules. Exit status 1 when a rule fails one of its own."""
    proved = app.test_rules(rules, tuple(only or ()))
    for failure in proved.failures:
        wanted = "must flag" if failure.must_flag else "must let pass"
        print(
            f"{failure.place}: {failure.rule} {wanted}: {failure.why}"
            + (f" ({failure.reason})" if failure.reason else "")
        )
    print(f"{proved.number} examples, {len(proved.failures)} failed")
    raise typer.Exit(1 if proved.failures else 0)


@rules_cli.command("explain")
def rules_explain(
    mail: Annotated[Path, typer.Argument(help="A mail, a document, or a mailbox file.", metavar="MAIL")],
    people: Annotated[Path | None, typer.Option(help="people.yaml: who is who.")] = None,
    policy: Annotated[str, typer.Option(help="Policy pack.")] = "base",
    rules: RulesOption = None,
    as_: Annotated[
        Direction, typer.Option("--as", help="outbound: judge every message as sent to outsiders.")
    ] = Direction.auto,
    only: Annotated[list[str] | None, typer.Option("--rule", help="Only this rule; may be repeated.")] = None,
) -> None:
    """Say for each rule why it fired, or which condition stayed false, with the nearest miss first."""
    outbound = as_ is Direction.outbound or people is None
    for line in app.explain(mail, people, policy, rules, as_outbound=outbound, say=_say, only=only or ()):
        report.print_explained(Console(soft_wrap=True, highlight=False), line, frozenset(only or ()))


@rules_cli.command("backtest")
def rules_backtest(
    rules: Annotated[Path, typer.Option("--rules", help="Folder of the changed rules.")],
    against: Annotated[
        Path | None, typer.Option("--against", help="Folder of the rules to compare with; default: those in force.")
    ] = None,
    labelled: Annotated[
        Path | None, typer.Option(help="A labelled folder (people.yaml, labels.jsonl) instead of the stored messages.")
    ] = None,
    reread: Annotated[
        list[str] | None,
        typer.Option(help="Fetch and judge the mail of this mailbox anew, with --days and --why. May be given again."),
    ] = None,
    why: Annotated[str, typer.Option(help="Why mail is read again; recorded.")] = "",
    days: Annotated[
        int | None, typer.Option(min=1, help="Only messages of the last so many days (with --reread: 14).")
    ] = None,
    policy: Annotated[
        str, typer.Option(help="Policy pack that both sets are judged under; default: that of the settings.")
    ] = "",
    config: ConfigOption = None,
) -> None:
    """Say what changed rules would have done with past messages, before anybody is told by them.

    Against the store it works on facts, for no text is kept: where a change needs the text it says "cannot tell".
    """
    if labelled is not None:
        pairs, changed = app.backtest_labelled(labelled, rules, against, policy or "base", _say)
        report.print_labelled(Console(), pairs, changed)
        return
    if reread:
        found = app.backtest_again(config, rules, against, reread, days or 14, why, _say)
        report.print_comparison(Console(), found)
        return
    report.print_comparison(Console(), app.backtest(config, rules, against, days, policy))


@rules_cli.command("excuse")
def rules_excuse(
    only: Annotated[
        list[str] | None, typer.Argument(help="Exceptions by id; default: all with open_cases: true.")
    ] = None,
    why: Annotated[
        str, typer.Option(help="Why their mail is read again and they are excused; recorded (required).")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say which cases would be excused; reads their mail too.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Apply exceptions to cases that wait already: their messages are fetched and judged again. Nothing is hidden."""
    excused = kept = 0
    for asked in app.excuse_cases(config, only or (), why, _say, dry_run=dry_run):
        excused += bool(asked.by)
        kept += not asked.by
        print(f"case {asked.case.id} ({asked.case.topic}): {asked.because}")
    print(f"{excused} {'would be excused' if dry_run else 'excused'}, {kept} stay as they are")


@rules_cli.command("feedback")
def rules_feedback(config: ConfigOption = None) -> None:
    """Show for each rule how often the reviewers agreed with it, and what might be changed. Nothing is changed by itself."""
    report.print_records(Console(), app.feedback_table(config))


@rules_cli.command("propose")
def rules_propose(
    rules: Annotated[Path, typer.Option("--rules", help="Folder of the changed rules.")],
    why: Annotated[str, typer.Option(help="Why they change; kept in the change log.")],
    config: ConfigOption = None,
) -> None:
    """Check and prove a changed set, keep it under its version, and write down who wants it and why."""
    print(app.propose_rules(config, rules, why, _say))


@rules_cli.command("approve")
def rules_approve(
    version: Annotated[str, typer.Argument(help="A proposed version.")],
    why: Annotated[str, typer.Option(help="Why it is right; kept in the change log.")],
    config: ConfigOption = None,
) -> None:
    """Put a proposed set in force; where four eyes are asked for, nobody approves their own."""
    print(app.approve_rules(config, version, why))


@rules_cli.command("log")
def rules_log(config: ConfigOption = None) -> None:
    """Show which set is in force, and every change with who and why."""
    version, changes = app.rules_log(config)
    print(f"in force: {version}")
    for change in changes:
        print(
            f"{change.at:%Y-%m-%d %H:%M} {change.version} {change.what} by {change.actor}"
            + (f": {change.why}" if change.why else "")
        )


@rules_cli.command("schema")
def rules_schema() -> None:
    """Print the JSON Schema of a rule file, for editors; it is the same as rules/schema/rule.schema.json."""
    print(json.dumps(app.rule_schema(), indent=2, ensure_ascii=False))


@policy_cli.command("list")
def policy_list(rules: RulesOption = None) -> None:
    """List the packs with what each says about scanning, and warn of those that are due for review."""
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("pack", "title", "scan mode", "in force from", "clauses", "rules", ""):
        table.add_column(heading, overflow="fold")
    now = datetime.now(UTC)
    for pack, applying in app.policy_packs(rules):
        table.add_row(
            pack.slug, escape(pack.title), pack.scan_mode.replace("_", " "), str(pack.from_ or ""), str(len(pack.wording())),
            applying, "review overdue" if overdue(pack, now) else "",
        )  # fmt: skip
    Console(soft_wrap=False, width=None if sys.stdout.isatty() else 160).print(table)


@policy_cli.command("coverage")
def policy_coverage(
    slug: Annotated[str, typer.Argument(help="Policy pack.")],
    answer: Annotated[Answer | None, typer.Option(help="Only clauses with this answer.")] = None,
    rules: RulesOption = None,
) -> None:
    """For every clause: enforced, open or none. The counts come first; open never counts as enforced."""
    pack, wrong = app.policy_coverage(rules, slug)
    for sentence in wrong:
        errors.print(f"mailwarden: {sentence}", style="red", markup=False)
    found = counts(pack.register)
    total = found["all"]
    if not pack.register:
        print(
            f"{slug} has no register of clauses to answer one by one: its {len(pack.wording())} clauses are cited by topic"
        )
        raise typer.Exit(2 if wrong else 0)
    print(
        f"{slug}: {len(pack.register)} clauses: {total['enforced']} enforced, {total['open']} open, {total['none']} not about "
        "mail or documents"
    )
    for kind in CLASSES:
        of = found[kind]
        print(f"  {kind}: {of['enforced']} enforced, {of['open']} open, {of['none']} none")
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("clause", "class", "answer", "by, waits for, or why not", "says"):
        table.add_column(heading, overflow="fold")
    for clause in pack.register:
        if answer is None or clause.answer == answer.value:
            table.add_row(clause.id, clause.kind, clause.answer, escape(clause.by), escape(clause.says))
    if table.row_count:
        Console(soft_wrap=False, width=None if sys.stdout.isatty() else 180).print(table)
    raise typer.Exit(2 if wrong else 0)


@policy_cli.command("new")
def policy_new(
    slug: Annotated[str, typer.Argument(help="Name of the pack: lower-case letters, digits, - and _.")],
    rules: RulesOption = None,
    answers: Annotated[
        list[str] | None,
        typer.Option("--answer", help="KEY=WORD: answers one question beforehand.", metavar="KEY=WORD"),
    ] = None,
) -> None:
    """Ask some questions and write a pack that starts from base into the folder of rules."""
    given = dict(item.partition("=")[::2] for item in answers or ())
    for question in QUESTIONS:
        if question.key not in given and sys.stdin.isatty():
            choices = f" ({', '.join(question.words)})" if question.words else ""
            given[question.key] = typer.prompt(question.asks + choices, default=question.default or None)
    print(f"{app.new_policy(rules, slug, given)} was written; read it through, then: mailwarden policy coverage {slug}")


@policy_cli.command("diff")
def policy_diff(
    one: Annotated[str, typer.Argument(help="A pack.")],
    other: Annotated[str, typer.Argument(help="Another.")],
    rules: RulesOption = None,
) -> None:
    """Where two packs differ: keys, rules, severities."""
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("what", one, other):
        table.add_column(heading, overflow="fold")
    for row in app.policy_differences(rules, one, other):
        table.add_row(*(escape(cell) for cell in row))
    if not table.row_count:
        print(f"{one} and {other} say the same")
        return
    Console(soft_wrap=False, width=None if sys.stdout.isatty() else 160).print(table)


ApproverOption = Annotated[str, typer.Option("--approver", help="Who approved it: an address or a name.")]
RoleOption = Annotated[str, typer.Option("--role", help="As what: headteacher, governors, it_security, …")]
PackOption = Annotated[str, typer.Option("--policy", help="Pack, where it is not the one of the settings.")]
UntilOption = Annotated[datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="Last day.")]


class Kind(StrEnum):
    standing = "standing"
    grant = "grant"
    purpose = "purpose"
    authority = "authority"
    cause = "cause"


@authorise_cli.command("record")
def authorise_record(
    approver: ApproverOption,
    purpose: Annotated[str, typer.Option(help="What for.")],
    mailbox: Annotated[list[str], typer.Option(help="Mailbox in scope, or * for all; may be given more than once.")],
    kind: Annotated[Kind, typer.Option(help="What the policy in force asks for.")] = Kind.standing,
    role: RoleOption = "anyone_named",
    grounds: Annotated[str, typer.Option(help="Why, or which authority it rests on.")] = "",
    topic: Annotated[list[str] | None, typer.Option(help="Judge only this topic; may be given more than once.")] = None,
    start: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day; default: today.")
    ] = None,
    until: UntilOption = None,
    policy: PackOption = "",
    config: ConfigOption = None,
) -> None:
    """Record an authorisation, if the policy in force can give it."""
    with app.governing(config, policy) as here:
        given = app.authorise(
            here, kind=kind.value, purpose=purpose, scope=mailbox, approver=approver, approver_role=role, grounds=grounds,
            topics=topic or (), start=start.date() if start else None, until=until.date() if until else None,
        )  # fmt: skip
    print(_said(given))


@authorise_cli.command("sample")
def authorise_sample(
    approver: ApproverOption,
    purpose: Annotated[str, typer.Option(help="What for.")],
    size: Annotated[int, typer.Option(min=1, help="How many mailboxes.")],
    seed: Annotated[str, typer.Option(help="Any words; kept, so that everybody can draw the same again.")],
    role: RoleOption = "anyone_named",
    until: UntilOption = None,
    policy: PackOption = "",
    config: ConfigOption = None,
) -> None:
    """Draw mailboxes at random and authorise these, where the policy allows random checks."""
    with app.governing(config, policy) as here:
        given = app.authorise_sample(
            here, size=size, seed=seed, purpose=purpose, approver=approver, approver_role=role,
            until=until.date() if until else None,
        )  # fmt: skip
    print(
        f"{_said(given)}\ndrawn from {given.frame_size} mailboxes (frame {given.frame[:16]}) with seed {given.seed!r}"
    )


@authorise_cli.command("list")
def authorise_list(config: ConfigOption = None) -> None:
    """List every authorisation there was, those that live first in bold."""
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("no", "policy", "kind", "state", "from", "until", "review", "approved by", "purpose", "mailboxes"):
        table.add_column(heading, overflow="fold")
    now = datetime.now(UTC)
    with app.governing(config, reading=True) as here:
        for item in here.store.authorisations():
            state = "lives" if item.lives(now) else "ended" if item.ended_at else "lapsed or not begun"
            table.add_row(
                str(item.id), item.policy, item.kind, state, str(item.start), str(item.end or "open"), str(item.review or ""),
                escape(f"{item.approver} ({item.approver_role})"), escape(item.purpose), escape(", ".join(item.scope)),
                style="bold" if item.lives(now) else "",
            )  # fmt: skip
    Console(soft_wrap=False, width=None if sys.stdout.isatty() else 200).print(table)


@authorise_cli.command("end")
def authorise_end(
    number: Annotated[int, typer.Argument(help="Its number.")],
    reason: Annotated[str, typer.Option(help="Why it ends.")],
    config: ConfigOption = None,
) -> None:
    """End an authorisation at once; a scan that runs stops before its next message."""
    with app.governing(config) as here:
        app.end_authorisation(here, number, reason)
    print(f"Authorisation {number} has ended.")


@authorise_cli.command("review")
def authorise_review(
    number: Annotated[int, typer.Argument(help="Its number.")],
    reason: Annotated[str, typer.Option(help="Why it goes on.")],
    policy: PackOption = "",
    config: ConfigOption = None,
) -> None:
    """Let an authorisation run on until its next review."""
    with app.governing(config, policy) as here:
        until = app.review_authorisation(here, number, reason)
    print(f"Authorisation {number} runs on until its next review on {until}.")


def _said(given: Authorisation) -> str:
    until = f"until {given.end}" if given.end else "open-ended"
    review = f", to be reviewed by {given.review}" if given.review else ""
    return f"Authorisation {given.id} ({given.kind}) for {', '.join(given.scope)}, {until}{review}."


@cli.command()
def demo(
    web: Annotated[bool, typer.Option("--web/--no-web", help="Open the triage page afterwards.")] = True,
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its database and report.")] = Path("demo-data"),
    port: Annotated[int, typer.Option(help="Port of the triage page.")] = 8766,
) -> None:
    """Start a small made-up tenant behind a Graph-shaped HTTPS server on this machine, scan it, show what was found."""
    _log_to_stderr(logging.ERROR)
    console = Console(soft_wrap=False, highlight=False)
    with _progress(None, "Scanning the demo tenant's mailboxes") as progress:

        def advance(mailboxes: int) -> None:
            progress.update(progress.task_ids[0], completed=mailboxes)

        with app.demo(folder, port, say=_say, advance=advance) as result:
            progress.stop()
            app.show_demo(result, console)
            if web:
                name, password = result.account, result.password
                console.print(
                    f"\nTriage page: http://127.0.0.1:{port}   sign in as {name} with {password}", style="bold"
                )
                console.print("Ctrl-C ends it.", style="dim")
                app.serve(result.service, "127.0.0.1", port)


@cli.command()
def run(
    once: Annotated[bool, typer.Option("--once", help="One round over all mailboxes, then stop.")] = False,
    config: ConfigOption = None,
) -> None:
    """The service: rounds over the tenant's mailboxes, notices, and the triage page."""
    _log_to_stderr(logging.INFO)
    if not once:
        app.run_service(config, _say)
        return
    with _progress(None, "Mailboxes") as progress:
        tally = app.run_once(config, _say, lambda done: progress.update(progress.task_ids[0], completed=done))
    print(
        f"{tally.mailboxes} mailboxes, {tally.messages} messages judged, {tally.unchanged} known, {tally.new_cases} new cases, "
        f"{tally.incomplete} not wholly read"
        + (f", {tally.not_judged} not judged (left alone by the policy or the settings)" if tally.not_judged else "")
    )
    for gap in tally.gaps:
        print(f"not seen: {gap}")
    refused = ("not read, the policy asks for an authorisation that lives", tally.refused)
    for kind, mailboxes in (("out of reach", tally.parked), ("not finished", tally.unfinished), refused):
        if mailboxes:
            print(f"{kind}: {', '.join(sorted(set(mailboxes)))}")
    raise typer.Exit(2 if tally.unfinished or tally.refused else 0)


@cli.command()
def worker(config: ConfigOption = None) -> None:
    """A further worker on another machine: it reads mailboxes that `run` shares out (scan.work: shared, PostgreSQL)."""
    _log_to_stderr(logging.INFO)
    app.run_worker(config, _say)


@cli.command()
def web(config: ConfigOption = None) -> None:
    """The triage page alone."""
    _log_to_stderr(logging.INFO)
    app.run_web(config, _say)


@account_cli.command("add")
def account_add(
    name: Annotated[str, typer.Argument(help="Name to sign in with.")],
    email: Annotated[str, typer.Option(help="The person's work address: cases are routed by it.")],
    role: Annotated[list[Role], typer.Option(help="dpo, manager or admin; may be given more than once.")],
    totp: Annotated[bool, typer.Option("--totp/--no-totp", help="Ask for a one-time code as well.")] = True,
    config: ConfigOption = None,
) -> None:
    """Add a local account for the triage page. The password is asked for and never shown."""
    try:
        password = typer.prompt("Password (at least 12 characters)", hide_input=True, confirmation_prompt=True)
    except typer.Abort as error:
        raise MailwardenError("no password was given; nothing was added") from error
    for sentence in app.add_account(config, name, email, [item.value for item in role], password, totp):
        print(sentence)


@cli.command()
def doctor(config: ConfigOption = None) -> None:
    """Try sign-in, permissions, scope, clock and certificate of each tenant, and say what to mend. Exit status 2 when something is."""
    _log_to_stderr(logging.WARNING)  # a tenant out of reach is said while it is tried again
    console = Console(soft_wrap=True, highlight=False)
    marks = {"good": ("ok", "green"), "note": ("note", "yellow"), "bad": ("MEND", "red")}
    bad = 0
    with _progress(None, "Trying the tenant"):
        for tenant, checks in app.doctor(config):
            console.print(tenant, style="bold", markup=False)
            for check in checks:
                mark, style = marks[check.grade]
                console.print(f"  {mark:4}  {check.name}: {check.said}", style=style, markup=False)
                if check.mend:
                    console.print(f"        → {check.mend}", markup=False)
                bad += check.grade == "bad"
    raise typer.Exit(2 if bad else 0)


@cli.command()
def status(config: ConfigOption = None) -> None:
    """The last rounds, cases, notices and what is out of reach, from the database alone."""
    found = app.status(config)
    for run in found.runs:
        ended = f"{run.finished:%Y-%m-%d %H:%M}" if run.finished else "not finished"
        print(
            f"round {run.started:%Y-%m-%d %H:%M} to {ended}: {run.counts.mailboxes} mailboxes, {run.counts.messages} messages, "
            f"{run.counts.new_cases} new cases" + (f"; {run.error}" if run.error else "")
        )
    if not found.runs:
        print("no round yet")
    print("cases: " + (", ".join(f"{state} {number}" for state, number in found.cases.by_state.items()) or "none"))
    print("notices: " + (", ".join(f"{state} {number}" for state, number in found.notices.items()) or "none"))
    print(f"messages not wholly read: {found.incomplete}")
    print(f"messages not judged: {found.not_judged}")
    for kind, number in found.problems.items():
        print(f"  {kind}: {number}")
    if found.rules:
        print(f"rules in force: version {found.rules}")
    for sentence in found.rules_say:
        print(f"  {sentence}")
    for parked in found.parked:
        print(f"out of reach since {parked.since:%Y-%m-%d}: {parked.mailbox}: {parked.reason}")


@contacts_cli.command("import")
def contacts_import(
    file: Annotated[Path, typer.Argument(help="CSV with the columns email, name, pupil, school, class.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    config: ConfigOption = None,
) -> None:
    """Take parents and carers from a CSV file in place of those before. They are kept encrypted; nobody is printed."""
    changes = app.import_contacts(config, file, dry_run=dry_run)
    print(
        f"{changes.added} added, {changes.changed} changed, {changes.removed} removed, {changes.kept} as they were; "
        f"{changes.pupils} pupils"
        + (" (nothing was written)" if dry_run else "; in force from the next round of the service")
    )


@cli.command("settings")
def settings_(config: ConfigOption = None) -> None:
    """Print every setting with where it came from; secrets are hidden. Exit status 2 when a file that is named is not there."""
    rows = app.settings_table(config)
    if sys.stdout.isatty() and Console().width >= 140:
        table = Table(show_edge=False, pad_edge=False)
        for heading in ("setting", "value", "from", "meaning"):
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(row.name, escape(row.value), escape(row.source), row.meaning)
        Console().print(table)
    else:
        for row in rows:
            print(f"{row.name} = {row.value}  # {row.source}: {row.meaning}")
    missing = [row for row in rows if row.is_missing]
    for row in missing:
        errors.print(f"mailwarden: {row.name}: {row.value} does not exist", style="red", markup=False)
    raise typer.Exit(2 if missing else 0)


@cli.command()
def version() -> None:
    """Print the version."""
    print(f"mailwarden {distribution_version('mailwarden')}")


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at that moment: a progress bar takes its place while it runs, and keeps lines above it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def _log_to_stderr(level: int) -> None:
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s", handlers=[_Stderr()])
    for noisy in ("alembic", "urllib3", "msal", "presidio-analyzer", "apscheduler", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


if __name__ == "__main__":
    main()
