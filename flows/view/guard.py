"""Who may ask the viewer, and what a browser may do with its pages.

A page shows texts that models wrote and statements that its reader typed, so: the Host header must
be an address that the viewer was started for (a name that an attacker lets point to this machine is
refused), a token is needed where others than this machine can connect, another site's pages can
embed or fetch nothing, and the browser loads nothing but the viewer's own style sheet and script.
"""

import ipaddress
import secrets
import socket
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_WILDCARDS = ("0.0.0.0", "::")
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Access:
    """For whom the viewer answers."""

    host: str
    """The address that it listens at."""
    port: int
    token: str | None = None
    """What a browser must have been given; None where only this machine can connect."""
    names: frozenset[str] = field(default_factory=frozenset)
    """Further names by which it is reached."""

    @classmethod
    def of(cls, host: str, port: int, names: tuple[str, ...] = ()) -> "Access":
        """The access to a new viewer; with a new token unless only this machine can connect."""
        token = None if is_loopback(host) else secrets.token_urlsafe(24)
        return cls(host, port, token, frozenset(name.lower() for name in names))

    @property
    def url(self) -> str:
        """The address to open, token included."""
        name = socket.gethostname() if self.host in _WILDCARDS else self.host
        shown = f"[{name}]" if ":" in name else name
        query = f"?{urlencode({'token': self.token})}" if self.token else ""
        return f"http://{shown}:{self.port}/{query}"

    def address(self, page: str) -> str:
        """The address of a page, given as its path and query, token included."""
        start, _, query = self.url.partition("?")
        place = f"{start}{page.lstrip('/')}"
        return f"{place}{'&' if '?' in place else '?'}{query}" if query else place

    @property
    def cookie(self) -> str:
        """The name of the cookie that holds the token; browsers share cookies between ports."""
        return f"stepmill-view-{self.port}"

    def knows(self, header: str | None) -> bool:
        """Whether a Host header names this viewer."""
        name, port = _split(header or "")
        if name is None or port not in (None, str(self.port)):
            return False
        if name in self.names or name == self.host.lower():
            return True
        if (self.token is None or self.host in _WILDCARDS) and name in _LOOPBACK_NAMES:
            return True
        # A name can be made to point anywhere, a number cannot.
        own = socket.gethostname().lower()
        return self.host in _WILDCARDS and (name == own or _is_number(name))


class Guard:
    """The middleware that lets requests in and puts headers on answers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """Guard an application."""
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        answer = self._refuse(scope) or self._app
        await answer(scope, receive, send_with_headers)

    def _refuse(self, scope: Scope) -> ASGIApp | None:
        """The answer to a request that is not let in; None for one that is."""
        headers = Headers(scope=scope)
        if not self._access.knows(headers.get("host")):
            return PlainTextResponse(
                f"this viewer is at port {self._access.port} of {self._access.host}; "
                "`stepmill view --name NAME` adds a name by which it is reached\n",
                403,
            )
        mode, site = headers.get("sec-fetch-mode"), headers.get("sec-fetch-site")
        if site in ("cross-site", "same-site") and mode != "navigate":
            return PlainTextResponse("another site's page may not ask this viewer\n", 403)
        if scope["method"] == "POST" and not self._is_own(headers):
            return PlainTextResponse("only the viewer's own pages may write\n", 403)
        if self._access.token is not None:
            return self._check_token(scope, headers, self._access.token)
        return None

    def _is_own(self, headers: Headers) -> bool:
        """Whether a request that writes comes from one of the viewer's own pages."""
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return False
        origin = headers.get("origin")
        return origin is not None and origin == f"http://{headers.get('host')}"

    def _check_token(self, scope: Scope, headers: Headers, token: str) -> ASGIApp | None:
        given = parse_qs(scope["query_string"].decode("latin-1"))
        if shown := given.pop("token", None):
            if not secrets.compare_digest(shown[-1].encode(), token.encode()):
                return PlainTextResponse("this is not the viewer's token\n", 403)
            query = urlencode(given, doseq=True)
            answer = RedirectResponse(f"{scope['path']}{f'?{query}' if query else ''}", 303)
            answer.set_cookie(self._access.cookie, token, httponly=True, samesite="lax")
            return answer
        try:
            kept = SimpleCookie(headers.get("cookie", "")).get(self._access.cookie)
        except CookieError:
            kept = None
        if kept is None or not secrets.compare_digest(kept.value.encode(), token.encode()):
            return PlainTextResponse("open the address that `stepmill view` printed\n", 403)
        return None


def _split(header: str) -> tuple[str | None, str | None]:
    """Name and port of a Host header, in lower case; the name is None if it is no such header."""
    if header.startswith("["):
        name, _, rest = header[1:].partition("]")
        port = rest.removeprefix(":") if rest else None
    else:
        name, colon, port = header.partition(":")
        port = port if colon else None
    return (name.lower() or None), port


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
