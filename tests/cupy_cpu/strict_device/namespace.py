"""The Array API namespace of the strict device: what ``array_namespace`` of its arrays gives."""

import sys

from .functions import fill

fill(sys.modules[__name__])
