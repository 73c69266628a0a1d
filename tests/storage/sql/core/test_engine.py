import logging
import socket
import threading

import pytest
from sqlalchemy import insert, select, text

from storage.base.errors import InvalidRecord, SchemaNotReady, StorageError, StoreUnavailable
from storage.sql.core.engine import Database, make_engine
from storage.sql.core.schema import activity, api_keys
from storage.sql.tokens.store import SqlTokenStore
from storage.testing import a_grant
from tests.servers import database_of_its_own, postgresql_server

SECRET = "p4ssw0rd"


@pytest.mark.parametrize(
    ("url", "drivername"),
    [
        ("postgres://host/name", "postgresql+psycopg"),
        ("postgresql://host/name", "postgresql+psycopg"),
        ("mysql://host/name", "mysql+pymysql"),
        ("mariadb://host/name", "mariadb+pymysql"),
        ("sqlite:///some.db", "sqlite+pysqlite"),
    ],
)
def test_url_without_a_driver_gets_the_one_that_is_shipped(url, drivername):
    assert make_engine(url).url.drivername == drivername


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        (f"nonsense {SECRET}", "Write it as sqlite:///"),
        (f"postgresql://user:{SECRET}@host:{SECRET}/name", "Write it as sqlite:///"),
        (f"oracle://user:{SECRET}@host/name", "choose one of sqlite, postgresql, mysql, mariadb"),
        (f"postgresql+nosuch://user:{SECRET}@host/name", "leave the driver out"),
        (f"postgresql+asyncpg://user:{SECRET}@host/name", "leave the driver out"),
        (f"postgresql+psycopg2://user:{SECRET}@host/name", r'pip install "wechat-openid\[postgresql\]"'),
        ("sqlite://", "sqlite:///var/wechat-openid.db"),
        ("sqlite:///:memory:", "sqlite:///var/wechat-openid.db"),
    ],
)
def test_url_that_cannot_serve_is_refused_without_its_password(url, remedy):
    with pytest.raises(ValueError, match=remedy) as refusal:
        make_engine(url)
    error = refusal.value
    while error is not None:
        assert SECRET not in str(error)
        error = None if error.__suppress_context__ else error.__context__


@pytest.mark.parametrize("folder", ["missing", "missing/var", "{absolute}/missing", "{absolute}/var"])
def test_file_in_a_folder_that_is_not_there_is_refused_and_nothing_is_made(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="a folder that is not there"):
        make_engine(f"sqlite:///{folder.format(absolute=tmp_path)}/some.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_database_that_cannot_hold_chinese_is_refused_in_a_sentence(encoding):
    options = f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    with database_of_its_own(postgresql_server(), options) as url:
        database = Database.open(url)
        try:
            with pytest.raises(StorageError, match=f"encoding is {encoding}, which cannot hold"):
                database.read(lambda connection: connection.scalar(text("SELECT 1")))
        finally:
            database.close()


def test_relative_sqlite_path_is_made_with_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    database = Database.open("sqlite:///var/deep/some.db")
    assert not (tmp_path / "var").exists()
    assert database.read(lambda connection: connection.scalar(text("SELECT 1"))) == 1
    database.close()
    assert (tmp_path / "var" / "deep" / "some.db").exists()
    assert (tmp_path / "var" / "deep").stat().st_mode & 0o077 == 0


def test_sqlite_is_durable_and_lets_readers_pass(database):
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    settings = database.read(lambda connection: [connection.scalar(text(f"PRAGMA {name}")) for name in names])
    assert settings == ["wal", 2, 1, 10_000]


def test_reader_neither_waits_for_a_writer_nor_sees_what_it_has_not_committed(database):
    def count(connection):
        return len(connection.execute(select(api_keys)).all())

    def write(connection):
        connection.execute(insert(api_keys).values(name="n", key_hash=b"h", created_at=0))
        return database.read(count)

    assert database.write(write) == 0
    assert database.read(count) == 1


def test_writers_that_read_first_wait_for_each_other(database):
    database.write(
        lambda connection: connection.execute(insert(api_keys).values(name="n", key_hash=b"h", created_at=0))
    )

    def increase(connection):
        value = connection.scalar(select(api_keys.c.created_at))
        connection.execute(api_keys.update().values(created_at=value + 1))

    threads = [threading.Thread(target=lambda: [database.write(increase) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.read(lambda connection: connection.scalar(select(api_keys.c.created_at))) == 80


def test_locked_file_is_unavailable(database, sqlite_url):
    impatient = Database.open(f"{sqlite_url}?timeout=0.1")

    def write_while_writing(connection):
        connection.execute(text("SELECT 1"))
        impatient.write(lambda connection: connection.execute(text("SELECT 1")))

    with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
        database.write(write_while_writing)
    impatient.close()


def test_error_undoes_the_whole_transaction(database):
    def work(connection):
        connection.execute(insert(api_keys).values(name="n", key_hash=b"h", created_at=0))
        raise RuntimeError("of the caller's own")

    with pytest.raises(RuntimeError):
        database.write(work)
    assert database.read(lambda connection: connection.execute(select(api_keys)).all()) == []


def test_missing_tables_are_told_with_the_command_that_makes_them(sqlite_url):
    store = SqlTokenStore.open(sqlite_url)
    with pytest.raises(SchemaNotReady, match="alembic upgrade head"):
        store.get("wx", "o")
    with pytest.raises(SchemaNotReady, match="alembic upgrade head"):
        store.save([a_grant()])
    store.close()


def test_missing_tables_of_a_server_are_told_too(server_database):
    with pytest.raises(SchemaNotReady):
        server_database.read(lambda connection: connection.execute(text("SELECT 1 FROM no_such_table")))
    with pytest.raises(SchemaNotReady):
        server_database.read(lambda connection: connection.execute(text("SELECT no_such_column FROM activity")))


@pytest.mark.parametrize(
    "values",
    [
        {"name": "o-private", "key_hash": b"taken", "created_at": 0},
        {"name": "o-private", "key_hash": None, "created_at": 0},
        {"name": "o-private \ud800", "key_hash": b"h", "created_at": 0},
        {"name": "o-private", "key_hash": b"h", "created_at": 2**70},
    ],
)
def test_refused_record_is_told_without_its_values(any_database, values, caplog):
    database = any_database
    taken = {"name": "other", "key_hash": b"taken", "created_at": 0}
    database.write(lambda connection: connection.execute(insert(api_keys), taken))
    caplog.set_level(logging.INFO)
    with pytest.raises(InvalidRecord) as refusal:
        database.write(lambda connection: connection.execute(insert(api_keys), values))
    assert "private" not in str(refusal.value)
    assert refusal.value.__context__ is None
    assert "private" not in caplog.text


def test_text_too_long_is_refused_by_servers_and_not_cut(server_database):
    values = {"name": "n" * 65, "key_hash": b"h", "created_at": 0}
    with pytest.raises(InvalidRecord):
        server_database.write(lambda connection: connection.execute(insert(api_keys), values))


def test_faulty_statement_is_an_error_that_no_repeating_mends(server_database):
    with pytest.raises(StorageError) as fault:
        server_database.read(lambda connection: connection.execute(text("SELEKT 'private'")))
    assert type(fault.value) is StorageError
    assert "private" not in str(fault.value)


def test_server_that_does_not_answer_is_unavailable():
    with socket.socket() as bound_but_not_listening:
        bound_but_not_listening.bind(("127.0.0.1", 0))
        port = bound_but_not_listening.getsockname()[1]
        database = Database.open(f"postgresql://user:{SECRET}@127.0.0.1:{port}/name")
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1") as failure:
            database.read(lambda connection: connection.execute(text("SELECT 1")))
    assert SECRET not in str(failure.value)


def test_broken_connections_are_replaced_unnoticed(server_database):
    store = SqlTokenStore(server_database)
    store.save([a_grant()])
    break_connections(server_database)
    store.save([a_grant("o-2")])
    break_connections(server_database)
    assert store.get(a_grant().appid, "o-2") is not None


def test_connection_that_breaks_at_the_commit_is_told_and_not_repeated(server_database):
    runs = []

    def work(connection):
        runs.append(connection)
        connection.execute(insert(activity).values(hour=0, appid="wx", kind="k", errcode=0, count=1))
        break_connections(server_database)

    with pytest.raises(StoreUnavailable):
        server_database.write(work)
    assert len(runs) == 1


def test_transaction_that_the_database_gave_up_is_repeated(server_database):
    def add(connection, name):
        connection.execute(insert(api_keys).values(name=name, key_hash=name.encode(), created_at=0))

    server_database.write(lambda connection: [add(connection, name) for name in ("a", "b")])
    both_hold_one = threading.Barrier(2)
    runs = []

    def lock_both(first, second):
        def work(connection):
            runs.append(first)
            connection.execute(api_keys.update().where(api_keys.c.name == first).values(created_at=1))
            if len(runs) <= 2:
                both_hold_one.wait(10)
            connection.execute(api_keys.update().where(api_keys.c.name == second).values(created_at=1))

        server_database.write(work)

    threads = [threading.Thread(target=lock_both, args=order) for order in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs) == 3


def break_connections(database):
    """Close the network under every pooled connection but tell nobody, as a server that restarts does."""
    if database.engine.dialect.name == "postgresql":
        kill = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with make_engine(str(database.engine.url)).connect() as connection:
            connection.execute(kill)
            connection.detach()
    else:
        with make_engine(str(database.engine.url)).connect() as connection:
            connection.detach()
            name, own = connection.execute(text("SELECT DATABASE(), CONNECTION_ID()")).one()
            others = text("SELECT id FROM information_schema.processlist WHERE db = :name AND id <> :own")
            for number in connection.scalars(others, {"name": name, "own": own}).all():
                connection.execute(text(f"KILL {number}"))
