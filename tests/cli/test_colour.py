"""Colours are used on a terminal only, and can be switched off."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import reinfer_nb as rnb
from reinfer_nb import cli
from tests.cli.terminals import on_terminal

Captured = pytest.CaptureFixture[str]
CODE = re.compile(r"\x1b\[[0-9;]*m")
COMMANDS = {
    "list": (["list", "--project", "people"], "\x1b[1m"),
    "audit": (["audit"], "\x1b[33mwarning:\x1b[0m "),
    "compare": (["compare", "edited.csv"], "\x1b[33m~\x1b[0m claims/motor-inbox title"),
    "plan": (["plan", "edited.csv"], "\x1b[33m~\x1b[0m claims/motor-inbox\n"),
    "problems": (["plan", "broken.csv"], "\x1b[31m!\x1b[0m row 2, "),
}


@pytest.fixture(autouse=True)
def _files(configured: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    df = configured.sources()
    df.loc[0, "title"] = "\x1b[31mMotor"
    rnb.to_csv(df, "edited.csv")
    df.loc[0, "language"] = "english"
    rnb.to_csv(df, "broken.csv")


def without_times(text: str) -> str:
    return re.sub(r"\d\d:\d\d:\d\d", "", text)


@pytest.mark.parametrize("name", COMMANDS)
def test_colours_on_a_terminal_and_the_same_text(name: str, capsys: Captured) -> None:
    arguments, marked = COMMANDS[name]
    code, coloured = on_terminal(arguments, 1000)
    assert marked in coloured
    assert coloured.startswith("\x1b[1m")
    assert cli.main(arguments) == code
    plain = capsys.readouterr().out
    assert "\x1b" not in plain
    bare = CODE.sub("", coloured)
    if name != "list":
        assert without_times(bare) == without_times(plain)
    # A text of the tenant stays escaped, so that it sets no colour.
    assert "\x1b" not in bare


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_switched_off(
    name: str, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert "\x1b" not in on_terminal(COMMANDS[name][0], 80)[1]


@pytest.mark.parametrize("form", ["text", "csv", "json", "html"])
def test_files_have_no_colours(form: str) -> None:
    _, out = on_terminal(["audit", "--format", form, "--out", "found"], 80)
    assert "\x1b" not in out
    assert b"\x1b" not in Path("found").read_bytes()
    if form != "text":
        assert "\x1b" not in on_terminal(["audit", "--format", form], 80)[1]
