"""Bridges to libraries that ask an array for more than the standard."""

from agnograd.interop import numpy_protocol

__all__ = ["numpy_protocol"]
