"""Counts of what dask is asked to do: tasks that reach the scheduler, and reads of data."""

import contextlib

import dask
import dask.array as da
from dask._task_spec import Alias, DataNode


class Source:
    """An array that counts how often a part of it is read."""

    def __init__(self, values):
        self.values = values
        self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim
        self.reads = 0

    def __getitem__(self, key):
        self.reads += 1
        return self.values[key]

    def lazy(self, chunks):
        """It, as an array of dask."""
        return da.from_array(self, chunks=chunks, name=False, meta=self.values[:0])


def tasks_of(*lazy):
    """What reaches the scheduler when some arrays are computed together: a dict of tasks."""
    found = []

    def get(graph, keys, **options):
        found.append(graph.__dask_graph__() if hasattr(graph, "__dask_graph__") else graph)
        raise Stop

    with contextlib.suppress(Stop):
        dask.compute(*lazy, scheduler=get)
    return dict(found[0])


def count_of_tasks(*lazy):
    """Number of tasks that run: names for others, and data that are there, are none."""
    return sum(1 for task in tasks_of(*lazy).values() if not isinstance(task, (Alias, DataNode)))


class Stop(Exception):  # noqa: N818 - no error
    """Nothing is to be computed."""
