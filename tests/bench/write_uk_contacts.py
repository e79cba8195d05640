"""Write tests/bench/uk_contacts.jsonl: telephone numbers and addresses of the United Kingdom as people write them.

Made with Faker's en_GB provider (street names, towns, postcodes), which is needed for this script alone and is no
dependency of the project; numbers come from Ofcom's ranges for drama. The set was written and committed before any
detector was tuned on it and must not be changed to suit one. Each line has `text` and `spans` (label, start, end); about
a third of the texts are near misses without any span.

    python tests/bench/write_uk_contacts.py > tests/bench/uk_contacts.jsonl
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from faker import Faker

SEED = 20261122
DRAW = random.Random(SEED)
FAKE = Faker("en_GB")
FAKE.seed_instance(SEED)

# Ofcom, telephone numbers for drama: area code and the digits before the last three or four.
AREAS = {
    "0113": "496 0", "0114": "496 0", "0116": "496 0", "0117": "496 0", "0118": "496 0", "0121": "496 0", "0131": "496 0",
    "0141": "496 0", "0151": "496 0", "0161": "496 0", "0191": "498 0", "020": "7946 0", "028": "9649 6", "029": "2018 0",
    "01632": "960 ",
}  # fmt: skip

Written = Callable[[str, str], str]


def mobile() -> tuple[str, str]:
    return "07700", f"900{DRAW.randrange(1000):03}"


def landline() -> tuple[str, str]:
    area = DRAW.choice(sorted(AREAS))
    return area, f"{AREAS[area]}{DRAW.randrange(1000):03}"


def plain(area: str, rest: str) -> str:
    return area + rest.replace(" ", "")


# Each way of writing gets area code and local number.
MOBILE_WAYS: tuple[Written, ...] = (
    plain,
    lambda area, rest: f"{area} {rest}",
    lambda area, rest: f"{area} {rest[:3]} {rest[3:]}",
    lambda area, rest: f"{area}-{rest}",
    lambda area, rest: f"{area}-{rest[:3]}-{rest[3:]}",
    lambda area, rest: f"{area}.{rest[:3]}.{rest[3:]}",
    lambda area, rest: f"+44 {area[1:]} {rest}",
    lambda area, rest: f"+44{area[1:]}{rest}",
    lambda area, rest: f"+44 (0){area[1:]} {rest}",
    lambda area, rest: f"+44(0){area[1:]} {rest[:3]} {rest[3:]}",
    lambda area, rest: f"0044 {area[1:]} {rest}",
    lambda area, rest: f"0044{area[1:]}{rest}",
    lambda area, rest: f"({area}) {rest}",
    lambda area, rest: f"{area[:3]} {area[3:]}{rest[0]} {rest[1:4]} {rest[4:]}",
    lambda area, rest: f"{(area + rest)[:4]} {(area + rest)[4:7]} {(area + rest)[7:]}",
    lambda area, rest: f"{area}\N{NO-BREAK SPACE}{rest}",
    lambda area, rest: f"{area}\N{EN DASH}{rest}",
    lambda area, rest: f"{area}/{rest}",
)
LANDLINE_WAYS: tuple[Written, ...] = (
    plain,
    lambda area, rest: f"{area} {rest}",
    lambda area, rest: f"({area}) {rest}",
    lambda area, rest: f"{area}-{rest.replace(' ', '-')}",
    lambda area, rest: f"{area} {rest.replace(' ', '')}",
    lambda area, rest: f"{area}.{rest.replace(' ', '.')}",
    lambda area, rest: f"+44 {area[1:]} {rest}",
    lambda area, rest: f"+44 (0){area[1:]} {rest}",
    lambda area, rest: f"+44(0){area[1:]}{rest.replace(' ', '')}",
    lambda area, rest: f"0044 {area[1:]} {rest}",
    lambda area, rest: f"{area} {rest} ext 214",
    lambda area, rest: f"{area} {rest} x21",
    lambda area, rest: f"{area}\N{NO-BREAK SPACE}{rest}",
    lambda area, rest: f"({area}){rest.replace(' ', '')}",
)
PHONE_SENTENCES = (
    "You can get her on {}.",
    "Her mum's number is {} if he needs collecting.",
    "Please ring {} after six.",
    "Emergency contact: {} (nan)",
    "Mobile: {}\nName: as above",
    "Tel {}",
    "Text me on {}, I never pick up.",
    "{} is the best number for dad.",
    "contact - {}",
    "I tried {} twice today and nobody answered.",
    "Dad ({}) will be at the gate at 3.15.",
    "His gran's phone number has changed to {} since Easter.",
    "Taxi firm rang back from {}",
    "Callum,9B,{},peanuts",
    "Ph:{}",
    "M {} / home the same",
    "{}",
)

SUFFIXES = (
    *(
        "Road",
        "Street",
        "Lane",
        "Close",
        "Avenue",
        "Drive",
        "Crescent",
        "Court",
        "Gardens",
        "Grove",
        "Place",
        "Terrace",
    ),
    *(
        "Way",
        "Mews",
        "Hill",
        "Park",
        "View",
        "Rise",
        "Rd",
        "St",
        "Ave",
        "Cl",
        "Row",
        "Square",
        "Green",
        "Parade",
        "Croft",
    ),
)
HOUSES = (
    "Rose Cottage",
    "The Old Forge",
    "Ivy House",
    "Mill Farm",
    "Hillside",
    "The Bungalow",
    "Oakdene",
    "Brook House",
)
ADDRESS_SENTENCES = (
    "They have moved to {}.",
    "Please send the letter to {} as soon as it is signed.",
    "Home address: {}",
    "She lives at {} with her aunt.",
    "Address\n{}",
    "The taxi picks him up at {} at 8.10.",
    "{}\n\nDear Mrs Whitcombe,",
    "Mum says the new place is {}, just past the shops.",
    "home visit booked, {}, Tuesday 2 pm",
    "From 1 May he will be living with his father ({}).",
)


def street() -> str:
    name = FAKE.last_name()
    return f"{name} {DRAW.choice(SUFFIXES)}"


def door() -> str:
    number = DRAW.randrange(1, 240)
    kind = DRAW.random()
    if kind < 0.6:
        return f"{number}"
    if kind < 0.7:
        return f"{number}{DRAW.choice('abcABC')}"
    if kind < 0.8:
        return f"Flat {DRAW.randrange(1, 30)}, {number}"
    if kind < 0.85:
        return f"{number}-{number + 2}"
    return f"{DRAW.choice(HOUSES)},"


def address() -> str:
    """One address in one of the ways people write it; a sixth of them are Faker's own."""
    kind = DRAW.random()
    if kind < 0.17:
        return FAKE.address() if DRAW.random() < 0.5 else FAKE.address().replace("\n", ", ")
    first, town, code = f"{door()} {street()}", FAKE.city(), FAKE.postcode()
    if kind < 0.3:
        return first
    if kind < 0.4:
        return f"{first}, {town}"
    if kind < 0.6:
        return f"{first}, {town}, {code}"
    if kind < 0.7:
        return f"{first}, {town} {code}"
    if kind < 0.8:
        return f"{first}\n{town}\n{code}"
    if kind < 0.85:
        return f"{first}, {code}"
    if kind < 0.9:
        return f"{first}, {town}, {code.replace(' ', '')}"
    if kind < 0.95:
        return f"{first}, {town}, {code}".lower()
    return f"{first},{town},{code}"


def digits(count: int) -> str:
    return "".join(str(DRAW.randrange(10)) for _ in range(count))


NEAR_MISSES: tuple[Callable[[], str], ...] = (
    lambda: f"Order {digits(10)} was sent on 12 May.",
    lambda: f"Invoice 0{digits(4)}-{digits(5)} is due.",
    lambda: f"ISBN 978{digits(10)} is out of print.",
    lambda: f"The meter read 0{digits(7)} in March.",
    lambda: f"Delivery note {digits(6)}/{digits(4)}, two boxes of glue.",
    lambda: f"Version 0.{digits(1)}.{digits(3)}.{digits(4)} crashed again.",
    lambda: f"Parcel JD{digits(16)} is on its way.",
    lambda: "The minutes of 04/05/2026 07:30 are in the shared folder.",
    lambda: f"{DRAW.randrange(10, 32)} Year {DRAW.randrange(7, 12)} pupils walked to the park and back.",
    lambda: f"We need {DRAW.randrange(3, 30)} chairs in the main hall by the way out.",
    lambda: f"Room {DRAW.randrange(1, 40)} Court side, not the hill.",
    lambda: f"He ran {DRAW.randrange(2, 12)} laps of the tennis court in {DRAW.randrange(8, 50)} minutes.",
    lambda: f"Chapter {DRAW.randrange(1, 20)}: The Long Road Home",
    lambda: f"Lot {DRAW.randrange(100, 999)}: green park bench, as new",
    lambda: f"The {DRAW.randrange(1, 99)} bus stops by the church every {DRAW.randrange(5, 20)} minutes.",
    lambda: f"Quote ref 07{digits(3)}/{digits(3)} expires on Friday.",
    lambda: f"Budget line {digits(4)} {digits(3)} {digits(4)}: £1,200",
    lambda: f"Score {DRAW.randrange(10, 99)} Hill House, {DRAW.randrange(10, 99)} Park House.",
)


def main() -> None:
    for _ in range(18):
        for ways, draw in ((MOBILE_WAYS, mobile), (LANDLINE_WAYS, landline)):
            for way in ways:
                if DRAW.random() < 0.55:
                    continue
                written = way(*draw())
                before, _, after = DRAW.choice(PHONE_SENTENCES).partition("{}")
                show(before, written, after, "phone")
    for _ in range(260):
        written = address()
        before, _, after = DRAW.choice(ADDRESS_SENTENCES).partition("{}")
        show(before, written, after, "address")
    for _ in range(14):
        for make in NEAR_MISSES:
            print(json.dumps({"text": make(), "spans": []}, ensure_ascii=False))


def show(before: str, written: str, after: str, label: str) -> None:
    span = {"label": label, "start": len(before), "end": len(before) + len(written)}
    print(json.dumps({"text": before + written + after, "spans": [span]}, ensure_ascii=False))


if __name__ == "__main__":
    main()
