import logging

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
