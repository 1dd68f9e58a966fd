"""Running a service: its container, its lifespan, its command line."""
