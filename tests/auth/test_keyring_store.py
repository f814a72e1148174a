"""A keyring that waits for a user, for example because it asks for a password."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

import reinfer_nb as rnb
from reinfer_nb.auth import keyring_store, tenant
from reinfer_nb.auth.secret import Token

keyring = pytest.importorskip("keyring", reason="the extra keyring is not installed")

from keyring.backend import KeyringBackend  # noqa: E402 - after importorskip
from keyring.backends.fail import Keyring as Fail  # noqa: E402

ELSEWHERE = "https://elsewhere.example/org/t/reinfer_"
SECRET = "sentinel-c0ffee"


class Waiting(KeyringBackend):
    """A keyring in which every call waits until it is unlocked."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.unlocked = threading.Event()
        self.calls: list[str] = []

    def _wait(self, call: str) -> str:
        self.calls.append(call)
        self.unlocked.wait(60)
        return SECRET

    def get_password(self, *_: object) -> str | None:
        return self._wait("get")

    def set_password(self, *_: object) -> None:
        self._wait("set")

    def delete_password(self, *_: object) -> None:
        self._wait("delete")


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Iterator[Waiting]:
    """A keyring that waits, with short timeouts."""
    before = keyring.get_keyring()
    made = Waiting()
    keyring.set_keyring(made)
    monkeypatch.setattr(keyring_store, "NOTICE", 0.1)
    monkeypatch.setattr(keyring_store, "LIMIT", 0.3)
    monkeypatch.setattr(keyring_store, "_hanging", [])
    tenant.forget_login()
    yield made
    made.unlocked.set()
    keyring.set_keyring(before)


OPERATIONS: dict[str, Callable[[], object]] = {
    "connect": lambda: rnb.connect(endpoint=ELSEWHERE),
    "kept": lambda: keyring_store.kept(ELSEWHERE),
    "keep": lambda: keyring_store.keep(ELSEWHERE, Token("abc")),
    "forget": lambda: keyring_store.forget(ELSEWHERE),
}


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_wait_is_told_and_ends_with_an_error(
    ring: Waiting, caplog: pytest.LogCaptureFixture, operation: str
) -> None:
    with (
        caplog.at_level(logging.WARNING, "reinfer_nb"),
        pytest.raises(rnb.ConfigurationError, match="did not reply") as caught,
    ):
        OPERATIONS[operation]()
    assert "Waiting for the system's keyring" in caplog.text
    assert "REINFER_TOKEN" in caplog.text
    assert caught.value.__context__ is None
    # While that call hangs, no second call reaches the keyring.
    with pytest.raises(rnb.ConfigurationError, match="did not reply"):
        OPERATIONS[operation]()
    assert len(ring.calls) == 1


@pytest.mark.slow
def test_deleting_waits_only_so_long(ring: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring, "get_password", lambda *_: SECRET)
    monkeypatch.setattr(keyring_store, "LIMIT", 2.0)
    with pytest.raises(rnb.ConfigurationError, match=r"still keeps the token.*did not reply"):
        keyring_store.forget(ELSEWHERE)


def test_a_keyring_that_hangs_while_it_is_looked_for(
    ring: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "get_keyring", lambda: ring.unlocked.wait(60))
    assert "did not reply" in str(keyring_store.unusable())


def test_who_unlocks_it_in_time_is_served(
    ring: Waiting, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring_store, "LIMIT", 60.0)

    def unlock(_: logging.LogRecord) -> bool:
        ring.unlocked.set()
        return True

    logger = logging.getLogger("reinfer_nb")
    logger.addFilter(unlock)
    try:
        with caplog.at_level(logging.WARNING, "reinfer_nb"):
            client = rnb.connect(endpoint=ELSEWHERE)
    finally:
        logger.removeFilter(unlock)
    assert repr(client) == f"<Client of {ELSEWHERE}, token from the system's keyring>"
    assert SECRET not in caplog.text


def test_it_is_asked_again_once_it_is_unlocked(
    ring: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(rnb.ConfigurationError, match="did not reply"):
        rnb.connect(endpoint=ELSEWHERE)
    ring.unlocked.set()
    monkeypatch.setattr(keyring_store, "NOTICE", 60.0)
    assert rnb.connect(endpoint=ELSEWHERE).endpoint == ELSEWHERE


SCRIPT = """
import threading
import keyring
from keyring.backend import KeyringBackend


class Waiting(KeyringBackend):
    priority = 1.0

    def get_password(self, service, username):
        threading.Event().wait()

    set_password = delete_password = get_password


keyring.set_keyring(Waiting())
import reinfer_nb as rnb
from reinfer_nb.auth import keyring_store

keyring_store.NOTICE, keyring_store.LIMIT = 0.2, 0.5
try:
    rnb.connect(endpoint="https://elsewhere.example/org/t/reinfer_")
except rnb.ConfigurationError as error:
    print("error:", error)
"""


@pytest.mark.slow
def test_the_process_ends_although_the_keyring_never_replies() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("error: The system's keyring could not be asked")
    # Without any logging set up, the message is on stderr.
    assert ended.stderr.startswith("Waiting for the system's keyring")


@pytest.fixture(scope="module")
def environment_between_tests() -> dict[str, str]:
    return dict(os.environ)


def test_a_job_that_outlives_its_test_finds_no_keyring(
    environment_between_tests: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The keyring is chosen when it is first used; this is a first use.
    monkeypatch.setattr(os, "environ", environment_between_tests)
    monkeypatch.setattr(keyring.core, "_keyring_backend", None)
    assert isinstance(keyring.get_keyring(), Fail)


def test_the_bounds_are_some_seconds() -> None:
    assert 1 <= keyring_store.NOTICE <= 3
    assert keyring_store.NOTICE < keyring_store.LIMIT <= 30
