"""Apache Kafka from its jars: fetched by coordinates, checked against committed hashes, run on the JRE wheel."""
