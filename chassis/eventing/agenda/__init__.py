"""The agenda: reactions, timers, sends, retries and parked work as rows of one table (design.md section 5)."""
