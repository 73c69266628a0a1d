from service.http.known_networks import KnownNetworks


def test_an_address_is_known_after_a_good_code_and_so_is_its_ipv6_network():
    networks = KnownNetworks()
    assert not networks.knows("192.0.2.1")
    networks.note_good_code("192.0.2.1")
    networks.note_good_code("2001:db8:1:2::1")
    assert networks.knows("192.0.2.1")
    assert networks.knows("2001:db8:1:2:ffff::9")
    assert not networks.knows("192.0.2.2")
    assert not networks.knows("2001:db8:1:3::1")


def test_refused_codes_make_an_address_a_stranger_again_however_many_were_good():
    networks = KnownNetworks()
    for _ in range(10_000):
        networks.note_good_code("192.0.2.1")
    refused = 0
    while networks.knows("192.0.2.1"):
        networks.note_refused_code("192.0.2.1")
        refused += 1
    assert 1 < refused < 100
    networks.note_refused_code("192.0.2.1")
    networks.note_good_code("192.0.2.1")
    assert networks.knows("192.0.2.1")


def test_those_without_news_for_the_longest_time_are_forgotten_first():
    networks = KnownNetworks(remembered=2)
    for host in (1, 2, 1, 3):
        networks.note_good_code(f"192.0.2.{host}")
    assert [host for host in (1, 2, 3) if networks.knows(f"192.0.2.{host}")] == [1, 3]
