"""Kafka: the connection, the topic, the form of a message, the consumer."""
