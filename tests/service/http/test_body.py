"""Bodies of pages as they come: what the bytes are decides."""

import codecs
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http.body import InvalidBody, names_for_message, read_fields

MULTIPART = (
    b'--b0undary\r\nContent-Disposition: form-data; name="code"\r\n\r\nabc\r\n'
    b'--b0undary\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; name="state"\r\n\r\n123\r\n'
    b"--b0undary--\r\n"
)


def test_every_form_gives_its_fields(subtests):
    for body in (
        b'{"code": "abc", "state": "123"}',
        b' \r\n{"code": "abc", "state": "123"}\r\n',
        b"code=abc&state=123",
        b"code=abc&state=123&",
        b"&code=abc&&state=123",
        b"code=old&code=abc&state=123",
        b"code=abc\r\nstate=123\r\n",  # a form of the type text/plain
        b"code=%61bc&state=123",
        b"%7B%22code%22%3A%22abc%22%2C%22state%22%3A%22123%22%7D=",  # new URLSearchParams(JSON.stringify(x))
        b'{"code":"abc","state":"123"}=',  # the same, from a page that encodes nothing
        MULTIPART,
        b"\r\n" + MULTIPART,
    ):
        for mark in (b"", codecs.BOM_UTF8):
            with subtests.test(body=body, mark=mark):
                assert read_fields(mark + body) == {"code": "abc", "state": "123"}


def test_an_empty_body_has_no_fields(subtests):
    for body in (b"", b" ", b"\r\n", codecs.BOM_UTF8, b"{}"):
        with subtests.test(body=body):
            assert read_fields(body) == {}


def test_what_has_no_fields_is_refused_without_being_repeated(subtests):
    for body in (
        b"CODE1234",
        b"CODE1234&",
        b"[]",
        b'["CODE1234"]',
        b'"CODE1234"',
        b'{"code": "CODE1234"',
        b'{"a":' * 20_000,
        b"\xff\xfeCODE1234",
        MULTIPART[:40] + b"CODE1234",
        MULTIPART.replace(b"--b0undary--", b""),
        b"&".join(b"a%d=CODE1234" % number for number in range(1000)),
    ):
        with subtests.test(body=body[:60]), pytest.raises(InvalidBody) as refused:
            read_fields(body)
        assert "CODE1234" not in str(refused.value)


@given(st.binary(max_size=300) | st.binary(max_size=50).map(lambda tail: MULTIPART[:-20] + tail))
def test_any_bytes_are_read_or_refused(body):
    with suppress(InvalidBody):
        assert isinstance(read_fields(body), dict)


def test_bytes_that_are_no_text_spoil_their_own_field_only():
    assert read_fields(b'{"code": "abc", "nickname": "\xd6\xd0"}')["code"] == "abc"
    assert read_fields(b"code=abc&nickname=%D6%D0")["code"] == "abc"


def test_a_message_has_a_few_plain_names():
    assert names_for_message(["wxCode", "data.code"]) == "wxCode, data.code"
    assert names_for_message(["wxCode", "0a1b2c3d" * 4, "<script>", "x" * 25]) == "wxCode, 3 more"
    assert names_for_message(["0a1b2c3d" * 4]) == "1 more"
    assert len(names_for_message(f"name{number}" for number in range(1000))) < 80


def test_json_is_read_as_python_reads_it():
    for content in ({"code": 1}, {"code": None}, {"data": {"code": "abc"}}, {"code": "\ud800"}):
        assert read_fields(json.dumps(content).encode()) == content
