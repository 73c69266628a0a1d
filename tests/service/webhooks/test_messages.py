"""What pushed messages say, whatever their bytes are."""

import base64
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.webhooks.crypto import InvalidMessage, decrypt
from service.webhooks.messages import AuthorizationEvent, EventKind, read_event, read_fields
from tests.service.http.handlers.pushes import AES_KEY, OTHER_AES_KEY, opened, seal

APPID = "wx0123456789abcdef"
EVENT = {
    "MsgType": "event",
    "Event": "user_authorization_revoke",
    "AppID": APPID,
    "OpenID": "o-1",
    "CreateTime": "1800000000",
    "RevokeInfo": "205",
}
NAMES = st.sampled_from(sorted(EVENT))


def event_with(**changes):
    return read_event({**EVENT, **changes}, APPID)


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda text: b"<xml><A>" + text + b"</A></xml>"))
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"<a>" * 100_000)
@example(b'{"CreateTime": ' + b"9" * 5000 + b"}")
@example(b'<?xml version="1.0" encoding="utf-16"?><xml/>')
@example(b"<?xml" * 10_000)
def test_any_bytes_are_read_or_refused(body):
    try:
        fields = read_fields(body)
    except InvalidMessage:
        return
    assert all(isinstance(name, str) and isinstance(text, str) for name, text in fields.items())


@given(st.dictionaries(NAMES, st.text(max_size=200) | st.from_regex(r"[0-9,|]{0,80}")))
@example({"RevokeInfo": "205\ud800"})
@example({"CreateTime": "٣٠٠٠٠٠٠٠٠٠"})
@example({"OpenID": "o\x00"})
def test_any_fields_are_an_event_that_can_be_stored_or_none(changes):
    try:
        event = event_with(**changes)
    except InvalidMessage:
        return
    if event is not None:
        assert len(event.digest) == 32
        assert event.revoke_info.replace(",", "").isdigit() or event.revoke_info == ""
        assert isinstance(event.erases, bool)


@pytest.mark.parametrize(
    "body",
    [
        "<xml>\n" + "".join(f"  <{name}>\n    {text}\n  </{name}>\n" for name, text in EVENT.items()) + "</xml>",
        json.dumps({name: f" {text}\n" for name, text in EVENT.items()}),
    ],
)
def test_white_space_around_values_is_none_of_them(body):
    assert read_event(read_fields(body.encode()), APPID) == event_with()


def test_events_that_differ_have_digests_that_differ():
    changes = [
        {},
        {"Event": "user_authorization_cancellation"},
        {"OpenID": "o-2"},
        {"CreateTime": "1800000001"},
        {"RevokeInfo": "301"},
    ]
    assert len({event_with(**change).digest for change in changes}) == len(changes)
    assert event_with().digest == event_with(ToUserName="another").digest


def test_xml_and_json_say_the_same():
    xml = "".join(f"<{name}><![CDATA[{text}]]></{name}>" for name, text in EVENT.items())
    in_json = read_fields(json.dumps({**EVENT, "CreateTime": 1_800_000_000}).encode())
    assert read_fields(f"<xml>{xml}</xml>".encode()) == in_json == EVENT
    assert event_with() == AuthorizationEvent(EventKind.REVOKED, APPID, "o-1", 1_800_000_000, "205")


@given(st.binary(max_size=300))
def test_what_was_encrypted_with_any_of_the_keys_is_decrypted(message):
    for key in (AES_KEY, OTHER_AES_KEY):
        encrypted = seal(message, APPID, key)
        assert decrypt(encrypted, (AES_KEY, OTHER_AES_KEY), APPID) == message == opened(encrypted, APPID, key)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: base64.b64encode(data).decode()))
def test_anything_else_is_refused(encrypted):
    with pytest.raises(InvalidMessage):
        decrypt(encrypted, (AES_KEY, OTHER_AES_KEY), APPID)
