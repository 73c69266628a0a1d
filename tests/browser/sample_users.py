"""Users for pictures and for tests of pages: made-up names, every state, a day's activity."""

import random
from dataclasses import replace

from sqlalchemy import insert

from storage.activity import Activity, ActivityKind
from storage.call_outcomes import CallOutcome
from storage.sql.core.engine import Database
from storage.sql.core.schema import authorizations
from storage.sql.tokens.store import SqlTokenStore
from storage.sql.work.call_outcomes import CallOutcomes
from storage.users import Status

_HOUR, _DAY = 3600, 86_400
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = ("小雨", "子涵", "明", "晓东", "丽", "建国", "思远", "佳怡", "浩然", "静", "阿强", "春花", "志伟", "婷婷")
_NICKNAMES = (
    "月亮不睡我不睡",
    "小鱼儿🐟",
    "Leo",
    "一杯奶茶",
    "北方的狼",
    "Sunny☀️",
    "喵喵",
    "山间清风",
    "阿花",
    "木子李",
)
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789-_"


def put_users(url: str, appids: list[str], count: int, now: int) -> None:
    """Put so many users, and what happened lately, into a database whose tables are there."""
    database = Database.open(url)
    dice = random.Random(20_261_122)
    rows = [_row(dice, dice.choices(appids, [5, 1][: len(appids)])[0], number, count, now) for number in range(count)]
    try:
        database.write(lambda connection: connection.execute(insert(authorizations), rows))
        SqlTokenStore(database).record(_activity(dice, appids[0], now))
        CallOutcomes(database).add(_outcomes(appids[0], now), [])
    finally:
        database.close()


def _row(dice, appid, number, count, now):
    wide = dice.random() < 0.7
    authorized_at = now - int((count - number) / count * 29 * _DAY) - dice.randrange(_HOUR)
    status = dice.choices(list(Status), [92, 6, 2])[0]
    failed = status is Status.REAUTHORIZATION_REQUIRED or dice.random() < 0.02
    name = dice.choice(_NICKNAMES) if dice.random() < 0.3 else dice.choice(_SURNAMES) + dice.choice(_GIVEN)
    return {
        "appid": appid,
        "openid": "o" + "".join(dice.choices(_LETTERS, k=27)),
        "unionid": "o" + "".join(dice.choices(_LETTERS, k=27)) if wide else None,
        "scope": "snsapi_userinfo" if wide else "snsapi_base",
        "is_snapshotuser": wide and dice.random() < 0.03,
        "access_token": b"",
        "refresh_token": b"",
        "expires_at": now + dice.randrange(7200),
        "refresh_expires_at": authorized_at + 30 * _DAY,
        "status": status.value,
        "version": 1,
        # Far enough off that nothing tries to refresh what was never granted.
        "next_refresh_at": now + 1200 + dice.randrange(6000) if status is Status.ACTIVE else None,
        "lease_owner": None,
        "lease_until": None,
        "code_digest": None,
        "code_binding": None,
        "code_scope": "snsapi_base",
        "first_authorized_at": authorized_at - dice.randrange(200) * _DAY,
        "authorized_at": authorized_at,
        "refreshed_at": now - dice.randrange(7200),
        "last_used_at": max(authorized_at, now - dice.randrange(3 * _DAY)),
        "refresh_failures": 1 if failed else 0,
        "last_error_code": dice.choice((42002, 42007, 40030))
        if failed and status is not Status.ACTIVE
        else (45011 if failed else None),
        "last_error_kind": ("reauthorize" if status is not Status.ACTIVE else "rate_limited") if failed else None,
        "last_error_at": now - dice.randrange(_DAY) if failed else None,
        "nickname": name if wide else None,
        "avatar_url": "" if wide else None,
        "profile_at": authorized_at if wide else None,
    }


def _activity(dice, appid, now):
    this_hour = now - now % _HOUR
    activities = []
    for back in range(14 * 24):
        hour = this_hour - back * _HOUR
        # Busy by day, quiet by night, as it is in China.
        bustle = (1, 1, 1, 1, 2, 4, 8, 12, 14, 15, 15, 18, 20, 16, 14, 14, 15, 17, 20, 22, 21, 16, 9, 4)[
            (hour // _HOUR + 8) % 24
        ]
        one = Activity(hour, appid, ActivityKind.AUTHORIZED, 0, bustle * dice.randint(20, 30))
        activities += [
            one,
            replace(one, kind=ActivityKind.REFRESHED, count=bustle * dice.randint(300, 380)),
            replace(one, kind=ActivityKind.EXCHANGE_FAILED, errcode=40163, count=dice.randint(0, bustle)),
            replace(one, kind=ActivityKind.REAUTHORIZATION_REQUIRED, errcode=42002, count=dice.randint(0, bustle // 2)),
        ]
        if dice.random() < 0.1:
            activities.append(replace(one, kind=ActivityKind.REFRESH_FAILED, errcode=45011, count=dice.randint(1, 9)))
    return [one for one in activities if one.count]


def _outcomes(appid, now):
    login = CallOutcome(appid, "access_token").accepted(now - 12, succeeded=True)
    refresh = CallOutcome(appid, "refresh_token").failed(now - 4 * _HOUR, 45011).accepted(now - 3, succeeded=True)
    return [login, refresh]
