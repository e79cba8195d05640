"""Abusive, sexual, threatening, harassing and discriminatory language, and disparagement, in the writer's own words.

What the user sees: the kind of language, its strength and, for slurs, the characteristic attacked; never the words. A word
list alone would accuse the pastoral log and the English lesson, so what stands around a match decides: quotation, reported
speech, a report's or a lesson's vocabulary, names and trades lower the confidence and say so. A linear model of whole
sentences (`hostility`) speaks where the list is unsure, and of sentences that name a group of people; it makes a finding
of its own only where it is very sure.
Words and strengths: `rules/lists/language.yml` (after Ofcom's research on offensive language).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from detectors.base import Context, TextDetector, Waking
from detectors.hostility import MODEL, Hostility
from detectors.whose_words import (
    CHALLENGE,
    EXCUSE,
    LESSON,
    NOT_MEANT,
    QUOTES,
    in_quotes,
    introduced,
    is_lesson,
    is_report,
)
from detectors.wording import LISTS, Entry, Match, WordList, read_list, sentence_around
from scanner.model import Hit

LABELS = ("profanity", "abuse", "sexual", "threat", "harassment", "discrimination", "disparagement")
STRENGTH = {
    "setting": 0.2,
    "sign": 0.35,
    "faint": 0.3,
    "ambiguous": 0.45,
    "likely": 0.6,
    "mild": 0.55,
    "moderate": 0.78,
    "strong": 0.88,
    "very_strong": 0.95,
}

# --- who is called it -----------------------------------------------------------------------------------------------

_ADJECTIVE = (
    r"(?:absolute|complete|total|utter|right|proper|massive|little|fat|stupid|silly|lying|useless|lazy|dirty|ugly|pathetic|"
    r"fucking|f[*]+ing|bloody|sodding|thick|sad|old|two-faced|miserable|cheeky|nasty|evil|vile|smelly|dumb|arrogant|"
    r"worthless|ignorant|mad|crazy|stuck-up|jumped-up|spoilt|filthy|greedy|thieving|tight|sneaky|disgusting|poor|big)[ ,]{1,2}"
)
_YOU = re.compile(
    rf"\b(?:you|u|ya|ur|you['’]?re|you are|yous|you lot)(?: (?:a|an|such a|all|are|being|is))?[ ,]{{1,2}}(?:{_ADJECTIVE}){{0,3}}\Z",
    re.I,
)
_SOMEBODY_IS = re.compile(
    r"\b(?!(?:it|there|this|which|here|what|I|i)\b)[\w'’]{1,20}(?: is|['’]s| was| are|['’]re| being|"
    r" acting like|(?<=\b[Hh]e)s|(?<=\b[Ss]he)s)"
    rf" (?:really |just |clearly |being |still |such )?(?:a|an|such a|the) (?:{_ADJECTIVE}){{0,3}}\Z"
)
_NASTY = re.compile(
    rf"(?:\b(?:a|an|the|that|this|those|these|such|what|some|his|her|their|[A-Z][a-z]{{2,15}}|you)\b[ ,]{{1,2}})?(?:{_ADJECTIVE}){{1,3}}\Z",
    re.I,
)
# Case counts: a title or a capital tells a person from a thing.
_SOMEBODY_NEXT = re.compile(
    r"\s(?:(?:[Mm]r|[Mm]rs|[Mm]iss|[Mm]s|[Dd]r)\.? )?(?!I\b|It\b|The\b|That\b|This\b)[A-Z][a-z]{1,20}\b"
)
_THAT = re.compile(r"\b(?:that|those|this) \Z", re.I)
_LOT_OF = re.compile(r"\b(?:bunch|load|pair|lot|shower|pack|gang) of (?:[\w-]{1,12} ){0,2}\Z", re.I)

# --- whose words they are -------------------------------------------------------------------------------------------

_REPORTING = re.compile(
    r"\b(?<!\bI )(?<!\bwe )(?:said|says|saying|called|calling|calls|shouted|shouting|screamed|yelled|wrote|writes|swore|swearing|"
    r"muttered|stated|states|alleg\w{1,6}|claim(?:s|ed)|overheard|heard|quot(?:e|es|ed|ing)|repeated|"
    r"shouts|sworn|told (?:him|her|me|us|them|another|a)|"
    r"described (?:him|her|them|me|it)? ?as|referred to \w{1,15} as|texted|messaged|posted|commented|"
    r"replied|chanted|chanting|sprayed|scratched|"
    r"threatened|threatening|"
    r"(?<=\bmessage )[^.!?\n]{0,30}read|(?:is|was|are|were|being|been) (?:called|told)|disclos\w{1,4}|keeps? (?:saying|telling|calling)|"
    r"(?:I|we) (?:over)?heard (?:him|her|them|a|the|one|two|some|another|somebody|someone)|"
    r"(?:the|these|those|following) (?:words?|terms?|phrases?)|words (?:like|such)|slurs?|language|insults?|"
    r"name-?calling|graffiti|comments?)\b",
    re.I,
)
_TURN = re.compile(r"\b(?:but|because|so|and I|which is why|honestly|frankly)\b", re.I)
# What is denied or mourned was not meant; "I do not hate them, but" was.
_DENIED = re.compile(
    r"\b(?:not|n['’]t|never|nobody|no one|none of us)(?: (?:ever|actually|really|to|at all|say|says|said|call|calls|tell|"
    r"tells|think|thinks|believe|believes|that|them|people|anyone|somebody|someone|a|any|should))* \Z|"
    r"\b(?:not true|untrue|a lie|nonsense|false|wrong|racist|sexist|homophobic|ableist|prejudice[d]?|hateful|illegal|unlawful) "
    r"(?:to |that |when |if |for )[^.!?\n]{0,60}\Z|"
    r"\b(?:appalled|shocked|horrified|saddened|sorry|upset|disturbed|dismayed)(?: \w+)? (?:to|that|by|at|when) [^.!?\n]{0,60}\Z",
    re.I,
)
_CLINICAL = re.compile(
    r"\b(?:diplegia|hemiplegia|quadriplegia|paraplegia|paraparesis|cerebral palsy|spasticity|colon|dysphonia|growth|"
    r"development(?:al)?|Asperger\S{0,2}|syndrome|diagnos\w{1,4}|patient|paediatric\w{0,3}|flame|fire|bone age)\b",
    re.I,
)
# "I must have looked like a complete …": nobody is insulted.
# "Shut up, you won!": joy, not anger.
_JOY = re.compile(
    r"[!?]{2}|\b(?:congratulations|congrats|hooray|omg|no way|amazing|brilliant news|so happy|well done)\b", re.I
)
_OF_MYSELF = re.compile(
    r"\b(?:I am|I['’]m|I was|I feel|me,?) (?:\w+ ){0,3}\Z"
    r"|\bI\b(?:(?!\b(?:you|he|she|they|him|her|them)\b)[^.!?\n]){0,60}\b(?:like|as|be|being|feel|felt|look(?:ed|ing)?)(?: such)? \Z",
    re.IGNORECASE,
)
_COMMUNITY = re.compile(
    r",? (?:and|or|/|&)? ?(?:Irish )?(?:Travellers?|Roma|Showm[ae]n|communit(?:y|ies)|heritage|histor(?:y|ies))\b"
)
# Listed words that have a harmless sense too: what shows it by touching the word ("Maine coon"), what shows it anywhere in the
# sentence where the word is said of no person ("the hoes and rakes"), and the subject it belongs to.
_NEVER = r"(?!)"
_THING_PLACE = r"(?:cupboard|corner|hall|boot|car|stores?|drawer|shed|shelf|peg|table|floor|stage|coach|bench|chair|desk|loft|attic|bin)"
_SENSES: tuple[tuple[str, str, str, str], ...] = (
    (
        r"fags?",
        r"(?:pack(?:et)?s?|box|carton) of fags|\d+ fags|fag (?:ends?|packets?|breaks?|ash|butts?)"
        r"|smok(?:e|ed|es|ing) (?:a |his |her |their )?fags?"
        r"|(?:for|having|had|lit|lit up|light|light up|caught with|selling|rolled|stub\w{0,4} out)"
        r" (?:a |his |her |their |some |the )?(?:quick |crafty |sneaky |cheeky )?fags?",
        r"smok\w{1,4}|cigarettes?|tobacco|vap(?:e|es|ed|ing)|lighters?|ash ?trays?|bike ?sheds?",
        "smoking",
    ),
    (
        r"cripples",
        # After "those" or "of" it is a noun, whatever follows.
        r"(?<!\bthe )(?<!\bthese )(?<!\bthose )(?<!\bsome )(?<!\byou )(?<!\bof )"
        r"(?:cripples (?:the|our|us|them|my|me|your|his|him|her|its|their"
        r"|an?|any|every|all|most|this|that|both|small|schools?|families|staff|departments?|budgets?|services?|businesses|people))"
        r"|(?:which|that|what|it|really|simply|also|still) cripples",
        _NEVER,
        "harm to a thing",
    ),
    (r"coons?", r"maine coons?|coon (?:cats?|kittens?|hounds?|dogs?|skins?)", _NEVER, "an animal"),
    (
        r"chinks?",
        r"chinks? in (?:(?:the|his|her|their|our|your|its|my) )?"
        r"(?:armou?r|curtains?|walls?|blinds?|fence|door|plan|case|argument|defen[cs]es?|clouds?)"
        r"|chinks? of (?:light|hope|sun|sunlight|daylight|glass(?:es)?|sky)",
        _NEVER,
        "a gap",
    ),
    (
        r"nips?",
        r"nips? in the air|nips? and tucks?|nips? of (?:brandy|gin|whisky|rum|sherry|port|vodka|milk)",
        r"pliers|pincers",
        "a pinch or a sip",
    ),
    (
        r"trann(?:y|ies)",
        r"tranny (?:vans?|fluid|oil|mounts?|rebuild|radios?)|(?:minibus|van|transit|ford|bus|car|truck)(?:['’]s)? trann(?:y|ies)"
        r"|tranny (?:has |just |is )?(?:needs? (?:a |its )?(?:new |full )?(?:service|clutch|MOT|tyres?|repair\w{0,3})"
        r"|(?:failed|passed|due) (?:its|an) MOT)"
        r"|(?:hire|hired|hiring|load|loaded|unload|refuel|service[d]?) (?:the |a |our |his |her |my |your )?"
        r"(?:old |new |white |blue )?trann(?:y|ies)",
        r"gearbox|transmission|transistor",
        "a vehicle",
    ),
    (
        r"nonces?",
        r"(?:each|every|random|fresh|unique|one-time|csrf|crypto\w{0,9}|replay|expired|stale) nonces?"
        r"|nonce (?:value|field|header|check|length|reuse|counter|protocol)s?",
        r"tokens?|hash(?:es|ed)?|crypto\w{0,9}|encrypt\w{0,4}|cipher\w{0,4}|csrf|replay",
        "computing",
    ),
    (
        r"(?:\w{1,9} ){0,2}bag",
        r"bag (?:split|broke|tore|burst)|bag has (?:a (?:hole|tear|rip|zip|label|split|broken|new)"
        r"|split|torn|burst|broken|been (?:found|left|handed))"
        r"|bag went (?:missing|everywhere|astray|in the|into the)|bag for (?:the|her|his|my|your|life)"
        r"|bag of (?!lard|bones|wind|shit|nerves|nonsense)\w{1,20}|bag full of (?!it|herself|wind)\w{1,20}"
        r"|bag (?:is|was) (?:full of (?!it|herself)\w{1,20}|falling (?:apart|to)|too (?:heavy|small|big)|torn|empty|split)"
        rf"|bag (?:(?:is|was) )?(?:left )?(?:in|on|by|under) (?:the|a|my|his|her|your|their) (?:\w{{1,9}} )?{_THING_PLACE}"
        r"|bag (?:from|in) (?:the |a |my )?(?:charity|shop|market|lost property|loft|attic)"
        r"|bag with (?:a |the |my |his |her |their |two |no )?(?:\w{1,9} )?"
        r"(?:zips?|straps?|books?|kit|labels?|handles?|name|hole|wheels|pockets?|shoes)"
        r"|(?:zip|strap|handle|lining|pocket)s? (?:on|of|from) (?:the|my|his|her|your|that|this) (?:\w{1,9} )?bag",
        _NEVER,
        "a bag",
    ),
    (r"(?:\w{1,8} )?(?:monkey|ape)s?", r"(?:cheeky|brass|grease|code)(?: little)? monkeys?", _NEVER, "play"),
    (
        r"retard(?:ed|s)?",
        r"retard(?:s|ed)? (?:the |its |by )?(?:ignition|timing|spark|growth|rust|flames?|fire|frost|motion|spread|\d+ degrees)"
        r"|(?:ignition|timing|spark) (?:is|was|too|slightly) (?:too |slightly )?retarded|(?:fire|flame|frost|rust)[ -]retard\w{0,4}",
        _NEVER,
        "a science",
    ),
    (
        r"retardation",
        r"(?:rate|coefficient|force) of retardation|retardation (?:of|is|was) \d|(?:uniform|constant|flame) retardation",
        r"decelerat\w{1,4}|accelerat\w{1,4}|velocity|met(?:re|er)s per second|m/s|brak(?:es?|ing)",
        "a science",
    ),
    (r"niggard\w{0,4}", r"niggard\w{0,4}", _NEVER, "meanness"),
    (
        r"wogs?",
        r"wog boy (?:is|was) (?:a|the) film|(?:film|films|movie) (?:called |titled )?the wog boy|wog boy (?:film|movie|dvd)",
        _NEVER,
        "a film",
    ),
    (r"half-?castes?", _NEVER, r"agard|anthology", "a poem"),
    (
        r"negro(?:es)?",
        r"negro(?:es)? (?:spirituals?|leagues?|songs?)|rio negro",
        r"langston|du bois|luther king",
        "music or history",
    ),
    (
        r"hoe(?:s|ing|d)?",
        r"dutch hoes?|row to hoe",
        r"garden\w{0,4}|allotments?|weed\w{0,3}|soil|spades?|rakes?|forks?|(?:flower|raised|veg\w{0,7}) ?beds?|veg\w{0,7}|tools?|sheds?"
        r"|plant\w{0,3}|digging|trowels?|greenhouses?|seed\w{0,5}|farming",
        "a garden",
    ),
    (
        r"puss(?:y|ies)",
        r"puss(?:y|ies) (?:eyes?|ears?|toes?|spots?|cuts?|sores?|wounds?|discharge|cats?|willows?|riot|galore|foot\w{0,4})"
        r"|(?:red|sore|swollen|weeping|yellow) and pussy",
        r"cats?|kittens?|willows?|owls?|catkins?|wounds?|infect\w{0,4}|discharg\w{1,3}|gra(?:ze|zed|zes)|scabs?|blisters?",
        "a cat or a wound",
    ),
    # Of food there is no plural.
    (r"kraut", r"sauer[ -]?kraut", r"sausages?|cabbage|ferment\w{0,5}|hot ?dogs?|pickl\w{1,3}", "food"),
    (r"spick?s?", r"spick?[ -]and[ -]span", _NEVER, "cleaning"),
    (r"wops?", r"doo[ -]wops?", _NEVER, "music"),
    (r"honk(?:y|ie|ey)s?", r"honk(?:y|ie|ey)[ -]tonks?", _NEVER, "music"),
    (r"injuns?", r"injun joe", r"tom sawyer|twain", "a book"),
    (
        r"poofs?",
        r"(?:and|then|went) poof|(?:sit|sat) on (?:the|a|your|these|those|one of the) poofs?|bean ?bags? (?:and|or) (?:\w{1,9} )?poofs?"
        r"|poofs? (?:and|or) (?:\w{1,9} )?(?:bean ?bags?|cushions?|foot ?stools?)|(?:leather|velvet|reading corner) poofs?",
        r"foot ?stools?",
        "a seat or a puff",
    ),
    (
        r"gits?",
        r"git (?:repo\w{0,10}|commits?|push|pull|branch\w{0,2}|merge|clone|hub|lab|server|log|history|hook)",
        r"repositor\w{1,3}",
        "computing",
    ),
    (
        r"flanges?",
        _NEVER,
        r"pipes?|joints?|bolts?|leak\w{0,3}|gaskets?|weld\w{0,3}|steel|boilers?|valves?|pumps?|drill\w{0,3}|beams?",
        "metalwork",
    ),
    (r"tossers?", r"(?:pancake|caber) tossers?|tossers? of (?:pancakes?|cabers?)", r"pancakes?|cabers?", "throwing"),
    (r"slags?", r"slag (?:heaps?|tips?|wool)", r"furnaces?|smelt\w{0,3}|ores?|steelworks?|molten", "metalwork"),
    (r"rim[ -]jobs?", _NEVER, r"wheels?|bikes?|cycl\w{1,4}|alloys?|tyres?", "a bicycle"),
    (
        r"shag(?:s|ged|ging)?(?: the)?",
        r"shag (?:pile|rugs?|carpets?|tobacco)|shag the (?:carpet|rug|pile|yarn|wool)",
        r"cormorants?|sea ?birds?",
        "a carpet or a bird",
    ),
)
_SENSE_OF = tuple(
    (
        re.compile(rf"(?:{word})\Z", re.I),
        re.compile(rf"(?<!\w)(?:{touching})(?!\w)", re.I),
        re.compile(rf"(?<!\w)(?:{near})(?!\w)", re.I),
        subject,
    )
    for word, touching, near, subject in _SENSES
)
# A person is called the word: then nothing that merely stands in the sentence gives it an innocent sense.
_CALLED_BEFORE = re.compile(
    r"\b(?:[Hh]e|[Ss]he|[Tt]hey|[Ww]ho|(?!(?:It|That|This|There|Here|What|Which|Each|These|Those)\b)[A-Z][a-z]{1,20}"
    r"|(?:teacher|head|manager|caretaker|driver|governor|boy|girl|man|woman|lad|kid|pupil|parent|mum|dad|coach))"
    r"(?: is|['’]s| was| are|['’]re| were) (?:just |really |still |being )?(?:a |an |such a |the )?"
    rf"(?:(?i:{_ADJECTIVE})){{0,3}}\Z"
    rf"|\b(?i:such a|what a|being a) (?:(?i:{_ADJECTIVE})){{0,3}}\Z"
    r"|\b(?i:stupid|lying|useless|lazy|ugly|fat|pathetic|fucking|miserable|nasty|vile|smelly|dumb|ignorant|filthy|thieving|greasy"
    r"|disgusting|worthless|arrogant)[ ,]{1,2}\Z"
)
_CALLED_AFTER = re.compile(
    r"\s(?:(?:in|from|at|on) (?:(?:the|my|your|his|her|our|that) )?(?:year|form|reception|HR|drama|maths|science|office|staffroom"
    r"|department|council|back row|day centre|\d{1,2}[A-Z])\b(?! garden)"
    r"|(?:who|whose)\b|to (?:stop|go|shut|move|get|leave)\b|and (?:his|her)\b"
    r"|(?:kids?|lads?|boys?|girls?|people|families|children|teachers?|woman|man|pupils?|students?)\b)",
    re.I,
)
# Places where the verbs of violence mean nothing.
_HARMLESS = re.compile(
    r"\b(?:match|game|games|team|goals?|goalkeepers?|keeper|ball|pitch|opponents?|opposition|league|cup|tournament|fixtures?|half[- ]time|"
    r"penalt(?:y|ies)|(?:next|first|second|last) round|won \d{1,2}|\d{1,2}[-–]\d{1,2}(?= (?:win|down|up|to|loss|at)|[.!,]|$)|server|"
    r"script|process|queue|thread|daemon|jobs?|battery|"
    r"printer|laptop|level|boss fight|minecraft|fortnite|chess|darts|squash|badminton|netball|rugby|"
    r"football|hockey|rounders|quiz|bake[- ]off|"
    r"scene|play|act (?:\d|[IVX]+)|rehearsal|character|Macbeth|Hamlet|Julius Caesar|dragon|zombies?|"
    r"wasps?|weeds?|moles|germs|bacteria|deadline|diet)\b",
    re.I,
)
_KITCHEN = re.compile(
    r"\b(?:peas|gravy|menu|mash(?:ed)?|lunch|canteen|firewood|custard|pudding|recipe|baking|jam|treacle|"
    r"bakewell|kitchen order|butcher)\b",
    re.I,
)
_LAUGH = re.compile(r"\b(?:lol|haha\w{0,6}|jk|only joking|just kidding)\b|😂|🤣|;-?\)", re.I)

# --- disguised spellings --------------------------------------------------------------------------------------------

_VARIANTS = {
    "a": "a@4àáâäåаα", "b": "b8бв", "c": "cç¢сϲ", "e": "e3èéêë€еε", "g": "g69", "h": "hн", "i": "i1!|íìïîіι", "k": "kкκ", "l": "l1|",
    "o": "o0öóòôоο", "p": "pр", "s": "s5$zѕ", "t": "t7+т", "u": "uvüúùûµυ", "w": "wш", "x": "xх", "y": "yу",
}  # fmt: skip
_MASK = "*#@%"
_DISGUISED: tuple[tuple[str, str, str, str], ...] = (
    *((root, "profanity", "very_strong", "") for root in ("fuck", "cunt", "motherfucker")),
    *((root, "profanity", "strong", "") for root in ("wank", "wanker", "twat", "bastard", "bitch", "dickhead", "bellend")),
    *((root, "profanity", "strong", "") for root in ("arsehole", "asshole", "prick")),
    *((root, "profanity", "strong", "") for root in ("pussy", "whore", "slut", "tosser")),
    *((root, "profanity", "moderate", "") for root in ("shit", "shite", "bollocks", "bullshit")),
    *((root, "discrimination", "very_strong", "race") for root in ("nigger", "nigga", "paki", "pikey")),
    *((root, "discrimination", "very_strong", "sexual orientation") for root in ("faggot",)),
    *((root, "discrimination", "very_strong", "disability") for root in ("retard", "spastic")),
)  # fmt: skip
_ENDING = r"(?:ing|in|ed|er|ers|s|wit|y|face|head|hole)?"


def _disguised(root: str) -> str:
    """Leet, repeated and masked spellings of `root`, or all its letters set apart; none of them ambiguous, so all linear."""
    letters = [f"[{re.escape(_VARIANTS.get(letter, letter))}]" for letter in root]
    inner = "".join(f"(?:{letter}{{1,5}}|[{_MASK}])" for letter in letters[1:-1])
    close = f"{letters[0]}{{1,5}}{inner}{letters[-1]}{{1,5}}{_ENDING}"
    apart = r"[ ._\-*]{1,2}".join(letters) + r"(?:[ ._\-*](?:i[ ._\-*]n[ ._\-*]g|e[ ._\-*]d|e[ ._\-*]r|s))?"
    return f"(?:{close}|{apart})"


class _Disguises:
    """Disguised spellings. Few expressions wake it: a mask or digit inside a word, a letter thrice, letters set apart."""

    wake = (
        r"[a-z$][*#@%!|$01345€¢]{1,4}[a-z*]",
        r"[a-z][*#@%]{2,5}",
        r"[5$8][a-z]",
        # Once for a run of a letter, however long it is.
        "|".join(rf"(?:^|[^{letter}]){letter * 3}" for letter in "abceghikostu"),
        r"\b[a-z$][ ._*-]{1,2}[a-z0-9@][ ._*-]{1,2}[a-z0-9][ ._*-]",
        r"[üúùûíìïîàáâäåèéêëöóòôç][a-z]",
        r"[a-z*][абвеіιкнорсѕтухαεκουϲ]|[абвеіιкнорсѕтухαεκουϲ][a-z*]",
    )

    def __init__(self) -> None:
        bodies = "|".join(f"(?P<root{number}>{_disguised(root)})" for number, (root, *_) in enumerate(_DISGUISED))
        starred = r"(?:ph|f)\*{1,4}(?:ck|k)(?:ing|er|ed|s)?|f\*{2,4}(?:ing|er|ed|s|k)?|c\*{2,3}t?s?"
        self._pattern = re.compile(rf"(?<![\w@/.*])(?:{bodies}|{starred})(?![\w@*])", re.IGNORECASE)

    def find(self, text: str, ends: Sequence[int]) -> Iterator[tuple[int, int, str, str, str]]:
        """Start, end, label, weight and group of the disguised words about `ends`; plain ones are the list's own."""
        done = 0
        for end in ends:
            low = max(done, text.rfind(" ", 0, max(0, end - 14)) + 1, end - 40)
            for match in self._pattern.finditer(text, low, min(len(text), end + 40)):
                if match.start() < done:
                    continue
                done = match.end()
                seen = match[0].lower()
                letters = sum(character.isalpha() for character in seen)
                if match.lastgroup is None:
                    yield match.start(), match.end(), "profanity", "strong", ""
                    continue
                root, label, weight, group = _DISGUISED[int(match.lastgroup.removeprefix("root"))]
                if seen.startswith(root) or letters < max(2, len(root) // 3):
                    continue
                yield match.start(), match.end(), label, weight, group


# --- whole sentences ------------------------------------------------------------------------------------------------

# People whom prejudice is about. A sentence that names none of them, and in which the list saw nothing, is never weighed.
_GROUPS = (
    "woman", "women", "girls", "female", "females", "wife", "wives", "feminist", "feminists", "bitches", "sluts", "whores",
    "chicks", "ladies", "muslim", "muslims", "islam", "jew", "jews", "jewish", "hindus", "sikhs", "catholics", "blacks", "asians",
    "africans", "indians", "pakistanis", "arabs", "chinese", "poles", "romanians", "gypsies", "travellers", "refugees", "migrants",
    "immigrants", "foreigners", "gay", "gays", "lesbian", "lesbians", "homosexuals", "transgender", "disabled", "autistic",
    "elderly", "pensioners",
)  # fmt: skip
# The verb is nobody's name.
_COMPLAINS = re.compile(
    r"\b(?:will|to|they|he|she|I|we|so) bitch(?:es|ed|ing)?\b|\bbitch(?:es|ed|ing)? (?:about|like|at|that)\b", re.I
)
SENTENCES_WEIGHED = 60
_VERY_SURE, _SURE, _LIKELY = 0.9, 0.8, 0.5
_HEAD_OF = {
    "discrimination": "discrimination",
    "harassment": "discrimination",
    "abuse": "abuse",
    "profanity": "abuse",
    "threat": "threat",
}
# From where on a head's word makes an unsure hit of the list a sure one. Abuse was learnt from tweets chosen for their
# words, where it is five times as common as elsewhere: only its surest word counts.
_HEAD_NEEDS = {"discrimination": _SURE, "abuse": 0.95, "threat": _LIKELY}


class _Sentences:
    """The model, asked at most SENTENCES_WEIGHED times about one text."""

    wake = tuple(rf"\b{word}\b" for word in _GROUPS)

    def __init__(self) -> None:
        self.model = Hostility.load()

    def surer(self, text: str, hits: Sequence[Hit]) -> Iterator[Hit]:
        """The hits; one that the list was unsure of is sure where its whole sentence reads so."""
        asked = 0
        for hit in hits:
            head = _HEAD_OF.get(hit.label)
            unsure = STRENGTH["ambiguous"] <= hit.confidence < STRENGTH["moderate"] and not any(
                reason.startswith(NOT_MEANT) for reason in hit.reasons
            )
            mild = hit.label == "profanity" and "mild" in hit.reasons  # stays mild whatever the sentence
            if head is not None and unsure and not mild and asked < SENTENCES_WEIGHED:
                asked += 1
                low, high = sentence_around(text, hit.start, hit.end)
                # The model learnt vulgar words as well: about one that may be an ordinary one, the others must speak.
                word = "" if head == "abuse" else text[hit.start : hit.end]
                if self._chance(head, text[low : hit.start] + word + text[hit.end : high]) >= _HEAD_NEEDS[head]:
                    reasons = (*hit.reasons, "the whole sentence reads so")
                    hit = Hit(hit.label, hit.start, hit.end, hit.value, 0.78, reasons)
            yield hit

    def _chance(self, head: str, sentence: str) -> float:
        """Contempt for women has a head of its own, learnt from far more sentences than the other characteristics share."""
        chances = self.model.probabilities(sentence)
        return max(chances["discrimination"], chances["sexism"]) if head == "discrimination" else chances[head]

    def unlisted(self, text: str, ends: Sequence[int], report: bool) -> Iterator[Hit]:
        """Sentences about a group of people that read like prejudice: a note, or, very seldom, enough for a finding."""
        done = asked = 0
        for end in ends:
            if end <= done or asked >= SENTENCES_WEIGHED:
                continue
            asked += 1
            low, high = sentence_around(text, max(0, end - 1), end)
            done = high
            chance = self._chance("discrimination", text[low:high])
            if chance < _LIKELY:
                continue
            near = text[max(0, low - 200) : high + 200]
            others = (
                report
                or _REPORTING.search(text, low, high)
                or CHALLENGE.search(near)
                or LESSON.search(near)
                or any(mark in text[low:high] for mark in QUOTES)
                or _COMPLAINS.search(text, low, high)
            )
            confidence = 0.4 if others else round(chance, 2) if chance >= _VERY_SURE else 0.55
            yield Hit(
                "discrimination", low, high, text[low:high], confidence, ("reads like prejudice", "the whole sentence")
            )


# --- signs in company -----------------------------------------------------------------------------------------------

# So near must two signs stand to be one matter: a few sentences.
_NEAR = 450
_ALONE, _TOGETHER, _PLAIN = STRENGTH["sign"], 0.78, 0.85
# Shutting somebody out, and mocking what somebody is, are one matter for those who suffer it.
_FAMILY = {"harassment": "discrimination", "discrimination": "discrimination", "abuse": "discrimination"}
# Where one person's words end and another's begin, as far as a text shows it: nobody answers for the company of another.
_BORDER = re.compile(r"\n[ \t]*(?:>|-{3,}|_{5,}|\*{5,}|From:|Von:|De:|Begin forwarded|On [^\n]{1,120}\bwrote:)")
_UNSURE = ("sign", "faint", "likely", "mild")


class _Company:
    """What makes a sign count: another sign near it, or a setting, of another kind. Two kinds make a finding, more a surer one."""

    def __init__(self, settings: Sequence[Entry]) -> None:
        by_kind: dict[tuple[str, str, str], list[str]] = {}
        for entry in settings:
            kind = (_FAMILY.get(entry.label, entry.label), entry.group, entry.means)
            by_kind.setdefault(kind, []).append(entry.pattern.pattern)
        self._kinds = {kind: re.compile("|".join(bodies), re.IGNORECASE) for kind, bodies in by_kind.items()}

    def joined(self, text: str, hits: list[Hit], report: bool) -> list[Hit]:
        """The hits, each sign as sure as its company makes it. In a log of what happened no sign is the writer's own."""
        signs = [
            hit
            for hit in hits
            if len(hit.reasons) > 1 and hit.reasons[1] in _UNSURE and hit.confidence >= STRENGTH[hit.reasons[1]]
        ]
        if report or not signs:
            return [hit for hit in hits if hit.reasons[1:2] != ("sign",)]
        kept = []
        for hit in hits:
            if hit.reasons[1:2] != ("sign",):
                kept.append(hit)
            elif hit in signs and (kinds := self._kinds_about(text, hit, signs)):
                reasons = (hit.reasons[0], f"beside {', '.join(sorted(kinds))}", *hit.reasons[2:])
                sure = _PLAIN if len(kinds) > 1 else _TOGETHER
                kept.append(Hit(hit.label, hit.start, hit.end, hit.value, sure, reasons))
        return kept

    def _kinds_about(self, text: str, sign: Hit, signs: Sequence[Hit]) -> set[str]:
        family = _FAMILY.get(sign.label, sign.label)
        low, high = max(0, sign.start - _NEAR), min(len(text), sign.end + _NEAR)
        low = max((border.end() for border in _BORDER.finditer(text, low, sign.start)), default=low)
        border = _BORDER.search(text, sign.end, high)
        high = border.start() if border else high
        found, alike = set(), {sign.value.lower()}
        for other in signs:
            if _FAMILY.get(other.label, other.label) != family or not low <= other.start <= high:
                continue
            if other.start < sign.end and sign.start < other.end:
                continue
            if other.reasons[0] != sign.reasons[0]:
                found.add(other.reasons[0])
            else:
                alike.add(other.value.lower())
        if len(alike) > 2:
            found.add(f"{len(alike) - 1} more such")
        for (label, group, means), pattern in self._kinds.items():
            if label != family or means in found or (group and f"about {group}" not in sign.reasons):
                continue
            if any(m.start() >= sign.end or m.end() <= sign.start for m in pattern.finditer(text, low, high)):
                found.add(means)
        return found


class Language(TextDetector):
    """The lexicon, its disguised spellings, and whose words they are."""

    labels: ClassVar[tuple[str, ...]] = LABELS
    files: ClassVar[tuple[Path, ...]] = (LISTS / "language.yml", MODEL)
    _entries = read_list("language", LABELS, tuple(STRENGTH))
    # A setting is looked for only where there is a sign: ordinary words must wake nothing.
    _words = WordList([entry for entry in _entries if entry.weight != "setting"])
    _company = _Company([entry for entry in _entries if entry.weight == "setting"])
    _disguises = _Disguises()
    _sentences = _Sentences()
    wake: ClassVar[tuple[str, ...]] = _words.wake + _disguises.wake + _sentences.wake

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterator[Hit]:
        plain = [waking for waking in wakings if waking.index < len(self._words.wake)]
        matches = [match for match in self._words.matches(text, plain, context.budget) if _counts(text, match)]
        disguises, groups = len(self._words.wake), len(self._words.wake) + len(self._disguises.wake)
        ends = sorted({waking.end for waking in wakings if disguises <= waking.index < groups})[:20_000]
        respelt = list(self._disguises.find(text, ends))
        places = sorted({waking.end for waking in wakings if waking.index >= groups})
        if not matches and not respelt and not places:
            return
        report = is_report(text)
        hits = [
            _judge(text, m.start, m.end, m.entry.label, m.entry.weight, m.entry.means, m.entry.group, report)
            for m in matches
        ]
        for start, end, label, weight, group in respelt:
            hits.append(_judge(text, start, end, label, weight, "disguised spelling", group, report))
        hits = self._company.joined(text, list(_strengthened(_outermost(hits))), report)
        told = list(self._sentences.surer(text, hits))
        seen = [hit for hit in told if hit.label == "discrimination" and hit.confidence >= 0.5]
        yield from told
        for hit in self._sentences.unlisted(text, places, report):
            if not any(hit.start <= other.start < hit.end for other in seen):
                yield hit


def _counts(text: str, match: Match) -> bool:
    """Whether an entry that needs somebody to be called it has that, and none is part of a name or an address."""
    before, after = text[match.start - 1 : match.start], text[match.end : match.end + 1]
    # "#word" is said as much as "word"; "page#word" is an address.
    joined = text[match.start - 2 : match.start - 1].isalnum() if before in (".", "#") else before in ("@", "/", "_")
    if joined or after == "@":
        return False
    if after == "." and text[match.end + 1 : match.end + 2].isalpha() and text[match.end + 1].islower():
        return False
    head = text[max(0, match.start - 60) : match.start].replace("\n", " ")
    if match.entry.needs == "nasty":
        return bool(_YOU.search(head) or _NASTY.search(head) or _LOT_OF.search(head))
    if match.entry.needs == "person":
        return _SOMEBODY_NEXT.match(text, match.end) is not None
    if match.entry.needs == "aimed":
        said_of = (_YOU, _SOMEBODY_IS, _NASTY, _LOT_OF, *([_THAT] if match.entry.label == "profanity" else []))
        return any(pattern.search(head) for pattern in said_of)
    return True


def _judge(text: str, start: int, end: int, label: str, weight: str, means: str, group: str, report: bool) -> Hit:
    confidence = STRENGTH[weight]
    reasons = [means, weight.replace("_", " ")]
    if group and group != "any":
        reasons.append(f"about {group}")
    low, high = sentence_around(text, start, end)
    head = text[low:start]
    quoted = in_quotes(text, start, end)
    handed_over = introduced(text, start)
    saying = [match.end() for match in _REPORTING.finditer(head[-160:])]
    reported = bool(saying) and not _TURN.search(head[-160:][saying[-1] :])
    near = slice(max(0, start - 250), min(len(text), end + 250))
    to_you = re.search(r"\b(?:you|u|ur|your|you['’]re)\b", text[max(low, start - 40) : end + 20], re.I) is not None
    if quoted and (reported or report or not to_you or LESSON.search(text[near])):
        confidence *= 0.4
        reasons.append("quoted")
    elif handed_over or (reported and (report or not to_you)):
        confidence *= 0.45
        reasons.append("reported speech")
    elif quoted:
        confidence *= 0.6
        reasons.append("in quotation marks")
    elif (
        is_lesson(text[near], to_you)
        and weight != "very_strong"
        and label not in ("harassment", "disparagement", "threat")
    ):
        confidence *= 0.5
        reasons.append("talk of a lesson, text or language")
    elif label == "threat" and _HARMLESS.search(text[near]):
        confidence *= 0.5
        reasons.append("talk of sport, computing or theatre")
    elif (
        label in ("discrimination", "harassment", "profanity")
        and CHALLENGE.search(text, low, high)
        and not EXCUSE.search(text, low, high)
    ):
        confidence *= 0.5
        reasons.append("said to be wrong, not meant")
    elif (
        label in ("discrimination", "harassment", "abuse", "threat")
        and _DENIED.search(head[-160:])
        and not re.search(r"\bbut\b", text[end:high])
    ):
        confidence *= 0.5
        reasons.append("denied or regretted, not meant")
    elif (
        label == "discrimination"
        and group == "disability"
        and _CLINICAL.search(text, max(low, start - 60), min(high, end + 40))
    ):
        confidence *= 0.4
        reasons.append("a clinical term")
    elif sense := _ordinary_sense(text, start, end):
        confidence *= 0.4
        reasons.append(f"talk of {sense}")
    elif label == "discrimination" and weight == "mild" and _COMMUNITY.match(text, end):
        confidence *= 0.4
        reasons.append("a community's own name")
    elif label == "abuse" and text[start:end].lower().startswith("shut up") and _JOY.search(text, end, high + 20):
        confidence *= 0.4
        reasons.append("said in joy")
    elif label == "abuse" and _OF_MYSELF.search(head):
        confidence *= 0.4
        reasons.append("said of oneself")
    elif (
        label in ("profanity", "discrimination")
        and _KITCHEN.search(text[near])
        and not to_you
        and weight != "very_strong"
    ):
        confidence *= 0.4
        reasons.append("talk of food")
    if label == "threat" and _LAUGH.search(text, low, min(len(text), high + 10)) and not to_you:
        confidence *= 0.8
        reasons.append("said laughing")
    if _is_name(text, start, end) and label in ("profanity", "sexual", "discrimination"):
        confidence *= 0.4
        reasons.append("capitalised like a name")
    return Hit(label, start, end, text[start:end], round(confidence, 3), tuple(reasons))


def _ordinary_sense(text: str, start: int, end: int) -> str:
    """What the words are about where their harmless sense is meant; empty where nothing in their sentence shows it."""
    word = text[start:end]
    for listed, touching, near, subject in _SENSE_OF:
        if not listed.match(word):
            continue
        low, high = sentence_around(text, start, end)
        low, high = max(low, start - 100), min(high, end + 100)
        if any(match.start() < end and start < match.end() for match in touching.finditer(text, low, high)):
            return subject
        head = text[max(low, start - 60) : start].replace("\n", " ")
        called = any(pattern.search(head) for pattern in (_YOU, _CALLED_BEFORE, _LOT_OF))
        if called or _CALLED_AFTER.match(text, end) or not near.search(text, low, high):
            return ""
        return subject
    return ""


def _is_name(text: str, start: int, end: int) -> bool:
    word = text[start:end]
    if " " in word or not (word[:1].isupper() and word[1:].islower()):
        return False
    before = re.search(r"(\w[\w'’.-]{0,20}) \Z", text[max(0, start - 24) : start])
    after = re.match(r" ([A-Z][a-z]+)", text[end : end + 24])
    titled = (
        before is not None
        and before[1][0].isupper()
        and before[1].lower() not in ("you", "he", "she", "they", "what", "that", "this", "i")
    )
    return titled or (
        after is not None
        and before is not None
        and not text[max(0, start - 3) : start].rstrip().endswith((".", "!", "?"))
    )


def _outermost(hits: list[Hit]) -> list[Hit]:
    """Per label, a hit inside a longer or surer one is the same words seen twice; the surer keeps the place."""
    kept: list[Hit] = []
    last: dict[str, int] = {}
    for hit in sorted(hits, key=lambda item: (item.start, -item.confidence, -item.end)):
        at = last.get(hit.label)
        if at is not None and hit.start < kept[at].end:
            if hit.confidence > kept[at].confidence:
                kept[at] = hit
            continue
        last[hit.label] = len(kept)
        kept.append(hit)
    return kept


def _strengthened(hits: list[Hit]) -> Iterator[Hit]:
    """Faint and likely phrases gain by others of their label: two faint are medium, three plain; a likely one needs one more."""
    faint: dict[str, set[str]] = {}
    for hit in hits:
        if "faint" in hit.reasons or "likely" in hit.reasons:
            faint.setdefault(hit.label, set()).add(hit.value.lower())
    backed = {hit.label for hit in hits if hit.confidence >= 0.75}
    for hit in hits:
        number = len(faint.get(hit.label, ())) + (hit.label in backed)
        if "faint" in hit.reasons and hit.confidence >= 0.3 and number > 1:
            why = (*hit.reasons, f"one of {number} such")
            yield Hit(hit.label, hit.start, hit.end, hit.value, 0.6 if number == 2 else 0.76, why)
        elif "likely" in hit.reasons and hit.confidence >= 0.6 and number > 1:
            yield Hit(hit.label, hit.start, hit.end, hit.value, 0.8, (*hit.reasons, f"one of {number} such"))
        else:
            yield hit
