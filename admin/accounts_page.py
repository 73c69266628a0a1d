"""The accounts: how each is set up, and how it stands with WeChat."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus

from admin.labels.overview import BROKEN_LABELS, CALL_LABELS, HEALTH_LABELS, HEALTH_TONES, WORK_LABELS
from admin.labels.users import STATUS_BADGES, STATUS_LABELS
from admin.overview.logins import SHOWN_DAYS, LoginDays
from admin.overview.verdict import broken_calls, judge
from admin.services import AccountCheck, AccountCheckResult, AccountSummary
from admin.web.errors import PageError
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.i18n import N_
from storage.activity import Activity, ActivityKind, hour_of
from storage.base.clock import DAY_SECONDS
from storage.base.errors import StoreUnavailable
from storage.sql.accounts.audit import AuditAction, AuditResult
from storage.sql.accounts.operators import Role
from storage.store import Capability
from storage.users import Status

__all__ = ["routes"]


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

    async def show(self, appid: str, check: AccountCheck | None = None) -> None:
        """Show the account, what a check has found, and the logins by hour of the day that the address names."""
        account, accounts, now = self.account(appid), self.services.accounts, self.services.clock.now()
        files, counts, activity, outcomes, instances = await asyncio.gather(
            self.run(accounts.verification_files),
            self.services.counts.get(),
            self.activity(now - SHOWN_DAYS * DAY_SECONDS),
            self.run(self.services.call_outcomes.outcomes),
            self.run(self.services.instances.live, now),
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
            tries=await self.run(self._tries, appid),
            AccountCheckResult=AccountCheckResult,
        )

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


routes: list[AdminRoute] = [
    (r"/admin/accounts", AccountsHandler),
    (r"/admin/accounts/([A-Za-z0-9_-]{1,64})", AccountHandler),
    (r"/admin/accounts/([A-Za-z0-9_-]{1,64})/check", CheckAccountHandler),
]
