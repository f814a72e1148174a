"""The default folders for files of the vendor's client and of this toolkit.

A process may have no home folder: in a container or a service, HOME may not be set and the system
may not know the user. Then only calls that need such a folder fail.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reinfer_nb.constants import ENDPOINT, TOKEN
from reinfer_nb.errors import ConfigurationError, FileProblem
from reinfer_nb.wording import spelled

_NO_HOME = "This user has no home folder (HOME is not set, and the system knows none)"


def config_of_re() -> Path:
    """Return the folder in which the vendor's client `re` keeps its configuration.

    Raises:
        ConfigurationError: This user has no home folder.
    """
    import platformdirs

    folder = _folder(
        lambda: platformdirs.user_config_path("reinfer", appauthor=False, roaming=True)
    )
    if folder is None:
        raise ConfigurationError(
            f"{_NO_HOME}, so there is no contexts file of the vendor's client. Set HOME or "
            "XDG_CONFIG_HOME, or "
            + spelled("give endpoint= and token=.", f"set {ENDPOINT} and {TOKEN}.")
        )
    return folder


def state(content: str, instead: str) -> Path:
    """Return the folder in which this toolkit keeps files that the user did not name.

    Args:
        content: The kind of file to keep there, for the message of the error.
        instead: How to give another place, such as 'journal="journal.jsonl"'.

    Raises:
        FileProblem: This user has no home folder.
    """
    import platformdirs

    folder = _folder(lambda: platformdirs.user_state_path("reinfer_nb", appauthor=False))
    if folder is None:
        raise FileProblem(
            f"{_NO_HOME}, so there is no place for {content}. Give {instead}, or set HOME or "
            "XDG_STATE_HOME."
        )
    return folder


def config(content: str) -> Path:
    """Return the folder in which this toolkit keeps settings of the user.

    Args:
        content: The kind of file to keep there, for the message of the error.

    Raises:
        FileProblem: This user has no home folder.
    """
    import platformdirs

    folder = _folder(lambda: platformdirs.user_config_path("reinfer_nb", appauthor=False))
    if folder is None:
        raise FileProblem(
            f"{_NO_HOME}, so there is no place for {content}. Set HOME or XDG_CONFIG_HOME."
        )
    return folder


def _folder(look_up: Callable[[], Path]) -> Path | None:
    """Return the folder of `look_up`; None for a user without a home folder."""
    try:
        folder = look_up()
    except (RuntimeError, KeyError, OSError):
        return None
    # Some versions of platformdirs return "~" unchanged.
    return None if folder.parts[:1] == ("~",) else folder
