import pytest

from service.authorization.exchange import Browser
from service.wechat.protocol import Account


@pytest.fixture
def authorize(service, wechat):
    """Authorize a person at a service, by default the one under test, and give the openid."""

    async def authorize_one(person=None, *, at=service, scope="snsapi_base"):
        account = Account(service.settings.appid, service.settings.secret)
        redeemed = await at.exchange.exchange(account, wechat.issue_code(person, scope=scope), Browser(b"b" * 32))
        return redeemed.openid

    return authorize_one


@pytest.fixture
def row(service):
    """Read an authorization as it is stored."""

    async def read(openid):
        return await service.vault.get(service.settings.appid, openid)

    return read
