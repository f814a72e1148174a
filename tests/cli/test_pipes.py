"""Exit codes and messages of the command line when its output is a pipe, closed or full."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import reinfer_nb as rnb

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes of a POSIX shell")


@pytest.fixture(scope="module")
def tenant() -> Iterator[rnb.Client]:
    """A tenant whose listing does not fit into the buffer of a pipe."""
    # Long names fill a pipe with fewer sources.
    names = [f"the-inbox-of-a-team-with-a-very-long-name-number-{n}" for n in range(1000)]
    many = pd.DataFrame({"owner": "acme", "name": names})
    with rnb.sandbox(many) as client:
        yield client


@pytest.fixture(scope="module")
def folder(tenant: rnb.Client, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the listing, two edited ones, of which one is invalid, and two plans."""
    made = tmp_path_factory.mktemp("files")
    df = tenant.sources()
    rnb.to_csv(df, made / "same.csv")
    edited = df.assign(title="T")
    rnb.to_csv(edited, made / "edited.csv")
    rnb.to_csv(df.assign(language="english"), made / "broken.csv")
    tenant.plan(df.assign(title="T")).save(made / "plan.json")
    tenant.plan(df.head(3).assign(title="T")).save(made / "few.json")
    return made


NEW_PROCESS = f"{sys.executable} -m reinfer_nb.cli"


@pytest.fixture(scope="module", autouse=True)
def _forked_cli(forked: list[str]) -> Iterator[None]:
    """Let $RNB be a faster equivalent of `python -m reinfer_nb.cli`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNB", shlex.join(forked))
        yield


def environment_of(tenant: rnb.Client) -> dict[str, str]:
    assert tenant.sandbox is not None
    environment = {
        **os.environ,
        "REINFER_ENDPOINT": tenant.endpoint,
        "REINFER_TOKEN": tenant.sandbox.tokens["admin"],
    }
    environment.pop("PYTHONUNBUFFERED", None)
    return environment


def run(tenant: rnb.Client, folder: Path, command: str) -> tuple[int, str, str]:
    """Run a shell command, and return the first exit code of its pipeline, stdout and stderr."""
    ended = subprocess.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"],
        env=environment_of(tenant),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


COMMANDS = [
    ("list", 0),
    ("list --json", 0),
    ("audit --now 2026-01-01", 1),
    ("audit --now 2026-01-01 --format csv", 1),
    ("audit --now 2026-01-01 --format json", 1),
    ("audit --now 2026-01-01 --format html", 1),
    ("compare same.csv edited.csv", 1),
    ("compare same.csv edited.csv --format csv", 1),
    ("compare same.csv edited.csv --format json", 1),
    ("compare same.csv edited.csv --format html", 1),
    ("plan edited.csv", 0),
    ("plan broken.csv", 1),
]
HINT = "Save the plan with --out FILE, and apply it with: reinfer-nb apply FILE\n"
FULL = "reinfer-nb: the output could not be written: No space left on device\n"


@pytest.mark.slow
@pytest.mark.parametrize(("command", "code"), COMMANDS)
def test_a_reader_who_has_seen_enough_changes_no_exit_code(
    tenant: rnb.Client, folder: Path, command: str, code: int
) -> None:
    ended, out, errors = run(tenant, folder, f"$RNB {command} | head -1")
    assert (ended, errors.replace(HINT, "")) == (code, "")
    assert len(out.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "streams"),
    [
        ("audit --now 2026-01-01 --format csv", "| head -1"),
        ("audit --now 2026-01-01 --format csv", "> /dev/full"),
        ("audit --help", ">&-"),
        ("list --project a/b", "2>&-"),
        ("audit --wrong", ">&- <&- 2>&-"),
    ],
)
def test_a_forked_process_does_as_a_new_one(
    tenant: rnb.Client, folder: Path, command: str, streams: str
) -> None:
    in_new, in_forked = (
        run(tenant, folder, f"{cli} {command} {streams}") for cli in (NEW_PROCESS, "$RNB")
    )
    assert in_forked == in_new


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("audit --now 2026-01-01 --format csv", 1),
        ("compare same.csv edited.csv", 1),
        ("plan broken.csv", 1),
        ("plan edited.csv --out planned.json --overwrite", 0),
        ("list --project acme --csv new.csv --overwrite", 0),
        ("record history/", 0),
        ("audit --help", 0),
        ("--version", 0),
        ("audit --wrong", 2),
    ],
)
def test_a_reader_who_is_gone_from_the_start_changes_no_exit_code(
    tenant: rnb.Client, folder: Path, command: str, code: int
) -> None:
    # The reader closes both streams before the command has begun.
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [*os.environ["RNB"].split(), *command.split()],
            env={**environment_of(tenant), "PYTHONUNBUFFERED": "1"},
            cwd=folder,
            stdout=writer,
            stderr=writer,
            timeout=120,
            check=False,
        )
    finally:
        os.close(writer)
    assert ended.returncode == code


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "list",
        "audit --format csv",
        "compare same.csv edited.csv",
        "plan edited.csv",
        "record history/",
        "audit --help",
        "--version",
    ],
)
def test_a_full_disk_is_a_message_and_exit_code_two(
    tenant: rnb.Client, folder: Path, command: str
) -> None:
    assert run(tenant, folder, f"$RNB {command} > /dev/full") == (2, "", FULL)


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("audit --now 2026-01-01 --out found.csv --format csv --overwrite", 1),
        ("list --project a/b", 2),
    ],
)
def test_nobody_to_tell_on_stderr_changes_no_exit_code(
    tenant: rnb.Client, folder: Path, command: str, code: int, closed: str
) -> None:
    assert run(tenant, folder, f"$RNB {command} {closed}") == (code, "", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "code", "closed"),
    [
        ("audit --now 2026-01-01", 1, ">&-"),
        ("list --csv listed.csv --overwrite", 0, ">&-"),
        ("list --csv listed.csv --overwrite", 0, ">&- <&- 2>&-"),
        ("plan edited.csv --out planned.json --overwrite", 0, ">&- 2>&-"),
        ("audit --help", 0, ">&- <&-"),
        ("list --project a/b", 2, ">&-"),
    ],
)
def test_a_closed_output_changes_no_exit_code(
    tenant: rnb.Client, folder: Path, command: str, code: int, closed: str
) -> None:
    files = {"--csv": folder / "listed.csv", "--out": folder / "planned.json"}
    for file in files.values():
        file.unlink(missing_ok=True)
    ended, out, errors = run(tenant, folder, f"$RNB {command} {closed}")
    assert (ended, out) == (code, "")
    assert "Traceback" not in errors
    for option, file in files.items():
        assert file.exists() == (option in command)


@pytest.mark.slow
@pytest.mark.parametrize("output", ["| head -1", "| exec 0<&-", ">&-"])
def test_a_rehearsal_needs_no_reader(tenant: rnb.Client, folder: Path, output: str) -> None:
    ended, _, errors = run(tenant, folder, f"$RNB apply few.json --rehearse {output}")
    assert (ended, "Traceback" in errors) == (0, False), errors


@pytest.mark.slow
def test_an_apply_that_cannot_be_shown_sends_nothing(tenant: rnb.Client, folder: Path) -> None:
    ended, _, errors = run(tenant, folder, "$RNB apply few.json --yes >&-")
    assert (ended, "Nothing was sent" in errors) == (2, True), errors


@pytest.mark.slow
def test_a_question_that_cannot_be_seen_is_not_answered(tenant: rnb.Client, folder: Path) -> None:
    before = tenant.sandbox.requests if tenant.sandbox else []
    script = "script -qec '$RNB apply plan.json --journal j.jsonl 2>/dev/full' /dev/null <<< y"
    ended, _, _ = run(tenant, folder, script)
    assert ended == 2
    assert tenant.sandbox is not None
    sent = tenant.sandbox.requests[len(before) :]
    assert {request.method for request in sent} == {"GET"}


@pytest.mark.slow
@pytest.mark.parametrize("form", ["text", "csv", "json", "html"])
def test_a_terminal_gets_no_control_characters(tmp_path: Path, form: str) -> None:
    title = "\x1b[31mred\x07 \x9b \u202e"
    with rnb.sandbox(pd.DataFrame({"owner": "acme", "name": ["inbox"], "title": title})) as client:
        before = client.sources()
        rnb.to_csv(before, tmp_path / "before.csv")
        rnb.to_csv(before.assign(title=f"{title}!"), tmp_path / "after.csv")
        # Without the colours of the command itself.
        command = f"NO_COLOR=1 $RNB compare before.csv after.csv --format {form}"
        _, shown, _ = run(client, tmp_path, f"script -qec '{command}' /dev/null")
        ended, piped, _ = run(client, tmp_path, command)
    assert "red" in shown
    assert not [character for character in "\x1b\x07\x9b\u202e" if character in shown]
    # A pipe gets the data unchanged.
    assert ended == 1
    assert (title in piped) == (form == "csv")
