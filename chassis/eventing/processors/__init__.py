"""Event processors: what follows the facts, its checkpoints, and the inbox that feeds it."""
