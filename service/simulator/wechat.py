"""WeChat's web authorization as a state machine without input or output.

The behaviour follows Tencent's description of web authorization (网页授权) and recorded replies.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from service.simulator.account_tokens import AccountTokens
from service.simulator.errcodes import ErrorReply, require
from service.simulator.faults import Faults
from service.simulator.issued import (
    CODE_TTL,
    LOGIN_CODE_TTL,
    REFRESH_TOKEN_TTL,
    Authorization,
    Code,
    IssuedGrant,
    IssuedTokens,
)
from service.simulator.people import (
    DEFAULT_ACCOUNT,
    DEFAULT_PEOPLE,
    LOGIN_SCOPES,
    SCOPES,
    Account,
    Identity,
    Person,
    index_people,
)
from service.simulator.replies import PLAIN, Quirks, Reply, exchange_reply, refresh_reply, userinfo_reply
from storage.base.clock import Clock

__all__ = ["MAX_PEOPLE", "SimulatedWeChat"]

#: How many people one simulation holds at most.
MAX_PEOPLE = 1_000_000


class SimulatedWeChat:
    """One WeChat: its accounts and people, the codes and tokens it has issued, and its clock.

    Not safe to share between threads.

    Args:
        clock: Tells the time; `advance` moves this WeChat ahead of it.
        accounts: The first is the one meant where none is named.
        people: The first is the one meant where nobody is named.
        quirks: Variations in the form of replies.

    Attributes:
        faults: What goes wrong on purpose.
        calls: How often each endpoint was called; `authorize` and `qrconnect` are the pages.
        outcomes: For each endpoint, how often a call ended in `ok`, in an errcode, or in a breakage; for the page in
            `asked`, `code`, `denied` or the number of its error.
        quirks: May be replaced at any time.
        account_tokens: Accounts' own access tokens and tickets.
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
        self._issued = IssuedTokens()
        self.account_tokens = AccountTokens(self.now, self._check_secret)
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
        self._secrets = self.issued_secrets()
        self._issued = IssuedTokens()
        self.account_tokens = AccountTokens(self.now, self._check_secret)

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
            scope: `snsapi_base` or `snsapi_userinfo`; of a website app `snsapi_login`.
            snapshot: Whether the page was a snapshot page, which gives a virtual identity.

        Raises:
            ValueError: Unknown person, appid or scope; or a snapshot of a silent authorization, which does not exist.
        """
        known = LOGIN_SCOPES if self.find_account(appid).scopes == LOGIN_SCOPES else SCOPES
        if scope not in known:
            raise ValueError(f"scope: expected one of {', '.join(sorted(known))}")
        if snapshot and scope != "snsapi_userinfo":
            raise ValueError("snapshot: comes only with snsapi_userinfo")
        account, lives_for = self.find_account(appid), LOGIN_CODE_TTL if scope in LOGIN_SCOPES else CODE_TTL
        return self._issued.add_code(
            Code(account.appid, self.find_person(person), scope, snapshot, self.now() + lives_for)
        )

    def exchange(self, *, appid: str, secret: str, code: str, grant_type: str) -> Reply:
        """Answer `/sns/oauth2/access_token`. An empty argument is a missing one.

        A code is used up by the call that succeeds, not by one that fails.

        Raises:
            ErrorReply: 41002, 41004, 41008, 40002, 40013, 40125, 40001 (the secret is another account's), 40163, 40029.
        """
        require((appid, 41002), (secret, 41004), (code, 41008))
        _require_grant_type(grant_type, "authorization_code")
        self._check_secret(appid, secret)
        found = self._issued.find_code(code)
        if found is None or found.appid != appid:
            raise ErrorReply(40029)
        if found.used:
            raise ErrorReply(40163)
        if self.now() >= found.expires_at:
            raise ErrorReply(42003 if self.quirks.expired_code_as_42003 else 40029)
        found.used = True
        return exchange_reply(self._authorize(found), self.now())

    def refresh(self, *, appid: str, grant_type: str, refresh_token: str) -> Reply:
        """Answer `/sns/oauth2/refresh_token`. An empty argument is a missing one.

        The access token stays the same, with a new expiry, while it is valid; otherwise there is a new one. The
        refresh token and its expiry stay as they are.

        Raises:
            ErrorReply: 41002, 41003, 40002, 40013, 40030, 42002.
        """
        require((appid, 41002), (refresh_token, 41003))
        _require_grant_type(grant_type, "refresh_token")
        if appid not in self.accounts:
            raise ErrorReply(40013)
        authorization = self._issued.find_authorization(refresh_token)
        if authorization is None or authorization.grant.appid != appid or authorization.is_ended:
            raise ErrorReply(40030)
        if self.now() >= authorization.grant.refresh_expires_at:
            raise ErrorReply(42002)
        self._issued.renew(authorization, self.now())
        return refresh_reply(authorization, self.now(), self.quirks)

    def userinfo(self, *, access_token: str, openid: str, lang: str = "") -> Reply:
        """Answer `/sns/userinfo`. An empty argument is a missing one.

        `lang` chooses the language of country, province and city; they have been empty since 2021 in all of them.

        Raises:
            ErrorReply: 41001, 41009, 40001, 42001, 40003, 48001.
        """
        del lang
        authorization = self._check_access_token(access_token, openid)
        if not authorization.reads_profile:
            raise ErrorReply(48001)
        return userinfo_reply(authorization, self.quirks)

    def auth(self, *, access_token: str, openid: str) -> Reply:
        """Answer `/sns/auth`: whether the token is valid for this user. An empty argument is a missing one.

        Raises:
            ErrorReply: 41001, 41009, 40001, 42001, 40003.
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
        return [authorization.grant for authorization in self._issued.authorizations()]

    def issued_secrets(self) -> set[str]:
        """Return all codes, tokens, tickets and app secrets there ever were, across resets, for searches in logs."""
        return self._secrets | self._issued.secrets() | self.account_tokens.secrets()

    def _check_secret(self, appid: str, secret: str) -> None:
        account = self.accounts.get(appid)
        if account is None:
            raise ErrorReply(40013)
        if secret != account.secret:
            is_anothers = any(secret == other.secret for other in self.accounts.values())
            raise ErrorReply(40001, "invalid credential") if is_anothers else ErrorReply(40125)

    def _check_access_token(self, access_token: str, openid: str) -> Authorization:
        require((access_token, 41001), (openid, 41009))
        token = self._issued.find_access_token(access_token)
        if token is None or not token.is_latest:
            raise ErrorReply(40001)
        if self.now() >= token.expires_at:
            raise ErrorReply(42001)
        if openid != token.authorization.grant.openid:
            raise ErrorReply(40003)
        return token.authorization

    def _authorize(self, code: Code) -> Authorization:
        """Return the authorization of a code; earlier access tokens of the same user are no longer the latest."""
        identity = Identity.of(code.person, code.appid, is_snapshotuser=code.is_snapshotuser)
        grant = self._grant(code, identity)
        if not self.quirks.keep_older_tokens:
            self._issued.outdate_access_tokens(grant.appid, grant.openid)
        takes_over = (
            self.quirks.silent_login_takes_over
            and grant.scope == "snsapi_base"
            and self._issued.end_profile_grants(grant.appid, grant.openid)
        )
        authorization = self._issued.add_authorization(grant, identity.profile, self.now())
        authorization.reads_profile |= takes_over
        return authorization

    def _grant(self, code: Code, identity: Identity) -> IssuedGrant:
        gives_unionid = code.scope != "snsapi_base" or self.quirks.silent_unionid
        return IssuedGrant(
            appid=code.appid,
            person=code.person.id,
            openid=identity.openid,
            unionid=identity.unionid if gives_unionid and self.accounts[code.appid].in_open_platform else None,
            scope=code.scope,
            is_snapshotuser=code.is_snapshotuser,
            refresh_expires_at=self.now() + REFRESH_TOKEN_TTL,
        )


def _require_grant_type(given: str, expected: str) -> None:
    """Check that a call names its own grant_type."""
    if given != expected:
        raise ErrorReply(40002)
