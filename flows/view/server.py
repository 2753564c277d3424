"""The viewer's server: it prints its address, and answers until it is interrupted."""

import contextlib
import socket
import sys
import threading
from typing import TYPE_CHECKING

from flows.view.annotation import Annotator
from flows.view.guard import Access, is_loopback

if TYPE_CHECKING:
    from storage.viewing import LiveCatalog
from flows.view.site import Site


def serve_view(
    root: str,
    *,
    host: str,
    port: int,
    names: tuple[str, ...] = (),
    annotator: Annotator | None = None,
    page: str = "",
) -> None:
    """Serve the pages of a store until the process is interrupted.

    Args:
        root: the store.
        host: the address to listen at.
        port: the port; 0 for a free one.
        names: further names by which the viewer is reached.
        annotator: who may write labels; None if nothing is to be written.
        page: the path and query of the page whose address is printed; empty for the first.

    Raises:
        StoreUnusable: the root is not a store.
        OSError: the address cannot be used.
    """
    from storage import Store

    url = Store(root, create=False).url
    listening = _listen(host, port)
    access = Access.of(host, listening.getsockname()[1], names)
    sys.stdout.write(f"{access.address(page)}\n")
    if not is_loopback(host):
        sys.stderr.write("whoever has this address reads the store, and so do those on its way\n")
    sys.stdout.flush()

    # After the address is printed: these take most of the time to start.
    from storage.viewing import LiveCatalog

    catalog = LiveCatalog(url)
    threading.Thread(target=_open, args=[catalog], daemon=True).start()
    import uvicorn

    from flows.view.app import make_app

    app = make_app(catalog, Site(url, annotator), access)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, lifespan="off"
    )
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        catalog.close()


def _open(catalog: "LiveCatalog") -> None:
    """Open the store and make ready what the first pages need, before anybody asks for them."""
    from flows.view.pages import PAGES
    from flows.view.pages.runs import count_rows

    with contextlib.suppress(Exception):  # whoever asks is told
        catalog.first()
        opened = catalog.snapshot()
        opened.soon("counts", lambda: count_rows(opened))
        for page in PAGES.values():
            page.load()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)  # connections wait here until the application is imported
    except OSError as error:
        listening.close()
        raise OSError(
            f"cannot listen at {host} port {port}: {error.strerror}; see --port"
        ) from error
    return listening
