"""The bus: Kafka is the path of facts between services, the log is the repair (design.md section 4)."""
