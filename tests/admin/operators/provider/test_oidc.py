"""The client against a provider that others wrote."""

import asyncio
from dataclasses import replace

import pytest

from admin.operators.provider.identity_provider import ProviderFault, ProviderRefusal
from admin.operators.provider.oidc import OidcProvider
from storage.base.clock import SystemClock
from storage.sql.accounts.operators import Role
from storage.sql.accounts.provider_operators import ProviderIdentity
from tests.admin.operators.provider.conftest import REDIRECT_URI, configuration_for
from tests.clients.identity_provider import running_provider, sign_in_there
from tests.service.harness import free_port

pytestmark = pytest.mark.gen_test


def client_of(provider, **changes):
    return OidcProvider(configuration_for(provider.url, **changes), "https://admin.example.com/", SystemClock())


async def brought_back(client, person):
    """Return what a browser keeps, and what it brings back."""
    address, pending = await client.begin()
    return pending, await asyncio.to_thread(sign_in_there, address, person)


async def vouched_for(client, person):
    pending, answer = await brought_back(client, person)
    assert answer["state"] == pending.state
    return await client.finish(pending, answer["code"], answer["iss"])


async def test_a_person_is_known_by_the_subject_and_has_the_widest_role_of_their_groups(company):
    company.put("ada", "wechat-ops", "everybody", "wechat-owners", name="Ada Lovelace")
    vouched = await vouched_for(client_of(company), "ada")
    assert vouched.identity == ProviderIdentity(company.url, "ada", "Ada Lovelace")
    assert vouched.role == Role.OWNER


async def test_a_person_in_no_allowed_group_has_no_role(company):
    company.put("eve", "everybody", "WECHAT-OWNERS")
    assert (await vouched_for(client_of(company), "eve")).role is None


@pytest.mark.attack(
    "operators' accounts",
    "who has got hold of another's code, from a log or a history",
    "bringing it to a sign-in of their own",
    "it is of no use without the secret that the other browser keeps (PKCE)",
)
async def test_a_code_that_another_browser_asked_for_is_refused(company):
    company.put("ada", "wechat-owners")
    client = client_of(company)
    pending, answer = await brought_back(client, "ada")
    _, own = await client.begin()
    injected = replace(own, nonce=pending.nonce)
    with pytest.raises(ProviderRefusal, match="not from this browser"):
        await client.finish(injected, answer["code"], answer["iss"])


@pytest.mark.attack(
    "operators' accounts",
    "who has got hold of an identity token that was made for another sign-in",
    "bringing it to a sign-in of their own",
    "the nonce in it is another browser's",
)
async def test_an_identity_token_of_another_sign_in_is_refused(company):
    company.put("ada", "wechat-owners")
    client = client_of(company)
    pending, answer = await brought_back(client, "ada")
    with pytest.raises(ProviderRefusal, match="identity token is not good"):
        await client.finish(replace(pending, nonce="another"), answer["code"], answer["iss"])


async def test_a_code_is_good_once(company):
    company.put("ada", "wechat-owners")
    client = client_of(company)
    pending, answer = await brought_back(client, "ada")
    await client.finish(pending, answer["code"], answer["iss"])
    with pytest.raises(ProviderRefusal):
        await client.finish(pending, answer["code"], answer["iss"])


@pytest.mark.attack(
    "operators' accounts",
    "another provider, or who stands between",
    "an answer of another issuer, so that a code is sent to the wrong one (mix-up)",
    "an answer must name the issuer that was asked",
)
async def test_an_answer_of_another_issuer_is_refused(company):
    client = client_of(company)
    _, pending = await client.begin()
    for issuer in ("https://evil.example.com", f"{company.url}/", None):
        with pytest.raises(ProviderRefusal, match="another issuer, or none"):
            await client.finish(pending, "a code", issuer)


async def test_groups_may_be_told_by_the_userinfo_endpoint_alone(tmp_path):
    with running_provider(tmp_path, free_port(), REDIRECT_URI, in_userinfo=True) as provider:
        provider.put("ada", "wechat-ops")
        assert (await vouched_for(client_of(provider), "ada")).role == Role.OPERATOR


async def test_a_public_client_is_known_by_pkce_alone(tmp_path):
    with running_provider(tmp_path, free_port(), REDIRECT_URI, has_secret=False) as provider:
        provider.put("ada", "wechat-ops")
        assert (await vouched_for(client_of(provider, client_secret=""), "ada")).role == Role.OPERATOR


class AheadClock(SystemClock):
    """A clock that goes ahead of the provider's, by no more than may be."""

    ahead = 0

    def now(self):
        return super().now() + self.ahead


async def test_a_key_that_the_provider_has_changed_is_fetched(tmp_path):
    port, clock = free_port(), AheadClock()
    with running_provider(tmp_path, port, REDIRECT_URI) as provider:
        provider.put("ada", "wechat-ops")
        client = OidcProvider(configuration_for(provider.url), "https://admin.example.com/", clock)
        assert (await vouched_for(client, "ada")).role == Role.OPERATOR
    with running_provider(tmp_path, port, REDIRECT_URI) as provider:
        provider.put("ada", "wechat-owners")
        with pytest.raises(ProviderRefusal, match="InvalidKeyIdError"):
            await vouched_for(client, "ada")  # a stranger's key is no reason to ask at once again
        clock.ahead = 30
        assert (await vouched_for(client, "ada")).role == Role.OWNER


async def test_a_wrong_secret_of_the_client_is_the_operators_of_the_service_to_mend(company):
    company.put("ada", "wechat-owners")
    client = client_of(company, client_secret="another")
    pending, answer = await brought_back(client, "ada")
    with pytest.raises(ProviderFault, match="OIDC_CLIENT_SECRET") as fault:
        await client.finish(pending, answer["code"], answer["iss"])
    assert "another" not in str(fault.value)


async def test_a_provider_that_is_not_there_is_a_fault(company):
    client = client_of(replace(company, url=f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(ProviderFault, match="no usable answer") as fault:
        await client.begin()
    assert "127.0.0.1" not in str(fault.value)
    assert await client.sign_out_address() is None


async def test_metadata_of_another_issuer_are_refused(company):
    for url in (f"{company.url}/", company.url.replace("127.0.0.1", "localhost")):
        with pytest.raises(ProviderFault, match="letter by letter"):
            await client_of(replace(company, url=url)).begin()


async def test_a_browser_can_sign_out_there_too(company):
    address = await client_of(company).sign_out_address()
    assert address.startswith(f"{company.url}/session/end?client_id=dashboard&post_logout_redirect_uri=https%3A%2F%2F")
