"""`login`: a form that asks for endpoint and token, and tests and keeps them for the session."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import ipywidgets as ui
import traitlets

from reinfer_nb import errors, markup
from reinfer_nb.api.retry_policy import Patience
from reinfer_nb.api.transport import Transport
from reinfer_nb.auth import keyring_store
from reinfer_nb.auth import tenant as config
from reinfer_nb.auth.secret import Token
from reinfer_nb.auth.tenant import Tenant
from reinfer_nb.client import Client
from reinfer_nb.schema.records import User
from reinfer_nb.text import listed, visible
from reinfer_nb.widgets.box_guard import BoxGuard
from reinfer_nb.widgets.closing import can_close, close_all_in
from reinfer_nb.widgets.controls import button_for
from reinfer_nb.widgets.forms.secret_box import SecretBox
from reinfer_nb.widgets.hosts import OnHosts
from reinfer_nb.widgets.jobs import Job, Jobs, running_loop

_LABEL = "6em"
_WIDTH = {"width": "auto", "max_width": "60em", "min_width": "0"}
_BENEATH = "0 0 6px 6.5em"
_EXAMPLE = "https://cloud.uipath.com/<org>/<tenant>/reinfer_"
_HOW_TO_CREATE = "Create a token on the tenant's page under 'My account'."
_TOKEN_TIMEOUT = 10.0  # seconds that the page has to send the token
# Errors about the token or its origin; all others are about the endpoint.
_TOKEN_ERRORS = (
    errors.AuthenticationError,
    errors.PermissionDenied,
    errors.ConfigurationError,
    errors.InvalidInput,
)


def login() -> Login:
    """Return a form that asks for an endpoint and a token, and logs in with them.

    After a login `connect()` without arguments returns a client of that tenant, in this process
    only. The token is stored only if the box "Keep the token in this system's keyring" was ticked;
    then `connect(endpoint=...)` finds it there.

    >>> form = login()
    >>> form.client is None
    True

    Returns:
        The form, which the notebook shows; its attribute `client` is the client after a login,
        or None.
    """
    return Login()


@dataclass(frozen=True, kw_only=True)
class _Lookup:
    """An endpoint, a note on its token, and why there is no keyring if there is none."""

    endpoint: str
    note: str
    no_keyring: str | None


@dataclass(frozen=True, kw_only=True)
class _Success:
    """A successful login: tenant and user, if the token was kept, and why it could not be."""

    tenant: Tenant
    user: User
    kept: bool
    not_kept: str


class Login(OnHosts, ui.VBox):
    """A form to log in; `login` returns one.

    Attributes:
        client: The client after a login, or None; `observe` it to be notified.
        endpoint: The input for the endpoint.
        token: The input for the token; the token is in no widget's state.
        keep: The box to tick if the system's keyring should keep the token.
        button: The button to log in.
        leave: The button to log out.
    """

    client = traitlets.Instance(Client, allow_none=True)
    instead = "rnb.connect(endpoint=..., token=getpass.getpass())"

    def __init__(self) -> None:
        self._tenant = config.logged_in()
        self._who, self._before = "", ("", "", "")
        self._pending = self._doing = self._wanted = ""
        self._no_keyring: str | None = ""
        self.jobs = Jobs(self._busy)
        self.lookups = Jobs()
        self.endpoint = ui.Combobox(
            description="Endpoint",
            placeholder=_EXAMPLE,
            style={"description_width": _LABEL},
            layout=ui.Layout(**_WIDTH),
        )
        # The box includes its margin, two pixels on each side.
        wide = {**_WIDTH, "max_width": "calc(60em + 4px)"}
        self.token = SecretBox(self._log_in, self._press, _LABEL, wide)
        self.keep = ui.Checkbox(
            description="Keep the token in this system's keyring",
            indent=False,
            disabled=True,
            layout=ui.Layout(width="auto", margin="0 0 0 6.5em"),
        )
        self.button = button_for("Log in", self._press, "primary")
        self.leave = button_for("Log out", self._log_out)
        self._about_endpoint, self._about_token, self._about_keyring = (
            ui.HTML(layout=ui.Layout(margin=_BENEATH, **_WIDTH)) for _ in range(3)
        )
        self._said = ui.HTML(layout=ui.Layout(min_width="0"))
        buttons = ui.HBox([self.button, self.leave], layout=ui.Layout(margin=_BENEATH))
        parts = [self.endpoint, self._about_endpoint, self.token, self._about_token, self.keep]
        parts += [self._about_keyring, buttons, self._said]
        super().__init__(parts, layout=ui.Layout(padding="4px", min_width="0", overflow="hidden"))
        BoxGuard().watch(self)
        self._begin()

    def close(self) -> None:
        """Close the form and every widget in it; this does not log out."""
        if can_close(self):
            close_all_in(self)

    def __repr__(self) -> str:
        if self.client is None or not self._who:
            return f"Login form, not logged in; {self._advice()}"
        return f"Login: {self._who} on {self.client.endpoint}"

    def _begin(self) -> None:
        tenant = self._tenant
        options, first, note = _choices(tenant)
        self.endpoint.options = options
        self.endpoint.value = first
        self.endpoint.observe(lambda _: self._on_endpoint(), "value")
        self._on_endpoint()
        if note:
            self._about_endpoint.value = markup.muted(note)
        self.leave.layout.display = None if tenant else "none"
        if tenant is not None:
            self._said.value = markup.status(
                f"Logged in to {tenant.endpoint} already. rnb.connect() returns a client of it."
            )

    # The endpoint

    def _on_endpoint(self) -> None:
        """Check the endpoint, and look up a token for it."""
        text = self.endpoint.value.strip()
        endpoint, problem = _checked(text)
        # The first letters of "https://" are no mistake yet.
        early = not text or "https://".startswith(text) or "http://".startswith(text)
        self._about_endpoint.value = markup.error(problem) if problem and not early else ""
        self._about_token.value = ""
        self.token.invalid = False
        self._look_up(endpoint)

    def _look_up(self, endpoint: str) -> None:
        # In a thread: a keyring can be slow, and may ask for a password.
        self._wanted = endpoint

        def work(_: Job) -> _Lookup:
            while True:
                lookup = _find_token(self._wanted)
                # More may have been typed by now.
                if lookup.endpoint == self._wanted:
                    return lookup

        self.lookups.start(work, self._show_lookup, lambda _: None, clicked=None)

    def _show_lookup(self, lookup: _Lookup) -> None:
        if lookup.no_keyring != self._no_keyring:
            self._no_keyring = lookup.no_keyring
            self._about_keyring.value = markup.muted(lookup.no_keyring or "")
        self.keep.disabled = self.jobs.running or lookup.no_keyring is not None
        if lookup.endpoint != self._wanted:
            self._look_up(self._wanted)
        elif not self.token.invalid:
            self._about_token.value = markup.muted(lookup.note)

    # Logging in

    def _press(self) -> None:
        if self.jobs.running or self.button.disabled:
            return
        endpoint, problem = _checked(self.endpoint.value.strip())
        if problem:
            self._about_endpoint.value = markup.error(problem)
            return
        self._before = (self._about_endpoint.value, self._about_token.value, self._said.value)
        self._about_endpoint.value = ""
        self._pending, self._doing = endpoint, f"Checking the token at {endpoint}"
        if self.keep.value and self._no_keyring is None:
            self._doing += ", and keeping it in the keyring (which may ask for its password)"
        if not self.token.filled:
            self._log_in(None)
            return
        self._busy(running=True)
        asked = self.token.ask()
        loop = running_loop()
        if loop is not None:
            loop.call_later(_TOKEN_TIMEOUT, self._on_token_timeout, asked)

    def _on_token_timeout(self, asked: int) -> None:
        if self.token.waiting_for(asked):
            self.token.give_up()
            self.token.filled = False
            self._busy(running=False)
            self._fail_at_token("The page did not send the token. Type it again.")

    def _log_in(self, token: Token | None) -> None:
        endpoint, keep = self._pending, self.keep.value and self._no_keyring is None
        if not self.jobs.start(
            lambda _: _authenticate(endpoint, token, keep=keep), self._on_success, self._on_failure
        ):
            # The second click of a double click: the messages of the first one stay.
            self._busy(self.jobs.running)
            self._about_endpoint.value, self._about_token.value, self._said.value = self._before
            self.token.invalid = "alert" in self._about_token.value

    def _busy(self, running: bool) -> None:  # noqa: FBT001 - as `Jobs` calls it
        for widget in (self.endpoint, self.button, self.leave):
            widget.disabled = running
        self.keep.disabled = running or self._no_keyring is not None
        self.token.busy = running
        if running:
            self.token.invalid = False
            self._about_token.value = ""
        self._said.value = markup.progress(self._doing) if running else ""

    def _on_success(self, success: _Success) -> None:
        tenant = config.remember_login(success.tenant)
        self._tenant = tenant
        self._who = visible(success.user.email or success.user.username, 100)
        self.token.clear()
        self.client = Client(Transport(tenant))
        self.leave.layout.display = None
        if success.not_kept:
            self._about_keyring.value = markup.error(success.not_kept)
        elif success.kept:
            self._about_keyring.value = markup.muted(
                f"Kept in the keyring: rnb.connect(endpoint={tenant.endpoint!r}) finds it there."
            )
        self._said.value = _welcome(tenant, success.user, self._who)

    def _on_failure(self, error: Exception | None) -> None:
        if not isinstance(error, errors.ReinferError):
            # Without its text, which may contain the token.
            kind = type(error).__name__
            self._said.value = markup.error(f"{kind}: this is a bug in the toolkit.")
        elif isinstance(error, _TOKEN_ERRORS):
            self._fail_at_token(str(error))
        else:
            self._about_endpoint.value = markup.error(str(error))

    def _fail_at_token(self, problem: str) -> None:
        self.token.invalid = True
        self._about_token.value = markup.error(problem)

    # Logging out

    def _log_out(self) -> None:
        tenant = self._tenant
        if tenant is None or self.jobs.running:
            return
        self._doing = f"Logging out of {tenant.endpoint}, and removing its token from the keyring"
        self.jobs.start(
            lambda _: keyring_store.forget(tenant.endpoint),
            lambda was_kept: self._logged_out(tenant, was_kept=was_kept),
            lambda error: self._logged_out(tenant, error=error),
            clicked=None,
        )

    def _logged_out(
        self, tenant: Tenant, *, was_kept: bool = False, error: Exception | None = None
    ) -> None:
        config.forget_login(tenant)
        self._tenant, self._who, self.client = None, "", None
        self.token.clear()
        self.leave.layout.display = "none"
        self._on_endpoint()
        removed = " It was removed from the keyring, too." if was_kept else ""
        self._said.value = markup.status(
            f"Logged out of {tenant.endpoint}: its token is forgotten.{removed}"
        )
        self._about_keyring.value = markup.muted(self._no_keyring or "")
        if isinstance(error, errors.ReinferError):
            self._about_keyring.value = markup.error(str(error))


def _checked(text: str) -> tuple[str, str]:
    """Return the normalised endpoint, or what is wrong with it; one of the two is empty."""
    if not text:
        return "", f"Choose an endpoint, or type one, such as {_EXAMPLE}"
    try:
        return config.checked_endpoint(text), ""
    except errors.InvalidInput as error:
        return "", str(error)


def _choices(tenant: Tenant | None) -> tuple[list[str], str, str]:
    """Return the endpoints to choose from, the one to fill in, and a note on them."""
    note = ""
    try:
        contexts = config.read_contexts()
    except errors.ConfigurationError as error:
        contexts, note = [], str(error)
    from_environment = os.environ.get(config.ENDPOINT, "")
    name = os.environ.get(config.CONTEXT)
    current = [context.endpoint for context in contexts if context.name == name] or [
        context.endpoint for context in contexts if context.current
    ]
    preferred = [tenant.endpoint if tenant else "", from_environment, *current]
    endpoints = [*preferred, *(context.endpoint for context in contexts)]
    options = list(dict.fromkeys(visible(each.rstrip("/")) for each in endpoints if each))
    first = next((each.rstrip("/") for each in preferred if each), "")
    if not note and len(options) > 1:
        note = f"Known endpoints: {listed(options)}. Empty the field to choose."
    return options, visible(first), note


def _find_token(endpoint: str) -> _Lookup:
    """Look up which token there is for an endpoint, and if there is a keyring."""
    note = ""
    if endpoint:
        try:
            tenant = config.tenant_at(endpoint)
        except errors.ReinferError as error:
            note = str(error)
        else:
            note = _HOW_TO_CREATE
            if tenant is not None:
                origin = tenant.token_from
                origin = "the login of this session" if origin == config.LOGIN else origin
                note = f"May stay empty: the token from {origin} is used."
    return _Lookup(endpoint=endpoint, note=note, no_keyring=keyring_store.unusable())


def _authenticate(endpoint: str, token: Token | None, *, keep: bool) -> _Success:
    """Ask the tenant for the user of a token; then store the token in the keyring if `keep`."""
    tenant = config.tenant_at(endpoint, token)
    if tenant is None:
        raise errors.ConfigurationError(f"Type the token of {endpoint}. {_HOW_TO_CREATE}")
    # Short timeouts and few retries: the user is waiting, and can click again.
    with Client(Transport(tenant, timeout=(10.0, 30.0), patience=Patience(2))) as client:
        user = client.me()
    not_kept = ""
    if keep:
        try:
            keyring_store.keep(endpoint, tenant.token)
        except errors.ConfigurationError as error:
            not_kept = str(error)
    return _Success(tenant=tenant, user=user, kept=keep and not not_kept, not_kept=not_kept)


def _welcome(tenant: Tenant, user: User, who: str) -> markup.Markup:
    """Return the message after a login: the user, and the permissions of the token."""
    everywhere = sorted({*(user.global_permissions or ()), *(user.sso_global_permissions or ())})
    parts = [
        markup.status(
            f"Logged in as {who} on {tenant.endpoint}. In this session rnb.connect() now returns a "
            "client of it."
        )
    ]
    if tenant.verify is False:
        parts.append(
            markup.error(
                "The certificate is not verified, as set in the context: anybody on the network "
                "path can read the token."
            )
        )
    parts.append(markup.facts({"On the whole tenant": ", ".join(everywhere) or "no permissions"}))
    return markup.join([*parts, _by_project(user.organisation_permissions or {})])


def _by_project(permissions: Mapping[str, tuple[str, ...]]) -> markup.Markup:
    if not permissions:
        return markup.muted("No permissions on single projects.")
    rows = [
        (name, ", ".join(sorted(names)) or "none") for name, names in sorted(permissions.items())
    ]
    table = markup.table(("Project", "Permissions of the token"), rows)
    return markup.block(
        table,
        tabindex="0",
        role="region",
        aria_label="Permissions by project",
        style="max-height:340px;overflow:auto",
    )
