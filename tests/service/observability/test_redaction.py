import json
import logging
import time

import pytest

from service.observability.redaction import RedactingFilter, install_redaction, redact


def test_values_of_credentials_are_replaced_and_nothing_else(subtests):
    for text, redacted in [
        (
            "GET /sns/oauth2/access_token?appid=wx1&secret=s3cr3t&code=c0de&grant_type=authorization_code HTTP/1.1",
            "GET /sns/oauth2/access_token?appid=wx1&secret=***&code=***&grant_type=authorization_code HTTP/1.1",
        ),
        ("url='/sns/userinfo?access_token=a.b-c_d&openid=o1'", "url='/sns/userinfo?access_token=***&openid=o1'"),
        ("[:path: /x?refresh_token=abc]", "[:path: /x?refresh_token=***]"),
        ('{"access_token": "abc", "expires_in": 7200}', '{"access_token": "***", "expires_in": 7200}'),
        ("{'refresh_token': 'abc', 'appsecret':'def'}", "{'refresh_token': '***', 'appsecret':'***'}"),
        (
            "302 GET /callback?code=abc&state=S1 (127.0.0.1) 1.00ms",
            "302 GET /callback?code=***&state=S1 (127.0.0.1) 1.00ms",
        ),
        (
            "redirect_uri=https%3A%2F%2Fh5%2F%3Fcode%3Dabc%26state%3DS1",
            "redirect_uri=https%3A%2F%2Fh5%2F%3Fcode%3D***",
        ),
        (
            "HTTP_CODE=1 status_code=200 errcode=40029 promo-codes=3",
            "HTTP_CODE=1 status_code=200 errcode=40029 promo-codes=3",
        ),
        ("SECRET=abc", "SECRET=***"),
    ]:
        with subtests.test(text=text, redacted=redacted):
            assert redact(text) == redacted


@pytest.mark.attack(
    "keys, tokens and users",
    "whoever reads the logs",
    "credentials in whatever form a library logs them",
    "replaced before they are written",
)
def test_credentials_are_replaced_in_every_form_they_are_written(subtests):
    secret = "hunter2-Tr0ub4dor"
    inner = json.dumps({"access_token": secret, "expires_in": 7200})
    for text in [
        f"Tokens(access_token='{secret}', refresh_token=\"{secret}\")",
        f"Account(appid='wx1', secret='{secret}')",
        f"Tokens(access_token=b'{secret}')",
        f"it was 'a\\'b{secret}'".replace("it was ", "secret="),
        f"Authorization: Bearer {secret}",
        f"{{'Authorization': 'Bearer {secret}'}}",
        f"('authorization', 'Basic {secret}')",
        f"Cookie: wechat_openid=2|1:0|{secret}; b={secret}",
        f'Set-Cookie: a="{secret} x"; HttpOnly',
        f"{{'Cookie': 'a={secret}; b={secret}', 'Host': 'h'}}",
        f"('Set-Cookie', 'a=\"{secret}\"; Path=/')",
        f"ValueError: Invalid cookie 'wechat_openid_x': '2|1:0|{secret} x'",
        f"client_secret={secret}&x=1",
        f"id_token={secret}",
        f'{{"client_secret": "{secret}"}}',
        f"WECHAT_OPENID_SECRET_KEYS={secret}",
        f'secret = "{secret}"',
        f"postgresql+psycopg://user:{secret}@db/name",
        f"postgresql://user:a@b/{secret}@db/name",
        f"could not connect to mysql://root:{secret}#{secret}@db:3306/x",
        f"async+redis://:{secret}@redis:6379",
        f"https://user:{secret}@proxy.example.com/path",
        f"key wok_{secret} is unknown",
        f"body: {json.dumps({'body': inner})}",
        f"body: {json.dumps({'body': json.dumps({'body': inner})})}",
        json.dumps({"access_token": f'a"{secret}'}),
        repr({"body": inner}),
        repr(inner.encode()),
        f"{{'access_token': \"{secret}'s\"}}",
    ]:
        with subtests.test(text=text):
            redacted = redact(text)
            assert secret not in redacted
            assert "***" in redacted


def test_what_is_no_credential_stays(subtests):
    for text in [
        "send Authorization: Bearer KEY; make a key by: wechat-openid apikeys add",
        "GET /admin/users?q=a&status=active HTTP/1.1",
        "http://127.0.0.1:8889/admin/users/wx1/o1@example",
        "https://h5.example.com:8443/page?mail=a@example.com",
        "the cookie is not Secure: PUBLIC_URL is http://",
        '{"errcode": 40029, "errmsg": "invalid code", "rid": "x"}',
        "tokens: 5 refreshed, token of a user is due",
        "sqlite:////var/lib/wechat-openid.db",
        "postgresql at db:5432 does not answer",
    ]:
        with subtests.test(text=text):
            assert redact(text) == text


def test_hostile_text_is_read_in_one_go(subtests):
    for unit in ("secret_", "a_", '\\\\"secret', "x://a:", "Cookie: ", "'secret': '\\", "redis://:@", "Bearer ", "=*'"):
        began = time.process_time()
        redact(unit * (200_000 // len(unit)))
        slow = time.process_time() - began
        began = time.process_time()
        redact(unit * (400_000 // len(unit)))
        with subtests.test(unit=unit):
            assert time.process_time() - began < 4 * slow + 0.2, "twice the text takes about twice the time"


@pytest.fixture
def logger(caplog):
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger("tests.redaction")
    redacting = RedactingFilter()
    logger.addFilter(redacting)
    yield logger
    logger.removeFilter(redacting)


def test_arguments_are_redacted_with_the_message(logger, caplog):
    logger.info("%s %s", "GET", "/x?secret=abc")

    assert caplog.text.endswith("GET /x?secret=***\n")
    assert "abc" not in repr(vars(caplog.records[0]))


def test_record_without_a_credential_stays_as_it_is(logger, caplog):
    logger.info("%s of %d", "one", 2)

    assert (caplog.records[0].msg, caplog.records[0].args) == ("%s of %d", ("one", 2))


def fail(text):
    raise ValueError(text)


def fail_because_of(text):
    try:
        fail(text)
    except ValueError as cause:
        raise RuntimeError("failed") from cause


def test_tracebacks_are_redacted_through_the_whole_chain(logger, caplog):
    try:
        fail_because_of("bad url /x?access_token=abcdef")
    except RuntimeError:
        logger.exception("no luck")

    assert "bad url /x?access_token=***" in caplog.text
    assert "abcdef" not in repr(vars(caplog.records[0]))


def test_traceback_without_a_credential_stays_an_exception(logger, caplog):
    try:
        fail("plain")
    except ValueError:
        logger.exception("no luck")

    assert caplog.records[0].exc_info[0] is ValueError


def test_record_that_cannot_be_formatted_is_logged_all_the_same(logger, caplog):
    logger.info("%d", "/x?code=abc")

    assert "/x?code=***" in caplog.text
    assert "abc" not in caplog.text


def test_stacks_are_redacted(logger, caplog):
    logger.info("here", stack_info=True, extra={})
    record = caplog.records[0]
    record.stack_info = "Stack:\n  get('/x?code=abc')"
    RedactingFilter().filter(record)

    assert record.stack_info == "Stack:\n  get('/x?code=***')"


def test_installing_twice_installs_once():
    install_redaction()
    install_redaction()

    for name in ("urllib3.connectionpool", "tornado.curl_httpclient", "tornado.access", "asyncio"):
        filters = logging.getLogger(name).filters
        assert sum(isinstance(installed, RedactingFilter) for installed in filters) == 1
