"""A file is written completely or not at all."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from reinfer_nb import files
from reinfer_nb.errors import FileProblem
from reinfer_nb.files import written_whole
from tests.waiting import AGES

OLD = b"old\n" * 1000


def put(path: Path, content: bytes, *, overwrite: bool = False) -> None:
    with written_whole(path, overwrite=overwrite) as file:
        file.write(content)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def broken(number: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An existing file, alone in its folder."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "file.csv"
    path.write_bytes(OLD)
    return path


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def test_the_file_is_there_and_nothing_else(tmp_path: Path) -> None:
    put(tmp_path / "file.csv", b"new")
    assert (tmp_path / "file.csv").read_bytes() == b"new"
    assert names(tmp_path) == ["file.csv"]


def test_until_the_end_the_old_file_is_seen(old: Path) -> None:
    with written_whole(old, overwrite=True) as file:
        file.write(b"new")
        file.flush()
        assert old.read_bytes() == OLD
    assert old.read_bytes() == b"new"
    assert names(old.parent) == ["file.csv"]


def test_an_older_file_is_replaced_only_when_asked(old: Path) -> None:
    with pytest.raises(FileProblem, match=r"exists\..* overwrite=True"):
        put(old, b"new")
    assert old.read_bytes() == OLD
    assert names(old.parent) == ["file.csv"]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    with pytest.raises(FileProblem, match="exists"), written_whole(path, overwrite=False):
        path.write_bytes(b"theirs")
    assert path.read_bytes() == b"theirs"
    assert names(tmp_path) == ["file.csv"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(1)])
@pytest.mark.parametrize("overwrite", [True, False])
def test_an_exception_leaves_nothing(old: Path, error: BaseException, *, overwrite: bool) -> None:
    path = old if overwrite else old.with_name("new.csv")

    def fail() -> None:
        with written_whole(path, overwrite=overwrite) as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)) as caught:
        fail()
    assert caught.value is error
    assert old.read_bytes() == OLD
    assert names(old.parent) == ["file.csv"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_at_any_step_leaves_the_old_file(
    old: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(Path if step == "replace" else os, step, broken(errno.ENOSPC))
    with pytest.raises(FileProblem, match=r"file\.csv could not be written: No space left"):
        put(old, b"new", overwrite=True)
    assert old.read_bytes() == OLD
    assert names(old.parent) == ["file.csv"]


def test_no_room_for_the_name_leaves_no_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a file system without hard links where the rename fails too.
    monkeypatch.setattr(os, "link", broken(errno.EPERM))
    monkeypatch.setattr(Path, "replace", broken(errno.ENOSPC))
    with pytest.raises(FileProblem, match="could not be written"):
        put(tmp_path / "file.csv", b"new")
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_synced_does_not_undo_the_file(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def only_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    put(old, b"new", overwrite=True)
    assert old.read_bytes() == b"new"


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a folder cannot be synced")
def test_the_folder_of_a_new_file_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor)))
    put(tmp_path / "file.csv", b"new")
    # A folder that was not synced may lose the name of the file when the power fails.
    assert tmp_path.stat().st_ino in [status.st_ino for status in synced]


# Skips the package's __init__, and so pandas, for a fast start of the process.
LIGHT = f"""
import sys, types
sys.modules["reinfer_nb"] = types.ModuleType("reinfer_nb")
sys.modules["reinfer_nb"].__path__ = [{str(Path(files.__file__).parent)!r}]
"""
WRITE_TOO_MUCH = f"""
{LIGHT}
from reinfer_nb.errors import FileProblem
from reinfer_nb.files import written_whole
try:
    with written_whole(sys.argv[1], overwrite=True) as file:
        for _ in range(1000):
            file.write(b"n" * 1000)
except FileProblem as error:
    print(error)
"""


@pytest.mark.slow
def test_a_file_over_the_limit_leaves_the_old_one(old: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WRITE_TOO_MUCH, str(old)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "could not be written: File too large" in done.stdout
    assert old.read_bytes() == OLD
    assert names(old.parent) == ["file.csv"]


@pytest.mark.slow
def test_a_disk_that_is_really_full_leaves_the_old_file(tmp_path: Path) -> None:
    unshare, mount, shell = (shutil.which(name) for name in ("unshare", "mount", "sh"))
    script = (
        'set -e; "$1" -t tmpfs -o size=64k none "$2" || exit 77; echo old > "$2/file.csv"; '
        '"$3" -c "$4" "$2/file.csv"; ls -A "$2"; cat "$2/file.csv"'
    )
    if not (unshare and mount and shell):
        pytest.skip("there is no unshare or no mount")
    arguments = [mount, str(tmp_path), sys.executable, WRITE_TOO_MUCH]
    done = subprocess.run(
        [unshare, "--mount", shell, "-c", script, "-", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("whoever runs the tests may not mount a file system")
    said, *rest = done.stdout.splitlines()
    assert "could not be written: No space left on device" in said
    assert rest == ["file.csv", "old"]


SIZE = 1 << 20
WRITE_ON_AND_ON = f"""
{LIGHT}
import itertools
from reinfer_nb.files import written_whole
print("ready", flush=True)
for letter in itertools.cycle([b"a", b"b"]):
    with written_whole(sys.argv[1], overwrite=True) as file:
        for _ in range(256):
            file.write(letter * ({SIZE} // 256))
"""


def started(script: str, path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE)


def killed(process: subprocess.Popen[bytes], *, after: float = 0) -> None:
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_killed_at_any_moment_the_file_is_an_old_or_a_new_one(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    dice = random.Random(seed)
    paths = [tmp_path / f"file{number}.csv" for number in range(8)]
    for path in paths:
        path.write_bytes(b"o" * SIZE)
    processes = [started(WRITE_ON_AND_ON, path) for path in paths]
    for process in processes:
        killed(process, after=dice.uniform(0, 0.05))
    for path in paths:
        content = path.read_bytes()
        assert len(content) == SIZE
        assert len(set(content)) == 1


@pytest.mark.parametrize("links", [True, False])
def test_of_many_writers_at_once_one_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", broken(errno.EPERM))
    path = tmp_path / "file.csv"
    together = threading.Barrier(8, timeout=AGES)

    def write(number: int) -> int | None:
        try:
            with written_whole(path, overwrite=False) as file:
                file.write(b"%d" % number * 10_000)
                together.wait()
        except FileProblem:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [number for number in pool.map(write, range(8)) if number is not None]
    assert len(winners) == 1
    assert path.read_bytes() == b"%d" % winners[0] * 10_000
    assert names(tmp_path) == ["file.csv"]


def test_of_many_that_overwrite_one_is_last_and_whole(old: Path) -> None:
    together = threading.Barrier(8, timeout=AGES)

    def write(number: int) -> None:
        with written_whole(old, overwrite=True) as file:
            file.write(b"%d" % number * 10_000)
            together.wait()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    content = old.read_bytes()
    assert len(content) == 10_000
    assert len(set(content)) == 1
    assert names(old.parent) == ["file.csv"]


@pytest.mark.parametrize("relative", [True, False])
def test_a_link_is_written_through(old: Path, tmp_path: Path, *, relative: bool) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(Path("folder/file.csv") if relative else old)
    put(link, b"new", overwrite=True)
    assert link.is_symlink()
    assert old.read_bytes() == b"new"
    assert names(tmp_path) == ["folder", "link.csv"]
    assert names(old.parent) == ["file.csv"]


def test_a_link_to_an_older_file_counts_as_one(old: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(old)
    with pytest.raises(FileProblem, match=r"link\.csv exists"):
        put(link, b"new")
    assert old.read_bytes() == OLD


def test_a_link_to_nothing_gets_its_file(tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "file.csv")
    put(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "file.csv").read_bytes() == b"new"


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_the_mode_is_what_the_umask_says(
    tmp_path: Path, umask: Callable[[int], int], mask: int, mode: int
) -> None:
    umask(mask)
    put(tmp_path / "file.csv", b"new")
    assert stat.S_IMODE((tmp_path / "file.csv").stat().st_mode) == mode


@pytest.mark.parametrize(
    "name",
    [
        " file .csv",
        "-rf.csv",
        ".csv",
        "no ending",
        "two\nlines.csv",
        "%s {} $HOME *.csv",
        "Übersicht.csv",
        "مصادر.csv",
        "a" * 251 + ".csv",
        "é" * 120 + ".csv",
        pytest.param("\N{GRINNING FACE}" * 60 + ".csv", id="sixty faces"),
        os.fsdecode(b"latin-1 \xe9.csv"),
    ],
)
@pytest.mark.parametrize("overwrite", [True, False])
def test_any_name_the_file_system_takes(tmp_path: Path, name: str, *, overwrite: bool) -> None:
    path = tmp_path / name
    if overwrite:
        path.write_bytes(OLD)
    put(path, b"new", overwrite=overwrite)
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == [name]


def test_a_path_may_be_text_and_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with written_whole("file.csv", overwrite=False) as file:
        file.write(b"new")
    assert (tmp_path / "file.csv").read_bytes() == b"new"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="is a folder"):
        put(tmp_path, b"new", overwrite=True)


@pytest.mark.parametrize("path", ["missing/file.csv", "file.csv/file.csv", "a" * 300])
def test_where_no_file_can_be_is_said(tmp_path: Path, path: str) -> None:
    (tmp_path / "file.csv").write_bytes(OLD)
    with pytest.raises(FileProblem, match="could not be written"):
        put(tmp_path / path, b"new", overwrite=True)
    assert names(tmp_path) == ["file.csv"]


@pytest.mark.parametrize("overwrite", [True, False])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, *, overwrite: bool) -> None:
    # Stands for /dev/null, which root could replace.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FileProblem):
        put(pipe, b"new", overwrite=overwrite)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
