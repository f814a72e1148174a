"""All paths of users are treated in the same way; values that are not paths are refused."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import cli
from reinfer_nb.errors import FileProblem, InvalidInput
from reinfer_nb.files import path_of


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def at_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set a home folder, and beside it the working folder; return the home folder."""
    home, here = folder / "home", folder / "here"
    home.mkdir(parents=True)
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    return home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder beside the working folder."""
    return at_home(tmp_path, monkeypatch)


def listing(client: rnb.Client) -> pd.DataFrame:
    return client.sources("claims")


def plan(client: rnb.Client) -> rnb.Plan:
    return client.plan(listing(client).assign(title="One title"))


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("bad", "advice"),
    [
        (5, "A path must be a text such as 'sources.csv' or a Path, not 5"),
        (io.StringIO(), "is an open file or a buffer. Give the path"),
        ("", "empty. Give a path"),
        ("gs://b/x", "URL, .* copy the file"),
        ("a\0", "Remove the NUL"),
        ("~nobody-is-called-so", None),
        ("~nobody-is-called-so/x", "home folder '~nobody-is-called-so' .* from the root"),
    ],
)
def test_the_message_says_what_to_do(bad: object, advice: str | None) -> None:
    if advice is None:
        # This is a valid name of a file.
        assert path_of(bad) == Path.cwd() / str(bad)
        return
    with pytest.raises((InvalidInput, FileProblem), match=advice):
        path_of(bad)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~", "{home}"),
        ("~/", "{home}"),
        ("~/a/~/b", "{home}/a/~/b"),
        ("a.csv", "a.csv"),
        ("./a.csv", "a.csv"),
        ("a/~", "a/~"),
        ("./~", "{here}/~"),
        ("./~/x", "{here}/~/x"),
        ("~backup.csv", "{here}/~backup.csv"),
        ("a:b.csv", "a:b.csv"),
        ("C:\\a.csv", "C:\\a.csv"),
    ],
)
def test_a_path_is_looked_at_once(home: Path, text: str, expected: str) -> None:
    path = path_of(text)
    assert str(path) == expected.format(home=home, here=Path.cwd())
    assert path_of(path) == path
    assert path_of(str(path)) == path


@pytest.mark.usefixtures("home")
def test_a_folder_called_like_a_home_is_that_folder() -> None:
    Path("~nobody-is-called-so").mkdir()
    assert path_of("~nobody-is-called-so/x") == Path.cwd() / "~nobody-is-called-so/x"


@pytest.mark.usefixtures("home")
def test_without_a_home_nothing_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    for text in ("~", "~/x"):
        with pytest.raises(FileProblem, match=r"home folder '~' .* is not known"):
            path_of(text)


CALLS = {
    "list": ["list", "--csv"],
    "audit": ["audit", "--fail-on", "never", "--out"],
    "plan": ["plan", "~/sources.csv", "--out"],
    "apply": ["apply", "plan.json", "--yes", "--journal"],
}


@pytest.mark.slow
@pytest.mark.parametrize("command", ["list", "audit", "plan", "apply"])
def test_the_command_line_knows_home(
    configured: rnb.Client, home: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edited = rnb.to_csv(listing(configured).assign(title="One title"), home / "sources.csv")
    if command == "apply":
        plan(configured).save("plan.json")
    # A shell does not expand "--out=~/x".
    *words, option = CALLS[command]
    assert cli.main([*words, f"{option}=~/made"]) == 0, capsys.readouterr().err
    assert names(home) == ["made", "sources.csv"]
    assert edited.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        *(["list", "--csv"], ["audit", "--out"], ["plan", "x.csv", "--out"], ["apply"]),
        *(["apply", "p.json", "--journal"], ["resume"], ["undo"], ["undo", "j", "--out"]),
        *(["sandbox", "--database"], ["sandbox", "--data"], ["lab", "--folder"]),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("bad", ["", "s3://bucket/x"])
def test_the_command_line_refuses_what_is_no_path(
    home: Path,
    words: list[str],
    bad: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # An unset shell variable is an empty text, which must not turn an option off.
    with pytest.raises(SystemExit) as caught:
        cli.main([*words, bad])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert ("path is empty" if bad == "" else "is a URL") in error
    assert names(Path()) == names(home) == []


def test_a_bundle_is_found_after_a_change_of_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("bundle.pem").write_text("")
    with rnb.connect(
        endpoint="https://nobody.invalid", token="x" * 20, verify="bundle.pem"
    ) as client:
        monkeypatch.chdir(home)
        assert client._transport.tenant.verify == str(home.parent / "here" / "bundle.pem")
