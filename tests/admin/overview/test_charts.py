import pytest

from admin.overview.charts import Bar, bar_chart


def test_a_chart_can_be_read_by_those_who_cannot_see_it():
    chart = bar_chart("c", "Logins <per hour>", "3 in all", [Bar("01:00", 0), Bar("02:00", 3, "02:00")])
    assert 'role="img" aria-labelledby="c-title c-desc"' in chart
    assert '<title id="c-title">Logins &lt;per hour&gt;</title><desc id="c-desc">3 in all</desc>' in chart
    assert chart.count("<rect") == 1
    assert "<title>02:00: 3</title>" in chart


@pytest.mark.parametrize(("highest", "top"), [(0, "2"), (3, "4"), (9, "10"), (41, "100"), (1_500_000, "2M")])
def test_a_scale_ends_with_a_round_number(highest, top):
    assert f">{top}</text>" in bar_chart("c", "", "", [Bar("a", highest)])
