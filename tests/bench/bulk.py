"""Bulk by shape: sheets, exports, forms and merged letters as strangers make them, with the number of people in each.

    python tests/bench/bulk.py [--errors] [NAME…]

Every file is made here from invented people, sent by a member of staff to an untrusted outsider, and judged with the base
policy. A case says how many data subjects a reader would count (a range, where parents or staff stand beside the pupils), or
that nobody is told of: timetables, league tables, stock lists, a published staff page, numbers about nobody, blank forms.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from email.message import EmailMessage
from random import Random

import docx
import openpyxl
from envelope import wilson
from personal_data import TRUST, Bench, personal
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from scanner.directory import Directory

Row = Sequence[object]
FORENAMES = (
    "Aaliyah Bronwyn Caspian Delphine Ewan Fatimah Gruffydd Hamza Isolde Jagoda Kofi Lowri Mehreen Niamh Oskar Parveen "
    "Quentin Ria Stanislaw Thandeka Ulla Vikram Wiktoria Xanthe Yusra Zachary Agnieszka Benedict Chukwudi Darcey "
    "Eoghan Freya Giovanni Hattie Ikram Joss Keziah Laszlo Mabel Nkechi"
).split()
SURNAMES = (
    "Abernathy Blenkinsop Chowdhury Dunwoody Ekwueme Featherstone Gorecka Hollingworth Iqbal Jellicoe Kaczmarek "
    "Lumley-Shaw Mbanefo Nettleship O'Dwyer Pattinson Qureshi Ramsbottom Szymanska Threlfall Umunna Vasilescu "
    "Wetherby Xiong Yeboah Zielinski Applegarth Birtwistle Coldwell Drinkwater Entwistle Fothergill Goldsworthy "
    "Haverhill Inchbald Juszczak Kirkbride Lockwood Marchbanks Nwosu"
).split()
STREETS = "Larch Rise,Weir Lane,Copper Street,Hobb End,Fennel Way,Mill Bank Road,Tanner Row,Cross Keys Close".split(",")


class Child:
    """An invented pupil, the same for the same number."""

    def __init__(self, number: int) -> None:
        random = Random(number)
        self.forename = FORENAMES[number % len(FORENAMES)]
        self.surname = SURNAMES[(number * 7 + number // len(FORENAMES)) % len(SURNAMES)]
        self.name = f"{self.forename} {self.surname}"
        self.born = (random.randint(1, 28), random.randint(1, 12), random.randint(2009, 2018))
        self.dob = "{:02}/{:02}/{}".format(*self.born)
        self.form = f"{random.randint(7, 11)}{random.choice('ABCKR')}"
        self.upn = upn(f"873400{random.randint(10, 24)}{random.randint(1000, 9999)}"[:12])
        self.admission = f"{4000 + number:06}"
        self.phone = f"07700 900{number:03}"
        self.house, self.street = random.randint(1, 90), STREETS[number % len(STREETS)]
        self.postcode = (
            f"CB{random.randint(1, 9)} {random.randint(1, 9)}{random.choice('ABDEFG')}{random.choice('HJLN')}"
        )
        self.address = f"{self.house} {self.street}, Thornmere, {self.postcode}"
        self.parent = f"{FORENAMES[(number * 3 + 11) % len(FORENAMES)]} {self.surname}"
        self.grade = str(random.randint(1, 9))
        self.sen = random.choice(("", "K", "E", "", ""))
        self.flag = random.choice("YN")


def upn(twelve: str) -> str:
    """A Unique Pupil Number over twelve digits: weights 2 to 13, remainder by 23 as a letter without I, O and S."""
    total = sum(int(digit) * weight for weight, digit in enumerate(twelve, 2))
    return "ABCDEFGHJKLMNPQRTUVWXYZ"[total % 23] + twelve


def children(count: int, first: int = 0) -> list[Child]:
    return [Child(number) for number in range(first, first + count)]


# --- writers ----------------------------------------------------------------------------------------------------------


def csv_file(rows: Sequence[Row], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode("utf-8-sig")


def xlsx(rows: Sequence[Row], merged: Sequence[str] = ()) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    for cells in merged:
        sheet.merge_cells(cells)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def xlsx_sheets(sheets: dict[str, Sequence[Row]]) -> bytes:
    book = openpyxl.Workbook()
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    del book[book.sheetnames[0]]
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def docx_table(before: str, rows: Sequence[Row], merged_heading: str = "") -> bytes:
    document = docx.Document()
    document.add_paragraph(before)
    table = document.add_table(rows=0, cols=max(len(row) for row in rows))
    if merged_heading:
        cells = table.add_row().cells
        cells[0].merge(cells[-1]).text = merged_heading
    for row in rows:
        for cell, value in zip(table.add_row().cells, row, strict=False):
            cell.text = str(value)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def docx_letters(letters: Sequence[str]) -> bytes:
    document = docx.Document()
    for number, letter in enumerate(letters):
        if number:
            document.add_page_break()
        for line in letter.split("\n"):
            document.add_paragraph(line)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def pdf_pages(pages: Sequence[Sequence[Row]], widths: Sequence[int]) -> bytes:
    """Each row's cells drawn at their column; no ruling, as most programs print a report."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    for page in pages:
        height = 800
        canvas.setFont("Helvetica", 9)
        for row in page:
            left = 40
            for cell, width in zip(row, widths, strict=False):
                canvas.drawString(left, height, str(cell))
                left += width
            height -= 14
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def html_table(rows: Sequence[Row], before: str) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<html><body><p>{before}</p><table border=1>{body}</table><p>Thanks, Colm</p></body></html>"


# --- what breaches ----------------------------------------------------------------------------------------------------


def ctf(pupils: Sequence[Child], prefix: str = "") -> bytes:
    """A Common Transfer File by the elements of the public specification of the DfE."""

    def pupil(child: Child) -> str:
        day, month, year = child.born
        sen = f"<SENhistory><SEN><SENprovision>{child.sen}</SENprovision></SEN></SENhistory>" if child.sen else ""
        return (
            f"<Pupil><UPN>{child.upn}</UPN><Surname>{child.surname}</Surname><Forename>{child.forename}</Forename>"
            f"<DOB>{year}-{month:02}-{day:02}</DOB><Sex>F</Sex><NCyearActual>6</NCyearActual>"
            f"<Ethnicity>APKN</Ethnicity><FSMhistory><FSMinstance><FSMstartDate>2023-09-04</FSMstartDate></FSMinstance>"
            f"</FSMhistory>{sen}<Address><BS7666Address><PAON>{child.house}</PAON><Street>{child.street}</Street>"
            f"<PostTown>Thornmere</PostTown><PostCode>{child.postcode}</PostCode></BS7666Address></Address>"
            f"<Contacts><Contact><Order>1</Order><Surname>{child.surname}</Surname>"
            f"<Forename>{child.parent.split()[0]}</Forename><Relationship>PAM</Relationship>"
            f"<Phones><Phone><PhoneNo>{child.phone}</PhoneNo></Phone></Phones></Contact></Contacts></Pupil>"
        )

    inner = "\n".join(pupil(child) for child in pupils)
    head = (
        "<Header><DocumentName>Common Transfer File</DocumentName><CTFversion>23.0</CTFversion>"
        "<DateTime>2026-07-06T11:02:00</DateTime><DocumentQualifier>full</DocumentQualifier><SupplierID>Invented MIS</SupplierID>"
        "<SourceSchool><LEA>873</LEA><Estab>4001</Estab><SchoolName>Thornmere High</SchoolName></SourceSchool>"
        "<DestSchool><LEA>LLL</LEA><Estab>LLLL</Estab></DestSchool></Header>"
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<CTfile>{head}<CTFpupilData>\n{inner}\n</CTFpupilData></CTfile>'.encode()


def sims(pupils: Sequence[Child]) -> list[Row]:
    heads: list[Row] = [
        ("Student List - Year 9 2025/26",),
        ("Printed on 14/05/2026 09:12 by Mrs P Sandhu",),
        (),
        ("Adno", "Legal Surname", "Legal Forename", "Reg", "DOB", "SEN Status", "FSM Eligible", "In Care", "UPN"),
    ]
    return heads + [(c.admission, c.surname, c.forename, c.form, c.dob, c.sen, c.flag, "", c.upn) for c in pupils]


def two_lines(pupils: Sequence[Child]) -> list[Row]:
    """A first line over groups of columns, the headings proper in the second."""
    return [
        ("Pupil", "", "", "Needs", "", "Contact 1", ""),
        ("Surname", "First", "Tutor group", "SEN", "Medical", "Name", "Mobile"),
        *((c.surname, c.forename, c.form, c.sen, "asthma" if c.flag == "Y" else "", c.parent, c.phone) for c in pupils),
    ]  # fmt: skip


def no_headings(pupils: Sequence[Child]) -> list[Row]:
    return [(c.surname, c.forename, c.form, c.dob, c.flag) for c in pupils]


def payroll(pupils: Sequence[Child]) -> list[Row]:
    return [
        ("Payroll Ref", "Employee", "NI Letter", "Tax Code", "Gross Pay", "Net Pay", "Pension EE"),
        *(
            (
                f"P{c.admission}",
                f"{c.surname.upper()}, {c.forename}",
                "A",
                "1257L",
                2100 + n * 37,
                1650 + n * 29,
                120 + n,
            )
            for n, c in enumerate(pupils)
        ),
    ]


def absence(pupils: Sequence[Child]) -> list[Row]:
    kinds = ("Stress", "Back pain", "Operation", "Covid", "Bereavement", "Maternity")
    return [
        ("Employee Name", "Post Title", "Absence Reason", "From", "To", "Days lost"),
        *((c.name, "Teaching Assistant", kinds[n % 6], "03/02/2026", "10/02/2026", 5) for n, c in enumerate(pupils)),
    ]


def entries(pupils: Sequence[Child]) -> list[Row]:
    return [
        ("Cand No", "Candidate", "8300/1H", "8461/1F", "8700/1", "Access arr."),
        *(
            (1000 + n, f"{c.surname}, {c.forename}", "X", "X", "X", "25% ET" if c.sen else "")
            for n, c in enumerate(pupils)
        ),
    ]


def trip(pupils: Sequence[Child]) -> list[Row]:
    return [
        ("", "Coach 1", "", "", ""),
        ("#", "Who", "Form", "Dietary / medical", "Emergency no."),
        *((n, c.name, c.form, "nut allergy" if n % 4 == 0 else "-", c.phone) for n, c in enumerate(pupils, 1)),
    ]


def merge_source(pupils: Sequence[Child]) -> list[Row]:
    return [
        ("PupilForename", "PupilSurname", "ParentSalutation", "Addr1", "Addr2", "Postcode", "AmountOwed"),
        *((c.forename, c.surname, f"Mr & Mrs {c.surname}", f"{c.house} {c.street}", "Thornmere", c.postcode, "12.50") for c in pupils),
    ]  # fmt: skip


def letter(child: Child) -> str:
    return (
        f"{child.parent}\n{child.house} {child.street}\nThornmere\n{child.postcode}\n\n14 May 2026\n\nDear {child.parent},\n\n"
        f"{child.forename}'s attendance so far this year is {60 + int(child.grade) * 3}%, which is well below what we expect.\n"
        f"{child.name} ({child.form}) has been late {child.grade} times this half term.\n"
        "Please ring the office to make an appointment.\n\nYours sincerely\nPriya Sandhu"
    )


def slip(child: Child) -> str:
    """Strips that are cut apart: log-in or results, one a pupil."""
    return f"Name: {child.surname}, {child.forename}\nForm: {child.form}\nMaths {child.grade}  English {child.grade}  Science 5\n"


def spaced(pupils: Sequence[Child]) -> str:
    """A register as a terminal prints it: columns kept by spaces."""
    lines = [f"{'Surname':16}{'Forename':14}{'Form':6}{'D.O.B.':12}{'PP'}"]
    lines += [f"{c.surname:16}{c.forename:14}{c.form:6}{c.dob:12}{c.flag}" for c in pupils]
    return "\n".join(lines)


Case = tuple[str, str, bytes | str, tuple[int, int]]  # name, file name ("" for the body), content, people


def breaches() -> Iterator[Case]:
    n = 14
    pupils = children(n)
    both = (n, 2 * n)
    yield "sims csv", "Export1.csv", csv_file(sims(pupils)), (n, n + 1)
    yield "sims xlsx", "Export1.xlsx", xlsx(sims(pupils), ("A1:I1",)), (n, n + 1)
    yield "sims semicolons", "Export1.txt", csv_file(sims(pupils), ";"), (n, n + 1)
    arbor = [
        ("Arbor Student ID", "Student", "Year Group", "Reg Form", "Ever in Care", "Pupil Premium", "Primary Guardian", "Guardian Mobile"),
        *((10200 + i, c.name, "Year 9", c.form, "No", "Yes", c.parent, c.phone) for i, c in enumerate(pupils)),
    ]  # fmt: skip
    yield "arbor csv", "students_20260514.csv", csv_file(arbor), both
    bromcom = [
        ("StudentID", "PreferredFirstName", "PreferredLastName", "TutorGroup", "EventDate", "EventType", "Points"),
        *((50200 + i, c.forename, c.surname, c.form, "11/05/2026", "Defiance", -2) for i, c in enumerate(pupils)),
    ]
    yield "bromcom behaviour xlsx", "QuickReport.xlsx", xlsx(bromcom), (n, n)
    yield "ctf xml", "8734001_CTF_873LLLL_001.xml", ctf(pupils), both
    yield "ctf without xml ending", "transfer", ctf(pupils), both
    yield "two heading lines xlsx", "yr9 info.xlsx", xlsx(two_lines(pupils), ("A1:C1", "D1:E1", "F1:G1")), both
    yield "two heading lines csv", "yr9 info.csv", csv_file(two_lines(pupils)), both
    yield "two heading lines docx", "yr9 info.docx", docx_table("For Monday", two_lines(pupils)), both
    yield "no headings csv", "9k.csv", csv_file(no_headings(pupils)), (n, n)
    yield "no headings xlsx", "9k.xlsx", xlsx(no_headings(pupils)), (n, n)
    yield "no headings docx", "9k.docx", docx_table("", no_headings(pupils)), (n, n)
    yield "payroll xlsx", "May pay.xlsx", xlsx(payroll(pupils)), (n, n)
    yield "payroll csv", "May pay.csv", csv_file(payroll(pupils)), (n, n)
    yield "absence xlsx", "absence.xlsx", xlsx(absence(pupils)), (n, n)
    yield "absence html body", "", html_table(absence(pupils), "Here is what I have for the panel."), (n, n)
    hr = [
        ("Emp. No.", "Title", "First Names", "Last Name", "Start Date", "Post", "Scale point", "FTE", "DBS no.", "DBS date"),
        *(
            (f"E{c.admission}", "Ms", c.forename, c.surname, "01/09/2019", "LSA", 7, 0.8, f"0016{c.admission}{i:02}", "02/03/2024")
            for i, c in enumerate(pupils)
        ),
    ]  # fmt: skip
    yield "single central record xlsx", "SCR.xlsx", xlsx(hr), (n, n)
    yield "exam entries csv", "entries.csv", csv_file(entries(pupils)), (n, n)
    yield "exam entries pdf", "entries.pdf", pdf_pages([entries(pupils)], (50, 160, 60, 60, 60, 60)), (n, n)
    seats = [
        ("Seat", "Cand. no", "Name", "Paper"),
        *((f"A{i}", 1000 + i, c.name, "8300/1H") for i, c in enumerate(pupils, 1)),
    ]
    yield "seating plan docx", "seating.docx", docx_table("Hall, 9 am", seats, "GCSE Mathematics Paper 1"), (n, n)
    yield "trip xlsx", "trip list.xlsx", xlsx(trip(pupils), ("B1:C1",)), (n, n)
    yield "trip html body", "", html_table(trip(pupils), "Here are the ones coming on Friday."), (n, n)
    yield "trip docx", "trip list.docx", docx_table("Friday", trip(pupils)[1:]), (n, n)
    yield "trip pdf", "trip list.pdf", pdf_pages([trip(pupils)], (25, 140, 50, 120, 80)), (n, n)
    yield "mail-merge source xlsx", "data.xlsx", xlsx(merge_source(pupils)), both
    yield "mail-merge source csv", "data.csv", csv_file(merge_source(pupils)), both
    thirty = children(30)
    yield "thirty letters docx", "merged.docx", docx_letters([letter(c) for c in thirty]), (30, 60)
    yield (
        "thirty letters pdf",
        "merged.pdf",
        pdf_pages([[(line,) for line in letter(c).split("\n")] for c in thirty], (500,)),
        (30, 60),
    )
    yield "slips docx", "slips.docx", docx_letters(["\n".join(slip(c) for c in pupils)]), (n, n)
    yield "slips in the body", "", "Hi,\n\n" + "\n".join(slip(c) for c in pupils) + "\nColm", (n, n)
    yield "spaced register txt", "9K.txt", spaced(pupils).encode(), (n, n)
    yield "spaced register body", "", "As asked:\n\n" + spaced(pupils) + "\n\nColm", (n, n)
    marks = [
        ("Name", "Test 1", "Test 2", "Comment"),
        *((c.name, int(c.grade) * 4, int(c.grade) * 5, "needs help with fractions") for c in pupils),
    ]
    yield "mark book xlsx", "markbook.xlsx", xlsx(marks), (n, n)
    turned = [("", *(c.name for c in pupils[:6])), ("Reading", *(c.grade for c in pupils[:6])), ("Writing", *(c.grade for c in pupils[:6])),
              ("SEN", *(c.sen or "-" for c in pupils[:6]))]  # fmt: skip
    yield "names across the top xlsx", "groups.xlsx", xlsx(turned), (6, 6)
    initials = [
        ("Pupil", "Yr", "PP", "SEN", "Reading age"),
        *((f"{c.forename} {c.surname[0]}", 4, c.flag, c.sen, f"{c.grade}y 3m") for c in pupils),
    ]
    yield "forename and initial csv", "readers.csv", csv_file(initials), (n, n)
    only_forenames = [
        ("Child", "Phonics", "Needs"),
        *((c.forename, int(c.grade) + 20, "speech" if c.sen else "") for c in pupils),
    ]
    yield "forenames only csv", "phonics.csv", csv_file(only_forenames), (n, n)
    by_number = [
        ("UPN", "FSM6", "LAC", "KS2 Read", "KS2 Mat"),
        *((c.upn, c.flag, "N", 100 + i, 98 + i) for i, c in enumerate(pupils)),
    ]
    yield "upns without names csv", "ks2.csv", csv_file(by_number), (n, n)
    sign_in = [
        ("Full name", "Username", "Initial pw"),
        *((c.name, f"26{c.surname.lower()}{i}", f"Welcome{i}!") for i, c in enumerate(pupils)),
    ]
    yield "log-ins csv", "accounts.csv", csv_file(sign_in), (n, n)
    dinner = [
        ("Class 4", "", ""),
        ("Child's name", "Free school meals", "Allergy"),
        *((c.name, "yes" if c.flag == "Y" else "no", "egg" if i == 3 else "") for i, c in enumerate(pupils)),
    ]
    yield "dinner list xlsx", "dinners.xlsx", xlsx(dinner, ("A1:C1",)), (n, n)
    seen = [
        ("Date", "Pupil", "Concern", "Action"),
        *(
            (f"0{i % 8 + 1}/05/2026", c.name, "bruise on arm, told TA about dad", "DSL informed")
            for i, c in enumerate(pupils[:5])
        ),
    ]
    yield "concern log docx", "log.docx", docx_table("Chronology", seen), (5, 5)
    pasted = "Kid\tForm\tMum's mobile\n" + "\n".join(f"{c.forename}\t{c.form}\t{c.phone}" for c in pupils)
    yield "pasted tabs body", "", f"These are the kids for Saturday:\n\n{pasted}\n\nColm", (n, n)


def second_breaches() -> Iterator[Case]:
    """A second round, written after the first was mended and before it was run: what that mending is worth on other shapes."""
    n = 11
    pupils = children(n, 20)
    both = (n, 2 * n)
    rows = [("Surname / Forename(s)", "Adm. No", "Enrolment Status", "Sessions poss.", "% att."),
            *((f"{c.surname.upper()} {c.forename}", c.admission, "C", 310, f"{80 + i}.4") for i, c in enumerate(pupils))]  # fmt: skip
    yield "attendance report pdf", "attendance.pdf", pdf_pages([rows], (160, 60, 90, 70, 50)), (n, n)
    yield "attendance report xlsx", "attendance.xlsx", xlsx(rows), (n, n)
    blocks = "\n\n".join(f"Pupil: {c.name}\nD.O.B: {c.dob}\nAddress: {c.address}\nMother: {c.parent}" for c in pupils)
    yield "labelled blocks body", "", f"Hi Sam,\n\n{blocks}\n\nColm", both
    cells = [("1", f"{c.name}\n{c.form}\n{c.phone}") for c in pupils]
    yield "everything in one cell docx", "list.docx", docx_table("Bus 4", cells), (n, n)
    bullets = "\n".join(
        f"- {c.name}, {c.form}, {'epi-pen in office' if i % 3 == 0 else 'none'}" for i, c in enumerate(pupils)
    )
    yield "bulleted medical list body", "", f"Medical list for Friday:\n{bullets}\n\nColm", (n, n)
    pipes = "| Student | Group | Reading | Notes |\n|---|---|---|---|\n" + "\n".join(
        f"| {c.name} | {c.form} | {c.grade} | SEN support |" for c in pupils
    )
    yield "markdown table body", "", f"Groups below\n\n{pipes}\n", (n, n)
    two = xlsx_sheets({"Cover": [("Prepared for the panel",)], "Data": [("Forename(s)", "Surname", "Attain 8", "P8", "PP?"),
                       *((c.forename, c.surname, 44.5, -0.2, c.flag) for c in pupils)]})  # fmt: skip
    yield "second sheet xlsx", "headline.xlsx", two, (n, n)
    xml = (
        "<Students>"
        + "".join(
            f'<Student id="{c.admission}" forename="{c.forename}" surname="{c.surname}" dob="{c.dob}" sen="{c.sen}"/>'
            for c in pupils
        )
        + "</Students>"
    )
    yield "xml attributes", "export.xml", xml.encode(), (n, n)
    form7 = (
        "<form7><Pupils>"
        + "".join(
            f"<Pupil><PupilIdentifiers><UPN>{c.upn}</UPN><Surname>{c.surname}</Surname><Forename>{c.forename}</Forename><BirthDate>{c.born[2]}-01-02</BirthDate></PupilIdentifiers></Pupil>"
            for c in pupils
        )
        + "</Pupils></form7>"
    )
    yield "census xml", "census.xml", form7.encode(), (n, n)
    overtime = [
        ("Staff member", "Role", "Rate", "Hours", "To pay"),
        *((c.name, "Cleaner", "£11.44", 6, "£68.64") for c in pupils),
    ]
    yield "overtime docx", "overtime.docx", docx_table("Overtime claims, May", overtime), (n, n)
    pay = [
        ("Employee", "Old spine pt", "New spine pt", "Annual"),
        *((f"{c.forename[0]} {c.surname}", 6, 8, 24790) for c in pupils),
    ]
    yield "pay rises with initials xlsx", "pay.xlsx", xlsx(pay), (n, n)
    review = [
        ("", "Appraisee", "Appraiser", "Met?", "Rec."),
        *((i, c.name, "N Abara", "Partly", "No pay progression") for i, c in enumerate(pupils, 1)),
    ]
    yield "appraisal xlsx", "pm.xlsx", xlsx(review), both
    results = [
        ("CENTRE 12345", "", "", ""),
        ("No.", "Name", "8300", "8700"),
        *((2000 + i, f"{c.surname}:{c.forename}", c.grade, c.grade) for i, c in enumerate(pupils)),
    ]
    yield "results with colons csv", "results.csv", csv_file(results), (n, n)
    rooms = [
        ("Room", "Occupant 1", "Occupant 2"),
        *((f"R{i}", c.name, d.name) for i, (c, d) in enumerate(zip(pupils[:5], pupils[5:10], strict=True))),
    ]
    yield "room list of a trip docx", "rooms.docx", docx_table("Dormitories, Year 6 residential", rooms), (10, 10)
    absent = "Absent today: " + ", ".join(f"{c.name} ({c.form})" for c in pupils) + "."
    yield "names in one sentence body", "", f"{absent}\n\nColm", (n, n)
    lines = "\n".join(f"{c.forename} {c.surname}\t{c.dob}" for c in pupils)
    yield "tabs without headings body", "", f"{lines}\n", (n, n)
    free = [("FSM", "Not FSM"), *((c.name, d.name) for c, d in zip(pupils[:5], pupils[5:10], strict=True))]
    yield "two groups side by side xlsx", "fsm.xlsx", xlsx(free), (10, 10)
    labels = "\n\n".join(f"Parent of {c.name}\n{c.house} {c.street}\nThornmere\n{c.postcode}" for c in pupils)
    yield "address labels docx", "labels.docx", docx_letters([labels]), both
    reports = [
        f"ANNUAL REPORT\nName: {c.name}\nClass: {c.form}\nAttendance: 9{c.grade}%\nReading: working towards\n"
        f"Comment: {c.forename} finds it hard to sit still."
        for c in pupils
    ]
    yield (
        "annual reports pdf",
        "reports.pdf",
        pdf_pages([[(line,) for line in each.split("\n")] for each in reports], (500,)),
        (n, n),
    )
    dirty = [
        ("SURNAME", "FORENAME", "ETHNICITY", "RELIGION", "1ST LANG"),
        *((c.surname.upper(), c.forename.upper(), "ABAN", "Muslim", "BNG") for c in pupils),
    ]
    yield "all capitals csv", "ctx.csv", csv_file(dirty), (n, n)


def second_near_misses() -> Iterator[Case]:
    nobody = (0, 0)
    fields = ("Walking", "Coach", "Minibus", "Car share", "Train")
    risk = [
        ("Hazard", "Who might be harmed", "Control", "Risk rating"),
        *((f"{f} hazard", "Pupils, staff", "Supervision", "3") for f in fields),
    ]
    yield "risk assessment docx", "ra.docx", docx_table("Risk assessment", risk), nobody
    plays = [
        ("Author", "Set text", "Year", "Marks"),
        ("William Shakespeare", "Macbeth", "Year 10", 40),
        ("Charles Dickens", "A Christmas Carol", "Year 10", 40),
        ("J. B. Priestley", "An Inspector Calls", "Year 11", 40),
        ("Mary Shelley", "Frankenstein", "Year 11", 40),
        ("Emily Brontë", "Wuthering Heights", "Year 12", 40),
    ]
    yield "set texts docx", "texts.docx", docx_table("Set texts", plays), nobody
    species = [
        ("Common name", "Latin name", "Count"),
        *(
            (a, b, 4)
            for a, b in (
                ("Robin", "Erithacus rubecula"),
                ("Jack Snipe", "Lymnocryptes minimus"),
                ("Willow Warbler", "Phylloscopus trochilus"),
                ("Martin", "Delichon urbicum"),
                ("Jay", "Garrulus glandarius"),
            )
        ),
    ]
    yield "bird count csv", "birds.csv", csv_file(species), nobody
    roles = [
        ("Post", "Salary range", "Hours", "Closing date"),
        *(
            (r, "£23,000 - £25,000", "37", "12/06/2026")
            for r in ("Teaching Assistant", "Site Manager", "Cook", "Receptionist", "Exams Officer")
        ),
    ]
    yield "vacancies xlsx", "vacancies.xlsx", xlsx(roles), nobody
    menus = [
        ("Dish", "Class 1", "Class 2", "Class 3"),
        *((d, 4, 6, 7) for d in ("Cottage pie", "Jacket potato", "Fish fingers", "Veggie wrap", "Pasta bake")),
    ]
    yield "dinner numbers xlsx", "dinners.xlsx", xlsx(menus), nobody
    rates = [
        ("Ward", "Pupils", "FSM", "EHCP", "Persistent absence"),
        *((w, 120, 31, 4, "11%") for w in ("Castle Ward", "Abbey", "St Mary", "Park End", "Rivers")),
    ]
    yield "wards csv", "wards.csv", csv_file(rates), nobody
    scheme = [
        ("Week", "Lesson", "Objective", "Assessment"),
        *((i, "Fractions", "Add fractions", "Quiz") for i in range(1, 8)),
    ]
    yield "scheme of work docx", "sow.docx", docx_table("Year 7 scheme of work", scheme), nobody
    spec = [
        ("Element", "Type", "Notes"),
        *((e, "string", "mandatory") for e in ("UPN", "Surname", "Forename", "DOB", "Sex", "FSMeligible")),
    ]
    yield "census guide xlsx", "census guide.xlsx", xlsx(spec), nobody
    bands = (
        "Name: Tier 1\nClass: A\nPrice: 40\n\nName: Tier 2\nClass: B\nPrice: 60\n\nName: Tier 3\nClass: C\nPrice: 80"
    )
    yield "price tiers body", "", f"Hi,\n\n{bands}\n\nColm", nobody
    queue = [
        ("Ticket", "Requested by", "Issue", "Status"),
        *((i, "Main office", "Printer offline", "Open") for i in range(301, 309)),
    ]
    yield "help desk csv", "tickets.csv", csv_file(queue), nobody


# --- what does not ----------------------------------------------------------------------------------------------------


def near_misses() -> Iterator[Case]:
    nobody = (0, 0)
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
    timetable = [("", *days), *((f"P{p}", "Maths 9A", "English", "PE Hall", "History R12", "Art") for p in range(1, 7))]
    yield "timetable xlsx", "timetable.xlsx", xlsx(timetable), nobody
    yield "timetable html body", "", html_table(timetable, "The new timetable:"), nobody
    rooms = [
        ("Teacher", "Room", "Period 1", "Period 2"),
        *((f"Mr {s}", f"B{i}", "9A Maths", "8B Maths") for i, s in enumerate(SURNAMES[:9])),
    ]
    yield "room list csv", "rooms.csv", csv_file(rooms), nobody
    league = [
        ("Pos", "Team", "P", "W", "D", "L", "Pts"),
        *(
            (i, t, 8, 5, 1, 2, 16)
            for i, t in enumerate(
                ("Weir Park", "Holme United", "Castle Rangers", "Fen Town", "Marsh Lane", "Ashby Juniors"), 1
            )
        ),
    ]
    yield "league table csv", "u13 table.csv", csv_file(league), nobody
    tables = [
        ("School", "LA", "Progress 8", "Attainment 8", "% EBacc"),
        *((f"{s} Academy", "Thornshire", 0.1, 46.2, 31) for s in SURNAMES[:10]),
    ]
    yield "performance tables xlsx", "p8.xlsx", xlsx(tables), nobody
    stock = [
        ("Item", "Name", "Qty", "Unit price", "Supplier"),
        *(
            (i, n, 4, "3.50", "Printco")
            for i, n in enumerate(
                ("Glue sticks", "Ruler 30cm", "Exercise book", "Whiteboard pen", "Card A4", "Safety goggles"), 1
            )
        ),
    ]
    yield "stock list xlsx", "stock.xlsx", xlsx(stock), nobody
    books = [
        ("Title", "Author", "ISBN", "Copies"),
        *(
            (t, a, "9780141036137", 30)
            for t, a in (
                ("Animal Farm", "George Orwell"),
                ("Of Mice and Men", "John Steinbeck"),
                ("An Inspector Calls", "J. B. Priestley"),
                ("Macbeth", "William Shakespeare"),
                ("Jane Eyre", "Charlotte Brontë"),
                ("Blood Brothers", "Willy Russell"),
            )
        ),
    ]
    yield "book order xlsx", "books.xlsx", xlsx(books), nobody
    staff = [
        ("Name", "Role", "Email"),
        ("Nadia Abara", "Headteacher", "head@thl.example"),
        ("Colm Doyle", "Deputy Head", "c.doyle@thl.example"),
        ("Priya Sandhu", "SENCO", "p.sandhu@thl.example"),
    ]
    yield "published staff docx", "Who's who.docx", docx_table("Our staff, as on the website", staff), nobody
    numbers = [
        ("Group", "Pupils", "FSM %", "SEN %", "Attendance %"),
        *((f"Year {y}", 180, 24, 15, 94.1) for y in range(7, 12)),
        ("All", 900, 24, 15, 94.1),
    ]
    yield "anonymised statistics xlsx", "headline.xlsx", xlsx(numbers), nobody
    by_school = [
        ("Ethnic group", "Boys", "Girls", "Total", "Persistent absence"),
        ("White British", 210, 201, 411, "12%"),
        ("Pakistani", 60, 71, 131, "9%"),
        ("Black African", 40, 38, 78, "8%"),
        ("Gypsy/Roma", 4, 5, 9, "44%"),
    ]
    yield "ethnicity counts csv", "groups.csv", csv_file(by_school), nobody
    blank = [
        ("Surname", "Forename", "DOB", "UPN", "SEN status", "Medical"),
        *(("", "", "", "", "", "") for _ in range(20)),
    ]
    yield "blank template xlsx", "template.xlsx", xlsx(blank), nobody
    explained = [
        ("Field", "Description", "Format"),
        ("Surname", "Legal surname of the pupil", "Text 35"),
        ("DOB", "Date of birth", "DD/MM/YYYY"),
        ("UPN", "Unique Pupil Number", "A999999999999"),
        ("SEN status", "N, K or E", "Text 1"),
    ]
    yield "field guide docx", "import guide.docx", docx_table("How to fill in the import file", explained), nobody
    line = "_" * 20
    consent = (
        f"Name of child: {line}\nDate of birth: __ / __ / ____\nMedical conditions: {line}\nSigned (parent): {line}\n"
    )
    yield "blank consent docx", "consent.docx", docx_letters([consent]), nobody
    yield (
        "merge letter unfilled docx",
        "letter.docx",
        docx_letters(
            [
                "Dear «Salutation»,\n\n«Forename» «Surname» («RegGroup») has attendance of «Attend»%.\n\nYours sincerely\nPriya Sandhu"
            ]
        ),
        nobody,
    )
    fixtures = [
        ("Date", "Home", "Away", "Venue", "KO"),
        *(
            (f"{d:02}/10/2026", h, "Thornmere", "Weir Park", "14:00")
            for d, h in ((3, "Castle"), (10, "Holme"), (17, "Fen Town"), (24, "Ashby"), (31, "Marsh Lane"))
        ),
    ]
    yield "fixtures csv", "fixtures.csv", csv_file(fixtures), nobody
    menu = [
        ("Day", "Main", "Vegetarian", "Allergens"),
        *((d, "Roast chicken", "Bean chilli", "milk, egg") for d in days),
    ]
    yield "menu docx", "menu.docx", docx_table("Autumn menu, week 1", menu), nobody
    prices = [
        ("Name", "Size", "Class", "Price"),
        *((n, "M", "A", "4.99") for n in ("Jasmine", "Poppy", "Lavender", "Rose bush", "Holly", "Heather")),
    ]
    yield "plants for sale csv", "plants.csv", csv_file(prices), nobody
    suppliers = [
        ("Company", "Contact", "Phone", "Email"),
        *(
            (f"{s} Ltd", "Sales desk", f"01632 9600{i:02}", f"sales@{s.lower().replace(chr(39), '')}.example")
            for i, s in enumerate(SURNAMES[:8], 10)
        ),
    ]
    yield "suppliers csv", "suppliers.csv", csv_file(suppliers), nobody
    terms = [
        ("Term", "Starts", "Ends", "INSET"),
        ("Autumn", "02/09/2026", "18/12/2026", "1"),
        ("Spring", "05/01/2027", "26/03/2027", "1"),
        ("Summer", "12/04/2027", "21/07/2027", "2"),
    ]
    yield "term dates docx", "terms.docx", docx_table("Term dates", terms), nobody
    assets = [
        ("Asset tag", "Model", "Serial number", "Room", "User"),
        *((f"T{i:04}", "Latitude 5420", f"8H2K{i}X", "B12", "Pool") for i in range(8)),
    ]
    yield "laptops xlsx", "assets.xlsx", xlsx(assets), nobody
    budget = [
        ("Cost centre", "Description", "Budget", "Actual"),
        *(
            (4000 + i, d, 1000, 900)
            for i, d in enumerate(("Teaching staff", "Supply", "Agency", "Premises", "Catering", "Exam fees"))
        ),
    ]
    yield "budget xlsx", "budget.xlsx", xlsx(budget), nobody
    papers = [
        ("Date", "Board", "Paper", "Code", "Duration"),
        *(("12/05/2026", "AQA", "Mathematics Paper 1", "8300/1H", "1h 30m") for _ in range(7)),
    ]
    yield "exam timetable pdf", "exams.pdf", pdf_pages([papers], (80, 60, 150, 70, 60)), nobody
    houses = [
        ("House", "Points", "Form", "Total"),
        *((h, 12, "9A", 40) for h in ("Nightingale", "Turing", "Seacole", "Brunel", "Franklin")),
    ]
    yield "house points csv", "houses.csv", csv_file(houses), nobody
    pseudonyms = [("Respondent", "Q1", "Q2", "Year"), *((f"R{i:03}", 4, 5, 9) for i in range(20))]
    yield "survey csv", "survey.csv", csv_file(pseudonyms), nobody

    page = [
        ("Name", "Role", "Email"),
        *(
            (f"{c.name}", "Teacher of Maths", f"{c.forename[0].lower()}{i}@weirpark.example")
            for i, c in enumerate(children(9, 50))
        ),
    ]
    yield "another school's staff page docx", "staff.docx", docx_table("Weir Park Primary: our staff", page), nobody
    board = [
        ("Governor", "Category", "Term of office ends", "Committees"),
        *((c.name, "Co-opted", "31/08/2028", "Finance") for c in children(8, 60)),
    ]
    yield (
        "governors docx",
        "governors.docx",
        docx_table("Governing board, published under the constitution", board),
        nobody,
    )
    cover = [
        ("Period", "Absent", "Covered by", "Room"),
        *(
            (i, f"Mrs {s}", f"Mr {t}", "B12")
            for i, (s, t) in enumerate(zip(SURNAMES[:6], SURNAMES[6:12], strict=True), 1)
        ),
    ]
    yield "cover rota xlsx", "cover.xlsx", xlsx(cover), nobody
    cast = [("Part", "Lines"), *((n, 40) for n in ("Oliver", "Fagin", "Nancy", "Bill Sikes", "Mr Bumble", "Bet"))]
    yield "parts of a play docx", "parts.docx", docx_table("Oliver!", cast), nobody


def as_mail(file_name: str, content: bytes | str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = "c.doyle@thl.example", "hello@brightminds-tutors.example"
    message["Subject"], message["Message-ID"] = "As promised", "<bulk@thl.example>"
    message["Date"] = "Fri, 22 May 2026 10:00:00 +0000"
    if isinstance(content, str):
        message.set_content(content, subtype="html" if content.startswith("<html") else "plain")
    else:
        message.set_content("Hello,\n\nhere is the file.\n\nColm\n")
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=file_name)
    return message.as_bytes()


def played(cases: Callable[[], Iterator[Case]], only: Sequence[str], errors: bool) -> tuple[int, int, int]:
    """(cases, mails reported, mails with the right number of people)."""
    bench, directory = Bench(), Directory(TRUST)
    number = reported = right = 0
    for name, file_name, content, (least, most) in cases():
        if only and not any(word in name for word in only):
            continue
        number += 1
        findings = personal(bench.verdicts(as_mail(file_name, content), directory))
        counted = max((finding.subjects for finding in findings), default=0)
        reported += bool(findings)
        right += bool(findings) and least <= counted <= most
        wanted = most > 0
        if errors and (bool(findings) != wanted or not least <= counted <= most):
            why = "; ".join(reason for finding in findings for reason in finding.reasons)
            print(
                f"{'wrong number' if wanted and findings else 'missed' if wanted else 'FALSE'} {name}: {counted}, {least} to {most}. {why}"
            )
    return number, reported, right


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", help="only cases whose name holds one of these")
    parser.add_argument(
        "--errors", action="store_true", help="name each case that was judged wrongly, with the reasons"
    )
    options = parser.parse_args()
    for number_of_round, (told, untold) in enumerate(
        ((breaches, near_misses), (second_breaches, second_near_misses)), 1
    ):
        number, reported, right = played(told, options.names, options.errors)
        innocent, false, _ = played(untold, options.names, options.errors)
        print(
            f"round {number_of_round}: found {wilson(reported, number)}   right number of people {wilson(right, number)}"
        )
        print(f"round {number_of_round}: false alarms {false} of {innocent}")


if __name__ == "__main__":
    main()
