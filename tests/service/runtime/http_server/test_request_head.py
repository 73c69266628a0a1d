import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tornado.http1connection import HTTP1Connection, is_transfer_encoding_chunked
from tornado.httputil import parse_request_start_line

from service.runtime.http_server.limits import Limits
from service.runtime.http_server.request_body import ChunkedBody
from service.runtime.http_server.request_head import Refused, read_head
from tests.service.runtime.http_server.malformed import REFUSED, REFUSED_BY_LLHTTP

LIMITS = Limits()
#: What a hostile head is put together from.
PARTS = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b",", b";", b"\0", b"\x0b", b"\x7f", b"\x80", b"\xff", b"a", b"/"),
        *(b"Host: x\r\n", b"X-A: b\r\n", b"X-A: \xe4\xb8\xad\r\n", b" folded\r\n", b"Connection: close\r\n"),
        *(b"Content-Length: 3\r\n", b"Content-Length: 03\r\n", b"Content-Length: 3 \r\n", b"Content-Length: 4,4\r\n"),
        *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: Chunked \r\n", b"transfer-encoding:\tchunked\r\n"),
        *(b"Connection: upgrade\r\nUpgrade: h2c\r\n", b"Expect: 100-continue\r\n"),
    ]
)
LINES = st.sampled_from(
    [b"GET /a?b=c HTTP/1.1\r\n", b"POST / HTTP/1.0\r\n", b"OPTIONS * HTTP/1.1\r\n", b"PUT /a HTTP/1.1"]
)
HEADS = st.builds(
    lambda line, parts: (line + b"".join(parts)).partition(b"\r\n\r\n")[0] + b"\r\n\r\n",
    LINES,
    st.lists(PARTS, max_size=8),
)


def as_tornado_reads(data):
    """Return what Tornado's server would hand to the application, and how it would read the body."""
    line, headers = HTTP1Connection._parse_headers(None, data)
    length = None if is_transfer_encoding_chunked(headers) else int(headers.get("Content-Length", "0"))
    return parse_request_start_line(line), dict(headers.get_all()), length


def refusal_of(head):
    try:
        read_head(head, LIMITS)
    except Refused as refusal:
        return str(refusal)
    return ""


@given(HEADS)
@example(b"GET / HTTP/1.1\r\n\r\n")
@example(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
@example(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 00003\r\n\r\n")
def test_what_is_taken_tornado_takes_too_and_reads_alike(data):
    try:
        head = read_head(data, LIMITS)
    except Refused:
        return
    assert (head.start_line, dict(head.headers.get_all()), head.body_bytes) == as_tornado_reads(data)


@given(st.binary(max_size=300), st.data())
def test_chunks_give_the_body_back_however_they_and_what_comes_are_cut(content, data):
    sent, rest = b"", content
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        sent += b"%x\r\n%b\r\n" % (size, rest[:size])
        rest = rest[size:]
    sent += b"0\r\n\r\nGET"
    body, taken, kept = ChunkedBody(300), b"", b""
    while not body.is_complete:
        size = data.draw(st.integers(1, len(sent)))
        part, kept = body.take(kept + sent[:size])
        taken, sent = taken + part, sent[size:]
    assert (taken, kept + sent) == (content, b"GET")


def test_chunks_beyond_the_limit_are_refused():
    with pytest.raises(Refused) as refused:
        ChunkedBody(5).take(b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")
    assert refused.value.status == 413


def test_refusals_quote_nothing_of_the_request(subtests):
    for name, (sent, _) in (REFUSED | REFUSED_BY_LLHTTP).items():
        head = sent.partition(b"\r\n\r\n")[0].replace(b"seen", b"secret").replace(b"X-A", b"X-secret") + b"\r\n\r\n"
        with subtests.test(name):
            assert "secret" not in refusal_of(head)
