import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from click.testing import CliRunner

from service.commands.simulator import simulator

PROGRAM = "from service.commands.simulator import simulator; simulator()"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_the_settings_serves_and_stops_on_a_signal(number):
    arguments = ["--listen", "127.0.0.1:0", "--account", "wx1:my-own-secret", "--domain", "h5.example.com"]
    with subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            url = re.search(r"on (http://127\.0\.0\.1:\d+);", process.stdout.readline()).group(1)
            with urllib.request.urlopen(url + "/sns/auth") as response:
                assert json.load(response)["errcode"] == 41001
            process.send_signal(number)
            printed = process.stdout.read()
            assert process.wait(10) == 0
        finally:
            process.kill()
    assert f"WECHAT_OPENID_WECHAT_API_URL={url}\n" in printed
    assert f"WECHAT_OPENID_WECHAT_AUTHORIZE_URL={url}/connect/oauth2/authorize\n" in printed
    assert "WECHAT_OPENID_APPID=wx1\n" in printed
    assert "my-own-secret" not in printed


@pytest.mark.parametrize(
    "arguments",
    [
        ["--listen", "8890"],
        ["--listen", "127.0.0.1:port"],
        ["--listen", "127.0.0.1:70000"],
        ["--account", "wx-without-secret"],
        ["--account", "wx1:a", "--account", "wx1:b"],
        ["--domain", "https://h5.example.com"],
    ],
)
def test_wrong_options_are_refused_before_anything_starts(arguments):
    result = CliRunner().invoke(simulator, arguments)
    assert result.exit_code == 2
    assert "Error: " in result.output


def test_an_address_that_is_taken_is_told_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = subprocess.run(
            [sys.executable, "-c", PROGRAM, "--listen", address],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert result.returncode == 1
    assert result.stderr == f"Error: cannot listen on {address}: Address already in use\n"
