"""The explorer: key strokes in the search, a title saved, and the bytes sent to the browser."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import comm
import pandas as pd
from comm.base_comm import BaseComm

import reinfer_nb as rnb
from reinfer_nb.search.table_filter import Narrowing
from reinfer_nb.widgets.explorer.source_details import EDIT
from tests.benchmarks.measuring import Line, Scale, took
from tests.benchmarks.tenants import body_of, by_toolkit, rows_of, sandbox_command

_TYPED = ("number 99", "source", "zzz", "e", "data team project-7")
_QUERIES = (
    "99123",
    "source",
    "nothing of it",
    "e",
    "number 99",
    "number project-7/",
    '"number 12"',
)
_BY_HAND = "`df[df.title.str.contains(q)]`"


class _Counted(BaseComm):
    """A way to a browser that counts the bytes."""

    sent = 0

    def publish_msg(
        self,
        msg_type: str,
        data: Any = None,
        metadata: Any = None,
        buffers: Any = None,
        **keys: Any,
    ) -> None:
        text = json.dumps([msg_type, data, metadata, keys], ensure_ascii=False)
        _Counted.sent += len(text.encode()) + sum(len(part) for part in buffers or ())


def lines(scale: Scale) -> Iterator[Line]:
    """Yield the lines of this part."""
    usual = comm.create_comm
    comm.create_comm = _Counted
    try:
        count = scale.fewer_sources
        rows = [row | {"owner": f"project-{n % 5000}"} for n, row in enumerate(rows_of(count))]
        listing = by_toolkit(body_of(rows))
        yield from _narrowings(scale, listing)
        with tempfile.TemporaryDirectory() as folder:
            file = rnb.to_csv(listing, Path(folder) / "sources.csv")
            with (
                sandbox_command("--data", str(file)) as (endpoint, token),
                rnb.connect(endpoint=endpoint, token=token) as client,
            ):
                yield from _opened(scale, client)
    finally:
        comm.create_comm = usual


def _narrowings(scale: Scale, df: pd.DataFrame) -> Iterator[Line]:
    narrowing = Narrowing(df)
    for state, chosen in (("", {}), (", two facets chosen", {"language": "en", "kind": "chat"})):
        narrowing.narrow("", chosen)
        for query in _QUERIES[:2] if scale.quick else _QUERIES:

            def by_toolkit(query: str = query) -> None:
                narrowing.narrow(query)
                narrowing.counts()

            ours, theirs = [], []
            for _ in range(scale.rounds(15)):
                narrowing.narrow("")  # As if the query were new.
                ours.append(took(by_toolkit))
                theirs.append(took(partial(_by_hand, df, query.replace('"', ""))))
            what = f"search of {len(df):,} sources for `{query}`{state}"
            yield Line("explorer", what, ours, _BY_HAND, theirs)


def _opened(scale: Scale, client: rnb.Client) -> Iterator[Line]:
    df = client.sources()
    begin = _Counted.sent
    explorer = rnb.explore(client)
    _hear(explorer, {"kind": "open"})
    sent = [(_Counted.sent - begin) / 1e6]
    what = f"sent to open an explorer of {len(df):,} sources"
    yield Line("explorer", what, sent, "limit: 0.3 MB", [0.3], 1, "MB")
    for typed in _TYPED[:1] if scale.quick else _TYPED:
        yield _strokes(scale, explorer, df, typed)
    yield _saved(scale, explorer)


def _strokes(scale: Scale, explorer: Any, df: pd.DataFrame, typed: str) -> Line:
    """Type a text letter by letter; the line has the letter with the least ratio."""
    texts = [typed[:end] for end in range(1, len(typed) + 1)]
    ours: dict[str, list[float]] = {text: [] for text in texts}
    theirs: dict[str, list[float]] = {text: [] for text in texts}
    for _ in range(scale.rounds(9)):
        explorer.search = ""
        for text in texts:
            ours[text].append(took(partial(_hear, explorer, {"kind": "search", "text": text})))
            theirs[text].append(took(partial(_by_hand, df, text)))
    strokes = [
        Line(
            "explorer",
            f"a letter of `{typed}` in an explorer of {len(df):,} sources, the slowest",
            ours[text],
            _BY_HAND,
            theirs[text],
        )
        for text in texts
    ]
    return min(strokes, key=lambda line: line.ratio)


def _saved(scale: Scale, explorer: Any) -> Line:
    """Save a title; the time is that of this process alone, since the tenant runs in another."""
    message = {"kind": "select", "row": 7, "how": "only", "version": explorer.finder.shown}
    explorer.finder._handle_custom_msg(message, [])
    explorer.details.tabs.selected_index = EDIT
    explorer.details.delete.jobs.wait()
    times = []
    for number in range(scale.rounds(9) + 1):
        form = explorer.details.edit
        form.controls["title"].fill(f"Title number {number}")
        time.sleep(0.6)  # A second click within half a second counts as a double click.
        times.append(_processor_time(partial(_press, form)))
    what = f"a title saved in an explorer of {scale.fewer_sources:,} sources, without the tenant"
    return Line("explorer", what, times[1:], "limit: 100 ms", [100.0], 1)


def _press(form: Any) -> None:
    form.button.click()
    form.jobs.wait()


def _processor_time(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return (time.process_time() - begin) * 1e3


def _by_hand(df: pd.DataFrame, text: str) -> pd.DataFrame:
    return df[df.title.str.contains(text)]


def _hear(explorer: Any, content: dict[str, Any]) -> None:
    data = {"method": "custom", "content": content}
    before = _Counted.sent
    explorer.finder.comm.handle_msg({"content": {"data": data}, "buffers": []})
    assert _Counted.sent > before, "there was no answer"
