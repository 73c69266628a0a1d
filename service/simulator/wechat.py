"""WeChat's web authorization as a state machine without input or output.

The behaviour follows Tencent's description of web authorization (网页授权) and recorded replies.
"""

import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from service.simulator.faults import Faults
from service.simulator.people import (
    DEFAULT_ACCOUNT,
    DEFAULT_PEOPLE,
    SCOPES,
    SNAPSHOT_NICKNAME,
    Account,
    Person,
    index_people,
    openid_of,
    snapshot_openid_of,
    snapshot_unionid_of,
    unionid_of,
)
from service.simulator.replies import PLAIN, Quirks, Refusal, Reply
from storage.clock import Clock

__all__ = [
    "ACCESS_TOKEN_TTL",
    "CODE_TTL",
    "MAX_PEOPLE",
    "REFRESH_TOKEN_TTL",
    "IssuedGrant",
    "SimulatedWeChat",
]

CODE_TTL = 300
ACCESS_TOKEN_TTL = 7200
REFRESH_TOKEN_TTL = 30 * 86400

#: How many people one simulation holds at most.
MAX_PEOPLE = 1_000_000


@dataclass(slots=True)
class _Code:
    """A code, bound to the account it was issued for."""

    appid: str
    person: Person
    scope: str
    is_snapshotuser: bool
    expires_at: int
    used: bool = False


@dataclass(frozen=True, slots=True)
class IssuedGrant:
    """What one exchange gave, without the tokens.

    Attributes:
        person: Id of the person, for a snapshot user too.
        unionid: None where the account or the scope gives none.
        refresh_expires_at: When the refresh token ends; refreshing does not move it.
    """

    appid: str
    person: str
    openid: str
    unionid: str | None
    scope: str
    is_snapshotuser: bool
    refresh_expires_at: int


@dataclass(slots=True, eq=False)
class _Authorization:
    """A grant with its tokens. Its access token changes when it is refreshed late, its refresh token never."""

    grant: IssuedGrant
    profile: Person
    refresh_token: str = field(repr=False)
    access_token: "_AccessToken" = field(init=False, repr=False)


@dataclass(slots=True, eq=False)
class _AccessToken:
    """An access token; `is_latest` until another exchange of the same user."""

    value: str = field(repr=False)
    authorization: _Authorization
    expires_at: int
    is_latest: bool = True


def _token() -> str:
    """Return a token of the length and form of WeChat's: a number, an underline, about 130 URL-safe characters."""
    return f"{secrets.randbelow(90) + 10}_{secrets.token_urlsafe(98)}"


class SimulatedWeChat:
    """One WeChat: its accounts and people, the codes and tokens it has issued, and its clock.

    Not safe to share between threads. Nothing is forgotten but by `reset`, so that an expired code and an
    unknown one stay different for as long as the simulation runs.

    Args:
        clock: Tells the time; `advance` moves this WeChat ahead of it.
        accounts: The first is the one meant where none is named.
        people: The first is the one meant where nobody is named.
        quirks: Variations in the form of replies.

    Attributes:
        faults: What goes wrong on purpose.
        calls: How often each endpoint was called; `authorize` is the page.
        outcomes: For each endpoint, how often a call ended in `ok`, in an errcode, or in a breakage; for the page in
            `asked`, `code`, `denied` or the number of its error.
        quirks: May be replaced at any time.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        accounts: Sequence[Account] = (DEFAULT_ACCOUNT,),
        people: Iterable[Person] = DEFAULT_PEOPLE,
        quirks: Quirks = PLAIN,
    ) -> None:
        if not accounts:
            raise ValueError("the simulation needs at least one account")
        self._clock = clock
        self._first_people = tuple(people)
        self._first_quirks = quirks
        self._secrets = {account.secret for account in accounts}
        self.accounts = {account.appid: account for account in accounts}
        if len(self.accounts) != len(accounts):
            raise ValueError("an appid is given twice")
        self.faults = Faults()
        self.reset()

    def reset(self) -> None:
        """Return to the beginning: people, clock, quirks, faults, counts, codes and tokens.

        Only `issued_secrets` still knows what was issued before.
        """
        self.people = index_people(self._first_people)
        self.quirks = self._first_quirks
        self.faults.clear()
        self.reset_counts()
        self._offset = 0
        self._codes: dict[str, _Code] = {}
        self._authorizations: dict[str, _Authorization] = {}
        self._access_tokens: dict[str, _AccessToken] = {}
        self._latest: defaultdict[tuple[str, str], list[_AccessToken]] = defaultdict(list)

    def now(self) -> int:
        """Return this WeChat's time: whole seconds since the epoch, UTC."""
        return self._clock.now() + self._offset

    @property
    def offset_seconds(self) -> int:
        """How far this WeChat is ahead of the clock it was given."""
        return self._offset

    def advance(self, seconds: int) -> None:
        """Move this WeChat's time forward.

        Raises:
            ValueError: `seconds` is negative: time does not run back.
        """
        if seconds < 0:
            raise ValueError("advance_seconds: expected 0 or more")
        self._offset += seconds

    def add_person(self, person: Person) -> None:
        """Let somebody new take part.

        Raises:
            ValueError: The id is taken, or there are too many people.
        """
        if person.id in self.people:
            raise ValueError(f"id: {person.id!r} is taken")
        if len(self.people) >= MAX_PEOPLE:
            raise ValueError(f"count: there may be {MAX_PEOPLE} people at most")
        self.people[person.id] = person

    def invent_person(self) -> Person:
        """Add somebody with an id and a nickname made up, as for putting on load."""
        number = len(self.people) + 1
        while f"person-{number}" in self.people:
            number += 1
        person = Person(f"person-{number}", f"用户{number}")
        self.add_person(person)
        return person

    def find_person(self, person: str | None) -> Person:
        """Return somebody by id, or the first person where `person` is None.

        Raises:
            ValueError: Nobody has this id.
        """
        if person is None:
            return next(iter(self.people.values()))
        if person not in self.people:
            raise ValueError("person: nobody has this id")
        return self.people[person]

    def find_account(self, appid: str | None) -> Account:
        """Return an account, or the first where `appid` is None.

        Raises:
            ValueError: No account has this appid.
        """
        if appid is None:
            return next(iter(self.accounts.values()))
        if appid not in self.accounts:
            raise ValueError("appid: no account has it")
        return self.accounts[appid]

    def issue_code(
        self,
        person: str | None = None,
        *,
        appid: str | None = None,
        scope: str = "snsapi_base",
        snapshot: bool = False,
    ) -> str:
        """Return a new code, as the authorize page would have sent it to the redirect_uri.

        Args:
            person: Id of who authorizes; the first person by default.
            appid: The account that is authorized; the first by default.
            scope: `snsapi_base` or `snsapi_userinfo`.
            snapshot: Whether the page was a snapshot page, which gives a virtual identity.

        Raises:
            ValueError: Unknown person, appid or scope; or a snapshot of a silent authorization, which does not exist.
        """
        if scope not in SCOPES:
            raise ValueError(f"scope: expected one of {', '.join(sorted(SCOPES))}")
        if snapshot and scope != "snsapi_userinfo":
            raise ValueError("snapshot: comes only with snsapi_userinfo")
        code = self._remember(secrets.token_urlsafe(24))
        self._codes[code] = _Code(
            self.find_account(appid).appid, self.find_person(person), scope, snapshot, self.now() + CODE_TTL
        )
        return code

    def exchange(self, *, appid: str, secret: str, code: str, grant_type: str) -> Reply:
        """Answer `/sns/oauth2/access_token`. An empty argument is a missing one.

        A code is used up by the call that succeeds, not by one that is refused.

        Raises:
            Refusal: 41002, 41004, 41008, 40002, 40013, 40125, 40001 (the secret is another account's),
                40029, 40163, 42003.
        """
        _require((appid, 41002), (secret, 41004), (code, 41008))
        _require_grant_type(grant_type, "authorization_code")
        self._check_secret(appid, secret)
        found = self._codes.get(code)
        if found is None or found.appid != appid:
            raise Refusal(40029)
        if found.used:
            raise Refusal(40163)
        if self.now() >= found.expires_at:
            raise Refusal(42003)
        found.used = True
        return self._grant_reply(self._grant(found))

    def refresh(self, *, appid: str, grant_type: str, refresh_token: str) -> Reply:
        """Answer `/sns/oauth2/refresh_token`. An empty argument is a missing one.

        The access token stays the same, with a new expiry, while it is valid; otherwise there is a new one. The
        refresh token and its expiry stay as they are.

        Raises:
            Refusal: 41002, 41003, 40002, 40013, 40030, 42002.
        """
        _require((appid, 41002), (refresh_token, 41003))
        _require_grant_type(grant_type, "refresh_token")
        if appid not in self.accounts:
            raise Refusal(40013)
        authorization = self._authorizations.get(refresh_token)
        if authorization is None or authorization.grant.appid != appid:
            raise Refusal(40030)
        if self.now() >= authorization.grant.refresh_expires_at:
            raise Refusal(42002)
        token = authorization.access_token
        if token.is_latest and self.now() < token.expires_at:
            token.expires_at = self.now() + ACCESS_TOKEN_TTL
        else:
            self._give_access_token(authorization)
        reply = dict(self._grant_reply(authorization))
        if self.quirks.omit_refresh_token:
            del reply["refresh_token"]
        return reply

    def userinfo(self, *, access_token: str, openid: str, lang: str = "") -> Reply:
        """Answer `/sns/userinfo`. An empty argument is a missing one.

        `lang` chooses the language of country, province and city; they have been empty since 2021 in all of them.

        Raises:
            Refusal: 41001, 41009, 40014, 40001, 42001, 40003, 48001.
        """
        del lang
        authorization = self._check_access_token(access_token, openid)
        if authorization.grant.scope != "snsapi_userinfo":
            raise Refusal(48001)
        profile = authorization.profile
        reply: dict[str, object] = {
            "openid": authorization.grant.openid,
            "nickname": profile.nickname + ("\b" if self.quirks.control_characters else ""),
            "sex": 0,
            "province": "",
            "city": "",
            "country": "",
            "headimgurl": profile.picture,
            "privilege": [],
        }
        if authorization.grant.unionid is not None:
            reply["unionid"] = authorization.grant.unionid
        return reply

    def auth(self, *, access_token: str, openid: str) -> Reply:
        """Answer `/sns/auth`: whether the token is valid for this user. An empty argument is a missing one.

        Raises:
            Refusal: 41001, 41009, 40014, 40001, 42001, 40003.
        """
        self._check_access_token(access_token, openid)
        return {"errcode": 0, "errmsg": "ok"}

    def note(self, endpoint: str, outcome: str) -> None:
        """Count how a call of an endpoint ended."""
        self.outcomes[endpoint][outcome] += 1

    def reset_counts(self) -> None:
        """Count calls and outcomes from zero again."""
        self.calls: Counter[str] = Counter()
        self.outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def grants(self) -> list[IssuedGrant]:
        """Return what exchanges have given since the beginning or the last reset, the oldest first."""
        return [authorization.grant for authorization in self._authorizations.values()]

    def issued_secrets(self) -> set[str]:
        """Return every code, token and app secret there ever was, across resets, for searching logs and files."""
        return set(self._secrets)

    def _remember(self, secret: str) -> str:
        self._secrets.add(secret)
        return secret

    def _check_secret(self, appid: str, secret: str) -> None:
        account = self.accounts.get(appid)
        if account is None:
            raise Refusal(40013)
        if secret != account.secret:
            is_anothers = any(secret == other.secret for other in self.accounts.values())
            raise Refusal(40001, "invalid credential") if is_anothers else Refusal(40125)

    def _check_access_token(self, access_token: str, openid: str) -> _Authorization:
        _require((access_token, 41001), (openid, 41009))
        token = self._access_tokens.get(access_token)
        if token is None:
            raise Refusal(40014)
        if not token.is_latest:
            raise Refusal(40001)
        if self.now() >= token.expires_at:
            raise Refusal(42001)
        if openid != token.authorization.grant.openid:
            raise Refusal(40003)
        return token.authorization

    def _grant(self, code: _Code) -> _Authorization:
        """Make the tokens of a code; earlier access tokens of the same user are no longer the latest."""
        grant, profile = self._identify(code)
        authorization = _Authorization(grant, profile, self._remember(_token()))
        self._authorizations[authorization.refresh_token] = authorization
        earlier = self._latest[grant.appid, grant.openid]
        if not self.quirks.keep_older_tokens:
            for token in earlier:
                token.is_latest = False
        earlier.clear()
        self._give_access_token(authorization)
        return authorization

    def _identify(self, code: _Code) -> tuple[IssuedGrant, Person]:
        """Return who a code's person is to its account, and the profile shown there."""
        person, appid = code.person, code.appid
        if code.is_snapshotuser:
            openid, unionid = snapshot_openid_of(person, appid), snapshot_unionid_of(appid)
            profile = Person(person.id, SNAPSHOT_NICKNAME, headimgurl="")
        else:
            openid, unionid = openid_of(person, appid), unionid_of(person)
            profile = person
        gives_unionid = code.scope == "snsapi_userinfo" and self.accounts[appid].in_open_platform
        grant = IssuedGrant(
            appid,
            person.id,
            openid,
            unionid if gives_unionid else None,
            code.scope,
            code.is_snapshotuser,
            self.now() + REFRESH_TOKEN_TTL,
        )
        return grant, profile

    def _give_access_token(self, authorization: _Authorization) -> None:
        token = _AccessToken(self._remember(_token()), authorization, self.now() + ACCESS_TOKEN_TTL)
        authorization.access_token = token
        self._access_tokens[token.value] = token
        self._latest[authorization.grant.appid, authorization.grant.openid].append(token)

    def _grant_reply(self, authorization: _Authorization) -> Reply:
        grant = authorization.grant
        reply: dict[str, object] = {
            "access_token": authorization.access_token.value,
            "expires_in": authorization.access_token.expires_at - self.now(),
            "refresh_token": authorization.refresh_token,
            "openid": grant.openid,
            "scope": grant.scope,
        }
        if grant.is_snapshotuser:
            reply["is_snapshotuser"] = 1
        if grant.unionid is not None:
            reply["unionid"] = grant.unionid
        return reply


def _require(*arguments: tuple[str, int]) -> None:
    """Refuse a call with the errcode of its first argument that is empty."""
    for value, errcode in arguments:
        if not value:
            raise Refusal(errcode)


def _require_grant_type(given: str, expected: str) -> None:
    """Refuse a call whose grant_type is missing or another's."""
    if given != expected:
        raise Refusal(40002)
