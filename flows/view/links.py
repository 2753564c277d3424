"""Addresses of the viewer's pages, and the commands that open them."""

import shlex
import sys
from urllib.parse import quote, urlencode


def path_link(page: str, /, **query: object) -> str:
    """The address of a page on a server."""
    given = {name: str(value) for name, value in query.items() if value not in (None, "")}
    start = "/" if page == "runs" else f"/{page}"
    return f"{start}?{urlencode(given, quote_via=quote)}" if given else start


def view_command(root: str, page: str, /, **query: object) -> str:
    """The command that serves a store and prints the address of a page of it."""
    place = path_link(page, **query).removeprefix("/")
    command = f"stepmill view --root {shlex.quote(root)}"
    return f"{command} {shlex.quote(place)}" if place else command


def say_page(root: str, page: str, /, **query: object) -> None:
    """Name the page that shows more than a table that was printed, if this is a terminal."""
    if sys.stdout.isatty():
        sys.stdout.write(f"more in a browser: {view_command(root, page, **query)}\n")
