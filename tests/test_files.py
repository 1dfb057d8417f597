"""Atomic writes: the old file or the new one, never half, and nothing beside it."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from venturi._io import files
from venturi._io.files import write_atomically


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writes_a_new_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new", b"content")
    assert (tmp_path / "new").read_bytes() == b"content"
    assert names(tmp_path) == ["new"]


def test_new_file_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "new", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


def test_replaces_a_file_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o604)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o604


def test_follows_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_name_of_the_greatest_length(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    write_atomically(path, b"content")
    assert path.read_bytes() == b"content"


def test_a_device_is_written_not_replaced() -> None:
    write_atomically(Path(os.devnull), b"content")
    assert Path(os.devnull).is_char_device()


@pytest.fixture(params=["nameless", "hidden"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of writing: as Linux can, and as every system can."""
    if request.param == "hidden":
        monkeypatch.setattr(files, "_HANDLES", Path("/nowhere"))
    return str(request.param)


@pytest.mark.parametrize("content", [b"", b"new", bytes(3_000_000)])
def test_both_ways_write_the_same(tmp_path: Path, way: str, content: bytes) -> None:
    path = tmp_path / "file"
    for old in (None, b"old"):
        if old is not None:
            path.write_bytes(old)
            path.chmod(0o640)
        write_atomically(path, content)
        assert path.read_bytes() == content
        assert names(tmp_path) == ["file"]
    assert path.stat().st_mode & 0o777 == 0o640


def test_what_a_kill_has_left_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    left: list[Path] = []

    def killed(self: Path, _: Path) -> None:
        left.append(self)
        os.link(self, tmp_path / "kept")  # the clean-up that a killed process does not do
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", killed)
        write_atomically(path, b"lost")
    (tmp_path / "kept").rename(left[0])
    if way_of_this_system() == "nameless":
        write_atomically(path, b"new")
        assert names(tmp_path) == ["file"]
        assert path.read_bytes() == b"new"


def way_of_this_system() -> str:
    return "nameless" if hasattr(os, "O_TMPFILE") and files._HANDLES.is_dir() else "hidden"


def test_writers_at_once_leave_one_of_their_files(tmp_path: Path, way: str) -> None:
    contents = [bytes([number]) * 50_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            list(pool.map(lambda content: write_atomically(tmp_path / "file", content), contents))
            assert (tmp_path / "file").read_bytes() in contents
            assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_failure_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, step: str, error: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise error

    path = tmp_path / "file"
    path.write_bytes(b"old")
    owner: object = os if step == "fsync" else Path
    monkeypatch.setattr(owner, step, fail)
    with pytest.raises(type(error)):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "absent" / "file", b"new")
    assert names(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_the_owner_stays_and_special_bits_go(tmp_path: Path, way: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    os.chown(path, 1234, 4321)
    path.chmod(0o6751)
    write_atomically(path, b"new")
    now = path.stat()
    assert (now.st_uid, now.st_gid, now.st_mode & 0o7777) == (1234, 4321, 0o751)


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(OSError, match="loop") as refusal:
        write_atomically(tmp_path / "loop", b"content")
    assert refusal.value.errno == errno.ELOOP
    assert (tmp_path / "loop").is_symlink()
