"""Whose words a mail's text is: the sender's, quoted, forwarded, signature, disclaimer or banner.

A banner is what a program has put in: a gateway's warning above the text, a calendar's way into a meeting below it.
Reading the lines once from the top answers it for plain text, and for HTML as well, because `markup` writes cited blocks
with `> ` as plain mails do. Where nothing says that words are somebody else's they are the sender's: a finding that
names too much can be dismissed, words cut away are never seen again.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from scanner.model import Segment, SegmentOwner


def _one_of(*choices: str) -> str:
    return "(?:" + "|".join(choices) + ")"


# --- what marks the end of the sender's words -----------------------------------------------------------------------

_TAG = r"\s*(?:\[[^\]]{1,40}\]\s*)?"
_FORWARD_SUBJECT = re.compile(_TAG + r"(?:fwd?|wg|tr|rv|enc|doorst|vs|i|fs|ml|pd|továbbítás|ilt)\s*:", re.IGNORECASE)
_REPLY_SUBJECT = re.compile(_TAG + r"(?:re|aw|antw|sv|r|res|odp|ref|vá|ynt|atb)\s*(?:\[\d+\])?:", re.IGNORECASE)
# "On …, Jane wrote:" as Gmail, Apple Mail, Thunderbird and Outlook for phones put it, in the languages they speak. Only
# the verb tells them apart; the words such a line begins with are too common to stand alone.
_SAID = _one_of(
    "wrote|writes|said|ysgrifennodd|scríobh|a [ée]crit|schrieb|geschrieben|escribi[óo]|escreveu|ha scritto|schreef",
    "geschreven|skrev|kirjoitti|napisał|napisał\\(a\\)|pisze|a scris|írta|napsal|napsal\\(a\\)|napísal",
    "napísal\\(a\\)|je napisao|je napisala|je napisao/la|şunu yazdı|yazdı|написал|написал\\(а\\)|пишет|написав",
    "написав\\(-ла\\)|пише|написа|rašė|rakstīja|έγραψε|qoray|shkroi|كتب|تمت كتابة|نے لکھا|লিখেছেন|写道|寫道",
    r"ezt írta \([^()\n]{1,80}\)",
)
_SAID_AT_END = re.compile(_SAID + r"(?:[ \t][^\n:]{0,120})?[ \t]?:[ \t]*$", re.IGNORECASE)
_HAS_DATE = re.compile(r"\d{1,2}[:.h]\d\d|\b(?:19|20)\d\d\b|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}|@")
_ATTRIBUTION_START = re.compile(
    r"[ \t>*_-]*"
    + _one_of(
        "on|at|in a message|quoting|ar|le|am|el|em|no dia|il|op|den|dnia|w dniu|pe|dne|dňa|dana|a\\(z\\)|u",
        "вт|пн|ср|чт|пт|сб|вс|mon|tue|wed|thu|fri|sat|sun",
        r"[\"'<]?[\w.+-]{1,60}@|\d{1,4}[./-]|\d{1,2} [a-zà-ž]{3}",
    ),
    re.IGNORECASE,
)
# Some programs say no verb in some languages: a date with its time, a name, and the address at the very end.
_DATE_TIME_ADDRESS = re.compile(
    r"(?:[^\W\d_]{1,12}[.,]{0,2} ){0,2}\d{1,4}[^\n<>:]{1,40}\d{1,2}:\d\d[^\n<>]{0,100}<[^<>\s@]{1,100}@[^<>\s]{1,200}>[ \t]?:[ \t]*$"
)
# Gmail and Yandex in some languages say no verb: a date, a name and the address.
_DATE_AND_ADDRESS = re.compile(
    r"(?:\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}[./]\d{1,2}[./]\d{4},)[^\n]{0,120}<[^<>\n@]{1,100}@[^<>\n]{1,200}>:?[ \t]*$"
)
_ORIGINAL = re.compile(
    r"[ \t>*]*[-_]{2,}[ \t]*"
    + _one_of(
        "original message|original appointment|reply message|ursprüngliche nachricht|message d'origine|mensaje original",
        "mensagem original|messaggio originale|oorspronkelijk bericht|ursprungligt meddelande|oprindelig meddelelse",
        "opprinnelig melding|alkuperäinen viesti|wiadomość oryginalna|oryginalna wiadomość|původní zpráva",
        "исходное сообщение|neges wreiddiol",
    )
    + r"[ \t]*[-_]{2,}",
    re.IGNORECASE,
)
# An attribution between dashes, as Zoho writes it, and one with the first words quoted behind it, as Yahoo for phones does.
_SAID_BETWEEN_DASHES = re.compile(
    r"[ \t>]*-{2,}[ \t]*[^\n]{4,200}?\b" + _SAID + r"[ \t]*:?[ \t]*-{2,}[ \t]*$", re.IGNORECASE
)
_SAID_IN_LINE = re.compile(
    r"[ \t]*on [^\n<>]{8,120}<[^<>\s@]{1,100}@[^<>\s]{1,200}>[ \t]*" + _SAID + r"[ \t]*:[ \t]+\S", re.IGNORECASE
)
# GroupWise marks what it quotes in its first line alone.
_GROUPWISE = re.compile(
    r">>> [^\n]{2,200}\d{1,4}[/.-]\d{1,2}[/.-]\d{2,4}(?:[^\n]{0,40}>>>|[^\n]{0,200}\b" + _SAID + r"[ \t]*:)[ \t]*$",
    re.IGNORECASE,
)
# What a help desk or a school's messaging system puts between an answer and what it keeps of the thread.
_ANSWER_ABOVE = re.compile(
    r"([^\w\n]{0,20})(?:please )?(?:(?:type|write|enter|add) (?:your )?)?(?:reply|respond|response|answer|replies)"
    r"(?: only)? (?:above|before) (?:this|the) line[^\n]{0,40}$"
    r"|([^\w\n]{0,20})(?:please )?do not (?:write|type|edit|reply) below this line[^\n]{0,40}$",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"[ \t>*]*(?:[-_]{2,}[ \t]*"
    + _one_of(
        "forwarded message|forwarded mail|forwarded by|weitergeleitete nachricht|message transf[ée]r[ée]|mensaje reenviado",
        "mensagem encaminhada|mensagem reencaminhada|messaggio inoltrato|messaggio originale inoltrato|doorgestuurd bericht",
        "vidarebefordrat|videresendt|edelleenlähetetty|przekazana wiadomość|wiadomość przekazana|přeposlaná|preposlaná",
        "message transmis|перенаправлене|továbbított|mesaj redirecționat|iletilen|пересылаемое|пересланное|переслане|proslijeđena",
    )
    + "|"
    + _one_of(
        "begin forwarded message|début du message réexpédié|anfang der weitergeleiteten|inicio del mensaje reenviado",
        "inizio messaggio inoltrato|start doorgestuurd bericht|vidarebefordrat brev|início da mensagem",
        "początek przekazywanej|začátek přeposílané|započni proslijeđenu|начало пересылаемого|початок листа",
    )
    + r"[^\n]{0,40}:[ \t]*$|<?forwarded message(?:>|:[ \t]*$))",
    re.IGNORECASE,
)
# Labels of the header block that Outlook and others put above what they quote, by what they stand for.
_LABELS = {
    "from": "from|von|de|da|van|från|fra|lähettäjä|od|expéditeur|отправитель|от|від|feladó|kimden|gönderen|oddawca|nadawca|oddi wrth"
    "|de la|nuo|no|saatja|pošiljatelj|nga|frá|ó|dari|từ|보낸 사람|از|από|šalje|发件人|發件人|寄件者|差出人|من|منجانب|প্রেরক",
    "date": "date|sent|dato|päivämäärä|gesendet|datum|envoyé|enviado|enviado el|enviado em|enviada|enviada em|inviato|data|verzonden"
    "|skickat|sendt|lähetetty|päiväys|wysłano|wysłane|odesláno|odoslané|dátum|отправлено|дата|надіслано|küldve|elküldve|gönderildi"
    "|gönderme tarihi|tarih|fecha|trimis|anfonwyd|dyddiad|išsiųsta|nosūtīts|изпратено|στάλθηκε|ημερομηνία|poslano|发送时间"
    "|saadetud|kuupäev|poslato|dërguar|seolta|dikirim|đã gửi|ngày|보낸 날짜|ارسال شده|تاریخ ارسال"
    "|發送時間|寄件日期|日期|送信日時|تاريخ الإرسال|تم الإرسال|التاريخ|تاریخ|بھیجا گیا|sent on|date sent",
    "to": "to|an|à|a|para|aan|till|til|vastaanottaja|do|komu|кому|címzett|kime|alıcı|către|catre|pour|at|i|kam|до|προς|prima"
    "|adressaat|kellele|za|për|chuig|kepada|đến|tới|받는 사람|به|收件人|收件者|宛先|إلى|بنام",
    "subject": "subject|betreff|objet|asunto|oggetto|assunto|onderwerp|ämne|emne|aihe|temat|předmět|predmet|тема|tárgy|konu|subiect|pwnc"
    "|testun|tema|teema|zadeva|naslov|subjekti|efni|ábhar|perihal|chủ đề|제목|tēma|temats|относно|θέμα|主题|主旨|件名|الموضوع|موضوع",
    "other": "cc|kopi|kopio|kopie|kopia|copie|copia|cci|bcc|dw|kopi til|másolatot kap|bilgi|копія|копия|кому копія|reply-to|importance"
    "|attachments|anlagen|pièces|pièces jointes|when|where|抄送|نسخة",
}
_LABEL_OF = {words: label for label, choices in _LABELS.items() for words in choices.split("|")}
# These say when, but not that something was sent.
_DATE_ALONE = frozenset("date dato datum data fecha dátum дата tarih".split())
_HEADER_LINE = re.compile(r"[ \t>]*\*{0,2}([^\W\d_][^\d:*<>@,.]{0,20}?)\*{0,2}[ \t]?:")
# A whole block run into one line, as careless conversion leaves it.
_LABEL_IN_LINE = re.compile(r"(?:^|[ \t*])([^\W\d_]{1,14}):(?=[ \t*])")
_RULE = re.compile(r"[ \t]*[_\-=*–—]{5,}[ \t]*$")
# What the lines above can begin with, besides a letter: most lines of most mails are passed by for lack of one.
_MARK_INITIALS = frozenset("-_<=*–—")

# --- what stands around the sender's words --------------------------------------------------------------------------

_DASHES = re.compile(r"--[ \t]?$|—[ \t]*$|_{2,4}$")
_DEVICE = re.compile(
    _one_of(
        "sent (?:from|using|via|with)|get outlook|envoyé de|von meinem|enviado (?:desde|do)|inviato da|verstuurd vanaf",
        "skickat från|anfonwyd o",
    )
    + " "
    + _one_of(
        "my |the |mon |mein|mi |meu |mijn |min |fy |outlook|mail for|yahoo|gmail|proton|samsung|iphone|ipad|android",
        "blackberry|sparrow|[a-z]{2,20} (?:mail|for)|for (?:ios|android)",
    )
    + r"[^\n]{0,80}$",
    re.IGNORECASE,
)
_DEVICE_INITIALS = frozenset("sgevianSGEVIAN")
_SIGN_OFF = re.compile(
    _one_of(
        "(?:with )?(?:(?:kind|kindest|best|warm|warmest|many|very best|all good) )?(?:regards|wishes)|all the best|best",
        "yours(?: (?:sincerely|faithfully|truly|ever))?|sincerely|many thanks(?: (?:and|&) [a-z ]{3,20})?",
        "thanks(?: (?:again|so much|very much|in advance|and [a-z ]{3,20}))?|thank you(?: [a-z ]{3,25})?|thx|ta|cheers",
        "take care|cofion(?: [a-z]{2,12}){0,2}|diolch(?: [a-z]{2,12}){0,3}|rgds|br|kr|mit freundlichen grüßen",
        "cordialement|saludos",
    )
    + r"[ \t]*[,.!\-]*$",
    re.IGNORECASE,
)
_CONTACT = re.compile(
    _one_of(
        r"(?:\+44|\(?0\d{2,5}\)?)[\s\d()\-]{5,14}\d|[\w.+'-]{1,64}@[\w-]{1,63}\.[\w.-]{1,100}|\bwww\.[\w.-]{2,100}",
        r"https?://|\bext(?:ension|n)?\.? ?\d{2,5}|\b(?:tel|mob|mobile|phone|direct|ddi|fax|e|t|m|w)\s?[:.]",
    ),
    re.IGNORECASE,
)
_ROLE = re.compile(
    r"\b"
    + _one_of(
        "head|deputy|assistant|teacher|teaching|manager|officer|director|coordinator|co-ordinator|senco|sendco|dsl|lead",
        "principal|headteacher|administrator|secretary|receptionist|governor|clerk|chair|leader|technician|business",
        "bursar|finance|hr|people|trainer|tutor|learning mentor|counsellor|nurse|librarian|caretaker|site|ceo|coo|cfo",
        "dpo|consultant|engineer|editor|president|support|services|academy|school|college|trust|ltd|limited|plc|llp|inc",
        r"department|faculty|year \d{1,2}|team|office|partner|adviser|advisor",
    )
    + r"\b",
    re.IGNORECASE,
)
_POSTCODE = re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b")
_NAME_WORD = r"[^\W\d_][\w'.-]*"
_NAME_LINE = re.compile(
    rf"(?:(?:mr|mrs|ms|miss|mx|dr|rev|prof|sir|dame)\.? )?{_NAME_WORD}(?: {_NAME_WORD}){{0,4}}(?: \([^()\n]{{1,30}}\))?[,.]?$",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[^\W\d_]+")
# A line that says something of somebody else is no line of a signature, whatever number or address stands in it.
_OF_ANOTHER = re.compile(
    r"\b(?:is|was|are|were|has|had|he|she|they|her|his|their|him|them|born|mum|dad|mother|father|son|daughter|carer)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[a-zà-ž]{2,}[.!?](?:\s|$)")
_POSTSCRIPT = re.compile(r"p\.?\s?s\.?\b", re.IGNORECASE)
_MAX_SIGNATURE_LINES, _MAX_SIGNATURE_CHARS = 25, 1_500

_DISCLAIMER_START = re.compile(
    r"[\s*_>-]*"
    + _one_of(
        "this (?:e-?mail|message|communication|transmission|mailbox)\\b",
        "the (?:information|contents?) (?:contained |transmitted )?(?:in|of|and)|information in this",
        "(?:the )?views?(?: and| or|,)? ?(?:opinions? )?expressed|any (?:views|opinions)|confidentiality|disclaimer",
        "important notice|privileged|notice:|caution:|warning:|if you (?:have rec(?:ei|ie)ved|are not|received)",
        "please (?:consider|think|note|do not print|don't print)|think before|registered (?:office|in|charity|company)",
        "[A-Z][^\\n]{2,80} is (?:a company|an exempt|a charitable|registered|part of)",
        "company (?:number|registration|reg)|we (?:may )?monitor|e-?mails? (?:are|may be|is) |although (?:this|we|the)",
        "for information about how|our privacy notice|internet communications|the sender (?:does not|accepts)",
        "diese (?:e-?mail|nachricht)|ce (?:message|courriel)|este (?:mensaje|correo)|mae'r (?:e-?bost|neges)",
    ),
    re.IGNORECASE,
)
_DISCLAIMER_WORD = re.compile(
    _one_of(
        "intended (?:only |solely )?(?:recipient|for)|addressee|to whom (?:it is|they are)|confidential|privileged",
        "in error|unauthori[sz]ed|legally|virus|not necessarily|delete (?:it|this)|notify|liability|environment",
        "(?:views|opinions)[^.\\n]{0,60} (?:author|sender|necessarily)|before printing|print this|data protection",
        "registered (?:office|in england|number|company|charity)|company limited by guarantee|exempt charity",
        "privacy (?:notice|policy)|monitored|disclos|disseminat|solely for|strictly prohibited|vertraulich|confidentiel",
    ),
    re.IGNORECASE,
)
_MAX_DISCLAIMER_LINES = 60
# So short a paragraph needs one phrase of small print, a longer one two.
_SHORT_SMALL_PRINT = 200
_BANNER = re.compile(
    r"[\s*\[(_=!>⚠-]*"
    + _one_of(
        "external(?: (?:e-?mail|sender|message|mail))?\\b|caution\\b|warning\\b|attention\\b|rhybudd\\b|e-bost allanol\\b",
        "(?:you|some people who received this message) don't often get e-?mail",
        "this (?:e-?mail|message) (?:has |was |is |originate[sd]? |came |comes |been |sent |come |in )*from",
        "this (?:e-?mail|message) is (?:external|outside)|the sender of this (?:e-?mail|message) is",
        "be careful with this message|think before you click",
    ),
    re.IGNORECASE,
)
# One of these tells a banner, of the advice that follows them it takes two pieces: colleagues give it as well.
_BANNER_WORD = re.compile(
    _one_of(
        "outside (?:of )?(?:the|our|your|this|[a-z]+ (?:trust|school|academy|council)|[A-Z])|(?:un)?trusted (?:sender|source)",
        "external (?:sender|source|e-?mail|account|organi[sz]ation|to your)|don't often get|learn why this is important",
        "unless you (?:recogni[sz]e|trust|know)|verify the sender|previously corresponded|unknown senders?|tu allan i",
    ),
    re.IGNORECASE,
)
_BANNER_ADVICE = re.compile(
    "do(?: not|n't) (?:click|open|reply)|links? (?:or|and) (?:open )?attachments?|be careful|take care", re.IGNORECASE
)
# The way into a meeting as Teams, Zoom, Meet and Webex write it into an invitation, line by line. One line of the first kind
# opens such a block, those of the second belong to it.
_MEETING = re.compile(
    r"[\s*|>-]*"
    + _one_of(
        "microsoft teams meeting|cyfarfod microsoft teams|microsoft teams need help|join (?:the |microsoft teams )?meeting now",
        "join on your computer|click here to join the meeting|join microsoft teams meeting|join (?:our )?zoom meeting",
        "[^\\n]{0,80} is inviting you to a scheduled zoom meeting|join with google meet|google meet joining info|video call link:",
        "join (?:from the meeting link|by meeting number|webex meeting)",
    ),
    re.IGNORECASE,
)
_MEETING_LINE = re.compile(
    r"[\s*|>-]*"
    + _one_of(
        "(?:meeting|webinar|conference|phone conference|video(?: conference)?) (?:id|number|link|url|options|password|key|passcode)\\b",
        "(?:pass(?:code|word)|pin|tenant key|video id|host key|access code|one tap mobile)\\s?:|cod mynediad\\s?:|id'r cyfarfod",
        "join (?:on|by|with|from|via|conversation|the)\\b|download (?:teams|zoom)|or call in|dial[- ]in|or dial|more phone numbers",
        "one tap mobile|dial by your location|find (?:a|your) local number|reset (?:dial-in )?pin|learn more|meeting options|need help\\?",
        "for organi[sz]ers|privacy and security|system reference|more info|org help|tap to join|more joining options",
        r"<?https?://(?:[\w-]{1,40}\.){0,3}(?:teams\.(?:microsoft|live)\.com|zoom\.us|meet\.google\.com|tel\.meet|webex\.com|aka\.ms|dialin)",
        r"\+\d[\d ()-]{6,20}(?:,|\b)",
    ),
    re.IGNORECASE,
)
_CALENDAR_RULE = re.compile(r"\s*(?:\*~){4,}\*?\s*$")
_WHEN_WHERE = re.compile(r"\s*(?:when|where|pryd|ble)\s?:", re.IGNORECASE)
_LINK = re.compile(r"<?https?://[^\s<>]{1,2000}>?")
_MAX_MEETING_LINES, _LONGEST_MEETING_LINE, _LONGEST_MEETING_TAIL = 40, 100, 24


class _Line(NamedTuple):
    text: str
    start: int
    end: int  # with its line break
    is_empty: bool


def segments(text: str, subject: str = "", sender: str = "") -> tuple[Segment, ...]:
    """The segments of one body: they cover `text` without gap or overlap, in order.

    `text` is normalised. `subject` tells a forward from a reply, `sender` (the display name) whose signature to expect.
    """
    if not text:
        return ()
    lines = _lines(text)
    owners: list[SegmentOwner] = ["sender"] * len(lines)
    own_end = _mark_history(lines, owners, subject)
    _mark_banners(lines, owners, own_end)
    _mark_meetings(lines, owners)
    _mark_disclaimers(lines, owners)
    _mark_signatures(lines, owners, sender)
    return _joined(lines, owners)


def is_reply_subject(subject: str) -> bool:
    """Whether a subject begins as those of answers do, in the languages that mail programs write it in."""
    return _REPLY_SUBJECT.match(subject) is not None


def all_owned(text: str, owner: SegmentOwner) -> tuple[Segment, ...]:
    """One segment over the whole text: what an attached mail holds is forwarded."""
    return (Segment(owner, 0, len(text)),) if text else ()


def _lines(text: str) -> list[_Line]:
    """The lines of `text`; a run of empty ones is a single empty line whose `text` keeps their line breaks."""
    lines: list[_Line] = []
    position = run_start = 0
    run: list[str] = []
    for line in text.split("\n"):
        end = position + len(line) + 1
        if not line or line.isspace():
            if not run:
                run_start = position
            run.append(line)
        else:
            if run:
                lines.append(_Line("\n".join(run), run_start, position, True))
                run = []
            lines.append(_Line(line, position, end, False))
        position = end
    if run:
        lines.append(_Line("\n".join(run), run_start, position, True))
    lines[-1] = lines[-1]._replace(end=position - 1)
    return lines


def _joined(lines: list[_Line], owners: list[SegmentOwner]) -> tuple[Segment, ...]:
    # Empty lines belong to what stands above them, so that a quotation with gaps is one segment.
    found: list[Segment] = []
    owner: SegmentOwner = next((o for line, o in zip(lines, owners, strict=True) if not line.is_empty), "sender")
    start = 0
    for line, next_owner in zip(lines, owners, strict=True):
        if line.is_empty or next_owner == owner:
            continue
        if line.start > start:
            found.append(Segment(owner, start, line.start))
        start, owner = line.start, next_owner
    end = lines[-1].end
    if end > start:
        found.append(Segment(owner, start, end))
    return tuple(found)


# --- quoted and forwarded -------------------------------------------------------------------------------------------


def _mark_history(lines: list[_Line], owners: list[SegmentOwner], subject: str) -> int:
    """Mark quoted and forwarded lines; the index of the first line of a history that runs to the end of the text."""
    is_forward = _FORWARD_SUBJECT.match(subject) is not None
    is_answer = is_forward or is_reply_subject(subject)
    # Of a forward, everything that is not the sender's is what was forwarded.
    quoted: SegmentOwner = "forwarded" if is_forward else "quoted"
    is_attributed = False
    index = 0
    while index < len(lines):
        line = lines[index].text
        if lines[index].is_empty:
            index += 1
            continue
        first = line.lstrip()[:1]
        if first == ">":
            # Apple Mail cites what it forwards. In an answer to a forward such a line follows an attribution.
            if not is_attributed and _FORWARDED.match(line):
                quoted = "forwarded"
            if _GROUPWISE.match(line) and not _next_is_cited(lines, index + 1):
                for number in range(index, len(lines)):
                    owners[number] = quoted
                return index
            is_attributed = is_attributed or _SAID_AT_END.search(line[-200:]) is not None
            owners[index] = quoted
            index += 1
            continue
        owner: SegmentOwner | None = None
        length = 0
        if first in _MARK_INITIALS or ":" in line or " line" in line or _ATTRIBUTION_START.match(line):
            owner, length = _history_at(lines, owners, index, is_forward, is_answer)
        if owner is None:
            index += max(1, length)
            continue
        if _next_is_cited(lines, index + length):
            # The quotation is marked line by line, so words between or below may be an answer.
            for number in range(index, index + length):
                owners[number] = owner
            quoted = owner
            is_attributed = True
            index += length
            continue
        for number in range(index, len(lines)):
            owners[number] = owner
        return index
    return len(lines)


def _any_words(lines: list[_Line], owners: list[SegmentOwner], index: int) -> bool:
    return any(owners[number] == "sender" and not lines[number].is_empty for number in range(min(index, 40)))


def _next_is_cited(lines: list[_Line], index: int) -> bool:
    while index < len(lines) and lines[index].is_empty:
        index += 1
    return index < len(lines) and lines[index].text.lstrip().startswith(">")


def _history_at(
    lines: list[_Line], owners: list[SegmentOwner], index: int, is_forward: bool, is_answer: bool
) -> tuple[SegmentOwner | None, int]:
    """Does somebody else's text begin at this line? Its owner, and how many lines say so."""
    line = lines[index].text
    quoted: SegmentOwner = "forwarded" if is_forward else "quoted"
    if is_answer and _SAID_IN_LINE.match(line[:500]) and _HAS_DATE.search(line[:120]):
        return quoted, 1
    if len(line) > 400:
        return None, 0
    above = _ANSWER_ABOVE.match(line)
    if above is not None and (is_answer or (above[1] or above[2] or "").strip()):
        return "quoted", 1
    start = line.lstrip(" \t>*")[:1]
    if start in "-_<" or ":" in line:
        if _FORWARDED.match(line):
            return "forwarded", 1
        if _ORIGINAL.match(line) or (_SAID_BETWEEN_DASHES.match(line) and _HAS_DATE.search(line)):
            return quoted, 1
    offset = 1 if _RULE.match(line) else 0
    while offset and offset < 3 and index + offset < len(lines) and lines[index + offset].is_empty:
        offset += 1
    header_lines = _header_block(lines, index + offset, is_answer)
    # A memo begins with such a block as well: at the very top it is history only in an answer or a forward.
    if header_lines:
        is_history = is_answer or _any_words(lines, owners, index)
        return quoted if is_history else None, offset + header_lines
    length = _attribution(lines, index, is_answer)
    return (quoted, length) if length else (None, 0)


def _header_block(lines: list[_Line], index: int, is_answer: bool) -> int:
    """The number of lines of a From/Sent/To/Subject block at `index`, or 0."""
    seen: set[str] = set()
    is_mail = False
    number = index
    empty = 0
    while number < len(lines) and number < index + 14:
        line = lines[number].text
        if lines[number].is_empty:
            empty += 1 + line.count("\n")
            # Some programs put an empty line between each two headers, none puts two.
            if empty > 1 or not seen:
                break
            number += 1
            continue
        match = _HEADER_LINE.match(line[:60])
        label = _LABEL_OF.get(match.group(1).lower()) if match else None
        if label == "from" and not seen:
            inside = {_LABEL_OF.get(word.lower()) for word in _LABEL_IN_LINE.findall(line)}
            if {"from", "date"} < inside and inside & {"to", "subject"}:
                return number - index + 1
        if label is None:
            # A long list of recipients goes on in the next line.
            if "to" in seen and empty == 0 and ("@" in line or ";" in line) and "subject" not in seen:
                number += 1
                continue
            break
        if not seen and label not in ("from", "date", "subject", "to"):
            break
        seen.add(label)
        is_mail = (
            is_mail
            or "@" in line
            or (label == "date" and match is not None and match.group(1).lower() not in _DATE_ALONE)
        )
        empty = 0
        number += 1
    if not (is_answer or is_mail or "subject" in seen):
        return 0  # From, To and Date alone are a journey as well
    enough = len(seen) >= 3 and "from" in seen and ("date" in seen or "subject" in seen)
    return number - index if enough else 0


def _attribution(lines: list[_Line], index: int, is_answer: bool) -> int:
    """The number of lines of an "On … wrote:" at `index`, which may be broken over up to three lines, or 0.

    A date and an address without a word that says "wrote" open somebody else's text only in an answer or above cited lines.
    """
    line = lines[index].text
    is_start = _ATTRIBUTION_START.match(line) is not None
    if is_start and _DATE_AND_ADDRESS.match(line.strip()):
        return 1
    joined = ""
    for length in (1, 2, 3):
        if index + length > len(lines):
            return 0
        piece = lines[index + length - 1].text.strip()
        if not piece or len(piece) > 300:
            return 0
        joined = f"{joined} {piece}".strip()
        if joined.endswith(":") and _SAID_AT_END.search(joined[-200:]):
            if _HAS_DATE.search(joined) and (is_start or "@" in joined):
                return length
            # "Jane Smith wrote:" alone is an attribution only where what follows is marked as cited.
            return length if len(joined) < 200 and _next_is_cited(lines, index + length) else 0
        if joined.endswith(":") and _DATE_TIME_ADDRESS.match(joined):
            return length if is_answer or _next_is_cited(lines, index + length) else 0
        if length == 1 and not (is_start and _HAS_DATE.search(line)):
            return 0
    return 0


# --- banners, disclaimers, signatures -------------------------------------------------------------------------------


def _paragraph_end(lines: list[_Line], index: int) -> int:
    while index < len(lines) and not lines[index].is_empty:
        index += 1
    return index


def _mark_banners(lines: list[_Line], owners: list[SegmentOwner], own_end: int) -> None:
    """Warnings that a gateway puts above the text: among the first two paragraphs of the sender's own part."""
    index = 0
    for _ in range(2):
        while index < own_end and lines[index].is_empty:
            index += 1
        if index >= own_end or owners[index] != "sender" or not _BANNER.match(lines[index].text):
            return
        end = min(_paragraph_end(lines, index), own_end)
        paragraph = " ".join(line.text for line in lines[index:end])
        if len(paragraph) < 60 and "EXTERNAL" in paragraph:
            end = index + 1
        elif len(paragraph) > 700 or not _is_banner(paragraph):
            return
        else:
            # The banner may stand directly above the text: it ends with the last line that sounds like one.
            while end > index + 1 and not _is_banner(lines[end - 1].text, 1):
                end -= 1
        for number in range(index, end):
            owners[number] = "banner"
        index = end


def _is_banner(text: str, advice: int = 2) -> bool:
    return _BANNER_WORD.search(text) is not None or len(_BANNER_ADVICE.findall(text)) >= advice


def _mark_meetings(lines: list[_Line], owners: list[SegmentOwner]) -> None:
    """What a calendar has put in: the way into an online meeting, and when and where above its line of stars."""
    index = 0
    while index < len(lines):
        line = lines[index].text
        if owners[index] != "sender" or lines[index].is_empty:
            index += 1
            continue
        if _CALENDAR_RULE.match(line):
            start = index
            while start > 0 and (lines[start - 1].is_empty or _WHEN_WHERE.match(lines[start - 1].text)):
                start -= 1
            owners[start : index + 1] = ["banner"] * (index + 1 - start)
        if not _opens_meeting(line):
            index += 1
            continue
        end, telling = index + 1, 0
        for number in range(index + 1, min(len(lines), index + _MAX_MEETING_LINES)):
            text = lines[number].text
            if lines[number].is_empty:
                continue
            is_rule = _RULE.match(text) is not None
            if owners[number] != "sender" or not (is_rule or _opens_meeting(text) or _belongs_to_meeting(text)):
                break
            end, telling = number + 1, telling + (not is_rule)
        if telling:
            # The line drawn above the block is part of it.
            start = index - 1 if index and _RULE.match(lines[index - 1].text) else index
            owners[start:end] = ["banner"] * (end - start)
        index = end


def _opens_meeting(line: str) -> bool:
    match = _MEETING.match(line)
    return match is not None and len(_LINK.sub("", line[match.end() :]).strip()) <= _LONGEST_MEETING_TAIL


def _belongs_to_meeting(line: str) -> bool:
    return _MEETING_LINE.match(line) is not None and len(_LINK.sub("", line)) <= _LONGEST_MEETING_LINE


def _mark_disclaimers(lines: list[_Line], owners: list[SegmentOwner]) -> None:
    """Legal small print, paragraph by paragraph. A paragraph needs an opening and a phrase that only small print has."""
    index = 0
    while index < len(lines):
        if owners[index] != "sender" or lines[index].is_empty or not _DISCLAIMER_START.match(lines[index].text):
            index += 1
            continue
        end = index
        last = min(len(lines), index + _MAX_DISCLAIMER_LINES)
        while end < last and owners[end] == "sender" and not lines[end].is_empty:
            end += 1
        paragraph = " ".join(line.text for line in lines[index:end])
        if _is_small_print(paragraph):
            for number in range(index, end):
                owners[number] = "disclaimer"
            index = end
            continue
        # Of a paragraph that is none, only so short a rest can still be one on its own.
        index += 1
        while index < end and lines[end - 1].end - lines[index].start > _SHORT_SMALL_PRINT:
            index += 1


def _is_small_print(paragraph: str) -> bool:
    phrases = {match.group().lower() for match in _DISCLAIMER_WORD.finditer(paragraph[:4_000])}
    return len(phrases) >= (1 if len(paragraph) < _SHORT_SMALL_PRINT else 2)


def _mark_signatures(lines: list[_Line], owners: list[SegmentOwner], sender: str) -> None:
    """Each run of the sender's lines may end in a signature; a line naming the device is one wherever it stands."""
    end = len(lines)
    while end > 0:
        if owners[end - 1] != "sender":
            end -= 1
            continue
        start = end
        while start > 0 and owners[start - 1] == "sender":
            start -= 1
        begin = _signature_start(lines, start, end, sender)
        for number in range(begin, end):
            owners[number] = "signature"
        end = start
    for number, line in enumerate(lines):
        if (
            owners[number] == "sender"
            and len(line.text) < 160
            and line.text.lstrip()[:1] in _DEVICE_INITIALS
            and _DEVICE.match(line.text.strip())
        ):
            owners[number] = "signature"


def _signature_start(lines: list[_Line], start: int, end: int, sender: str) -> int:
    """Where the signature of the sender's lines `start` to `end` begins; `end` where there is none."""
    while end > start and lines[end - 1].is_empty:
        end -= 1
    earliest = max(start, end - _MAX_SIGNATURE_LINES)
    while earliest < end and lines[end - 1].end - lines[earliest].start > _MAX_SIGNATURE_CHARS:
        earliest += 1
    best = end
    for number in range(end - 1, earliest - 1, -1):
        text = lines[number].text.strip()
        if not text:
            continue
        if _DASHES.match(lines[number].text) and not any(_POSTSCRIPT.match(line.text) for line in lines[number:end]):
            # RFC 3676 section 4.3: what follows "-- " is the signature.
            return number
        if _SIGN_OFF.match(text) and number + 1 < end and _all_like_signature(lines, number + 1, end, sender):
            best = number
    if best < end:
        return best
    return _block_without_sign_off(lines, earliest, end, sender)


def _block_without_sign_off(lines: list[_Line], earliest: int, end: int, sender: str) -> int:
    """A closing block of name, role, organisation and ways to reach the sender, with no farewell above it."""
    begin = end
    number = end - 1
    while number >= earliest and not lines[number].is_empty and _like_signature(lines[number].text, sender):
        begin = number
        number -= 1
    block = lines[begin:end]
    names = {word for word in _WORDS.findall(sender.lower()) if len(word) > 1}
    for offset, line in enumerate(block):
        rest = block[offset + 1 :]
        words = line.text.strip().lower()
        is_senders_name = bool(names) and names <= set(_WORDS.findall(words)) and len(words) < 60
        tells = [
            other
            for other in rest
            if _CONTACT.search(other.text) or _ROLE.search(other.text) or _POSTCODE.search(other.text)
        ]
        if is_senders_name and (tells or not rest):
            return _with_first_name_above(lines, begin + offset, earliest, words)
        if (
            _NAME_LINE.match(line.text.strip())
            and len(rest) >= 2
            and len(tells) >= 2
            and any(_CONTACT.search(o.text) for o in rest)
        ):
            return _with_first_name_above(lines, begin + offset, earliest, words)
    return end


def _with_first_name_above(lines: list[_Line], index: int, earliest: int, name: str) -> int:
    """Take in the farewell or the name signed by hand above a signature block."""
    above = index - 1
    while above >= earliest and lines[above].is_empty:
        above -= 1
    if above < earliest:
        return index
    text = lines[above].text.strip().lower().rstrip(",.")
    if text and len(text) < 40 and set(text.split()) <= {*name.split(), *(word[0] for word in name.split())}:
        index = above
        above -= 1
        while above >= earliest and lines[above].is_empty:
            above -= 1
    if above >= earliest and _SIGN_OFF.match(lines[above].text.strip()):
        return above
    return index


def _all_like_signature(lines: list[_Line], start: int, end: int, sender: str) -> bool:
    return all(lines[number].is_empty or _like_signature(lines[number].text, sender) for number in range(start, end))


def _like_signature(line: str, sender: str) -> bool:
    """Could this line stand in a signature: a name, a role, an address, a number? A sentence cannot."""
    text = line.strip()
    if len(text) > 120 or _POSTSCRIPT.match(text):
        return False
    if _OF_ANOTHER.search(text) and not _DEVICE.match(text):
        return False
    if _CONTACT.search(text) or _DEVICE.match(text) or _RULE.match(line):
        return not _SENTENCE.search(text) or len(text.split()) < 9
    if _ROLE.search(text) or _POSTCODE.search(text):
        return not _SENTENCE.search(text) and len(text.split()) < 14
    if sender and text.lower().rstrip(".,") in sender.lower():
        return True
    return len(text) < 60 and _NAME_LINE.match(text) is not None and not text.endswith("?")
