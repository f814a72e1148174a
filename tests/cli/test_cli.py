"""The command line in a shell."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import cli

COMMANDS = (
    *("lab", "sandbox", "list", "audit", "compare", "record"),
    *("comments", "activity", "archive", "upload"),
    *("plan", "apply", "resume", "undo"),
)


def test_list_prints_a_line_a_source(
    configured: rnb.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["list", "--project", "claims"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(configured.sources("claims")) + 1
    assert lines[0].split() == ["owner", "name", "title", "language", "kind", "updated_at", "id"]
    assert lines[1].startswith("claims  motor-inbox")
    assert lines[1].endswith("10d43f7d7a2ad8ba")


def test_list_as_json_holds_every_field(
    configured: rnb.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == configured.sources()["id"].tolist()
    assert rows[0]["_kind"] == "unknown"
    assert rows[0]["created_at"] == "2020-02-26T14:42:38.667256+00:00"


def test_list_to_csv_never_over_a_file_unless_asked(
    configured: rnb.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sources.csv"
    assert cli.main(["list", "--csv", str(file)]) == 0
    pd.testing.assert_frame_equal(rnb.read_csv(file), configured.sources())
    file.write_text("mine")
    assert cli.main(["list", "--csv", str(file)]) == 2
    assert "exists" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert cli.main(["list", "--csv", str(file), "--overwrite"]) == 0


def test_text_of_the_tenant_cannot_command_the_terminal(
    configured: rnb.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    configured.update_source("claims/motor-inbox", title="\x1b[2J\u202egnp.exe\nsecond line")
    assert cli.main(["list", "--project", "claims"]) == 0
    out = capsys.readouterr().out
    assert r"\x1b[2J\u202egnp.exe\nsecond line" in out
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_a_project_without_sources_says_so(
    configured: rnb.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in configured.sources("people")["name"]:
        configured.delete_source(f"people/{name}")
    assert cli.main(["list", "--project", "people"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "No sources" in captured.err


def test_what_goes_wrong_is_a_line_on_stderr_and_not_a_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["list"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("reinfer-nb: No tenant is configured.")
    assert "REINFER_ENDPOINT" in captured.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"reinfer-nb {rnb.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"Example: reinfer-nb {command}" in out


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_sandbox_serves_until_it_is_stopped(how: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "reinfer_nb.cli", "sandbox"],
        cwd=tmp_path,
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        output = "".join(iter(process.stdout.readline, "Ctrl-C stops it.\n"))
        endpoint = re.search(r"tenant is at (\S+)", output)
        token = re.search(r"viewer token:\s+(\S+)", output)
        assert endpoint is not None
        assert token is not None
        with rnb.connect(endpoint=endpoint[1], token=token[1]) as viewer:
            assert len(viewer.sources()) == 109
        process.send_signal(how)
        rest, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert errors == ""
    assert "is deleted" in rest


def test_a_port_that_is_taken(client: rnb.Client, capsys: pytest.CaptureFixture[str]) -> None:
    port = client.endpoint.rpartition(":")[2]
    assert cli.main(["sandbox", "--port", port]) == 2
    assert f"port {port}" in capsys.readouterr().err


def listed(environment: dict[str, str], command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell command in which `$LIST` lists the sources."""
    own = {"LIST": f"{sys.executable} -m reinfer_nb.cli list"}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env={**os.environ, **own, **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("how", ["", "--json"])
def test_who_has_seen_enough_ends_it_without_a_word(how: str) -> None:
    many = pd.DataFrame({"owner": "acme", "name": [f"source-{n}" for n in range(3000)]})
    with rnb.sandbox(many) as client:
        assert client.sandbox is not None
        environment = {
            "REINFER_ENDPOINT": client.endpoint,
            "REINFER_TOKEN": client.sandbox.tokens["admin"],
        }
        done = listed(environment, f"$LIST {how} | head -1")
        assert (done.returncode, done.stderr) == (0, b"")
        assert len(done.stdout.splitlines()) == 1


@pytest.mark.slow
def test_a_full_disk_is_a_line(configured: rnb.Client) -> None:
    assert configured.sandbox is not None
    done = listed({}, "$LIST > /dev/full")
    assert done.returncode == 2
    assert done.stderr == b"reinfer-nb: the output could not be written: No space left on device\n"


@pytest.mark.slow
def test_a_terminal_that_has_not_every_character(configured: rnb.Client) -> None:
    configured.update_source("claims/motor-inbox", title="\u65e5\u672c")
    done = listed({"PYTHONIOENCODING": "ascii"}, "$LIST --project claims")
    assert done.returncode == 0
    assert rb"\u65e5\u672c" in done.stdout


@pytest.mark.parametrize("wrong", [["list", "--overwrite"], ["lab", "audits"]])
def test_what_would_be_ignored_is_refused(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(wrong) == 2
    assert "--csv" in (said := capsys.readouterr().err) or "--folder" in said
