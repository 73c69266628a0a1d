"""The page on H5: the samples that verify identity tokens do."""

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time

import jwt
import pytest

from service.authorization.id_tokens import ID_TOKEN_SECONDS, IdTokens, public_keys
from storage.base.clock import ManualClock
from storage.grants import RedeemedCode
from storage.sealing import KeyRing, generate_key
from tests.docs.markdown_text import ROOT, code_blocks, read, section

ENGLISH = ROOT / "docs" / "h5.md"
ISSUER = "https://api.example.com"
AUDIENCE = "https://shop.example.com"
OPENID = "oVcXwRODl7VpeBjnYfZY6Z7-1_Wu"
MINUTES = 60


def sample(language):
    [(_, code)] = code_blocks(section(read(ENGLISH), language))
    return code


@pytest.fixture(scope="module")
def keys():
    return KeyRing.parse(f"{generate_key()},{generate_key()}")


@pytest.fixture(scope="module")
def key_set_url(keys):
    content = json.dumps(public_keys(keys)).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/.well-known/jwks.json"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def make_token(keys):
    def make(*, at=None, ring=keys, issuer=ISSUER, audience=AUDIENCE):
        clock = ManualClock(int(time.time()) if at is None else at)
        redeemed = RedeemedCode("wx0000000000000001", OPENID, "snsapi_userinfo", False, "oUnion", None, clock.now())
        return IdTokens(ring, clock, issuer=issuer, audience=audience).sign(redeemed)

    return make


@pytest.fixture(scope="module", params=["Python", "Node", "Java"])
def command(request, tmp_path_factory):
    """The sample of a language, ready to run."""
    folder = tmp_path_factory.mktemp("sample")
    runtime = {"Python": sys.executable, "Node": shutil.which("node"), "Java": shutil.which("javac")}[request.param]
    if runtime is None:
        pytest.skip(f"{request.param} is not here")
    source = folder / {"Python": "verify.py", "Node": "verify.js", "Java": "VerifyIdToken.java"}[request.param]
    source.write_text(sample(request.param), encoding="utf-8")
    if request.param == "Java":
        subprocess.run([runtime, "-d", str(folder), str(source)], check=True, timeout=100)
        return [shutil.which("java"), "-Xshare:auto", "-cp", str(folder), "VerifyIdToken"]
    return [runtime, str(source)]


def run(command, url, token):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    arguments = [*command, url, ISSUER, AUDIENCE, token]
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False, timeout=100)


def test_a_good_token_gives_the_openid(command, key_set_url, make_token):
    verified = run(command, key_set_url, make_token())
    assert (verified.stdout.strip(), verified.returncode) == (OPENID, 0), verified.stderr


def test_clocks_may_differ_by_some_seconds(command, key_set_url, make_token):
    now = int(time.time())
    tokens = {"just ended": make_token(at=now - ID_TOKEN_SECONDS - 1), "made in the future": make_token(at=now + 9)}
    for name, token in tokens.items():
        verified = run(command, key_set_url, token)
        assert (verified.stdout.strip(), verified.returncode) == (OPENID, 0), (name, verified.stderr)


def test_a_bad_token_gives_nothing(command, key_set_url, make_token, keys):
    head, claims, signature = make_token().split(".")
    unsigned = jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "sub": OPENID}, None, algorithm="none")
    bad = {
        "expired": make_token(at=int(time.time()) - 10 * MINUTES),
        "another issuer": make_token(issuer="https://evil.com"),
        "another audience": make_token(audience="https://evil.com"),
        "another key": make_token(ring=KeyRing.parse(generate_key())),
        "altered": f"{head}.{claims[:-2]}{'AA' if claims[-2:] != 'AA' else 'BB'}.{signature}",
        "unsigned": unsigned,
    }
    for name, token in bad.items():
        refused = run(command, key_set_url, token)
        assert refused.returncode != 0, name
        assert OPENID not in refused.stdout, name
