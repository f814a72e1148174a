"""Requests to one tenant: a session, its time-outs, and what may be tried again.

With `session` and `failures` all that touches `requests`. The token goes to the tenant's own
endpoint and nowhere else; no error leaves here with a request inside it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from reinfer_nb import errors
from reinfer_nb.api.bodies import body_of, followed
from reinfer_nb.api.connection_failures import Failure, failure_of, stopped
from reinfer_nb.api.pacing import Pacer
from reinfer_nb.api.responses import Answer
from reinfer_nb.api.retry_policy import NO_HOOKS, Patience, RetryHooks
from reinfer_nb.api.session import Bearer, Session
from reinfer_nb.api.tenant_clock import TenantClock
from reinfer_nb.auth.endpoint import is_loopback
from reinfer_nb.auth.secret import Token
from reinfer_nb.auth.tenant import Tenant
from reinfer_nb.forking import renew_in_children
from reinfer_nb.schema.endpoints import Call
from reinfer_nb.text import shown, visible

logger = logging.getLogger("reinfer_nb")

_REDIRECTS = 5
_DAY = 86_400


def checked_timeout(timeout: object) -> tuple[float, float]:
    """Return seconds for connecting and for reading, or raise `InvalidInput`."""
    pair = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    seconds = [float(part) for part in pair if type(part) in (int, float) and 0 < part < _DAY]
    if len(pair) == len(seconds) == 2:
        return seconds[0], seconds[1]
    raise errors.InvalidInput(
        "timeout is seconds, as 30, or as (10, 60) for connecting and reading, not "
        f"{shown(timeout)}."
    )


class Transport:
    """The way to one tenant; safe to use from several threads.

    Args:
        tenant: Which, and with which token.
        timeout: Seconds to wait for a connection, and for the next part of an answer.
        patience: What is tried again.
        limit: Bytes that a body may have, decompressed.
        sleep: How to wait.
    """

    def __init__(
        self,
        tenant: Tenant,
        *,
        timeout: tuple[float, float] = (10.0, 60.0),
        patience: Patience | None = None,
        limit: int = 2 << 30,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.tenant = tenant
        self.timeout = timeout
        self.limit = limit
        self.patience = patience or Patience()
        self._sleep = sleep
        self._lock = threading.Lock()
        self._pacer = Pacer(time.monotonic)
        self._is_here = is_loopback(urlsplit(tenant.endpoint).hostname or "")
        self._proxies: dict[str, str] = {}
        if tenant.proxy:
            # By scheme: for requests that goes before what the environment says.
            self._proxies = {"http": tenant.proxy, "https": tenant.proxy}
        self._session = Session()
        self.clock = TenantClock()
        # Connections of the process that this one was forked from, never used here.
        self._parents: list[Session] = []
        renew_in_children(self)

    def renew_after_fork(self) -> None:
        """Open connections of one's own, in a child process.

        A connection used on both sides would give each side responses to the other's requests.
        """
        self._parents.append(self._session)
        self._session = Session()
        self._lock = threading.Lock()
        self._pacer = Pacer(time.monotonic)

    def close(self) -> None:
        """Close the connections; the next request would open new ones."""
        self._session.close()

    def send(
        self,
        call: Call,
        what: str = "",
        *,
        body: Any = None,
        hooks: RetryHooks = NO_HOOKS,
        **parts: str,
    ) -> Answer:
        """Return the answer to a call, tried again as far as that may help.

        Args:
            call: Which.
            what: What it is about, for messages.
            body: JSON to send.
            hooks: What runs before the request is sent after a wait.
            **parts: What fills the call's path.

        A 429 holds back all requests, of whatever thread, for as long as the tenant asks; from then
        on they go at the pace that the tenant allows. It does not count as an attempt where the
        tenant says how long to wait.

        Raises:
            ConnectionFailed: No whole answer came back.
            ProtocolError: A redirect that is not followed, or a body beyond the limit.
            RateLimited: The tenant asks for a longer wait than there is patience for.
            Stopped: It was stopped while it waited.
        """
        url = call.url(self.tenant.endpoint, **parts)
        self._wait_at_first(call, what, hooks)
        begin, slept = time.monotonic(), 0.0
        retry = self.patience.start()
        attempts = 0
        renewed = False
        # When the first attempt was sent that may have been carried out.
        first: float | None = None
        while True:
            attempts += 1
            asked_at = time.monotonic()
            with _saying_doubt(call, first):
                token = self.tenant.token.current()
            tried_at = time.monotonic()
            # A function that gets a token may take its time, and that is not the tenant's.
            begin += tried_at - asked_at
            outcome = self._attempt(call, what, url, body, token)
            waited = max(time.monotonic() - begin, slept)
            answer = None
            if isinstance(outcome, Answer):
                answer = replace(
                    outcome,
                    attempts=attempts,
                    waited=waited,
                    in_doubt=first is not None,
                    tried_at=tried_at if first is None else first,
                    sent_at=tried_at,
                )
                if not self.patience.passes(call, answer.status):
                    self._pacer.answered(tried_at)
                    if answer.status != 401 or renewed:
                        return answer
                    # What got a 401 was not carried out, so a write is sent once more too.
                    renewed, asked_at = True, time.monotonic()
                    if not self._another_token(token, call, first):
                        return answer
                    if not hooks.before_sending(limited=False, in_doubt=first is not None):
                        raise stopped(call, what, self.tenant, answer, first)
                    begin += time.monotonic() - asked_at
                    continue
                outcome = answer
            next_try = self.patience.spent(retry, answer)
            pause = self.patience.pause(next_try, answer) if next_try else 0.0
            passing = isinstance(outcome, Answer) or outcome.passing
            if next_try is None or not passing or waited + pause > self.patience.longest:
                return self._give_up(
                    outcome, call, what, attempts=attempts, waited=waited, pause=pause,
                    first=first, tried_at=tried_at,
                )  # fmt: skip
            retry = next_try
            limited = answer is not None and answer.status == 429
            if first is None and _may_be_done(outcome):
                first = tried_at
            until = self._pacer.refused(tried_at, pause) if limited else 0.0
            self._log_retry(
                outcome, pause, attempts + 1, quiet=limited and hooks.waited is not None
            )
            slept += pause
            paused_at = time.monotonic()
            if self._ended(pause, until, hooks, limited=limited, in_doubt=first is not None):
                raise stopped(call, what, self.tenant, outcome, first)
            # The tenant asked for the pause, and not for what was waited for beyond it.
            begin += max(0.0, time.monotonic() - paused_at - pause)

    def _log_retry(
        self, outcome: Answer | Failure, pause: float, attempt: int, *, quiet: bool
    ) -> None:
        reason = f"status {outcome.status}" if isinstance(outcome, Answer) else outcome.reason
        long = pause >= 1 and not quiet
        logger.log(
            logging.WARNING if long else logging.INFO,
            "%s: %s; trying again in %.1f s (attempt %d)",
            self.tenant.endpoint, visible(reason), pause, attempt,
        )  # fmt: skip

    def _another_token(self, refused: Token, call: Call, first: float | None) -> bool:
        """Get another token than the one that was refused; return whether there is one."""
        with _saying_doubt(call, first):
            return self.tenant.token.renewed(refused) is not None

    def _pause(self, seconds: float, stop: threading.Event | None) -> bool:
        """Wait, and return whether it was ended early."""
        ended_early = True
        try:
            if stop is None:
                self._sleep(seconds)
                ended_early = False
            else:
                ended_early = stop.wait(seconds)
        finally:
            if ended_early:
                # Whoever ends a wait, by Ctrl-C for example, and asks again, means now.
                self._pacer.let_go()
        return ended_early

    def _wait_at_first(self, call: Call, what: str, hooks: RetryHooks) -> None:
        """Wait for the turn of a request that was not sent yet."""
        held = self._wait_for_turn(hooks)
        if held is None or (held and not hooks.before_sending(limited=True, in_doubt=False)):
            raise stopped(call, what, self.tenant)

    def _ended(
        self,
        pause: float,
        until: float,
        hooks: RetryHooks,
        *,
        limited: bool,
        in_doubt: bool,
    ) -> bool:
        """Wait before another attempt; return whether there is to be none.

        Args:
            pause: Seconds to wait.
            until: The end of that wait, if the tenant asks for it.
            hooks: What runs after the wait.
            limited: Whether the tenant asks for the wait.
            in_doubt: Whether an earlier attempt may have been carried out.
        """
        if self._pause(pause, hooks.stop):
            return True
        held = self._wait_for_turn(hooks, until)
        return held is None or not hooks.before_sending(limited=limited or held, in_doubt=in_doubt)

    def _wait_for_turn(self, hooks: RetryHooks, waited_until: float = 0.0) -> bool | None:
        """Wait for the turn of a request.

        Returns:
            Whether the tenant wanted no request for some of the time; None if the wait was ended.
        """
        held = False
        while True:
            turn = self._pacer.turn(hooks.turns, waited_until)
            left = turn.due - time.monotonic()
            if left > 0 and self._pause(left, hooks.stop):
                return None
            if turn.held:
                waited_until = turn.due
            elif not self._pacer.holds(waited_until):
                return held
            held = True

    def _give_up(
        self,
        outcome: Answer | Failure,
        call: Call,
        what: str,
        *,
        attempts: int,
        waited: float,
        pause: float,
        first: float | None,
        tried_at: float,
    ) -> Answer:
        if isinstance(outcome, Answer):
            if outcome.status == 429 and waited + pause > self.patience.longest:
                limited = errors.RateLimited(
                    f"{outcome.could_not()}: the tenant asks to wait {pause:.0f} s, and "
                    f"this client waits {self.patience.longest:.0f} s at most. Ask again later.",
                    429,
                )
                limited.in_doubt = call.writes and first is not None
                limited.tried_at = first
                raise limited
            return replace(outcome, in_doubt=first is not None)
        tries = f" after {attempts} attempts in {waited:.0f} s" if attempts > 1 else ""
        about = f" {what}" if what else ""
        error = outcome.kind(
            f"Could not {call.does}{about} at {self.tenant.endpoint}{tries}: {outcome.reason}"
        )
        error.in_doubt = call.writes and (first is not None or _may_be_done(outcome))
        error.tried_at = tried_at if first is None else first
        raise error

    def _attempt(
        self, call: Call, what: str, url: str, body: Any, token: Token
    ) -> Answer | Failure:
        try:
            return self._exchange(call, what, url, body, token)
        except BaseException as error:  # noqa: BLE001 - raised again, or returned as a failure
            caught = error
        # Outside of `except`: no error that is made here has a library's exception, and in it the
        # request with its token, as its context. And without its way through the libraries: in
        # their frames the head of the request stands in clear, and a traceback that shows
        # variables would show the token, after Ctrl-C for example.
        try:
            kinds = requests.RequestException | HTTPError | OSError | ImportError
            if isinstance(caught, kinds) and not isinstance(caught, errors.ReinferError):
                return failure_of(caught, self.tenant, self.timeout)
            if isinstance(caught, errors.ProtocolError):
                caught.in_doubt = call.writes
            caught.__cause__ = caught.__context__ = None
            raise caught.with_traceback(None)
        finally:
            del caught

    def _exchange(self, call: Call, what: str, url: str, body: Any, token: Token) -> Answer:
        for _ in range(_REDIRECTS + 1):
            request = requests.Request(call.method, url, json=body, auth=Bearer(token))
            with self._lock:
                # Cookies are read here, and requests does not promise that this is safe.
                prepared = self._session.prepare_request(request)
            options = self._session.merge_environment_settings(
                url, self._proxies, stream=True, verify=self.tenant.verify, cert=None
            )
            if self._is_here:
                # The way to this machine leads over no proxy, whatever the environment says.
                options["proxies"] = {}
            if self.tenant.verify is not True:
                # A CA bundle of the environment is for those who gave none.
                options["verify"] = self.tenant.verify
            sent = time.monotonic()
            with self._session.send(
                prepared, timeout=self.timeout, allow_redirects=False, **options
            ) as response:
                # All tokens that the client has had, should a function have returned several.
                tokens = self.tenant.token
                for name, value in response.headers.items():
                    response.headers[name] = tokens.hide_echo(value)
                answer = Answer(
                    call=call,
                    what=what,
                    endpoint=self.tenant.endpoint,
                    token_from=self.tenant.token_from,
                    status=response.status_code,
                    headers=response.headers,
                    body=tokens.hide_echo(body_of(response, self.limit, self.tenant.endpoint)),
                    scrub=tokens.hide_in,
                    short_lived=token.short_lived,
                )
            self.clock.learn(answer.headers.get("date"), sent)
            if not 300 <= answer.status < 400:
                return answer
            url = followed(answer, url, is_here=self._is_here)
        raise answer.broken("one redirect too many")


def _may_be_done(outcome: Answer | Failure) -> bool:
    """Whether what was asked may have been carried out, though no good answer came."""
    # A request that was told to wait, or met a conflict, has changed nothing.
    return outcome.status not in (409, 429) if isinstance(outcome, Answer) else outcome.sent


@contextmanager
def _saying_doubt(call: Call, first: float | None) -> Iterator[None]:
    """Let errors of a token's function say that an earlier attempt may have been carried out.

    Args:
        call: What is being sent.
        first: When the first attempt was sent that may have been carried out; None for none.
    """
    try:
        yield
    except errors.ReinferError as error:
        error.in_doubt = call.writes and first is not None
        error.tried_at = first
        raise
