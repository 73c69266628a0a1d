"""What a FastAPI team writes: httpx and SQLAlchemy's asynchronous ORM, served by uvicorn."""

import os
import ssl
import time

import httpx
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import BigInteger, String
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Tokens(Base):
    __tablename__ = "tokens"
    openid: Mapped[str] = mapped_column(String(64), primary_key=True)
    access_token: Mapped[str] = mapped_column(String(600))
    refresh_token: Mapped[str] = mapped_column(String(600))
    scope: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[int] = mapped_column(BigInteger)


class Body(BaseModel):
    code: str


engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=32)
ca_file = os.environ.get("CA_FILE")
wechat = httpx.AsyncClient(
    base_url=os.environ["UPSTREAM"],
    limits=httpx.Limits(max_connections=128, max_keepalive_connections=128),
    verify=ssl.create_default_context(cafile=ca_file) if ca_file else True,
)
app = FastAPI()


@app.post("/getCode")
async def get_code(body: Body):
    response = await wechat.get(
        "/sns/oauth2/access_token",
        params={"appid": "wx", "secret": "secret", "code": body.code, "grant_type": "authorization_code"},
    )
    reply = response.json()
    async with AsyncSession(engine) as session:
        await session.merge(
            Tokens(
                openid=reply["openid"],
                access_token=reply["access_token"],
                refresh_token=reply["refresh_token"],
                scope=reply["scope"],
                expires_at=int(time.time()) + reply["expires_in"],
            )
        )
        await session.commit()
    return {"openid": reply["openid"], "scope": reply["scope"]}
