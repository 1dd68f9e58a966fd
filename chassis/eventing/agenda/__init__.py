"""The agenda, the scheduler of this house: reactions, timers, sends, retries, parked work as rows of one table (design.md 5)."""
