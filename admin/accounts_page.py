"""The accounts: how each is set up, and how it stands with WeChat."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus

from admin.labels.accounts import CREDENTIAL_LABELS
from admin.labels.overview import BROKEN_LABELS, CALL_LABELS, HEALTH_LABELS, HEALTH_TONES, WORK_LABELS
from admin.labels.users import STATUS_BADGES, STATUS_LABELS
from admin.overview.logins import SHOWN_DAYS, LoginDays
from admin.overview.verdict import broken_calls, judge
from admin.services import AccountCheck, AccountCheckResult, AccountSummary, ForcedToken
from admin.web.errors import PageError
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.i18n import N_
from admin.web.inputs import parse_text
from storage.activity import Activity, ActivityKind, hour_of
from storage.base.clock import DAY_SECONDS
from storage.base.errors import StorageError, StoreUnavailable
from storage.credentials.records import Credential
from storage.sql.accounts.audit import AuditAction, AuditResult
from storage.sql.accounts.operators import Role
from storage.store import Capability
from storage.users import Status

__all__ = ["routes"]

_LONGEST_REASON = 200


class _AccountsHandler(AdminHandler):
    """About accounts and their numbers."""

    requires = Role.OWNER

    async def activity(self, since: int) -> Sequence[Activity] | None:
        """Return what happened in the hours from a time on; None where the token store does not say."""
        vault = self.services.vault
        if Capability.ACTIVITY not in vault.capabilities:
            return None
        try:
            return await vault.activity(since)
        except StoreUnavailable:
            return None

    def logins(self, activity: Sequence[Activity] | None) -> Counter[str] | None:
        """Return how many logins each account had in the last 24 hours; None where the token store does not say."""
        if activity is None:
            return None
        since = hour_of(self.services.clock.now() - DAY_SECONDS)
        logins: Counter[str] = Counter()
        for one in activity:
            if one.kind is ActivityKind.AUTHORIZED and one.hour >= since:
                logins[one.appid] += one.count
        return logins


class AccountsHandler(_AccountsHandler):
    """`GET /admin/accounts`: all of them."""

    requires = Role.OWNER

    async def get(self) -> None:
        """List them."""
        accounts = self.services.accounts
        outcomes, counts, activity = await asyncio.gather(
            self.run(self.services.call_outcomes.outcomes),
            self.services.counts.get(),
            self.activity(self.services.clock.now() - DAY_SECONDS),
        )
        users: Counter[str] = Counter()
        for (appid, _), number in () if counts is None else counts.value.by_status.items():
            users[appid] += number
        self.render(
            "accounts/list.html",
            accounts=accounts.summaries,
            verdicts=judge(accounts.summaries, outcomes, (), accounts.concern),
            users=None if counts is None else users,
            logins=self.logins(activity),
            works=WORK_LABELS,
            health_labels=HEALTH_LABELS,
            tones=HEALTH_TONES,
        )


class _OneAccountHandler(_AccountsHandler):
    """About the account that the path names."""

    requires = Role.OWNER

    async def show(
        self, appid: str, check: AccountCheck | None = None, forced: ForcedToken | None = None, reason: str = ""
    ) -> None:
        """Show the account, and the logins by hour of the day that the address names.

        Args:
            appid: The account.
            check: What a check has found.
            forced: How forcing an access token has ended; None if none was.
            reason: Why one was to be forced, so that a form that was refused keeps it.
        """
        account, accounts, now = self.account(appid), self.services.accounts, self.services.clock.now()
        files, counts, activity, outcomes, instances, credentials = await asyncio.gather(
            self.run(accounts.verification_files),
            self.services.counts.get(),
            self.activity(now - SHOWN_DAYS * DAY_SECONDS),
            self.run(self.services.call_outcomes.outcomes),
            self.run(self.services.instances.live, now),
            self._credentials(account),
        )
        logins = self.logins(activity)
        days = None if activity is None else LoginDays.of(appid, activity, now, self.time_zone)
        day = self.get_query_argument("day", "")
        told = [pause for instance in instances for pause in instance.pauses if pause.until > now]
        self.render(
            "accounts/account.html",
            account=account,
            counts=None
            if counts is None
            else {status: counts.value.by_status.get((appid, status), 0) for status in Status},
            logins=None if logins is None else logins[appid],
            days=days,
            day=day,
            hours=() if days is None else days.hours(day),
            statuses=STATUS_LABELS,
            badges=STATUS_BADGES,
            outcomes=[outcome for outcome in outcomes if outcome.appid == appid],
            broken=broken_calls(outcomes, [*told, *accounts.pauses()], [appid]),
            broken_labels=BROKEN_LABELS,
            call_labels=CALL_LABELS,
            files=files,
            check=check,
            credentials=credentials,
            credential_labels=CREDENTIAL_LABELS,
            forced=forced,
            reason=reason,
            longest_reason=_LONGEST_REASON,
            tries=await self.run(self._tries, appid),
            AccountCheckResult=AccountCheckResult,
        )

    def has_credentials(self, account: AccountSummary) -> bool:
        """Return whether an account has credentials of its own here, fetched or not."""
        return account.is_official and Capability.ACCOUNT_CREDENTIALS in self.services.vault.capabilities

    async def _credentials(self, account: AccountSummary) -> Sequence[Credential] | None:
        """Return the account's own credentials; None where it has none, or the token store does not answer."""
        if not self.has_credentials(account):
            return None
        try:
            return await self.services.accounts.credentials(account.appid)
        except StoreUnavailable:
            return None

    def _tries(self, appid: str) -> dict[str, str]:
        """Return the links by which a login of an account is tried, with their QR codes: silent, and with profile."""
        accounts = self.services.accounts
        pictures = {
            accounts.authorize_link(appid, profile=profile): accounts.authorize_picture(appid, profile=profile)
            for profile in (False, True)
        }
        return {address: picture for address, picture in pictures.items() if address}

    def account(self, appid: str) -> AccountSummary:
        """Return the account of an appid.

        Raises:
            PageError: There is none.
        """
        for account in self.services.accounts.summaries:
            if account.appid == appid:
                return account
        raise PageError(HTTPStatus.NOT_FOUND, N_("There is no such account."))


class AccountHandler(_OneAccountHandler):
    """`GET /admin/accounts/{appid}`: its settings without the secret, and how its calls end."""

    requires = Role.OWNER

    async def get(self, appid: str) -> None:
        """Show it."""
        await self.show(appid)


class CheckAccountHandler(_OneAccountHandler):
    """`POST /admin/accounts/{appid}/check`: asks WeChat whether appid, secret and this server's address are good."""

    requires = Role.OWNER

    async def post(self, appid: str) -> None:
        """Check, and show what was found."""
        check = await self.services.accounts.check(self.account(appid).appid)
        result = AuditResult.SUCCESS if check.result is AccountCheckResult.ACCEPTED else AuditResult.FAILED
        await self.audit(AuditAction.ACCOUNT_CHECK, result=result, appid=appid, errcode=check.errcode)
        await self.show(appid, check)


class ForceTokenHandler(_OneAccountHandler):
    """`POST /admin/accounts/{appid}/access-token`: makes WeChat end the account's access token and give another."""

    requires = Role.OWNER

    async def post(self, appid: str) -> None:
        """Write it down with its reason, do it, and show how it ended."""
        account = self.account(appid)
        reason = parse_text(self.get_body_argument("reason", ""), _LONGEST_REASON)
        if not reason:
            raise PageError(HTTPStatus.BAD_REQUEST, N_("Give a reason."))
        if not self.has_credentials(account):
            raise PageError(HTTPStatus.CONFLICT, N_("This account has no access token of its own here."))
        # Before it is done: other servers that hold the token are refused from then on, and somebody will ask why.
        await self.audit(AuditAction.ACCOUNT_TOKEN_FORCE, result=AuditResult.SUCCESS, appid=appid, comment=reason)
        try:
            forced = await self.services.accounts.force_token(appid, self.session.operator)
        except StorageError:
            await self._failed(appid, reason)
            raise
        if not forced.succeeded:
            await self._failed(appid, reason, forced.errcode)
        await self.show(appid, forced=forced, reason="" if forced.succeeded else reason)

    async def _failed(self, appid: str, reason: str, errcode: int | None = None) -> None:
        failed = AuditResult.FAILED
        await self.audit(AuditAction.ACCOUNT_TOKEN_FORCE, result=failed, appid=appid, comment=reason, errcode=errcode)


routes: list[AdminRoute] = [
    (r"/admin/accounts", AccountsHandler),
    (r"/admin/accounts/([A-Za-z0-9_-]{1,64})", AccountHandler),
    (r"/admin/accounts/([A-Za-z0-9_-]{1,64})/check", CheckAccountHandler),
    (r"/admin/accounts/([A-Za-z0-9_-]{1,64})/access-token", ForceTokenHandler),
]
