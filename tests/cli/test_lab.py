"""`reinfer-nb lab`: JupyterLab with the notebooks, on the right tenant, overwriting nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import requests

import reinfer_nb as rnb
from reinfer_nb import errors
from reinfer_nb.auth import tenant
from reinfer_nb.cli import lab
from tests import browser
from tests.waiting import AGES

needs_chromium = pytest.mark.skipif(browser.chromium() is None, reason="no Chromium on the PATH")


def test_notebooks_are_copied_and_the_user_s_own_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "01-quickstart.ipynb").write_text("mine")
    copied = lab.copy_notebooks(tmp_path)
    assert [path.name for path in copied] == [path.name for path in lab.shipped_notebooks()]
    assert (tmp_path / "01-quickstart.ipynb").read_text() == "mine"
    assert "was not overwritten" in capsys.readouterr().out

    copied = lab.copy_notebooks(tmp_path / "new" / "folder")
    assert copied[0].read_bytes() == lab.shipped_notebooks()[0].read_bytes()
    assert capsys.readouterr().out == ""


def test_a_folder_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.FileProblem, match="could not be copied"):
        lab.copy_notebooks(tmp_path / "file" / "folder")


def test_a_broken_configuration_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(tenant.TOKEN, "abc")
    with pytest.raises(errors.ConfigurationError, match="no endpoint"):
        lab.run(tmp_path, browser=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_on_a_sandbox_of_its_own_when_nothing_is_configured(tmp_path: Path) -> None:
    with browser.jupyterlab(tmp_path) as (address, process):
        log = (tmp_path / "lab.log").read_text()
        box = re.search(r"Practice tenant at (\S+) \(no tenant is configured\)", log)
        assert box is not None
        answer = requests.get(f"{box[1]}/api/v1/sources", timeout=AGES)
        assert answer.status_code == 401
        files = requests.get(f"{address}/api/contents/{lab.FOLDER}", timeout=AGES).json()["content"]
        assert "01-quickstart.ipynb" in [file["name"] for file in files]
        process.terminate()
        process.wait(AGES)
    for gone in (address, box[1]):
        with pytest.raises(requests.ConnectionError):
            requests.get(gone, timeout=AGES)


@pytest.mark.slow
def test_on_the_tenant_that_is_configured(client: rnb.Client, tmp_path: Path) -> None:
    assert client.sandbox is not None
    environment = {
        tenant.ENDPOINT: client.endpoint,
        tenant.TOKEN: client.sandbox.tokens["viewer"],
    }
    with browser.jupyterlab(tmp_path, environment=environment):
        log = (tmp_path / "lab.log").read_text()
    assert f"Tenant {client.endpoint} (token from environment variable" in log
    assert "Practice tenant" not in log
    assert client.sandbox.tokens["viewer"] not in log


@pytest.mark.slow
@needs_chromium
def test_the_quickstart_runs_in_a_browser(tmp_path: Path) -> None:
    with browser.jupyterlab(tmp_path) as (address, _), browser.page() as tab:
        browser.open_notebook(tab, address, f"{lab.FOLDER}/01-quickstart.ipynb")
        browser.run_all_cells(tab, cells=19)
        tab.get_by_text("130 rows").first.wait_for(state="attached")
        assert (tmp_path / lab.FOLDER / "stale-sources.csv").is_file()
