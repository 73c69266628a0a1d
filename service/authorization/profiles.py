"""`Profiles`: users' nicknames and avatars, fetched from WeChat with a live token and cached."""

from collections import OrderedDict
from dataclasses import dataclass

from service.tokens.breaker import Breaker
from service.tokens.manager import NoAuthorization, TokenManager, ValidToken
from service.tokens.single_flight import SingleFlight
from service.wechat.client import WeChatClient
from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import Kind
from service.wechat.errors import WeChatError, WeChatFault
from service.wechat.protocol import UserInfo
from service.wechat.scopes import reads_profile
from storage.base.clock import Clock, was_set_back
from storage.store import Capability
from storage.users import Authorization, Profile, Status
from storage.vault import TokenVault

__all__ = ["LANGUAGES", "ProfileNotGranted", "Profiles", "SnapshotUser", "UserProfile"]

#: The languages that WeChat's userinfo knows.
LANGUAGES = ("zh_CN", "zh_TW", "en")

#: A token that ends sooner is refreshed before WeChat is asked with it.
_MINIMUM_SECONDS = 60
#: How many failures are remembered at most; the oldest are forgotten first.
_REMEMBERED = 4096


class ProfileNotGranted(Exception):
    """The user has authorized silently only: the profile needs scope `snsapi_userinfo`."""


class SnapshotUser(Exception):
    """The identity is the virtual one of a snapshot page (快照页): there is no person whose profile this would be."""


@dataclass(frozen=True, slots=True)
class UserProfile:
    """A user's nickname and avatar. `avatar_url` may be empty."""

    openid: str
    nickname: str
    avatar_url: str
    unionid: str | None


@dataclass(frozen=True, slots=True)
class _Failure:
    """WeChat's refusal to show a profile, of an authorization as it was."""

    error: WeChatError
    version: int
    ends_at: int


class Profiles:
    """Fetches and caches profiles. Belongs to one event loop.

    Args:
        clock: Measures the age of cached profiles.
        cache_seconds: How long a cached profile is returned before WeChat is asked again.
        failure_seconds: How long a failure is the answer before WeChat is asked again, unless the user authorizes anew.
    """

    def __init__(
        self,
        vault: TokenVault,
        client: WeChatClient,
        tokens: TokenManager,
        breaker: Breaker,
        clock: Clock,
        *,
        cache_seconds: int,
        failure_seconds: int = 10,
    ) -> None:
        self._vault = vault
        self._client = client
        self._tokens = tokens
        self._breaker = breaker
        self._clock = clock
        self._cache_seconds = cache_seconds
        self._failure_seconds = failure_seconds
        self._failures: OrderedDict[tuple[str, str], _Failure] = OrderedDict()
        self._keeps = Capability.PROFILES in vault.capabilities
        self._flights: SingleFlight[tuple[str, str], UserProfile] = SingleFlight()

    async def of(self, appid: str, openid: str, lang: str = "zh_CN", *, anew: bool = False) -> UserProfile:
        """Return a user's profile; however many ask at once, WeChat is asked once.

        Args:
            appid: The account.
            openid: The user.
            lang: One of `LANGUAGES`, for WeChat. What is kept serves all of them: the fields that WeChat translated,
                the user's country and place, have been empty since 2021 and are not part of a profile here.
            anew: Ask WeChat even if a profile is kept.

        Raises:
            NoAuthorization: The user must authorize (again).
            ProfileNotGranted: The user must be asked, by scope `snsapi_userinfo`.
            SnapshotUser: There is no person to show.
            TokenUnavailable, AccountPaused, WeChatError: WeChat cannot be asked now, or refused.
            StorageError: The store does not answer.
        """
        authorization = await self._vault.get(appid, openid)
        if authorization is None:
            raise NoAuthorization(appid, openid, None)
        if authorization.status is not Status.ACTIVE:
            raise NoAuthorization(appid, openid, authorization.status)
        if authorization.is_snapshotuser:
            raise SnapshotUser
        if not reads_profile(authorization.scope):
            raise ProfileNotGranted
        if not anew:
            kept = self._kept(authorization)
            if kept is not None:
                return kept
            self._check_failures(authorization)
        return await self._flights.run((appid, openid), lambda: self._ask_noting_failure(appid, openid, lang))

    async def forget(self, appid: str, openid: str) -> bool:
        """Drop a cached profile, so that the next caller gets a new one; False if there is no such user."""
        return self._keeps and await self._vault.save_profile(Profile(appid, openid, "", "", profile_at=0))

    async def drain(self) -> None:
        """Return when every call to WeChat that is under way has ended."""
        await self._flights.drain()

    def _kept(self, authorization: Authorization) -> UserProfile | None:
        kept_at = authorization.profile_at
        now = self._clock.now()
        if kept_at is None or now - kept_at >= self._cache_seconds or was_set_back(kept_at, now):
            return None
        return UserProfile(
            authorization.openid, authorization.nickname or "", authorization.avatar_url or "", authorization.unionid
        )

    def _check_failures(self, authorization: Authorization) -> None:
        """Raise what WeChat answered a moment ago about this authorization."""
        failure = self._failures.get((authorization.appid, authorization.openid))
        if failure is None or failure.version != authorization.version:
            return
        if 0 < failure.ends_at - self._clock.now() <= self._failure_seconds:
            raise failure.error.with_traceback(None)

    async def _ask_noting_failure(self, appid: str, openid: str, lang: str) -> UserProfile:
        try:
            profile = await self._ask(appid, openid, lang)
        except WeChatError as error:
            await self._note_failure(appid, openid, error)
            raise
        self._failures.pop((appid, openid), None)
        return profile

    async def _note_failure(self, appid: str, openid: str, error: WeChatError) -> None:
        authorization = await self._vault.get(appid, openid)  # asking may have refreshed it
        if authorization is None:
            return
        ends_at = self._clock.now() + self._failure_seconds
        self._failures[appid, openid] = _Failure(error, authorization.version, ends_at)
        self._failures.move_to_end((appid, openid))
        if len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)

    async def _ask(self, appid: str, openid: str, lang: str) -> UserProfile:
        token = await self._tokens.get_valid_token(appid, openid, _MINIMUM_SECONDS)
        try:
            reply = await self._ask_with(token, appid, openid, lang)
        except WeChatError as error:
            if error.kind is not Kind.REFRESH:
                raise
            reply = await self._ask_with(await self._newer(token, appid, openid), appid, openid, lang)
        if reply.openid != openid:
            raise WeChatFault.malformed(Endpoint.USERINFO, appid, "the reply is about another openid")
        profile = Profile(appid, openid, reply.nickname, reply.avatar_url, self._clock.now(), reply.unionid)
        if self._keeps and not await self._vault.save_profile(profile):
            raise NoAuthorization(appid, openid, None)  # erased while WeChat was asked: then it is not shown either
        return UserProfile(openid, reply.nickname, reply.avatar_url, reply.unionid)

    async def _ask_with(self, token: ValidToken, appid: str, openid: str, lang: str) -> UserInfo:
        self._breaker.check(appid, Endpoint.USERINFO)
        try:
            return await self._client.userinfo(appid, token.access_token, openid, lang)
        except WeChatError as error:
            self._breaker.note(error)
            raise

    async def _newer(self, refused: ValidToken, appid: str, openid: str) -> ValidToken:
        """Return another token than the one WeChat refused: one stored meanwhile, else the next by refreshing."""
        stored = await self._tokens.get_valid_token(appid, openid, _MINIMUM_SECONDS)
        if stored.access_token != refused.access_token:
            return stored
        return await self._tokens.get_valid_token(appid, openid, _MINIMUM_SECONDS, refused=True)
