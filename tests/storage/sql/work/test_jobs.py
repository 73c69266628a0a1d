import pytest

from storage.sql.work.jobs import JobAction, Jobs, JobStatus, JobTarget
from storage.user_search import CappedCount, SearchField, TextMatch, TimeRange, UserFilter
from storage.users import Status
from tests.waiting import wait_until

NOW = 1_800_000_000


@pytest.fixture
def jobs(any_database):
    return Jobs(any_database)


def add(jobs, target=None):
    return jobs.add(
        JobAction.REVOKE,
        target or JobTarget(users=(("wx", "o1"),)),
        operator="wang",
        request_id="r1",
        at=NOW,
        expected=CappedCount(3, capped=True),
        until_id=9,
    )


@pytest.mark.parametrize(
    "target",
    [
        JobTarget(users=(("wx", "o1"), ("wx", "o2"))),
        JobTarget(filter=UserFilter()),
        JobTarget(
            filter=UserFilter(
                appid="wx",
                status=Status.REVOKED,
                scope="snsapi_base",
                is_snapshotuser=False,
                last_error_code=-1,
                authorized=TimeRange(1, 2),
                used=TimeRange(None, 3),
                ending=TimeRange(4),
                searched=TextMatch(SearchField.NICKNAME, "小明", exact=False),
            )
        ),
    ],
)
def test_a_job_is_read_as_it_was_written(jobs, target):
    job = jobs.get(add(jobs, target))
    assert job.target == target
    assert (job.action, job.status, job.operator, job.request_id) == (JobAction.REVOKE, JobStatus.RUNNING, "wang", "r1")
    assert (job.expected, job.done, job.position, job.until_id) == (CappedCount(3, capped=True), 0, None, 9)


def test_a_job_is_claimed_by_one(jobs):
    first, second = add(jobs), add(jobs)
    assert [jobs.claim("a", 60).id, jobs.claim("b", 60).id] == [first, second]
    assert jobs.claim("c", 60) is None


def test_a_lease_that_ends_lets_another_go_on_where_progress_was_written(jobs):
    job_id = add(jobs)
    jobs.claim("a", 60)
    jobs.advance(job_id, "a", 0, position=("小明", 7), results=["revoked"] * 2)
    job = wait_until(lambda: jobs.claim("b", 60))
    assert (job.position, job.done, dict(job.results)) == (("小明", 7), 2, {"revoked": 2})
    assert jobs.advance(job_id, "a", 60, position=("x", 8), results=["revoked"]) is None
    assert jobs.get(job_id).done == 2


def test_a_lease_from_before_the_clock_was_set_back_holds_nobody_up(jobs):
    job_id = add(jobs)
    jobs.claim("a", 6 * 3600)
    assert jobs.claim("b", 60).id == job_id


def test_a_lease_given_back_is_free_at_once(jobs):
    job_id = add(jobs)
    jobs.claim("a", 60)
    jobs.release(job_id, "another")
    assert jobs.claim("b", 60) is None
    jobs.release(job_id, "a")
    assert jobs.claim("b", 60).id == job_id


def test_results_add_up(jobs):
    job_id = add(jobs)
    jobs.claim("a", 60)
    jobs.advance(job_id, "a", 60, position=(1, 1), results=["revoked", "missing"])
    assert jobs.advance(job_id, "a", 60, position=(2, 2), results=["revoked"]) is JobStatus.RUNNING
    assert dict(jobs.get(job_id).results) == {"revoked": 2, "missing": 1}
    assert jobs.finish(job_id, "a", NOW + 5)
    job = jobs.get(job_id)
    assert (job.status, job.done, job.finished_at, job.is_over) == (JobStatus.DONE, 3, NOW + 5, True)


def test_whoever_works_learns_that_a_job_was_paused_and_it_goes_on_when_resumed(jobs):
    job_id = add(jobs)
    jobs.claim("a", 60)
    assert jobs.pause(job_id)
    assert jobs.advance(job_id, "a", 60, position=(1, 1), results=[]) is JobStatus.PAUSED
    jobs.release(job_id, "a")
    assert jobs.claim("b", 60) is None
    assert jobs.resume(job_id)
    assert jobs.claim("b", 60).position == (1, 1)


def test_a_stopped_job_is_over_for_good(jobs):
    job_id = add(jobs)
    jobs.claim("a", 60)
    assert jobs.stop(job_id, NOW + 1)
    assert not jobs.finish(job_id, "a", NOW + 2)
    assert not jobs.resume(job_id)
    assert not jobs.pause(job_id)
    assert not jobs.stop(job_id, NOW + 3)
    assert jobs.get(job_id).status is JobStatus.STOPPED
    assert jobs.get(job_id).finished_at == NOW + 1


def test_jobs_are_listed_newest_first(jobs):
    ids = [add(jobs) for _ in range(3)]
    assert [job.id for job in jobs.list(limit=2)] == ids[:0:-1]
    assert [job.id for job in jobs.list(after=ids[1])] == [ids[0]]
    assert [job.id for job in jobs.list(after=ids[0], descending=False)] == ids[1:]
    assert jobs.count() == CappedCount(len(ids))
    assert jobs.get(ids[-1] + 1) is None


def test_how_it_ended_for_each_selected_user_is_kept_in_their_order(jobs):
    job_id = add(jobs, JobTarget(users=tuple(("wx", f"o{number}") for number in range(5))))
    jobs.claim("a", 60)
    jobs.advance(job_id, "a", 60, position=(2, 2), results=["revoked", "failed"], by_user=True)
    jobs.advance(job_id, "a", 60, position=(2, 2), results=[], by_user=True)
    assert jobs.get(job_id).user_results == ["revoked", "failed"]
    # A process of a version before this one counts only; what follows stands in its place all the same.
    jobs.advance(job_id, "a", 60, position=(4, 4), results=["revoked", "revoked"])
    jobs.advance(job_id, "a", 60, position=(5, 5), results=["sealed"], by_user=True)
    job = jobs.get(job_id)
    assert job.user_results == ["revoked", "failed", None, None, "sealed"]
    assert (job.done, job.results) == (5, {"revoked": 3, "failed": 1, "sealed": 1})
