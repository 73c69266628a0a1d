"""What WeChat pushes to an account's address: messages in XML or JSON, signed, and encrypted in secure mode.

The forms are those of Tencent's pages on message push (消息推送). Nothing is sent here.
"""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

__all__ = ["Fields", "Push", "authorization_event", "sealed_push", "signed_push", "text_message"]

#: What a message says, by name.
Fields = Mapping[str, str | int]

#: The account's own name (原始 ID) and that of whoever sends events about authorizations; both are made up.
_ACCOUNT_NAME = "gh_51a7ed000000"
_SENDER_OF_EVENTS = "oSimulatedWeChatPlatform0000"

_EVENT = re.compile(r"[A-Za-z_]{1,64}")
_AES_KEY = re.compile(r"[0-9A-Za-z]{43}")
_IV_BYTES = 16
#: Messages are padded to multiples of this.
_PADDED_TO = 32


@dataclass(frozen=True, slots=True)
class Push:
    """A POST to an account's address: what its query holds beside what stands there already, and its body."""

    query: str
    body: bytes
    content_type: str


def authorization_event(event: str, *, appid: str, openid: str, revoke_info: str, created_at: int) -> Fields:
    """Return what WeChat says when something happened to a user's authorization.

    Args:
        event: Such as `user_authorization_revoke`.
        appid: The account.
        openid: The user.
        revoke_info: Which permissions were taken back; it is said with `user_authorization_revoke` only.
        created_at: When it happened.

    Raises:
        ValueError: That is no name of an event.
    """
    if not _EVENT.fullmatch(event):
        raise ValueError("event: expected letters and underscores")
    fields = _head(_SENDER_OF_EVENTS, created_at) | {
        "MsgType": "event",
        "Event": event,
        "OpenID": openid,
        "AppID": appid,
    }
    return fields | {"RevokeInfo": revoke_info} if event == "user_authorization_revoke" else fields


def text_message(text: str, *, openid: str, created_at: int) -> Fields:
    """Return what WeChat says when a user writes to the account."""
    return _head(openid, created_at) | {"MsgType": "text", "Content": text, "MsgId": str(secrets.randbits(62))}


def signed_push(fields: Fields, *, token: str, at: int, as_json: bool = False) -> Push:
    """Push a message in plain mode (明文模式), where the signature covers a time and a nonce only."""
    return Push(urlencode(_signed_query(token, at)), _written(fields, as_json=as_json), _content_type(as_json=as_json))


def sealed_push(fields: Fields, *, appid: str, token: str, aes_key: str, at: int, as_json: bool = False) -> Push:
    """Push a message in secure mode (安全模式), encrypted and signed as a whole.

    Raises:
        ValueError: That is no EncodingAESKey.
    """
    if not _AES_KEY.fullmatch(aes_key):
        raise ValueError("aes_key: expected 43 letters and digits")
    encrypted = _encrypted(_written(fields, as_json=as_json), appid, base64.b64decode(aes_key + "="))
    query = _signed_query(token, at)
    query |= {
        "encrypt_type": "aes",
        "msg_signature": _signature(token, query["timestamp"], query["nonce"], encrypted),
    }
    envelope: Fields = {"ToUserName": _ACCOUNT_NAME, "Encrypt": encrypted}
    return Push(urlencode(query), _written(envelope, as_json=as_json), _content_type(as_json=as_json))


def _head(sender: str, created_at: int) -> dict[str, str | int]:
    return {"ToUserName": _ACCOUNT_NAME, "FromUserName": sender, "CreateTime": created_at}


def _written(fields: Fields, *, as_json: bool) -> bytes:
    if as_json:
        return json.dumps(fields, ensure_ascii=False).encode()
    elements = (f"<{name}>{_element_text(value)}</{name}>" for name, value in fields.items())
    return f"<xml>{''.join(elements)}</xml>".encode()


def _element_text(value: str | int) -> str:
    """Write numbers as they are and texts in CDATA, whose end a text may hold."""
    return str(value) if isinstance(value, int) else f"<![CDATA[{value.replace(']]>', ']]]]><![CDATA[>')}]]>"


def _content_type(*, as_json: bool) -> str:
    return "application/json" if as_json else "text/xml"


def _signed_query(token: str, at: int) -> dict[str, str]:
    timestamp, nonce = str(at), str(secrets.randbelow(10**10))
    return {"signature": _signature(token, timestamp, nonce), "timestamp": timestamp, "nonce": nonce}


def _signature(*words: str) -> str:
    return hashlib.sha1("".join(sorted(words)).encode()).hexdigest()  # noqa: S324 - the protocol's choice


def _encrypted(message: bytes, appid: str, key: bytes) -> str:
    content = secrets.token_bytes(16) + len(message).to_bytes(4, "big") + message + appid.encode()
    count = _PADDED_TO - len(content) % _PADDED_TO
    encryptor = Cipher(AES(key), CBC(key[:_IV_BYTES])).encryptor()
    return base64.b64encode(encryptor.update(content + bytes([count]) * count) + encryptor.finalize()).decode()
