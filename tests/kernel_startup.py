"""A startup file of IPython for the kernels of the tests in a browser.

It is copied into the profile of the notebook server, and leaves no name in the notebook.
"""


def _start() -> None:
    import json
    import os
    import random
    import time
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from ipykernel.comm.comm import BaseComm

    # A server that test modules share has one environment, so each kernel reads its own.
    environment = Path(".environment.json")
    if environment.exists():
        os.environ.update(json.loads(environment.read_text()))

    # Seconds that a message may be late, so that no test counts on its being early.
    latest = float(os.environ.get("LATE_MESSAGES", "0"))
    generator = random.Random()
    publish: Callable[..., None] = BaseComm.publish_msg

    def publish_late(self: Any, msg_type: str, *arguments: Any, **options: Any) -> None:
        # Not those that open a widget: hundreds of them take long enough.
        if msg_type == "comm_msg" and generator.random() < 0.6:
            time.sleep(generator.random() * latest)
        publish(self, msg_type, *arguments, **options)

    if latest:
        BaseComm.publish_msg = publish_late  # type: ignore[method-assign]


_start()
del _start
