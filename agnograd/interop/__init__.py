"""Bridges to libraries that ask an array for more than the standard."""
