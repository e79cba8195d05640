"""Inappropriate language through the shipped rules: who hears it decides how much it weighs, and whose words it is whether it counts."""

from __future__ import annotations

import io
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from ruamel.yaml import YAML

import detectors
from connectors.people_file import load_people
from detectors.language import Language
from scanner.directory import Directory
from scanner.errors import ConfigErrors
from scanner.evidence import FingerprintKey
from scanner.extract import Limits
from scanner.inspection import HitCache, Instruments, Regime, inspect
from scanner.model import Address, Blob, Body, Envelope, Finding, Recipient
from scanner.policy import load_policy
from scanner.routing import load_routing
from scanner.rulebook import load_rulebook

RULES = Path(__file__).resolve().parents[1] / "rules"
COLLEAGUE, PUPIL, PARENT = "sam.lee@elt.example", "22bjones@northfield.elt.example", "pat.jones@gmail.com"
DSL, HR, ALL_STAFF = "dsl@elt.example", "hr@elt.example", "allstaff@elt.example"


@pytest.fixture(scope="module")
def judge():
    seen = detectors.load()
    rulebook = load_rulebook(RULES, seen.labels)
    regime = Regime(rulebook, load_policy(RULES, "base", rulebook), load_routing(RULES))
    directory = Directory(load_people(RULES / "examples.people.yml"))
    instruments = Instruments(seen, Limits(), FingerprintKey(0, b"\0" * 32), HitCache())

    def call(
        text: str, *to: str, blobs: tuple[Blob, ...] = (), sender: str = "jane.smith@elt.example"
    ) -> dict[str, Finding]:
        envelope = Envelope(
            source="test",
            sent_at=datetime(2026, 9, 7, 10, 0, tzinfo=UTC),
            from_=Address(sender, ""),
            recipients=tuple(Recipient("to", address) for address in to or (COLLEAGUE,)),
            subject="Monday",
            bodies=(Body("text/plain", text),),
            blobs=blobs,
        )
        verdict = inspect(envelope, directory, regime, instruments)
        return {finding.topic: finding for finding in verdict.findings if not finding.shadow}

    return call


# --- who hears it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "severity"),
    [
        (COLLEAGUE, "minor"),
        ("supplier@printco.example", "moderate"),
        (ALL_STAFF, "moderate"),
        (PARENT, "severe"),
        (PUPIL, "severe"),
    ],
)
def test_the_same_coarse_word_weighs_by_who_reads_it(judge, to: str, severity: str) -> None:
    assert judge("What a shitty rota.", to)["inappropriate_language"].severity == severity


def test_a_mild_word_passes_between_adults_and_never_to_a_family(judge) -> None:
    text = "The bloody coach was late again."
    assert "inappropriate_language" not in judge(text, COLLEAGUE)
    assert "inappropriate_language" not in judge(text, ALL_STAFF)
    for address in (PUPIL, PARENT):
        assert judge(text, address)["inappropriate_language"].severity == "minor"
        assert "inappropriate_language" in judge(text, COLLEAGUE, address)


def test_no_pack_may_stop_looking_at_mild_words_to_families(tmp_path: Path) -> None:
    shutil.copytree(RULES, tmp_path / "rules")
    pack = tmp_path / "rules" / "policies" / "base.yml"
    rulebook = load_rulebook(tmp_path / "rules")
    pack.write_text(pack.read_text("utf-8") + "\nrules: [{id: mild_language_to_families, state: 'off'}]\n", "utf-8")
    with pytest.raises(ConfigErrors, match="never off"):
        load_policy(tmp_path / "rules", "base", rulebook)


# --- whose words they are -------------------------------------------------------------------------------------------

REPORTS = (
    'Kyle told me to "fuck off", called Mrs Hall a fat slag and threw a chair.',
    "Ben wrote in her planner: ur a fat ugly cow go kill urself. Planner attached.",
    "Transcript of the voicemail: listen you stupid cow you better sort this or I will break your legs.",
    "Words used: useless bitch, I know where you live, I'll burn that school down.",
    "He grabbed my arm and said he'd knock my teeth out if I spoke to her again.",
)


@pytest.mark.parametrize("text", REPORTS)
@pytest.mark.parametrize("to", [DSL, HR])
def test_a_report_of_somebodys_words_is_no_finding(judge, text: str, to: str) -> None:
    assert not judge(text, to)


@pytest.mark.parametrize(
    "text",
    [
        "I said to her: you are a useless, lazy cow.",
        "I wrote back: you stupid bitch, I will break your legs.",
        "My message to you is this: you are a pathetic, useless waste of space.",
    ],
)
def test_ones_own_words_stay_ones_own_behind_a_colon(judge, text: str) -> None:
    assert judge(text)


def test_abuse_of_the_person_who_hears_reports_is_abuse(judge) -> None:
    assert "inappropriate_language" in judge("You are a fucking useless cow and so is your office.", HR)


# --- signs in company -----------------------------------------------------------------------------------------------


def sure(text: str) -> set[str]:
    seen = detectors.load()
    return {
        hit.label
        for hit in seen.content(text, names_near=())
        if hit.label in Language.labels and hit.confidence >= 0.75
    }


SIGNS = (
    ("threat", "You still walk home along the canal, I notice. I am a patient man and I have not forgotten what you did."),
    ("discrimination", "She is sixty-one and still prints everything. They ought to be put out to grass, if you ask me."),
    ("harassment", "I made a new group without Vera in it. If she asks, say it was called off."),
    ("sexual", "I keep thinking of you more than I should. Let us keep this between ourselves."),
    ("disparagement", "You did not hear it from me, but the bursar gets a cut out of every job. Ask anybody."),
)  # fmt: skip


@pytest.mark.parametrize(("label", "text"), SIGNS, ids=[label for label, _ in SIGNS])
def test_two_signs_of_different_kinds_make_a_finding_and_one_makes_none(label: str, text: str) -> None:
    assert label in sure(text)


@pytest.mark.parametrize(
    "text",
    [
        "I am a patient man, so take your time with the minutes.",
        "They ought to be put out to grass, said the farmer of his two old ponies.",
        "Please do not tell Vera about the card, it is a surprise.",
        "I keep thinking of you more than I should, said the widow in chapter three of the novel.",
        "Everyone knows that the coach leaves at eight.",
        "These things happen. Do not worry about the mug.",
        "If I do not hear from you by noon on Monday I will take the complaint to the governors.",
        "You walk home along the canal, so please mind the ice, your mother asked me to say.",
    ],
)
def test_a_turn_of_phrase_alone_accuses_nobody(text: str) -> None:
    assert not sure(text)


@pytest.mark.parametrize(
    "text",
    [
        "The hall was packed and we were full of admiration for Year 4.",
        "The buses were full of wasps and the driver opened every window.",
        "We are full for the Tuesday club, so please try Thursday.",
        "We're overrun with courgettes, do take some from the table.",
        "Callum took his glasses home but his coat is still on the peg.",
        "I moved her chair to the front because of her new glasses.",
        "There is a list in the staffroom for the meal. You don't have to stay, just tick the box.",
        "He took his notes home. He cried at the gate but was fine by the register.",
        "Please take his coat to reception; his shoes are wet and he is a bit sad.",
        "If the glue is thick, leave them out to dry in the staffroom overnight.",
        "Keep them out of the sun, the paint is slow to dry.",
        "There is a wasp at your table, so just sit somewhere else today. I will find your coat.",
        "We have a kitty for how many biscuits we eat; the tin is in the staffroom.",
        "She hid his birthday card in the staffroom with the cake. Lovely hair in the photo, by the way.",
        "I have moved his coat to the lost property, with the odd shoes.",
        "Her voice carries well, so I took her register reading for the assembly.",
        "Take her bag to the office, please, she cried on the way in and her mum is coming.",
        "He moved her phone off the slow charger and put it with her glasses.",
        "Just stand over there by the weight machine and keep your hair tied back.",
        "If you want school photographs of her hair and clothes used, tick the box on the form.",
        "I left them out on the desk: two pairs of shoes, one coat, size three.",
        "His speech is slow when he is tired, so give him time. Leave them out of the first reading round.",
        "The whole year is going. I took his lunch to the coach because he left it on his chair.",
        "Everyone calls her Bee, and she likes it. She cried when she got the certificate.",
        "I moved his chair so that he can hear; his voice is quiet and his glasses are new.",
        "The cupboards were full of polish and the tents were full of poles.",
        "The coaches were full of travellers, so we waited for the next one.",
    ],
)
def test_school_things_people_and_moods_accuse_nobody(text: str) -> None:
    assert not sure(text)


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("discrimination", "We are overrun with immigrants in this town."),
        ("discrimination", "We're being taken over by foreigners."),
        ("harassment", "Nick her glasses again before the lesson, the way she gropes about lol."),
        ("harassment", "Hide his bag again, pathetic how long it takes him."),
    ],
)
def test_a_group_named_or_a_laugh_beside_the_trick_is_what_accuses(label: str, text: str) -> None:
    assert label in sure(text)


def test_a_sign_and_its_company_must_be_one_persons_words() -> None:
    text = "I am a patient man.\n\n---------- Forwarded message ----------\nFrom: Pat\n\nYou still walk home along the canal."
    assert not sure(text)
    assert not sure("I am a patient man.\n\nOn Monday Pat wrote:\n> You still walk home along the canal.")


def test_in_a_log_of_what_happened_a_sign_is_not_the_writers() -> None:
    for _, text in SIGNS:
        assert not sure(f"For your CPOMS record, the disclosure as I have it. {text}")


# --- one word, two senses -------------------------------------------------------------------------------------------

SENSES = (
    ("We caught two of Year 10 with fags behind the bike sheds.", "That table of fags at the back again."),
    ("The new contract cripples our budget.", "I am sick of catering for cripples."),
    ("My sister has a Maine coon called Biscuit.", "That coon and his cats are moving in next door."),
    ("We could see a chink of light under the stage door.", "There is a chink in my class who cannot read."),
    ("There is a nip in the air, so bring coats.", "Those dirty nips again."),
    ("The tranny van is booked for the kit.", "Some tranny parked in my space."),
    ("Each request carries a nonce and a token.", "The man is a nonce, keep him off the gate."),
    ("The old bag split and books went everywhere.", "The old bag in reception is at it again."),
    ("Pop the kettle on, you cheeky monkey.", "You filthy monkey."),
    ("Half-caste by John Agard is in the anthology.", "The half-caste lad in 7B is trouble."),
    ("The hoes and rakes for the garden have come.", "These hoes will say anything to get a promotion."),
    ("The graze is red and pussy, so I covered it.", "Do not be such a pussy about the inspection."),
    ("Please leave the room spic and span.", "Another spic on the supply list."),
    ("Tighten the flange before you fill the boiler.", "What a flange she is."),
    ("Clone the git repository before the lesson.", "He is a miserable git."),
    ("Each request carries a fresh nonce; the protocol rejects a stale one.", "That nonce means nothing to the protocol."),
    ("He retarded the ignition timing in the physics lab.", "You are a retard, I told you about the timing of duty."),
    ("The rate of retardation is 4 metres per second squared.", "What a retard. It is 3 degrees and he has no coat."),
    ("The new minibus tranny needs a service.", "Tell the tranny in reception to move her van."),
    ("She put her cigarettes away and sold two fags.", "Tell that little fag to stop vaping in the toilets."),
    ("The slag cools beside the furnace.", "You fat slag, and your ore samples are late."),
    ("The graze is weepy and pussy.", "He is such a pussy about a little graze."),
    ("Push the branch, then look at the git log.", "Mike is a useless git, he broke the server log."),
    ("The old bag of kit is by the door.", "The old bag went mad at me."),
    ("The old bag is in the boot.", "That old bag in HR is retiring, her bag is in the boot."),
    ("The children sat on the poofs in the corner.", "That poof in drama sat on a bean bag all lesson."),
    ("A coon hound is in the picture book.", "You know those coons. My dogs and the raccoons behave."),
    ("Serve the kraut with the sausages.", "Krauts, always first with the sausages."),
    ("It cripples small schools.", "That cripples my patience: those cripples the LA sends."),
    ("Please rinse the dirty hoes and spades.", "You are a dirty hoe with no seeds of decency."),
    ("There are chinks in the fence.", "You chink, there is no chink of light in you."),
    ("Two pancake tossers are needed.", "You tosser, pancakes are not your strength."),
    ("Niggardly funding again this year.", "That nigger again."),
    ("The Wog Boy is a film we may not show.", "That wog in Year 9 again."),
    ("We will shag the carpet pile samples.", "I want to shag you on the shag pile, you slag."),
    ("The notes are at site.example/page#twat of all things.", "Our new head, what a #twat."),
)  # fmt: skip


@pytest.mark.parametrize(("harmless", "meant"), SENSES)
def test_a_word_is_judged_by_the_sense_its_company_shows(harmless: str, meant: str) -> None:
    assert not sure(harmless)
    assert sure(meant) & {"profanity", "discrimination"}


# --- pictures -------------------------------------------------------------------------------------------------------


def test_words_in_a_picture_are_heard_like_words_in_the_mail(judge) -> None:
    image = Image.new("L", (1500, 500), 240)
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(("I will break your legs, Sam.", "You are a fucking disgrace.")):
        pen.text((60, 80 + 120 * number), line, font=ImageFont.load_default(54), fill=20)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    found = judge("See the picture.", blobs=(Blob("poster.png", "image/png", buffer.getvalue()),))
    assert {"threats", "inappropriate_language"} <= set(found)
    assert all(item.part.startswith("attachment/") for finding in found.values() for item in finding.evidence)


def test_a_picture_without_words_says_nothing(judge) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (800, 600), (224, 172, 150)).save(buffer, "PNG")
    assert not judge("See the picture.", blobs=(Blob("photo.png", "image/png", buffer.getvalue()),))


# --- fairness -------------------------------------------------------------------------------------------------------


def test_no_neutral_mention_of_people_is_a_finding_whoever_they_are() -> None:
    content = YAML(typ="safe").load((RULES.parent / "tests" / "bench" / "neutral_mentions.yml").read_text("utf-8"))
    seen = detectors.load()
    flagged = [
        f"{kind}: {sentence}"
        for kind, groups in content["who"].items()
        for who in groups
        for sentence in (template.replace("{who}", who) for template in content["ask"])
        if any(hit.label in Language.labels and hit.confidence >= 0.75 for hit in seen.content(sentence, names_near=()))
    ]
    assert not flagged
    assert set(content["ask"]).isdisjoint(content["learn"])


@pytest.mark.parametrize(
    "sender", ["jane.smith@elt.example", "head@elt.example", "pa@elt.example", PUPIL, "gov.pat@gmail.com"]
)
def test_the_same_words_are_judged_alike_whoever_of_ours_writes_them(judge, sender: str) -> None:
    for text, topic in (
        ("You are a fucking disgrace.", "inappropriate_language"),
        ("I will break your legs, Sam.", "threats"),
    ):
        assert topic in judge(text, COLLEAGUE, sender=sender)
        assert judge(text, COLLEAGUE, sender=sender)[topic].severity == judge(text, COLLEAGUE)[topic].severity
