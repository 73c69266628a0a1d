import base64

import pytest
from tornado.web import create_signed_value

from service.authorization.sessions import COOKIE_DAYS, SESSION_DAYS, Session, SessionSigner
from storage.base.clock import ManualClock
from storage.sealing import KeyRing, generate_key

OLD, NEW = generate_key(), generate_key()
DAY = 86_400


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def signer(clock):
    return SessionSigner(KeyRing.parse(OLD), clock)


@pytest.fixture
def session(clock):
    return Session.of_user("wx0000000000000001", "o6_bmjrPTlm6_2sgVt7hMZOPfL2M", clock.now())


def test_a_session_is_read_as_it_was_signed(signer, session):
    assert signer.verify(signer.sign(session)) == session
    assert signer.verify(signer.sign(Session("b"))) == Session("b", None, None)


def test_browsers_get_different_names(signer):
    names = {Session.new().browser_id for _ in range(1000)}
    assert len(names) == 1000
    assert min(map(len, names)) >= 16


def test_each_sign_in_has_a_name_of_its_own():
    sessions = [Session.of_user("wx1", "o1", 1) for _ in range(2)]
    assert len({session.browser_id for session in sessions}) == 2
    assert {(session.appid, session.openid) for session in sessions} == {("wx1", "o1")}


def test_an_older_cookie_says_whose_it_is_and_its_name_is_not_kept(signer, session, clock):
    prefixed = SessionSigner(KeyRing.parse(OLD), clock, "__Host-")
    older = prefixed.verify_older(signer.sign(session))
    assert (older.appid, older.openid) == (session.appid, session.openid)
    assert older.browser_id != session.browser_id
    assert prefixed.verify(signer.sign(session)) is None  # it cannot be passed off as a newer one
    assert prefixed.verify_older(prefixed.sign(session)) is None
    assert prefixed.verify_older(signer.sign(Session.new())) is None
    clock.advance(COOKIE_DAYS * DAY + 1)
    assert prefixed.verify_older(signer.sign(session)) is not None
    assert prefixed.verify_older(None) is None


@pytest.mark.attack(
    "a visitor's session",
    "any client",
    "a session cookie that is altered or signed otherwise",
    "nobody's session",
)
def test_a_cookie_altered_anywhere_is_nobodys(signer, session):
    value = signer.sign(session)
    altered = [
        value[:place] + other + value[place + 1 :] for place in range(len(value)) for other in ("0", "A", "|", ":")
    ]
    altered += [value[:place] + value[place + 1 :] for place in range(len(value))]
    altered += [value[:place] + "1" + value[place:] for place in range(len(value) + 1)]
    altered += [value[:length] for length in range(len(value))]
    assert [text for text in altered if text != value and signer.verify(text) is not None] == []


def test_what_is_not_a_cookie_of_ours_is_nobodys(signer, subtests):
    for value in [
        None,
        "",
        "2",
        "2|",
        "|",
        "1|2|3",
        "2|1:0|",
        "3|1:0|1:0|1:0|1:0|x",
        "2|-1:0|",
        "ü" * 50,
        "\x00",
        "9" * 5000,
        "2|" + "9" * 5000 + ":",
    ]:
        with subtests.test(value=value):
            assert signer.verify(value) is None


@pytest.mark.attack(
    "a visitor's session",
    "any client",
    "a session cookie that is altered or signed otherwise",
    "nobody's session",
)
def test_a_cookie_of_another_key_name_or_format_is_nobodys(signer, session, clock):
    assert signer.verify(SessionSigner(KeyRing.parse(NEW), clock).sign(session)) is None
    content = '["b","wx1","o1"]'
    keys = KeyRing.parse(OLD).derived_keys("session cookie")
    [(number, key)] = keys.items()
    for name, format_version in (("another", 2), (signer.cookie_name, 1)):
        secret, key_version = (keys, number) if format_version == 2 else (key, None)
        foreign = create_signed_value(secret, name, content, format_version, clock.now, key_version)
        assert signer.verify(foreign.decode()) is None
    of_another_purpose = KeyRing.parse(OLD).derived_keys("state")
    foreign = create_signed_value(of_another_purpose, signer.cookie_name, content, 2, clock.now, number)
    assert signer.verify(foreign.decode()) is None


def test_a_session_outlives_a_rotation_while_the_older_key_is_listed(signer, session, clock):
    value = signer.sign(session)
    rotated = SessionSigner(KeyRing.parse(f"{NEW},{OLD}"), clock)
    assert rotated.verify(value) == session
    without_old = SessionSigner(KeyRing.parse(NEW), clock)
    assert without_old.verify(value) is None
    assert without_old.verify(rotated.sign(session)) == session


def test_a_session_that_is_not_used_ends_by_the_clock(signer, session, clock):
    value = signer.sign(session)
    clock.advance(COOKIE_DAYS * DAY)
    assert signer.verify(value) == session
    clock.advance(1)
    assert signer.verify(value) is None


def test_a_session_that_is_used_goes_on_for_a_while_and_not_for_ever(signer, session, clock):
    for _ in range(SESSION_DAYS):
        read = signer.verify(signer.sign(session))
        assert read == session
        assert not signer.is_to_be_renewed(read)
        clock.advance(DAY)
        assert signer.is_to_be_renewed(read)
    assert signer.verify(signer.sign(session)) == session
    clock.advance(1)
    assert signer.verify(signer.sign(session)) is None
    assert signer.verify(signer.sign(Session("b"))) == Session("b")


def test_a_cookie_that_does_not_say_when_its_user_signed_in_was_signed_then(signer, session, clock):
    keys = KeyRing.parse(OLD).derived_keys("session cookie")
    content = f'["{session.browser_id}","{session.appid}","{session.openid}"]'
    value = create_signed_value(keys, signer.cookie_name, content, clock=clock.now, key_version=next(iter(keys)))
    signed_at = clock.now()
    clock.advance(DAY)
    read = signer.verify(value.decode())
    assert (read, read.signed_in_at) == (session, signed_at)


def test_a_cookie_holds_nothing_but_the_session(signer, session):
    content = base64.b64decode(signer.sign(session).split("|")[4].partition(":")[2])
    assert content.decode() == f'["{session.browser_id}","{session.appid}","{session.openid}",{session.signed_in_at}]'


def test_a_cookies_value_can_stand_in_a_header(signer, session):
    value = signer.sign(session)
    assert value.isascii()
    assert not set(value) & set(' ";,\\\r\n')


def test_what_names_a_browser_is_in_no_repr():
    assert "browser-1" not in repr(Session("browser-1", "wx1", "o1"))
