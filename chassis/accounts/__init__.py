"""Who may sign in: local accounts, sessions, one-time codes, OpenID Connect, and registration from a terminal."""
