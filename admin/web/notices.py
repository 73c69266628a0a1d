"""Notices: what the page before has done, said once by the next one.

A notice travels in a cookie, so it is a code of a closed list with checked values, and the cookie is signed with the
secret of the session that it is for: only that session shows it, and nobody who can merely set a cookie can write one.
"""

import json
from dataclasses import dataclass
from enum import Enum, unique

from tornado.web import create_signed_value, decode_signed_value

from admin.labels.users import RESULT_LABELS
from admin.services import ActionOutcome, ActionResult
from admin.web.cookies import NOTICE
from admin.web.i18n import N_
from admin.web.inputs import is_moment, parse_json

__all__ = ["Notice", "NoticeText", "sign_notice", "sign_outcome", "verify_notice"]

_LONGEST_COOKIE = 2048
_LONGEST_NAME = 64
_GOOD_FOR_DAYS = 1


@unique
class Notice(Enum):
    """Every notice: whether it is good news, and its text. `%s` stands for the name of whatever it is about."""

    API_KEY_NOT_ACTIVE = (False, N_("There is no active key of this name."))
    API_KEY_REVOKED = (True, N_("The key of %s has been revoked."))
    OPERATOR_LAST_OWNER = (False, N_("%s is the last owner. Make somebody else an owner first."))
    OPERATOR_ROLE_CHANGED = (True, N_("The role of %s has been changed."))
    OPERATOR_DISABLED = (True, N_("%s can no longer sign in."))
    OPERATOR_ENABLED = (True, N_("%s can sign in again."))
    PASSWORD_CHANGED = (True, N_("Your password has been changed. Your other sessions have ended."))
    PASSWORDS_DIFFER = (False, N_("The two new passwords differ."))
    PASSWORD_LENGTH = (False, N_("A password has 12 to 256 characters."))
    PASSWORD_NAME = (False, N_("A password must not be made of the user name."))
    PASSWORD_COMMON = (
        False,
        N_("This password is too easy to guess: choose one that is not made of common words, digits or patterns."),
    )
    PASSWORD_WRONG = (False, N_("The current password is wrong."))
    FACTOR_ADDED = (True, N_("The second factor has been added."))
    FACTOR_REMOVED = (True, N_("The second factor has been removed."))
    FACTOR_IS_LAST = (False, N_("This is your last second factor, and you need one. Add another one first."))
    FACTOR_IS_THERE = (False, N_("You have an authenticator app already. Remove it first."))
    FACTOR_NOT_THERE = (False, N_("There is no such second factor any more."))
    FACTOR_NEEDS_FRESH_SIGN_IN = (
        False,
        N_("To change anything here, sign out and in again: that is possible within 15 minutes of signing in."),
    )
    OPERATOR_FACTORS_REMOVED = (True, N_("%s has no second factors any more, and all their sessions have ended."))
    PASSKEY_NOT_ADDED = (False, N_("The passkey was not added. Try again."))
    TOO_MANY_ATTEMPTS = (False, N_("Too many attempts. Try again later."))
    SESSION_ENDED = (True, N_("The session has ended."))
    SESSION_ALREADY_ENDED = (False, N_("This session has already ended."))
    OTHER_SESSIONS_ENDED = (True, N_("Your other sessions have ended."))
    JOB_ALREADY_CHANGED = (False, N_("The state of the job had already changed."))
    ERASURE_NOT_CONFIRMED = (False, N_("Nothing was erased: type the openid to confirm."))


@dataclass(frozen=True, slots=True)
class NoticeText:
    """What a page shows of a notice.

    Attributes:
        text: English, marked for translation; it may hold one `%s`, for `name`.
        errcode: WeChat's number that explains it.
        next_try_at: When the service tries again by itself.
    """

    is_good: bool
    text: str
    name: str = ""
    errcode: int | None = None
    next_try_at: int | None = None


def sign_notice(secret: str, notice: Notice, name: str = "") -> str:
    """Return the cookie of a notice for the session with this secret."""
    return _sign(secret, ["notice", notice.name, name[:_LONGEST_NAME]])


def sign_outcome(secret: str, outcome: ActionOutcome) -> str:
    """Return the cookie of a notice that says how an action on a user ended."""
    return _sign(secret, ["outcome", outcome.result, outcome.succeeded, outcome.errcode, outcome.next_try_at])


def verify_notice(secret: str, cookie: str) -> NoticeText | None:
    """Return what a cookie says; None for one that was not made for this session, or is older than a day."""
    if len(cookie) > _LONGEST_COOKIE:
        return None
    content = decode_signed_value(secret, NOTICE, cookie, max_age_days=_GOOD_FOR_DAYS, min_version=2)
    match None if content is None else parse_json(content.decode()):
        case ["notice", str(code), str(name)] if code in Notice.__members__:
            is_good, text = Notice[code].value
            return NoticeText(is_good, text, name)
        case ["outcome", str(result), bool(succeeded), None | int() as errcode, None | int() as next_try_at] if (
            result in RESULT_LABELS and is_moment(next_try_at)
        ):
            is_good = succeeded and result != ActionResult.INVALID
            return NoticeText(is_good, RESULT_LABELS[ActionResult(result)], errcode=errcode, next_try_at=next_try_at)
        case _:
            return None


def _sign(secret: str, content: list[str | int | bool | None]) -> str:
    return create_signed_value(secret, NOTICE, json.dumps(content)).decode()
