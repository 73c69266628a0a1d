"""The verdict of the overview: whether logins and refreshes work, for each account and for all of them together."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from admin.services import AccountSummary, Concern
from storage.activity import Activity, ActivityKind
from storage.call_outcomes import CallOutcome
from storage.pauses import AccountPause

__all__ = ["ENDPOINTS", "Broken", "Flow", "Health", "Share", "Verdict", "Work", "broken_calls", "judge", "together"]

#: From this part of failures on, work that goes on is said to fail partly.
_NOTABLE_PART = 0.05


class Work(StrEnum):
    """What visitors live by."""

    LOGIN = "login"
    REFRESH = "refresh"


class Health(StrEnum):
    """How a kind of work goes, from bad to good."""

    FAILING = "failing"  #: the last calls failed
    PARTLY = "partly"  #: a notable part of this hour's fail
    WORKS = "works"
    IDLE = "idle"  #: nothing was tried yet


#: The endpoint of WeChat that each kind of work needs.
ENDPOINTS: Mapping[Work, str] = {Work.LOGIN: "access_token", Work.REFRESH: "refresh_token"}
_SUCCESSES = {ActivityKind.AUTHORIZED: Work.LOGIN, ActivityKind.REFRESHED: Work.REFRESH}
_FAILURES = {
    ActivityKind.EXCHANGE_FAILED: Work.LOGIN,
    ActivityKind.REFRESH_FAILED: Work.REFRESH,
    ActivityKind.REAUTHORIZATION_REQUIRED: Work.REFRESH,
}


@dataclass(frozen=True, slots=True)
class Share:
    """What this hour's work came to. `visitors` counts failures that were visitors' own, which tell nothing of it."""

    succeeded: int = 0
    failed: int = 0
    visitors: int = 0

    @property
    def tried(self) -> int:
        """How many there were without visitors' own failures."""
        return self.succeeded + self.failed

    @property
    def percent(self) -> int:
        """How many of a hundred succeeded. It is 100 only where none failed, and 0 only where none succeeded."""
        if not self.tried:
            return 100
        exact = 100 * self.succeeded / self.tried
        return int(exact) if exact >= 1 or not self.succeeded else 1

    def __add__(self, other: "Share") -> "Share":
        """Add what another account's came to."""
        return Share(self.succeeded + other.succeeded, self.failed + other.failed, self.visitors + other.visitors)


@dataclass(frozen=True, slots=True)
class Flow:
    """How a kind of work goes for an account, or for all of them.

    Attributes:
        outcome: How the last calls ended; of all accounts' the newest success, and the newest failure.
    """

    health: Health
    share: Share
    outcome: CallOutcome


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an account, or all of them together, are doing."""

    flows: Mapping[Work, Flow]

    @property
    def worst(self) -> Health:
        """The health of what goes worst."""
        return min((flow.health for flow in self.flows.values()), key=list(Health).index)


@dataclass(frozen=True, slots=True)
class Broken:
    """Calls of accounts to an endpoint that fail for the same reason.

    Attributes:
        accounts: Their appids, and since when each fails; None where it is only known that its calls pause.
        paused_until: When calls are tried again, by account, where they pause.
    """

    endpoint: str
    errcode: int | None
    accounts: tuple[tuple[str, int | None], ...]
    paused_until: Mapping[str, int]


def judge(
    accounts: Sequence[AccountSummary],
    outcomes: Iterable[CallOutcome],
    activity: Iterable[Activity],
    concern: Callable[[int | None, str], Concern],
) -> dict[str, Verdict]:
    """Return the verdict on each account.

    Args:
        accounts: Whom to judge.
        outcomes: How their last calls ended.
        activity: What this hour's work came to.
        concern: Tells whom an errcode at an endpoint concerns.
    """
    last = {(one.appid, one.endpoint): one for one in outcomes}
    shares = _shares(activity, concern)
    return {
        account.appid: Verdict(
            {
                work: _flow(
                    shares.get((account.appid, work), Share()),
                    last.get((account.appid, endpoint)) or CallOutcome(account.appid, endpoint),
                )
                for work, endpoint in ENDPOINTS.items()
            }
        )
        for account in accounts
    }


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on all accounts: work fails for all where it does for each that was used."""
    verdicts = list(verdicts)
    return Verdict({work: _flow_of_all([verdict.flows[work] for verdict in verdicts]) for work in Work})


def broken_calls(
    outcomes: Iterable[CallOutcome], pauses: Iterable[AccountPause], appids: Sequence[str]
) -> list[Broken]:
    """Return what is broken, logins first; accounts that share a reason stand together, in the order of `appids`."""
    until: dict[tuple[str, str], AccountPause] = {}
    for pause in pauses:
        key = pause.appid, pause.endpoint
        if key not in until or until[key].until < pause.until:
            until[key] = pause
    failing: dict[tuple[str, str], tuple[int | None, int | None]] = {
        key: (pause.errcode, None) for key, pause in until.items()
    }
    for one in outcomes:
        if one.failing_since is not None:
            failing[one.appid, one.endpoint] = one.errcode, one.failing_since
    found: dict[tuple[str, int | None], list[tuple[str, int | None]]] = {}
    for (appid, endpoint), (errcode, since) in failing.items():
        if appid in appids:
            found.setdefault((endpoint, errcode), []).append((appid, since))
    broken = [
        Broken(
            endpoint,
            errcode,
            tuple(sorted(members, key=lambda member: appids.index(member[0]))),
            {appid: until[appid, endpoint].until for appid, _ in members if (appid, endpoint) in until},
        )
        for (endpoint, errcode), members in found.items()
    ]
    return sorted(broken, key=lambda one: (one.endpoint != ENDPOINTS[Work.LOGIN], -len(one.accounts)))


def _shares(
    activity: Iterable[Activity], concern: Callable[[int | None, str], Concern]
) -> dict[tuple[str, Work], Share]:
    shares: dict[tuple[str, Work], Share] = {}
    for one in activity:
        if one.kind in _SUCCESSES:
            work, seen = _SUCCESSES[one.kind], Share(succeeded=one.count)
        else:
            work = _FAILURES[one.kind]
            is_visitors = concern(one.errcode or None, ENDPOINTS[work]) is Concern.VISITOR
            seen = Share(visitors=one.count) if is_visitors else Share(failed=one.count)
        shares[one.appid, work] = shares.get((one.appid, work), Share()) + seen
    return shares


def _flow(share: Share, outcome: CallOutcome) -> Flow:
    if outcome.failing_since is not None:
        return Flow(Health.FAILING, share, outcome)
    if share.failed > 1 and share.failed >= _NOTABLE_PART * share.tried:
        return Flow(Health.PARTLY, share, outcome)
    was_used = share.tried or share.visitors or outcome.accepted_at is not None
    return Flow(Health.WORKS if was_used else Health.IDLE, share, outcome)


def _flow_of_all(flows: Sequence[Flow]) -> Flow:
    share, outcome = Share(), CallOutcome("", "")
    for flow in flows:
        share += flow.share
        outcome = outcome.followed_by(flow.outcome)
    healths = Counter(flow.health for flow in flows if flow.health is not Health.IDLE)
    if len(healths) > 1 and Health.FAILING in healths:
        return Flow(Health.PARTLY, share, outcome)
    return Flow(min(healths, key=list(Health).index, default=Health.IDLE), share, outcome)
