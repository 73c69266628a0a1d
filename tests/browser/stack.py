"""What runs beside the browser: the service, a simulated WeChat, and pages, each on a port of its own."""

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.waiting import DEADLINE_SECONDS, answers, wait_until

PAGES = Path(__file__).parent / "pages"


@dataclass(frozen=True)
class Stack:
    """Addresses of what runs."""

    service: str
    wechat: str
    allowed: str
    foreign: str

    def control(self, path: str, content: dict | None = None, *, method: str | None = None) -> dict:
        """Ask the simulated WeChat's control API."""
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.wechat}/simulator/{path}", data=body, method=method)
        with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as response:
            return json.loads(response.read())

    def issue_code(self, **fields: str) -> str:
        return self.control("codes", fields)["code"]

    def exchanges(self) -> int:
        return self.control("calls").get("access_token", {}).get("calls", 0)


@contextmanager
def running(arguments: list[str], url: str, folder: Path, **environment: str) -> Iterator[None]:
    """Run the program until the end, in a folder of its own, from when it answers at the URL."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WECHAT_OPENID_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "service", *arguments],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: process.poll() is not None or answers(url))
        assert process.poll() is None, "the program ended"
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


@contextmanager
def pages_at(port: int, addresses: dict[str, str]) -> Iterator[str]:
    """Serve the pages of this folder, with addresses in them replaced by those of this run."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = PAGES / self.path.partition("?")[0].lstrip("/")
            if not path.is_file():
                self.send_error(404)
                return
            text = path.read_text(encoding="utf-8")
            for written, actual in addresses.items():
                text = text.replace(written, actual)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
