"""Threads that work on one practice tenant with faults, each with sources of its own."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from random import Random
from typing import Any

import reinfer_nb as rnb
from reinfer_nb import Fault
from tests.soak.measuring import Held, held

THREADS, SOURCES = 8, 6
PROJECT = "claims"
# One request in twenty is refused, dropped, cut, or carried out without a response.
FAULTS = [
    Fault.answer(503, probability=0.02, seed=1),
    Fault.answer(429, retry_after=0, probability=0.01, seed=2),
    Fault.drop(probability=0.01, seed=3),
    Fault.drop(after=True, probability=0.005, seed=4),
    Fault.cut(probability=0.005, seed=5),
    # The hardest of all, which chance would bring too seldom.
    Fault.drop(after=True, on=("create_source", "delete_source"), probability=0.1, seed=6),
]


class Worker:
    """Works on its own sources, and knows what they must be.

    Attributes:
        done: How often it did what.
        wrong: What it found that must not be.
    """

    def __init__(self, client: rnb.Client, number: int, dice: Random) -> None:
        self._client, self._dice = client, dice
        self._names = [f"soak-{number}-{place}" for place in range(SOURCES)]
        # The titles that a source may have; None if it may be missing. One, unless in doubt.
        self._titles: dict[str, set[str | None]] = {name: {None} for name in self._names}
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []

    def work(self, until: float, stop: threading.Event) -> None:
        """Do one thing after another until a time, or until one of all workers finds a fault."""
        steps = [self._create, self._update, self._update, self._delete, self._read, self._list]
        steps += [self._count, self._plan]
        while time.monotonic() < until and not stop.is_set():
            step = self._dice.choice(steps)
            name = self._dice.choice(self._names)
            try:
                step(name)
            except rnb.ReinferError as error:
                self.done[type(error).__name__] += 1
            self.done[step.__name__.strip("_")] += 1
            if self.wrong:
                stop.set()

    def check(self) -> None:
        """Compare all sources with what they must be."""
        df = self._client.sources(PROJECT, refresh=True)
        there = dict(zip(df["name"], df["title"], strict=True))
        for name in self._names:
            self._seen(name, there.get(name))

    def _seen(self, name: str, title: str | None) -> None:
        if title not in self._titles[name]:
            self.wrong.append(f"{name} is {title!r}, not one of {self._titles[name]}")
        self._titles[name] = {title}

    def _write(self, name: str, title: str | None, call: Any) -> None:
        """Write; what was acknowledged must be there, and what failed may be if it is in doubt."""
        before = self._titles[name]
        self._titles[name] = before | {title}
        try:
            call()
        except rnb.ReinferError as error:
            if not error.in_doubt:
                self._titles[name] = before
            raise
        self._titles[name] = {title}

    def _title(self) -> str:
        return f"title {self._dice.randrange(10**9)}"

    def _create(self, name: str) -> None:
        title, before = self._title(), self._titles[name]
        try:
            self._write(
                name, title, lambda: self._client.create_source(f"{PROJECT}/{name}", title=title)
            )
        except rnb.Conflict:
            self._expect(name, before != {None}, "exists")
            # One that a write in doubt has made.
            self._titles[name] = before - {None}

    def _update(self, name: str) -> None:
        title, before = self._title(), self._titles[name]
        try:
            self._write(
                name, title, lambda: self._client.update_source(f"{PROJECT}/{name}", title=title)
            )
        except rnb.NotFound:
            self._expect(name, None in before, "is missing")
            self._titles[name] = {None}

    def _delete(self, name: str) -> None:
        before = self._titles[name]
        try:
            self._write(name, None, lambda: self._client.delete_source(f"{PROJECT}/{name}"))
        except rnb.NotFound:
            self._expect(name, None in before, "is missing")
            self._titles[name] = {None}

    def _read(self, name: str) -> None:
        try:
            self._seen(name, self._client.source(f"{PROJECT}/{name}").title)
        except rnb.NotFound:
            self._seen(name, None)

    def _list(self, _: str) -> None:
        self.check()

    def _count(self, _: str) -> None:
        count = self._client.count_comments(f"{PROJECT}/motor-inbox")
        self._expect("motor-inbox", count == 19_640, f"has {count} comments")

    def _plan(self, _: str) -> None:
        df = self._client.sources(PROJECT, refresh=True)
        mine = df[df["name"].isin(self._names)]
        if self._client.plan(mine).steps:
            self.wrong.append("a listing plans changes of itself")

    def _expect(self, name: str, is_right: object, what: str) -> None:
        if not is_right:
            self.wrong.append(f"{name} {what}, against {self._titles.get(name)}")


def soak(seconds: float, seed: int) -> tuple[Counter[str], list[str], list[Held]]:
    """Let eight threads work on one client of a practice tenant.

    Args:
        seconds: How long.
        seed: What they do follows from it.

    Returns:
        How often each thing was done; what was wrong; and what this process held after a third of
        the time, after two thirds, and at the end.
    """
    dice, stop = Random(seed), threading.Event()
    measured = []
    with rnb.sandbox() as client, ExitStack() as stack:
        assert client.sandbox is not None
        for fault in FAULTS:
            stack.enter_context(client.sandbox.faults.add(fault))
        workers = [Worker(client, number, Random(dice.random())) for number in range(THREADS)]
        begin = time.monotonic()
        with ThreadPoolExecutor(THREADS) as pool:
            for third in (1, 2, 3):
                until = begin + seconds * third / 3
                for each in [pool.submit(worker.work, until, stop) for worker in workers]:
                    each.result()
                measured.append(held())
        stack.close()
        for worker in workers:
            worker.check()
    total: Counter[str] = Counter()
    for worker in workers:
        total.update(worker.done)
    return total, [wrong for worker in workers for wrong in worker.wrong], measured
