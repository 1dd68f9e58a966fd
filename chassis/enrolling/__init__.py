"""Who may work at a desk, said from a terminal: its local accounts, and the desk's own enrolments beside them."""
