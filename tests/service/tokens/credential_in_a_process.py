"""A process that asks for an account's access token many times at once, for tests of several processes.

Reads settings from the environment and `COUNT` from its arguments. Says `ready` when everything is open, waits for a
line, and prints the tokens it got as JSON. With `hold` as a second argument it takes the credential's lease for two
seconds instead, says `holding`, and hangs.
"""

import asyncio
import json
import sys

from service.runtime.bootstrap import open_service, open_store
from service.settings import load_settings
from storage.credentials.records import CredentialKind


async def main(count, mode=None):
    settings = load_settings()
    async with open_service(settings) as service:
        if mode == "hold":
            store = open_store(settings)
            assert store.claim_credential(settings.appid, CredentialKind.ACCESS_TOKEN, "holder", 2) is not None
            print("holding", flush=True)
            await asyncio.Event().wait()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        given = await asyncio.gather(*(service.credentials.access_token(settings.appid) for _ in range(int(count))))
        print(json.dumps([one.value for one in given]), flush=True)


asyncio.run(main(*sys.argv[1:]))
