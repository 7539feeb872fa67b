"""Files that are whole whenever they are there: pages, checkpoints, data that are fetched, what the explorer saves."""

import errno
import stat
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from helpers.posix import posix

from fastscale_lib._common import files
from fastscale_lib._common.files import trial, write_new, write_whole


def broken(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def names(folder: Path):
    return (folder / f"net-{number}.yaml" for number in count(1))


def test_a_file_is_replaced_at_once_and_its_folder_is_made(tmp_path):
    path = tmp_path / "new" / "page.html"
    for data in ("whole №", b"bytes", memoryview(b"more")):
        write_whole(path, data)
        assert path.read_bytes() == (data.encode() if isinstance(data, str) else bytes(data))
        assert list(path.parent.iterdir()) == [path]


def test_a_disk_that_is_full_leaves_the_earlier_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    write_whole(path, "whole")
    monkeypatch.setattr(files.os, "fsync", broken)  # a part is written by then
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "another")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("page.html", "whole")]


@posix
def test_whoever_may_read_other_new_files_may_read_this(tmp_path):
    (tmp_path / "plain").touch()
    write_whole(tmp_path / "page.html", "whole")
    plain, page = ((tmp_path / name).stat().st_mode for name in ("plain", "page.html"))
    assert stat.S_IMODE(page) == stat.S_IMODE(plain)


@posix
def test_a_link_is_followed(tmp_path):
    (tmp_path / "large disk").mkdir()
    end, link, lost = tmp_path / "large disk" / "a.pt", tmp_path / "a.pt", tmp_path / "lost.pt"
    link.symlink_to(end)
    lost.symlink_to(tmp_path / "gone" / "a.pt")
    for data in ("first", "second"):
        write_whole(link, data)
        assert (link.is_symlink(), end.read_text()) == (True, data)
    for use in (lambda: write_whole(lost, "x"), lambda: trial(lost).__enter__()):
        with pytest.raises(OSError, match=r"it is a link to .*, whose folder does not exist"):
            use()
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("name", ["a" * 255, "№" * 85, "a*b[c]?.pt"], ids=["long", "long in bytes", "patterns"])
def test_any_name_that_a_file_can_have_will_do(tmp_path, name):
    with trial(tmp_path / name):
        assert list(tmp_path.iterdir()) == []
    write_whole(tmp_path / name, "whole")
    write_whole(tmp_path / name, "again")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [(name, "again")]


def test_many_at_a_time_write_one_file_and_it_is_always_whole(tmp_path):
    path = tmp_path / "page.html"
    texts = [letter * 100_000 for letter in "abcd"]
    write_whole(path, texts[0])

    def write_and_read(text: str) -> bool:
        write_whole(path, text)
        return path.read_text() in texts

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(write_and_read, 10 * texts))
    assert list(tmp_path.iterdir()) == [path]


def test_many_at_a_time_save_each_to_a_file_of_its_own(tmp_path):
    with ThreadPoolExecutor(4) as threads:
        paths = list(threads.map(lambda n: write_new(names(tmp_path), f"{n}"), range(40)))
    assert sorted(paths) == sorted(tmp_path.iterdir())
    assert [path.read_text() for path in paths] == [f"{n}" for n in range(40)]


def test_what_cannot_be_saved_whole_is_not_left_in_part(tmp_path):
    with pytest.raises(UnicodeEncodeError):
        write_new(names(tmp_path), "text" * 10_000 + "\udce9")
    assert list(tmp_path.iterdir()) == []
