"""One port, two sources: a folder of files and a mailbox behind Graph pass the same tests (principle 25)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest
from graph.contract import checked_fake, client_for
from graph.tenants import JO, mail

from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeUser, Tenant
from connectors.files import FileSource
from connectors.m365_mail import M365Mail
from scanner.errors import ConnectorError
from scanner.model import Cursor, Envelope
from scanner.ports import Folder, ItemRef, RawItem, Source


class Place(Protocol):
    """A source with one folder that the tests can put messages into."""

    mailbox: str
    source: Source
    broken: Source

    def folder(self) -> Folder: ...
    def put(self, number: int) -> None: ...
    def remove(self, number: int) -> None: ...


class OnDisk:
    mailbox = ""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.source: Source = FileSource([str(folder)])
        self.broken: Source = FileSource([str(folder / "none")])

    def folder(self) -> Folder:
        return next(iter(self.source.folders("")))

    def put(self, number: int) -> None:
        (self._folder / f"{number}.eml").write_bytes(mail(number, attached=b"a,b\n"))

    def remove(self, number: int) -> None:
        os.unlink(self._folder / f"{number}.eml")


class InTenant:
    mailbox = JO

    def __init__(self, fake: FakeTenant) -> None:
        self._tenant = fake.tenant
        self._ids: dict[int, str] = {}
        self.source: Source = M365Mail(client_for(fake), page_size=2)
        self.broken: Source = M365Mail(client_for(fake, graph_url="https://127.0.0.1:1"), mailbox_ids=lambda: {JO: JO})

    def folder(self) -> Folder:
        return next(folder for folder in self.source.folders(JO) if folder.kind == "inbox")

    def put(self, number: int) -> None:
        self._ids[number] = self._tenant.deliver(JO, "inbox", mail(number, attached=b"a,b\n")).id

    def remove(self, number: int) -> None:
        self._tenant.delete(JO, self._ids[number])


@pytest.fixture(params=["files", "graph"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "files":
        yield OnDisk(tmp_path)
        return
    tenant = Tenant()
    tenant.add_user(FakeUser(JO, "Jo Reed"))
    with checked_fake(tenant) as fake:
        yield InTenant(fake)


def read(place: Place, cursor: Cursor | None = None) -> tuple[list[ItemRef], Cursor]:
    folder = place.folder()
    pages = list(place.source.changes(folder, cursor))
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    items = [ref for page in pages for ref in page.items]
    return items, Cursor(place.source.name, place.mailbox, folder.id, pages[-1].token, datetime.now(UTC))


def test_check_is_empty_when_all_is_well_and_a_sentence_when_not(place: Place) -> None:
    assert place.source.check() == []
    (sentence,) = place.broken.check()
    assert sentence


def test_an_empty_folder_is_one_last_page_without_items(place: Place) -> None:
    items, cursor = read(place)
    assert items == []
    assert cursor.token


def test_a_first_round_brings_everything_once(place: Place) -> None:
    for number in range(5):
        place.put(number)
    items, _ = read(place)
    assert len({ref.id for ref in items}) == len(items) == 5
    assert all((ref.mailbox, ref.folder) == (place.mailbox, place.folder().id) for ref in items)


def test_a_message_is_fetched_as_it_came(place: Place) -> None:
    place.put(3)
    ((ref,), _) = read(place)
    item = place.source.fetch(ref)
    assert isinstance(item, RawItem)
    assert item.data == mail(3, attached=b"a,b\n")


def test_an_unchanged_folder_brings_nothing(place: Place) -> None:
    place.put(1)
    _, cursor = read(place)
    items, again = read(place, cursor)
    assert items == []
    assert read(place, again)[0] == []


def test_only_what_is_new_or_gone_comes_in_the_next_round(place: Place) -> None:
    for number in range(3):
        place.put(number)
    first, cursor = read(place)
    place.put(7)
    place.remove(1)
    items, cursor = read(place, cursor)
    (came,) = [ref for ref in items if not ref.gone]
    (left,) = [ref for ref in items if ref.gone]
    assert came.id not in {ref.id for ref in first}
    assert left.id in {ref.id for ref in first}
    assert read(place, cursor)[0] == []


def test_the_same_cursor_twice_brings_the_same_twice(place: Place) -> None:
    place.put(1)
    _, cursor = read(place)
    place.put(2)
    assert [ref.id for ref in read(place, cursor)[0]] == [ref.id for ref in read(place, cursor)[0]] != []


def test_a_round_broken_off_after_any_page_loses_nothing(place: Place) -> None:
    for number in range(5):
        place.put(number)
    folder = place.folder()
    whole = {ref.id for ref in read(place)[0]}
    for stop in range(len(list(place.source.changes(folder, None)))):
        seen: set[str] = set()
        for number, page in enumerate(place.source.changes(folder, None)):
            seen |= {ref.id for ref in page.items}
            token = page.token
            if number == stop:
                break
        rest, _ = read(place, Cursor(place.source.name, place.mailbox, folder.id, token, datetime.now(UTC)))
        assert seen | {ref.id for ref in rest} == whole


def test_what_has_gone_between_listing_and_fetching_is_never_an_empty_message(place: Place) -> None:
    place.put(1)
    ((ref,), _) = read(place)
    place.remove(1)
    if isinstance(place, InTenant):
        with pytest.raises(ConnectorError) as caught:
            place.source.fetch(ref)
        assert (caught.value.permanent, caught.value.status) == (True, 404)
    else:
        item = place.source.fetch(ref)
        assert isinstance(item, Envelope)
        assert [problem.kind for problem in item.problems] == ["unavailable"]


def test_a_folder_that_is_not_there_is_a_lasting_error(place: Place) -> None:
    with pytest.raises(ConnectorError) as caught:
        list(place.source.changes(Folder(place.mailbox, "no-such-folder"), None))
    assert caught.value.permanent
