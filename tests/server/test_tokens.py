"""Tokens of a sandbox with a database file: they last, and are stored as hashes."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import requests

import reinfer_nb as rnb
from tests.waiting import AGES


def box_of(client: rnb.Client) -> rnb.Sandbox:
    assert client.sandbox is not None
    return client.sandbox


def status(client: rnb.Client, token: str) -> int:
    """Return the status of a raw request with a token."""
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(
        f"{client.endpoint}/api/v1/sources", headers=headers, timeout=30
    ).status_code


def first_tokens(file: Path) -> dict[str, str]:
    with rnb.sandbox(database=file) as client:
        assert box_of(client).lasting == {"admin", "viewer"}
        return dict(box_of(client).tokens)


def test_the_tokens_of_the_first_start_work_after_every_restart(tmp_path: Path) -> None:
    file = tmp_path / "box.db"
    first = first_tokens(file)
    for _ in range(2):
        with rnb.sandbox(database=file) as client:
            # The process has a token of its own for its client, since the file has only hashes.
            assert client.me().username == "admin"
            assert box_of(client).lasting == frozenset()
            for name, token in first.items():
                with rnb.connect(endpoint=client.endpoint, token=token) as other:
                    assert other.me().username == name
            own = dict(box_of(client).tokens)
    with rnb.sandbox(database=file) as client:
        assert {status(client, token) for token in own.values()} == {401}
        with (
            rnb.connect(endpoint=client.endpoint, token=own["admin"]) as other,
            pytest.raises(rnb.AuthenticationError, match="that made it has ended"),
        ):
            other.me()


def test_a_user_who_was_added_keeps_the_token(tmp_path: Path) -> None:
    file = tmp_path / "box.db"
    with rnb.sandbox(database=file) as client:
        token = box_of(client).add_user("auditor", global_permissions=["sources-read"])
        assert "auditor" in box_of(client).lasting
    with (
        rnb.sandbox(database=file) as client,
        rnb.connect(endpoint=client.endpoint, token=token) as auditor,
    ):
        assert auditor.me().username == "auditor"


def test_new_tokens_end_the_old_ones(tmp_path: Path) -> None:
    file = tmp_path / "box.db"
    first = first_tokens(file)
    with rnb.sandbox(database=file, new_tokens=True) as client:
        second = dict(box_of(client).tokens)
        assert box_of(client).lasting == set(second)
        assert {status(client, token) for token in first.values()} == {401}
    with rnb.sandbox(database=file) as client:
        assert {status(client, token) for token in first.values()} == {401}
        assert {status(client, token) for token in second.values()} == {200}


def test_tokens_of_ones_own_last_and_the_others_stay(tmp_path: Path) -> None:
    file = tmp_path / "box.db"
    first = first_tokens(file)
    with rnb.sandbox(database=file, tokens={"admin": "my-own"}) as client:
        assert box_of(client).tokens["admin"] == "my-own"
        assert box_of(client).lasting == {"admin"}
    with rnb.sandbox(database=file) as client:
        assert status(client, "my-own") == 200
        assert status(client, first["admin"]) == 401
        assert status(client, first["viewer"]) == 200


def test_tokens_of_ones_own_without_a_file() -> None:
    with rnb.sandbox(tokens={"viewer": "my-own"}) as client:
        assert status(client, "my-own") == 200
        assert box_of(client).lasting == frozenset()


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ({"admin": "two words"}, "token of 'admin' holds a space"),
        ({"admin": ""}, "token of 'admin' is not a text"),
        ({"admin": 5}, "token of 'admin' is not a text"),
        ({"admin": "a", "viewer": "a"}, "Two users have the same token"),
        ({"nobody": "a"}, "there is no user 'nobody'"),
        ("my-own", "a dictionary"),
    ],
)
def test_tokens_that_can_be_none_are_refused(tokens: dict[str, str], message: str) -> None:
    with pytest.raises(rnb.InvalidInput, match=message):
        rnb.sandbox(tokens=tokens).start()


def test_new_tokens_without_a_file_are_refused() -> None:
    with pytest.raises(rnb.InvalidInput, match="new_tokens needs database"):
        rnb.sandbox(new_tokens=True)


def test_no_token_is_in_the_file_or_in_the_log(tmp_path: Path) -> None:
    file = tmp_path / "box.db"
    first = first_tokens(file)
    with rnb.sandbox(database=file, tokens={"admin": "t0"}) as client:
        for token in (first["viewer"], "t0", box_of(client).tokens["viewer"]):
            # A token in the path by mistake; the process knows only the hash of the first.
            requests.get(f"{client.endpoint}/api/v1/sources/{token}/x?token={token}", timeout=AGES)
            quoted = token.replace("-", "%2D")
            requests.get(f"{client.endpoint}/api/v1/sources/{quoted}", timeout=AGES)
        log = repr(box_of(client).requests)
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        for token in (*first.values(), *box_of(client).tokens.values()):
            assert token not in log
            if token != "t0":
                assert token.encode() not in content
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not [token for token in first.values() if token.encode() in content]


def test_a_file_of_an_earlier_release_gets_lasting_tokens(tmp_path: Path) -> None:
    file = tmp_path / "box.db"
    first_tokens(file)
    db = sqlite3.connect(file)
    # A file of an earlier release lacks the table of tokens, and has the same version.
    db.execute("DROP TABLE tokens")
    db.commit()
    db.close()
    with rnb.sandbox(database=file) as client:
        tokens = dict(box_of(client).tokens)
        assert box_of(client).lasting == {"admin", "viewer"}
    with rnb.sandbox(database=file) as client:
        assert {status(client, token) for token in tokens.values()} == {200}


def served(file: Path, *options: str) -> tuple[str, str]:
    """Start the command; return its output until it serves, and the status of a request."""
    process = subprocess.Popen(
        [sys.executable, "-m", "reinfer_nb.cli", "sandbox", "--database", str(file), *options],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        text = "".join(iter(process.stdout.readline, "Ctrl-C stops it.\n"))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=AGES)
    finally:
        process.kill()
    token = re.search(r"admin token:\s+(\S+)", text)
    assert token is not None
    return text, token[1]


@pytest.mark.slow
def test_the_command_line_says_how_long_its_tokens_last(tmp_path: Path) -> None:
    file = tmp_path / "box.db"
    text, first = served(file)
    assert "Note them" in text
    text, second = served(file)
    assert "work until Ctrl-C" in text
    assert "--new-tokens" in text
    text, third = served(file, "--new-tokens")
    assert "Note them" in text
    with rnb.sandbox(database=file) as client:
        assert [status(client, token) for token in (first, second, third)] == [401, 401, 200]
