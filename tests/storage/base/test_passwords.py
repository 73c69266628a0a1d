import pytest
from argon2 import PasswordHasher

from storage.base.errors import InvalidRecord
from storage.base.passwords import PasswordHashes, generate_password

PASSWORD = "correct horse battery staple"


@pytest.fixture
def hashes():
    return PasswordHashes(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def test_a_password_is_known_again(hashes):
    password_hash = hashes.hash(PASSWORD)
    assert hashes.verify(password_hash, PASSWORD) is True
    assert hashes.verify(password_hash, PASSWORD + " ") is False
    assert hashes.verify(password_hash, "") is False


def test_a_hash_is_argon2id_and_salted():
    first, second = (PasswordHashes().hash(PASSWORD) for _ in range(2))
    assert first.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert first != second


@pytest.mark.parametrize("password", ["", "eleven char", "x" * 257])
def test_a_password_has_a_length_that_is_worth_hashing(hashes, password):
    with pytest.raises(InvalidRecord, match="12 to 256"):
        hashes.hash(password)


def test_a_password_too_long_is_wrong_even_if_it_begins_rightly(hashes):
    password_hash = hashes.hash("x" * 256)
    assert hashes.verify(password_hash, "x" * 256) is True
    assert hashes.verify(password_hash, "x" * 257) is False


def test_nobody_has_a_password_and_it_is_hashed_all_the_same(monkeypatch):
    verified = []

    class Noting(PasswordHasher):
        def verify(self, password_hash, password):
            verified.append(password_hash)
            return super().verify(password_hash, password)

    hashes = PasswordHashes(Noting(time_cost=1, memory_cost=8, parallelism=1))
    assert hashes.verify(None, PASSWORD) is False
    [nobodys_hash] = verified
    assert nobodys_hash.split("$")[:4] == hashes.hash(PASSWORD).split("$")[:4], "the same parameters, the same cost"


@pytest.mark.parametrize("damaged", ["", "x", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv"])
def test_a_hash_that_cannot_be_read_fits_no_password(hashes, damaged):
    assert hashes.verify(damaged, PASSWORD) is False


def test_any_text_can_be_checked(hashes):
    password_hash = hashes.hash("密码" * 6 + "\ud800")
    assert hashes.verify(password_hash, "密码" * 6 + "\ud800") is True
    assert hashes.verify(password_hash, "密码" * 6 + "\ud801") is False


def test_generated_passwords_are_long_and_differ():
    passwords = {generate_password() for _ in range(100)}
    assert len(passwords) == 100
    assert all(len(password) >= 20 for password in passwords)
