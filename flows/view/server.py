"""The viewer's server: it prints its address, and answers until it is interrupted."""

import socket
import sys

from flows.view.annotation import Annotator
from flows.view.guard import Access, is_loopback
from flows.view.site import Site


def serve_view(
    root: str,
    *,
    host: str,
    port: int,
    names: tuple[str, ...] = (),
    annotator: Annotator | None = None,
) -> None:
    """Serve the pages of a store until the process is interrupted.

    Args:
        root: the store.
        host: the address to listen at.
        port: the port; 0 for a free one.
        names: further names by which the viewer is reached.
        annotator: who may write labels; None if nothing is to be written.

    Raises:
        StoreUnusable: the root is not a store.
        OSError: the address cannot be used.
    """
    from storage import Store

    url = Store(root, create=False).url
    listening = _listen(host, port)
    access = Access.of(host, listening.getsockname()[1], names)
    sys.stdout.write(f"{access.url}\n")
    if not is_loopback(host):
        sys.stderr.write("whoever has this address reads the store, and so do those on its way\n")
    sys.stdout.flush()

    # After the address is printed: these take most of the time to start.
    import uvicorn

    from flows.view.app import make_app
    from storage.viewing import LiveCatalog

    app = make_app(LiveCatalog(url), Site(url, annotator), access)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, lifespan="off"
    )
    uvicorn.Server(config).run(sockets=[listening])


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
