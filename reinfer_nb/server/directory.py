"""Who and where: the users, projects and buckets of the sandbox, and what users may do.

Rules that no document of the vendor's tells are this project's: a user with the permission
"tenant-admin" makes projects and changes users, whoever makes a project holds everything on it,
and what is not empty is deleted by force alone.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from reinfer_nb.schema.endpoints import ALL_ON_A_PROJECT, TENANT_ADMIN
from reinfer_nb.server.database import Database
from reinfer_nb.server.refusals import Missing, Refused, Taken
from reinfer_nb.server.timestamps import later, now
from reinfer_nb.text import counted


class User:
    """A user, as it is at the moment.

    Args:
        told: The user as the API tells of it.

    Attributes:
        told: The same.
        name: Its name.
        is_tenant_admin: Whether it may make projects and change users.
    """

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.told = told
        self.name: str = told["username"]
        held = {*told["global_permissions"], *told["sso_global_permissions"]}
        self.is_tenant_admin = TENANT_ADMIN in held
        self._everywhere = held & set(ALL_ON_A_PROJECT)
        self._by_project: Mapping[str, list[str]] = told["organisation_permissions"]

    def on(self, project: str) -> set[str]:
        """Return the permissions held on a project; none of them: it is not seen."""
        return self._everywhere | set(self._by_project.get(project, ()))

    def where(self, permission: str) -> set[str] | None:
        """Return the projects on which a permission is held; None for all there are."""
        if permission in self._everywhere:
            return None
        return {project for project, held in self._by_project.items() if permission in held}


class Directory:
    """The users, projects and buckets in a database."""

    def __init__(self, database: Database) -> None:
        self._db = database
        # Parsing them takes milliseconds on a tenant of thousands of projects.
        self._users: list[User] | None = None

    # Projects

    def projects(self) -> list[dict[str, Any]]:
        """Return the projects, in the order of their names."""
        return [json.loads(body) for (body,) in self._db.read(_PROJECTS)]

    def project(self, name: str) -> dict[str, Any]:
        """Return a project, or raise `Missing`."""
        return only(self._db.read("SELECT body FROM projects WHERE name = ?", name))

    def create_project(
        self, name: str, settings: Mapping[str, Any], maker: User, members: Iterable[str]
    ) -> dict[str, Any]:
        """Make a project, and return it; or raise `Taken` or `Refused`.

        Args:
            name: Its name.
            settings: Title and description.
            maker: Who makes it, and holds everything on it.
            members: Ids of users who are to hold everything on it too.
        """
        created = now()
        project = {"id": secrets.token_hex(8), "name": name, "title": "", "description": ""}
        project |= {**settings, "created_at": created, "updated_at": created}
        with self._changing():
            self.add_project(project)
            for user_id in dict.fromkeys([str(maker.told["id"]), *members]):
                try:
                    user = self.user(user_id)
                except Missing:
                    raise Refused(f"There is no user '{user_id}'.") from None
                self._permit(user, {name: list(ALL_ON_A_PROJECT)})
        return project

    def add_project(self, project: Mapping[str, Any]) -> None:
        """Store a project as the API tells of it, or raise `Taken`."""
        values = (project["name"], json.dumps(project))
        with _unique(f"a project {project['name']}"), self._changing():
            self._db.write("INSERT INTO projects (name, body) VALUES (?, ?)", *values)

    def update_project(self, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Change a project, and return it; or raise `Missing`."""
        with self._changing():
            project = self.project(name)
            project |= {**settings, "updated_at": later(project["updated_at"])}
            statement = "UPDATE projects SET body = ? WHERE name = ?"
            self._db.write(statement, json.dumps(project), name)
        return project

    def delete_project(self, name: str, *, force: bool) -> None:
        """Delete a project; or raise `Missing`, or `Refused` where it is not empty.

        Args:
            name: Its name.
            force: Whether its sources and buckets go too. Sources of other projects that a
                bucket of it feeds are fed by none afterwards.
        """
        with self._changing():
            self.project(name)
            ((sources,),) = self._db.read("SELECT count(*) FROM sources WHERE owner = ?", name)
            buckets = self._db.read("SELECT id FROM buckets WHERE owner = ?", name)
            if not force and (sources or buckets):
                raise Refused(
                    f"The project '{name}' has {counted(sources, 'source')} and "
                    f"{counted(len(buckets), 'bucket')}; it is deleted with force=true."
                )
            self._db.write("DELETE FROM projects WHERE name = ?", name)
            for (bucket_id,) in buckets:
                self._detach(bucket_id)
            for user in self.users():
                # Else whoever held it would hold a new project of that name.
                self._permit(user, {name: []})

    # Buckets

    def buckets(self) -> list[dict[str, Any]]:
        """Return the buckets, in the order of owners and ids."""
        found = self._db.read("SELECT body FROM buckets ORDER BY owner, id")
        return [json.loads(body) for (body,) in found]

    def bucket(self, owner: str, name: str) -> dict[str, Any]:
        """Return a bucket by project and name, or raise `Missing`."""
        query = "SELECT body FROM buckets WHERE owner = ? AND name = ?"
        return only(self._db.read(query, owner, name))

    def bucket_by_id(self, bucket_id: str) -> dict[str, Any]:
        """Return a bucket by its id, or raise `Missing`."""
        return only(self._db.read("SELECT body FROM buckets WHERE id = ?", bucket_id))

    def create_bucket(self, owner: str, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Make a bucket, and return it; or raise `Taken`, or `Missing` for its project."""
        bucket = {"id": secrets.token_hex(8), "name": name, "owner": owner, "created_at": now()}
        with self._changing():
            self.project(owner)
            self.add_bucket(bucket, settings)
        return bucket

    def add_bucket(self, bucket: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        """Store a bucket as the API tells of it, beside what it was made with."""
        values = (*(bucket[key] for key in ("id", "owner", "name")), json.dumps(bucket))
        with _unique(f"a bucket {bucket['owner']}/{bucket['name']}"), self._changing():
            self._db.write(
                "INSERT INTO buckets (id, owner, name, body, settings) VALUES (?, ?, ?, ?, ?)",
                *values,
                json.dumps(dict(settings)),
            )

    def delete_bucket(self, bucket_id: str) -> None:
        """Delete a bucket; or raise `Missing`, or `Refused` while it feeds a source."""
        with self._changing():
            bucket = self.bucket_by_id(bucket_id)
            fed = self._db.read(_FED, bucket_id)
            if fed:
                name, many = f"{bucket['owner']}/{bucket['name']}", counted(len(fed), "source")
                raise Refused(f"The bucket '{name}' feeds {many}; detach first.")
            self._db.write("DELETE FROM buckets WHERE id = ?", bucket_id)

    def _detach(self, bucket_id: str) -> None:
        for source_id, body in self._db.read(_FED, bucket_id):
            source = json.loads(body)
            del source["bucket_id"]
            moment = later(source["updated_at"])
            source |= {"updated_at": moment, "last_modified": moment}
            statement = "UPDATE sources SET body = ? WHERE id = ?"
            self._db.write(statement, json.dumps(source), source_id)

    # Users

    def users(self) -> list[User]:
        """Return the users, in the order of their names."""
        with self._db.reading():
            if self._users is None:
                self._users = [User(json.loads(body)) for (body,) in self._db.read(_USERS)]
            return list(self._users)

    def user(self, user_id: str) -> User:
        """Return a user by its id, or raise `Missing`."""
        return self._user_where("id", user_id)

    def user_named(self, name: str) -> User:
        """Return a user by its name, or raise `Missing`."""
        return self._user_where("username", name)

    def _user_where(self, key: str, value: str) -> User:
        for user in self.users():
            if user.told[key] == value:
                return user
        raise Missing

    def add_user(
        self,
        name: str,
        global_permissions: Iterable[str] = (),
        organisation_permissions: Mapping[str, Iterable[str]] | None = None,
        user_id: str | None = None,
    ) -> User:
        """Make a user, and return it; or raise `Taken`, or `Refused` for an unknown project."""
        user = {
            "id": user_id or secrets.token_hex(8),
            "username": name,
            "email": f"{name}@example.com",
            "created": now(),
            "global_permissions": list(global_permissions),
            "organisation_permissions": {},
            "sso_global_permissions": [],
            "verified": True,
        }
        with self._changing():
            statement = "INSERT INTO users (id, name, body) VALUES (?, ?, ?)"
            with _unique(f"a user {name}"):
                self._db.write(statement, user["id"], name, json.dumps(user))
            return self.update_user(
                str(user["id"]), {"organisation_permissions": organisation_permissions or {}}
            )

    def update_user(self, user_id: str, changes: Mapping[str, Any]) -> User:
        """Change what a user may do, and return it; or raise `Missing` or `Refused`.

        Args:
            user_id: Its id.
            changes: `global_permissions` replaces what it holds on the whole tenant;
                `organisation_permissions` what it holds on the projects named in it.
        """
        with self._changing():
            user = self.user(user_id)
            by_project = changes.get("organisation_permissions", {})
            for project in by_project:
                try:
                    self.project(project)
                except Missing:
                    raise Refused(f"There is no project '{project}'.") from None
            everywhere = changes.get("global_permissions", user.told["global_permissions"])
            return self._permit(user, by_project, everywhere)

    def _permit(
        self,
        user: User,
        by_project: Mapping[str, Iterable[str]],
        everywhere: Iterable[str] | None = None,
    ) -> User:
        held = {**user.told["organisation_permissions"]}
        held |= {project: list(dict.fromkeys(given)) for project, given in by_project.items()}
        told = {
            **user.told,
            "organisation_permissions": {name: given for name, given in held.items() if given},
        }
        if everywhere is not None:
            told["global_permissions"] = list(dict.fromkeys(everywhere))
        if told != user.told:
            with self._changing():
                statement = "UPDATE users SET body = ? WHERE id = ?"
                self._db.write(statement, json.dumps(told), told["id"])
        return User(told)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._db.writing():
            self._users = None
            try:
                yield
            finally:
                # Nobody else reads before the lock is free again, kept or rolled back.
                self._users = None


_PROJECTS = "SELECT body FROM projects ORDER BY name"
_USERS = "SELECT body FROM users ORDER BY name"
_FED = "SELECT id, body FROM sources WHERE json_extract(body, '$.bucket_id') = ?"


def only(rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    """Return the object in the one row there can be, or raise `Missing`."""
    for (body,) in rows:
        found: dict[str, Any] = json.loads(body)
        return found
    raise Missing


@contextmanager
def _unique(what: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError:
        raise Taken(f"there is {what} already") from None
