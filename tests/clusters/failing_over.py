"""Instances of the service on an engine of several servers, one of which is lost while they work."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing

from service.authorization.exchange import Browser
from storage.store import TokenStore
from tests.service.harness import ACCOUNT
from tests.service.posting import Load
from tests.waiting import until

CLIENTS = 6
#: How many exchanges are stored before and after a server is lost, by each instance.
ENOUGH = 60
USERS = 200
#: How many refreshes one instance has under way at once.
CONCURRENCY = 4


def in_flight(instances: int) -> int:
    """Return how many refreshes may be lost with a server: WeChat has done them, and nothing has been written."""
    return instances * CONCURRENCY


class Trial:
    """Instances, each with the settings by which it reaches the engine."""

    def __init__(self, wechat, http, start_server, page_at) -> None:
        self._wechat, self._http, self._start, self._page_at = wechat, http, start_server, page_at

    async def exchange_while(
        self, lose: Callable[[], object], open_store: Callable[[], TokenStore], instances: Sequence[dict]
    ) -> dict:
        """Post codes to all instances, lose a server meanwhile, and return what became of it.

        Returns:
            How many exchanges were acknowledged, which of them are not in the store, how many were refused, what else
            was answered, and for how many seconds an instance stored nothing.
        """
        servers = [self._start(**settings) for settings in instances]
        await asyncio.gather(*(server.answers(self._http) for server in servers))
        loads, tasks = [], []
        for server in servers:
            load = Load()
            loads.append(load)
            tasks.append(
                [
                    asyncio.ensure_future(load.run(self._wechat, lambda server=server: self._page_at(server)))
                    for _ in range(CLIENTS)
                ]
            )
        try:
            await asyncio.gather(*(load.stores(ENOUGH) for load in loads))
            await asyncio.to_thread(lose)
            await asyncio.gather(*(load.stores(ENOUGH) for load in loads))
        finally:
            await asyncio.gather(*(load.finish(own) for load, own in zip(loads, tasks, strict=True)))
        stored = set().union(*(load.stored for load in loads))
        return {
            "acknowledged": len(stored),
            "lost": await asyncio.to_thread(_missing, stored, open_store),
            "refused": sum(len(load.refused) for load in loads),
            "others": [one for load in loads for one in load.others],
            "seconds": round(max(load.longest_pause() for load in loads), 1),
        }

    async def refresh_while(self, lose: Callable[[], object] | None, service, instances: Sequence[dict]) -> dict:
        """Have instances refresh what is due, lose a server meanwhile, and return what became of it."""
        for _ in range(USERS):
            code = self._wechat.issue_code(self._wechat.invent_person().id)
            await service.exchange.exchange(ACCOUNT, code, Browser(b"b" * 32))
        pace = {
            "WECHAT_OPENID_REFRESH_EVERY_SECONDS": "0.2",
            "WECHAT_OPENID_REFRESH_MAX_PER_SECOND": "20",
            "WECHAT_OPENID_REFRESH_CONCURRENCY": str(CONCURRENCY),
        }
        servers = [self._start(**pace, **settings) for settings in instances]
        await asyncio.gather(*(server.answers(self._http) for server in servers))
        refreshed = self._wechat.refreshed
        await until(lambda: len(refreshed) > USERS // 3)
        if lose is not None:
            await asyncio.to_thread(lose)
        await until(lambda: len(refreshed) == USERS)
        await asyncio.sleep(1)  # another pass or two: what was refreshed is not due any more
        for server in servers:
            server.process.terminate()
            await server.ended()
        twice = [token for token, times in refreshed.items() if times > 1]
        return {"refreshed": len(refreshed), "twice": len(twice)}


def _missing(openids: set[str], open_store: Callable[[], TokenStore]) -> set[str]:
    with closing(open_store()) as store:
        return {openid for openid in openids if store.get(ACCOUNT.appid, openid) is None}
