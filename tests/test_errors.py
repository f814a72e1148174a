"""The reason of an error, in words."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from reinfer_nb import FileProblem
from reinfer_nb.errors import reason_of
from reinfer_nb.files import written_whole


def test_an_error_of_the_system_gives_its_reason_without_number_and_path() -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "sources.csv")
    assert reason_of(error) == "No space left on device"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError("Bucket does not exist."), "Bucket does not exist"),
        (FileProblem("a.csv is a folder."), "a.csv is a folder"),
        (OSError(), "OSError"),
        (ValueError("embedded null byte"), "embedded null byte"),
        (ValueError("red \x1b[31malert"), r"red \x1b[31malert"),
    ],
)
def test_an_error_without_a_reason_of_the_system_gives_its_text(
    error: Exception, reason: str
) -> None:
    assert reason_of(error) == reason


def test_undecodable_bytes_are_named() -> None:
    with pytest.raises(UnicodeDecodeError) as caught:
        b"\xff".decode()
    assert reason_of(caught.value).endswith("invalid start byte")


def test_a_message_never_gives_none_as_the_reason(tmp_path: Path) -> None:
    with (
        pytest.raises(FileProblem, match=r"could not be written: the share is offline\."),
        written_whole(tmp_path / "a.csv", overwrite=False),
    ):
        raise OSError("the share is offline")
