from storage.pauses import AccountPause
from storage.sql.work.instances import SILENCE_SECONDS, Instance, Instances

NOW = 1_800_000_000
PAUSE = AccountPause("wx", "refresh", "configuration", 40125, NOW + 30)


def test_processes_are_alive_while_they_are_heard(any_database):
    instances = Instances(any_database)
    instances.heartbeat(Instance("a", "0.1.0", NOW, NOW))
    instances.heartbeat(Instance("b", "0.1.0", NOW, NOW))
    latest = Instance("a", "0.1.0", NOW, NOW + 50, (PAUSE,))
    instances.heartbeat(latest)
    assert [one.name for one in instances.live(NOW + 50)] == ["a", "b"]
    assert instances.live(NOW + 50 + SILENCE_SECONDS) == [latest]


def test_a_process_that_left_is_gone_at_once(any_database):
    instances = Instances(any_database)
    instances.heartbeat(Instance("a", "0.1.0", NOW, NOW))
    instances.deregister("a")
    assert instances.live(NOW) == []


def test_a_new_process_clears_away_the_silent_ones(any_database):
    instances = Instances(any_database)
    instances.heartbeat(Instance("a", "0.1.0", NOW, NOW))
    instances.heartbeat(Instance("b", "0.1.0", NOW, NOW + SILENCE_SECONDS + 1))
    assert [one.name for one in instances.live(NOW)] == ["b"]
