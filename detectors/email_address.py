"""E-mail addresses."""

from __future__ import annotations

import re

from detectors.base import Ladder, PatternDetector, Reading

# Mailboxes of a job or an office rather than of a person (reference uk-personal-data, section 1.15).
_ROLES = frozenset(
    (
        "office admin administration administrator head headteacher principal info information enquiries enquiry contact "
        "senco sendco dsl safeguarding reception finance accounts hr payroll it itsupport support helpdesk help sales "
        "noreply no-reply donotreply do-not-reply postmaster webmaster abuse exams attendance absence admissions library "
        "secretary clerk governors chair dpo dataprotection privacy press news newsletter team staff all everyone mail "
        "service services customerservice customerservices orders bookings booking billing marketing jobs recruitment "
        "security root mailer-daemon hostmaster owner request subscribe unsubscribe list users announce feedback"
    ).split()
)

# A dot that was written out, in brackets or as a word; the last alternative is the dot itself.
_SPOKEN_DOT = r"(?: ?[(\[{] ?(?i:dot) ?[)\]}] ?| (?i:dot) )"
_DOT = rf"(?:{_SPOKEN_DOT}|\.)"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,40}[A-Za-z0-9])?"
_MAILBOX = rf"[A-Za-z0-9][A-Za-z0-9_+'-]{{0,30}}(?:{_DOT}[A-Za-z0-9_+'-]{{1,30}}){{0,2}}"
# What stands before "at" where a site is meant: "look at example dot com", "us at example dot org".
_NO_MAILBOX = frozenset(
    (
        "us me it him her them you look looks looking find found see seen visit meet met is are was be live online available "
        "website site page shop store stay arrive work works working based sold here there register sign up in on out or and "
        "also back made held hosted booked book point aim start stop online now today tickets details information"
    ).split()
)


class EmailAddress(PatternDetector):
    """An e-mail address; surer where it has the form of a person's name, a note where it belongs to an office."""

    labels = ("email",)
    wake = (r"[\w]@[a-z0-9-]",)
    patterns = (
        r"(?<![\w.+%'@/:=-])[A-Za-z0-9](?:[A-Za-z0-9._%+'-]{0,62}[A-Za-z0-9_])?@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9-]{1,63}){0,5}"
        r"\.[A-Za-z]{2,24}(?![\w@-])(?!\.\w)",
    )
    headings = ("email", "emailaddress", "homeemail", "parentemail", "workemail", "contactemail", "mail")

    def read(self, match: re.Match[str]) -> Reading | None:
        return _judged(match.group().lower())


def _judged(value: str) -> Reading | None:
    """An address in its usual form, by what its first part says."""
    local = value.partition("@")[0]
    if ".." in value:
        return None
    plain = re.sub(r"\d+$", "", local.partition("+")[0])
    if plain in _ROLES or re.split(r"[._-]", plain)[-1] in _ROLES or re.split(r"[._-]", plain)[0] in _ROLES:
        return Reading(value, Ladder(0.5, 0.5, 0.6), ("mailbox of an office",))
    # first.last, f.last: the address alone names somebody.
    if re.fullmatch(r"[a-z]{1,20}[._][a-z'-]{2,30}", plain):
        return Reading(value, Ladder(0.8, 0.85, 0.9), ("form of a person's name",))
    return Reading(value, Ladder(0.7, 0.75, 0.85), ())


class WrittenOutAddress(PatternDetector):
    """An e-mail address that was written so that programs do not see it: "name at example dot org", "name[at]example.org".

    Often mistaken for one: a site that is spoken of ("look at example dot com"). A bare "at" counts only with a "dot" that is
    written out, too; more surely where the first part has the form of a name or words such as "e-mail" stand near.
    """

    labels = ("email",)
    wake = (
        r"[a-z0-9_] ?[(\[{<] ?(?:at|@) ?[)\]}>] ?[a-z0-9]",
        r"[a-z0-9_] at [a-z0-9-]{2,63} ?(?:[(\[{]dot[)\]}]|dot\b)",
    )
    patterns = (
        rf"(?<![\w.@+-])(?P<local>{_MAILBOX}) ?[(\[{{<] ?(?i:at|@) ?[)\]}}>] ?(?P<domain>{_LABEL}(?:{_DOT}{_LABEL}){{1,4}})(?![\w@])",
        rf"(?<![\w.@+-])(?P<name>{_MAILBOX}) (?i:at) (?P<host>{_LABEL}(?:{_SPOKEN_DOT}{_LABEL}){{1,4}})(?![\w@])",
    )
    context = (
        *(
            "email",
            "e-mail",
            "mail",
            "email me",
            "email address",
            "e-mail address",
            "address is",
            "contact",
            "write to",
        ),
        *("reach me", "reach her", "reach him", "get hold of", "send it to", "drop me a line", "forward it to"),
    )
    headings = ("email", "emailaddress", "homeemail", "parentemail", "workemail", "contactemail", "mail")

    def read(self, match: re.Match[str]) -> Reading | None:
        groups = match.groupdict()
        spoken = groups.get("local") is None
        local = _plain_dots(groups.get("local") or groups.get("name") or "")
        domain = _plain_dots(groups.get("domain") or groups.get("host") or "")
        if not re.fullmatch(r"[a-z]{2,24}", domain.rpartition(".")[2]):
            return None
        if spoken and local in _NO_MAILBOX:
            return None
        judged = _judged(f"{local}@{domain}")
        if judged is None:
            return None
        ladder = judged.ladder
        if spoken and "." not in local and not any(map(str.isdigit, local)):
            ladder = Ladder(0.3, min(ladder.far, 0.6), ladder.near)
        return Reading(judged.value, ladder, (*judged.reasons, "written out against programs"))


def _plain_dots(written: str) -> str:
    return re.sub(_DOT, ".", written.lower())
