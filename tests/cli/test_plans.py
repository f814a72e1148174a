"""`reinfer-nb plan`, `apply`, `resume` and `undo`, on a tenant over a socket."""

from __future__ import annotations

import io
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import cli
from reinfer_nb.journal import Journal
from reinfer_nb.plans.saved import result_of, resume
from tests.waiting import AGES

Captured = pytest.CaptureFixture[str]
Typing = Callable[[str], None]

RUN = [sys.executable, "-m", "reinfer_nb.cli"]


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    # Input from a pipe is not a confirmation; tests of the question use `typed`.
    monkeypatch.setattr("sys.stdin", io.StringIO("y\nyes\n1\n2\n3\n"))


class Terminal(io.StringIO):
    """A terminal with typed input."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typing:
    """A function that sets what is typed at the terminal."""
    return lambda text: monkeypatch.setattr("sys.stdin", Terminal(text))


def titled(client: rnb.Client, titles: dict[str, str]) -> pd.DataFrame:
    """Return the listing of claims with new titles, given by name."""
    df = client.sources("claims")
    return df.assign(title=df["name"].map(titles).fillna(df["title"]).astype("str"))


def two_titles(client: rnb.Client) -> None:
    """Save a plan that changes two titles to change.json."""
    edited = titled(client, {"motor-inbox": "Motor", "glass-inbox": "Glass"})
    client.plan(edited).save("change.json")


def without(client: rnb.Client, number: int) -> list[str]:
    """Save a plan that deletes sources to change.json, and return their names."""
    df = client.sources("claims")
    client.plan(df[number:], delete_missing=True).save("change.json")
    return df["name"][:number].tolist()


def titles(client: rnb.Client) -> tuple[str | None, str | None]:
    """Return the titles of the two sources that `two_titles` changes."""
    return client.source("claims/motor-inbox").title, client.source("claims/glass-inbox").title


def writes(client: rnb.Client) -> list[str]:
    """Return the method and path of each write to the tenant."""
    assert client.sandbox is not None
    return [
        f"{asked.method} {asked.path}"
        for asked in client.sandbox.requests
        if asked.method != "GET" and not asked.path.endswith("/statistics")
    ]


def sent(client: rnb.Client) -> int:
    """Return the number of all requests to the tenant."""
    assert client.sandbox is not None
    return len(client.sandbox.requests)


def journal_of(out: str) -> str:
    """Return the path of the journal in the output of an apply."""
    (line,) = (line for line in out.splitlines() if line.startswith("Journal: "))
    return line.removeprefix("Journal: ")


@pytest.mark.parametrize("command", ["plan", "apply", "resume", "undo"])
def test_help_shows_an_example_and_the_exit_codes(command: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"Example: reinfer-nb {command}" in out
    assert "Exit code: 0" in out
    assert ("130" in out) == (command != "plan")


# plan


def test_a_plan_is_shown_in_full_and_kept(configured: rnb.Client, capsys: Captured) -> None:
    df = configured.sources()
    rnb.to_csv(df.assign(title="The same"), "edited.csv")
    assert cli.main(["plan", "edited.csv", "--out", "change.json"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"Plan for {configured.endpoint}: 130 sources to update")
    # All updates; a notebook shows fifty.
    assert sum(line.startswith("~ ") for line in captured.out.splitlines()) == 130
    assert "    title: Motor claims inbox -> The same\n" in captured.out
    assert captured.err == ("Saved to change.json. Apply it with: reinfer-nb apply change.json\n")
    plan = rnb.load_plan("change.json", configured)
    assert set(plan.frame["after"]) == {"The same"}
    assert writes(configured) == []


def test_a_plan_that_is_not_kept_says_how(configured: rnb.Client, capsys: Captured) -> None:
    rnb.to_csv(titled(configured, {"motor-inbox": "Motor"}), "edited.csv")
    assert cli.main(["plan", "edited.csv"]) == 0
    captured = capsys.readouterr()
    assert "1 source to update (1 field)" in captured.out
    assert "--out FILE" in captured.err
    assert [file.name for file in Path().iterdir() if file.is_file()] == ["edited.csv"]


def test_nothing_to_do_is_a_plan_too(configured: rnb.Client, capsys: Captured) -> None:
    rnb.to_csv(configured.sources(), "edited.csv")
    assert cli.main(["plan", "edited.csv"]) == 0
    captured = capsys.readouterr()
    assert "nothing to do" in captured.out
    assert captured.err == ""
    assert cli.main(["plan", "edited.csv", "--out", "change.json"]) == 0
    asked = sent(configured)
    assert cli.main(["apply", "change.json"]) == 0
    assert sent(configured) == asked


def test_all_problems_are_listed_and_no_file_is_written(
    configured: rnb.Client, capsys: Captured
) -> None:
    df = titled(configured, {"motor-inbox": "Motor"})
    df["language"] = "klingon"
    df["name"] = df["name"].where(df["name"] != "glass-inbox", "glass\x1b[2J")
    rnb.to_csv(df.head(60), "edited.csv")
    assert cli.main(["plan", "edited.csv", "--out", "change.json"]) == 1
    captured = capsys.readouterr()
    plan = configured.plan(df)
    assert len(plan.problems) == len(df)
    warnings = [line for line in captured.out.splitlines() if line.startswith("! ")]
    assert len(warnings) == len(plan.problems)
    assert sum("column language" in line for line in warnings) == len(df) - 1
    assert "\x1b" not in captured.out
    assert captured.err == "No file was written.\n"
    assert not Path("change.json").exists()


def test_an_existing_file_is_not_overwritten(configured: rnb.Client, capsys: Captured) -> None:
    rnb.to_csv(titled(configured, {"motor-inbox": "Motor"}), "edited.csv")
    Path("change.json").write_text("mine")
    assert cli.main(["plan", "edited.csv", "--out", "change.json"]) == 2
    assert "change.json exists" in capsys.readouterr().err
    assert Path("change.json").read_text() == "mine"
    assert cli.main(["plan", "edited.csv", "--out", "change.json", "--overwrite"]) == 0
    assert len(rnb.load_plan("change.json", configured).steps) == 1


@pytest.mark.slow
def test_with_a_base_what_others_changed_stays(configured: rnb.Client, capsys: Captured) -> None:
    rnb.History("audits").record(configured.sources(), when="2026-03-01T09:00")
    rnb.to_csv(titled(configured, {"motor-inbox": "Motor"}), "edited.csv")
    configured.update_source("claims/glass-inbox", title="Theirs")
    assert cli.main(["plan", "edited.csv", "--project", "claims"]) == 1
    capsys.readouterr()
    arguments = ["plan", "edited.csv", "--base", "audits/@2026-03-01", "--project", "claims"]
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    assert "title: Motor claims inbox -> Motor" in out
    assert "1 source to update (1 field) in claims" in out
    assert "1 setting that only others have changed" in out


def test_of_a_history_only_the_project_is_taken(configured: rnb.Client, capsys: Captured) -> None:
    rnb.History("wanted").record(configured.sources().assign(title="The same"))
    assert cli.main(["plan", "wanted", "--project", "people", "--out", "change.json"]) == 0
    assert "claims/" not in capsys.readouterr().out
    plan = rnb.load_plan("change.json", configured)
    assert plan.project == "people"
    assert len(plan.steps) == len(configured.sources("people"))


def test_a_listing_of_before_does_not_undo_what_others_did(
    configured: rnb.Client, capsys: Captured
) -> None:
    rnb.History("audits").record(configured.sources(), when="2026-03-01T09:00")
    configured.update_source("claims/motor-inbox", title="Theirs")
    assert cli.main(["plan", "audits/@2026-03-01", "--out", "change.json"]) == 1
    assert "it is older than the source" in capsys.readouterr().out
    assert not Path("change.json").exists()


def test_delete_missing_deletes_no_source_for_a_mistyped_owner(
    configured: rnb.Client, capsys: Captured
) -> None:
    df = configured.sources("claims")
    rnb.to_csv(df.assign(owner=df["owner"].where(df["name"] != "test", "claim")), "edited.csv")
    arguments = ["plan", "edited.csv", "--delete-missing", "--project", "claims"]
    assert cli.main(arguments) == 1
    assert "must be claims" in capsys.readouterr().out
    rnb.to_csv(df[df["name"] != "test"], "edited.csv", overwrite=True)
    assert cli.main(arguments) == 0
    assert "- claims/test, with " in capsys.readouterr().out


@pytest.mark.slow
def test_between_tenants_rows_go_by_name(
    configured: rnb.Client, tmp_path: Path, capsys: Captured
) -> None:
    file = tmp_path / "config" / "reinfer" / "contexts.json"
    file.parent.mkdir(parents=True)
    with rnb.sandbox() as prod:
        assert prod.sandbox is not None
        entry = {"accept_invalid_certificates": False, "proxy": None, "name": "prod"}
        token = prod.sandbox.tokens["admin"]
        entry |= {"endpoint": prod.endpoint, "token": token}
        file.write_text(json.dumps({"current_context": "prod", "contexts": [entry]}))
        prod.update_source("claims/motor-inbox", title="As in production")
        prod.delete_source("claims/glass-inbox")
        prod.create_source("claims/glass-inbox", title="Glass damage inbox")
        assert cli.main(["plan", "context:prod", "--project", "claims", "--out", "a.json"]) == 0
        out = capsys.readouterr().out
        assert "title: Motor claims inbox -> As in production" in out
        assert "Matched by project and name" in out
        # The reverse: a file against the tenant of --context.
        rnb.to_csv(prod.sources().assign(language="de").head(1), "edited.csv")
        arguments = ["plan", "edited.csv", "--context", "prod", "--out", "it's.json"]
        assert cli.main(arguments) == 0
        captured = capsys.readouterr()
        assert f"Plan for {prod.endpoint}: 1 source to update" in captured.out
        how = captured.err.partition("Apply it with: ")[2]
        assert shlex.split(how) == ["reinfer-nb", "apply", "it's.json", "--context", "prod"]
        assert cli.main([*shlex.split(how)[1:], "--yes"]) == 0
        assert prod.source("claims/motor-inbox").language == "de"
        captured = capsys.readouterr()
        undoing = captured.err.partition("Undo it with: ")[2]
        assert cli.main([*shlex.split(undoing)[1:], "--yes"]) == 0
        assert prod.source("claims/motor-inbox").language == "en"
        assert token not in captured.out + captured.err
    assert writes(configured) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan", "nowhere.csv"], "There is no file or folder 'nowhere.csv'"),
        (["plan", "context:nobody"], "nobody"),
        (["plan", "listing.csv", "--base", "nowhere.csv"], "no file or folder 'nowhere.csv'"),
        (["plan", "listing.csv", "--overwrite"], "--overwrite needs --out FILE"),
        (["plan", "listing.csv", "--project", "no/such"], "no/such"),
        (["apply", "nowhere.json"], "nowhere.json cannot be read"),
        (["apply", "listing.csv"], "is not a valid plan"),
        (["apply", "change.json", "--yes", "--workers", "0"], "a number from 1 to 32"),
        (["apply", "change.json", "--rehearse", "--workers", "99"], "a number from 1 to 32"),
        (["apply", "change.json", "--rehearse", "--journal", "j"], "A rehearsal has no journal"),
        (["resume", "nowhere.jsonl"], "nowhere.jsonl cannot be read"),
        (["resume", "change.json"], "change.json"),
        (["undo", "nowhere.jsonl"], "nowhere.jsonl cannot be read"),
        (["undo", "change.json", "--overwrite"], "--overwrite needs --out FILE"),
        (
            ["undo", "change.json", "--out", "u", "--yes"],
            "Leave out --yes, --journal and --archive",
        ),
        (
            ["undo", "change.json", "--out", "u", "--journal", "j"],
            "Leave out --yes, --journal and --archive",
        ),
        (["undo", "change.json", "--workers", "-1"], "a number from 1 to 32"),
    ],
)
def test_what_cannot_be_done_is_said_and_exits_with_two(
    configured: rnb.Client, arguments: list[str], said: str, capsys: Captured
) -> None:
    rnb.to_csv(configured.sources(), "listing.csv")
    two_titles(configured)
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert writes(configured) == []


# apply


def test_yes_applies_without_a_question(configured: rnb.Client, capsys: Captured) -> None:
    two_titles(configured)
    assert cli.main(["apply", "change.json", "--yes", "--journal", "j 1.jsonl"]) == 0
    assert titles(configured) == ("Motor", "Glass")
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert "    title: Motor claims inbox -> Motor" in lines
    assert "No source of this plan has changed since it was made." in lines
    assert f"Applied to {configured.endpoint}: 2 done." in lines
    journal = Path("j 1.jsonl").absolute()
    assert lines[-1] == f"Journal: {journal}"
    # Without a terminal there is neither a question nor a progress bar.
    assert captured.err == f"Undo it with: reinfer-nb undo '{journal}'\n"
    assert configured.sandbox is not None
    assert configured.sandbox.tokens["admin"] not in captured.out + captured.err


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["y\n", "Yes\n", " y \n"])
def test_what_is_agreed_to_is_done(
    configured: rnb.Client, typed: Typing, answer: str, capsys: Captured
) -> None:
    two_titles(configured)
    typed(answer)
    assert cli.main(["apply", "change.json"]) == 0
    assert titles(configured) == ("Motor", "Glass")
    captured = capsys.readouterr()
    assert captured.err.startswith(f"Apply this to {configured.endpoint}? [y/N] ")
    assert Path(journal_of(captured.out)).exists()


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["", "\n", "n\n", "no\n", "yy\n", "2\n"])
def test_what_is_not_agreed_to_is_not_done(
    configured: rnb.Client, typed: Typing, answer: str, capsys: Captured
) -> None:
    two_titles(configured)
    typed(answer)
    assert cli.main(["apply", "change.json", "--journal", "j.jsonl"]) == 1
    captured = capsys.readouterr()
    assert captured.err.endswith("Nothing was sent.\n")
    assert "Applied" not in captured.out
    assert writes(configured) == []
    assert not Path("j.jsonl").exists()


def test_ctrl_c_at_the_question(
    configured: rnb.Client, monkeypatch: pytest.MonkeyPatch, typed: Typing, capsys: Captured
) -> None:
    two_titles(configured)
    typed("")

    def interrupted() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupted)
    assert cli.main(["apply", "change.json"]) == 130
    assert capsys.readouterr().err.endswith("\nNothing was sent.\n")
    assert writes(configured) == []


@pytest.mark.slow
@pytest.mark.parametrize("command", ["apply", "undo"])
def test_without_a_terminal_nobody_is_asked(
    configured: rnb.Client, command: str, capsys: Captured
) -> None:
    two_titles(configured)
    if command == "undo":
        assert cli.main(["apply", "change.json", "--yes", "--journal", "j.jsonl"]) == 0
    before, asked = len(writes(configured)), sent(configured)
    capsys.readouterr()
    assert cli.main([command, "change.json" if command == "apply" else "j.jsonl"]) == 2
    captured = capsys.readouterr()
    assert "2 sources to update" in captured.out
    assert "not a terminal" in captured.err
    assert "--yes" in captured.err
    assert len(writes(configured)) == before
    # A plan to undo is made with a new listing.
    assert sent(configured) == asked + (command == "undo")


@pytest.mark.parametrize("how", [["--yes"], ["--rehearse"]])
def test_a_plan_for_another_tenant_is_refused(
    configured: rnb.Client, how: list[str], capsys: Captured
) -> None:
    with rnb.sandbox() as other:
        two_titles(other)
        asked = sent(configured), sent(other)
        assert cli.main(["apply", "change.json", *how]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert f"{other.endpoint}" in captured.err
        assert "is a plan for" in captured.err
        assert (sent(configured), sent(other)) == asked


def test_what_has_moved_is_told_before_and_left_alone(
    configured: rnb.Client, typed: Typing, capsys: Captured
) -> None:
    two_titles(configured)
    content = json.loads(Path("change.json").read_text())
    # The library warns of changes if a plan is old; the command line must not report them twice.
    content["made_at"] = "2026-01-01T09:00:00+00:00"
    Path("change.json").write_text(json.dumps(content))
    configured.update_source("claims/motor-inbox", title="Theirs")
    typed("n\n")
    assert cli.main(["apply", "change.json"]) == 1
    out = capsys.readouterr().out
    assert "1 of 2 sources has changed since the plan was made and will not be touched:\n" in out
    assert "! update claims/motor-inbox: was changed at " in out
    assert cli.main(["apply", "change.json", "--yes"]) == 1
    captured = capsys.readouterr()
    assert "1 done, 1 moved." in captured.out
    assert "! moved: update claims/motor-inbox: " in captured.out
    assert "plan again" in captured.err
    assert "resume" not in captured.err
    assert titles(configured) == ("Theirs", "Glass")


def test_what_fails_exits_with_one_and_can_be_gone_on_with(
    configured: rnb.Client, capsys: Captured
) -> None:
    two_titles(configured)
    assert configured.sandbox is not None
    refused = rnb.Fault.answer(403, on="update_source", message="Not \x1b[2J today.")
    with configured.sandbox.faults.add(refused):
        assert cli.main(["apply", "change.json", "--yes", "--journal", "j.jsonl"]) == 1
        captured = capsys.readouterr()
        assert "2 failed." in captured.out
        assert r"Not \x1b[2J today." in captured.out
        journal = Path("j.jsonl").absolute()
        assert captured.err == f"Continue with: reinfer-nb resume {journal}\n"
        assert cli.main(["resume", "j.jsonl"]) == 1
    capsys.readouterr()
    assert cli.main(["resume", "j.jsonl"]) == 0
    assert "2 done." in capsys.readouterr().out
    assert titles(configured) == ("Motor", "Glass")


def test_a_journal_that_is_there_is_not_written_over(
    configured: rnb.Client, capsys: Captured
) -> None:
    two_titles(configured)
    Path("j.jsonl").write_text("mine")
    assert cli.main(["apply", "change.json", "--yes", "--journal", "j.jsonl"]) == 2
    assert "j.jsonl exists" in capsys.readouterr().err
    assert Path("j.jsonl").read_text() == "mine"
    assert writes(configured) == []


@pytest.mark.slow
def test_deletes_are_agreed_to_by_their_number(
    configured: rnb.Client, typed: Typing, capsys: Captured
) -> None:
    names = without(configured, 3)
    comments = int(rnb.load_plan("change.json").summary["comments"].sum())
    assert comments > 1000
    for answer in ("y\n", "yes\n", "\n", "2\n", "33\n"):
        typed(answer)
        assert cli.main(["apply", "change.json"]) == 1
        question = f"Type 3 to delete 3 sources with {comments:,} comments: Nothing was sent.\n"
        assert capsys.readouterr().err == question
        assert writes(configured) == []
    typed("3\n")
    assert cli.main(["apply", "change.json"]) == 0
    assert "3 done." in capsys.readouterr().out
    assert not set(names) & set(configured.sources("claims", refresh=True)["name"])


def test_comments_that_could_not_be_counted_are_in_the_question(
    configured: rnb.Client, typed: Typing, capsys: Captured
) -> None:
    assert configured.sandbox is not None
    with configured.sandbox.faults.add(rnb.Fault.answer(403, on="get_statistics", times=1)):
        without(configured, 2)
    typed("\n")
    assert cli.main(["apply", "change.json"]) == 1
    assert " comments and those of 1 source that could not be counted: " in capsys.readouterr().err


def test_many_deletes_are_done_only_where_that_is_said(
    configured: rnb.Client, capsys: Captured
) -> None:
    names = without(configured, 4)
    asked = sent(configured)
    assert cli.main(["apply", "change.json", "--yes"]) == 2
    captured = capsys.readouterr()
    assert "4 of the 39 sources of claims" in captured.err
    assert "Use --allow-mass-delete" in captured.err
    assert sent(configured) == asked
    assert cli.main(["apply", "change.json", "--yes", "--allow-mass-delete"]) == 0
    assert not set(names) & set(configured.sources("claims", refresh=True)["name"])


def test_a_rehearsal_leaves_the_tenant_as_it_is(configured: rnb.Client, capsys: Captured) -> None:
    without(configured, 4)
    before = configured.sources(refresh=True)
    assert configured.sandbox is not None
    asked = sent(configured)
    assert cli.main(["apply", "change.json", "--rehearse"]) == 0
    captured = capsys.readouterr()
    assert "4 sources to delete" in captured.out
    assert "The copy has 35 sources afterwards." in captured.out
    assert "4 done." in captured.out
    assert captured.err == ""
    (only,) = configured.sandbox.requests[asked:]
    assert (only.method, only.path) == ("GET", "/api/v1/sources/claims")
    pd.testing.assert_frame_equal(configured.sources(refresh=True), before)
    assert not Path(os.environ["XDG_STATE_HOME"]).exists()


def test_a_rehearsal_that_does_not_succeed(configured: rnb.Client, capsys: Captured) -> None:
    two_titles(configured)
    configured.update_source("claims/motor-inbox", title="Theirs")
    written = writes(configured)
    assert cli.main(["apply", "change.json", "--rehearse"]) == 1
    assert "1 done, 1 moved." in capsys.readouterr().out
    assert writes(configured) == written


def test_a_plan_is_data_and_commands_no_terminal(configured: rnb.Client, capsys: Captured) -> None:
    two_titles(configured)
    content = json.loads(Path("change.json").read_text())
    content["notes"] = ["\x1b[2JAll is well."]
    Path("change.json").write_text(json.dumps(content))
    assert cli.main(["apply", "change.json", "--yes"]) == 0
    out = capsys.readouterr().out
    assert r"\x1b[2JAll is well." in out
    assert "\x1b" not in out


# As a process


@pytest.mark.slow
@pytest.mark.parametrize("answer", [b"y\n", b"n\n"])
def test_at_a_real_terminal(configured: rnb.Client, forked: list[str], answer: bytes) -> None:
    two_titles(configured)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    try:
        process = subprocess.Popen(
            [*forked, "apply", "change.json"], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs
        )
        os.close(theirs)
        seen = b""
        while b"[y/N] " not in seen:
            seen += os.read(ours, 1000)
        assert writes(configured) == []
        os.write(ours, answer)
        out, _ = process.communicate(timeout=AGES)
        try:
            while more := os.read(ours, 1000):
                seen += more
        except OSError:
            # Linux reports a closed terminal so.
            pass
    finally:
        os.close(ours)
    done = answer == b"y\n"
    assert process.returncode == (0 if done else 1)
    assert (b"apply: 100%" in seen) == done
    assert (b"Nothing was sent." in seen) != done
    assert (b"2 done." in out) == done
    assert len(writes(configured)) == (2 if done else 0)


@pytest.mark.slow
def test_ctrl_c_ends_it_after_what_is_under_way(configured: rnb.Client, capsys: Captured) -> None:
    df = configured.sources("claims")
    configured.plan(df.assign(title="The same")).save("change.json")
    assert configured.sandbox is not None
    slow = rnb.Fault.wait(0.3, on="update_source")
    arguments = ["apply", "change.json", "--yes", "--workers", "2", "--journal", "j.jsonl"]
    with configured.sandbox.faults.add(slow):
        process = subprocess.Popen(
            [*RUN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            end = time.monotonic() + 60
            while not writes(configured):
                assert time.monotonic() < end
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=AGES)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "It was stopped by Ctrl-C." in out
    assert f"Continue with: reinfer-nb resume {Path('j.jsonl').absolute()}\n" in err
    assert "Traceback" not in err
    done = len(writes(configured))
    assert 0 < done < len(df)
    assert f"{done:,} done, {len(df) - done:,} left." in out
    assert cli.main(["resume", "j.jsonl"]) == 0
    assert f"{len(df)} done." in capsys.readouterr().out
    # No update is sent twice.
    assert len(set(writes(configured))) == len(writes(configured)) == len(df)
    assert set(configured.sources("claims", refresh=True)["title"]) == {"The same"}


def piped(command: str, run: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Run a shell command in which `$RUN` is the command line; its exit code is returned."""
    return subprocess.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"],
        env={**os.environ, "RUN": shlex.join(run)},
        capture_output=True,
        timeout=AGES,
        check=False,
    )


@pytest.mark.slow
def test_what_nobody_could_see_is_not_done(configured: rnb.Client, forked: list[str]) -> None:
    two_titles(configured)
    # A pipe without a reader, and a full disk.
    reading, gone = os.pipe()
    os.close(reading)
    full = os.open("/dev/full", os.O_WRONLY)
    for output, said in (
        (gone, b"the output was closed. Nothing was sent."),
        (full, b"No space left on device"),
    ):
        command = [*forked, "apply", "change.json", "--yes"]
        done = subprocess.run(
            command, stdout=output, stderr=subprocess.PIPE, timeout=AGES, check=False
        )
        os.close(output)
        assert done.returncode == 2, said
        assert done.stderr.startswith(b"reinfer-nb: ")
        assert done.stderr.endswith(said + b"\n")
        assert len(done.stderr.splitlines()) == 1
    assert writes(configured) == []


@pytest.mark.slow
def test_what_nobody_reads_to_its_end_is_done_and_exits_as_it_went(
    configured: rnb.Client, forked: list[str]
) -> None:
    two_titles(configured)
    assert configured.sandbox is not None
    # The reader leaves after the plan was shown, during the apply.
    command = "$RUN apply change.json --yes --journal j.jsonl | grep -q 'No source of this'"
    with configured.sandbox.faults.add(rnb.Fault.wait(1.0, on="update_source")):
        done = piped(command, forked)
    assert done.returncode == 0
    journal = Path("j.jsonl").absolute()
    errors = done.stderr.decode()
    assert f"The result could not be printed. Journal: {journal}\n" in errors
    assert f"reinfer-nb undo {journal}\n" in errors
    assert titles(configured) == ("Motor", "Glass")


# resume and undo


def cut(journal: str) -> None:
    """Remove the outcome of the last step from a journal, as a kill may do."""
    *lines, last = Path(journal).read_text().splitlines()
    assert '"done"' in last
    Path(journal).write_text("\n".join(lines) + "\n")


def test_resume_finishes_what_a_kill_has_left(configured: rnb.Client, capsys: Captured) -> None:
    two_titles(configured)
    assert cli.main(["apply", "change.json", "--yes", "--workers", "1", "--journal", "j"]) == 0
    written = writes(configured)
    cut("j")
    capsys.readouterr()
    assert cli.main(["resume", "j", "--workers", "2"]) == 0
    captured = capsys.readouterr()
    assert f"Applied to {configured.endpoint}: 2 done." in captured.out
    assert captured.err == f"Undo it with: reinfer-nb undo {Path('j').absolute()}\n"
    assert writes(configured) == written


def test_resume_leaves_what_has_moved(configured: rnb.Client, capsys: Captured) -> None:
    two_titles(configured)
    assert cli.main(["apply", "change.json", "--yes", "--workers", "1", "--journal", "j"]) == 0
    cut("j")
    configured.update_source("claims/motor-inbox", title="Theirs")
    configured.update_source("claims/glass-inbox", title="Theirs")
    capsys.readouterr()
    assert cli.main(["resume", "j"]) == 1
    assert "1 done, 1 moved." in capsys.readouterr().out
    assert titles(configured) == ("Theirs", "Theirs")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["resume", "undo"])
def test_a_journal_of_another_tenant_or_at_work_is_refused(
    configured: rnb.Client, command: str, capsys: Captured
) -> None:
    with rnb.sandbox() as other:
        for client, journal in ((other, "theirs"), (configured, "ours")):
            edited = titled(client, {"motor-inbox": "Motor"})
            client.plan(edited).apply(progress=False, journal=journal)
        asked = sent(configured), sent(other)
        assert cli.main([command, "theirs"]) == 2
        assert f"{other.endpoint}" in capsys.readouterr().err
        held = Journal.opened("ours")
        try:
            assert cli.main([command, "ours"]) == 2
            assert "is in use by another process" in capsys.readouterr().err
        finally:
            held.close()
        assert (sent(configured), sent(other)) == asked


def test_undo_puts_back_what_was(configured: rnb.Client, typed: Typing, capsys: Captured) -> None:
    before = titles(configured)
    two_titles(configured)
    assert cli.main(["apply", "change.json", "--yes", "--journal", "j"]) == 0
    capsys.readouterr()
    typed("n\n")
    assert cli.main(["undo", "j"]) == 1
    captured = capsys.readouterr()
    assert "    title: Motor -> Motor claims inbox\n" in captured.out
    assert captured.err.endswith("Nothing was sent.\n")
    assert titles(configured) == ("Motor", "Glass")
    typed("y\n")
    assert cli.main(["undo", "j", "--journal", "back"]) == 0
    assert titles(configured) == before
    # An undo can be undone.
    assert cli.main(["undo", "back", "--yes"]) == 0
    assert titles(configured) == ("Motor", "Glass")


def test_undo_leaves_what_others_have_changed_since(
    configured: rnb.Client, capsys: Captured
) -> None:
    two_titles(configured)
    assert cli.main(["apply", "change.json", "--yes", "--journal", "j"]) == 0
    configured.update_source("claims/motor-inbox", title="Theirs")
    assert cli.main(["undo", "j", "--yes"]) == 1
    assert "! update claims/motor-inbox: was changed at " in capsys.readouterr().out
    assert titles(configured) == ("Theirs", "Glass damage inbox")


@pytest.mark.slow
def test_undo_of_deletes_says_what_is_lost(configured: rnb.Client, capsys: Captured) -> None:
    names = without(configured, 2)
    assert cli.main(["apply", "change.json", "--yes", "--journal", "j"]) == 0
    capsys.readouterr()
    assert cli.main(["undo", "j", "--yes"]) == 0
    out = capsys.readouterr().out
    assert "2 deleted sources can only be created again" in out
    assert "Without an archive, nothing brings comments back." in out
    assert set(names) <= set(configured.sources("claims", refresh=True)["name"])


@pytest.mark.slow
def test_deletes_can_archive_the_comments_first(
    configured: rnb.Client, tmp_path: Path, capsys: Captured
) -> None:
    # Two sources with few comments.
    names, df = ["recovery-chat", "recovery-postfach"], configured.sources("claims")
    left = df[~df["name"].isin(names)]
    configured.plan(left, delete_missing=True).save("change.json")
    counts = {name: configured.count_comments(f"claims/{name}") for name in names}
    assert cli.main(["apply", "change.json", "--yes", "--journal", "j", "--archive", "kept"]) == 0
    out = capsys.readouterr().out
    archives = {path.name: path for path in Path("kept").glob("*.jsonl.gz")}
    assert len(archives) == 2
    assert f"Archived comments: {Path('kept').absolute()}" in out
    for name in names:
        (path,) = (path for key, path in archives.items() if key.startswith(f"claims-{name}-"))
        assert len(rnb.read_archive(path)) == counts[name]
    assert cli.main(["undo", "j", "--yes"]) == 0
    out = capsys.readouterr().out
    for name in names:
        assert f"upload them: reinfer-nb upload claims/{name} " in out
    for options, message in (
        (["apply", "change.json", "--rehearse", "--archive", "kept"], "archives nothing"),
        (["undo", "j", "--out", "x.json", "--archive", "kept"], "changes nothing"),
    ):
        assert cli.main(options) == 2
        assert message in capsys.readouterr().err
    assert tmp_path == Path.cwd()


@pytest.mark.slow
def test_undo_of_creates_deletes_and_asks_like_it(
    configured: rnb.Client, typed: Typing, capsys: Captured
) -> None:
    new = pd.DataFrame({"owner": "claims", "name": [f"new-{n}" for n in range(6)]})
    configured.plan(new).apply(progress=False, journal="j")
    assert cli.main(["undo", "j", "--yes"]) == 2
    assert "6 of the 45 sources of claims" in capsys.readouterr().err
    typed("y\n")
    assert cli.main(["undo", "j", "--allow-mass-delete"]) == 1
    question = "Type 6 to delete 6 sources with 0 comments: Nothing was sent.\n"
    assert capsys.readouterr().err == question
    assert len(configured.sources("claims", refresh=True)) == 45
    typed("6\n")
    assert cli.main(["undo", "j", "--allow-mass-delete"]) == 0
    assert len(configured.sources("claims", refresh=True)) == 39


@pytest.mark.slow
def test_undo_to_a_file_changes_nothing(configured: rnb.Client, capsys: Captured) -> None:
    two_titles(configured)
    assert cli.main(["apply", "change.json", "--yes", "--journal", "j"]) == 0
    written = writes(configured)
    capsys.readouterr()
    assert cli.main(["undo", "j", "--out", "change.json"]) == 2
    captured = capsys.readouterr()
    assert (captured.out, "change.json exists" in captured.err) == ("", True)
    assert cli.main(["undo", "j", "--out", "back.json"]) == 0
    captured = capsys.readouterr()
    assert "2 sources to update" in captured.out
    assert captured.err == "Saved to back.json. Apply it with: reinfer-nb apply back.json\n"
    assert writes(configured) == written
    assert cli.main(["apply", "back.json", "--yes"]) == 0
    assert titles(configured) == ("Motor claims inbox", "Glass damage inbox")


def test_undo_carries_out_nothing_that_the_journal_has_left_open(
    configured: rnb.Client, capsys: Captured
) -> None:
    two_titles(configured)
    assert configured.sandbox is not None
    failing = rnb.Fault.answer(403, on="update_source", skip=1)
    arguments = ["apply", "change.json", "--yes", "--workers", "1", "--journal", "j"]
    with configured.sandbox.faults.add(failing):
        assert cli.main(arguments) == 1
    assert titles(configured) == ("Motor", "Glass damage inbox")
    content = Path("j").read_bytes()
    capsys.readouterr()
    assert cli.main(["undo", "j", "--yes"]) == 0
    captured = capsys.readouterr()
    assert "1 source to update (1 field)" in captured.out
    assert "is unknown" not in captured.err
    assert titles(configured) == ("Motor claims inbox", "Glass damage inbox")
    assert Path("j").read_bytes() == content


def test_undo_says_what_nobody_knows_of(configured: rnb.Client, capsys: Captured) -> None:
    two_titles(configured)
    assert cli.main(["apply", "change.json", "--yes", "--workers", "1", "--journal", "j"]) == 0
    cut("j")
    content = Path("j").read_bytes()
    capsys.readouterr()
    assert cli.main(["undo", "j", "--out", "back.json"]) == 0
    captured = capsys.readouterr()
    assert "1 source to update (1 field)" in captured.out
    assert "The outcome of 1 step is unknown; this plan does not reverse it" in captured.out
    assert Path("j").read_bytes() == content


def test_undo_with_nothing_to_put_back(configured: rnb.Client, capsys: Captured) -> None:
    two_titles(configured)
    assert configured.sandbox is not None
    with configured.sandbox.faults.add(rnb.Fault.answer(403, on="update_source")):
        assert cli.main(["apply", "change.json", "--yes", "--journal", "j"]) == 1
    capsys.readouterr()
    assert cli.main(["undo", "j"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert titles(configured) == ("Motor claims inbox", "Glass damage inbox")


def test_the_result_of_a_journal_is_what_it_tells(configured: rnb.Client) -> None:
    df = configured.sources("claims").head(3)
    configured.plan(df.assign(title="The same")).apply(progress=False, journal="j", workers=1)
    head, *lines = Path("j").read_text().splitlines()
    # One step begun and done, one begun, one not begun.
    Path("j").write_text("\n".join([head, *lines[:3]]) + "\n")
    content, asked = Path("j").read_bytes(), sent(configured)
    result = result_of(configured, "j")
    assert result.frame["status"].tolist() == ["done", "begun", "left"]
    assert (result.stopped, result.journal) == ("", Path("j").absolute())
    assert Path("j").read_bytes() == content
    assert sent(configured) == asked
    # The lock is released: `resume` can go on.
    assert resume(configured, "j", progress=False).ok


@pytest.mark.slow
@pytest.mark.parametrize(
    ("closed", "code"), [("<&-", 2), ("--yes >&-", 2), ("--yes 2>&-", 0)], ids=["0", "1", "2"]
)
def test_closed_streams(configured: rnb.Client, forked: list[str], closed: str, code: int) -> None:
    two_titles(configured)
    command = f"{shlex.join(forked)} apply change.json {closed}"
    ended = subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True)
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    edited = titles(configured) != ("Motor claims inbox", "Glass damage inbox")
    assert edited == (code == 0)
