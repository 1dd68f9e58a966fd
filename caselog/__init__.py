"""The case event log as a library: append, read, chain, verify, timeline. The only way to the log's tables."""
