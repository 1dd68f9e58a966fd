"""Commands, processors, projections, Kafka, the relay and the agenda: how facts are made and followed."""
