import base64
import os
import stat
import subprocess
import sys
from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from hypothesis import example, given
from hypothesis import strategies as st

from storage.base.errors import CannotOpen, InvalidKey, UnknownKey
from storage.credentials.records import Credential, CredentialKind
from storage.grants import SealedTokens
from storage.sealing import KeyRing, Tokens, create_key_file, generate_key, read_key_file
from storage.users import Authorization, Status

APPID = "wx0000000000000001"
OPENID = "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"
OLD, NEW = ("b2xk" * 11)[:42] + "A=", ("bmV3" * 11)[:42] + "A="  # fixed: they name tests
RING = KeyRing.parse(NEW)
TOKENS = Tokens("access-token-of-the-user", "refresh-token-of-the-user")
KEY_BYTES = bytes(range(32))


def stored(tokens: SealedTokens, appid: str = APPID, openid: str = OPENID) -> Authorization:
    return Authorization(
        id=1,
        appid=appid,
        openid=openid,
        scope="snsapi_base",
        status=Status.ACTIVE,
        version=1,
        expires_at=2,
        refresh_expires_at=3,
        first_authorized_at=1,
        authorized_at=1,
        last_used_at=1,
        tokens=tokens,
    )


def nonce_of(sealed: bytes) -> bytes:
    return sealed[5:17]


@given(access=st.text(), refresh=st.text(), appid=st.text(), openid=st.text())
@example(access="😀" * 1024, refresh="a" * 4096, appid=APPID, openid=OPENID)
@example(access="", refresh="", appid="", openid="")
def test_whatever_is_sealed_opens_again(access, refresh, appid, openid):
    tokens = Tokens(access, refresh)
    assert RING.open(stored(RING.seal(appid, openid, tokens), appid, openid)) == tokens


@pytest.mark.attack(
    "tokens at rest",
    "who stole the database",
    "reading tokens",
    "sealed, of no use without the keys",
)
def test_sealed_values_do_not_show_the_tokens():
    sealed = RING.seal(APPID, OPENID, TOKENS)
    assert TOKENS.access_token.encode() not in sealed.access_token
    assert TOKENS.refresh_token.encode() not in sealed.refresh_token


@pytest.mark.parametrize("column", ["access_token", "refresh_token"])
@pytest.mark.attack(
    "tokens at rest",
    "who can write to the database",
    "sealed values altered, moved or swapped",
    "they do not open",
)
def test_a_value_with_any_byte_altered_does_not_open(column):
    sealed = RING.seal(APPID, OPENID, TOKENS)
    value = getattr(sealed, column)
    for place in range(len(value)):
        altered = bytearray(value)
        altered[place] ^= 1
        with pytest.raises((CannotOpen, UnknownKey)):
            RING.open(stored(replace(sealed, **{column: bytes(altered)})))


def test_a_value_cut_short_anywhere_does_not_open():
    sealed = RING.seal(APPID, OPENID, TOKENS)
    for length in range(len(sealed.access_token)):
        with pytest.raises(CannotOpen):
            RING.open(stored(replace(sealed, access_token=sealed.access_token[:length])))


@pytest.mark.attack(
    "tokens at rest",
    "who can write to the database",
    "sealed values altered, moved or swapped",
    "they do not open",
)
def test_values_moved_to_another_user_or_account_do_not_open():
    sealed = RING.seal(APPID, OPENID, TOKENS)
    with pytest.raises(CannotOpen, match="another row or column"):
        RING.open(stored(sealed, openid="o-somebody-else"))
    with pytest.raises(CannotOpen, match="another row or column"):
        RING.open(stored(sealed, appid="wx0000000000000002"))


@pytest.mark.attack(
    "tokens at rest",
    "who can write to the database",
    "sealed values altered, moved or swapped",
    "they do not open",
)
def test_values_swapped_between_the_columns_do_not_open():
    sealed = RING.seal(APPID, OPENID, TOKENS)
    with pytest.raises(CannotOpen, match="another row or column"):
        RING.open(stored(SealedTokens(sealed.refresh_token, sealed.access_token)))


def test_a_missing_key_is_named_by_its_id_and_never_shown():
    old = KeyRing.parse(OLD)
    with pytest.raises(UnknownKey) as caught:
        RING.open(stored(old.seal(APPID, OPENID, TOKENS)))
    text = str(caught.value)
    assert old.key_ids[0] in text
    assert RING.key_ids[0] in text
    for key in (OLD, NEW):
        assert key.rstrip("=\n") not in text
        assert base64.urlsafe_b64decode(key).hex() not in text


def test_after_a_rotation_the_old_key_opens_and_the_new_one_seals():
    before, rotated, after = KeyRing.parse(OLD), KeyRing.parse(f"{NEW},{OLD}"), KeyRing.parse(NEW)
    assert rotated.open(stored(before.seal(APPID, OPENID, TOKENS))) == TOKENS
    assert after.open(stored(rotated.seal(APPID, OPENID, TOKENS))) == TOKENS
    assert rotated.key_ids == (*after.key_ids, *before.key_ids)


def key_material(ring_key: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"wechat-openid " + info).derive(ring_key)


def test_each_row_is_encrypted_under_a_key_of_its_own():
    """Opened here by what the module's docstring says, and by nothing of the module."""
    of_all_rows = key_material(base64.urlsafe_b64decode(NEW), b"seal rows")
    keys = set()
    for openid in (OPENID, "o-somebody-else"):
        sealed = RING.seal(APPID, openid, TOKENS)
        key = HKDFExpand(hashes.SHA256(), 32, info=f"{APPID}|{openid}".encode()).derive(of_all_rows)
        keys.add(key)
        for column in ("access_token", "refresh_token"):
            value, bound_to = getattr(sealed, column), f"{APPID}|{openid}|{column}".encode()
            assert value[:1] == b"\x02"
            assert AESGCM(key).decrypt(nonce_of(value), value[17:], bound_to).decode() == getattr(TOKENS, column)
            with pytest.raises(InvalidTag):
                AESGCM(of_all_rows).decrypt(nonce_of(value), value[17:], bound_to)
    assert len(keys) == 2


def sealed_by_version_1(key: bytes, openid: str = OPENID) -> SealedTokens:
    """Seal as all versions before did: one key for all rows."""
    values = {}
    for column in ("access_token", "refresh_token"):
        nonce = os.urandom(12)
        text, bound_to = getattr(TOKENS, column).encode(), f"{APPID}|{openid}|{column}".encode()
        encrypted = AESGCM(key_material(key, b"seal")).encrypt(nonce, text, bound_to)
        values[column] = b"\x01" + key_material(key, b"key id")[:4] + nonce + encrypted
    return SealedTokens(**values)


def test_values_sealed_by_older_versions_open_and_are_bound_to_their_row_as_before():
    old = base64.urlsafe_b64decode(OLD)
    rotated = KeyRing.parse(f"{NEW},{OLD}")
    assert rotated.open(stored(sealed_by_version_1(old))) == TOKENS
    assert rotated.sealed_with(sealed_by_version_1(old)) == {KeyRing.parse(OLD).key_ids[0]}
    with pytest.raises(CannotOpen, match="another row or column"):
        rotated.open(stored(sealed_by_version_1(old), openid="o-somebody-else"))


def test_a_value_relabelled_as_of_another_version_does_not_open():
    sealed = RING.seal(APPID, OPENID, TOKENS)
    with pytest.raises(CannotOpen, match="altered"):
        RING.open(stored(replace(sealed, access_token=b"\x01" + sealed.access_token[1:])))


def test_nonces_never_repeat():
    nonces = set()
    for _ in range(10_000):
        sealed = RING.seal(APPID, OPENID, TOKENS)
        nonces |= {nonce_of(sealed.access_token), nonce_of(sealed.refresh_token)}
    assert len(nonces) == 20_000


@pytest.mark.parametrize(
    "text",
    [
        base64.urlsafe_b64encode(KEY_BYTES).decode(),
        base64.urlsafe_b64encode(KEY_BYTES).decode().rstrip("="),
        f"\n {base64.b64encode(KEY_BYTES).decode()}\n",
        f"{base64.b64encode(KEY_BYTES).decode()}, {OLD}\n{NEW}",
    ],
)
def test_keys_are_read_in_either_alphabet_with_or_without_padding(text):
    assert KeyRing.parse(text).key_ids[0] == KeyRing([KEY_BYTES]).key_ids[0]


def test_keys_of_both_alphabets_are_the_same_key():
    material = b"\xfb\xff" * 16
    standard, url_safe = base64.b64encode(material).decode(), base64.urlsafe_b64encode(material).decode()
    assert standard != url_safe
    assert KeyRing.parse(standard).key_ids == KeyRing.parse(url_safe).key_ids


def test_a_bad_key_is_refused_without_being_quoted(subtests):
    for bad in ["not base64!", "schlüssel", "A", "c2hvcnQtc2VjcmV0", OLD + OLD, OLD[:-6], "ключ"]:
        with subtests.test(bad=bad):
            with pytest.raises(InvalidKey) as caught:
                KeyRing.parse(f"{NEW},{bad}")
            assert "wechat-openid keys generate" in str(caught.value)
            assert NEW.rstrip("=") not in str(caught.value)
            if len(bad) > 1:
                assert bad not in str(caught.value)
            assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("text", ["", " \n", ",", " , "])
def test_a_ring_without_keys_is_refused(text):
    with pytest.raises(InvalidKey, match="SECRET_KEYS is empty"):
        KeyRing.parse(text)


def test_the_error_of_a_bad_key_says_which_one_it_is():
    with pytest.raises(InvalidKey, match="key number 2"):
        KeyRing.parse(f"{NEW} ??? {OLD}")


def test_keys_of_different_purposes_differ_and_stay_the_same_for_one_purpose():
    ring = KeyRing.parse(f"{NEW},{OLD}")
    cookies, states = ring.derived_keys("session cookie"), ring.derived_keys("state")
    assert len({*cookies.values(), *states.values(), *map(base64.urlsafe_b64decode, (NEW, OLD))}) == 6
    assert list(cookies) == list(states)
    assert KeyRing.parse(OLD).derived_keys("state").items() <= states.items()


def test_the_newest_derived_key_comes_first():
    [newest] = KeyRing.parse(NEW).derived_keys("state")
    assert next(iter(KeyRing.parse(f"{NEW},{OLD}").derived_keys("state"))) == newest


def test_a_repr_never_shows_a_token():
    sealed = RING.seal(APPID, OPENID, TOKENS)
    shown = f"{TOKENS!r} {TOKENS} {sealed!r} {stored(sealed)!r} {RING!r}"
    assert "token-of-the-user" not in shown
    assert repr(sealed.access_token)[2:-1] not in shown


def test_a_new_key_file_can_be_read_by_its_owner_only_and_is_kept(tmp_path):
    path = tmp_path / "var" / "secret-keys"
    old_mask = os.umask(0)
    try:
        assert create_key_file(path)
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert not create_key_file(path)
    assert read_key_file(path) == text == path.read_text()
    assert KeyRing.parse(text).key_ids
    assert list(path.parent.iterdir()) == [path]


def test_processes_that_start_at_once_read_the_same_new_key(tmp_path):
    path = tmp_path / "secret-keys"
    program = (
        "import sys, pathlib, storage.sealing as s; sys.stdin.read(); "
        f"path = pathlib.Path({str(path)!r}); print(s.create_key_file(path), s.read_key_file(path))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    for process in processes:
        process.stdin.close()
    said = [process.stdout.read().split() for process in processes]
    assert [process.wait() for process in processes] == [0] * 8
    for process in processes:
        process.stdout.close()
    assert {key for _, key in said} == {path.read_text().strip()}
    assert sorted(made for made, _ in said) == ["False"] * 7 + ["True"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_draft_left_by_a_crash_does_not_stop_the_next_start(tmp_path):
    path = tmp_path / "secret-keys"
    path.with_name(f"{path.name}.{os.getpid()}").write_text("half a k")
    assert create_key_file(path)
    assert KeyRing.parse(read_key_file(path)).key_ids


def test_a_key_file_that_holds_something_else_is_refused_as_not_a_key(tmp_path):
    path = tmp_path / "secret-keys"
    path.write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(InvalidKey, match="not base64"):
        KeyRing.parse(read_key_file(path))


def test_keys_that_seal_a_row_are_told_without_opening_it():
    first, second = KeyRing.parse(generate_key()), KeyRing.parse(generate_key())
    tokens = Tokens("access", "refresh")
    sealed, other = first.seal("wx", "o", tokens), second.seal("wx", "o", tokens)
    assert second.sealed_with(sealed) == {first.key_ids[0]}
    mixed = SealedTokens(sealed.access_token, other.refresh_token)
    assert first.sealed_with(mixed) == {first.key_ids[0], second.key_ids[0]}
    with pytest.raises(CannotOpen):
        first.sealed_with(SealedTokens(b"", b""))


def test_a_credential_opens_only_as_what_it_was_sealed_for():
    ring = KeyRing.parse(generate_key())
    value = "t" * 4096
    sealed = ring.seal_credential("wx1", CredentialKind.ACCESS_TOKEN, value)
    assert value.encode() not in sealed
    good = Credential("wx1", CredentialKind.ACCESS_TOKEN, sealed)
    assert ring.open_credential(good) == value
    moved = [replace(good, appid="wx2"), replace(good, kind=CredentialKind.JSAPI_TICKET), replace(good, sealed=b"")]
    for other in moved:
        with pytest.raises(CannotOpen):
            ring.open_credential(other)
    with pytest.raises(CannotOpen):
        ring.open_tokens("wx1", "access_token", SealedTokens(sealed, sealed))
