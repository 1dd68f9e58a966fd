"""The embedded stack: the real PostgreSQL and the real Apache Kafka, from wheels and jars (docs/design.md section 8)."""
