"""The users, projects and buckets of the sandbox, and the permissions of users.

Rules that the vendor does not document are this project's own: a user with the permission
"tenant-admin" creates projects and changes users; the creator of a project gets all permissions
on it; a project that is not empty is deleted only with `force`.
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
from reinfer_nb.server.stored_json import json_text
from reinfer_nb.server.timestamps import later, now
from reinfer_nb.text import counted


class User:
    """A user with its present permissions.

    Args:
        record: The user as the JSON object that the API returns.

    Attributes:
        record: The same.
        name: Its name.
        is_tenant_admin: Whether it may create projects and change users.
    """

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.record = record
        self.name: str = record["username"]
        permissions = {*record["global_permissions"], *record["sso_global_permissions"]}
        self.is_tenant_admin = TENANT_ADMIN in permissions
        self._everywhere = permissions & set(ALL_ON_A_PROJECT)
        self._by_project: Mapping[str, list[str]] = record["organisation_permissions"]

    def on(self, project: str) -> set[str]:
        """Return the permissions on a project; without any, the user cannot see the project."""
        return self._everywhere | set(self._by_project.get(project, ()))

    def where(self, permission: str) -> set[str] | None:
        """Return the projects on which the user has a permission; None for all projects."""
        if permission in self._everywhere:
            return None
        return {name for name, permissions in self._by_project.items() if permission in permissions}


class Directory:
    """The users, projects and buckets in a database."""

    def __init__(self, database: Database) -> None:
        self._db = database
        # Cached: parsing takes milliseconds on a tenant with thousands of projects.
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
        """Create and return a project, or raise `Taken` or `Refused`.

        Args:
            name: Its name.
            settings: Title and description.
            maker: The creator, who gets all permissions on the project.
            members: Ids of other users who get all permissions on the project.
        """
        created = now()
        project = {"id": secrets.token_hex(8), "name": name, "title": "", "description": ""}
        project |= {**settings, "created_at": created, "updated_at": created}
        with self._changing():
            self.add_project(project)
            for user_id in dict.fromkeys([str(maker.record["id"]), *members]):
                try:
                    user = self.user(user_id)
                except Missing:
                    raise Refused(f"There is no user '{user_id}'.") from None
                self._permit(user, {name: list(ALL_ON_A_PROJECT)})
        return project

    def add_project(self, project: Mapping[str, Any]) -> None:
        """Store a project, given as the API's JSON object, or raise `Taken`."""
        values = (project["name"], json.dumps(project))
        with _unique(f"a project {project['name']}"), self._changing():
            self._db.write("INSERT INTO projects (name, body) VALUES (?, ?)", *values)

    def update_project(self, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Change and return a project, or raise `Missing`."""
        with self._changing():
            project = self.project(name)
            project |= {**settings, "updated_at": later(project["updated_at"])}
            statement = "UPDATE projects SET body = ? WHERE name = ?"
            self._db.write(statement, json.dumps(project), name)
        return project

    def delete_project(self, name: str, *, force: bool) -> None:
        """Delete a project; raise `Missing`, or `Refused` if it is not empty.

        Args:
            name: Its name.
            force: Whether to delete its sources and buckets too. Sources of other projects are
                detached from its buckets.
        """
        with self._changing():
            self.project(name)
            ((sources,),) = self._db.read("SELECT count(*) FROM sources WHERE owner = ?", name)
            buckets = self._db.read("SELECT id FROM buckets WHERE owner = ?", name)
            if not force and (sources or buckets):
                raise Refused(
                    f"The project '{name}' has {counted(sources, 'source')} and "
                    f"{counted(len(buckets), 'bucket')}. Use force=true to delete all."
                )
            self._db.write("DELETE FROM projects WHERE name = ?", name)
            for (bucket_id,) in buckets:
                self._detach(bucket_id)
            for user in self.users():
                # Otherwise they would have permissions on a new project of the same name.
                self._permit(user, {name: []})

    # Buckets

    def buckets(self) -> list[dict[str, Any]]:
        """Return the buckets, in the order of owners and ids."""
        rows = self._db.read("SELECT body FROM buckets ORDER BY owner, id")
        return [json.loads(body) for (body,) in rows]

    def bucket(self, owner: str, name: str) -> dict[str, Any]:
        """Return a bucket by project and name, or raise `Missing`."""
        query = "SELECT body FROM buckets WHERE owner = ? AND name = ?"
        return only(self._db.read(query, owner, name))

    def bucket_by_id(self, bucket_id: str) -> dict[str, Any]:
        """Return a bucket by its id, or raise `Missing`."""
        return only(self._db.read("SELECT body FROM buckets WHERE id = ?", bucket_id))

    def create_bucket(self, owner: str, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Create and return a bucket; raise `Taken`, or `Missing` if there is no such project."""
        bucket = {"id": secrets.token_hex(8), "name": name, "owner": owner, "created_at": now()}
        with self._changing():
            self.project(owner)
            self.add_bucket(bucket, settings)
        return bucket

    def add_bucket(self, bucket: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        """Store a bucket, given as the API's JSON object, and the settings it was created with."""
        with _unique(f"a bucket {bucket['owner']}/{bucket['name']}"), self._changing():
            self._db.write(_INSERT_BUCKET, *_bucket_row(bucket, settings))

    def add_buckets(self, buckets: Iterable[Mapping[str, Any]]) -> None:
        """Store buckets with different ids and names, made without settings."""
        with self._changing():
            self._db.write_many(_INSERT_BUCKET, (_bucket_row(bucket, {}) for bucket in buckets))

    def delete_bucket(self, bucket_id: str) -> None:
        """Delete a bucket; raise `Missing`, or `Refused` while it feeds a source."""
        with self._changing():
            bucket = self.bucket_by_id(bucket_id)
            sources = self._db.read(_FED_BY_BUCKET, bucket_id)
            if sources:
                name, fed = f"{bucket['owner']}/{bucket['name']}", counted(len(sources), "source")
                raise Refused(f"The bucket '{name}' feeds {fed}. Detach its sources first.")
            self._db.write("DELETE FROM buckets WHERE id = ?", bucket_id)

    def _detach(self, bucket_id: str) -> None:
        for source_id, body in self._db.read(_FED_BY_BUCKET, bucket_id):
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
            if user.record[key] == value:
                return user
        raise Missing

    def add_user(
        self,
        name: str,
        global_permissions: Iterable[str] = (),
        organisation_permissions: Mapping[str, Iterable[str]] | None = None,
        user_id: str | None = None,
    ) -> User:
        """Create and return a user; raise `Taken`, or `Refused` for an unknown project."""
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
        """Change the permissions of a user and return it, or raise `Missing` or `Refused`.

        Args:
            user_id: Its id.
            changes: `global_permissions` replaces the permissions on the whole tenant;
                `organisation_permissions` those on the projects that it names.
        """
        with self._changing():
            user = self.user(user_id)
            by_project = changes.get("organisation_permissions", {})
            for project in by_project:
                try:
                    self.project(project)
                except Missing:
                    raise Refused(f"There is no project '{project}'.") from None
            everywhere = changes.get("global_permissions", user.record["global_permissions"])
            return self._permit(user, by_project, everywhere)

    def _permit(
        self,
        user: User,
        by_project: Mapping[str, Iterable[str]],
        everywhere: Iterable[str] | None = None,
    ) -> User:
        merged = {**user.record["organisation_permissions"], **by_project}
        record = {
            **user.record,
            "organisation_permissions": {
                project: list(dict.fromkeys(names)) for project, names in merged.items() if names
            },
        }
        if everywhere is not None:
            record["global_permissions"] = list(dict.fromkeys(everywhere))
        if record != user.record:
            with self._changing():
                statement = "UPDATE users SET body = ? WHERE id = ?"
                self._db.write(statement, json.dumps(record), record["id"])
        return User(record)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._db.writing():
            self._users = None
            try:
                yield
            finally:
                # The lock is still held: nobody has cached the uncommitted state.
                self._users = None


_INSERT_BUCKET = "INSERT INTO buckets (id, owner, name, body, settings) VALUES (?, ?, ?, ?, ?)"


def _bucket_row(bucket: Mapping[str, Any], settings: Mapping[str, Any]) -> tuple[str, ...]:
    identity = (bucket[key] for key in ("id", "owner", "name"))
    return *identity, json_text(bucket), json_text(settings) if settings else "{}"


_PROJECTS = "SELECT body FROM projects ORDER BY name"
_USERS = "SELECT body FROM users ORDER BY name"
_FED_BY_BUCKET = "SELECT id, body FROM sources WHERE json_extract(body, '$.bucket_id') = ?"


def only(rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    """Return the JSON object in the single row, or raise `Missing` if there is no row."""
    for (body,) in rows:
        record: dict[str, Any] = json.loads(body)
        return record
    raise Missing


@contextmanager
def _unique(name: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError:
        raise Taken(f"there is {name} already") from None
