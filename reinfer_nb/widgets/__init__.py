"""What a person sees and touches in a notebook: the explorer, the forms, the login."""

from __future__ import annotations

import os

from reinfer_nb import arguments
from reinfer_nb.api.client import check_client
from reinfer_nb.client import Client, connect
from reinfer_nb.schema.records import Source
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


def explore(client: Client | None = None) -> Explorer:
    """Return the whole of it as one widget: find a source, understand it, change it safely.

    >>> ex = explore(client)
    >>> ex.search = "motor"
    >>> ex.frame["name"].tolist()[:2]
    ['motor-inbox', 'motor-calls']

    A notebook that is saved with widget state holds what its widgets show, titles and descriptions
    included, and never the token. `jupyter nbconvert --execute` and papermill save widget state by
    default. `--ExecutePreprocessor.store_widget_state=False` keeps it out of the first, and
    `papermill.execute_notebook(..., store_widget_state=False)` out of the second.

    Args:
        client: The tenant; by default the one that is configured, or that `login` was for.

    Returns:
        A widget that shows itself as the last line of a cell. `frame` is what is filtered,
        `selected` the selected sources, both as DataFrames with the columns of the listing;
        `source` is the one looked at, a `Source` or None.

    Raises:
        ConfigurationError: No client is given and no tenant is configured.
        ReinferError: The sources could not be listed.
    """
    return Explorer(_tenant(client))


def create_form(client: Client | None = None, project: str = "") -> CreateForm:
    """Return a form that makes a new source.

    >>> form = create_form(client, "claims")
    >>> form.code
    ''

    Args:
        client: The tenant; by default the one that is configured, or that `login` was for.
        project: The project to begin with.

    Returns:
        A widget that shows itself as the last line of a cell. `result` is the last `Source` it
        made, and `observe(function, "result")` calls a function with each; `code` is the Python
        for what it is about to do or has done.

    Raises:
        ConfigurationError: No client is given and no tenant is configured.
        InvalidInput: `project` is no text.
    """
    return CreateForm(_tenant(client), arguments.text(project, "project", "claims"))


def update_form(client: Client | None = None, source: str | Source | None = None) -> UpdateForm:
    """Return a form that changes the settings of a source.

    >>> form = update_form(client, "claims/motor-inbox")
    >>> form.controls["title"].fill("Motor")
    >>> form.code
    "client.update_source('claims/motor-inbox', title='Motor')"

    A notebook that is saved with widget state holds what its widgets show, titles and descriptions
    included, and never the token. `jupyter nbconvert --execute` and papermill save widget state by
    default. `--ExecutePreprocessor.store_widget_state=False` keeps it out of the first, and
    `papermill.execute_notebook(..., store_widget_state=False)` out of the second.

    Only what is changed is sent, after it was shown. Has the source moved since the form was
    opened on it, nothing is sent, and the form shows mine, theirs and what it was.

    Args:
        client: The tenant; by default the one that is configured, or that `login` was for.
        source: "project/name", an id, or a `Source` as it was when you looked at it; left out,
            the form asks for one.

    Returns:
        A widget, as `create_form` does.

    Raises:
        ConfigurationError: No client is given and no tenant is configured.
        InvalidInput: `source` is neither.
        NotFound: There is no such source, or none that the token may see.
    """
    client = _tenant(client)
    return UpdateForm(client, _opened(client, source), picker=source is None)


def delete_form(
    client: Client | None = None,
    source: str | Source | None = None,
    *,
    restore_folder: str | os.PathLike[str] | None = None,
) -> DeleteForm:
    """Return a form that deletes a source with its comments, once its full name is typed.

    >>> form = delete_form(client, "claims/motor-inbox", restore_folder="kept")
    >>> form.button.disabled
    True

    Its settings are written to a restore file first, for the Restore button and for `restore`.

    Args:
        client: The tenant; by default the one that is configured, or that `login` was for.
        source: As for `update_form`.
        restore_folder: Where the restore file is put; by default the folder for the state of
            programs of this user on this machine. The form shows the path.

    Returns:
        A widget, as `create_form` does; `result` is the source as it last was.

    Raises:
        ConfigurationError: No client is given and no tenant is configured.
        InvalidInput: `source` is neither.
        NotFound: There is no such source, or none that the token may see.
    """
    client = _tenant(client)
    opened = _opened(client, source)
    return DeleteForm(client, opened, folder=restore_folder, picker=source is None)


def _tenant(client: Client | None) -> Client:
    return connect() if client is None else check_client(client, Client)


def _opened(client: Client, source: str | Source | None) -> Source | None:
    return source if source is None or isinstance(source, Source) else client.source(source)
