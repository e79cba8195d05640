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
        value = match.group().lower()
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
