"""Files on disk as a source: order, Maildirs, links, what cannot be read, and rounds."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.files import FileSource, shown_path
from scanner.errors import ConnectorError
from scanner.model import Cursor, Envelope
from scanner.ports import Folder, ItemRef, RawItem


def everything(source: FileSource) -> list[ItemRef]:
    return [ref for folder in source.folders() for page in source.changes(folder, None) for ref in page.items]


def listed(*paths: Path | str) -> list[str]:
    return [ref.id for ref in everything(FileSource([str(path) for path in paths]))]


def problem(source: FileSource, ref: ItemRef) -> str:
    envelope = source.fetch(ref)
    assert isinstance(envelope, Envelope)
    (found,) = envelope.problems
    assert found.read == "none"
    return found.kind


def test_a_folder_is_walked_in_the_order_of_names_and_paths_are_joined_as_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b/2.eml", "b/.hidden", "a.eml", "c.eml", "b/inner/1.eml"):
        (tmp_path / "mail" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mail" / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    expected = ["a.eml", "b/.hidden", "b/2.eml", "b/inner/1.eml", "c.eml"]
    assert listed("mail") == [f"mail/{name}" for name in expected]
    assert listed("mail/") == [f"mail/{name}" for name in expected]
    assert listed("./mail", "mail/a.eml") == [*(f"./mail/{name}" for name in expected), "mail/a.eml"]


def test_bytes_come_as_they_are_and_without_a_guess_from_the_name(tmp_path: Path) -> None:
    (tmp_path / "note.eml").write_bytes(b"\x00\xff raw")
    source = FileSource([str(tmp_path / "note.eml")])
    (ref,) = everything(source)
    assert source.fetch(ref) == RawItem(b"\x00\xff raw", "application/octet-stream", "note.eml")


def test_a_maildir_gives_new_and_current_messages_and_not_those_being_delivered(tmp_path: Path) -> None:
    for folder in ("cur", "new", "tmp", ".Trips/cur", ".Trips/new", ".Trips/tmp"):
        (tmp_path / "box" / folder).mkdir(parents=True)
    for name in ("cur/1.host:2,S", "new/2.host", "tmp/3.host", ".Trips/cur/4.host:2,", ".Trips/tmp/5.host"):
        (tmp_path / "box" / name).write_bytes(b"Subject: x\n\nx")
    source = FileSource([str(tmp_path / "box")])
    found = everything(source)
    assert [os.path.relpath(ref.id, tmp_path / "box") for ref in found] == [
        ".Trips/cur/4.host:2,",
        "cur/1.host:2,S",
        "new/2.host",
    ]
    assert {item.claimed_type for ref in found if isinstance(item := source.fetch(ref), RawItem)} == {"message/rfc822"}


def test_a_folder_called_tmp_is_no_maildir_by_itself(tmp_path: Path) -> None:
    for name in ("cur/1", "tmp/2"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"x")
    assert len(listed(tmp_path)) == 2


def test_what_is_missing_is_said_and_the_rest_is_scanned(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"x")
    source = FileSource([str(tmp_path / "none"), str(tmp_path / "a.eml"), "bad\0path"])
    assert [sentence.partition(": ")[2] for sentence in source.check()] == [
        "there is no such file or folder",
        "cannot be read: not a path",
    ]
    assert [ref.id for ref in everything(source)] == [str(tmp_path / "a.eml")]
    with pytest.raises(ConnectorError, match="no such file") as caught:
        list(source.changes(Folder("", str(tmp_path / "none")), None))
    assert caught.value.permanent


def test_a_folder_that_may_not_be_listed_is_an_item_with_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a/1", "locked/2", "z/3"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"x")
    real = os.listdir

    def refuse(path: str) -> list[str]:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "listdir", refuse)
    source = FileSource([str(tmp_path)])
    found = everything(source)
    assert [os.path.relpath(ref.id, tmp_path) for ref in found] == ["a/1", "locked", "z/3"]
    assert problem(source, found[1]) == "unavailable"


def test_a_file_that_may_not_be_read_or_has_gone_is_a_problem_and_not_an_exception(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    source = FileSource([str(tmp_path)])
    (ref,) = everything(source)
    (tmp_path / "a").unlink()
    assert problem(source, ref) == "unavailable"
    (tmp_path / "a").mkdir()
    assert problem(source, ref) == "unavailable"


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 11)
    (tmp_path / "b").write_bytes(b"x" * 10)
    source = FileSource([str(tmp_path)], max_bytes=10)
    large, small = everything(source)
    assert problem(source, large) == "too_large"
    assert isinstance(source.fetch(small), RawItem)


def test_links_are_followed_to_files_inside_only(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.txt").write_bytes(b"secret")
    (root / "sub" / "in.eml").write_bytes(b"inside")
    for name, target in {
        "1-file-in": root / "sub" / "in.eml",
        "2-folder-in": root / "sub",
        "3-file-out": outside / "secret.txt",
        "4-folder-out": outside,
        "5-nowhere": root / "none",
        "6-loop": root / "6-loop",
        "7-up": root,
    }.items():
        (root / name).symlink_to(target)
    source = FileSource([str(root)])
    found = {os.path.relpath(ref.id, root): source.fetch(ref) for ref in everything(source)}
    assert sorted(found) == ["1-file-in", "3-file-out", "4-folder-out", "5-nowhere", "6-loop", "sub/in.eml"]
    assert {name for name, item in found.items() if isinstance(item, RawItem)} == {"1-file-in", "sub/in.eml"}
    assert "secret" not in "".join(repr(item) for item in found.values() if isinstance(item, Envelope)).replace(
        "secret.txt", ""
    )


def test_a_link_given_as_the_path_itself_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert listed(tmp_path / "link") == [str(tmp_path / "link" / "a")]


def test_pipes_and_sockets_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        source = FileSource([str(tmp_path)])
        assert [problem(source, ref) for ref in everything(source)] == ["unsupported", "unsupported"]
        assert FileSource([str(tmp_path / "pipe")]).check()
    ref = ItemRef("", str(tmp_path), str(tmp_path / "pipe"))
    assert problem(source, ref) == "unavailable"


def test_a_second_round_brings_only_what_changed_and_a_broken_off_one_begins_again(tmp_path: Path) -> None:
    for number in range(250):
        (tmp_path / f"{number:03}").write_bytes(b"x")
    source = FileSource([str(tmp_path)])
    (folder,) = source.folders()
    pages = list(source.changes(folder, None))
    assert [len(page.items) for page in pages] == [100, 100, 50]
    assert [page.last for page in pages] == [False, False, True]

    def again(token: str) -> list[ItemRef]:
        cursor = Cursor("files", "", folder.id, token, datetime.now(UTC))
        return [ref for page in source.changes(folder, cursor) for ref in page.items]

    assert len(again(pages[0].token)) == 250
    assert again(pages[-1].token) == []
    (tmp_path / "007").write_bytes(b"changed")
    (tmp_path / "008").unlink()
    (tmp_path / "new").write_bytes(b"x")
    assert [(os.path.basename(ref.id), ref.gone) for ref in again(pages[-1].token)] == [
        ("007", False),
        ("new", False),
        ("008", True),
    ]


@settings(deadline=None)
@given(st.text(max_size=40))
def test_a_token_that_is_not_ours_means_a_full_round(token: str) -> None:
    here = str(Path(__file__))
    source = FileSource([here])
    cursor = Cursor("files", "", here, token, datetime.now(UTC))
    assert [ref.id for page in source.changes(Folder("", here), cursor) for ref in page.items] == [here]


def test_names_that_are_not_utf8_or_hold_control_characters_can_be_printed(tmp_path: Path) -> None:
    with open(os.path.join(os.fsencode(tmp_path), b"caf\xe9\x1b[31m.eml"), "wb") as file:
        file.write(b"x")
    source = FileSource([str(tmp_path)])
    (ref,) = everything(source)
    item = source.fetch(ref)
    assert isinstance(item, RawItem)
    assert item.name == "caf\\udce9\\x1b[31m.eml"
    assert shown_path("café") == "café"
    shown_path(ref.id).encode("utf-8")


def test_the_file_that_says_who_is_who_is_no_document_unless_it_is_named_itself(tmp_path: Path) -> None:
    people, other = tmp_path / "people.yaml", tmp_path / "inner" / "people.yaml"
    other.parent.mkdir()
    for path in (people, other, tmp_path / "a.eml"):
        path.write_text("x")
    relative = str(tmp_path / "inner" / ".." / "people.yaml")
    assert [ref.id for ref in everything(FileSource([str(tmp_path)], leave_out=relative))] == [
        str(tmp_path / "a.eml"),
        str(other),
    ]
    assert [ref.id for ref in everything(FileSource([str(people)], leave_out=str(people)))] == [str(people)]
