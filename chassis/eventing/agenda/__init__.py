"""The agenda: what is owed. Reactions, timers, sends, retries and parked work are rows of one table (design.md section 5)."""
