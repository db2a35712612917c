"""Nothing is imported before it is used: not PyTorch, and not the plugin where nothing asks for it."""

import subprocess
import sys

CODE = """
import sys
import agnograd as ag
def loaded():
    return {name for name in ("torch", "agnograd_torch") if name in sys.modules}
assert not loaded(), loaded()
(ag.ones(2, requires_grad=True) * 2).sum().backward()
assert not loaded(), loaded()
import agnograd_torch.plugin
(backend,) = agnograd_torch.plugin.agnograd_backends()
from agnograd import plugins
assert "torch" in plugins.manager.backends()
assert loaded() == {"agnograd_torch"}, loaded()
ag.namespace("torch")
assert "torch" in sys.modules
"""


def test_nothing_is_imported_before_it_is_used():
    subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", CODE], check=True)
