"""One step of a plan, sent once more after an attempt whose outcome is unknown."""

from __future__ import annotations

import threading

import reinfer_nb as rnb
from reinfer_nb.plans.attempt import BEGUN, MOVED, Outcome, attempt
from reinfer_nb.plans.steps import Step

NAME = "claims/motor-inbox"
UNSURE = Outcome(BEGUN)


def a_delete(client: rnb.Client) -> Step:
    return Step("delete", "claims", "motor-inbox", client.source(NAME))


def test_a_delete_in_doubt_leaves_a_source_that_others_changed(client: rnb.Client) -> None:
    step = a_delete(client)
    theirs = client.update_source(NAME, title="theirs")
    outcome, error = attempt(client.calls, step, earlier=UNSURE, stop=threading.Event())
    assert (outcome.status, outcome.source, error) == (MOVED, theirs, None)
    assert client.source(NAME) == theirs


def test_a_step_in_doubt_that_is_stopped_stays_in_doubt(client: rnb.Client) -> None:
    step, stop = a_delete(client), threading.Event()
    stop.set()
    outcome, error = attempt(client.calls, step, earlier=UNSURE, stop=stop)
    assert (outcome.status, outcome.unsure, error) == (BEGUN, True, None)
    outcome, _ = attempt(client.calls, step, earlier=None, stop=stop)
    assert (outcome.status, outcome.unsure) == ("left", False)
    assert client.source(NAME) == step.base
