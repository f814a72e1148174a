"""The sources that the benchmarks use, and tenants that serve them from another process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd

import reinfer_nb as rnb
from reinfer_nb.frames import convert


def rows_of(count: int) -> list[dict[str, Any]]:
    """Return sources as an answer has them, the same for each `count`."""
    dice = Random(1)
    return [_row(number, dice) for number in range(count)]


def _row(number: int, dice: Random) -> dict[str, Any]:
    begin = datetime(2018, 1, 1, tzinfo=UTC)
    made = begin + timedelta(microseconds=dice.randrange(8 * 365 * 86_400 * 10**6))
    moved = made + timedelta(microseconds=dice.randrange(300 * 86_400 * 10**6))
    return {
        "_kind": dice.choice(["unknown", "chat", "call"]),
        "bucket_id": f"{dice.getrandbits(64):016x}",
        "created_at": made.isoformat(timespec="microseconds"),
        "description": "What arrives there is loaded every night. Looked after by the data team.",
        "id": f"{dice.getrandbits(64):016x}",
        "language": dice.choice(["en", "en", "de", "xlm"]),
        "last_modified": moved.isoformat(timespec="microseconds"),
        "name": f"source-{number}",
        "owner": f"project-{number % 50}",
        "sensitive_properties": dice.choice([[], [], ["email"], ["email", "phone"]]),
        "should_translate": dice.random() < 0.2,
        "title": f"Source number {number}",
        "updated_at": moved.isoformat(timespec="microseconds"),
    }


def body_of(rows: list[Any], **members: Any) -> bytes:
    """Return a response with a listing, and other members before it."""
    return json.dumps({**members, "sources": rows, "status": "ok"}, ensure_ascii=False).encode()


def by_toolkit(body: bytes) -> pd.DataFrame:
    """Return the listing as `Client.sources` does once it has the body."""
    _, df = convert.from_listing(body)
    assert df is not None
    return df


def listing_of(count: int) -> pd.DataFrame:
    """Return a listing as a client makes it of an answer."""
    return by_toolkit(body_of(rows_of(count)))


_STATIC = """
import http.server, sys
body = open(sys.argv[1], "rb").read()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("http://127.0.0.1:%d" % server.server_port, "token", flush=True)
server.serve_forever()
"""
_SANDBOX = """
import sys, time
import reinfer_nb as rnb
client = rnb.sandbox(sys.argv[1], faults=rnb.Fault.wait(float(sys.argv[2]))).start()
print(client.endpoint, client.sandbox.tokens["admin"], flush=True)
time.sleep(86_400)
"""


@contextmanager
def static_tenant(body: bytes, folder: Path) -> Iterator[tuple[str, str]]:
    """Serve a body for each request, from a process of its own; the endpoint and a token."""
    file = folder / "body.json"
    file.write_bytes(body)
    with _process([sys.executable, "-c", _STATIC, str(file)]) as found:
        yield found


@contextmanager
def slow_tenant(
    count: int, folder: Path, seconds: float, comments: int = 0
) -> Iterator[tuple[str, str]]:
    """Serve so many sources, each response so late; the endpoint and the admin's token."""
    listing = listing_of(count).assign(num_comments=comments)
    file = rnb.to_csv(listing, folder / f"slow-{count}.csv", overwrite=True)
    with _process([sys.executable, "-c", _SANDBOX, str(file), str(seconds)]) as found:
        yield found


@contextmanager
def sandbox_command(*arguments: str) -> Iterator[tuple[str, str]]:
    """Run the command `reinfer-nb sandbox`; the endpoint and the admin's token."""
    with _process(
        [sys.executable, "-m", "reinfer_nb.cli", "sandbox", *arguments], lines=2
    ) as found:
        yield found


@contextmanager
def _process(command: list[str], lines: int = 1) -> Iterator[tuple[str, str]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            words = [process.stdout.readline().split() for _ in range(lines)]
            endpoint, token = words[0] if lines == 1 else (each[-1] for each in words)
            yield endpoint, token
        finally:
            process.terminate()
