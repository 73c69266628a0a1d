"""A Redis server that forgets is spoken of at the start, by the doctor and on the overview."""

from dataclasses import replace

import pytest

from service.commands.doctor import examine
from service.runtime.bootstrap import open_service
from service.wechat.account_check import CheckStatus
from storage.base.errors import StorageError
from tests.admin.operator_browser import text_of
from tests.clusters.redis_servers import PASSWORD, RedisServer
from tests.engine_processes import folder_of_its_own


@pytest.fixture
def server():
    with folder_of_its_own("redis") as folder:
        server = RedisServer(folder / "server", requirepass=PASSWORD, appendonly="no")
        try:
            server.begin()
            yield server
        finally:
            server.kill()


@pytest.fixture
def settings(settings, server):
    return replace(settings, token_store="redis", token_store_url=f"redis://:{PASSWORD}@{server.address}/0")


async def about_store(settings):
    return [result async for result in examine(settings) if result.subject == "token store"]


@pytest.mark.gen_test
async def test_a_server_without_a_log_on_disk_is_spoken_of(caplog, service, signed_in, settings):
    assert any("appendonly yes" in record.getMessage() for record in caplog.get_records("setup"))
    [result] = await about_store(settings)
    assert result.status is CheckStatus.WARNING
    assert "appendonly yes" in result.text
    operator = signed_in()
    assert "set appendonly yes" in text_of(await operator.get("/admin/overview"))
    assert "请设置 appendonly yes" in text_of(await operator.get("/admin/overview?lang=zh_CN"))


@pytest.mark.gen_test
async def test_a_server_that_drops_users_is_refused_at_the_start(service, signed_in, settings, server):
    with server.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    assert "it drops users" in text_of(await signed_in().get("/admin/overview"))
    with pytest.raises(StorageError, match="noeviction"):
        async with open_service(settings):
            pytest.fail("it drops users")
    [result] = await about_store(settings)
    assert result.status is CheckStatus.BAD
    allowed = replace(settings, token_store_url=f"{settings.token_store_url}?evicting=allowed")
    async with open_service(allowed):
        pass
    [result] = await about_store(allowed)
    assert result.status is CheckStatus.WARNING
