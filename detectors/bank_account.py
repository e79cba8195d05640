"""UK bank details: a sort code with an account number."""

from __future__ import annotations

import re

from detectors.base import Ladder, PatternDetector, Reading, all_equal, digits_of

_SORT = r"(?<![\w/.-])(?<!\d )(?P<sort>\d{2}(?P<gap>[ -])\d{2}(?P=gap)\d{2})(?![\w/])(?!-\d)"
_SIX = r"(?i:sort[ -]?code)[^\d\n]{0,20}(?P<sort>\d{6})(?!\d)"
_ACCOUNT = r"(?<![\w/.-])(?P<account>\d{4} \d{4}|\d{8})(?![\w/])(?!-\d)"
# Other lengths than eight are older, and other numbers: the word must stand before them.
_ODD_LENGTH = r"(?i:\b(?:account|acct?|a/c)\b)(?! ?name)[^\d\n]{0,15}(?P<account>\d{6,7}|\d{9,10})(?![\w/])(?![.-]\d)"
# Cells of an export, the sort code without its dashes; the heading says what they are.
_CELL, _EDGE = r"(?<![^\t\n|;,])", r"(?![^\t\n\r|;,])"
_CELLS_BETWEEN = r"[\t|;,](?:[^\t\n|;,\d]{1,20}[\t|;,])?"
# The two stand within 80 characters of each other, at most two lines apart, with no other number between.
_BETWEEN = r"[^\d\n]{0,25}(?:\n[^\d\n]{0,25}){0,2}[^\d\n]{0,25}"


class BankAccount(PatternDetector):
    """A sort code and an account number together: enough to pay in, and to set up a direct debit.

    Often mistaken for one: a date written 12-10-11 beside any eight digits. A sort code alone is not personal.
    """

    labels = ("sort_code_account",)
    wake = (r"\b\d{2}[ -]\d{2}[ -]\d{2}", r"sort ?-?code", r"\bs/c\b", r"\b\d{6}[\t|;,]", r"\b\d{8}[\t|;,]")
    reach = 160
    patterns = (
        _SORT + _BETWEEN + _ACCOUNT,
        _ACCOUNT + _BETWEEN + _SORT,
        _SIX + _BETWEEN + _ACCOUNT,
        _ACCOUNT + _BETWEEN + _SIX,
        _SORT + _BETWEEN + _ODD_LENGTH,
        _SIX + _BETWEEN + _ODD_LENGTH,
        rf"{_CELL}(?P<sort>\d{{6}}){_CELLS_BETWEEN}(?P<cell>\d{{8}}){_EDGE}",
        rf"{_CELL}(?P<cell>\d{{8}}){_CELLS_BETWEEN}(?P<sort>\d{{6}}){_EDGE}",
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
        groups = match.groupdict()
        sort, account = digits_of(match["sort"]), digits_of(groups.get("account") or groups["cell"])
        if all_equal(sort) or all_equal(account):
            return None
        value, verdict = f"{sort} {account}", modulus(sort, account)
        if "cell" in groups:
            # Admission numbers and dates fill such cells as well.
            return Reading(value, Ladder(0.0, 0.0, 0.6 if verdict is False else 0.85), ("two cells of an export",))
        if verdict is False:
            # The weight tables are re-issued several times a year: a failure lowers, it never rules out.
            return Reading(value, Ladder(0.2, 0.5, 0.6), ("sort code and account number", "modulus check fails"))
        reasons = ("sort code and account number", *(("modulus check passes",) if verdict else ()))
        if "gap" not in match.groupdict():
            return Reading(value, Ladder(0.8, 0.8, 0.9), reasons)
        alone = 0.3 if _like_a_date(sort) and not verdict else 0.6
        return Reading(value, Ladder(alone, 0.8, 0.95 if verdict else 0.9), reasons)


def modulus(sort: str, account: str) -> bool | None:
    """Whether the pair passes its bank's modulus check; None where this table has no rule for the sort code.

    Vocalink/Pay.UK, Validating Account Numbers. Only wide ranges whose rules have no exceptions, or the one of foreign
    currency accounts (exception 6), are known here; most sort codes have no rule and are judged by their shape.
    """
    if len(account) != 8:
        return None
    number, digits = int(sort), [int(digit) for digit in account]
    if 89000 <= number <= 89999:
        return _weighted(digits, (7, 1, 3, 7, 1, 3, 7, 1)) % 10 == 0
    if 102400 <= number <= 107999:
        return _weighted(digits, (8, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    if 200079 <= number <= 209999:
        if 4 <= digits[0] <= 8 and digits[6] == digits[7]:
            return None
        doubled = (int(digit) * (2 - place % 2) for place, digit in enumerate(sort + account))
        alternate = sum(value // 10 + value % 10 for value in doubled)
        return _weighted(digits, (0, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0 and alternate % 10 == 0
    return None


def _weighted(digits: list[int], weights: tuple[int, ...]) -> int:
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=True))


def _like_a_date(sort: str) -> bool:
    return 1 <= int(sort[:2]) <= 31 and 1 <= int(sort[2:4]) <= 12
