"""API keys: by which other backends ask for live tokens."""

import shlex
from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from admin.labels.api_keys import KEY_LIFETIME_DAYS, KEY_LIFETIME_LABELS, KEY_RIGHT_LABELS, KeyLifetime
from admin.lists.counts import count_in_time, count_text
from admin.web.errors import PageError
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.i18n import N_
from admin.web.inputs import parse_choice, parse_number, parse_text
from admin.web.notices import Notice
from storage.base.clock import DAY_SECONDS
from storage.base.errors import InvalidRecord
from storage.sql.accounts.api_key_uses import ApiKeyUse, day_of
from storage.sql.accounts.api_keys import KeyLimits, KeyRight
from storage.sql.accounts.audit import AuditAction
from storage.sql.accounts.operators import Role

__all__ = ["routes"]

_PAGE = "/admin/api-keys"
_SHOWN_DAYS = 30
_MOST_PER_MINUTE = 1_000_000
_NOT_CREATED = N_("Not created: a name has 1 to 64 characters and must not have been used before.")


@dataclass(frozen=True, slots=True)
class _KeyForm:
    """The form of a new key as it was filled in, or as it is at first."""

    name: str = ""
    rights: frozenset[str] = KeyLimits().rights
    appids: frozenset[str] = frozenset()
    lifetime: str = KeyLifetime.UNLIMITED
    per_minute: str = ""

    def limits(self, appids: Container[str], now: int) -> KeyLimits:
        """Return what it says that the key is good for.

        Args:
            appids: The accounts that there are.
            now: From when on the key is good.

        Raises:
            PageError: It names an account or a right that there is not, or no number.
        """
        if not all(appid in appids for appid in self.appids):
            raise PageError(HTTPStatus.BAD_REQUEST, N_("There is no such account."))
        rights = [parse_choice(KeyRight, right) for right in self.rights]
        lifetime = parse_choice(KeyLifetime, self.lifetime) or KeyLifetime.UNLIMITED
        per_minute = parse_number(self.per_minute)
        if per_minute is not None and not 0 < per_minute <= _MOST_PER_MINUTE:
            raise PageError(HTTPStatus.BAD_REQUEST, N_("Requests a minute: from 1 to 1,000,000, or nothing."))
        days = KEY_LIFETIME_DAYS[lifetime]
        return KeyLimits(
            appids=self.appids or None,
            rights=frozenset(right for right in rights if right is not None) or KeyLimits().rights,
            expires_at=None if days is None else now + days * DAY_SECONDS,
            per_minute=per_minute,
        )


_EMPTY_FORM = _KeyForm()


class _KeysHandler(AdminHandler):
    """Shows the keys, and the form that makes one."""

    requires = Role.OWNER

    async def show(self, given: _KeyForm = _EMPTY_FORM, problem: str = "") -> None:
        """List the keys, the newest first, with how often each was used lately, and what is wrong with the form."""
        keys = await self.run(self.services.api_keys.list)
        today = day_of(self.services.clock.now())
        uses = await self.run(self.services.api_key_uses.since, today - (_SHOWN_DAYS - 1) * DAY_SECONDS)
        sums = _sums_of(uses, today)
        used_today = [key.name for key in keys if sums.get(key.name, (0, 0))[0]]
        users = await self.run(self._users_of, used_today, today)
        self.render(
            "operators/api_keys.html",
            keys=keys[::-1],
            uses=sums,
            users=users,
            days=_SHOWN_DAYS,
            accounts=self.services.account_names,
            rights=KEY_RIGHT_LABELS,
            lifetimes=KEY_LIFETIME_LABELS,
            given=given,
            problem=problem,
        )

    def _users_of(self, names: Iterable[str], day: int) -> dict[str, str]:
        """Return of how many users each key was given a token on a day, as far as that is counted quickly."""
        count = self.services.user_history.users_of_key
        counts = {name: count_in_time(partial(count, day=day), name) for name in names}
        return {name: count_text(found) for name, found in counts.items() if found is not None and found.number}


class ApiKeysHandler(_KeysHandler):
    """`GET /admin/api-keys`: which backends have one."""

    requires = Role.OWNER

    async def get(self) -> None:
        """List them."""
        await self.show()


class AddApiKeyHandler(_KeysHandler):
    """`POST /admin/api-keys/add`: a key for a backend."""

    requires = Role.OWNER

    async def post(self) -> None:
        """Create a key and show it: the only time that anybody sees it."""
        given, now = self._form(), self.services.clock.now()
        try:
            limits = given.limits(self.services.account_names, now)
            entry = self.audit_entry(AuditAction.API_KEY_ADD, subject=given.name, **limits.described())
            key = await self.run(self.services.api_keys.add, given.name, now, limits, entry)
        except (InvalidRecord, PageError) as error:
            self.set_status(HTTPStatus.BAD_REQUEST)
            await self.show(given, error.text if isinstance(error, PageError) else _NOT_CREATED)
            return
        self.render(
            "operators/shown_once.html",
            title=N_("API key: %s"),
            name=given.name,
            secret=key,
            text=N_("Copy it now. It is shown only once; only its hash is stored."),
            command=self._command(key, limits),
            back=_PAGE,
        )

    def _form(self) -> _KeyForm:
        """Return the form as it was filled in.

        Raises:
            PageError: A field is no text.
        """
        name, lifetime, per_minute = (
            parse_text(self.get_body_argument(field, "")) for field in ("name", "lifetime", "per_minute")
        )
        rights, appids = (frozenset(map(parse_text, self.get_body_arguments(field))) for field in ("right", "account"))
        return _KeyForm(name, rights, appids, lifetime, per_minute)

    def _command(self, key: str, limits: KeyLimits) -> str:
        """Return a command that tries a key; the reader puts in a user's openid."""
        appid = min(limits.appids or self.services.account_names)
        what = "/token" if KeyRight.READ_TOKEN in limits.rights else ""
        address = f"{self._own_origin}/internal/authorizations/{appid}/OPENID{what}"
        return shlex.join(["curl", "-H", f"Authorization: Bearer {key}", address])


class RevokeApiKeyHandler(AdminHandler):
    """`POST /admin/api-keys/revoke`: refuses a key from now on."""

    requires = Role.OWNER

    async def post(self) -> None:
        """Revoke it."""
        name = parse_text(self.get_body_argument("name", "", strip=False))
        entry = self.audit_entry(AuditAction.API_KEY_REVOKE, subject=name)
        if not await self.run(self.services.api_keys.revoke, name, self.services.clock.now(), entry):
            self.redirect_with_notice(_PAGE, Notice.API_KEY_NOT_ACTIVE)
            return
        self.redirect_with_notice(_PAGE, Notice.API_KEY_REVOKED, name)


def _sums_of(uses: Iterable[ApiKeyUse], today: int) -> dict[str, tuple[int, int]]:
    """Return how often each key was used today, and on all the days."""
    sums: dict[str, tuple[int, int]] = {}
    for use in uses:
        of_today, of_all = sums.get(use.name, (0, 0))
        sums[use.name] = of_today + (use.count if use.day == today else 0), of_all + use.count
    return sums


routes: list[AdminRoute] = [
    (r"/admin/api-keys", ApiKeysHandler),
    (r"/admin/api-keys/add", AddApiKeyHandler),
    (r"/admin/api-keys/revoke", RevokeApiKeyHandler),
]
