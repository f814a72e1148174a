"""The widgets for notebooks: the explorer, the forms and the login."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from reinfer_nb import arguments
from reinfer_nb.api.client import check_client
from reinfer_nb.client import Client, connect
from reinfer_nb.errors import InvalidInput
from reinfer_nb.schema.records import Source
from reinfer_nb.snapshots.listing_source import listing_of
from reinfer_nb.widgets.explorer.explorer import Explorer
from reinfer_nb.widgets.forms.creation_form import CreateForm
from reinfer_nb.widgets.forms.deletion_form import DeleteForm
from reinfer_nb.widgets.forms.edit_form import UpdateForm
from reinfer_nb.widgets.forms.login_form import Login, login

__all__ = [
    "CreateForm",
    "DeleteForm",
    "Explorer",
    "Login",
    "UpdateForm",
    "create_form",
    "delete_form",
    "explore",
    "login",
    "update_form",
]


def explore(
    client: Client | pd.DataFrame | str | os.PathLike[str] | None = None,
    project: str | Iterable[str] | None = None,
    *,
    view: Mapping[str, Any] | str | None = None,
) -> Explorer:
    """Return the explorer: one widget to find a source, understand it and change it safely.

    >>> ex = explore(client, "claims", view={"sort": ("updated_at", True)})
    >>> ex.search = "motor"
    >>> ex.frame["name"].tolist()[:2]
    ['motor-calls', 'motor-archive']

    A notebook that is saved with widget state contains what its widgets show, such as titles and
    descriptions, but never the token. `jupyter nbconvert --execute` and papermill save widget
    state by default. To turn that off, use `--ExecutePreprocessor.store_widget_state=False` or
    `papermill.execute_notebook(..., store_widget_state=False)`.

    Args:
        client: The tenant; by default the one of `login`, or else the configured one. Or a listing,
            which can then only be read: a DataFrame with the columns `id`, `owner` and `name`, or
            a path as for `audit`: "sources.csv", "audits/@2026-03-01".
        project: A project, or several; by default all projects.
        view: What to show at first: the name of a kept view, or a dictionary as in
            `Explorer.view`.

    Returns:
        A widget; put it on the last line of a cell to show it. `frame` has the filtered sources
        and `selected` the selected ones, both as DataFrames with the columns of the listing;
        `source` is the current one, a `Source` or None; `view` is the current view.

    Raises:
        ConfigurationError: No client is given and no tenant is configured.
        InvalidInput: The listing lacks a column, or the view is malformed or unknown.
        FileProblem: A file could not be read.
        ReinferError: The sources could not be listed.
    """
    # The listing refuses what names no project.
    projects: Any = project
    if isinstance(project, Iterable) and not isinstance(project, str):
        projects = list(project)
    if client is None or isinstance(client, Client):
        explorer = Explorer(_tenant(client), projects=projects)
    else:
        explorer = Explorer(None, _read_only(client, projects))
    if isinstance(view, str):
        explorer.show_kept(view)
    elif view is not None:
        explorer.view = view
    return explorer


def _read_only(given: object, projects: str | list[str] | None) -> pd.DataFrame:
    """Return a listing to explore without its tenant, of some projects or all.

    Raises:
        InvalidInput: It is no listing, or lacks a column.
        FileProblem: A file could not be read.
    """
    listing = listing_of(given, "explore takes a client (rnb.connect(), or rnb.sandbox().start()),")
    for name in ("id", "owner", "name"):
        if list(listing.columns).count(name) != 1:
            raise InvalidInput(f"The listing needs the column {name}, once, to be explored.")
    if projects is None:
        return listing
    wanted = [projects] if isinstance(projects, str) else projects
    part = listing[listing["owner"].isin(wanted)]
    part.attrs = listing.attrs
    return part


def create_form(client: Client | None = None, project: str = "") -> CreateForm:
    """Return a form that creates a source.

    >>> form = create_form(client, "claims")
    >>> form.code
    ''

    Args:
        client: The tenant; by default the one of `login`, or else the configured one.
        project: The project that is filled in at first.

    Returns:
        A widget; put it on the last line of a cell to show it. `result` is the last `Source` that
        it wrote, and `observe(function, "result")` calls a function for each; `code` is the Python
        for the request that the form will send, or else for the last one it sent.

    Raises:
        ConfigurationError: No client is given and no tenant is configured.
        InvalidInput: `project` is not a string.
    """
    return CreateForm(_tenant(client), arguments.text(project, "project", "claims"))


def update_form(client: Client | None = None, source: str | Source | None = None) -> UpdateForm:
    """Return a form that changes the settings of a source.

    >>> form = update_form(client, "claims/motor-inbox")
    >>> form.controls["title"].fill("Motor")
    >>> form.code
    "client.update_source('claims/motor-inbox', title='Motor')"

    A notebook that is saved with widget state contains what its widgets show, such as titles and
    descriptions, but never the token. `jupyter nbconvert --execute` and papermill save widget
    state by default. To turn that off, use `--ExecutePreprocessor.store_widget_state=False` or
    `papermill.execute_notebook(..., store_widget_state=False)`.

    The form shows the changes first and sends only them. If the source was changed remotely since
    the form opened it, nothing is sent, and the form shows my, their and the earlier values.

    Args:
        client: The tenant; by default the one of `login`, or else the configured one.
        source: "project/name", an id, or a `Source` that you read earlier. By default the form
            asks for one.

    Returns:
        A widget, as `create_form` does.

    Raises:
        ConfigurationError: No client is given and no tenant is configured.
        InvalidInput: `source` is neither a name, an id nor a `Source`.
        NotFound: There is no such source, or the token may not see it.
    """
    client = _tenant(client)
    return UpdateForm(client, _opened(client, source), picker=source is None)


def delete_form(
    client: Client | None = None,
    source: str | Source | None = None,
    *,
    restore_folder: str | os.PathLike[str] | None = None,
) -> DeleteForm:
    """Return a form that deletes a source with its comments after its full name was typed.

    >>> form = delete_form(client, "claims/motor-inbox", restore_folder="kept")
    >>> form.button.disabled
    True

    The settings are written to a restore file first, for the Restore button and for `restore`.

    Args:
        client: The tenant; by default the one of `login`, or else the configured one.
        source: As for `update_form`.
        restore_folder: Folder for the restore file; by default this user's folder for program
            state. The form shows the path.

    Returns:
        A widget, as `create_form` does; `result` is the deleted source.

    Raises:
        ConfigurationError: No client is given and no tenant is configured.
        InvalidInput: `source` is neither a name, an id nor a `Source`.
        NotFound: There is no such source, or the token may not see it.
    """
    client = _tenant(client)
    opened = _opened(client, source)
    return DeleteForm(client, opened, folder=restore_folder, picker=source is None)


def _tenant(client: Client | None) -> Client:
    return connect() if client is None else check_client(client, Client)


def _opened(client: Client, source: str | Source | None) -> Source | None:
    return source if source is None or isinstance(source, Source) else client.source(source)
