"""What systemd hears from the service, by a notify socket that the test listens on in its place."""

import os
import secrets
import signal
import socket
import subprocess
import time

import pytest

from service.runtime.supervision.notifications import Notifier
from tests.service.runtime.test_server_process import children_of
from tests.waiting import until


class NotifySocket:
    """A socket such as systemd's, and the messages that came, each as its lines."""

    def __init__(self, address):
        self.address = address
        self.messages = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)

    def read(self):
        """Take what has come, and return all messages."""
        while True:
            try:
                self.messages.append(self._socket.recv(4096).decode().splitlines())
            except BlockingIOError:
                return self.messages

    def states(self):
        """Return the first lines of all messages but those of the watchdog."""
        return [lines[0] for lines in self.read() if lines[0] != "WATCHDOG=1"]

    def pings(self):
        return sum(lines == ["WATCHDOG=1"] for lines in self.read())

    def close(self):
        self._socket.close()


@pytest.fixture
def notify_socket(tmp_path):
    listening = NotifySocket(str(tmp_path / "notify"))
    yield listening
    listening.close()


@pytest.fixture
def abstract_notify_socket():
    listening = NotifySocket(f"@wechat-openid-{secrets.token_hex(8)}")
    yield listening
    listening.close()


@pytest.mark.parametrize("kind", ["notify_socket", "abstract_notify_socket"])
@pytest.mark.gen_test(timeout=120)
async def test_systemd_hears_of_the_start_a_reload_and_the_end(request, kind, http, start_server):
    notify_socket = request.getfixturevalue(kind)
    server = start_server("--workers", "2", NOTIFY_SOCKET=notify_socket.address)
    await until(lambda: "READY=1" in notify_socket.states())
    workers = set(children_of(server.process))
    assert len(workers) == 2
    assert (await http.fetch(f"{server.url}/healthz")).code == 200

    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    server.process.send_signal(signal.SIGHUP)
    await until(lambda: notify_socket.states().count("READY=1") == 2)
    [reloading] = [lines for lines in notify_socket.messages if lines[0] == "RELOADING=1"]
    assert before <= int(reloading[1].removeprefix("MONOTONIC_USEC=")) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    assert not workers & set(children_of(server.process))

    server.process.send_signal(signal.SIGTERM)
    assert await server.ended() == 0
    assert notify_socket.states() == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]


@pytest.mark.gen_test(timeout=120)
async def test_one_process_says_the_same_as_several(notify_socket, start_server):
    server = start_server(NOTIFY_SOCKET=notify_socket.address)
    await until(lambda: notify_socket.states() == ["READY=1"])
    assert children_of(server.process) == []
    server.process.send_signal(signal.SIGHUP)
    await until(lambda: notify_socket.states().count("READY=1") == 2)
    server.process.send_signal(signal.SIGTERM)
    assert await server.ended() == 0
    assert notify_socket.states() == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]


@pytest.mark.gen_test(timeout=120)
async def test_systemd_is_not_told_of_a_start_that_fails(notify_socket, start_server):
    server = start_server(NOTIFY_SOCKET=notify_socket.address, WECHAT_OPENID_SECRET_KEYS="not a key")
    assert await server.ended() == 1
    assert "READY=1" not in notify_socket.states()


@pytest.mark.gen_test(timeout=120)
async def test_the_watchdog_is_fed_while_every_worker_answers_and_no_longer(notify_socket, start_server):
    server = start_server("--workers", "2", NOTIFY_SOCKET=notify_socket.address, WATCHDOG_USEC="300000")
    await until(lambda: notify_socket.pings() >= 3)
    stuck = children_of(server.process)[0]
    os.kill(stuck, signal.SIGSTOP)
    await until(lambda: server.log.read_text().count("1 of 2 workers do not answer") >= 1)
    pings = notify_socket.pings()
    # The supervisor looks again and again, and says so at each look.
    seen = server.log.read_text().count("do not answer")
    await until(lambda: server.log.read_text().count("do not answer") > seen)
    assert notify_socket.pings() == pings
    os.kill(stuck, signal.SIGCONT)
    await until(lambda: notify_socket.pings() > pings)


@pytest.mark.gen_test(timeout=120)
async def test_the_watchdog_of_one_process_is_fed_before_and_after_a_reload(notify_socket, start_server):
    server = start_server(NOTIFY_SOCKET=notify_socket.address, WATCHDOG_USEC="300000")
    await until(lambda: notify_socket.pings() >= 3)
    server.process.send_signal(signal.SIGHUP)
    await until(lambda: notify_socket.states().count("READY=1") == 2)
    pings = notify_socket.pings()
    await until(lambda: notify_socket.pings() >= pings + 3)


def test_messages_are_those_that_systemds_own_program_sends(notify_socket):
    notifier = Notifier.taken_from({"NOTIFY_SOCKET": notify_socket.address})
    notifier.ready("serving")
    notifier.stopping()
    subprocess.run(
        ["systemd-notify", "--no-block", "--ready", "--status=serving"],
        env={**os.environ, "NOTIFY_SOCKET": notify_socket.address},
        check=True,
    )
    ours, stopping, theirs = notify_socket.read()
    assert ours == [line for line in theirs if not line.startswith("MAINPID=")]
    assert stopping == ["STOPPING=1"]


def test_the_watchdog_of_another_process_is_not_ours(subtests):
    for pid, expected in [("", 10.0), (str(os.getpid()), 10.0), (str(os.getpid() + 1), None)]:
        with subtests.test(pid=pid):
            environment = {"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "10000000", "WATCHDOG_PID": pid, "HOME": "/"}
            assert Notifier.taken_from(environment).watchdog_seconds == expected
            assert environment == {"HOME": "/"}


def test_without_a_socket_or_with_one_that_nobody_reads_nothing_is_told_and_nothing_waits(tmp_path):
    closed = NotifySocket(str(tmp_path / "notify"))
    closed.close()
    for environment in ({}, {"NOTIFY_SOCKET": closed.address}, {"NOTIFY_SOCKET": str(tmp_path / "missing")}):
        notifier = Notifier.taken_from(environment)
        notifier.ready("serving")
        notifier.alive()
        assert notifier.watchdog_seconds is None
