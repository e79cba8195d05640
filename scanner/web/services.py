"""What the triage page is handed: everything it needs, built by `scanner.app`, and nothing global."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from scanner.exemptions import Exemptions
from scanner.inspection import Silence
from scanner.model import Finding, Part, Problem
from scanner.policy import Policy
from scanner.rule_sets import Change
from scanner.rulebook import Rulebook
from scanner.store import Appearance, Store


@dataclass(frozen=True, slots=True)
class RevealResult:
    """A message fetched again and read in a worker, to be shown once and never written.

    `headings` are rows such as ("From", "…"), `parts` hold plain text and its segments, `parties` are the addresses of
    everybody who takes part in the mail, lower case: none of them may read it here (Never 5).
    """

    headings: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...] = field(repr=False)
    problems: tuple[Problem, ...] = ()
    parties: frozenset[str] = frozenset()


def _nobody(_: Collection[str]) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Explained:
    """A message fetched and judged again: what fired, and why every other rule stayed quiet. Holds no text and no value.

    `parties`: as in `RevealResult`. `not_judged`: as in `Verdict`.
    """

    findings: tuple[Finding, ...]
    silences: tuple[Silence, ...]
    parties: frozenset[str] = frozenset()
    not_judged: str = ""


@dataclass(frozen=True, slots=True)
class WebServices:
    """`reveal` and `explain` raise ConnectorError when the message cannot be fetched from this place; `explain` raises
    NotAuthorisedError where the policy in force lets nothing be judged there now.

    `session_key`: at least 16 random bytes, the "web" subkey. `public_url`: how users reach the page; https makes the
    cookie Secure. `notified` takes a change notification of Graph, None where there are none. `labels` and `clauses` put
    words to labels and clause ids beyond those that `wording` knows. `known_as` gives the names of our people behind keyed
    fingerprints of a passed-on mail, as far as the directory has them.
    """

    store: Store
    clock: Callable[[], datetime]
    session_key: bytes = field(repr=False)
    public_url: str
    reveal: Callable[[Appearance], RevealResult]
    explain: Callable[[Appearance], Explained]
    policy_title: str
    rulebook: Rulebook
    policy: Policy | None = None
    # The packs of several tenants under their names; the rules are the same for all.
    policies: tuple[tuple[str, Policy], ...] = ()
    # Why the set in force is not the one in the rules folder; empty where it is.
    rules_notice: str = ""
    exemptions: Exemptions = field(default_factory=Exemptions)
    rule_changes: Callable[[], list[Change]] = list
    labels: Mapping[str, str] = field(default_factory=dict)
    clauses: Mapping[str, str] = field(default_factory=dict)
    notified: Callable[[bytes], bool] | None = None
    # What nobody looks at, in sentences: what the source cannot show and what the settings leave out.
    gaps: tuple[str, ...] = ()
    # Account roles that may read the mail behind a case, and whether a confirmed case needs a word on what was done before it
    # is closed: both the policy's decision.
    may_reveal: frozenset[str] = frozenset({"dpo", "manager"})
    must_pursue: bool = False
    known_as: Callable[[Collection[str]], Mapping[str, str]] = _nobody
