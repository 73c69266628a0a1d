"""A network path of a test's own between a client and a server: it delays, goes silent, and counts round trips."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class NetworkPath:
    """Forwards the connections to `port` to a server; runs in a thread of its own.

    Attributes:
        delay_seconds: How long bytes take, one way.
        round_trips: How often the client said something after it had heard the server. Without a delay it may hear
            the answer to the first half of what it is still saying.
    """

    def __init__(self, host: str, port: int) -> None:
        self.delay_seconds = 0.0
        self.round_trips = 0
        self.port = 0
        self._target = host, port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._forgotten_before = 0
        self._accepted = 0
        self._server_spoke_last: dict[object, bool] = {}
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._begun = threading.Event()

    def begin(self) -> None:
        self._thread.start()
        self._begun.wait()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    def go_silent(self) -> None:
        """Hold back all bytes, of connections that there are and of new ones, and tell nobody."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def go_on(self) -> None:
        """Deliver what was held back, as TCP does when a path is there again."""
        self._loop.call_soon_threadsafe(self._flowing.set)

    def forget_open_connections(self) -> None:
        """Be silent on the connections that are open now, for ever; new ones work: as address translation forgets."""
        self._forgotten_before = self._accepted

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._begun.set()
        await self._stop.wait()
        server.close()
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._accepted += 1
        number = self._accepted
        server, to_server = await asyncio.open_connection(*self._target)
        connection = object()
        self._server_spoke_last[connection] = True
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(self._pump(client, to_server, connection, number, is_client=True))
                    pumps.create_task(self._pump(server, to_client, connection, number, is_client=False))
        finally:
            for writer in (to_client, to_server):
                writer.close()

    async def _pump(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        connection: object,
        number: int,
        *,
        is_client: bool,
    ) -> None:
        """Forward one direction. Bytes keep their order and their distances."""
        on_their_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                arrives_at, data = await on_their_way.get()
                await asyncio.sleep(arrives_at - self._loop.time())
                if not data:
                    target.write_eof()
                    return
                if not is_client:
                    self._server_spoke_last[connection] = True
                target.write(data)
                await target.drain()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(deliver())
            while data := await source.read(65536):
                if number <= self._forgotten_before:
                    continue
                await self._flowing.wait()
                if is_client:
                    self.round_trips += self._server_spoke_last[connection]
                    self._server_spoke_last[connection] = False
                on_their_way.put_nowait((self._loop.time() + self.delay_seconds, data))
            if number <= self._forgotten_before:
                await self._stop.wait()  # the other side is not told
            on_their_way.put_nowait((self._loop.time() + self.delay_seconds, b""))


@contextmanager
def network_path_to(host: str, port: int) -> Iterator[NetworkPath]:
    """Open a path to a server, and close it at the end."""
    path = NetworkPath(host, port)
    path.begin()
    try:
        yield path
    finally:
        path.end()
