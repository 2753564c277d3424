import asyncio
from contextlib import AsyncExitStack

from aiohttp import web

from tasks.engines.http_clients import HttpClients


async def check_spreading() -> None:
    ports: list[int] = []

    async def reply(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.append(request.transport.get_extra_info("peername")[1])
        return web.json_response(await request.json())

    application = web.Application()
    application.router.add_post("/v1/ask", reply)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    clients = HttpClients(20, base_url=f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
    try:
        for number in range(3):
            async with clients.stream("POST", "ask", json=number) as response:
                assert await response.aread() == b"%d" % number
        assert len(set(ports)) == 1
        async with AsyncExitStack() as unread:
            asked = (clients.stream("POST", "ask", json=number) for number in range(20))
            await asyncio.gather(*(unread.enter_async_context(each) for each in asked))
            assert clients.in_flight == [7, 7, 6]
        assert clients.in_flight == [0, 0, 0]
    finally:
        await clients.aclose()
        await runner.cleanup()


def test_requests_in_flight_are_spread_and_lone_ones_keep_a_connection():
    asyncio.run(check_spreading())
