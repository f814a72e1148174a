"""Fixtures for all tests: practice tenants, and an environment without any other tenant."""

from __future__ import annotations

import gc
import os
import signal
import sys
import uuid
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, settings

import reinfer_nb as rnb
from reinfer_nb.api.tenant_clock import Span, TenantClock
from reinfer_nb.audits import rule


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Run all tests that share a host and a page in one process, one after the other.

    They run before the others, since the next of them goes on with the browser and the page of
    JupyterLab that the one before has left.
    """
    for item in items:
        if group := _group_of(item):
            item.add_marker(pytest.mark.browser)
            # pytest-xdist reads this mark in its own hook, which runs after this line.
            item.add_marker(pytest.mark.xdist_group(group))
    yield
    # Other plugins have reordered the tests. Items cannot be keys of a dictionary here:
    # pytest-xdist changes the name from which an item's hash is computed.
    groups = [_group_of(item) for item in items]
    first: dict[str, int] = {}
    ranks = [
        (group is None, first.setdefault(group or item.nodeid, index))
        for index, (group, item) in enumerate(zip(groups, items, strict=True))
    ]
    items[:] = [items[index] for index in sorted(range(len(items)), key=ranks.__getitem__)]


def _group_of(item: pytest.Item) -> str | None:
    """Return the group of tests that share a host with a browser test; None for other tests."""
    if not isinstance(item, pytest.Function) or not item.module.__name__.endswith("_browser"):
        return None
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    kinds = [value for value in parameters.values() if value in ("lab", "voila")]
    return "-".join([item.module.__name__, *kinds])


# The counts of tests; workers of pytest-xdist send theirs to the main process, which prints them.
TALLY = pytest.StashKey[Counter[str]]()


def counted(config: pytest.Config) -> Counter[str]:
    """Return the counts of this process."""
    if TALLY not in config.stash:
        config.stash[TALLY] = Counter()
    return config.stash[TALLY]


class Tally(Protocol):
    """Counts what a test ran, for the summary."""

    def __call__(self, what: str, number: int) -> None:
        """Add a number to the count of `what`."""


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """Count examples, kills and the like; the end of the run prints the sums."""
    counts = counted(request.config)

    def add(what: str, number: int) -> None:
        counts[what] += number

    return add


# No deadlines, since machines differ. Failing examples are printed with a blob to reproduce them.
# CI always runs the same examples; elsewhere pytest-randomly's seed chooses them.
settings.register_profile(
    "tests", deadline=None, print_blob=True, derandomize=os.environ.get("CI") == "true"
)
settings.load_profile("tests")


# For tests whose examples use a tenant and may be slow.
SLOW_EXAMPLES = settings(
    max_examples=50,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


def pytest_configure() -> None:
    """Restore Ctrl-C, which processes that a shell starts in the background ignore."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from visiting the collected tests again and again."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the servers of browser tests; send the counts of a worker to the main process."""
    if browser := sys.modules.get("tests.browser"):
        browser.close_browser()
        browser.stop_servers()
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["tally"] = dict(counted(session.config))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Close the shared browser before a test that needs none."""
    if (browser := sys.modules.get("tests.browser")) and not item.get_closest_marker("browser"):
        browser.close_browser()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the texts and the errors of the open pages if a test in a browser fails."""
    report = yield
    helpers = sys.modules.get("tests.browser")
    if report.failed and helpers and item.get_closest_marker("browser"):
        report.sections += [("open page", text) for text in helpers.page_reports()]
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add the counts of a worker."""
    counted(node.config).update(getattr(node, "workeroutput", {}).get("tally", {}))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the counts."""
    counts = counted(config)
    if counts:
        terminalreporter.section("counted")
        for what, number in sorted(counts.items()):
            terminalreporter.write_line(f"{number:,} {what}")


@pytest.fixture(scope="session", autouse=True)
def _no_tenant_of_whoever_runs_the_tests(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    # For the whole run, since the job of a form may go on when its test has ended: `keyring` would
    # then choose a keyring for all tests that follow, even one of those that tests define.
    with pytest.MonkeyPatch.context() as patch:
        for name in ("REINFER_ENDPOINT", "REINFER_TOKEN", "REINFER_CONTEXT"):
            patch.delenv(name, raising=False)
        patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
        between_tests = tmp_path_factory.getbasetemp() / "between-tests"
        patch.setenv("XDG_CONFIG_HOME", str(between_tests / "config"))
        patch.setenv("XDG_STATE_HOME", str(between_tests / "state"))
        yield


@pytest.fixture(autouse=True)
def _own_user_folders(
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # Most tests need no folder, and making one takes longer than many of them.
    home = (
        request.getfixturevalue("tmp_path")
        if "tmp_path" in request.fixturenames
        else tmp_path_factory.getbasetemp() / f"user-{uuid.uuid4().hex}"
    )
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))


@pytest.fixture(autouse=True)
def _no_rules_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule, "_own", {})


@pytest.fixture(autouse=True)
def _no_figures_of_other_tests() -> Iterator[None]:
    yield
    # Do not import pyplot just to close figures.
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


def _widgets() -> dict[str, Any]:
    """Return all widgets of this process that are not closed, by their ids."""
    module = sys.modules.get("ipywidgets.widgets.widget")
    return {} if module is None else dict(module._instances)


@pytest.fixture(autouse=True)
def _no_widgets_of_other_tests() -> Iterator[None]:
    # Widgets of fixtures with a wider scope exist already and stay open.
    before = _widgets().keys()
    yield
    # Otherwise, code that visits all widgets of the process would get slower with each test.
    made = _widgets()
    for widget in [made[name] for name in made.keys() - before]:
        sys.modules["ipywidgets"].Widget.close(widget)


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove proxies and certificates from the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)


@pytest.fixture
def client() -> Iterator[rnb.Client]:
    """A client of a new sandbox, with the admin's token."""
    with rnb.sandbox() as made:
        yield made


@pytest.fixture(scope="module")
def shared() -> Iterator[rnb.Client]:
    """A client of a sandbox that a module's tests share; for tests that only read."""
    with rnb.sandbox() as made:
        yield made


@pytest.fixture
def viewer(client: rnb.Client) -> Iterator[rnb.Client]:
    """A client of the same sandbox as `client`, with the viewer's token."""
    assert client.sandbox is not None
    token = client.sandbox.tokens["viewer"]
    with rnb.connect(endpoint=client.endpoint, token=token) as made:
        yield made


@pytest.fixture
def configured(client: rnb.Client, monkeypatch: pytest.MonkeyPatch) -> rnb.Client:
    """The client of a sandbox that is configured in the environment."""
    assert client.sandbox is not None
    monkeypatch.setenv("REINFER_ENDPOINT", client.endpoint)
    monkeypatch.setenv("REINFER_TOKEN", client.sandbox.tokens["admin"])
    return client


@pytest.fixture
def coarse_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the tenant's clock too coarse to prove who created a source, on any machine."""
    exact = TenantClock.at

    def coarse(clock: TenantClock, moment: float) -> Span | None:
        span = exact(clock, moment)
        return None if span is None else replace(span, latest=span.latest + timedelta(hours=1))

    monkeypatch.setattr(TenantClock, "at", coarse)
