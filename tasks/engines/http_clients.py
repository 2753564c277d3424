"""HTTP clients that share out the requests to one server.

Whenever a request begins or ends, a client's pool looks at each of its connections and requests, so
with n in flight each costs n. Several clients with a few connections each avoid that.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

_PER_CLIENT = 8
"""Requests in flight through one client."""


class HttpClients:
    """As many clients as the requests in flight need; a request takes the least busy one."""

    def __init__(self, num_in_flight: int, **settings: Any) -> None:
        """Prepare them; nothing is sent yet.

        Args:
            num_in_flight: requests that may be in flight at once.
            settings: of `httpx.AsyncClient`.
        """
        import httpx

        trusted = httpx.create_ssl_context()
        number = -(-num_in_flight // _PER_CLIENT)
        self._clients = [httpx.AsyncClient(verify=trusted, **settings) for _ in range(number)]
        self.in_flight = [0] * number
        """Requests of each client that are not answered yet."""

    @asynccontextmanager
    async def stream(self, method: str, path: str, *, json: Any) -> AsyncIterator[Any]:
        """Send a request; the response, whose body is still to be read."""
        place = self.in_flight.index(min(self.in_flight))
        self.in_flight[place] += 1
        try:
            async with self._clients[place].stream(method, path, json=json) as response:
                yield response
        finally:
            self.in_flight[place] -= 1

    async def aclose(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(client.aclose() for client in self._clients))
