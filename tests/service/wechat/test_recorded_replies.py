"""Replies of WeChat as others recorded them, each with the right reading in the line of the same number beside it."""

import base64
import json
from dataclasses import asdict
from pathlib import Path

import pytest

from service.wechat.errors import WeChatFault, WeChatRefusal
from service.wechat.protocol import parse_auth_reply, parse_refresh_reply, parse_token_reply, parse_userinfo

FOLDER = Path(__file__).parent
PARSERS = {
    "access_token": parse_token_reply,
    "refresh_token": parse_refresh_reply,
    "userinfo": parse_userinfo,
    "auth": parse_auth_reply,
}


def lines_of(name):
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


RECORDED = list(zip(lines_of("recorded_replies.jsonl"), lines_of("recorded_readings.jsonl"), strict=True))


def bytes_of(reply):
    return reply["body"].encode() if "body" in reply else base64.b64decode(reply["body_base64"])


def reading_of(parse, body):
    """Return what is read, in the form of `recorded_readings.jsonl`, and the tokens apart."""
    try:
        answer = parse(body)
    except WeChatRefusal as refusal:
        names = ("errcode", "kind", "errmsg", "rid")
        return {name: getattr(refusal, name) for name in names}, ()
    except WeChatFault as fault:
        return {"fault": fault.errmsg.partition(": ")[2]}, ()
    if isinstance(answer, bool):
        return {"valid": answer}, ()
    fields = asdict(answer)
    return fields, [fields.pop(name) for name in ("access_token", "refresh_token") if name in fields]


@pytest.mark.parametrize(
    ("reply", "reading"),
    [pytest.param(*pair, id=f"{number}-{pair[0]['endpoint']}") for number, pair in enumerate(RECORDED, start=1)],
)
def test_a_recorded_reply_is_read_right(reply, reading):
    body = bytes_of(reply)
    fields, tokens = reading_of(PARSERS[reply["endpoint"]], body)

    assert fields == reading
    assert all(token and token.encode() in body for token in tokens)


def test_the_records_are_of_all_endpoints_and_of_all_outcomes():
    assert {reply["endpoint"] for reply, _ in RECORDED} == PARSERS.keys()
    assert {"errcode", "fault", "valid", "scope", "nickname"} <= {name for _, reading in RECORDED for name in reading}
