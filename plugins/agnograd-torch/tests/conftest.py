"""The marks of the matrix: what is known to fail, and what runs only when exhaustive runs are asked for."""

import os

import pytest

# Operations of other plugins that are installed have no bodies for this backend.
os.environ.setdefault("AGNOGRAD_LOAD_PLUGINS", "agnograd-torch")


def pytest_collection_modifyitems(items):
    import capabilities
    from agnograd.testing import cases

    few = {case.key for case in cases(few=True)}
    for item in items:
        params = getattr(item, "callspec", None) and item.callspec.params
        if params and "agnograd_case" in params:
            case = params["agnograd_case"]
            if case.key not in few:
                item.add_marker(pytest.mark.slow)
            why = capabilities.reason(case.op.name, item.originalname, case.id)
            if why is not None:
                item.add_marker(pytest.mark.xfail(reason=why, strict=True))
