"""What gathering results does where one of them cannot be read; what it writes is tested where it is shown."""

import time

import pandas as pd
import pytest

from benchmark.collect import _gather
from benchmark.errors import StaleOutput


def test_nothing_is_still_being_read_when_a_failure_is_told():
    begun, ended = [], []

    def read(item):
        begun.append(item)
        time.sleep(0.05 if item == 0 else 0.3)
        if item == 0:
            raise StaleOutput("damaged")
        ended.append(item)
        return pd.DataFrame({"item": [item]})

    with pytest.raises(StaleOutput, match="damaged"):
        _gather(range(2), read, partial=False)
    assert begun == [0, *ended]
