"""All paths of users are treated in the same way; values that are not paths are refused."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests

import reinfer_nb as rnb
from reinfer_nb import cli
from reinfer_nb.errors import FileProblem, InvalidInput
from reinfer_nb.files import path_of
from reinfer_nb.snapshots.listing_source import listing_at
from tests.waiting import AGES

Use = Callable[[rnb.Client, Any], object]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder beside the working folder."""
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    return home


def listing(client: rnb.Client) -> pd.DataFrame:
    return client.sources("claims")


def plan(client: rnb.Client) -> rnb.Plan:
    return client.plan(listing(client).assign(title="One title"))


def record(client: rnb.Client, path: Any) -> object:
    return rnb.History(path).record(listing(client))


def database(_: rnb.Client, path: Any) -> object:
    with rnb.sandbox(database=path) as other:
        return other.me()


def delete_by_form(client: rnb.Client, path: Any) -> object:
    form = rnb.delete_form(client, "claims/motor-inbox", restore_folder=path)
    assert form.restore_file is not None
    form.restore_file.parent.mkdir(parents=True)
    return form.restore_file


# Calls that write a file or a folder.
WRITERS: dict[str, Use] = {
    "to_csv": lambda client, path: rnb.to_csv(listing(client), path),
    "to_excel": lambda client, path: rnb.to_excel(listing(client), path),
    "History": record,
    "Plan.save": lambda client, path: plan(client).save(path),
    "Plan.apply": lambda client, path: plan(client).apply(progress=False, journal=path),
    "delete_source": lambda client, path: client.delete_source(
        "claims/motor-inbox", restore_file=path
    ),
    "delete_form": delete_by_form,
    "AuditReport.to_csv": lambda client, path: rnb.audit(listing(client)).to_csv(path),
    "Comparison.to_csv": lambda client, path: rnb.compare(
        listing(client), listing(client).iloc[1:]
    ).to_csv(path),
    "AuditReport.to_excel": lambda client, path: rnb.audit(listing(client)).to_excel(path),
    "Comparison.to_excel": lambda client, path: rnb.compare(
        listing(client), listing(client).iloc[1:]
    ).to_excel(path),
    "sandbox(database=)": database,
}


def write_listing(client: rnb.Client, path: Path) -> None:
    """Write a listing to `path`, after creating its folder."""
    path.parent.mkdir(exist_ok=True)
    rnb.to_csv(listing(client), path)


def undone(client: rnb.Client, path: Any) -> object:
    return rnb.resume(client, path, progress=False).undo()


def resumed(client: rnb.Client, path: Any) -> object:
    return rnb.resume(client, path, progress=False)


def filled(_: rnb.Client, path: Any) -> object:
    with rnb.sandbox(path) as other:
        return other.me()


def bundle(_: rnb.Client, path: Any) -> object:
    return rnb.connect(endpoint="https://nobody.invalid", token="x" * 20, verify=path)


# Pairs of calls that write a file or folder and that read it.
READERS: dict[str, tuple[Use, Use]] = {
    "read_csv": (WRITERS["to_csv"], lambda _, path: rnb.read_csv(path)),
    "read_excel": (WRITERS["to_excel"], lambda _, path: rnb.read_excel(path)),
    "listing_at, a file": (WRITERS["to_csv"], lambda _, path: listing_at(path)),
    "listing_at, a history": (
        WRITERS["History"],
        lambda _, path: listing_at(path, "claims"),
    ),
    "History": (
        WRITERS["History"],
        lambda _, path: rnb.History(path).load(project="claims"),
    ),
    "sandbox(data=)": (WRITERS["to_csv"], filled),
    "load_plan": (WRITERS["Plan.save"], lambda _, path: rnb.load_plan(path)),
    "resume": (WRITERS["Plan.apply"], resumed),
    "undo": (WRITERS["Plan.apply"], undone),
    "restore": (WRITERS["delete_source"], rnb.restore),
    "connect(verify=)": (WRITERS["to_csv"], bundle),
}
FORMS: dict[str, Callable[[str], Any]] = {
    "text": str,
    "Path": Path,
    "os.PathLike": PurePosixPath,
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::reinfer_nb.RestoredWarning")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", WRITERS)
def test_home_is_home_wherever_something_is_written(
    client: rnb.Client, home: Path, name: str, form: str
) -> None:
    WRITERS[name](client, FORMS[form]("~/made"))
    assert names(home) == ["made"]
    assert names(Path()) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::reinfer_nb.RestoredWarning")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", READERS)
def test_home_is_home_wherever_something_is_read(
    client: rnb.Client, home: Path, name: str, form: str
) -> None:
    make, use = READERS[name]
    make(client, home / "made")
    use(client, FORMS[form]("~/made"))
    assert names(Path()) == []


def listing_of(client: rnb.Client) -> bytes:
    """Return the tenant's response with all sources."""
    assert client.sandbox is not None
    response = requests.get(
        client.endpoint + "/api/v1/sources",
        headers={"Authorization": f"Bearer {client.sandbox.tokens['admin']}"},
        timeout=AGES,
    )
    assert response.status_code == 200
    return response.content


BAD: dict[str, object] = {
    "None": None,
    "5": 5,
    "True": True,
    "nan": float("nan"),
    "huge": 10**400,
    "numpy number": np.int64(5),
    "bytes": b"made",
    "BytesIO": io.BytesIO(b"x"),
    "StringIO": io.StringIO("x"),
    "list": ["made"],
    "empty": "",
    "NUL": "a\0b",
    "half a character": "a\ud800",
    "URL": "s3://bucket/made",
    "file URL": "file:///tmp/made",
    "nobody's home": "~nobody-is-called-so/made",
}
# Values of BAD that have a meaning for these arguments.
MEANT = {
    "delete_source": ("None",),
    "delete_form": ("None",),
    "Plan.apply": ("None",),
    "sandbox(database=)": ("None",),
    "sandbox(data=)": ("None",),
    "connect(verify=)": ("True", "None"),
}
# These arguments accept URLs.
OF_URLS = ("History", "listing_at, a file", "listing_at, a history")


@pytest.mark.slow
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", [*WRITERS, *(name for name in READERS if name not in WRITERS)])
def test_what_is_no_path_is_refused_before_anything_happens(
    shared: rnb.Client, home: Path, name: str, bad: str
) -> None:
    if bad in MEANT.get(name, ()) or ("URL" in bad and name in OF_URLS):
        pytest.skip("has a meaning there")
    use = WRITERS[name] if name in WRITERS else READERS[name][1]
    before = listing_of(shared)
    with pytest.raises((InvalidInput, FileProblem)) as caught:
        use(shared, BAD[bad])
    assert type(caught.value) in (InvalidInput, FileProblem)
    message = str(caught.value)
    assert 20 < len(message) < 600
    assert message.isprintable()
    assert listing_of(shared) == before
    assert names(Path()) == names(home) == []


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
