"""``python -m agnograd``, and the console script ``agnograd``."""

from __future__ import annotations

import sys

from agnograd.cli import main

if __name__ == "__main__":
    sys.exit(main())
