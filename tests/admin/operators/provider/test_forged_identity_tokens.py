"""Identity tokens that a provider did not make, or not for this dashboard, or not now."""

import hmac
import json
import time
from base64 import urlsafe_b64encode

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from tornado.web import Application, RequestHandler

from admin.operators.provider.identity_provider import PendingSignIn, ProviderFault, ProviderRefusal
from admin.operators.provider.oidc import OidcProvider
from storage.base.clock import SystemClock
from tests.admin.operators.provider.conftest import configuration_for
from tests.clients.identity_provider import CLIENT_ID, CLIENT_SECRET
from tests.service.harness import listening

pytestmark = pytest.mark.gen_test
KEY, STRANGERS_KEY = (RSAKey.generate_key(2048, {"kid": "1"}) for _ in range(2))
PENDING = PendingSignIn("a state", "a nonce", "v" * 64)
METADATA = "/.well-known/openid-configuration"


class Peer:
    """Answers as a provider would, with what a test says."""

    def __init__(self, url):
        self.answers = {
            METADATA: {
                "issuer": url,
                "authorization_endpoint": f"{url}/authorize",
                "token_endpoint": f"{url}/token",
                "userinfo_endpoint": f"{url}/userinfo",
                "jwks_uri": f"{url}/jwks",
                "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            },
            "/jwks": {"keys": ["no key", {"kty": "new"}, KEY.as_dict(private=False)]},
        }
        self.client = OidcProvider(configuration_for(url), "https://admin.example.com/", SystemClock())
        self.claims = {
            "iss": url,
            "sub": "ada",
            "aud": CLIENT_ID,
            "nonce": PENDING.nonce,
            "iat": int(time.time()),
            "exp": int(time.time()) + 300,
            "groups": ["wechat-ops"],
        }

    def issue(self, key=KEY, alg="RS256", **changes):
        claims = {name: value for name, value in {**self.claims, **changes}.items() if value is not None}
        token = jwt.encode({"alg": alg, "kid": "1"}, claims, key, algorithms=[alg])
        self.give(token)

    def sign_by_hand(self, alg):
        """Sign as no library would: not at all, or with the public key, as anybody has it, for a secret."""
        signed = b".".join(
            urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
            for part in ({"alg": alg, "kid": "1"}, self.claims)
        )
        signature = b"" if alg == "none" else hmac.digest(KEY.as_pem(private=False), signed, "sha256")
        self.give((signed + b"." + urlsafe_b64encode(signature).rstrip(b"=")).decode())

    def give(self, token):
        self.answers["/token"] = {"access_token": "t", "token_type": "Bearer", "id_token": token}

    async def finish(self):
        return await self.client.finish(PENDING, "a code", None)


@pytest.fixture
def peer(io_loop):
    peers = []

    class Handler(RequestHandler):
        def get(self):
            answer = peers[0].answers[self.request.path]
            if isinstance(answer, tuple):
                self.redirect(answer[0])
                return
            self.finish(answer)

        post = get

    async def start():
        context = listening(Application([("/.*", Handler)]))
        peers.append(Peer(await context.__aenter__()))
        return context

    context = io_loop.run_sync(start)
    yield peers[0]
    io_loop.run_sync(lambda: context.__aexit__(None, None, None))


async def test_a_good_token_is_taken_with_clocks_that_differ_by_less_than_a_minute(peer, subtests):
    now = int(time.time())
    for changes in (
        {},
        {"exp": now - 50},
        {"iat": now + 50},
        {"nbf": now + 50},
        {"aud": [CLIENT_ID]},
        {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID},
    ):
        with subtests.test(changes=changes):
            peer.issue(**changes)
            assert (await peer.finish()).identity.subject == "ada"


@pytest.mark.attack(
    "operators' accounts",
    "who can give this dashboard an identity token of their own making",
    "tokens without a signature, signed with the client's secret or another key, for others, of other times",
    "each is refused",
)
async def test_a_token_that_is_not_for_this_client_and_now_is_refused(peer, subtests):
    now = int(time.time())
    for changes in (
        {"key": STRANGERS_KEY},
        {"key": OctKey.import_key(CLIENT_SECRET), "alg": "HS256"},
        {"iss": "https://evil.example.com"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"aud": [CLIENT_ID, "another"]},
        {"azp": "another"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": now - 70},
        {"exp": None},
        {"exp": "soon"},
        {"iat": now + 300},
        {"nbf": now + 300},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "s" * 256},
    ):
        with subtests.test(changes=changes):
            peer.issue(**changes)
            with pytest.raises(ProviderRefusal):
                await peer.finish()
    for alg in ("none", "None", "HS256"):
        with subtests.test(alg=alg):
            peer.sign_by_hand(alg)
            with pytest.raises(ProviderRefusal):
                await peer.finish()


async def test_answers_that_are_none_are_refused_or_a_fault(peer, subtests):
    for token in (None, 7, "", "a.b", "a.b.c", "x" * 100_000, "é.é.é", [1]):
        with subtests.test(token=str(token)[:9]):
            peer.answers["/token"] = {"access_token": "t", "token_type": "Bearer", "id_token": token}
            with pytest.raises(ProviderRefusal):
                await peer.finish()
    for answer in ("", "[]", "<html>", "\xff"):
        with subtests.test(answer=answer):
            peer.answers["/token"] = answer
            with pytest.raises(ProviderFault):
                await peer.finish()


async def test_the_userinfo_of_somebody_else_is_refused(peer):
    peer.issue(groups=None)
    peer.answers["/userinfo"] = {"sub": "owner", "groups": ["wechat-owners"]}
    with pytest.raises(ProviderRefusal, match="somebody else"):
        await peer.finish()
    peer.answers["/userinfo"] = {"sub": "ada", "groups": {"wechat-owners": True}}
    assert (await peer.finish()).role is None


async def test_metadata_that_lead_off_tls_are_refused(peer, subtests):
    good = dict(peer.answers[METADATA])
    for changes in (
        {"token_endpoint": "http://evil.example.com/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "https://[::1"},
    ):
        with subtests.test(changes=changes):
            peer.answers[METADATA] = {**good, **changes}
            with pytest.raises(ProviderFault, match="no https:// address"):
                await peer.client.begin()
    for answer in ("[]", "<html>"):
        peer.answers[METADATA] = answer
        with pytest.raises(ProviderFault):
            await peer.client.begin()


async def test_a_redirect_is_not_followed_with_the_token(peer):
    peer.issue(groups=None)
    peer.answers["/userinfo"] = ("/elsewhere",)
    peer.answers["/elsewhere"] = {"sub": "ada", "groups": ["wechat-owners"]}
    with pytest.raises(ProviderFault, match="status 302"):
        await peer.finish()


async def test_a_userinfo_endpoint_that_is_not_safe_is_as_good_as_none(peer):
    peer.answers[METADATA]["userinfo_endpoint"] = "ftp://127.0.0.1/"
    peer.issue(groups=None)
    assert (await peer.finish()).role is None
