"""`OidcProvider`: OpenID Connect Core 1.0, the authorization code flow with PKCE, by Authlib's client.

Imported only where a provider is configured: it and its libraries take some megabytes.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError

from admin.operators.provider.discovery import ProviderDocuments
from admin.operators.provider.groups import groups_in, role_of
from admin.operators.provider.identity_provider import (
    PendingSignIn,
    ProviderConfiguration,
    ProviderFault,
    ProviderRefusal,
    VouchedFor,
)
from storage.base.clock import Clock
from storage.sql.accounts.provider_operators import LONGEST_SUBJECT, ProviderIdentity

__all__ = ["OidcProvider"]

T = TypeVar("T")

#: For a connection, and for each part of an answer.
_TIMEOUT_SECONDS = (3, 5)
#: How long a browser waits in all.
_PATIENCE_SECONDS = 15
#: Sign-ins that ask the provider at once; others wait, and no other work of the threads with them.
_AT_ONCE = 4
#: By how much the provider's clock may differ.
_SKEW_SECONDS = 60
_LONGEST_TOKEN = 64 * 1024
_STATE_BYTES = 32
#: Long enough for RFC 7636, 4.1, which wants 43 characters.
_VERIFIER_BYTES = 48
#: What people are called, the best first. Nobody is known by it.
_NAME_CLAIMS = ("preferred_username", "email", "name")


class OidcProvider:
    """The company's provider; see `IdentityProvider`.

    Args:
        configuration: What the settings say of it.
        home: Where browsers come to that have signed out there.
        clock: The time by which identity tokens are judged.
    """

    def __init__(self, configuration: ProviderConfiguration, home: str, clock: Clock) -> None:
        self._configuration = configuration
        self._home = home
        self._clock = clock
        self._documents = ProviderDocuments(configuration.issuer, self._fetch, clock)
        self._slots = asyncio.Semaphore(_AT_ONCE)

    @property
    def name(self) -> str:
        """What pages call it."""
        return self._configuration.name

    async def begin(self) -> tuple[str, PendingSignIn]:
        """Return where a browser signs in, and what it keeps meanwhile; see `IdentityProvider.begin`."""
        return await self._ask(self._begin)

    async def finish(self, pending: PendingSignIn, code: str, issuer: str | None) -> VouchedFor:
        """Exchange a code and return whose it is; see `IdentityProvider.finish`."""
        return await self._ask(lambda: self._finish(pending, code, issuer))

    async def sign_out_address(self) -> str | None:
        """Return where a browser signs out there, too (OpenID Connect RP-Initiated Logout 1.0).

        No identity token is kept to be sent as a hint, so the provider asks whether the person means it.
        """
        try:
            metadata = await self._ask(self._documents.metadata)
        except ProviderFault:
            return None
        if metadata.end_session_endpoint is None:
            return None
        query = {"client_id": self._configuration.client_id, "post_logout_redirect_uri": self._home}
        joint = "&" if "?" in metadata.end_session_endpoint else "?"
        return f"{metadata.end_session_endpoint}{joint}{urlencode(query)}"

    async def _ask(self, work: Callable[[], T]) -> T:
        """Run work that asks the provider, away from the event loop."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._slots:
                return await asyncio.to_thread(work)
        except TimeoutError:
            raise ProviderFault("it does not answer in time") from None

    def _begin(self) -> tuple[str, PendingSignIn]:
        pending = PendingSignIn(
            *(secrets.token_urlsafe(size) for size in (_STATE_BYTES, _STATE_BYTES, _VERIFIER_BYTES))
        )
        metadata = self._documents.metadata()
        with self._session() as session:
            address, _ = session.create_authorization_url(
                metadata.authorization_endpoint,
                state=pending.state,
                nonce=pending.nonce,
                code_verifier=pending.code_verifier,
            )
        return address, pending

    def _finish(self, pending: PendingSignIn, code: str, issuer: str | None) -> VouchedFor:
        configuration, metadata = self._configuration, self._documents.metadata()
        if issuer != configuration.issuer and (issuer is not None or metadata.names_issuer):
            # Another provider's answer, to have this one's code sent there (RFC 9207).
            raise ProviderRefusal("the answer names another issuer, or none")
        with self._session(posts_secret=metadata.posts_secret) as session:
            tokens = self._exchange(session, metadata.token_endpoint, code, pending.code_verifier)
            claims = self._verified(tokens, pending.nonce)
            groups = groups_in(claims, configuration.groups_claim)
            if groups is None and metadata.userinfo_endpoint is not None:
                groups = self._groups_of_userinfo(metadata.userinfo_endpoint, tokens, claims["sub"])
        called = next((claims[name] for name in _NAME_CLAIMS if isinstance(claims.get(name), str)), "")
        identity = ProviderIdentity(configuration.issuer, claims["sub"], called)
        return VouchedFor(identity, role_of(groups or (), configuration.roles))

    def _session(self, *, posts_secret: bool = False) -> OAuth2Session:
        """Return a client for one sign-in: it keeps tokens and cookies, and is thrown away."""
        configuration = self._configuration
        method = "none" if not configuration.client_secret else "client_secret_post" if posts_secret else None
        session = OAuth2Session(
            configuration.client_id,
            configuration.client_secret or None,
            token_endpoint_auth_method=method,
            scope=configuration.scopes,
            redirect_uri=configuration.redirect_uri,
            code_challenge_method="S256",
            default_timeout=_TIMEOUT_SECONDS,
        )
        session.trust_env = False
        session.verify = configuration.ca_file or True
        return session

    def _fetch(self, address: str, access_token: str | None = None) -> Any:
        headers = {"Accept": "application/json"}
        if access_token is not None:
            headers["Authorization"] = f"Bearer {access_token}"
        with self._session() as session:
            return _asked(
                lambda: _json_of(session.get(address, withhold_token=True, allow_redirects=False, headers=headers))
            )

    @staticmethod
    def _exchange(session: OAuth2Session, endpoint: str, code: str, code_verifier: str) -> Mapping[str, Any]:
        return _asked(
            lambda: session.fetch_token(endpoint, code=code, code_verifier=code_verifier, allow_redirects=False)
        )

    def _verified(self, tokens: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """Return the claims of an identity token that was made for this client and this sign-in (Core 1.0, 3.1.3.7).

        Raises:
            ProviderRefusal: It was not, or there is none.
        """
        token, configuration = tokens.get("id_token"), self._configuration
        if not isinstance(token, str) or len(token) > _LONGEST_TOKEN:
            raise ProviderRefusal("the answer holds no identity token")
        try:
            decoded = jwt.decode(
                token,
                lambda signed: self._documents.keys(signed.headers().get("kid")),
                algorithms=self._documents.metadata().algorithms,
            )
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                options={
                    "iss": {"essential": True, "value": configuration.issuer},
                    "aud": {"essential": True, "value": configuration.client_id},
                },
                params={
                    "nonce": nonce,
                    "client_id": configuration.client_id,
                    "access_token": tokens.get("access_token"),
                },
            )
            claims.validate(now=self._clock.now(), leeway=_SKEW_SECONDS)
        except (JoseError, ValueError, TypeError) as error:
            raise ProviderRefusal(f"the identity token is not good: {type(error).__name__}") from None
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
            raise ProviderRefusal("the identity token names nobody")
        return dict(claims)

    def _groups_of_userinfo(self, endpoint: str, tokens: Mapping[str, Any], subject: str) -> list[str] | None:
        """Return the groups that only the UserInfo endpoint tells (Core 1.0, 5.3)."""
        access_token = tokens.get("access_token")
        told = self._fetch(endpoint, access_token if isinstance(access_token, str) else "")
        if not isinstance(told, Mapping) or told.get("sub") != subject:
            raise ProviderRefusal("the UserInfo endpoint tells of somebody else")
        return groups_in(told, self._configuration.groups_claim)


def _json_of(response: Any) -> Any:
    if response.status_code != 200:  # noqa: PLR2004 - the status of an answer, and of no other
        raise ProviderFault(f"it answers with status {response.status_code}")
    return response.json()


def _asked(work: Callable[[], T]) -> T:
    """Ask the provider. What the libraries raise quotes addresses and answers, so it is said in words of our own.

    Raises:
        ProviderFault: It does not answer, or not as it should.
        ProviderRefusal: It does not know the code.
    """
    failure: Exception
    try:
        return work()
    except AuthlibBaseError as error:
        # RFC 6749, 5.2. What else it may say is about how this client is set up.
        if error.error == "invalid_grant":
            failure = ProviderRefusal("the provider does not know the code, or not from this browser")
        elif error.error in {"invalid_client", "unauthorized_client"}:
            failure = ProviderFault("it does not accept OIDC_CLIENT_ID and OIDC_CLIENT_SECRET")
        else:
            failure = ProviderFault("it refuses the exchange of a code")
    except (OSError, ValueError, TypeError, KeyError) as error:
        # Errors of `requests` are OSErrors.
        failure = ProviderFault(f"no usable answer: {type(error).__name__}")
    raise failure
