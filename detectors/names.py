"""Comparing names of people with names, greetings and mail addresses: accents, short forms, initials, reversed order."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import yaml

from detectors.wording import LISTS
from scanner.errors import ConfigError

_LETTERS = re.compile(r"[^\W\d_]+")
_AT_HOME = frozenset({"home", "personal", "private", "privat", "gmail", "mail"})
_CUT_SHORT = re.compile(r"([^\W\d_]{5,20})\d{2,8}")
TITLES = frozenset({"mr", "mrs", "ms", "miss", "mx", "dr", "prof", "professor", "sir", "rev", "reverend", "cllr"})


# Letters that no decomposition takes apart, as English writes them.
_STROKES = str.maketrans({"ł": "l", "Ł": "l", "ø": "o", "Ø": "o", "đ": "d", "Đ": "d", "ı": "i", "æ": "ae", "Æ": "ae"})


def fold(text: str) -> str:
    """Lower case without accents (Unicode NFKD) and strokes: Siân is sian, Przemysław przemyslaw."""
    plain = unicodedata.normalize("NFKD", text.translate(_STROKES))
    return "".join(character for character in plain if not unicodedata.combining(character)).casefold()


def words(name: str) -> tuple[str, ...]:
    """The folded words of a name, titles left out."""
    return tuple(word for word in _LETTERS.findall(fold(name.replace("'", "").replace("’", ""))) if word not in TITLES)


def read_data(name: str) -> dict[str, object]:
    """A data file of `rules/lists/`; ConfigError with its name where it cannot be read or is no mapping."""
    path = LISTS / name
    try:
        found = yaml.load(path.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 safe loader
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"rules/lists/{name}", f"cannot be read: {type(error).__name__}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"rules/lists/{name}", "must be a mapping")
    return found


@cache
def _short_forms() -> dict[str, frozenset[str]]:
    """Each first name with every other form it may be used in."""
    listed = read_data("short_names.yml").get("names")
    if not isinstance(listed, dict):
        raise ConfigError(
            "rules/lists/short_names.yml", "needs the key names: a mapping of name to a list of short forms"
        )
    forms: dict[str, set[str]] = {}
    for name, short in listed.items():
        family = {str(name), *(str(form) for form in short)}
        for form in short:
            forms.setdefault(str(form), set()).add(str(name))
        forms.setdefault(str(name), set()).update(family)
    return {name: frozenset(others | {name}) for name, others in forms.items()}


def forms_of(first_name: str) -> frozenset[str]:
    """A folded first name with its short and long forms."""
    return _short_forms().get(first_name, frozenset()) | {first_name}


def same_first_name(one: str, other: str) -> bool:
    """Equal, a listed short form, or one the beginning of the other (at least three letters)."""
    if one == other or other in forms_of(one) or one in forms_of(other):
        return True
    shorter, longer = sorted((one, other), key=len)
    return len(shorter) >= 3 and longer.startswith(shorter)


@cache
def private_domains() -> frozenset[str]:
    """The domains of `rules/lists/private_providers.yml`."""
    listed = read_data("private_providers.yml").get("domains")
    if not isinstance(listed, list):
        raise ConfigError("rules/lists/private_providers.yml", "needs the key domains: a list")
    return frozenset(str(domain).lower() for domain in listed)


def is_private_provider(domain: str) -> bool:
    """A provider of private mail, or a customer's host below one (user@name.plus.com)."""
    labels = domain.lower().split(".")
    return any(".".join(labels[start:]) in private_domains() for start in range(len(labels) - 1))


@cache
def disposable_domains() -> frozenset[str]:
    """Providers of addresses that vanish after a while, from the same list."""
    listed = read_data("private_providers.yml").get("disposable")
    if not isinstance(listed, list):
        raise ConfigError("rules/lists/private_providers.yml", "needs the key disposable: a list")
    return frozenset(str(domain).lower() for domain in listed)


def likeness(address: str, name: str) -> float:
    """How likely the local part of an address was made from a name: 0.9 first name and surname in any order or short form,
    with or without a middle initial; 0.78 initial and surname, or initial and the beginning of the surname with a number;
    0.6 the first name with the surname's initial or a word such as home; 0 otherwise. A surname of fewer than three letters is too
    little to go by.
    """
    name_words = words(name)
    if len(name_words) < 2:
        return 0.0
    first, last = name_words[0], name_words[-1]
    joined_last = "".join(name_words[1:])  # da costa, van der berg
    local = fold(address.rpartition("@")[0].partition("+")[0])
    tokens = _LETTERS.findall(local)
    run = "".join(tokens)
    for surname in {last, joined_last}:
        if len(surname) < 3:
            continue
        if surname not in run:
            # s + bann + 1985: the name cut short, as people do where the whole one was taken
            cut = _CUT_SHORT.fullmatch(local)
            if cut and len(cut.group(1)) >= 5 and (first[0] + surname).startswith(cut.group(1)):
                return 0.78
            continue
        for form in forms_of(first):
            if len(form) < 2:
                continue
            if {form, surname} <= set(tokens) or run.startswith((form + surname, surname + form)):
                return 0.9
        before = run[: -len(surname)] if run.endswith(surname) else ""
        # jo + lisle, dec + keane: the beginning of the first name, perhaps with a middle initial behind it
        if len(before) >= 2 and (first.startswith(before) or (first.startswith(before[:-1]) and len(before) > 3)):
            return 0.9
        for initial in {form[0] for form in forms_of(first)}:
            if run in (initial + surname, surname + initial) or (surname in tokens and initial in tokens):
                return 0.78
    # eloise.b.home: the first name and the surname's initial are many people's, and say something only with work inside.
    if len(tokens) > 1 and tokens[0] in forms_of(first) and len(first) >= 4 and tokens[1] in {last[0], *_AT_HOME}:
        return 0.6
    return 0.0


def own_domain(address: str, name: str) -> bool:
    """A domain of one's own: the surname in its first label, first name or initial before the @ (tunde@okafor-family…)."""
    local, _, domain = fold(address).rpartition("@")
    name_words = words(name)
    if len(name_words) < 2 or len(name_words[-1]) < 4:
        return False
    first, last = name_words[0], name_words[-1]
    label = domain.partition(".")[0]
    of_family = label.startswith(last) and label[len(last) :].startswith(
        ("and", "family", "home", "house", "clan", "online")
    )
    at_home = last in _LETTERS.findall(label) or label == first + last or of_family
    return at_home and local in {*forms_of(first), first[0], first + last, "me", "hello", "mail"}
