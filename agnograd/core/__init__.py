"""The engine. It knows no array library, no plugin and no method of a tensor."""
