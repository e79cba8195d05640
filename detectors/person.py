"""Names of people."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import islice, pairwise

from detectors.analysis import FORENAMES_FILE, is_forename
from detectors.base import Context, TextDetector, Waking, heading_key
from detectors.names import fold, read_data
from detectors.tables import Cell, Headings, column_reason, group_of, headings_of, turned
from detectors.wording import LISTS
from scanner.errors import ConfigError
from scanner.model import Hit, People, Table

_WORD = re.compile(r"[^\W\d_]+(?:['’.-][^\W\d_]+)*")
_CAPITALISED = r"[A-ZÀ-ÖØ-Þ][^\W\d_]*(?:['’-][^\W\d_]+){0,3}"
_PARTICLES = frozenset("al ap bin bint da das de del della den der di dos du el ibn la le van von ter ten st".split())
_TITLES = frozenset("mr mrs ms miss mx dr prof professor sir dame lord lady rev revd father sister cllr madam".split())
_GREETINGS = frozenset(
    "dear hi hello hiya hey morning afternoon evening good thanks thank regards cheers sincerely best kind warm wishes "
    "fwd re from to cc subject sent ps nb please sorry congratulations yours faithfully love".split()
)
# A word that makes the span something else than a person: organisations, places, things of a school, calendar, products.
_ORGANISATIONS = frozenset(
    (
        "academy school primary secondary college university trust council borough county nursery infant junior infants "
        "juniors sixth federation diocese church cathedral hospital clinic surgery nhs camhs police court ltd limited plc "
        "llp inc co company group team department dept office services service centre center association society union "
        "committee board panel foundation charity club agency authority ofsted dfe hmrc ico ofqual jcq aqa ocr edexcel "
        "pearson wjec eduqas cambridge btec gcse gcses igcse sats ks1 ks2 ks3 ks4 ks5 eyfs phonics ebacc nasuwt neu naht unison "
        "road street lane avenue close drive crescent court gardens grove terrace mews park hill station airport house "
        "hall library gym theatre field pitch canteen reception playground room block building site centre street bridge "
    ).split()
)
_NOT_NAMES = _ORGANISATIONS | frozenset(
    (
        "mondays tuesdays wednesdays thursdays fridays saturdays sundays "
        "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august "
        "september october november december spring summer autumn winter easter christmas eid diwali ramadan hanukkah "
        "halloween term week today tomorrow yesterday lunch break assembly period lesson homework inset "
        "maths mathematics english science biology chemistry physics history geography french german spanish welsh latin "
        "music drama art pe re rs ict it dt pshe computing literacy numeracy reading writing phonics citizenship "
        "microsoft google excel word outlook teams onedrive sharepoint windows office adobe apple iphone ipad android "
        "facebook twitter instagram whatsapp snapchat tiktok youtube zoom seesaw tapestry showbie kahoot quizlet duolingo "
        "arbor sims bromcom cpoms myconcern parentpay parentmail classcharts satchel firefly evolve wonde isams iris "
        "head headteacher deputy assistant teacher tutor senco sendco dsl governor governors chair clerk bursar manager "
        "officer director coordinator co-ordinator lead leader principal secretary administrator technician caretaker "
        "year years class form set key stage section appendix annex figure table page paper unit module chapter question "
        "policy form plan report letter email e-mail mail message attachment document file list copy draft invoice order "
        "ref reference number no yes ok dob upn uln nhs nino ehcp ehc sen send fsm lac cin pp eal adhd asd asc semh iep "
        "london manchester birmingham leeds liverpool bristol sheffield england scotland wales ireland britain uk usa "
        "europe america france germany spain italy india china africa city united kingdom north south east west "
        "mum dad mother father parent parents carer carers pupil pupils student students child children staff son daughter "
        "brother sister boy girl sir madam colleagues all everyone team sender recipient "
        "linux unix java perl python apache debian redhat razor spamassassin internet web html http xml url "
        "name names surname surnames forename forenames "
        "the a an and or of for with this that these those our your his her their my we you he she they who what when "
        "everyone everybody anyone anybody someone somebody nobody none most some several many few both each every any other "
        "others another vitamin vitamins one two three four five six seven eight nine ten twelve twenty boys girls kids learners teachers "
        "parents families friends people children now then also only just even still here there where why how yes no "
        "well new old more less same next last first second third final main whole current welcome see meet join given "
        "not but if so as at by on in is was are be has have had will would can could should do does did"
    ).split()
)
# Writers, rulers and scientists that are taught, where a mail has the one word alone; whole names: public_figures.yml.
_TAUGHT = frozenset(
    (
        "shakespeare dickens orwell austen bronte brontë priestley steinbeck golding duffy armitage heaney agard dharker "
        "stevenson shelley wells macbeth hamlet romeo scrooge cratchit birling hyde jekyll napoleon "
        "squealer boxer othello banquo churchill hitler stalin lenin mussolini chamberlain attlee thatcher gandhi "
        "mandela luther caesar cleopatra tutankhamun boudicca cromwell einstein darwin newton faraday "
        "curie jenner pasteur mendeleev pythagoras archimedes galileo rutherford bohr turing lovelace seacole "
        "nightingale fawkes pankhurst beethoven mozart bach vivaldi picasso monet kahlo warhol "
        "jesus muhammad moses buddha allah god santa"
    ).split()
)
# Surnames of many a pupil that are also places, seasons and peoples: behind a forename, where something else says that it is a person.
_ALSO_SURNAMES = frozenset(
    (
        "park hill hall lane street bridge field church court grove house close gardens french english german welsh may march north west "
        "south east head page england ireland france spring summer winter christmas week day drive station read reading group case key"
    ).split()
)
_ENDS_A_NAME = (_NOT_NAMES | _GREETINGS) - _ORGANISATIONS
# Forenames that are words as well: alone they name nobody.
_ALSO_WORDS = frozenset(
    (
        "will mark may june april grace hope rose art bill chase drew faith ivy jack joy lance miles pat penny pearl rob "
        "robin ruby sky summer sue violet dawn frank grant harry holly jade lily olive poppy autumn daisy hazel heather "
        "amber angel carol charity chelsea constance crystal dale dean earl ernest felicity florence gene georgia glen "
        "heath iris jasmine jordan max melody mercy nick norm pierce prudence ray reed rich rusty sandy stone storm tiger "
        "tim trip van victor wade ward woody"
    ).split()
)
# A condition that is named after somebody, and a street, name nobody.
_NAMED_AFTER = frozenset({"health", "sen", "address"})
_CLASS = r"(?:1[0-3]|[1-9])[A-Z]{1,3}\d?"
# The years of Scottish schools; a bare blank before one joins a product to its number ("Galaxy S5").
_STAGE = r"P[1-7]|S[1-6]"
_YEAR = r"(?:Y|Yr|Year) ?(?:1[0-3]|[1-9])(?:[A-Z]{1,2})?"
FORM = rf"{_CLASS}|{_YEAR}"
# A bare blank joins a name to a class ("JS 10X"), not to a year: "Welcome Year 7", "All Year 9" name nobody.
_NAME_AND_FORM = re.compile(
    rf"(?<![\w'’/-])(?P<name>{_CAPITALISED}(?: {_CAPITALISED}){{0,2}})"
    rf"(?:(?:,? \(|,? (?:in|from|of) |, )(?:class |form )?(?P<form>{FORM}|{_STAGE})| (?P<class>{_CLASS}))(?![\w'’-])"
)
_IN_YEAR = re.compile(rf"{_YEAR}\Z")
# Endings of nouns that begin sentences about a year group; a forename that shares one is confirmed by the name model.
_ABSTRACT = re.compile(r"(?:tion|ment|ness|ings?|ance|ence|ity|ies|ers|ism|ents)\Z", re.IGNORECASE)
_NAME_LINE = re.compile(
    rf"^[^\w\n]{{0,4}}(?:(?P<number>\d{{1,6}})[.):]?[ \t]{{0,8}})?(?P<name>(?:{_CAPITALISED}|[A-Z]{{2,30}})(?P<comma>,)?"
    rf"(?: {{1,20}}(?:{_CAPITALISED}|[A-Z]{{2,30}})){{1,3}})(?P<rest>[^\n]{{0,120}})$",
    re.MULTILINE,
)
# What stands after a name in a list of pupils: a form or year, or a grade, mark, level or percentage.
LIST_TOKENS = {
    "form": re.compile(rf"(?<![\w/])(?:{FORM})(?![\w/])"),
    "grade": re.compile(
        r"(?<![\w£/.])(?:[A-EU][*+-]?|[1-9][+-]?|\d{1,3} ?%|\d{1,3}/\d{1,3}|WT|EXS|GDS|WTS|BLW)(?![\w/.])"
    ),
    # A date that an examination or trip of these years cannot have.
    "birth date": re.compile(
        r"(?<![\w/.-])(?:[0-3]?\d[/.-][01]?\d[/.-](?:19[6-9]\d|20[01]\d|[01]\d)|(?:19[6-9]\d|20[01]\d)-[01]\d-[0-3]\d"
        r"|[0-3]?\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6} (?:19[6-9]\d|20[01]\d))(?![\w/-])"
    ),
}
_LEAST_LINES = 5
# Of a candidate number, which stands before a name.
_CANDIDATE_DIGITS = 4
_GRADED = (
    rf"{_CAPITALISED} {_CAPITALISED}(?:-{_CAPITALISED})?(?: ?[:=(–-]{{1,2}} ?| )"
    rf"(?:[A-EU][*+-]?|[1-9][+-]?|\d{{1,3}} ?%|\d{{1,3}}/\d{{1,3}}|EXS|GDS|WTS|{FORM})"
    r"(?![\w/.])\)?"
)
# The same in one line: "Ava Nunn 3, Billy Crane U, …".
GRADED_LINE = re.compile(rf"(?<![\w'’-]){_GRADED}(?:(?:[,;/] ?|,? and )\s?{_GRADED}){{4,200}}")
# No school has more pupils in one list; what stands below is left out, and said so.
MOST_LINES = 10_000
_MOST_OWNERS = 5_000
# So many rows and columns tell what a column holds; so large a part of the cells must be alike, different, and known.
_SAMPLED_ROWS, _SAMPLED_COLUMNS = 200, 60
_MOSTLY, _DISTINCT, _KNOWN_FORENAMES = 0.8, 0.5, 0.4
_NAME_CELL = re.compile(rf"(?:{_CAPITALISED}|[A-Z]\.?)(?: (?:{_CAPITALISED}|[A-Z]\.?|[a-z]{{2,3}})){{0,3}}")
_SURNAME_FIRST = re.compile(
    rf"^[^\w\n]{{0,4}}(?P<name>(?:{_CAPITALISED} )?{_CAPITALISED}, {{0,2}}{_CAPITALISED}(?: {_CAPITALISED})?)[ .]{{0,2}}$",
    re.MULTILINE,
)
_LEAST_SURNAME_FIRST = 3
_DESCRIBED = re.compile(
    r"\b(?:the|that|this|our) (?:Y(?:ea)?r? ?(?:1[0-3]|[1-9])|(?:1[0-3]|[1-9])[A-Z]{1,2}) (?:boy|girl|lad|lass|pupil|student|child)\b",
    re.IGNORECASE,
)
_CUE = re.compile(
    r"\b(?i:candidate|pupil|student|patient|learner|child|employee|applicant|boy|girl|son|daughter|brother|sister|mother|father)"
    rf"(?: (?i:no\.?|number|name|named|called|is|of|,))?(?:[:,]? \d{{2,6}})?[:,]? (?P<name>{_CAPITALISED} {_CAPITALISED})(?![\w'’])"
)

# "Oliwia's mum", "Matej's address": who has a family, a home or a teacher is a person, whatever the name.
_OWNED = re.compile(
    r"'s (?:own |new |old |real |birth |foster |step|grand|god|big |little |older |younger )?"
    r"(?:mum|mummy|mother|dad|daddy|father|parents?|carers?|guardian|nan|gran|granny|grandad|uncle|aunt|auntie|brothers?|sisters?"
    r"|siblings?|son|daughter|kids?|children|wife|husband|partner|boyfriend|girlfriend|family|address|phone|mobile|birthday"
    r"|surname|tutor|teacher|form tutor|social worker|key worker|keyworker|GP|psychologist|behaviour|attendance)\b"
)
_OWNER = re.compile(rf"(?:{_CAPITALISED} )?{_CAPITALISED}\Z")
# What people say when they tell a name. With a pronoun a single word is enough, else it takes two.
_TOLD = re.compile(
    rf"(?:\b(?i:my|his|her|their|whose) (?i:(?:first |last |full |real |maiden |middle )?(?:name|surname)(?: is| was|'s|:|\?))"
    rf"|\b(?i:named|called|calls?) (?i:him|her|them|me|himself|herself)) {{1,2}}(?P<one>{_CAPITALISED}(?: {_CAPITALISED}){{0,2}})"
    rf"|^[ >|*•-]{{0,4}}(?i:(?:full |pupil |student |child(?:'s)? |parent |patient |staff |employee )?name) ?: {{0,8}}"
    rf"(?P<two>{_CAPITALISED}(?: [A-Z]\.?)?(?: {_CAPITALISED}){{1,2}})",
    re.MULTILINE,
)
# "Faina D. Yefremova": an initial in the middle.
_INITIAL = re.compile(r" [A-Z](?P<dot>\.)? (?=[A-ZÀ-ÖØ-Þ][^\W\d_])")
# "K. Doyle", "J.R. Osei", beside other hits only.
_INITIALLED = re.compile(
    r"(?<![\w.'-])(?!(?:U\.S|U\.K|E\.U|U\.N|N\.Y|D\.C)\.)(?:[A-Z]\. ?){1,3}"
    r"(?P<last>[A-ZÀ-ÖØ-Þ][^\W\d_]{2,20}(?:-[A-Z][^\W\d_]+)?)(?![\w.@])"
)
# "G Patel", where something is said of it; a capital before it makes it a thing ("Plan B Meeting").
_BARE_INITIAL = re.compile(
    r"(?<![\w.'’&/-])[B-HJ-Z] (?P<last>[A-Z][a-z]{2,20})(?= ?[(:,–-]|['’]s\b| (?:is|was|has|had)\b)"
)
_CAPITAL_BEFORE = re.compile(r"[A-Z][\w'’]* \Z")
# "Mr Sharma": of whom nothing but the title tells that it is a person. Doctors and clerics are met as professionals.
_TITLED = re.compile(
    r"(?<![\w.'-])(?:Mr|Mrs|Ms|Miss|Mx)\.? (?P<last>[A-ZÀ-ÖØ-Þ][^\W\d_]{1,20}(?:['’-][A-Z][^\W\d_]+)?)(?![\w@])"
)
# Things that are told apart by a letter: no initial follows them.
_LETTERED = frozenset(
    "vitamin unit plan option group band appendix exhibit hepatitis type block grade schedule annex item part team hall".split()
)
_LAST_WORD = re.compile(rf"(?<![\w'’@./-]){_CAPITALISED}\Z")
_FIRST_WORD = re.compile(rf"{_CAPITALISED}(?![\w'’])")
# Between names that are listed one after the other.
_LISTED = re.compile(r"(?:,| and| &|, and|/|,? or) ?\Z")
# What only somebody does.
_ACTS = re.compile(
    r" (?:said|says|told|tells|asked|asks|shouted|replied|lives|lived|cried|hit|punched|kicked|swore|threatened|refused|disclosed"
    r"|attends|attended|arrived|hasn't|has been|didn't|doesn't|won't|wasn't|feels|felt|wants|wanted|came in|went home|was born"
    r"|spent|thinks|thought|struggles|struggled|joined|left school)\b"
)


@dataclass(frozen=True, slots=True)
class NameLine:
    """A line of running text that is a name followed by the token that repeats down the list."""

    start: int
    end: int
    name_start: int
    name_end: int
    name: str


@dataclass(frozen=True, slots=True)
class NameList:
    """At least five lines one below the other, each a name with a token of one kind (`form`, `grade`, `birth date`, or the
    `number` of a candidate before it).
    """

    kind: str
    lines: tuple[NameLine, ...]


@lru_cache(maxsize=2)
def name_lists(text: str) -> tuple[NameList, ...]:
    """Lists of pupils that were typed as lines; blank lines may lie between, other lines end the list."""
    if text.count("\n") < _LEAST_LINES - 1:
        return ()
    lists: list[NameList] = []
    run: list[tuple[NameLine, frozenset[str]]] = []
    lines = 0
    for match in _NAME_LINE.finditer(text):
        if lines >= MOST_LINES:
            break
        kinds = {kind for kind, token in LIST_TOKENS.items() if token.search(match["rest"])}
        if len(match["number"] or "") == _CANDIDATE_DIGITS and match["comma"]:
            kinds.add("number")
        words = match["name"].replace(",", "").split()
        if words[0].lower() in _TITLES:
            kinds -= {"form", "grade"}  # who teaches a class, and where
        named = looks_like_name(" ".join(words), of_a_person=has_forename(words[:-1]))
        if not kinds or len(match["rest"].split()) > 8 or not named:
            continue
        line = NameLine(match.start(), match.end(), match.start("name"), match.end("name"), in_order(match["name"]))
        if run and text[run[-1][0].end : line.start].strip():
            lists.extend(_as_list(run))
            run = []
        run.append((line, frozenset(kinds)))
        lines += 1
    lists.extend(_as_list(run))
    return tuple(lists)


def _as_list(run: Sequence[tuple[NameLine, frozenset[str]]]) -> Iterator[NameList]:
    for kind in (*LIST_TOKENS, "number"):
        lines = tuple(line for line, kinds in run if kind in kinds)
        if len(lines) >= _LEAST_LINES:
            yield NameList(kind, lines)
            return


class PersonName(TextDetector):
    """Names of people: known pupils and their families, names that spaCy recognises, lists and "Callum in 9B".

    `person` is a data subject. `staff_name` is a member of staff of the directory, whom a rule may leave aside: that the
    SENCO signs a letter is not news about the SENCO. Often mistaken for names: places, products, examination boards,
    houses and authors being taught.
    """

    labels = ("person", "staff_name")
    wake = ()
    stage = 3
    files = (FORENAMES_FILE, LISTS / "public_figures.yml")

    def __init__(self) -> None:
        self._known: tuple[People, _Directory] | None = None

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterable[Hit]:
        found: list[Hit] = []
        if context.people is not None:
            found.extend(self._directory(context.people).find(text))
        if context.tables:
            found.extend(_in_columns(text, context.tables))
        listed = 0
        for each in name_lists(text):
            listed += len(each.lines)
            found.extend(
                Hit(
                    "person",
                    line.name_start,
                    line.name_end,
                    line.name,
                    0.75,
                    ("name in a list", f"{each.kind} after it"),
                )
                for line in each.lines
            )
        found.extend(_surname_first(text))
        found.extend(_cued(text, context.hits))
        owners = list(islice(_owners(text), _MOST_OWNERS))
        found.extend(owners)
        if "ame" in text or "called" in text:
            found.extend(_told(text))
        forms = list(islice(_NAME_AND_FORM.finditer(text), MOST_LINES))
        cut = len(owners) >= _MOST_OWNERS or max(listed, len(forms)) >= MOST_LINES
        if cut and context.budget is not None:
            context.budget.texts_cut += 1
        if forms or context.names:
            small = _small_words(text)
            found.extend(_with_form(forms, text, context.names, small))
            found.extend(_from_model(text, context.names, small))
        found.extend(_with_initial(text, context.names))
        # "Down's syndrome", "74 Fennel Way".
        taken = sorted((hit.start, hit.end) for hit in context.hits if hit.label in _NAMED_AFTER)
        starts = [start for start, _ in taken]
        return [hit for hit in _supported(text, _best(found)) if not _inside(hit, taken, starts)]

    def _directory(self, people: People) -> _Directory:
        """The snapshot's names; built anew only when another snapshot comes."""
        if self._known is None or self._known[0] is not people:
            self._known = (people, _Directory(people))
        return self._known[1]


def _inside(hit: Hit, taken: Sequence[tuple[int, int]], starts: Sequence[int]) -> bool:
    place = bisect_left(starts, hit.start + 1) - 1
    return place >= 0 and hit.end <= taken[place][1] + 2


# --- who is known -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Known:
    words: tuple[str, ...]
    name: str
    label: str
    confidence: float
    reason: str


class _Directory:
    """Finds the names of a people snapshot in a text, in either order, whatever the case; linear in the text."""

    def __init__(self, people: People) -> None:
        known: dict[tuple[str, ...], _Known] = {}
        self._forms: dict[tuple[str, str], str] = {}
        pupils = [(each.name, each.class_name) for each in people.people if each.role == "pupil"]
        pupils += [(pupil.name, pupil.class_name) for contact in people.contacts for pupil in contact.pupils]
        for name, class_name in pupils:
            self._add(known, name, "person", 0.85, "known pupil")
            words = _words(name)
            if words and class_name:
                self._forms[(words[0], heading_key(class_name))] = name
        for contact in people.contacts:
            self._add(known, contact.name, "person", 0.8, "known parent or carer")
        for each in people.people:
            if each.role in ("staff", "governor", "contractor"):
                self._add(known, each.name, "staff_name", 0.85, "in the staff directory")
        self._by_first: dict[str, list[_Known]] = defaultdict(list)
        self._all_words: set[str] = set()
        for words, entry in known.items():
            self._by_first[words[0]].append(entry)
            self._all_words.update(words)
        for entries in self._by_first.values():
            entries.sort(key=lambda entry: -len(entry.words))

    @staticmethod
    def _add(known: dict[tuple[str, ...], _Known], name: str, label: str, confidence: float, reason: str) -> None:
        words = _words(name)
        if len(words) < 2:
            return
        for order in {words, (*words[-1:], *words[:-1])}:
            known.setdefault(order, _Known(order, name, label, confidence, reason))

    def find(self, text: str) -> Iterator[Hit]:
        if not self._by_first:
            return
        # Two set operations clear nearly every text before anything is looked at in order.
        present = {word.lower() for word in _WORD.findall(text)} & self._all_words
        if len(present) < 2 and not self._forms:
            return
        tokens = [(match.group().lower(), match.start(), match.end()) for match in _WORD.finditer(text)]
        place = 0
        while place < len(tokens):
            step = 1
            for each in self._by_first.get(tokens[place][0], ()):
                span = tokens[place : place + len(each.words)]
                if len(span) == len(each.words) and all(
                    token[0] == word for token, word in zip(span, each.words, strict=True)
                ):
                    start, end = span[0][1], span[-1][2]
                    # Only blanks, one comma or a cell's edge may stand between the words of a name.
                    if end - start <= sum(len(word) for word in each.words) + 3 * len(each.words):
                        yield Hit(each.label, start, end, each.name, each.confidence, (each.reason,))
                        step = len(each.words)
                        break
            place += step
        if self._forms:
            for match in _NAME_AND_FORM.finditer(text):
                forename = _words(match["name"])[:1]
                name = (
                    self._forms.get((forename[0], heading_key(match["form"] or match["class"]))) if forename else None
                )
                if name is not None:
                    yield Hit("person", match.start(), match.end(), name, 0.85, ("known pupil by forename and class",))


def _words(name: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(name))


# --- shapes -----------------------------------------------------------------------------------------------------------


def _with_form(
    forms: Iterable[re.Match[str]], text: str, names: Sequence[tuple[int, int]], small: frozenset[str]
) -> Iterator[Hit]:
    """ "Callum in 9B", "Callum Hughes (Year 9)", "JS 10X"; surer where the name model saw a person there as well."""
    starts = [first for first, _ in names]
    for match in forms:
        words = match["name"].split()
        # "Yesterday Callum in 9B": the sentence's first word is not part of the name.
        while words and not _may_be_name(words[0]):
            words = words[1:]
        name = " ".join(words)
        start = match.end("name") - len(name)
        if (
            not words
            or not looks_like_name(name, of_a_person=True)
            or (len(words) == 1 and len(name) > 3 and name.isupper())
        ):
            continue
        confidence = 0.75
        if len(words) == 1:
            place = bisect_left(starts, match.end("name")) - 1
            seen = is_forename(name) or (place >= 0 and names[place][1] > start)
            if name.isupper():
                confidence = 0.6
            elif not seen and (_ABSTRACT.search(name) or name.lower() in small):
                continue
            elif not seen and _begins_sentence(text, start) and _IN_YEAR.search(match.group()):
                confidence = 0.5
        yield Hit("person", start, match.end("name"), name, confidence, ("name with a class or year",))


def _surname_first(text: str) -> Iterator[Hit]:
    """Lines that hold nothing but "Surname, Forename"; fewer than three could be places ("Leeds, Yorkshire")."""
    if "," not in text:
        return
    matches = [match for match in _SURNAME_FIRST.finditer(text) if looks_like_name(match["name"])]
    if len(matches) >= _LEAST_SURNAME_FIRST:
        for match in matches:
            yield Hit(
                "person", match.start("name"), match.end("name"), in_order(match["name"]), 0.6, ("surname, forename",)
            )


def _cued(text: str, hits: Sequence[Hit]) -> Iterator[Hit]:
    """Names that the words before them announce ("candidate 0147 Thandiwe Mbeki") and pupils who are described instead
    ("the Year 10 girl"), looked for beside other hits only.
    """
    high = 0
    # "… in part D. Diabetes": what was seen as something else is no surname.
    said = {hit.start for hit in hits}
    for hit in sorted(hits, key=lambda hit: hit.start):
        low, high = max(high, hit.start - 300), max(high, min(len(text), hit.end + 300))
        for match in _CUE.finditer(text, low, high):
            if match["name"] and looks_like_name(match["name"]):
                yield Hit("person", match.start("name"), match.end("name"), match["name"], 0.6, ("name after its cue",))
        for match in _INITIALLED.finditer(text, low, high):
            numbered = _begins_line(text, match.start()) or match.start("last") in said
            # "Wonder by R. J. Palacio": who wrote a book.
            written = text.endswith("by ", 0, match.start())
            if not numbered and not written and looks_like_name(match["last"]):
                yield Hit("person", *match.span(), match.group(), 0.5, ("initial and surname",))
        for match in _BARE_INITIAL.finditer(text, low, high):
            thing = _CAPITAL_BEFORE.search(text, max(0, match.start() - 20), match.start()) is not None
            if not thing and looks_like_name(match["last"]):
                yield Hit("person", *match.span(), match.group(), 0.5, ("initial and surname",))
        for match in _TITLED.finditer(text, low, high):
            if looks_like_name(match["last"]):
                yield Hit("person", *match.span("last"), match["last"], 0.5, ("a title and a surname",))
        for match in _DESCRIBED.finditer(text, low, high):
            yield Hit("person", *match.span(), match.group().lower(), 0.5, ("a pupil described, not named",))


def _owners(text: str) -> Iterator[Hit]:
    for match in _OWNED.finditer(text):
        owner = _OWNER.search(text, max(0, match.start() - 50), match.start())
        if owner is None:
            continue
        start, name = owner.start(), owner.group()
        first, _, last = name.partition(" ")
        if last and not _may_be_name(first):
            start, name = start + len(first) + 1, last
        if (
            (start and (text[start - 1].isalnum() or text[start - 1] in "'@./-"))
            or name.isupper()
            or not looks_like_name(name, of_a_person=True)
        ):
            continue
        yield Hit("person", start, match.start(), name, 0.6, ("somebody's family, home or teacher",))


def _told(text: str) -> Iterator[Hit]:
    for match in _TOLD.finditer(text):
        kind = "one" if match["one"] else "two"
        if looks_like_name(match[kind]):
            yield Hit("person", *match.span(kind), match[kind], 0.6, ("somebody's name is told",))


def _with_initial(text: str, names: Sequence[tuple[int, int]]) -> Iterator[Hit]:
    """ "Faina D. Yefremova"; without a full stop the name model or the list of forenames must know one of the words."""
    starts = [start for start, _ in names]
    for match in _INITIAL.finditer(text):
        first = _LAST_WORD.search(text, max(0, match.start() - 25), match.start())
        last = _FIRST_WORD.match(text, match.end())
        if first is None or last is None or not looks_like_name(f"{first.group()} {last.group()}"):
            continue
        if first.group().isupper() or last.group().isupper() or first.group().lower() in _LETTERED:
            continue
        place = bisect_left(starts, last.end()) - 1
        seen = place >= 0 and names[place][1] > first.start()
        if match["dot"] or seen or is_forename(first.group()):
            name = text[first.start() : last.end()]
            yield Hit("person", first.start(), last.end(), name, 0.75 if seen else 0.6, ("name with an initial",))


def _supported(text: str, hits: Sequence[Hit]) -> Iterator[Hit]:
    """Names of one word that the model alone saw, raised where they stand in a list of names or do what only people do."""
    for place, hit in enumerate(hits):
        if hit.reasons == _ONE_WORD and hit.confidence < 0.5:
            before = hits[place - 1] if place else None
            after = hits[place + 1] if place + 1 < len(hits) else None
            listed = (before is not None and _LISTED.fullmatch(text[before.end : hit.start][:8])) or (
                after is not None and _LISTED.fullmatch(text[hit.end : after.start][:8])
            )
            if listed or _ACTS.match(text, hit.end):
                hit = replace(hit, confidence=0.5)
        yield hit


def _begins_line(text: str, start: int) -> bool:
    """Where a letter with a full stop numbers a paragraph."""
    return not text[max(0, start - 12) : start].rpartition("\n")[2].strip(" \t>*-")


def _small_words(text: str) -> frozenset[str]:
    """Words that stand in the text in small letters: one that also begins a sentence is a word there, not a name."""
    return frozenset(word for word in _WORD.findall(text) if word.islower())


def _begins_sentence(text: str, start: int) -> bool:
    before = text[max(0, start - 3) : start].rstrip(" ")
    return not before or before[-1] in ".!?:\n-*•"


@dataclass(frozen=True, slots=True)
class NameColumns:
    """The columns of a table in which people are named: from `first_row` on, each row is about one."""

    columns: tuple[int, ...]
    first_row: int
    # Known by the names themselves, whatever stands above them.
    by_content: bool
    # Forename and surname of one person; else each column names a person of its own.
    joined: bool = False


def name_columns(text: str, table: Table, headings: Headings | None) -> NameColumns | None:
    """By the headings; where none says so, by the cells: names of two words, or forenames and surnames side by side, of which
    the list of forenames knows a good part. A column of teachers ("Mr Doyle") is none, nor is one in which two names take turns.
    """
    if headings is not None:
        named = tuple(column for column, heading in enumerate(headings.texts) if group_of(heading) == "name")
        if named:
            return NameColumns(named, headings.row + 1, False)
    known = headings is not None and sum(bool(group_of(heading)) for heading in headings.texts) > 0
    first_row = headings.row + 1 if headings is not None and known else 0
    sample = table.rows[first_row : first_row + _SAMPLED_ROWS]
    width = max((len(row) for row in sample), default=0)
    if len(sample) < _LEAST_LINES or width < 2:
        return None
    kinds = [_kind_of_column(text, sample, column) for column in range(min(width, _SAMPLED_COLUMNS))]
    whole = tuple(column for column, kind in enumerate(kinds) if kind == "whole")
    if whole:
        return NameColumns(whole, first_row, True)
    for column, (one, other) in enumerate(pairwise(kinds)):
        if "forename" in (one, other) and one and other:
            return NameColumns((column, column + 1), first_row, True, joined=True)
    return None


def _kind_of_column(text: str, rows: Sequence[tuple[tuple[int, int], ...]], column: int) -> str:
    """`whole` names, `forename`s, capitalised single `word`s that may be surnames, or empty."""
    cells = [
        in_order(text[start:end]) for start, end in (row[column] for row in rows if column < len(row)) if 0 < end - start <= 60
    ]  # fmt: skip
    if len(cells) < _LEAST_LINES or len(set(cells)) < _DISTINCT * len(cells):
        return ""
    named = [cell.split() for cell in cells if _NAME_CELL.fullmatch(cell) and looks_like_name(cell)]
    if len(named) < _MOSTLY * len(cells) or sum(words[0].lower().rstrip(".") in _TITLES for words in named) * 2 > len(
        named
    ):
        return ""
    known = sum(has_forename(words[:-1] or words) for words in named)
    if sum(len(words) > 1 for words in named) >= _MOSTLY * len(named):
        return "whole" if known >= _KNOWN_FORENAMES * len(named) else ""
    return "forename" if known * 2 >= len(named) else "word"


def _in_columns(text: str, tables: Sequence[Table]) -> Iterator[Hit]:
    """Names in the cells beneath a heading that says so, or that are plainly names; forename and surname of a row joined."""
    for number, table in enumerate(tables):
        headings = headings_of(text, table)
        names = name_columns(text, table, headings)
        if names is None and (on_its_side := turned(table)) is not None:
            across = name_columns(text, on_its_side, None)
            if across is not None:
                yield from _plain_names(text, on_its_side, across, None)
        if names is None:
            continue
        if names.by_content:
            yield from _plain_names(text, table, names, number)
            continue
        assert headings is not None  # what the headings say
        groups = [group_of(heading) for heading in headings.texts]
        # "Name, quantity, price" heads a stock list: a lone "Name" needs company that speaks of people.
        sure = len(set(groups) - {""}) >= 2 or len(names.columns) >= 2
        for row_number, row in enumerate(table.rows[names.first_row :], names.first_row):
            cells = [
                Cell(number, row_number, column, *row[column], headings.texts[column])
                for column in names.columns
                if column < len(row) and row[column][0] < row[column][1]
            ]
            if cells:
                yield from _row_name(text, cells, sure, (number, row_number))


def _plain_names(text: str, table: Table, names: NameColumns, number: int | None) -> Iterator[Hit]:
    """The names in columns that are known by their cells; `number` is the table's, None where it lies on its side."""
    for row_number, row in enumerate(table.rows[names.first_row :], names.first_row):
        spans = [
            row[column] for column in names.columns if column < len(row) and 0 < row[column][1] - row[column][0] <= 60
        ]
        if names.joined and len(spans) < len(names.columns):
            continue
        place = (number, row_number) if number is not None else None
        for group in [spans] if names.joined else [[span] for span in spans]:
            name = " ".join(in_order(text[low:high]) for low, high in group)
            if looks_like_name(name):
                yield Hit("person", group[0][0], group[-1][1], name, 0.8, ("a column of names",), row=place)


def has_forename(words: Sequence[str]) -> bool:
    """Whether the list of forenames knows one of the words, or one of them is an initial."""
    return any(len(word.rstrip(".")) == 1 or is_forename(word) for word in words)


def _row_name(text: str, cells: Sequence[Cell], sure: bool, row: tuple[int, int]) -> Iterator[Hit]:
    cells = [
        cell for cell in cells if cell.end - cell.start <= 60 and _cell_names(text[cell.start : cell.end], cell.heading)
    ]
    if not cells:
        return
    parts = {heading_key(cell.heading): " ".join(text[cell.start : cell.end].split()) for cell in cells}
    surname = next(
        (value for key, value in parts.items() if any(word in key for word in ("surname", "last", "family"))), ""
    )
    forename = next(
        (value for key, value in parts.items() if any(word in key for word in ("forename", "first", "given"))), ""
    )
    first = cells[0]
    if surname and forename:
        together = [cell for cell in cells if abs(cell.column - first.column) == 1]
        end = together[0].end if together else first.end
        start = first.start
        yield Hit("person", start, end, f"{forename} {surname}", 0.85, ("names by column",), row=row)
        return
    name = in_order(text[first.start : first.end])
    if sure or " " in name:
        confidence = 0.85 if sure else 0.6
        yield Hit("person", first.start, first.end, name, confidence, (column_reason(first.heading),), row=row)


def _cell_names(cell: str, heading: str) -> bool:
    """A column of surnames may hold one word that is a place elsewhere."""
    name = in_order(cell)
    alone = name.lower() in _ALSO_SURNAMES and any(
        word in heading_key(heading) for word in ("surname", "lastname", "familyname")
    )
    return alone or looks_like_name(name, of_a_person=True)


def in_order(name: str) -> str:
    """ "HUGHES, Callum" and "Hughes:Callum" as "Callum HUGHES"; anything else with its white space made single."""
    surname, comma, given = name.replace(":", ",", 1).partition(",")  # a colon in result files of examinations
    ordered = f"{given} {surname}" if comma and given.strip() else name
    return " ".join(ordered.split())


def _may_be_name(word: str) -> bool:
    plain = word.strip(".'’").lower().removesuffix("'s").removesuffix("’s")
    return plain not in _NOT_NAMES and plain not in _GREETINGS


def looks_like_name(text: str, *, of_a_person: bool = False) -> bool:
    """One to four words that could be a person's, at least one of them not a mere initial or particle.

    `of_a_person`: what stands around it says that it is somebody's, so that "Callum Hill" and "Hye-jin Park" are no places.
    """
    words = text.replace(",", " ").split()
    if (
        not 1 <= len(words) <= 5
        or not any(map(str.isalpha, text))
        or any(character.isdigit() or character in "@/\\:;&%£$#=+<>()[]{}!?" for character in text)
    ):
        return False
    if len(words) == 1 and words[0].lower().rstrip(".'’") in _TAUGHT:
        return False
    # "Aaliyah A": an initial behind a name may be any letter.
    if of_a_person and len(words) > 1 and words[-1].lower() in _ALSO_SURNAMES:
        words = words[:-1]
    if not all(_may_be_name(word) or (place and len(word) == 1) for place, word in enumerate(words)) or not any(
        len(word.strip(".")) >= 2 for word in words
    ):
        return False
    return len(words) == 1 or fold(" ".join(words)).replace(".", "") not in _public_figures()


@cache
def _public_figures() -> frozenset[str]:
    """The whole names of `rules/lists/public_figures.yml`, folded."""
    listed = read_data("public_figures.yml").get("names")
    if not isinstance(listed, list) or not all(isinstance(line, list) for line in listed):
        raise ConfigError("rules/lists/public_figures.yml", "needs the key names: lists of names")
    return frozenset(fold(str(name)).replace(".", "") for line in listed for name in line)


# --- what spaCy saw ---------------------------------------------------------------------------------------------------


def _from_model(text: str, names: Sequence[tuple[int, int]], small: frozenset[str]) -> Iterator[Hit]:
    for start, end in names:
        hit = _cleaned(text, start, end, small)
        if hit is not None:
            yield hit


_ONE_WORD = ("name of one word",)


def _cleaned(text: str, start: int, end: int, small: frozenset[str]) -> Hit | None:
    """A raw span as a name: one line, without titles, greetings and what follows the name; None where none is left."""
    line_end = text.find("\n", start, end)
    if line_end >= 0:
        end = line_end
    words = [
        (match.group(), match.start(), match.end()) for match in re.finditer(r"[^\s,;:()\[\]\"“”<>|]+", text[start:end])
    ]
    titled = text[max(0, start - 12) : start].rstrip(" .").rpartition(" ")[2].rpartition("\n")[2].lower() in _TITLES
    while words and (words[0][0].strip(".").lower() in _TITLES | _GREETINGS or not words[0][0][:1].isalpha()):
        titled = titled or words[0][0].strip(".").lower() in _TITLES
        words = words[1:]
    kept: list[tuple[str, int, int]] = []
    for word in words:
        # "al-Farsi", "van der Berg": a particle may be small in the middle of a name.
        if not (word[0][:1].isupper() or (kept and word[0].lower().partition("-")[0] in _PARTICLES)):
            break
        # "Callum Hughes Year 9" ends before the year; "Thomas Hardy School" is no person at all.
        if kept and word[0].lower() in _ENDS_A_NAME:
            break
        kept.append(word)
    while kept and kept[-1][0].lower() in _PARTICLES:
        kept.pop()
    if not kept or len(kept) > 4:
        return None
    first, last = start + kept[0][1], start + kept[-1][2]
    name = text[first:last]
    for ending in ("'s", "’s", "s'", "s’"):
        if name.endswith(ending):
            name = name[: -2 if ending[0] in "'’" else -1]
    name = name.rstrip(".'’,-")
    last = first + len(name)
    if len(name) < 2 or "\t" in name or not looks_like_name(name):
        return None
    if len(kept) == 1:
        # "HUGHES, Callum" and "Hughes, Callum" at the beginning of a line or cell.
        after = re.match(rf", {{0,2}}({_CAPITALISED})(?![\w'’])", text[last : last + 40])
        begins = first == 0 or text[first - 1] in "\n\t|" or (name.isupper() and len(name) > 2)
        if after is not None and begins and _may_be_name(after.group(1)):
            return Hit("person", first, last + after.end(), f"{after.group(1)} {name}", 0.75, ("surname, forename",))
        lower = name.lower()
        doubtful = lower in _ALSO_WORDS or (not is_forename(name) and lower in small)
        if name.isupper() or (doubtful and not titled):
            return None
        # The small model takes many a capitalised noun for a name: alone it needs the list of forenames or a title.
        known = titled or is_forename(name)
        return Hit("person", first, last, name, 0.5 if known else 0.45, _ONE_WORD)
    confidence = 0.6 if name.isupper() else 0.75
    return Hit("person", first, last, " ".join(name.split()), confidence, ("name recognised",))


def _best(found: Sequence[Hit]) -> list[Hit]:
    """Of hits that overlap the surest, and of equally sure ones the longest."""
    result: list[Hit] = []
    for hit in sorted(found, key=lambda hit: hit.start):
        if result and hit.start < result[-1].end:
            other = result[-1]
            if (hit.confidence, hit.end - hit.start) > (other.confidence, other.end - other.start):
                result[-1] = hit
            continue
        result.append(hit)
    return result
