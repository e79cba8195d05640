"""Whose words: the sender's own are never cut away, somebody else's are told apart where a mark says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.extract.markup import html_text
from scanner.extract.normal import clean
from scanner.extract.segments import segments

EVAL = Path(__file__).resolve().parent.parent.parent / "shared" / "eval"
SIGNATURE = "Ann Wren\nDeputy Headteacher\nLarch Hill Primary School | 01632 960001\n"
DISCLAIMER = (
    "This email and any attachments are intended only for the addressee. If received in error please delete it.\n"
)


def owned(text: str, subject: str = "", sender: str = "") -> list[tuple[str, str]]:
    return [(one.owner, text[one.start : one.end].strip()) for one in segments(text, subject, sender)]


def owners(text: str, subject: str = "", sender: str = "") -> list[str]:
    return [owner for owner, _ in owned(text, subject, sender)]


# --- near misses: all the sender's ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Just a line.",
        "On Monday the head wrote:\nplease hand in the forms.\nI have not.",
        "He wrote: come at 10:30.\nSo I came.",
        "From: the kitchen\nwith love",
        "To: all staff\nFrom: the office\nDate: Monday\nSubject: bins\n\nPlease empty them.",
        "Thanks for the list, I will look at it.\nIt needs one more name: Jo.",
        "Best of luck tomorrow, and do bring the form back to me by Friday, please.",
        "This email is about the trip. Bring a coat.",
        "Important notice about the boiler: it is off until Tuesday.",
        "External visitors come at ten.",
        "Caution is needed on the ice.",
        "-- is how I start lists\n-- and this is the second point\nand here the text goes on as before, at length.",
        "I was sent from my iPhone shop to the other one across the road because they had none left at all, would you believe it.",
        "Regards to your mother, she was a great help with the costumes.\nSee you on Monday at the gate.",
        "Her number is 01632 960001, please ring before noon.",
    ],
)
def test_words_that_only_look_like_marks_are_the_senders(text: str) -> None:
    assert owners(text) == ["sender"]


def test_answers_between_and_below_quoted_lines_are_the_senders() -> None:
    text = "On Mon, 5 Oct 2026 at 10:00, Pat <p@x.example> wrote:\n> When?\nAt noon.\n> Where?\n\nBy the gate.\n"
    assert owned(text) == [
        ("quoted", "On Mon, 5 Oct 2026 at 10:00, Pat <p@x.example> wrote:\n> When?"),
        ("sender", "At noon."),
        ("quoted", "> Where?"),
        ("sender", "By the gate."),
    ]


def test_a_postscript_below_the_farewell_is_the_senders() -> None:
    text = "See you there.\n\nKind regards\nAnn\n\nPS her date of birth is 3 March.\n"
    assert owners(text) == ["sender"]


def test_a_long_text_below_dashes_is_not_all_signature() -> None:
    text = "Notes\n--\n" + "A sentence about the pupil and the plan for her.\n" * 60
    assert "sender" in owners(text)[-2:]


# --- hits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mark",
    [
        "On Mon, 5 Oct 2026 at 10:00, Pat Poplar <pat@other.example> wrote:",
        "On 5 Oct 2026, at 10:00, Pat Poplar\n<pat@other.example> wrote:",
        "Le lun. 5 oct. 2026 à 10:00, Pat <p@x.example> a écrit :",
        "Am 05.10.2026 um 10:00 schrieb Pat Poplar:",
        "El lun, 5 oct 2026 a las 10:00, Pat (<p@x.example>) escribió:",
        "Ar Llun, 5 Hyd 2026 am 10:00, ysgrifennodd Pat <p@x.example>:",
        "2026-10-05 10:00 GMT+01:00 Pat Poplar <p@x.example>:",
        "-----Original Message-----",
        "________________________________\nFrom: Pat <p@x.example>\nSent: 05 October 2026\nTo: Ann\nSubject: Trip",
        "From: Pat Poplar\nSent: 05 October 2026 09:00\nTo: Ann Wren;\n  Bob Ash <b@x.example>\nSubject: Trip",
        "*From:* Pat Poplar\n*Sent:* 05 October 2026\n*To:* Ann Wren\n*Subject:* Trip",
        "Von: Pat Poplar\nGesendet: Montag, 5. Oktober 2026\nAn: Ann\nBetreff: Ausflug",
    ],
)
def test_histories_run_to_the_end(mark: str) -> None:
    text = f"My answer.\n\n{mark}\n\nTheir words.\n\nKind regards\nPat\n"
    assert owned(text, "Re: Trip") == [("sender", "My answer."), ("quoted", text.partition("\n\n")[2].strip())]


@pytest.mark.parametrize(
    ("mark", "subject"),
    [
        ("---------- Forwarded message ---------\nFrom: Pat <p@x.example>\nDate: Mon\nSubject: x\nTo: Ann", ""),
        ("Begin forwarded message:\n\nFrom: Pat <p@x.example>\nSubject: x", ""),
        ("-------- Weitergeleitete Nachricht --------\nBetreff: x", ""),
        ("From: Pat Poplar\nSent: 05 October 2026 09:00\nTo: Ann Wren\nSubject: Trip", "FW: Trip"),
        ("-----Original Message-----\nFrom: Pat\n", "Fwd: Trip"),
    ],
)
def test_forwards(mark: str, subject: str) -> None:
    assert owners(f"Look at this.\n\n{mark}\n\nPass it on!\n", subject) == ["sender", "forwarded"]


def test_a_forward_without_a_word_of_ones_own() -> None:
    assert owners("From: Pat\nSent: 5 October\nTo: Ann\nSubject: Trip\n\nwords", "FW: Trip") == ["forwarded"]


def test_cited_forward_of_apple_mail() -> None:
    assert owners("> Begin forwarded message:\n> \n> From: Pat\n> words\n") == ["forwarded"]


@pytest.mark.parametrize(
    "closing",
    [
        "-- \nAnn Wren\nanything at all here\n",
        f"Kind regards,\n\n{SIGNATURE}",
        "Thanks\nAnn\n",
        "Yours sincerely\n\nMrs A. Wren\nHeadteacher\n",
        "Cofion cynnes\nAnn\n",
        "Sent from my iPhone\n",
        "Get Outlook for iOS\n",
        SIGNATURE,
        f"Ann\n\n{SIGNATURE}",
    ],
)
def test_signatures(closing: str) -> None:
    text = f"Her date of birth is 3 March 2015.\n\n{closing}"
    assert owned(text, sender="Ann Wren") == [
        ("sender", "Her date of birth is 3 March 2015."),
        ("signature", closing.strip()),
    ]


def test_signature_block_of_somebody_whose_name_is_not_known() -> None:
    assert owners(f"Her date of birth is 3 March 2015.\n\n{SIGNATURE}www.larchhill.example\n") == [
        "sender",
        "signature",
    ]


def test_a_signature_stands_above_the_history_as_well() -> None:
    text = (
        f"Done.\n\nRegards\nAnn\n\n{DISCLAIMER}\n-----Original Message-----\nFrom: Pat\n\nPlease do.\n\nRegards\nPat\n"
    )
    assert owners(text, "RE: x") == ["sender", "signature", "disclaimer", "quoted"]


@pytest.mark.parametrize(
    "text",
    [
        DISCLAIMER,
        "CONFIDENTIALITY NOTICE: the contents are confidential and may be legally privileged.",
        "Please consider the environment before printing this email.",
        "Larch Hill is a company limited by guarantee registered in England and Wales, number 09999990.",
        "The views expressed are those of the author and not necessarily those of the trust. Unauthorised use is prohibited.",
    ],
)
def test_disclaimers(text: str) -> None:
    assert owners(f"Come at ten.\n\n{text}\n") == ["sender", "disclaimer"]


@pytest.mark.parametrize(
    "banner",
    [
        "[EXTERNAL]",
        "CAUTION: This email originated from outside the organisation. Do not click links unless you recognise the sender.",
        "You don't often get email from pat@other.example. Learn why this is important",
    ],
)
def test_banners(banner: str) -> None:
    assert owned(f"{banner}\n\nCome at ten.\n") == [("banner", banner), ("sender", "Come at ten.")]


def test_html_and_plain_text_give_the_same_segments() -> None:
    plain = (
        "Come at ten.\n\nKind regards\nAnn Wren\n\n"
        + DISCLAIMER
        + "\nOn Mon, 5 Oct 2026 at 10:00, Pat <p@x.example> wrote:\n\n> When?\n"
    )
    html = html_text(
        "<div>Come at ten.</div><p>Kind regards<br>Ann Wren</p><p>" + DISCLAIMER + "</p><div class=gmail_quote>"
        "<div>On Mon, 5 Oct 2026 at 10:00, Pat &lt;p@x.example&gt; wrote:<br></div>"
        "<blockquote class=gmail_quote>When?</blockquote></div>"
    )

    def squeezed(text: str) -> list[tuple[str, str]]:
        return [(owner, re.sub(r"\s+", " ", words)) for owner, words in owned(text, "Re: x", "Ann Wren")]

    assert squeezed(plain) == squeezed(html)
    assert [owner for owner, _ in squeezed(html)] == ["sender", "signature", "disclaimer", "quoted"]


@given(
    st.lists(
        st.sampled_from(
            [
                "words",
                "> q",
                "",
                "-- ",
                "From: a",
                "Sent: b",
                "To: c",
                "Subject: d",
                "On 5 Oct 2026 A <a@b.example> wrote:",
                "Regards",
                "Ann",
                "> ",
                "[EXTERNAL]",
            ]
        ),
        max_size=30,
    ),
    st.sampled_from(["", "Re: x", "FW: x"]),
)
def test_segments_cover_the_text_in_order(lines: list[str], subject: str) -> None:
    text = "\n".join(lines)
    position = 0
    for one in segments(text, subject, "Ann"):
        assert one.start == position < one.end
        position = one.end
    assert position == len(text)


def test_hostile_text_takes_no_more_than_linear_work() -> None:
    """Twice the text, about twice the lines looked at: counted, not timed."""
    import sys

    def lines_run(text: str) -> int:
        count = 0

        def tracer(frame: object, event: str, argument: object) -> object:
            nonlocal count
            count += event == "line"
            return tracer

        sys.settrace(tracer)  # type: ignore[arg-type]
        try:
            segments(text, "Re: x", "Ann")
        finally:
            sys.settrace(None)
        return count

    for piece in ("This email\n", "From: x\n", "--\n", "Jane wrote:\n\n", "> a\n", "Regards\n"):
        assert lines_run(piece * 800) < 2.5 * lines_run(piece * 400) + 2_000, piece


# --- material that others have written -----------------------------------------------------------------------------


def test_forwards_of_many_mail_programs(tmp_path: Path) -> None:
    archive = EVAL / "structure" / "forwards_part.tar.xz"
    if not archive.exists():
        pytest.skip("no forwarded mails beside the repository (shared/eval/structure)")
    import tarfile

    with tarfile.open(archive) as packed:
        bodies = {
            member.name: packed.extractfile(member)
            for member in packed
            if "_body" in member.name and member.name.endswith(".txt")
        }
        missed = [
            name
            for name, stream in bodies.items()
            if stream and "forwarded" not in owners(clean(stream.read().decode()), "Fwd: x")
        ]
    assert len(bodies) > 100
    # Yahoo runs the header block into one line in these two languages.
    assert len(missed) <= 2, missed
