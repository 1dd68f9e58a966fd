"""The vault: keys per (case, person, class), sealing, opening, aliases, blind indexes, tracking codes (design.md section 6)."""
