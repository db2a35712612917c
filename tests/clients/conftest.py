"""The clients are tried on NumPy's arrays: not where only other backends are tested."""


def pytest_ignore_collect(config):
    return True if "numpy" not in config.option.agnograd_backends.split(",") else None
