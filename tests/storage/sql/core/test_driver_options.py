"""Options of DATABASE_URL, as they are written for drivers of several languages."""

import pytest
from sqlalchemy import text

from storage.base.errors import StoreUnavailable
from storage.sql.core.engine import Database, make_engine

SECRET = "p4ssw0rd"


def connects(url):
    database = Database.open(url)
    try:
        return database.read(lambda connection: connection.scalar(text("SELECT 1"))) == 1
    finally:
        database.close()


def with_options(url, options):
    return f"{url}{'&' if '?' in url else '?'}{options}"


@pytest.mark.parametrize(
    "options",
    [
        "charset=utf8",
        "charset=utf8mb4&collation=utf8mb4_unicode_ci",
        "parseTime=true&loc=Local&timeout=5s&readTimeout=30s",
        "serverTimezone=Asia/Shanghai&useUnicode=true&characterEncoding=UTF-8&useSSL=false",
        "allowPublicKeyRetrieval=true&connectTimeout=5000&socketTimeout=60000",
        "ssl-mode=PREFERRED",
        "ssl-mode=DISABLED",
        "sslmode=disable",
        "ssl=false",
        "tls=preferred",
        "ssl_disabled=true",
        "connect_timeout=3&read_timeout=7.5",
        "local_infile=false&max_allowed_packet=1048576&program_name=wechat",
    ],
)
def test_options_of_mysql_are_understood(mysql_url, options):
    assert connects(with_options(mysql_url, options))


@pytest.mark.parametrize(
    "options",
    [
        "ssl-mode=REQUIRED",
        "sslmode=require",
        "ssl=true",
        "useSSL=true",
        "tls=skip-verify",
        "tls=true",
        "sslaccept=strict",
        'ssl={"rejectUnauthorized":true}',
        "ssl_verify_cert=true",
        "ssl_verify_identity=true",
        "ssl_disabled=false&ssl-mode=VERIFY_IDENTITY",
    ],
)
def test_a_server_without_tls_is_not_spoken_to_where_tls_is_wanted(mysql_url, options):
    """The server of these tests has none; a server that has is tried below."""
    if pymysql_has_tls(mysql_url):
        pytest.skip("this server speaks TLS")
    with pytest.raises(StoreUnavailable):
        connects(with_options(mysql_url, options))


def pymysql_has_tls(url):
    database = Database.open(url)
    try:
        return database.read(lambda connection: connection.scalar(text("SELECT @@have_ssl"))) == "YES"
    finally:
        database.close()


@pytest.mark.parametrize(
    "options",
    [
        "sslmode=prefer",
        "ssl=false",
        "ssl-mode=PREFERRED",
        "charset=utf8",
        "pgbouncer=true&connection_limit=1",
        "prepare_threshold=0",
        "prepare_threshold=None",
        "connect_timeout=3&application_name=wechat&keepalives_idle=30",
        "target_session_attrs=read-write",
        "options=-c%20statement_timeout%3D9000",
    ],
)
def test_options_of_postgresql_are_understood(postgresql_url, options):
    assert connects(with_options(postgresql_url, options))


def test_an_option_that_wants_tls_is_not_passed_over(postgresql_url):
    database = Database.open(with_options(postgresql_url, "ssl=true"))
    try:
        asked = text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert database.read(lambda connection: connection.scalar(asked)) is True
    except StoreUnavailable:
        pass  # a server without TLS is refused
    finally:
        database.close()


def test_an_option_that_cannot_be_heeded_is_refused_in_a_sentence(subtests):
    for url, reason in [
        (f"mysql://u:{SECRET}@h/n?charset=latin1", "option charset .* must be utf8mb4"),
        (f"mysql://u:{SECRET}@h/n?connect_timeout={SECRET}", "connect_timeout .* must be a number of seconds"),
        (f"mysql://u:{SECRET}@h/n?connect_timeout=0", "connect_timeout .* must be a number of seconds"),
        (f"mysql://u:{SECRET}@h/n?ssl_disabled={SECRET}", "ssl_disabled .* must be true or false"),
        (f"mysql://u:{SECRET}@h/n?ssl-mode={SECRET}", "ssl-mode .* must be one of disable"),
        (f"mysql://u:{SECRET}@h/n?ssl_ca=/no/{SECRET}", "ssl_ca .* must be the path of a file"),
        (f"mysql://u:{SECRET}@h/n?ssl_ca=/etc/hostname", "certificates, key or ciphers .* cannot be used"),
        (f"mysql://u:{SECRET}@h/n?ssl=true&ssl-mode=DISABLED", "switches TLS off and on at once"),
        (f"mysql://u:{SECRET}@h/n?ssl-mode=disabled&ssl_ca=/etc/hostname", "both switches TLS off"),
        (f"mysql://u:{SECRET}@h/n?parseTime=true&{SECRET}=1", "Option 2 of DATABASE_URL is not one"),
        (f"mysql://u:{SECRET}@h/n?init_command={SECRET}", "Option 1 of DATABASE_URL is not one"),
        (f"mysql://u:{SECRET}@h/n?charset=utf8&charset=utf8", "charset .* must be a value given once"),
        (f"postgresql://u:{SECRET}@h/n?parseTime=true&autocommit=true", "Option 2 of DATABASE_URL is not one"),
        (f"postgresql://u:{SECRET}@h/n?prepare_threshold={SECRET}", "prepare_threshold .* must be none"),
        (f"postgresql://u:{SECRET}@h/n?connect_timeout=5s", "connect_timeout .* must be a whole number"),
        (f"postgresql://u:{SECRET}@h/n?target_session_attrs={SECRET}", "must be one of any, read-write"),
        (f"postgresql://u:{SECRET}@h/n?charset=gbk", "charset .* must be utf8mb4"),
        (f"sqlite:///{SECRET}.db?timeout={SECRET}", "timeout .* must be a number of seconds"),
        (f"sqlite:///{SECRET}.db?{SECRET}=1", "Option 1 of DATABASE_URL is not one"),
    ]:
        with subtests.test(url=url, reason=reason):
            with pytest.raises(ValueError, match=reason) as refusal:
                make_engine(url)
            error = refusal.value
            while error is not None:
                assert SECRET not in str(error)
                error = None if error.__suppress_context__ else error.__context__


def test_a_number_behind_an_option_is_a_number_to_the_driver(mysql_url):
    database = Database.open(with_options(mysql_url, "read_timeout=0.2"))
    with pytest.raises(StoreUnavailable):
        database.read(lambda connection: connection.execute(text("SELECT SLEEP(30)")))
    database.close()
