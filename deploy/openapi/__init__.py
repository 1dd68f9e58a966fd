"""The OpenAPI documents of all doors as files: generated, committed, checked."""
