import pytest

from admin.operators.provider.identity_provider import CALLBACK_PATH, ProviderConfiguration
from storage.sql.accounts.operators import Role
from tests.clients.identity_provider import CLIENT_ID, CLIENT_SECRET, missing, running_provider
from tests.service.harness import free_port

REDIRECT_URI = f"https://admin.example.com{CALLBACK_PATH}"
ROLES = {"wechat-owners": Role.OWNER, "wechat-ops": Role.OPERATOR, "staff": Role.VIEWER}


def configuration_for(issuer, **changes):
    return ProviderConfiguration(
        **{
            "issuer": issuer,
            "name": "Example Corp",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scopes": "openid profile groups",
            "groups_claim": "groups",
            "roles": ROLES,
            "redirect_uri": REDIRECT_URI,
            **changes,
        }
    )


@pytest.fixture(scope="module")
def provider_port():
    if missing() is not None:
        pytest.skip(f"oidc-provider: {missing()}")
    return free_port()


@pytest.fixture(scope="module")
def company(tmp_path_factory, provider_port):
    """The company's provider, whose key and groups stay for the module."""
    with running_provider(tmp_path_factory.mktemp("provider"), provider_port, REDIRECT_URI) as provider:
        yield provider
