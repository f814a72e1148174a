"""Requests to one tenant, with time-outs and retries.

Only the modules of this package use `requests`. The token is sent to the tenant's own endpoint and
nowhere else, and no error raised here contains a request.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from urllib3.exceptions import HTTPError

from reinfer_nb import errors
from reinfer_nb.api.bodies import body_of, redirect_target
from reinfer_nb.api.connection_failures import Failure, failure_of, stopped
from reinfer_nb.api.pacing import Pacer
from reinfer_nb.api.responses import Response
from reinfer_nb.api.retry_policy import NO_HOOKS, Patience, RetryHooks
from reinfer_nb.api.session import Bearer, Session
from reinfer_nb.api.tenant_clock import Instant, TenantClock
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
        "timeout must be seconds, such as 30, or (10, 60) for connecting and reading, not "
        f"{shown(timeout)}."
    )


class Transport:
    """Sends requests to one tenant; safe to use from several threads.

    Args:
        tenant: The tenant and its token.
        timeout: Seconds to wait for a connection, and for the next part of a response.
        patience: Which requests are retried, and how often.
        limit: Maximum size of a body in bytes, decompressed.
        sleep: Waits for a number of seconds.
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
            # `requests` prefers proxies given by scheme to those of the environment.
            self._proxies = {"http": tenant.proxy, "https": tenant.proxy}
        self._session = Session()
        self.clock = TenantClock()
        # Connections of the parent process, kept open and never used here.
        self._parents: list[Session] = []
        renew_in_children(self)

    def renew_after_fork(self) -> None:
        """Open new connections in a child process.

        Over a shared connection, parent and child would receive each other's responses.
        """
        self._parents.append(self._session)
        self._session = Session()
        self._lock = threading.Lock()
        self._pacer = Pacer(time.monotonic)

    def close(self) -> None:
        """Close the connections. A later request opens new ones."""
        self._session.close()

    def send(
        self,
        call: Call,
        subject: str = "",
        *,
        body: Any = None,
        hooks: RetryHooks = NO_HOOKS,
        parameters: Mapping[str, str] | None = None,
        **parts: str,
    ) -> Response:
        """Send a call, with retries, and return the response.

        A 429 pauses the requests of all threads for as long as the tenant asks. After that they are
        sent at the pace that the tenant allows. A 429 that says how long to wait uses no attempt.

        Args:
            call: The call.
            subject: What the call is about, for messages.
            body: JSON to send.
            hooks: What runs before the request is sent after a wait.
            parameters: The query parameters of the URL.
            **parts: Values of the placeholders in the call's path.

        Raises:
            ConnectionFailed: No complete response was received.
            ProtocolError: A redirect that is not followed, or a body beyond the limit.
            RateLimited: The tenant asks for a longer wait than `patience` allows.
            Stopped: The request was stopped while it waited.
        """
        query = f"?{urlencode(parameters)}" if parameters else ""
        url = call.url(self.tenant.endpoint, **parts) + query
        self._wait_for_first_turn(call, subject, hooks)
        begin, slept = time.monotonic(), 0.0
        retry = self.patience.start()
        attempts = 0
        renewed = False
        # When the first attempt that may have taken effect was sent.
        doubt_since: float | None = None
        while True:
            attempts += 1
            token_asked_at = time.monotonic()
            with _marking_doubt(call, doubt_since):
                token = self.tenant.token.current()
            sent_at = time.monotonic()
            # The time that a token function takes does not count as waiting for the tenant.
            begin += sent_at - token_asked_at
            outcome = self._attempt(call, subject, url, body, token)
            waited = max(time.monotonic() - begin, slept)
            response = None
            if isinstance(outcome, Response):
                response = replace(
                    outcome,
                    attempts=attempts,
                    waited=waited,
                    in_doubt=doubt_since is not None,
                    tried_at=sent_at if doubt_since is None else doubt_since,
                )
                if not self.patience.may_retry(call, response.status):
                    self._pacer.responded(sent_at)
                    if response.status != 401 or renewed:
                        return response
                    # A request that got a 401 had no effect, so a write is sent once more too.
                    renewed, token_asked_at = True, time.monotonic()
                    if not self._renew_token(token, call, doubt_since):
                        return response
                    if not hooks.before_sending(limited=False, in_doubt=doubt_since is not None):
                        raise stopped(call, subject, self.tenant, response, doubt_since)
                    begin += time.monotonic() - token_asked_at
                    continue
                outcome = response
            next_retry = self.patience.after_attempt(retry, response)
            pause = self.patience.pause(next_retry, response) if next_retry else 0.0
            may_help = isinstance(outcome, Response) or outcome.retryable
            if next_retry is None or not may_help or waited + pause > self.patience.longest:
                return self._give_up(
                    outcome, call, subject, attempts=attempts, waited=waited, pause=pause,
                    doubt_since=doubt_since, sent_at=sent_at,
                )  # fmt: skip
            retry = next_retry
            limited = response is not None and response.status == 429
            if doubt_since is None and _may_have_taken_effect(outcome):
                doubt_since = sent_at
            until = self._pacer.refused(sent_at, pause) if limited else 0.0
            self._log_retry(
                outcome, pause, attempts + 1, quiet=limited and hooks.waited is not None
            )
            slept += pause
            paused_at = time.monotonic()
            in_doubt = doubt_since is not None
            if not self._wait_for_retry(pause, until, hooks, limited=limited, in_doubt=in_doubt):
                raise stopped(call, subject, self.tenant, outcome, doubt_since)
            # Only the pause itself counts as waiting for the tenant.
            begin += max(0.0, time.monotonic() - paused_at - pause)

    def _log_retry(
        self, outcome: Response | Failure, pause: float, attempt: int, *, quiet: bool
    ) -> None:
        reason = f"status {outcome.status}" if isinstance(outcome, Response) else outcome.reason
        long = pause >= 1 and not quiet
        logger.log(
            logging.WARNING if long else logging.INFO,
            "%s: %s. Retrying in %.1f s (attempt %d).",
            self.tenant.endpoint, visible(reason).rstrip("."), pause, attempt,
        )  # fmt: skip

    def _renew_token(self, rejected: Token, call: Call, doubt_since: float | None) -> bool:
        """Get another token than the rejected one; return True if there is one."""
        with _marking_doubt(call, doubt_since):
            return self.tenant.token.renewed(rejected) is not None

    def _pause(self, seconds: float, stop: threading.Event | None) -> bool:
        """Wait, and return True if the wait was ended early."""
        ended_early = True
        try:
            if stop is None:
                self._sleep(seconds)
                ended_early = False
            else:
                ended_early = stop.wait(seconds)
        finally:
            if ended_early:
                # After Ctrl-C, for example, the next request is sent at once.
                self._pacer.let_go()
        return ended_early

    def _wait_for_first_turn(self, call: Call, subject: str, hooks: RetryHooks) -> None:
        """Wait for the turn of a request that was not sent yet."""
        limited = self._wait_for_turn(hooks)
        if limited is None or (limited and not hooks.before_sending(limited=True, in_doubt=False)):
            raise stopped(call, subject, self.tenant)

    def _wait_for_retry(
        self, pause: float, until: float, hooks: RetryHooks, *, limited: bool, in_doubt: bool
    ) -> bool:
        """Wait before a retry; return False if the request must not be sent any more.

        Args:
            pause: Seconds to wait.
            until: The end of that wait, if the tenant asked for it.
            hooks: What runs after the wait.
            limited: True if the tenant asked for the wait.
            in_doubt: True if an earlier attempt may have taken effect.
        """
        if self._pause(pause, hooks.stop):
            return False
        held = self._wait_for_turn(hooks, until)
        return held is not None and hooks.before_sending(limited=limited or held, in_doubt=in_doubt)

    def _wait_for_turn(self, hooks: RetryHooks, waited_until: float = 0.0) -> bool | None:
        """Wait for the turn of a request.

        Returns:
            True if the tenant asked for a part of the wait; None if the wait was ended early.
        """
        limited = False
        while True:
            turn = self._pacer.turn(hooks.turns, waited_until)
            remaining = turn.due - time.monotonic()
            if remaining > 0 and self._pause(remaining, hooks.stop):
                return None
            if turn.held:
                waited_until = turn.due
            elif not self._pacer.holds(waited_until):
                return limited
            limited = True

    def _give_up(
        self,
        outcome: Response | Failure,
        call: Call,
        subject: str,
        *,
        attempts: int,
        waited: float,
        pause: float,
        doubt_since: float | None,
        sent_at: float,
    ) -> Response:
        if isinstance(outcome, Response):
            if outcome.status == 429 and waited + pause > self.patience.longest:
                limited = errors.RateLimited(
                    f"{outcome.could_not()}: the tenant asks to wait {pause:.0f} s, and "
                    f"this client waits {self.patience.longest:.0f} s at most. Try again later.",
                    429,
                )
                limited.in_doubt = call.writes and doubt_since is not None
                limited.tried_at = doubt_since
                raise limited
            return replace(outcome, in_doubt=doubt_since is not None)
        tries = f" after {attempts} attempts in {waited:.0f} s" if attempts > 1 else ""
        about = f" {subject}" if subject else ""
        error = outcome.kind(
            f"Could not {call.does}{about} at {self.tenant.endpoint}{tries}: {outcome.reason}"
        )
        error.in_doubt = call.writes and (
            doubt_since is not None or _may_have_taken_effect(outcome)
        )
        error.tried_at = sent_at if doubt_since is None else doubt_since
        raise error

    def _attempt(
        self, call: Call, subject: str, url: str, body: Any, token: Token
    ) -> Response | Failure:
        try:
            return self._exchange(call, subject, url, body, token)
        except BaseException as error:  # noqa: BLE001 - raised again, or returned as a failure
            caught = error
        # The errors are made outside of `except`, so that no library's exception, which holds the
        # request with its token, becomes their context. The traceback is removed: the frames of
        # the libraries hold the request's headers, and a traceback that shows variables would show
        # the token.
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

    def _exchange(self, call: Call, subject: str, url: str, body: Any, token: Token) -> Response:
        for _ in range(_REDIRECTS + 1):
            request = requests.Request(call.method, url, json=body, auth=Bearer(token))
            with self._lock:
                # This reads cookies, which `requests` does not promise to be thread-safe.
                prepared = self._session.prepare_request(request)
            options = self._session.merge_environment_settings(
                url, self._proxies, stream=True, verify=self.tenant.verify, cert=None
            )
            if self._is_here:
                # No proxy for this machine, whatever the environment says.
                options["proxies"] = {}
            if self.tenant.verify is not True:
                # `verify` overrides a CA bundle of the environment.
                options["verify"] = self.tenant.verify
            sent = Instant.now()
            with self._session.send(
                prepared, timeout=self.timeout, allow_redirects=False, **options
            ) as reply:
                # `tenant.token` knows all tokens that a token function has returned so far.
                tokens = self.tenant.token
                for name, value in reply.headers.items():
                    reply.headers[name] = tokens.hide_echo(value)
                response = Response(
                    call=call,
                    subject=subject,
                    endpoint=self.tenant.endpoint,
                    token_from=self.tenant.token_from,
                    sent=sent,
                    status=reply.status_code,
                    headers=reply.headers,
                    body=tokens.hide_echo(body_of(reply, self.limit, self.tenant.endpoint)),
                    scrub=tokens.hide_in,
                    short_lived=token.short_lived,
                )
            self.clock.learn(response.headers.get("date"), sent)
            if not 300 <= response.status < 400:
                return response
            url = redirect_target(response, url, is_here=self._is_here)
        raise response.broken("one redirect too many")


def _may_have_taken_effect(outcome: Response | Failure) -> bool:
    """True if a call may have taken effect, although it got no usable response."""
    # A request that got a 409 or a 429 has changed nothing.
    return outcome.status not in (409, 429) if isinstance(outcome, Response) else outcome.sent


@contextmanager
def _marking_doubt(call: Call, doubt_since: float | None) -> Iterator[None]:
    """Mark errors of a token function as in doubt if an earlier attempt may have taken effect.

    Args:
        call: The call being sent.
        doubt_since: When the first attempt that may have taken effect was sent; None for none.
    """
    try:
        yield
    except errors.ReinferError as error:
        error.in_doubt = call.writes and doubt_since is not None
        error.tried_at = doubt_since
        raise
