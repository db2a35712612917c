"""A project of its own: runs of others pass it by."""

from pathlib import Path

HERE = Path(__file__).parent


def pytest_ignore_collect(config):
    return None if config.rootpath == HERE else True
