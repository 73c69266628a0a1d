import subprocess
import sys

import pytest

from storage.base.errors import InvalidRecord
from storage.base.password_rules import PasswordFault, PasswordRules
from storage.base.passwords import generate_password

pytestmark = pytest.mark.attack(
    "operators' accounts",
    "whoever reaches the sign-in page",
    "common passwords, patterns, the operator's own name",
    "no operator can have such a password",
)
COMMON = [
    "password1234",
    "P@ssw0rd1234",
    "aaaaaaaaaaaa",
    "123456789012",
    "qwertyuiop12",
    "q1w2e3r4t5y6",
    "iloveyou1234",
    "passwordpassword",
    "woaini1314520",
    "wechat123456",
    "abcabcabcabcabc",
    "password" * 32,
]
OF_THE_NAME = ["ada-lovelace12", "2027Ada-Lovelace!", "ada-lovelaceada-lovelace", "ecalevol-ada99", "Ada-Lovelace#abc"]
GOOD = [
    "correct horse battery staple",
    "xKq9v2LmPz7w",
    "纸短情长山高水远月明星稀",
    "tr0ub4dor&3xyz",
    "ada-lovelace likes violets",
]


@pytest.fixture
def rules():
    return PasswordRules()


def test_common_passwords_and_their_variations_are_refused(rules, subtests):
    for password in COMMON:
        with subtests.test(password=password):
            assert rules.fault_of(password, "ada-lovelace") is PasswordFault.COMMON


def test_a_password_made_of_the_name_is_refused(rules, subtests):
    for password in OF_THE_NAME:
        with subtests.test(password=password):
            assert rules.fault_of(password, "ada-lovelace") is PasswordFault.NAME


def test_a_name_is_never_a_pattern(rules):
    assert rules.fault_of("correct horse battery staple", "." * 12) is None
    assert rules.fault_of("correct horse battery staple", "") is None


def test_good_passwords_are_taken(rules, subtests):
    for password in [*GOOD, *(generate_password() for _ in range(20))]:
        with subtests.test(password=password):
            assert rules.fault_of(password, "ada-lovelace") is None


def test_length_is_bounded_before_anything_else(rules):
    assert {rules.fault_of("x" * length, "ada") for length in (0, 11, 257, 10**6)} == {PasswordFault.LENGTH}


def test_any_text_is_judged(rules):
    for password in ("\0" * 12, "\ud800" * 12, "😀" * 12, "@4a8({[<c6gq9!i|1l0$5+7%2" * 3):
        rules.fault_of(password, "\ud800")


def test_a_refusal_says_why_and_not_what(rules):
    with pytest.raises(InvalidRecord, match="too easy to guess") as refused:
        rules.require_good("password1234", "ada")
    assert "password1234" not in str(refused.value)


def test_a_server_does_not_load_the_lists_before_it_needs_them():
    loaded = "import service.runtime.server, service.commands.serve, sys; print('zxcvbn' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", loaded], text=True).strip() == "False"
