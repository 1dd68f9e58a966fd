"""Handling a command: load the stream, decide, seal, append."""
