"""Browsers that post codes for as long as a test wants, whatever becomes of the service's store meanwhile."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from itertools import pairwise

from tests.waiting import until


@dataclass
class Load:
    """Browsers that post one code after the other, and what became of them."""

    stored: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    others: list[tuple[int, bytes]] = field(default_factory=list)
    stopping: bool = False
    #: When something was stored, by the monotonic clock.
    stored_at: list[float] = field(default_factory=list)

    async def run(self, wechat, new_page):
        """Post codes of new people until told to stop."""
        while not self.stopping:
            code = wechat.issue_code(wechat.invent_person().id)
            page = new_page()
            response = await page.post_code(code)
            while (response.code, json.loads(response.body).get("error")) == (504, "retry"):
                # The answer of a store that is late: the exchange goes on, and the same browser may ask again.
                response = await page.post_code(code)
            reply = json.loads(response.body)
            if response.code == 200:
                self.stored.add(reply["openid"])
                self.stored_at.append(time.monotonic())
            elif (response.code, reply["error"]) == (503, "store_unavailable"):
                self.refused.append(code)
                await asyncio.sleep(0.05)
            else:
                self.others.append((response.code, response.body))

    async def stores(self, count):
        """Return when so many more were stored."""
        wanted = len(self.stored) + count
        await until(lambda: len(self.stored) >= wanted)

    async def is_refused(self, count):
        """Return when so many more were refused."""
        wanted = len(self.refused) + count
        await until(lambda: len(self.refused) >= wanted)

    async def finish(self, tasks):
        """Let the browsers end what they have begun."""
        self.stopping = True
        await asyncio.gather(*tasks)

    def longest_pause(self):
        """Return for how many seconds nothing was stored, at the most."""
        return max((after - before for before, after in pairwise(self.stored_at)), default=0.0)
