import pytest
from click.testing import CliRunner

from service.commands.cli import main
from storage.base.passwords import PasswordHashes
from storage.sealing import KeyRing, generate_key
from storage.sql.accounts.attempts import SignInAttempts
from storage.sql.accounts.audit import AuditLog, AuditQuery
from storage.sql.accounts.factors.operator_factors import OperatorFactors
from storage.sql.accounts.operators import Operators, Role
from storage.sql.accounts.sessions import OperatorSessions
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade

PASSWORD = "correct horse battery staple"


@pytest.fixture
def database(tmp_path):
    database = Database.open(f"sqlite:///{tmp_path}/operators.db")
    upgrade(database.engine)
    yield database
    database.close()


@pytest.fixture
def operators(database):
    return Operators(database)


@pytest.fixture
def run(tmp_path, database):
    def run_one(*arguments, **options):
        environment = {"WECHAT_OPENID_DATABASE_URL": f"sqlite:///{tmp_path}/operators.db"}
        return CliRunner(env=environment).invoke(main, ["operators", *arguments], **options)

    return run_one


def can_sign_in(operators, name, password):
    return PasswordHashes().verify(operators.find(name)[1], password)


def test_the_first_owner_is_added_with_a_password_that_is_asked_for(run, operators):
    result = run("add", "ada", input=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    assert operators.find("ada")[0].role is Role.OWNER
    assert can_sign_in(operators, "ada", PASSWORD)


def test_a_generated_password_is_the_only_thing_on_standard_output(run, operators):
    result = run("add", "ada", "--generate", "--role", "viewer")
    assert result.exit_code == 0, result.output
    assert can_sign_in(operators, "ada", result.stdout.strip())
    assert operators.find("ada")[0].role is Role.VIEWER


def test_a_password_comes_from_standard_input(run, operators):
    assert run("add", "ada", "--password-stdin", input=f"{PASSWORD}\n").exit_code == 0
    assert can_sign_in(operators, "ada", PASSWORD)


def test_a_short_password_is_refused(run, operators):
    result = run("add", "ada", "--password-stdin", input="short\n")
    assert (result.exit_code, "12 to 256 characters" in result.output) == (1, True)
    assert operators.list() == []


def test_a_password_that_is_easy_to_guess_is_refused(run, operators):
    run("add", "ada", "--password-stdin", input=f"{PASSWORD}\n")
    for arguments in (("add", "eve"), ("passwd", "ada")):
        result = run(*arguments, "--password-stdin", input="password1234\n")
        assert (result.exit_code, "too easy to guess" in result.output) == (1, True)
    assert [operator.name for operator in operators.list()] == ["ada"]
    assert can_sign_in(operators, "ada", PASSWORD)


def test_the_command_line_lets_everybody_try_again(run, operators, database):
    attempts = SignInAttempts(database)
    attempts.note(["address:192.0.2.1"], 900)
    assert run("unlock").exit_code == 0
    assert attempts.note(["address:192.0.2.1"], 900) == {"address:192.0.2.1": 1}
    [entry] = AuditLog(database).page(AuditQuery()).entries
    assert (entry.operator, entry.action) == ("(command line)", "sign_in_unlock")


def test_a_password_has_one_source(run):
    assert run("add", "ada", "--password-stdin", "--generate", input=PASSWORD).exit_code == 2


def test_a_new_password_ends_the_sessions(run, operators, database):
    run("add", "ada", "--generate")
    sessions = OperatorSessions(database)
    token = sessions.begin(operators.find("ada")[0].id, 1_800_000_000, "192.0.2.1", "a browser")
    result = run("passwd", "ada", "--generate")
    assert can_sign_in(operators, "ada", result.stdout.strip())
    assert sessions.find(token, 1_800_000_000) is None


def test_operators_are_listed_without_their_passwords(run, operators):
    run("add", "ada", "--generate")
    run("add", "bob", "--generate", "--role", "operator")
    run("disable", "bob")
    first, second = run("list").output.splitlines()
    assert first.split()[:2] == ["ada", "owner"]
    assert second.split()[:2] == ["bob", "operator"]
    assert second.endswith("disabled")
    assert "argon2" not in first + second


def test_the_last_owner_cannot_be_disabled(run, operators):
    run("add", "ada", "--generate")
    result = run("disable", "ada")
    assert (result.exit_code, "last owner" in result.output) == (1, True)
    assert operators.find("ada")[0].disabled_at is None


@pytest.mark.parametrize("command", ["passwd", "disable"])
def test_an_operator_who_does_not_exist_is_named(run, command):
    result = run(command, "eve")
    assert (result.exit_code, "'eve'" in result.output) == (1, True)


def test_what_the_command_does_is_in_the_audit_log(run, database):
    for arguments in (("add", "ada", "--generate"), ("passwd", "ada", "--generate"), ("add", "bob", "--generate")):
        run(*arguments)
    run("disable", "bob")
    entries = AuditLog(database).page(AuditQuery()).entries
    assert [(entry.operator, entry.action, entry.subject) for entry in entries] == [
        ("(command line)", "operator_disable", "bob"),
        ("(command line)", "operator_add", "bob"),
        ("(command line)", "operator_password", "ada"),
        ("(command line)", "operator_add", "ada"),
    ]


def test_who_has_lost_all_second_factors_is_let_in_by_the_password_again(run, operators, database):
    run("add", "ada", "--password-stdin", input=f"{PASSWORD}\n")
    ada = operators.find("ada")[0].id
    factors = OperatorFactors(database, KeyRing.parse(generate_key()))
    factors.totp.propose(ada, "JBSWY3DPEHPK3PXP")
    factors.totp.set_up(ada, 1, 1)
    sessions = OperatorSessions(database)
    token = sessions.begin(ada, 1, "192.0.2.1", "a browser")
    assert run("remove-factors", "eve").exit_code != 0
    assert factors.of(ada)
    assert run("remove-factors", "ada").exit_code == 0
    assert not factors.of(ada)
    assert sessions.find(token, 2) is None
    [entry, *_] = AuditLog(database).page(AuditQuery()).entries
    assert (entry.operator, entry.action, entry.subject) == ("(command line)", "operator_factors", "ada")
