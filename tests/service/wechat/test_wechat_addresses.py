"""WeChat has several addresses: another is asked while the first does not answer."""

import asyncio
import json

import pytest

from service.wechat.client import WeChatClient
from service.wechat.errors import FaultReason, WeChatFault
from tests.service.harness import ACCOUNT
from tests.service.peer import answer, http
from tests.waiting import until

EXCHANGE = "/sns/oauth2/access_token"


def answering_as(openid):
    return {EXCHANGE: answer(http(json.dumps({"access_token": "token", "openid": openid}).encode()))}


def exchanges_at(peer):
    return [head for head in peer.heads if f"GET {EXCHANGE}?" in head]


@pytest.fixture
def open_client(open_transport, transport_name):
    def open_(first, second, timeout_seconds=1.0, **arguments):
        transport = open_transport(transport_name, max_connections=4, timeout_seconds=timeout_seconds)
        return WeChatClient(
            transport,
            api_url=first,
            further_api_urls=(second,),
            timeout_seconds=timeout_seconds,
            ask_first_again_seconds=0.05,
            **arguments,
        )

    return open_


@pytest.mark.gen_test
async def test_exchange_is_made_at_the_second_address_when_the_first_refuses_the_connection(start_peer, open_client):
    first, second = await start_peer(), await start_peer(answering_as("second"))
    await first.stop()
    client = open_client(first.url, second.url)

    replies = [await client.exchange_code(ACCOUNT, f"code{number}") for number in range(3)]
    await client.close()

    assert [reply.openid for reply in replies] == 3 * ["second"]


@pytest.mark.gen_test
async def test_code_that_the_first_address_may_have_seen_is_not_sent_to_the_second(
    start_peer, open_client, misbehaviours
):
    first = await start_peer({EXCHANGE: misbehaviours["hang"], "/sns/auth": misbehaviours["hang"]})
    second = await start_peer(answering_as("second"))
    client = open_client(first.url, second.url, timeout_seconds=0.3)

    with pytest.raises(WeChatFault) as caught:
        await client.exchange_code(ACCOUNT, "seen")
    reply = await client.exchange_code(ACCOUNT, "next")
    await client.close()

    assert caught.value.reason is FaultReason.TIMEOUT
    assert reply.openid == "second"
    assert ["code=seen" in head for head in exchanges_at(first)] == [True]
    assert ["code=next" in head for head in exchanges_at(second)] == [True]


@pytest.mark.gen_test
async def test_first_address_is_asked_again_once_it_answers_a_call_without_a_code(
    start_peer, open_client, misbehaviours
):
    first = await start_peer({EXCHANGE: misbehaviours["bad gateway"], "/sns/auth": misbehaviours["bad gateway"]})
    second = await start_peer(answering_as("second"))
    client = open_client(first.url, second.url)
    with pytest.raises(WeChatFault):
        await client.exchange_code(ACCOUNT, "code")
    await until(lambda: len(first.heads) >= 3)
    assert (await client.exchange_code(ACCOUNT, "code")).openid == "second"

    first.acts = answering_as("first")

    async def is_back():
        return (await client.exchange_code(ACCOUNT, "code")).openid == "first"

    await until(is_back)
    await client.close()
    probes = [head for head in first.heads if "GET /sns/auth HTTP" in head]
    assert len(first.heads) == len(probes) + 2


@pytest.mark.gen_test
async def test_both_addresses_are_tried_once_when_neither_answers(start_peer, open_client):
    first, second = await start_peer(), await start_peer()
    await asyncio.gather(first.stop(), second.stop())
    seen = []
    client = open_client(first.url, second.url, observe=lambda *call: seen.append(call))

    with pytest.raises(WeChatFault):
        await client.exchange_code(ACCOUNT, "code")
    await client.close()

    assert len(seen) == 2
