"""`login`: a form that asks for endpoint and token, tests them, and keeps them for the session."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
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
from reinfer_nb.widgets.closing import can_close, close_all_in
from reinfer_nb.widgets.controls import button_for
from reinfer_nb.widgets.forms.secret_box import SecretBox
from reinfer_nb.widgets.hosts import OnHosts
from reinfer_nb.widgets.jobs import Jobs, running_loop

_LABEL = "6em"
_WIDTH = {"width": "auto", "max_width": "60em", "min_width": "0"}
_BENEATH = "0 0 6px 6.5em"
_EXAMPLE = "https://cloud.uipath.com/<org>/<tenant>/reinfer_"
# Seconds that the page has for handing over what is typed.
_ANSWER = 10.0
# About the token or where it is from; all other errors are about the endpoint.
_OF_THE_TOKEN = (
    errors.AuthenticationError,
    errors.PermissionDenied,
    errors.ConfigurationError,
    errors.InvalidInput,
)


def login() -> Login:
    """Return a form that asks for an endpoint and a token, and logs in with them.

    Once it has worked, `connect()` without arguments gives a client of that tenant, in this process
    only; so does the form's attribute `client`. Nothing is stored, unless the box "Keep the token
    in this system's keyring" was ticked; then `connect(endpoint=...)` finds it there.

    >>> form = login()
    >>> form.client is None
    True

    Returns:
        The form, which the notebook shows; its attribute `client` is the client, or None as long
        as it has not worked.
    """
    return Login()


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What is known of an endpoint before anything is typed, and of the keyring."""

    endpoint: str
    note: str
    no_keyring: str | None


@dataclass(frozen=True, kw_only=True)
class _Entered:
    """A login that has worked."""

    tenant: Tenant
    user: User
    kept: bool
    not_kept: str


class Login(OnHosts, ui.VBox):
    """A form to log in with; made by `login`.

    Attributes:
        client: The client, once the form has worked; `observe` it to learn when.
        endpoint: Where the endpoint is typed or chosen.
        token: The box for the token; what is typed there is in no widget's state.
        keep: Whether the token is to be kept in the system's keyring.
        button: What logs in.
        leave: What logs out.
    """

    client = traitlets.Instance(Client, allow_none=True)
    instead = "rnb.connect(endpoint=..., token=getpass.getpass())"

    def __init__(self) -> None:
        there = config.logged_in()
        self._tenant = there
        self._who = ""
        self._before = ("", "", "")
        self._pending, self._doing, self._wanted = "", "", ""
        self._no_keyring: str | None = ""
        self.jobs = Jobs(self._busy)
        self.lookups = Jobs()
        self.endpoint = ui.Combobox(
            description="Endpoint",
            placeholder=_EXAMPLE,
            style={"description_width": _LABEL},
            layout=ui.Layout(**_WIDTH),
        )
        # Its margin is inside of it, two pixels on each side.
        wide = _WIDTH | {"max_width": "calc(60em + 4px)"}
        self.token = SecretBox(self._go, self._press, _LABEL, wide)
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
        super().__init__(
            [
                *(self.endpoint, self._about_endpoint),
                *(self.token, self._about_token),
                *(self.keep, self._about_keyring),
                *(buttons, self._said),
            ],
            layout=ui.Layout(padding="4px", min_width="0", overflow="hidden"),
        )
        self._begin(there)

    def close(self) -> None:
        """Close the form and every widget in it; who is logged in stays so."""
        if can_close(self):
            close_all_in(self)

    def __repr__(self) -> str:
        if self.client is None or not self._who:
            return f"Login form, not logged in; {self._advice()}"
        return f"Login: {self._who} on {self.client.endpoint}"

    def _begin(self, there: Tenant | None) -> None:
        options, first, problem = _choices(there)
        self.endpoint.options = options
        self.endpoint.value = first
        self.endpoint.observe(lambda _: self._typed(), "value")
        self._typed()
        if problem:
            self._about_endpoint.value = markup.muted(problem)
        self.leave.layout.display = None if there else "none"
        if there is not None:
            self._said.value = markup.status(
                f"Logged in to {there.endpoint} already; rnb.connect() gives a client of it."
            )

    # The endpoint, and what is known of it

    def _typed(self) -> None:
        """Check the endpoint, and look up whether there is a token for it."""
        text = self.endpoint.value.strip()
        endpoint, problem = _checked(text)
        # The beginning of the word everybody begins with is no mistake yet.
        early = not text or "https://".startswith(text) or "http://".startswith(text)
        self._about_endpoint.value = markup.error(problem) if problem and not early else ""
        self._about_token.value = ""
        self.token.invalid = False
        self._look_up(endpoint)

    def _look_up(self, endpoint: str) -> None:
        # In a thread: a keyring takes its time, and may ask its owner something.
        self._wanted = endpoint
        self.lookups.start(
            lambda _: self._looked_up(), self._show_known, lambda _: None, clicked=None
        )

    def _looked_up(self) -> _Known:
        while True:
            known = _known(self._wanted)
            # By now more may have been typed.
            if known.endpoint == self._wanted:
                return known

    def _show_known(self, known: _Known) -> None:
        if known.no_keyring != self._no_keyring:
            self._no_keyring = known.no_keyring
            self._about_keyring.value = markup.muted(known.no_keyring or "")
        self.keep.disabled = self.jobs.running or known.no_keyring is not None
        if known.endpoint != self._wanted:
            self._look_up(self._wanted)
        elif not self.token.invalid:
            self._about_token.value = markup.muted(known.note)

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
        self._pending, self._doing = endpoint, f"Asking {endpoint} whose token it is"
        if self.keep.value and self._no_keyring is None:
            self._doing += ", and the keyring to keep it (it may open a window for its password)"
        if not self.token.filled:
            self._go(None)
            return
        self._busy(running=True)
        asked = self.token.ask()
        _later(_ANSWER, lambda: self._unanswered(asked))

    def _unanswered(self, asked: int) -> None:
        if self.token.waiting_for(asked):
            self.token.give_up()
            self.token.filled = False
            self._busy(running=False)
            self._fail_at_token("The page did not hand over the token. Type it again.")

    def _go(self, token: Token | None) -> None:
        endpoint, keep = self._pending, self.keep.value and self._no_keyring is None
        if not self.jobs.start(
            lambda _: _tried(endpoint, token, keep=keep), self._entered, self._failed
        ):
            # A second click that belongs to the first takes away nothing that was said.
            self._busy(self.jobs.running)
            self._about_endpoint.value, self._about_token.value, self._said.value = self._before
            self.token.invalid = "alert" in self._about_token.value

    def _busy(self, running: bool) -> None:  # noqa: FBT001 - as Jobs tells it
        for widget in (self.endpoint, self.button, self.leave):
            widget.disabled = running
        self.keep.disabled = running or self._no_keyring is not None
        self.token.busy = running
        if running:
            self.token.invalid = False
            self._about_token.value = ""
        self._said.value = markup.progress(self._doing) if running else ""

    def _entered(self, entered: _Entered) -> None:
        tenant = config.remember_login(entered.tenant)
        self._tenant = tenant
        self._who = visible(entered.user.email or entered.user.username, 100)
        self.token.clear()
        self.client = Client(Transport(tenant))
        self.leave.layout.display = None
        if entered.not_kept:
            self._about_keyring.value = markup.error(entered.not_kept)
        elif entered.kept:
            self._about_keyring.value = markup.muted(
                f"Kept in the keyring: rnb.connect(endpoint={tenant.endpoint!r}) finds it there."
            )
        self._said.value = _welcome(tenant, entered.user, self._who)

    def _failed(self, error: Exception | None) -> None:
        if not isinstance(error, errors.ReinferError):
            kind = type(error).__name__
            self._said.value = markup.error(f"{kind}: this is a fault of the toolkit.")
        elif isinstance(error, _OF_THE_TOKEN):
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
        self._doing = f"Logging out of {tenant.endpoint}, and looking for its token in the keyring"
        self.jobs.start(
            lambda _: keyring_store.forget(tenant.endpoint),
            lambda kept: self._left(tenant, "" if not kept else " It is out of the keyring, too."),
            lambda error: self._left(tenant, "", error),
            clicked=None,
        )

    def _left(self, tenant: Tenant, kept: str, error: Exception | None = None) -> None:
        config.forget_login(tenant)
        self._tenant, self._who, self.client = None, "", None
        self.token.clear()
        self.leave.layout.display = "none"
        self._typed()
        self._said.value = markup.status(
            f"Logged out of {tenant.endpoint}: its token is forgotten.{kept}"
        )
        self._about_keyring.value = markup.muted(self._no_keyring or "")
        if isinstance(error, errors.ReinferError):
            self._about_keyring.value = markup.error(str(error))


def _later(seconds: float, function: Callable[[], object]) -> None:
    """Call a function later, in the kernel's loop; never where there is none."""
    loop = running_loop()
    if loop is not None:
        loop.call_later(seconds, function)


def _checked(text: str) -> tuple[str, str]:
    """Return an endpoint in its right form, or what is wrong with it; one of them is empty."""
    if not text:
        return "", f"Choose an endpoint, or type one, such as {_EXAMPLE}"
    try:
        return config.checked_endpoint(text), ""
    except errors.InvalidInput as error:
        return "", str(error)


def _choices(there: Tenant | None) -> tuple[list[str], str, str]:
    """Return the endpoints to choose from, the first to show, and what there is to say of them."""
    problem = ""
    try:
        known = config.read_contexts()
    except errors.ConfigurationError as error:
        known, problem = [], str(error)
    of_environment = os.environ.get(config.ENDPOINT, "")
    wanted = os.environ.get(config.CONTEXT)
    current = [entry.endpoint for entry in known if entry.name == wanted] or [
        entry.endpoint for entry in known if entry.current
    ]
    firsts = [there.endpoint if there else "", of_environment, *current]
    every = [*firsts, *(entry.endpoint for entry in known)]
    options = list(dict.fromkeys(visible(name.rstrip("/")) for name in every if name))
    first = next((name.rstrip("/") for name in firsts if name), "")
    if not problem and len(options) > 1:
        problem = f"Known here: {listed(options)}. Empty the field to choose."
    return options, visible(first), problem


def _known(endpoint: str) -> _Known:
    """Return where a token for an endpoint would come from, and whether there is a keyring."""
    note = ""
    if endpoint:
        try:
            tenant = config.tenant_at(endpoint)
        except errors.ReinferError as error:
            note = str(error)
        else:
            note = "A token is made on the tenant's page under 'My account'."
            if tenant is not None:
                source = tenant.token_from
                source = "the login of this session" if source == config.LOGIN else source
                note = f"May stay empty: there is a token from {source}."
    return _Known(endpoint=endpoint, note=note, no_keyring=keyring_store.unusable())


def _tried(endpoint: str, token: Token | None, *, keep: bool) -> _Entered:
    """Log in: ask the tenant whose token it is, and then keep it if that is wanted."""
    tenant = config.tenant_at(endpoint, token)
    if tenant is None:
        raise errors.ConfigurationError(
            f"Type the token of {endpoint}. One is made on the tenant's page under 'My account'."
        )
    # Somebody is waiting, and can press the button again.
    with Client(Transport(tenant, timeout=(10.0, 30.0), patience=Patience(2))) as client:
        user = client.me()
    not_kept = ""
    if keep:
        try:
            keyring_store.keep(endpoint, tenant.token)
        except errors.ConfigurationError as error:
            not_kept = str(error)
    return _Entered(tenant=tenant, user=user, kept=keep and not not_kept, not_kept=not_kept)


def _welcome(tenant: Tenant, user: User, who: str) -> markup.Markup:
    """Return who is logged in, and what the token may do."""
    everywhere = sorted({*(user.global_permissions or ()), *(user.sso_global_permissions or ())})
    parts = [
        markup.status(
            f"Logged in as {who} on {tenant.endpoint}. rnb.connect() gives a client of it from now "
            "on, in this session."
        )
    ]
    if tenant.verify is False:
        parts.append(
            markup.error(
                "The certificate is not verified, as the context says: whoever is on the way there "
                "can read the token."
            )
        )
    parts.append(markup.facts({"On the whole tenant": ", ".join(everywhere) or "no permissions"}))
    parts.append(_by_project(user.organisation_permissions or {}))
    return markup.join(parts)


def _by_project(permissions: Mapping[str, tuple[str, ...]]) -> markup.Markup:
    if not permissions:
        return markup.muted("No permissions on single projects.")
    rows = [(name, ", ".join(sorted(held)) or "none") for name, held in sorted(permissions.items())]
    table = markup.table(("Project", "What the token may do there"), rows)
    return markup.block(
        table,
        tabindex="0",
        role="region",
        aria_label="Permissions by project",
        style="max-height:340px;overflow:auto",
    )
