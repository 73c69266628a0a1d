"""An account's own access token and tickets: one call for everybody, on use, on schedule, and forced by hand."""

import asyncio

import pytest

from service.simulator.faults import Breakage, Fault
from service.tokens.account_credentials import CredentialUnavailable, RefusedReason, UnknownAccount
from service.tokens.forced_tokens import ForceRefused
from service.tokens.unavailable import UnavailableReason
from service.wechat.protocol import Account, AccountKind
from storage.credentials.records import CredentialKind
from tests.service.metric_values import metric_value

pytestmark = pytest.mark.gen_test

TOKEN, TICKET = CredentialKind.ACCESS_TOKEN, CredentialKind.JSAPI_TICKET
STABLE_TOKEN, GETTICKET = "stable_token", "getticket"
DAY = 86_400


@pytest.fixture
def appid(settings):
    return settings.appid


@pytest.fixture
def stored(service, appid):
    async def read(kind=TOKEN):
        [found] = [one for one in await service.credentials.status(appid) if one.kind is kind]
        return found

    return read


async def test_the_first_use_fetches_the_token_and_later_ones_give_it_again(service, wechat, clock, appid, stored):
    assert await service.credentials.status(appid) == []
    first = await service.credentials.access_token(appid)
    assert first.value in wechat.issued_secrets()
    assert first.expires_at == clock.now() + 7200
    clock.advance(6000)
    assert await service.credentials.access_token(appid) == first
    assert wechat.calls == {STABLE_TOKEN: 1}
    assert (await stored()).last_used_at == clock.now()


async def test_a_token_is_renewed_in_its_last_five_minutes_while_the_old_one_lives(service, wechat, clock, appid):
    first = await service.credentials.access_token(appid)
    clock.advance(7200 - 299)
    await service.credentials.access_token(appid)
    clock.advance(60)
    second = await service.credentials.access_token(appid)
    assert second.value != first.value
    assert clock.now() < first.expires_at
    assert wechat.account_tokens.ticket(access_token=first.value, ticket_type="jsapi")["errcode"] == 0


async def test_many_callers_share_one_call(service, wechat, appid, open_another):
    others = [await open_another() for _ in range(2)]
    wechat.faults.add(Fault(endpoint=STABLE_TOKEN, latency_seconds=0.3))
    given = await asyncio.gather(
        *(one.credentials.access_token(appid) for one in (service, *others) for _ in range(20))
    )
    assert len({one.value for one in given}) == 1
    assert wechat.calls[STABLE_TOKEN] == 1


async def test_a_refused_token_that_is_not_the_stored_one_is_answered_without_asking_wechat(service, wechat, appid):
    ours = await service.credentials.access_token(appid)
    assert await service.credentials.access_token(appid, refused="another") == ours
    assert wechat.calls[STABLE_TOKEN] == 1


async def test_a_token_that_was_forced_elsewhere_is_replaced_by_asking_once(service, wechat, clock, appid):
    ours = await service.credentials.access_token(appid)
    clock.advance(60)
    wechat.account_tokens.force(appid)
    given = await asyncio.gather(*(service.credentials.access_token(appid, refused=ours.value) for _ in range(10)))
    assert {one.value for one in given} & {ours.value} == set()
    assert len({one.value for one in given}) == 1
    assert wechat.calls[STABLE_TOKEN] == 2


async def test_a_refused_token_that_wechat_gives_again_is_not_handed_out(service, wechat, clock, appid, stored):
    ours = await service.credentials.access_token(appid)
    clock.advance(60)
    for calls in (2, 2):
        with pytest.raises(CredentialUnavailable) as refused:
            await service.credentials.access_token(appid, refused=ours.value)
        assert refused.value.reason is RefusedReason.FORCED_ELSEWHERE
        assert refused.value.retry_after > 0
        assert wechat.calls[STABLE_TOKEN] == calls
    assert (await service.credentials.access_token(appid)).value == ours.value
    assert (await stored()).forced_at is None


async def test_a_ticket_is_fetched_with_the_accounts_token_and_kept(service, wechat, appid, clock):
    first = await service.credentials.jsapi_ticket(appid)
    assert first.value in wechat.issued_secrets()
    assert await service.credentials.jsapi_ticket(appid) == first
    assert (await service.credentials.wx_card_ticket(appid)).value != first.value
    assert wechat.calls == {STABLE_TOKEN: 1, GETTICKET: 2}


async def test_a_ticket_whose_token_was_ended_is_fetched_with_the_next_one(service, wechat, clock, appid, stored):
    ours = await service.credentials.access_token(appid)
    clock.advance(60)
    wechat.account_tokens.force(appid)
    ticket = await service.credentials.jsapi_ticket(appid)
    assert ticket.expires_at == clock.now() + 7200
    assert wechat.outcomes[GETTICKET] == {"40001": 1, "ok": 1}
    assert wechat.calls[STABLE_TOKEN] == 2
    assert (await service.credentials.access_token(appid)).value != ours.value
    assert (await stored(TICKET)).refresh_failures == 0


async def test_a_failure_leaves_the_living_token_and_is_not_repeated_at_once(service, wechat, clock, appid, stored):
    first = await service.credentials.access_token(appid)
    clock.advance(7200 - 200)
    wechat.faults.add(Fault(endpoint=STABLE_TOKEN, errcode=-1, times=None))
    for _ in range(3):
        assert await service.credentials.access_token(appid) == first
    assert wechat.calls[STABLE_TOKEN] == 2
    clock.advance(200)
    with pytest.raises(CredentialUnavailable) as refused:
        await service.credentials.access_token(appid)
    assert refused.value.errcode == -1
    assert (await stored()).refresh_failures == 2
    assert (await stored()).last_error_kind == "retry"
    wechat.faults.clear()
    clock.advance(refused.value.retry_after)
    assert (await service.credentials.access_token(appid)).value != first.value
    assert (await stored()).refresh_failures == 0


async def test_a_wrong_address_pauses_the_accounts_calls_and_says_so(service, wechat, clock, appid, stored):
    wechat.account_tokens.ip_list = frozenset({"203.0.113.9"})
    with pytest.raises(CredentialUnavailable) as refused:
        await service.credentials.access_token(appid)
    assert (refused.value.reason, refused.value.errcode) == (UnavailableReason.REFRESH_FAILED, 40164)
    assert (await stored()).last_error_code == 40164
    assert [(pause.endpoint, pause.errcode) for pause in service.breaker.pauses()] == [(STABLE_TOKEN, 40164)]
    with pytest.raises(CredentialUnavailable):
        await service.credentials.jsapi_ticket(appid)
    assert wechat.calls == {STABLE_TOKEN: 1}
    wechat.account_tokens.ip_list = None
    clock.advance(61)
    assert (await service.credentials.jsapi_ticket(appid)).value


async def test_a_value_that_no_key_opens_is_fetched_again(service, wechat, settings, appid, open_another):
    first = await service.credentials.access_token(appid)
    [row] = await service.credentials.status(appid)
    await asyncio.to_thread(service.vault._store.reseal_credential, row, b"\x02nothing that a key has sealed........")
    assert (await service.credentials.access_token(appid)).value == first.value
    assert wechat.calls[STABLE_TOKEN] == 2


async def test_what_is_in_use_is_renewed_on_schedule_and_the_rest_is_left(service, wechat, clock, appid, stored):
    await service.credentials.jsapi_ticket(appid)
    await service.credentials.refresh_due()
    assert wechat.calls == {STABLE_TOKEN: 1, GETTICKET: 1}
    for _ in range(3):
        clock.advance(7000)
        await service.credentials.refresh_due()
    assert wechat.calls == {STABLE_TOKEN: 4, GETTICKET: 4}
    assert (await stored()).next_refresh_at > clock.now()
    clock.advance(2 * DAY)
    await service.credentials.refresh_due()
    assert wechat.calls == {STABLE_TOKEN: 4, GETTICKET: 4}


async def test_instances_that_find_the_same_due_fetch_it_once(service, wechat, clock, appid, open_another):
    await service.credentials.access_token(appid)
    others = [await open_another() for _ in range(3)]
    clock.advance(7000)
    wechat.faults.add(Fault(endpoint=STABLE_TOKEN, latency_seconds=0.2))
    await asyncio.gather(*(one.credentials.refresh_due() for one in (service, *others)))
    assert wechat.calls[STABLE_TOKEN] == 2


async def test_the_schedule_waits_after_a_failure(service, wechat, clock, appid):
    await service.credentials.access_token(appid)
    clock.advance(7200)
    wechat.faults.add(Fault(endpoint=STABLE_TOKEN, breakage=Breakage.HTTP_500, times=None))
    await service.credentials.refresh_due()
    await service.credentials.refresh_due()
    assert wechat.calls[STABLE_TOKEN] == 2


async def test_a_clock_that_was_set_back_makes_what_it_gave_due(service, wechat, clock, appid):
    clock.advance(DAY)
    first = await service.credentials.access_token(appid)
    clock.advance(-DAY)
    assert (await service.credentials.access_token(appid)).expires_at <= clock.now() + 7200 < first.expires_at
    assert wechat.calls[STABLE_TOKEN] == 2


async def test_forcing_ends_the_token_is_counted_and_has_wechats_limits(service, wechat, clock, appid, stored):
    first = await service.credentials.access_token(appid)
    second = await service.credentials.force(appid, "root")
    assert second.value != first.value
    assert await service.credentials.access_token(appid) == second
    with pytest.raises(ForceRefused) as refused:
        await service.credentials.force(appid, "root")
    assert refused.value.retry_after == 30
    clock.advance(DAY - (clock.now() + 8 * 3600) % DAY)  # a new day begins in Beijing
    for _ in range(20):
        clock.advance(30)
        await service.credentials.force(appid, "root")
    assert (await stored()).forced_count == 20
    clock.advance(30)
    with pytest.raises(ForceRefused) as refused:
        await service.credentials.force(appid, "root")
    assert wechat.outcomes[STABLE_TOKEN] == {"ok": 22}
    clock.advance(refused.value.retry_after)
    await service.credentials.force(appid, "root")
    assert (await stored()).forced_count == 1


async def test_a_forced_token_is_counted_even_where_wechat_does_not_answer(service, wechat, clock, appid, stored):
    first = await service.credentials.access_token(appid)
    wechat.faults.add(Fault(endpoint=STABLE_TOKEN, breakage=Breakage.DROP))
    with pytest.raises(CredentialUnavailable):
        await service.credentials.force(appid, "root")
    assert ((await stored()).forced_count, (await stored()).forced_at) == (1, clock.now())
    assert (await service.credentials.access_token(appid)) == first


async def test_an_account_that_the_settings_do_not_name_is_unknown(service, wechat):
    with pytest.raises(UnknownAccount):
        await service.credentials.access_token("wx-somebody-elses")
    assert await service.credentials.status("wx-somebody-elses") == []
    assert not wechat.calls


async def test_a_website_application_has_no_such_credentials(open_another, settings, wechat):
    website = Account("wx51a7ed0000000099", "made-up", kind=AccountKind.WEBSITE)
    one = await open_another(appid="", secret="", accounts=(website,))
    with pytest.raises(UnknownAccount):
        await one.credentials.access_token(website.appid)
    assert not wechat.calls


async def test_fetches_are_counted_by_kind_and_result(service, wechat, clock, appid):
    await service.credentials.jsapi_ticket(appid)
    clock.advance(60)
    token = await service.credentials.access_token(appid)
    with pytest.raises(CredentialUnavailable):
        await service.credentials.access_token(appid, refused=token.value)
    counted = {
        (kind, result): metric_value(service, "wechat_openid_credential_refreshes_total", kind=kind, result=result)
        for kind in (TOKEN, TICKET)
        for result in ("renewed", "same")
    }
    assert counted == {(TOKEN, "renewed"): 1, (TOKEN, "same"): 1, (TICKET, "renewed"): 1, (TICKET, "same"): 0}
