"""What each label means, for the DPO who reads a finding: what it is, why it counts, what is often mistaken for it.

The one source: findings, reports, the help page and the table in `rules/README.md` say the same. A test compares the list
with the labels that the detectors give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LabelWords:
    """`title` stands in the middle of a sentence; the others are clauses that begin small and end without a full stop."""

    title: str
    what: str
    why: str
    mistaken: str


# Labels that share an explanation stand together: `label: title` pairs, then what, why, mistaken.
_ROWS: Sequence[tuple[Mapping[str, str], str, str, str]] = (
    (
        {"nino": "National Insurance number", "temporary_nino": "temporary National Insurance reference"},
        "the number under which tax and benefits are kept: two letters, six digits, a letter; or a stand-in of HMRC",
        "opens tax, benefit and pension records",
        "part, order and flight numbers of the same shape",
    ),
    (
        {"nhs": "NHS number", "chi": "CHI number (NHS Scotland)"},
        "ten digits with a check digit, given to every patient, or letters and digits on papers of before 1996",
        "leads to a health record; a CHI number begins with the birth date",
        "ten-digit order, telephone and ISBN numbers, of which one in eleven passes the check by chance",
    ),
    (
        {"upn": "unique pupil number", "uln": "unique learner number", "uci": "unique candidate identifier"},
        "numbers that follow a pupil through schools and examinations, with a check letter or digit",
        "lead to a school or examination record",
        "barcodes and other ten-digit numbers; UPN also means the log-in name of Microsoft",
    ),
    (
        {"candidate_number": "examination candidate number"},
        "the four digits under which a school enters a candidate",
        "with the school or a name it tells whose entry, mark or special arrangement is meant",
        "years, room, paper and centre numbers",
    ),
    (
        {
            "trn": "teacher reference number",
            "teacher_registration": "registration number of a teaching council",
            "dbs_certificate": "DBS certificate number",
        },
        "a teacher's reference, in Scotland, Wales and Northern Ireland the council's number, and that of a criminal-record certificate",
        "lead to a person's employment and disclosure record",
        "purchase orders, a school's DfE number",
    ),
    (
        {
            "uk_passport": "passport number",
            "passport": "passport or identity card number of another country",
            "driving_licence": "driving licence number",
        },
        "the number of a passport (nine digits or the machine-readable lines) or of a driving licence",
        "enough to pose as somebody; a licence number holds the birth date",
        "nine-digit references; software and premises licences",
    ),
    (
        {"brp": "residence permit number", "immigration_reference": "Home Office reference"},
        "the number of a residence permit, or a share code, GWF, UAN or CAS number",
        "opens an immigration record and tells of nationality and standing",
        "part numbers of two letters and seven digits",
    ),
    (
        {
            "payment_card": "payment card number",
            "iban": "international bank account number",
            "sort_code_account": "bank sort code and account number",
            "roll_number": "building society roll number",
        },
        "numbers of cards and accounts",
        "money can be taken, or a direct debit set up",
        "barcodes, dates written like sort codes, the organisation's own account",
    ),
    (
        {"utr": "tax reference (UTR)", "vat": "VAT number"},
        "a taxpayer's reference, a trader's VAT number",
        "a sole trader's is personal",
        "company VAT numbers, which are public",
    ),
    (
        {"vrn": "vehicle registration", "ip_address": "IP address"},
        "the mark of a vehicle, the network address of a device",
        "may lead to one person",
        "postcodes, room codes, version numbers",
    ),
    (
        {
            "pnc_id": "Police National Computer number",
            "cro_number": "criminal record number (CRO)",
            "crime_reference": "crime or incident reference",
        },
        "references of the police; PNC and CRO numbers have a check letter",
        "say that somebody has a record or is part of an incident (UK GDPR art. 10)",
        "invoice, drawing and purchase-order numbers with a year in them",
    ),
    (
        {"case_number": "court case number", "social_care_id": "social care record number"},
        "the number of court proceedings, or of a person in a council's care system",
        "behind it lies a record of proceedings or of a family",
        "support tickets and customer numbers",
    ),
    (
        {"elector_number": "elector number"},
        "a number on the electoral register",
        "leads to a name and an address",
        "room numbers and postcode districts",
    ),
    (
        {"urn_school": "school number (URN)", "laestab": "school number (LAESTAB)"},
        "a school's numbers",
        "they are public; no base rule uses them",
        "teacher references, sort codes",
    ),
    (
        {"date_of_birth": "date of birth"},
        "a date said to be somebody's birth",
        "with a name it tells who is meant",
        "meetings, deadlines, lives that have ended",
    ),
    (
        {"address": "postal address", "postcode": "postcode", "phone": "telephone number", "email": "e-mail address"},
        "how to find or reach somebody",
        "with a name, a private matter",
        "offices, suppliers, the school itself",
    ),
    (
        {"person": "name of a person"},
        "a name, a pupil described, initials with a class",
        "makes any fact beside it personal",
        "places, books, houses, products, people who are taught",
    ),
    (
        {"pupil": "child who can be told apart"},
        "a name or initials with a class, year or age, or a pupil of the records",
        "whatever is said beside it is said of one child",
        "a lesson or a member of staff before a year group",
    ),
    (
        {"staff_name": "name of a member of staff"},
        "somebody of the staff directory",
        "counts beside a sensitive fact",
        "the sender's own signature, which is left out",
    ),
    (
        {"class_list": "list of people"},
        "a list or sheet about several people, known by its headings or lines",
        "many people at once, whatever a cell says",
        "stock lists, timetables, averages, blank forms",
    ),
    (
        {"health": "health"},
        "a condition, treatment, pregnancy or mental health",
        "special category data (UK GDPR art. 9)",
        "courses, charities, policies, menus",
    ),
    (
        {"sen": "special educational needs"},
        "special needs and support",
        "tells of disability, mostly a child's",
        "SEN policies, job titles",
    ),
    (
        {"safeguarding": "safeguarding"},
        "child protection, abuse, family circumstances",
        "a child can come to harm",
        "training, policies, general talk",
    ),
    (
        {
            "ethnicity": "ethnic origin",
            "religion": "religion or belief",
            "sexual_orientation": "sexual orientation",
            "union": "trade union membership",
        },
        "origin, belief, orientation or membership of one person",
        "special category data (UK GDPR art. 9)",
        "lessons, festivals, menus, campaigns",
    ),
    (
        {"criminal": "criminal record or allegation"},
        "offences, proceedings, cautions",
        "data on offences (UK GDPR art. 10)",
        "news, history, novels, DBS in adverts",
    ),
    (
        {"care_status": "care, or a family's circumstances"},
        "care, fostering, adoption, a social worker, or help against poverty such as free school meals",
        "tells of a family's troubles",
        "numbers of pupils in a report",
    ),
    (
        {"behaviour": "behaviour or exclusion"},
        "exclusion, incidents, attendance, conduct of staff",
        "harms a child's or an employee's standing",
        "policies, timetables",
    ),
    (
        {"payroll": "pay"},
        "pay, pension or bank of an employee",
        "private, and useful to fraud",
        "job adverts with pay scales",
    ),
    (
        {"password": "password", "login_secret": "log-in secret", "file_password": "password of a file"},
        "a secret in clear: of any kind, for a log-in, for a locked file",
        "whoever reads it gets in",
        "instructions about passwords",
    ),
    (
        {"confidential": "confidential business"},
        "business that is marked or plainly confidential",
        "harm to negotiations and trust",
        "e-mail footers",
    ),
    (
        {"profanity": "swearing", "abuse": "abusive words"},
        "vulgar words the sender wrote, and words that insult the person addressed or spoken of",
        "the policy asks for civil language in work mail",
        "place names and surnames, quotations, reports of others' words",
    ),
    (
        {"sexual": "sexual words"},
        "explicit or suggestive words, or an advance, that the sender wrote",
        "may be sexual harassment, and grave where a pupil reads it",
        "sex education, medicine, reports of others' words",
    ),
    (
        {"threat": "threat"},
        "words that announce harm to somebody, or press by it",
        "somebody may be in danger",
        "idioms, games, reports of what another said",
    ),
    (
        {"harassment": "harassment"},
        "bullying, mockery or pressure aimed at a person",
        "harms whoever it is aimed at; a manager must look",
        "policies and training about bullying, reports of others' words",
    ),
    (
        {"discrimination": "discriminatory words"},
        "slurs, or contempt for people because of origin, belief, sex, disability or another protected characteristic",
        "unlawful towards people with a protected characteristic (Equality Act 2010)",
        "neutral mentions of a group, history lessons, quotations",
    ),
    (
        {"disparagement": "disparaging words"},
        "harsh words about the organisation or a person",
        "reputation, defamation",
        "ordinary complaint",
    ),
    (
        {
            "reads_as_threat": "reads as a threat",
            "reads_as_harassment": "reads as bullying or humiliation",
            "reads_as_discrimination": "reads as contempt for a group of people",
            "reads_as_sexual": "reads as a sexual remark",
            "reads_as_insult": "reads as abuse",
            "reads_as_disrepute": "reads as a damaging statement",
        },
        "a passage of the sender's that a model, trained on thousands of sentences and mails, takes for this, whatever its words",
        "what hurts is seldom said in listed words; read the mail before you judge, for the model knows a few sentences and not the people",
        "jest between friends, a report of another's words, blunt but fair criticism",
    ),
    (
        {
            "reads_as_disclosure": "reads as a child at risk",
            "reads_as_staff_pupil": "reads as an adult too close to a pupil",
            "reads_as_private_contact": "reads as an invitation to a private address or number",
            "reads_as_sensitive": "reads as a sensitive fact about somebody",
        },
        "a passage that a model, trained on thousands of sentences and mails, takes for this, whatever its words",
        "a child, or somebody's private life, may need looking after",
        "lessons, stories, kindness, the school's own numbers and clubs",
    ),
    (
        {
            "reads_as_credentials": "reads as a password or code handed over",
            "reads_as_confidential": "reads as business meant for few",
            "reads_as_phishing": "reads as phishing or a scam",
            "reads_as_impersonation": "reads as writing as somebody else",
            "reads_as_ai_service": "reads as records given to an AI service",
            "reads_as_personal_cloud": "reads as school material in a private place",
            "reads_as_contract_commitment": "reads as a commitment to a supplier",
            "reads_as_copyright": "reads as copying without right",
            "reads_as_chain": "reads as a chain letter",
            "reads_as_hoax": "reads as a hoax",
            "reads_as_round_robin": "reads as a joke or trifle sent round",
            "reads_as_gambling": "reads as betting",
            "reads_as_auction": "reads as a private sale",
            "reads_as_private_business": "reads as private business",
        },
        "a passage that a model, trained on thousands of sentences and mails, takes for this, whatever its words",
        "people name such things in more ways than a list can hold",
        "advice, policies and warnings about it, official business of the same kind",
    ),
    (
        {"chain_letter": "chain letter"},
        "mail that asks to be passed on to many, often with a promise or a threat",
        "forbidden use, spreads hoaxes",
        "notices that ask to be passed to one's team or class",
    ),
    (
        {"joke_round_robin": "round-robin of jokes", "trivia": "trivia"},
        "jokes, quizzes and the like sent round",
        "forbidden use, noise in mailboxes",
        "quizzes for lessons, a joke within a work mail",
    ),
    (
        {"broadcast": "mail to everybody"},
        "mail to all staff or to a very long list",
        "takes everybody's time; some policies ask for leave",
        "newsletters, urgent notices",
    ),
    (
        {"private_business": "private business", "advert": "advert"},
        "the sender's own trade, or things and services offered",
        "work mail is used for private gain",
        "enterprise lessons, school fairs",
    ),
    (
        {"auction": "auction"},
        "bidding or selling at an auction",
        "forbidden use",
        "a charity auction of the school",
    ),
    (
        {"gambling": "gambling"},
        "a bet, a pool or a syndicate for money",
        "forbidden use",
        "raffles, lessons on chance",
    ),
    (
        {"commercial_media": "commercial media"},
        "films, music or programs of others, offered or passed round",
        "forbidden use, and may infringe copyright",
        "recordings of the school's own events",
    ),
    (
        {
            "address_self": "the sender's own private address",
            "address_colleague": "a colleague's private address",
            "staff_private_sender": "private address of staff as sender",
        },
        "a private address of staff",
        "work leaves official systems",
        "parents of the same name",
    ),
    (
        {
            "address_household": "an address of the sender's household",
            "address_disposable": "a disposable address",
        },
        "a private address of somebody with the sender's surname; an address that vanishes by itself",
        "pupils' data lies at home, or where nobody can find it again",
        "a parent with a teacher's surname",
    ),
    (
        {"leaver_taking": "much taken by somebody who leaves"},
        "many files to oneself, or files in the last months before leaving",
        "data walks out with the person",
        "one's own coursework or certificates",
    ),
    (
        {"pupil_private_contact": "private contact with a pupil", "pupil_secrecy": "secrecy asked of a pupil"},
        "staff and a pupil with a private address between them; secrecy or another channel asked of a pupil",
        "a child may be at risk",
        "homework sent from home once; a parent's address",
    ),
    (
        {"closeness": "words that are too near"},
        "signs of two kinds in a message to a pupil: affection, looks, a meeting alone, a present, a secret, the writer's own troubles",
        "professional distance protects child and adult; the designated safeguarding lead looks at it, and nobody is accused",
        "plain kindness, a lift in the minibus, a part in the school play",
    ),
    (
        {"disclosure": "a child's words that point at harm"},
        "a pupil writes of harm to themselves, at home, or by somebody who seeks contact",
        "the designated safeguarding lead must look today",
        "stories, lessons, and large words in jest",
    ),
    (
        {"sent_in_error": "said to be sent in error"},
        "the sender says that a mail or file went to the wrong person, or calls it back",
        "the breach in the sender's own words",
        "a wrong date put right",
    ),
    (
        {
            "broadcast_reply": "a reply to everybody",
            "passed_on_lightly": "passed on without words of one's own",
            "forward_stack": "forwarded through many hands",
            "pictures_round": "pictures sent round",
            "own_affair_to_all": "an own affair sent to everybody",
        },
        "a short reply to everybody; forwarded with next to no words of one's own, or through many hands; pictures sent round with a "
        "laugh; an affair of one's own to everybody, with nothing of the school's",
        "noise in every mailbox",
        "a correction that everybody needs",
    ),
    (
        {"private_contact": "private contact details"},
        "a private number or account given to a pupil or parent",
        "safeguarding of both",
        "the school's own number",
    ),
    (
        {
            "lookalike_domain": "look-alike address",
            "wrong_family": "another pupil's family",
            "wrong_salutation": "another name in the greeting",
            "visible_families": "list of families that all could see",
        },
        "signs of a wrong recipient",
        "the commonest breach",
        "short forms of names",
    ),
    ({"sent_as_other": "sent as somebody else"}, "sent in another's name", "impersonation", "shared mailboxes"),
    (
        {"signed_as_other": "signed as somebody else"},
        "a letter closed with a colleague's name, or written as the holder of a post",
        "impersonation without a forged header",
        "pp, drafts sent to that person, send_as grants",
    ),
    (
        {"sent_as_other_granted": "sent for somebody else, with leave"},
        "sent in another's name with a grant on record",
        "shows that the grant was used",
        "–",
    ),
    ({"work_content": "work content"}, "work, by its words and attachments", "tells work from private mail", "–"),
    (
        {"ai_link": "AI service", "cloud_link": "private cloud storage"},
        "a chatbot's or private cloud's address, or words that put work into one",
        "pupils' data may leave the trust for good",
        "lessons about such services",
    ),
    (
        {"child_in_subject": "a child's name in the subject line"},
        "a child's full name in the subject line",
        "a subject stays readable whatever protects the rest",
        "authors and characters taught in class",
    ),
    (
        {"commitment": "words that commit"},
        "words that accept an offer or order",
        "a mail can bind the trust to a contract",
        "talk about an offer that others decide on",
    ),
    (
        {"gossip": "gossip", "private_errand": "private errand"},
        "hearsay about people; private shopping, bookings and the like",
        "some policies leave no room for them at work",
        "news that colleagues need; school trips",
    ),
    (
        {"phishing_lure": "bait of a false mail"},
        "the bait of a false mail: account closed, click here, verify now",
        "passing it on does the sender's work",
        "warnings that quote it; reports to IT",
    ),
    (
        {"login_lure": "log-in asked for in haste", "payment_urged": "payment asked for in haste"},
        "a log-in, a code or a payment asked for in haste; vouchers for somebody who cannot talk",
        "the mailbox that sends it is taken over, or money is about to leave",
        "IT about passwords, booking systems for parents",
    ),
    (
        {"posing_as_ours": "stranger under one of our names"},
        "a stranger under the name of one of ours, or from a domain that is nearly ours",
        "fraud by a false chief executive",
        "colleagues who write from home",
    ),
    (
        {"macro_urged": "macros to be enabled"},
        "words that press to enable a document's macros",
        "the commonest way in for malware",
        "warnings against it",
    ),
    (
        {
            "auto_forwarded": "forwarded by a mailbox rule",
            "forwarding_set": "notice of a forwarding rule",
            "forwarding_told": "word of a forwarding rule",
        },
        "a mailbox rule to an outside address: told by headers, by a notice of the system, by its owner",
        "all of a mailbox leaves unseen",
        "forwarding by hand, automatic replies",
    ),
    (
        {"ai_fed": "records put into an AI service", "address_ai": "address of an AI service"},
        "records put into an AI service, or sent to the address of one",
        "special category data at a provider without a contract",
        "lesson planning, the policy on AI",
    ),
    (
        {"work_copied": "copied work"},
        "a book, film, score or program copied as a whole, or a lock or licence got round, and passed on",
        "copyright is infringed",
        "copies under the school's licence",
    ),
    (
        {"licensed_copy": "leave to copy"},
        "a licence, a permission or the public domain is named",
        "what may be copied is no breach",
        "a licence that covers something else",
    ),
    (
        {"charity_event": "money for a named charity"},
        "what everybody puts in goes to a charity that is named",
        "a sweepstake for it is no betting",
        "the winner's share",
    ),
    (
        {"betting_account": "account with a bookmaker", "auction_account": "account at an auction site"},
        "a bookmaker's or auction site's record of somebody's own account",
        "the work address is used for it",
        "advertising, which anybody gets",
    ),
    (
        {"reply_demand": "demand for an answer"},
        "an answer wanted at once",
        "some policies protect evenings and weekends",
        "an emergency",
    ),
    (
        {"school_records": "pupils' records"},
        "pupils' records in the attachments or words",
        "tells work from private matters in a private cloud",
        "one's own papers",
    ),
    (
        {"social_account": "social account"},
        "a social account in a text",
        "a private way to pupils or parents",
        "the school's own account",
    ),
    (
        {"pupil_request": "a pupil's request on a social network"},
        "a notice of a social network that names a pupil who seeks contact with a member of staff",
        "staff decline and tell somebody; it is nobody's fault",
        "somebody else of that name",
    ),
    (
        {"misdirected_disclosed": "misdirected mail passed on"},
        "a mail that came in error, by its own or the sender's words, is forwarded to somebody it is not for",
        "what reached the wrong person travels further",
        "handing it to the person whom it was meant for",
    ),
    (
        {"rude_tone": "rude tone"},
        "contempt or scolding without a rude word",
        "some policies ask for a professional tone; a word is enough",
        "plain criticism, haste, a report of what somebody else said",
    ),
    (
        {"illegal_act": "crime offered or taught", "hacking": "breaking into systems", "fraud": "deceit for money"},
        "words that teach, offer or praise a crime; tools and acts that break into systems or accounts; papers that deceive for money",
        "somebody may be drawn in or harmed, and the law asks for more than a policy does",
        "lessons, novels, news, reports and warnings",
    ),
    (
        {"others_login": "work under another's log-in"},
        "somebody says that they used another person's log-in, or may use theirs",
        "what is done under a log-in is laid at its owner's door",
        "shared and guest accounts, the rule that forbids it",
    ),
    (
        {"charged_to_us": "private matter at the organisation's cost"},
        "a private matter is put on the organisation's account, card or budget",
        "it costs the organisation money",
        "ordinary purchases for work",
    ),
    (
        {"transfer_link": "large-file service"},
        "a link to a service for sending large files",
        "some policies want advice asked for before large transfers",
        "the rule that forbids it",
    ),
    (
        {"recording_of_people": "people recorded"},
        "somebody was filmed, recorded or photographed",
        "from one pupil to another it touches the privacy of whoever is shown",
        "school work with leave: drama, media studies",
    ),
    (
        {"licence_key": "licence key"},
        "a key that unlocks a program, called so nearby",
        "a licence may be passed on without right",
        "part numbers, room codes, references",
    ),
)

LABELS: Mapping[str, LabelWords] = {
    label: LabelWords(title, what, why, mistaken)
    for titles, what, why, mistaken in _ROWS
    for label, title in titles.items()
}

# Labels of a hit that is a person, a person's identifier or a fact about one: what a finding's data subjects are counted by.
OF_A_PERSON = frozenset(
    """
    person pupil staff_name child_in_subject wrong_family
    nino temporary_nino nhs chi upn uln uci candidate_number trn teacher_registration dbs_certificate uk_passport passport
    driving_licence brp immigration_reference payment_card iban sort_code_account roll_number utr vrn ip_address pnc_id cro_number
    crime_reference case_number social_care_id elector_number date_of_birth address postcode phone email
    health sen safeguarding ethnicity religion sexual_orientation union criminal care_status behaviour payroll
    """.split()
)


def label_title(label: str) -> str:
    """The label as a reader says it; one of a trust's own is spelt out."""
    return LABELS[label].title if label in LABELS else label.replace("_", " ")


def explanation(label: str) -> str:
    """One line for a finding, or empty for a label that this version does not know."""
    words = LABELS.get(label)
    if words is None:
        return ""
    doubt = "" if words.mistaken == "–" else f" Often mistaken for it: {words.mistaken}."
    return f"{words.what[:1].upper()}{words.what[1:]}; it counts because: {words.why}.{doubt}"


def table() -> str:
    """The table of labels for `rules/README.md`."""
    rows = ["| label | what it is | why it counts | often mistaken for it |", "|---|---|---|---|"]
    for titles, what, why, mistaken in _ROWS:
        rows.append(f"| {', '.join(f'`{label}`' for label in titles)} | {what} | {why} | {mistaken} |")
    return "\n".join(rows)
