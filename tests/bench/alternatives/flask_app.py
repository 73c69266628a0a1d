"""What a Flask team writes: requests with a session, SQLAlchemy's ORM, served by gunicorn's threads."""

import os
import time

import requests
from flask import Flask, jsonify, request
from requests.adapters import HTTPAdapter
from sqlalchemy import BigInteger, String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Tokens(Base):
    __tablename__ = "tokens"
    openid: Mapped[str] = mapped_column(String(64), primary_key=True)
    access_token: Mapped[str] = mapped_column(String(600))
    refresh_token: Mapped[str] = mapped_column(String(600))
    scope: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[int] = mapped_column(BigInteger)


engine = create_engine(os.environ["DATABASE_URL"], pool_size=32)
wechat = requests.Session()
wechat.mount("http", HTTPAdapter(pool_maxsize=64))
wechat.verify = os.environ.get("CA_FILE") or True
app = Flask(__name__)


@app.post("/getCode")
def get_code():
    reply = wechat.get(
        os.environ["UPSTREAM"] + "/sns/oauth2/access_token",
        params={
            "appid": "wx",
            "secret": "secret",
            "code": request.get_json()["code"],
            "grant_type": "authorization_code",
        },
        timeout=5,
    ).json()
    with Session(engine) as session:
        session.merge(
            Tokens(
                openid=reply["openid"],
                access_token=reply["access_token"],
                refresh_token=reply["refresh_token"],
                scope=reply["scope"],
                expires_at=int(time.time()) + reply["expires_in"],
            )
        )
        session.commit()
    return jsonify(openid=reply["openid"], scope=reply["scope"])
