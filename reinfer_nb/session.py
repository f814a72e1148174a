"""A `requests` session that keeps the token to itself and leaves redirects to others."""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from reinfer_nb.concurrency import MOST
from reinfer_nb.secret import Token


class _QuietConnection(HTTPConnection):
    # http.client prints every header, the token's too, where its own debuglevel is switched on.
    debuglevel = 0


class _QuietHTTPSConnection(HTTPSConnection):
    debuglevel = 0


class _QuietPool(HTTPConnectionPool):
    ConnectionCls = _QuietConnection


class _QuietHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _QuietHTTPSConnection


class _Adapter(HTTPAdapter):
    """Pooled keep-alive connections that never print what they send."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _QuietPool, "https": _QuietHTTPSPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _QuietPool, "https": _QuietHTTPSPool}
        return manager


class Session(requests.Session):
    """A session of pooled keep-alive connections; safe to send with from several threads."""

    def __init__(self) -> None:
        super().__init__()
        self.headers["User-Agent"] = "reinfer_nb"
        self.headers["Accept"] = "application/json"
        self.headers["Accept-Encoding"] = "gzip, deflate"
        adapter = _Adapter(pool_connections=4, pool_maxsize=MOST, max_retries=0, pool_block=True)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return no target, so that nothing is prepared for it, nor its body read without bound."""


class Bearer(AuthBase):
    """Puts the token into each request; being there, it keeps `~/.netrc` out."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return the request, with the token in it."""
        request.headers["Authorization"] = self._token.bearer()
        return request
