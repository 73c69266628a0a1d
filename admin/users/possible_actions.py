"""Which actions can work on users, by the state of their authorizations."""

from collections.abc import Sequence

from storage.sql.work.jobs import JobAction
from storage.users import Status

__all__ = ["possible_actions"]

#: What asks WeChat by the user's tokens, which are of no use once the authorization has ended.
_BY_TOKENS = (JobAction.REFRESH, JobAction.CHECK, JobAction.PROFILE)


def possible_actions(status: Status | None) -> Sequence[JobAction]:
    """Return what can be done about a user in a state; None stands for users in any state."""
    if status in {None, Status.ACTIVE}:
        return tuple(JobAction)
    impossible = {*_BY_TOKENS, *((JobAction.REVOKE,) if status is Status.REVOKED else ())}
    return tuple(action for action in JobAction if action not in impossible)
