"""What the token may change, by project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reinfer_nb.schema.records import User
from reinfer_nb.text import listed, visible

# The permission that creates, updates and deletes take; see the reference page of the API.
WRITE = "sources-admin"
READS_ONLY = f"This token may only read these sources: it lacks {WRITE}."
_FAMILY = "sources-"


class Rights:
    """What the token's user may change.

    Args:
        user: The user; None if it is not known. Then everything may be tried, and the tenant
            decides.
        frame: True for a listing that belongs to no client.
    """

    def __init__(self, user: User | None, *, frame: bool = False) -> None:
        self._frame = frame
        # Of a tenant that names its permissions otherwise, nothing is known either.
        self._user = user if user is not None and _knows_sources(user) else None

    def may_write(self, project: object) -> bool:
        """True if sources of a project may be created, updated and deleted."""
        if self._user is None:
            return not self._frame
        return isinstance(project, str) and self._user.may(WRITE, project)

    def refusal(self, projects: Iterable[object]) -> str:
        """Return why sources of these projects cannot all be changed; "" if they can."""
        others = sorted({visible(str(name)) for name in projects if not self.may_write(name)})
        if not others:
            return ""
        if self._frame:
            return "This listing can only be read. Explore its tenant to change sources."
        return (
            f"This token may read the sources of {listed(others, 5)}, but not change them: it "
            f"lacks {WRITE}."
        )

    def reads_only(self, projects: Iterable[object]) -> bool:
        """True if the sources of none of these projects may be changed."""
        return self._user is not None and not any(map(self.may_write, projects))


def _knows_sources(user: User) -> bool:
    by_project: Mapping[str, tuple[str, ...]] = user.organisation_permissions or {}
    names = [*(user.global_permissions or ()), *(user.sso_global_permissions or ())]
    names += [name for names_here in by_project.values() for name in names_here]
    return any(name.startswith(_FAMILY) for name in names)
