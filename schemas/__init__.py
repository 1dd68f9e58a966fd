"""The published language: what the services say to each other. Imports nothing of ours."""
