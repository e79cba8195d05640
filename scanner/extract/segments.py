"""Whose words a mail's text is: the sender's, quoted, forwarded, signature, disclaimer or banner.

Reading the lines once from the top answers it for plain text, and for HTML as well, because `markup` writes cited blocks
with `> ` as plain mails do. Where nothing says that words are somebody else's they are the sender's: a finding that
names too much can be dismissed, words cut away are never seen again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from scanner.model import Segment, SegmentOwner

# --- what marks the end of the sender's words -----------------------------------------------------------------------

_FORWARD_SUBJECT = re.compile(r"\s*(?:\[[^\]]{1,40}\]\s*)?(?:fwd?|wg|tr|rv|enc|doorst|vs|i|fs|ml|pd|továbbítás|ynt|ilt)\s*:", re.IGNORECASE)
_REPLY_SUBJECT = re.compile(r"\s*(?:\[[^\]]{1,40}\]\s*)?(?:re|aw|antw|sv|r|res|odp|ref|vá|ynt|atb)\s*(?:\[\d+\])?:", re.IGNORECASE)
# "Le lun. 5 oct. 2026 à 10:02, … a écrit :" and its sisters. Only what is said at the end of the line tells languages
# apart; the word it begins with is too common. Gmail, Apple Mail, Thunderbird and Outlook for phones write these.
_SAID = (
    "wrote|writes|said|a écrit|a ecrit|schrieb|geschrieben|escribió|escribio|escreveu|ha scritto|schreef|het volgende geschreven"
    "|skrev|kirjoitti|napisał|napisał\\(a\\)|pisze|a scris|írta|napsal|napsal\\(a\\)|napísal|napísal\\(a\\)|je napisao|je napisao/la"
    "|je napisala|şunu yazdı|yazdı|написал|написал\\(а\\)|пишет|написав|написав\\(-ла\\)|пише|ysgrifennodd|scríobh"
)
_SAID_AT_END = re.compile(rf"(?:{_SAID})(?:[ \t][^\n:]{{0,120}})?[ \t]?:[ \t]*$", re.IGNORECASE)
_SAID_SOMEWHERE = re.compile(rf"\b(?:{_SAID})\b", re.IGNORECASE)
_HAS_DATE = re.compile(r"\d{1,2}[:.h]\d\d|\b(?:19|20)\d\d\b|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}|@")
# An attribution begins with a word for "on" or a date, not in the middle of somebody's sentence.
_ATTRIBUTION_START = re.compile(
    r"[ \t>*_-]*(?:on|le|am|el|em|il|op|den|dnia|w dniu|pe|dne|dňa|dana|a\(z\)|ar|at|in a message|quoting|den|em|no dia|u|вт|пн|ср|чт"
    r"|пт|сб|вс|mon|tue|wed|thu|fri|sat|sun|[\"'<]?[\w.+-]{1,60}@|\d{1,4}[./-]|\d{1,2} [a-zà-ž]{3})",
    re.IGNORECASE,
)
_GMAIL_DATE_LINE = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}[^\n]{0,120}<[^<>\n]{3,200}@[^<>\n]{1,200}>:?[ \t]*$")
_ORIGINAL = re.compile(
    r"[ \t>*]*[-_]{2,}[ \t]*(?:original (?:message|appointment)|reply message|urspr(?:ü|u)ngliche nachricht|message d'origine"
    r"|mensaje original|mensagem original|messaggio originale|oorspronkelijk bericht|ursprungligt meddelande|oprindelig meddelelse"
    r"|opprinnelig melding|alkuperäinen viesti|wiadomość oryginalna|oryginalna wiadomość|původní zpráva|исходное сообщение"
    r"|neges wreiddiol)[ \t]*[-_]{2,}",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"[ \t>*]*(?:[-_]{2,}[ \t]*(?:forwarded (?:message|mail|by)|weitergeleitete nachricht|message (?:transféré|transfere)|mensaje reenviado"
    r"|mensagem (?:encaminhada|reencaminhada)|messaggio (?:inoltrato|originale inoltrato)|doorgestuurd bericht|vidarebefordrat"
    r"|videresendt|edelleenlähetetty|przekazana wiadomość|wiadomość przekazana|přeposlaná|preposlaná|továbbított|mesaj redirecționat"
    r"|iletilen|пересылаемое|пересланное|переслане|proslijeđena)"
    r"|(?:begin forwarded message|début du message réexpédié|anfang der weitergeleiteten|inicio del mensaje reenviado"
    r"|inizio messaggio inoltrato|start doorgestuurd bericht|vidarebefordrat brev|início da mensagem|początek przekazywanej"
    r"|začátek přeposílané|započni proslijeđenu|начало пересылаемого|початок листа)[^\n]{0,40}:[ \t]*$"
    r"|<forwarded message>|---- forwarded)",
    re.IGNORECASE,
)
# Labels of the header block that Outlook and others put above what they quote, by what they stand for.
_LABELS = {
    "from": "from from von de da van från fra lähettäjä od expéditeur отправитель от від feladó kimden gönderen oddawca nadawca",
    "date": "date sent gesendet datum envoyé enviado enviada enviado inviato data verzonden skickat sendt lähetetty päiväys wysłano "
    "odesláno odoslané dátum отправлено дата надіслано küldve gönderildi tarih fecha trimis",
    "to": "to an à a para aan till til vastaanottaja do komu кому címzett kime alıcı către pour",
    "subject": "subject betreff objet asunto oggetto assunto onderwerp ämne emne aihe temat předmět predmet тема tárgy konu subiect",
    "other": "cc kopie kopia copie bcc reply-to importance attachments anlagen pièces when where",
}
_LABEL_OF = {word: label for label, words in _LABELS.items() for word in words.split()}
_HEADER_LINE = re.compile(r"[ \t>]*\*{0,2}([^\W\d_][\w'-]{0,15})\*{0,2}[ \t]?:\*{0,2}(?:[ \t]|$)")
_RULE = re.compile(r"[ \t]*[_\-=*–—]{5,}[ \t]*$")

# --- what stands around the sender's words --------------------------------------------------------------------------

_DASHES = re.compile(r"--[ \t]?$|—[ \t]*$|_{2,4}$")
_DEVICE = re.compile(
    r"(?:sent (?:from|using|via|with)|get outlook|envoyé de|von meinem|enviado desde|enviado do|inviato da|verstuurd vanaf|skickat från"
    r"|anfonwyd o) (?:my |the |mon |mein|mi |meu |mijn |min |fy |outlook|mail for|yahoo|gmail|proton|samsung|iphone|ipad|android"
    r"|blackberry|sparrow|[a-z]{2,20} (?:mail|for))[^\n]{0,80}$",
    re.IGNORECASE,
)
_SIGN_OFF = re.compile(
    r"(?:(?:with )?(?:(?:kind|kindest|best|warm|warmest|many|very best|all good) )?(?:regards|wishes)|all the best|best|yours(?: (?:sincerely|faithfully"
    r"|truly|ever))?|sincerely|many thanks(?: (?:and|&) [a-z ]{3,20})?|thanks(?: (?:again|so much|very much|in advance|and [a-z ]{3,20}))?"
    r"|thank you(?: [a-z ]{3,25})?|thx|ta|cheers|take care|cofion(?: [a-z]+)?|diolch(?: [a-z ]+)?|rgds|br|kr|mit freundlichen grüßen|cordialement"
    r"|saludos|sent with thanks)[ \t]*[,.!\-]*$",
    re.IGNORECASE,
)
_CONTACT = re.compile(
    r"(?:\+44|\(?0\d{2,5}\)?)[\s\d()\-]{5,14}\d|[\w.+'-]{1,64}@[\w-]{1,63}\.[\w.-]{1,100}|\bwww\.[\w.-]{2,100}|https?://|\bext(?:ension|n)?\.? ?\d{2,5}"
    r"|\b(?:tel|mob|mobile|phone|direct|ddi|fax|e|t|m|w)\s?[:.]",
    re.IGNORECASE,
)
_ROLE = re.compile(
    r"\b(?:head|deputy|assistant|teacher|teaching|manager|officer|director|coordinator|co-ordinator|senco|sendco|dsl|principal|headteacher"
    r"|administrator|secretary|receptionist|governor|clerk|chair|lead|leader|technician|business|bursar|finance|hr|people|trainer|tutor"
    r"|learning mentor|counsellor|nurse|librarian|caretaker|site|ceo|coo|cfo|dpo|consultant|engineer|editor|president|support|services"
    r"|academy|school|college|trust|ltd|limited|plc|llp|inc|department|faculty|year \d{1,2}|team|office|partner|adviser|advisor)\b",
    re.IGNORECASE,
)
_POSTCODE = re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b")
_NAME_LINE = re.compile(r"(?:(?:mr|mrs|ms|miss|mx|dr|rev|prof|sir|dame)\.? )?[^\W\d_][\w'.-]*(?: [^\W\d_][\w'.-]*){0,4}(?: \([^()\n]{1,30}\))?[,.]?$", re.IGNORECASE)
_SENTENCE = re.compile(r"[a-zà-ž]{2,}[.!?](?:\s|$)")
_POSTSCRIPT = re.compile(r"p\.?\s?s\.?\b", re.IGNORECASE)
_MAX_SIGNATURE_LINES, _MAX_SIGNATURE_CHARS = 25, 1_500

_DISCLAIMER_START = re.compile(
    r"[\s*_>-]*(?:this (?:e-?mail|message|communication|transmission|mailbox)\b|the (?:information|contents?) (?:contained |transmitted )?(?:in|of|and)"
    r"|(?:the )?views?(?: and| or|,)? ?(?:opinions? )?expressed|any (?:views|opinions)|confidentiality|disclaimer|important notice|privileged|notice:|caution:|warning:"
    r"|if you (?:have received|are not|received|have recieved)|please (?:consider|think|note|do not print|don't print)|think before|registered (?:office|in|charity|company)"
    r"|[A-Z][^\n]{2,80} is (?:a company|an exempt|a charitable|registered|part of)|company (?:number|registration|reg)|we (?:may )?monitor|e-?mails? (?:are|may be|is) "
    r"|information in this|for information about how|our privacy notice|although (?:this|we|the)|internet communications|the sender (?:does not|accepts)"
    r"|diese (?:e-?mail|nachricht)|ce (?:message|courriel)|este (?:mensaje|correo)|mae'r (?:e-?bost|neges))",
    re.IGNORECASE,
)
_DISCLAIMER_WORD = re.compile(
    r"intended (?:only |solely )?(?:recipient|for)|addressee|to whom (?:it is|they are)|confidential|privileged|in error|unauthori[sz]ed|legally|virus|"
    r"(?:views|opinions)[^.\n]{0,60} (?:author|sender|necessarily)|not necessarily|delete (?:it|this)|notify|liability|environment|before printing|print this"
    r"|registered (?:office|in england|number|company|charity)|company limited by guarantee|exempt charity|data protection|privacy (?:notice|policy)|monitored|disclos|disseminat"
    r"|solely for|strictly prohibited|vertraulich|confidentiel",
    re.IGNORECASE,
)
_BANNER = re.compile(
    r"[\s*\[\(_=!>⚠️-]*(?:external(?: (?:e-?mail|sender|message|mail))?\b|caution\b|warning\b|this (?:e-?mail|message) (?:originated|came|was sent|is) (?:from )?(?:an? )?(?:external|outside)"
    r"|you don't often get e-?mail from|you don't often get email|be careful with this message|think before you click)",
    re.IGNORECASE,
)
_BANNER_WORD = re.compile(
    r"outside|external|don't often get|do not click|don't click|unless you (?:recogni[sz]e|trust|know)|learn why this is important|verify the sender|links or (?:open )?attachments",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    start: int
    end: int  # with its line break

    @property
    def is_empty(self) -> bool:
        return not self.text or self.text.isspace()


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
    _mark_disclaimers(lines, owners)
    _mark_signatures(lines, owners, sender)
    return _joined(lines, owners)


def all_owned(text: str, owner: SegmentOwner) -> tuple[Segment, ...]:
    """One segment over the whole text: what an attached mail holds is forwarded."""
    return (Segment(owner, 0, len(text)),) if text else ()


def _lines(text: str) -> list[_Line]:
    lines = []
    position = 0
    for line in text.split("\n"):
        end = position + len(line) + 1
        lines.append(_Line(line, position, end))
        position = end
    last = lines[-1]
    lines[-1] = _Line(last.text, last.start, last.end - 1)
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
    is_answer = is_forward or _REPLY_SUBJECT.match(subject) is not None
    quoted: SegmentOwner = "quoted"
    index = 0
    while index < len(lines):
        line = lines[index].text
        first = line.lstrip()[:1]
        if not first:
            index += 1
            continue
        if first == ">":
            owners[index] = quoted
            index += 1
            continue
        owner, length = _history_at(lines, index, is_forward, is_answer, any_words_above=_any_words(lines, owners, index))
        if owner is None:
            index += 1
            continue
        if _next_is_cited(lines, index + length):
            # The quotation is marked line by line, so words between or below may be an answer.
            for number in range(index, index + length):
                owners[number] = owner
            quoted = owner
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
    lines: list[_Line], index: int, is_forward: bool, is_answer: bool, any_words_above: bool
) -> tuple[SegmentOwner | None, int]:
    """Does somebody else's text begin at this line? Its owner, and how many lines say so."""
    line = lines[index].text
    if len(line) > 400:
        return None, 0
    start = line.lstrip(" \t>*")[:1]
    if start in "-_<" or ":" in line:
        if _FORWARDED.match(line):
            return "forwarded", 1
        if _ORIGINAL.match(line):
            return ("forwarded" if is_forward else "quoted"), 1
    offset = 1 if _RULE.match(line) else 0
    while offset and offset < 3 and index + offset < len(lines) and lines[index + offset].is_empty:
        offset += 1
    header_lines = _header_block(lines, index + offset)
    # A memo begins with such a block as well: at the very top it is history only in an answer or a forward.
    if header_lines and (any_words_above or is_answer):
        return ("forwarded" if is_forward else "quoted"), offset + header_lines
    length = _attribution(lines, index)
    return ("quoted", length) if length else (None, 0)


def _header_block(lines: list[_Line], index: int) -> int:
    """The number of lines of a From/Sent/To/Subject block at `index`, or 0."""
    seen: set[str] = set()
    number = index
    empty = 0
    while number < len(lines) and number < index + 14:
        line = lines[number].text
        if not line.strip():
            empty += 1
            # Some programs put an empty line between each two headers, none puts two.
            if empty > 1 or not seen:
                break
            number += 1
            continue
        match = _HEADER_LINE.match(line[:60])
        label = _LABEL_OF.get(match.group(1).lower()) if match else None
        if label is None:
            # A long list of recipients goes on in the next line.
            if "to" in seen and empty == 0 and ("@" in line or ";" in line) and "subject" not in seen:
                number += 1
                continue
            break
        if not seen and label not in ("from", "date", "subject", "to"):
            break
        seen.add(label)
        empty = 0
        number += 1
    enough = len(seen) >= 3 and "from" in seen and ("date" in seen or "subject" in seen)
    return number - index if enough else 0


def _attribution(lines: list[_Line], index: int) -> int:
    """The number of lines of an "On … wrote:" at `index`, which may be broken over up to three lines, or 0."""
    line = lines[index].text
    if _GMAIL_DATE_LINE.match(line.strip()):
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
            if _HAS_DATE.search(joined) and _ATTRIBUTION_START.match(joined):
                return length
            # "Jane Smith wrote:" alone is an attribution only where what follows is marked as cited.
            return length if len(joined) < 200 and _next_is_cited(lines, index + length) else 0
        if length == 1 and not (_ATTRIBUTION_START.match(line) and _HAS_DATE.search(line)) and not _SAID_SOMEWHERE.search(line):
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
        elif len(paragraph) > 700 or not _BANNER_WORD.search(paragraph):
            return
        else:
            # The banner may stand directly above the text: it ends with the last line that sounds like one.
            while end > index + 1 and not _BANNER_WORD.search(lines[end - 1].text):
                end -= 1
        for number in range(index, end):
            owners[number] = "banner"
        index = end


def _mark_disclaimers(lines: list[_Line], owners: list[SegmentOwner]) -> None:
    """Legal small print, paragraph by paragraph. A paragraph needs an opening and a phrase that only small print has."""
    index = 0
    while index < len(lines):
        if owners[index] != "sender" or lines[index].is_empty or not _DISCLAIMER_START.match(lines[index].text):
            index += 1
            continue
        end = index
        while end < len(lines) and owners[end] == "sender" and not lines[end].is_empty:
            end += 1
        paragraph = " ".join(line.text for line in lines[index:end])
        if _is_small_print(paragraph):
            for number in range(index, end):
                owners[number] = "disclaimer"
            index = end
        else:
            index += 1


def _is_small_print(paragraph: str) -> bool:
    phrases = {match.group().lower() for match in _DISCLAIMER_WORD.finditer(paragraph[:4_000])}
    return len(phrases) >= (1 if len(paragraph) < 200 else 2)


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
        if owners[number] == "sender" and len(line.text) < 160 and _DEVICE.match(line.text.strip()):
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
    names = {word for word in re.findall(r"[^\W\d_]+", sender.lower()) if len(word) > 1}
    for offset, line in enumerate(block):
        rest = block[offset + 1 :]
        words = line.text.strip().lower()
        is_senders_name = bool(names) and names <= set(re.findall(r"[^\W\d_]+", words)) and len(words) < 60
        tells = [other for other in rest if _CONTACT.search(other.text) or _ROLE.search(other.text) or _POSTCODE.search(other.text)]
        if is_senders_name and (tells or not rest):
            return _with_first_name_above(lines, begin + offset, earliest, words)
        if _NAME_LINE.match(line.text.strip()) and len(rest) >= 2 and len(tells) >= 2 and any(_CONTACT.search(o.text) for o in rest):
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
    if _CONTACT.search(text) or _DEVICE.match(text) or _RULE.match(line):
        return not _SENTENCE.search(text) or len(text.split()) < 9
    if _ROLE.search(text) or _POSTCODE.search(text):
        return not _SENTENCE.search(text) and len(text.split()) < 14
    if sender and text.lower().rstrip(".,") in sender.lower():
        return True
    return len(text) < 60 and _NAME_LINE.match(text) is not None and not text.endswith("?")
