"""PgBouncer, set up as poolers are: each transaction gets any session there is."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import make_url

from tests.engine_processes import ServerProcess, folder_of_its_own, program, until
from tests.service.harness import free_port
from tests.waiting import accepts

#: PgBouncer refuses to run as root.
OWNER = "nobody"
SESSIONS = 4


@contextmanager
def pgbouncer_of_its_own(database_url: str, mode: str = "transaction") -> Iterator[str]:
    """Start one before a database, give the URL through it, and stop it at the end."""
    url = make_url(database_url)
    port = free_port()
    with folder_of_its_own("pgbouncer", OWNER) as folder:
        (folder / "ini").write_text(
            f"""
            [databases]
            {url.database} = host={url.host} port={url.port or 5432} dbname={url.database} user={url.username}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = any
            pool_mode = {mode}
            default_pool_size = {SESSIONS}
            logfile = {folder}/log
            pidfile = {folder}/pid
            """.replace("            ", "")
        )
        pooler = ServerProcess([program("pgbouncer", "/usr/sbin"), folder / "ini"], folder, OWNER)
        pooler.start()
        try:
            until(lambda: (folder / "pid").exists() and accepts(port), "a pooler", pooler)
            yield url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        finally:
            pooler.kill()
