"""A team's own server: answers the messages of an account in secure mode, as the documentation of wechatpy shows."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from wechatpy import create_reply, parse_message
from wechatpy.crypto import WeChatCrypto

CRYPTO = WeChatCrypto(os.environ["TOKEN"], os.environ["AES_KEY"], os.environ["APPID"])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signed = query["msg_signature"], query["timestamp"], query["nonce"]
        message = parse_message(CRYPTO.decrypt_message(body, *signed))
        said = message.content if message.type == "text" else f"something of {message.source}"
        reply = create_reply(f"wechatpy read: {said}", message).render()
        answer = CRYPTO.encrypt_message(reply, query["nonce"], query["timestamp"]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
