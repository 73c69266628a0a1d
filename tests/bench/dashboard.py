"""Measures the dashboard over many users: the 95th percentile of each page's time, and the export.

Usage: python -m tests.bench.dashboard [--users N] [--requests N] [--url URL]
"""

import argparse
import base64
import http.client
import json
import os
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

from storage.sql.accounts.operators import Operators, Role
from storage.sql.accounts.sessions import OperatorSessions
from storage.sql.core.engine import Database
from storage.sql.tokens.store import SqlTokenStore
from tests.bench.made_up_users import APPIDS, fill, made_up_hash, seal_some
from tests.bench.servers import ADMIN_PORT, PORT, postgresql_database, running
from tests.bench.stacks import HARDLY_ANY_REFRESH, SECRET_KEY, environment_for, this_service

DAY = 86_400
OPERATOR = "bench"
#: Of more users than this, those of the smaller account are exported.
MOST_EXPORTED = 1_000_000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--url", help="a database filled before, instead of new ones")
    arguments = parser.parse_args()
    if arguments.url:
        report(arguments.url, arguments.users, arguments.requests)
    else:
        with tempfile.TemporaryDirectory() as folder:
            filled_and_reported(f"sqlite:///{folder}/bench.db", arguments)
        with postgresql_database() as url:
            filled_and_reported(url, arguments)


def filled_and_reported(url, arguments):
    began = time.time()
    fill(url, arguments.users, int(began))
    print(f"\nFilled in {time.time() - began:.0f} s.")
    report(url, arguments.users, arguments.requests)


def report(url, users, requests):
    """Print the table of one database."""
    seal_some(url, SECRET_KEY)
    cookie = f"wechat_openid_session={begin_session(url)}"
    stack = this_service("this service", url, port=PORT, admin_port=ADMIN_PORT)
    with (
        running(stack.command, environment_of(stack)) as process,
        closing(http.client.HTTPConnection("127.0.0.1", ADMIN_PORT)) as connection,
    ):
        print(f"\n{url.partition(':')[0]}, {users:,} users; milliseconds over {requests} requests\n")
        print("| page | p50 | p95 | longest |")
        print("|---|---|---|---|")
        for name, path in pages(url, users).items():
            times = [ask(connection, path, cookie) for _ in range(requests)]
            p95 = statistics.quantiles(times, n=20)[18]
            print(f"| {name} | {statistics.median(times):.1f} | {p95:.1f} | {max(times):.1f} |", flush=True)
        some = {} if users <= MOST_EXPORTED else {"appid": APPIDS[1]}
        print(f"\nCSV{' of a tenth of the users' if some else ''}: {export(process.pid, cookie, some)}")


def begin_session(url):
    database = Database.open(url)
    try:
        operators = Operators(database)
        if operators.find(OPERATOR) is None:
            operators.add(OPERATOR, "no password", Role.OWNER, int(time.time()))
        operator, _ = operators.find(OPERATOR)
        return OperatorSessions(database).begin(operator.id, int(time.time()), "127.0.0.1", "bench")
    finally:
        database.close()


def environment_of(stack):
    """Return the environment of a service that has both accounts, and hardly takes made-up tokens for real ones."""
    accounts = [{"appid": appid, "secret": "secret", "name": appid} for appid in APPIDS]
    environment = {**environment_for(stack, port=PORT, upstream="http://127.0.0.1:9"), **HARDLY_ANY_REFRESH}
    del environment["WECHAT_OPENID_APPID"], environment["WECHAT_OPENID_SECRET"]
    return {**environment, "WECHAT_OPENID_ACCOUNTS": json.dumps(accounts)}


def pages(url, users):
    """Return the addresses to measure, by what they are."""
    now = int(time.time())
    day = time.strftime("%Y-%m-%d", time.gmtime(now - 10 * DAY))
    some = users // 2 - users // 2 % 5 + 1  # has shown a profile
    digest = made_up_hash(some)
    nickname = "王李张刘陈杨赵黄周吴徐孙胡朱高"[some % 15] + "小大明红阳春花"[some % 7] + digest[8:14]
    appid = APPIDS[1] if some % 10 == 0 else APPIDS[0]
    return {
        "overview": "/admin/overview",
        "overview, 14 days": "/admin/overview?span=days",
        "users, first page": listed(),
        "users, page 1,000": listed(cursor=cursor(newest_id(url) - 999 * 50)),
        "account (a tenth)": listed(appid=APPIDS[1]),
        "status: active": listed(status="active"),
        "status: must authorize again": listed(status="reauthorization_required"),
        "status: revoked": listed(status="revoked"),
        "scope": listed(scope="snsapi_userinfo"),
        "scope that nobody has": listed(scope="snsapi_none"),
        "snapshot users": listed(snapshot="yes"),
        "last errcode": listed(errcode="45011"),
        "last errcode that nobody has": listed(errcode="40001"),
        "authorized on a day": listed(authorized_from=day, authorized_to=day),
        "used until a day": listed(used_to=day),
        "ending from a day on": listed(ends_from=time.strftime("%Y-%m-%d", time.gmtime(now + 3 * DAY))),
        "sorted by last use": listed(sort="last_used_at"),
        "status, scope and account": listed(status="revoked", scope="snsapi_userinfo", appid=APPIDS[1]),
        "openid, exactly": listed(by="openid", match="exact", q="o" + digest[:27]),
        "openid, 3 characters": listed(by="openid", q="o" + digest[:2]),
        "unionid, exactly": listed(by="unionid", match="exact", q="u" + digest[4:31]),
        "unionid, 3 characters": listed(by="unionid", q="u" + digest[4:6]),
        "nickname, exactly": listed(by="nickname", match="exact", q=nickname),
        "nickname, 1 character": listed(by="nickname", q="王"),
        "nickname that nobody has": listed(by="nickname", q="龘"),
        "a user": f"/admin/users/{appid}/o{digest[:27]}",
    }


def listed(**arguments):
    return "/admin/users" + (f"?{urlencode(arguments)}" if arguments else "")


def cursor(row_id):
    return base64.urlsafe_b64encode(json.dumps([row_id, row_id]).encode()).decode()


def newest_id(url):
    database = Database.open(url)
    try:
        return SqlTokenStore(database).user_search(60).last_id()
    finally:
        database.close()


def ask(connection, path, cookie):
    """Ask for a page on a kept connection; return the milliseconds until its last byte."""
    began = time.perf_counter()
    connection.request("GET", path, headers={"Cookie": cookie, "Accept-Language": "zh-CN"})
    response = connection.getresponse()
    response.read()
    assert response.status == 200, f"{path}: {response.status}"
    return 1000 * (time.perf_counter() - began)


def export(pid, cookie, wanted):
    """Fetch the CSV of a filter's users; return rows, seconds, and by how much the server's memory grew at most."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
    before = memory(pid, "VmRSS")
    connection = http.client.HTTPConnection("127.0.0.1", ADMIN_PORT)
    began = time.perf_counter()
    connection.request("GET", f"/admin/users.csv?{urlencode(wanted)}", headers={"Cookie": cookie})
    response = connection.getresponse()
    rows = size = 0
    while block := response.read(1 << 20):
        rows += block.count(b"\n")
        size += len(block)
    seconds = time.perf_counter() - began
    peak = memory(pid, "VmHWM")
    return (
        f"{rows - 1:,} rows, {size / 1e6:.0f} MB, {seconds:.0f} s; memory {before:.0f} MB before, {peak:.0f} MB at most"
    )


def memory(pid, name):
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(name)]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
