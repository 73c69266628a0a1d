# The tag moves; for a build that can be repeated, give the digest that it has today:
#   docker build --build-arg PYTHON=python:3.13-slim@sha256:… .    (docs/deployment.md tells how to find it)
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
WORKDIR /src
RUN python3 -m venv /opt/wechat-openid
# Wheels alone, each checked against its hash: nothing is compiled.
COPY requirements.lock ./
RUN /opt/wechat-openid/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-compile \
    --only-binary=:all: --require-hashes --requirement requirements.lock
COPY pyproject.toml setup.py README.md LICENSE ./
COPY alembic/ alembic/
COPY storage/ storage/
COPY admin/ admin/
COPY service/ service/
# What built the package is of no use to the service, and nothing can be installed into the image later.
RUN /opt/wechat-openid/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-deps \
    --no-build-isolation . \
    && /opt/wechat-openid/bin/python -m pip uninstall --yes setuptools pip \
    && /opt/wechat-openid/bin/python -m compileall -q /opt/wechat-openid/lib

FROM ${PYTHON}
LABEL org.opencontainers.image.title="wechat-openid" \
      org.opencontainers.image.description="WeChat Official Account web authorization: code to openid, tokens stored sealed and kept fresh" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/wechat-openid /opt/wechat-openid
# By number, so that Kubernetes can see that it is not root.
RUN groupadd --system --gid 10001 wechat-openid \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/wechat-openid --no-create-home \
        --shell /usr/sbin/nologin wechat-openid \
    && install -d -o 10001 -g 10001 -m 700 /var/lib/wechat-openid
ENV PATH=/opt/wechat-openid/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    WECHAT_OPENID_LISTEN=0.0.0.0:8888 \
    WECHAT_OPENID_ADMIN_LISTEN=0.0.0.0:8889
USER 10001:10001
WORKDIR /var/lib/wechat-openid
VOLUME /var/lib/wechat-openid
# 8889, for operators and backends, is published by whoever keeps it private.
EXPOSE 8888
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8889/readyz', timeout=4)"]
ENTRYPOINT ["wechat-openid"]
CMD ["serve"]
