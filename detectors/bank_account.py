"""UK bank details: a sort code with an account number."""

from __future__ import annotations

import re

from detectors.base import Ladder, PatternDetector, Reading, all_equal, digits_of

_SORT = r"(?<![\w/.-])(?<!\d )(?P<sort>\d{2}(?P<gap>[ -])\d{2}(?P=gap)\d{2})(?![\w/])(?!-\d)"
_SIX = r"(?i:sort[ -]?code)[^\d\n]{0,20}(?P<sort>\d{6})(?!\d)"
_ACCOUNT = r"(?<![\w/.-])(?P<account>\d{4} \d{4}|\d{8})(?![\w/])(?!-\d)"
# The two stand within 80 characters of each other, at most two lines apart, with no other number between.
_BETWEEN = r"[^\d\n]{0,25}(?:\n[^\d\n]{0,25}){0,2}[^\d\n]{0,25}"


class BankAccount(PatternDetector):
    """A sort code and an account number together: enough to pay in, and to set up a direct debit.

    Often mistaken for one: a date written 12-10-11 beside any eight digits. A sort code alone is not personal.
    """

    labels = ("sort_code_account",)
    wake = (r"\b\d{2}[ -]\d{2}[ -]\d{2}", r"sort ?-?code", r"\bs/c\b")
    reach = 160
    patterns = (
        _SORT + _BETWEEN + _ACCOUNT,
        _ACCOUNT + _BETWEEN + _SORT,
        _SIX + _BETWEEN + _ACCOUNT,
        _ACCOUNT + _BETWEEN + _SIX,
    )
    context = (
        *(
            "sort code",
            "sort-code",
            "sortcode",
            "s/c",
            "account",
            "account number",
            "account no",
            "acc no",
            "a/c",
            "acct",
        ),
        *("bank", "bank details", "bank account", "bacs", "payee", "salary", "building society", "direct debit"),
    )
    headings = ("sortcode", "accountnumber", "accountno", "bankaccount", "bankdetails", "account", "acno")

    def read(self, match: re.Match[str]) -> Reading | None:
        sort, account = digits_of(match["sort"]), digits_of(match["account"])
        if all_equal(sort) or all_equal(account):
            return None
        alone = 0.3 if _like_a_date(sort) else 0.6
        if "gap" not in match.groupdict():
            return Reading(f"{sort} {account}", Ladder(0.8, 0.8, 0.9), ("sort code named", "account number"))
        return Reading(f"{sort} {account}", Ladder(alone, 0.8, 0.9), ("sort code and account number",))


def _like_a_date(sort: str) -> bool:
    return 1 <= int(sort[:2]) <= 31 and 1 <= int(sort[2:4]) <= 12
