"""WeChat's side of pushing: messages signed and encrypted as Tencent's pages describe it, by code of its own."""

import base64
import hashlib
import os
from urllib.parse import urlencode

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

TOKEN = "event-token"
AES_KEY = base64.b64encode(bytes(range(32))).decode().rstrip("=")
OTHER_AES_KEY = base64.b64encode(bytes(32)).decode().rstrip("=")
NONCE = "1320562132"


def sign(*words):
    return hashlib.sha1("".join(sorted(words)).encode()).hexdigest()


def seal(message, appid, aes_key=AES_KEY):
    """Encrypt as WeChat does: padded to 32 bytes, the key's beginning as IV."""
    key = base64.b64decode(aes_key + "=")
    content = os.urandom(16) + len(message).to_bytes(4, "big") + message + appid.encode()
    count = 32 - len(content) % 32
    encryptor = Cipher(AES(key), CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(content + bytes([count]) * count) + encryptor.finalize()).decode()


def opened(encrypted, appid, aes_key=AES_KEY):
    """Decrypt a reply as WeChat does."""
    key = base64.b64decode(aes_key + "=")
    decryptor = Cipher(AES(key), CBC(key[:16])).decryptor()
    padded = decryptor.update(base64.b64decode(encrypted)) + decryptor.finalize()
    content = padded[16 : -padded[-1]]
    length = int.from_bytes(content[:4], "big")
    assert content[4 + length :] == appid.encode()
    return content[4 : 4 + length]


class Sender:
    """WeChat's side of the deliveries to one account."""

    def __init__(self, browser, appid, clock):
        self.browser = browser
        self.appid = appid
        self.clock = clock

    def fields(self, event, openid, **changes):
        return {
            "ToUserName": "gh_870882ca4b1",
            "FromUserName": "oaKk346BaWE-eIn4oSRWbaM9vR7s",
            "CreateTime": str(self.clock.now()),
            "MsgType": "event",
            "Event": event,
            "OpenID": openid,
            "AppID": self.appid,
            "RevokeInfo": "205",
            **changes,
        }

    async def send(self, body, **changes):
        timestamp = str(self.clock.now())
        query = {"signature": sign(TOKEN, timestamp, NONCE), "timestamp": timestamp, "nonce": NONCE, **changes}
        path = f"/events/{self.appid}?{urlencode(query)}"
        return await self.browser.fetch(path, method="POST", body=body, headers={"Content-Type": "text/xml"})

    async def deliver(self, event, openid, **changes):
        return await self.send(xml(self.fields(event, openid, **changes)))

    async def deliver_sealed(self, event, openid, aes_key=AES_KEY, appid=None, **changes):
        return await self.send_sealed(self.fields(event, openid), aes_key, appid, **changes)

    async def send_sealed(self, fields, aes_key=AES_KEY, appid=None, **changes):
        encrypted = seal(xml(fields), appid or self.appid, aes_key)
        timestamp = str(self.clock.now())
        query = {"encrypt_type": "aes", "msg_signature": sign(TOKEN, timestamp, NONCE, encrypted), **changes}
        return await self.send(xml({"ToUserName": "gh_870882ca4b1", "Encrypt": encrypted}), **query)


def xml(fields):
    return f"<xml>{''.join(f'<{name}><![CDATA[{text}]]></{name}>' for name, text in fields.items())}</xml>".encode()


def is_done(response):
    return (response.code, response.body) == (200, b"success")
