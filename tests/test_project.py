"""The project itself: its public names, its README, its package."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import reinfer_nb as rnb
from reinfer_nb.cli.parser import parser
from reinfer_nb.schema import fields
from reinfer_nb.schema.records import Source, SourceSettings
from tests.waiting import AGES

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "reinfer_nb"


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_no_module_is_too_long_to_hold_in_the_head(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_no_folder_has_too_many_modules_to_choose_from() -> None:
    folders = Counter(path.parent for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    assert max(folders.values()) <= 20


def test_the_public_surface_is_what_it_says() -> None:
    assert rnb.__all__ == sorted(rnb.__all__)
    for name in rnb.__all__:
        thing = getattr(rnb, name)
        assert inspect.getdoc(thing), name
        assert callable(thing) or inspect.ismodule(thing), name


def test_sandbox_is_a_module_that_can_be_called() -> None:
    names: dict[str, Any] = {}
    exec("import reinfer_nb.sandbox as module", names)  # noqa: S102 - types name the function
    module = names["module"]
    assert module.Fault is rnb.Fault
    assert inspect.getdoc(module.sandbox) == inspect.getdoc(module.__call__)
    assert inspect.signature(module) == inspect.signature(module.sandbox)
    with rnb.sandbox() as client, module.sandbox() as other:
        assert client.me().username == other.me().username
    assert module is rnb.sandbox


@pytest.mark.slow
def test_notebooks_complete_keywords() -> None:
    # In its own process: others would take a shell for a notebook.
    code = """
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import reinfer_nb as rnb

shell = InteractiveShell.instance()
with rnb.sandbox() as client, provisionalcompleter():
    shell.user_ns |= {"client": client, "rnb": rnb}
    for line, wanted in {
        'client.update_source("a/b", ti': "title=",
        'client.create_source("a/b", buc': "bucket_id=",
        "rnb.sandbox(dat": "database=",
        "rnb.Snap": "Snapshot",
    }.items():
        completions = shell.Completer.completions(line, len(line))
        assert wanted in {completion.text.lstrip(".") for completion in completions}, line
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=AGES)


@pytest.mark.slow
def test_dir_shows_the_public_names_and_no_others() -> None:
    assert dir(rnb) == rnb.__all__
    # In a new process, since most modules are loaded already in this one.
    code = (
        "import sys, reinfer_nb as rnb\n"
        "assert dir(rnb) == rnb.__all__, dir(rnb)\n"
        "import reinfer_nb.history.history, reinfer_nb.widgets\n"
        "assert dir(rnb) == rnb.__all__, dir(rnb)\n"
        "assert rnb.charts is sys.modules['reinfer_nb.charts']\n"
        "assert rnb.history.History is rnb.History\n"
        "from IPython.core.completer import IPCompleter\n"
        "completer = IPCompleter(namespace={'rnb': rnb}, use_jedi=False)\n"
        "shown = {found.rsplit('.', 1)[1] for found in completer.complete('rnb.')[1]}\n"
        "assert shown == set(rnb.__all__), shown ^ set(rnb.__all__)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def public_functions() -> Iterator[tuple[str, object]]:
    for name in rnb.__all__:
        thing = getattr(rnb, name)
        if inspect.isfunction(thing):
            yield name, thing
        elif inspect.ismodule(thing) or thing in (rnb.Client, rnb.Sandbox, rnb.History):
            # The README describes the other classes with the functions that return them.
            home = thing.__name__ if inspect.ismodule(thing) else thing.__module__
            for attribute, method in vars(thing).items():
                ours = inspect.isfunction(method) and method.__module__ == home
                if ours and not attribute.startswith("_"):
                    yield f"{name}.{attribute}", method


@pytest.mark.parametrize(("name", "function"), list(public_functions()))
def test_public_functions_document_every_parameter(name: str, function: object) -> None:
    assert callable(function)
    documentation = inspect.getdoc(function) or ""
    assert len(documentation.splitlines()[0]) > 10, name
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name not in ("self", "refresh", "progress") or "Args:" in documentation:
            stars = "*" * (2 if parameter.kind is parameter.VAR_KEYWORD else 0)
            if parameter.name != "self":
                assert f"{stars}{parameter.name}: " in documentation, (name, parameter.name)


def test_the_settings_an_editor_completes_are_those_of_the_definition() -> None:
    table = fields.fields_of(Source)
    assert set(get_type_hints(SourceSettings)) == {f.name for f in table if f.may("update")}
    assert {f.name for f in table if f.may("create")} == {f.name for f in table if f.may("update")}


def test_the_readme_names_every_public_function_and_command() -> None:
    readme = (ROOT / "README.md").read_text()
    for name, _ in public_functions():
        if name not in ("Sandbox.start", "Sandbox.stop", "Client.close"):
            assert name.rpartition(".")[2] in readme, name
    for command in parser()._subparsers._group_actions[0].choices:  # type: ignore[union-attr]
        assert f"reinfer-nb {command}" in readme


def test_the_readme_is_read_in_one_go() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 220


def test_the_readme_shows_the_contract() -> None:
    readme = (ROOT / "README.md").read_text()
    rows = re.findall(r"^\| (`.*`) \| `([^`]*)`", readme, re.MULTILINE)
    dtypes = {
        column: dtype for columns, dtype in rows for column in re.findall(r"`(\w+)`", columns)
    }
    for field in fields.fields_of(Source):
        assert dtypes[field.name] == str(field.type.dtype)


def test_python_in_the_readme_is_python() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) > 4
    for block in blocks:
        ast.parse(block)


def test_ci_runs_the_readme_s_second_command() -> None:
    blocks = re.findall(r"```sh\n(.*?)\n```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert "reinfer-nb lab" in blocks[0]
    assert "pytest" in blocks[1]
    script = (ROOT / ".ci" / "run").read_text()
    awk = re.search(r"\$\((awk .*README\.md)\)", script)
    assert awk is not None
    taken = subprocess.run(
        ["bash", "-c", awk[1]], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert taken.strip() == blocks[1]


def test_tests_that_share_a_host_run_one_after_the_other(request: pytest.FixtureRequest) -> None:
    marks = {item: item.get_closest_marker("xdist_group") for item in request.session.items}
    groups = [mark.args[0] for mark in marks.values() if mark is not None]
    assert len({*groups}) == len([*itertools.groupby(groups)])
    if hasattr(request.config, "workerinput"):
        # pytest-xdist groups tests by their ids.
        for item, mark in marks.items():
            assert mark is None or item.nodeid.endswith(f"@{mark.args[0]}")


def test_the_changelog_has_its_form() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (.*)$", changelog, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    for heading in headings[1:]:
        assert re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading)
    kinds = set(re.findall(r"^### (.*)$", changelog, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.mark.slow
def test_the_wheel_holds_notebooks_types_and_licence(tmp_path: Path) -> None:
    pytest.importorskip("build", reason="the extra dev is not installed")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in ("reinfer_nb/_notebooks/01-quickstart.ipynb", "reinfer_nb/py.typed"):
        assert wanted in names
    assert any(name.endswith("LICENSE") for name in names)
    assert not any(name.startswith("tests") for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--help", "--version", "plan --help", "--nonsense"])
def test_help_is_shown_at_once(option: str) -> None:
    code = (
        "import sys\nfrom reinfer_nb.cli import main\n"
        f"try: main({option.split()!r})\nexcept SystemExit: pass\n"
        "assert not {'pandas', 'numpy', 'requests'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=AGES)


def test_importing_loads_nothing_that_is_not_needed_yet() -> None:
    code = "import sys, reinfer_nb; print(' '.join(sorted(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    for heavy in (
        "anywidget",
        "starlette",
        "uvicorn",
        "ipywidgets",
        "IPython",
        "matplotlib",
        "tqdm",
        "sqlite3",
        "msgspec",
    ):
        assert heavy not in loaded
