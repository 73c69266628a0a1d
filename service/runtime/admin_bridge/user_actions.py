"""`OperatorActions`: performs the actions on a user that operators start, and reports how they ended."""

from collections.abc import Mapping

from admin.services import ActionOutcome, ActionResult
from service.authorization.profiles import ProfileNotGranted, Profiles, SnapshotUser
from service.tokens.breaker import AccountPaused, Breaker
from service.tokens.manager import NoAuthorization, TokenManager, TokenUnavailable
from service.tokens.refresher import RefreshResult
from service.tokens.unavailable import UnavailableReason
from service.wechat.client import WeChatClient
from service.wechat.endpoints import Endpoint
from service.wechat.errors import WeChatError
from storage.base.clock import Clock
from storage.base.errors import SealError
from storage.sql.work.jobs import JobAction
from storage.users import Status
from storage.vault import TokenVault

__all__ = ["REFRESH_RESULTS", "STATUS_RESULTS", "UNAVAILABLE_RESULTS", "OperatorActions"]

#: What an operator is told of a refresh, of a user who cannot be refreshed, and of a token that is not to be had now.
REFRESH_RESULTS: Mapping[RefreshResult, ActionResult] = {
    RefreshResult.REFRESHED: ActionResult.REFRESHED,
    RefreshResult.REAUTHORIZATION_REQUIRED: ActionResult.REFRESH_TOKEN_REFUSED,
    RefreshResult.FELL_BACK: ActionResult.FELL_BACK,
    RefreshResult.FAILED: ActionResult.FAILED,
    # Asked for by an operator, a refresh is left out for want of a refresh token alone.
    RefreshResult.LEFT_TO_USE: ActionResult.NO_REFRESH_TOKEN,
    RefreshResult.SUPERSEDED: ActionResult.SUPERSEDED,
}
STATUS_RESULTS: Mapping[Status | None, ActionResult] = {
    None: ActionResult.UNKNOWN_USER,
    Status.REAUTHORIZATION_REQUIRED: ActionResult.REAUTHORIZATION_REQUIRED,
    Status.REVOKED: ActionResult.ALREADY_REVOKED,
}
UNAVAILABLE_RESULTS: Mapping[UnavailableReason, ActionResult] = {
    UnavailableReason.WAITING_AFTER_FAILURE: ActionResult.WAITING_AFTER_FAILURE,
    UnavailableReason.JUST_REFRESHED: ActionResult.JUST_REFRESHED,
    UnavailableReason.REFRESH_IN_PROGRESS: ActionResult.REFRESH_IN_PROGRESS,
    UnavailableReason.REFRESH_FAILED: ActionResult.REFRESH_FAILED,
    UnavailableReason.ACCOUNT_PAUSED: ActionResult.PAUSED,
}


class OperatorActions:
    """The actions on a user: the dashboard's `UserActions`."""

    def __init__(
        self,
        *,
        vault: TokenVault,
        client: WeChatClient,
        tokens: TokenManager,
        profiles: Profiles,
        breaker: Breaker,
        clock: Clock,
    ) -> None:
        self._vault = vault
        self._client = client
        self._tokens = tokens
        self._profiles = profiles
        self._breaker = breaker
        self._clock = clock

    async def perform(self, action: JobAction, appid: str, openid: str) -> ActionOutcome:
        """Perform an action and return how it ended.

        Raises:
            StoreUnavailable: The store does not answer.
        """
        try:
            return await self._try(action, appid, openid)
        except (NoAuthorization, TokenUnavailable, AccountPaused, WeChatError, SealError) as error:
            return self._explain(error)
        except ProfileNotGranted:
            return ActionOutcome(succeeded=False, result=ActionResult.PROFILE_NOT_GRANTED)
        except SnapshotUser:
            return ActionOutcome(succeeded=False, result=ActionResult.SNAPSHOT_USER)

    async def _try(self, action: JobAction, appid: str, openid: str) -> ActionOutcome:
        match action:
            case JobAction.REFRESH:
                return await self._refresh(appid, openid)
            case JobAction.CHECK:
                return await self._check(appid, openid)
            case JobAction.PROFILE:
                await self._profiles.of(appid, openid, anew=True)
                return ActionOutcome(succeeded=True, result=ActionResult.PROFILE_FETCHED)
            case JobAction.REVOKE:
                return await self._revoke(appid, openid)
            case JobAction.ERASE:
                return _done(ActionResult.ERASED, was_there=await self._vault.erase(appid, openid))

    async def _refresh(self, appid: str, openid: str) -> ActionOutcome:
        refresh = await self._tokens.refresh_now(appid, openid)
        if refresh.result is RefreshResult.PAUSED:
            return self._paused(appid, Endpoint.REFRESH)
        errcode = refresh.error.errcode if refresh.error is not None else None
        next_try_at = None
        if refresh.result is RefreshResult.FAILED:
            authorization = await self._vault.get(appid, openid)
            next_try_at = authorization.next_refresh_at if authorization is not None else None
        return ActionOutcome(
            refresh.result is RefreshResult.REFRESHED, REFRESH_RESULTS[refresh.result], errcode, next_try_at
        )

    async def _check(self, appid: str, openid: str) -> ActionOutcome:
        authorization = await self._vault.get(appid, openid)
        if authorization is None or authorization.status is Status.REVOKED:
            raise NoAuthorization(appid, openid, authorization.status if authorization else None)
        self._breaker.check(appid, Endpoint.AUTH)
        try:
            valid = await self._client.check_token(appid, self._vault.open(authorization).access_token, openid)
        except WeChatError as error:
            self._breaker.note(error)
            raise
        return ActionOutcome(succeeded=True, result=ActionResult.VALID if valid else ActionResult.INVALID)

    async def _revoke(self, appid: str, openid: str) -> ActionOutcome:
        authorization = await self._vault.get(appid, openid)
        if authorization is not None and authorization.status is Status.REVOKED:
            return ActionOutcome(succeeded=True, result=ActionResult.ALREADY_REVOKED)
        return _done(ActionResult.REVOKED, was_there=await self._vault.revoke(appid, openid))

    def _explain(
        self, error: NoAuthorization | TokenUnavailable | AccountPaused | WeChatError | SealError
    ) -> ActionOutcome:
        """Return the result of an action that was not done."""
        match error:
            case NoAuthorization():
                return ActionOutcome(succeeded=False, result=STATUS_RESULTS[error.status])
            case TokenUnavailable():
                result = UNAVAILABLE_RESULTS[error.reason]
                in_progress = result is ActionResult.REFRESH_IN_PROGRESS
                next_try_at = None if in_progress else self._clock.now() + error.retry_after
                return ActionOutcome(False, result, error.errcode, next_try_at)
            case AccountPaused():
                return ActionOutcome(False, ActionResult.PAUSED, error.pause.errcode, error.pause.until)
            case WeChatError():
                return ActionOutcome(succeeded=False, result=ActionResult.FAILED, errcode=error.errcode)
            case SealError():
                return ActionOutcome(succeeded=False, result=ActionResult.SEALED)

    def _paused(self, appid: str, endpoint: Endpoint) -> ActionOutcome:
        for pause in self._breaker.pauses():
            if (pause.appid, pause.endpoint) == (appid, endpoint):
                return ActionOutcome(False, ActionResult.PAUSED, pause.errcode, pause.until)
        return ActionOutcome(succeeded=False, result=ActionResult.PAUSED)


def _done(result: ActionResult, *, was_there: bool) -> ActionOutcome:
    return ActionOutcome(succeeded=was_there, result=result if was_there else ActionResult.UNKNOWN_USER)
