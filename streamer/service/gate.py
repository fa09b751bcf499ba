"""Who is shown the page, and who may change something by it: by where they ask from, and by a token if there is one.

A browser is logged in by a cookie that no script reads and no other site sends along. What changes something must come
from the page itself: a form or a script of another site can set neither its header nor its origin.
"""

from __future__ import annotations

import hmac
import ipaddress
from http.cookies import CookieError, SimpleCookie
from typing import Literal, NamedTuple

COOKIE, COOKIE_SECONDS = "driftline", 12 * 3600
MARK = "page"
"""What the page puts into its header X-Driftline. A form cannot, and a script of another site must ask us first."""


class Client(NamedTuple):
    """Who asks: the address, and headers as they came."""

    address: str
    host: str = ""
    authorization: str = ""
    cookie: str = ""
    origin: str = ""
    site: str = ""  # Sec-Fetch-Site
    mark: str = ""  # X-Driftline


class Gate:
    """`who` is server.page, `token` server.token."""

    def __init__(self, who: Literal["local", "all", "off"], token: str | None = None) -> None:
        self.who, self.token = who, token

    def shown(self, client: Client) -> bool:
        """Whether there is a page for whoever asks from there."""
        return self.who == "all" or (self.who == "local" and local(client))

    def knows(self, client: Client) -> bool:
        """Whether the client has the token, or none is asked for."""
        if self.token is None:
            return True
        kind, _, given = client.authorization.partition(" ")
        bearer = given.strip() if kind.lower() == "bearer" else ""
        return same(bearer, self.token) or same(cookie_of(client), self._session())

    def login(self, given: str, secure: bool) -> str | None:
        """The cookie for whoever gives the right token: good for this token, whichever replica is asked."""
        if self.token is None or not same(given, self.token):
            return None
        ends = f"Max-Age={COOKIE_SECONDS}; Path=/; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"
        return f"{COOKIE}={self._session()}; {ends}"

    def refusal(self, client: Client, marked: bool = True) -> str | None:
        """Why nothing may be changed by that; None where it may. marked: it must bear the page's own header."""
        if client.site not in ("", "same-origin", "none"):
            return "it comes from another site"
        if client.origin and client.origin.partition("://")[2] != client.host:
            return "it comes from a page of another origin"
        if marked and client.mark != MARK:
            return f"it has no header X-Driftline: {MARK}"
        if self.token is None and not local(client):
            return "without server.token only the same machine may change something"
        return None

    def _session(self) -> str:
        """Tells nothing of the token."""
        return hmac.new((self.token or "").encode(), b"driftline page", "sha256").hexdigest()


def local(client: Client) -> bool:
    """From the same machine, by a name of it: one that a foreign page has put on 127.0.0.1 is none."""
    name = client.host.rpartition(":")[0] if client.host.rpartition(":")[2].isdigit() else client.host
    named = name.strip("[]") in ("localhost", "127.0.0.1", "::1")
    return named and ipaddress.ip_address(client.address.partition("%")[0]).is_loopback


def same(given: str, wanted: str) -> bool:
    """In the same time whatever is given."""
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


def cookie_of(client: Client) -> str:
    try:
        found = SimpleCookie(client.cookie).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value
