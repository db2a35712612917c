"""Descriptions of the built-in backends. Nothing here imports an array library until its arrays are used."""
