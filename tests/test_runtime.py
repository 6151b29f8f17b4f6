import os

import pytest

from mnist_localization.hooks import CoresHooks
from mnist_localization.runtime import shared_cores


@pytest.mark.parametrize(("cores", "threads"), [(1, "1"), (2, "1"), (16, "8")])
def test_an_operation_gets_half_of_the_cores(monkeypatch, cores, threads):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert shared_cores() == {"TF_NUM_INTRAOP_THREADS": threads}
    monkeypatch.setattr(os, "environ", dict(os.environ))
    CoresHooks().before_pipeline_run()
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == threads


@pytest.mark.parametrize(("cores", "threads"), [(None, "1"), (8, "4")])
def test_where_the_system_does_not_say_all_cores_count(monkeypatch, cores, threads):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert shared_cores() == {"TF_NUM_INTRAOP_THREADS": threads}


def test_what_the_environment_says_is_kept(monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    assert shared_cores() == {"TF_NUM_INTRAOP_THREADS": "3"}
