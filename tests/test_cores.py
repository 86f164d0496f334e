"""Work spread over processes."""
import os
import sys
import time

import pytest

from m2ae_mm.cores import in_parallel


def process(_: int) -> int:
    time.sleep(0.02)
    return os.getpid()


@pytest.mark.skipif(sys.platform != 'linux', reason='processes inherit nothing elsewhere')
@pytest.mark.parametrize('first_alone, here', [(False, 0), (True, 1)])
def test_only_work_that_others_inherit_is_done_before_they_start(first_alone, here):
    found = list(in_parallel(process, range(8), 2, first_alone))
    assert len(found) == 8 and found.count(os.getpid()) == here == found[:1].count(os.getpid())
    assert list(in_parallel(process, range(2), 1, first_alone)) == [os.getpid()] * 2
