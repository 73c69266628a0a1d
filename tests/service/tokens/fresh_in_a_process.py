"""A process that asks for one user's token many times at once, for tests of what several processes do together.

Reads settings from the environment and `OPENID COUNT` from its arguments. Says `ready` when everything is open, waits
for a line, and prints the tokens it got as JSON. With `hold` as a third argument it takes the user's lease for two
seconds instead, says `holding`, and hangs.
"""

import asyncio
import json
import sys

from service.runtime.bootstrap import open_service
from service.settings import load_settings


async def main(openid, count, mode=None):
    settings = load_settings()
    async with open_service(settings) as service:
        if mode == "hold":
            assert await service.vault.claim(settings.appid, openid, 2) is not None
            print("holding", flush=True)
            await asyncio.Event().wait()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        fresh = await asyncio.gather(
            *(service.tokens.get_valid_token(settings.appid, openid) for _ in range(int(count)))
        )
        print(json.dumps([token.access_token for token in fresh]), flush=True)


asyncio.run(main(*sys.argv[1:]))
