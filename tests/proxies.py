"""nginx, HAProxy and Tinyproxy of Debian on free ports: what proxies of the field really write and refuse."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.service.harness import free_port
from tests.waiting import DEADLINE_SECONDS, accepts, wait_until

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"

_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  {outside}
  server {{
    listen 127.0.0.1:{port} {listen};
    {server}
    location / {{ proxy_pass {upstream}; {location} }}
  }}
}}
"""
_HAPROXY = """
global
  maxconn 64
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend pages
  bind 127.0.0.1:{port}{bind}
  {lines}
  default_backend service
backend service
  http-reuse always
  server service {upstream}
"""


def program(name: str) -> str:
    """Return where a proxy is installed; skip the test where it is not, or fail it where everything must be there."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say(f"{name} is not installed here")
    return found


@contextmanager
def nginx(
    folder: Path,
    upstream: str,
    location: str,
    *,
    outside: str = "",
    server: str = "",
    listen: str = "",
    port: int | None = None,
) -> Iterator[str]:
    """Run nginx in front of an address and give its own.

    Args:
        folder: For its files.
        upstream: What it passes requests to.
        location: Directives beside `proxy_pass`.
        outside: Directives of the block `http`.
        server: Directives of the block `server`.
        listen: What stands behind the port where it listens, such as `ssl`.
        port: Where it listens, if not just anywhere.
    """
    port = port or free_port()
    configuration = folder / f"nginx-{port}.conf"
    configuration.write_text(
        _NGINX.format(
            folder=folder,
            port=port,
            listen=listen,
            upstream=upstream,
            location=location,
            outside=outside,
            server=server,
        )
    )
    with _running([program("nginx"), "-c", str(configuration), "-e", str(folder / "error.log")], port):
        yield f"127.0.0.1:{port}"


@contextmanager
def haproxy(folder: Path, upstream: str, *lines: str, bind: str = "") -> Iterator[str]:
    """Run HAProxy in front of an address and give its own; the lines stand in its frontend."""
    port = free_port()
    configuration = folder / f"haproxy-{port}.cfg"
    configuration.write_text(
        _HAPROXY.format(port=port, bind=bind, lines="\n  ".join(lines), upstream=upstream.removeprefix("http://"))
    )
    with _running([program("haproxy"), "-db", "-f", str(configuration)], port):
        yield f"127.0.0.1:{port}"


@contextmanager
def tinyproxy(folder: Path, *lines: str, port: int | None = None) -> Iterator[str]:
    """Run a proxy for calls to elsewhere and give its address; what it does stands in `tinyproxy.log` of the folder.

    The lines are directives, such as `BasicAuth user password`.
    """
    port = port or free_port()
    configuration = folder / f"tinyproxy-{port}.conf"
    log = f'LogFile "{folder}/tinyproxy.log"'
    configuration.write_text("\n".join([f"Port {port}", "Listen 127.0.0.1", "Timeout 60", log, *lines, ""]))
    with _running([program("tinyproxy"), "-d", "-c", str(configuration)], port):
        yield f"127.0.0.1:{port}"


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: process.poll() is not None or accepts(port))
        assert process.poll() is None, process.stderr.read()
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)
        process.stderr.close()
