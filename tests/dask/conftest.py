"""What belongs to CuPy's process: test_cupy_column.py starts it where CuPy is one of several backends."""


def pytest_ignore_collect(collection_path, config):
    on_cupy = config.getoption("agnograd_backends") == "cupy"
    return (
        True if (collection_path.name == "test_cupy_chunks.py") is not on_cupy and collection_path.is_file() else None
    )
