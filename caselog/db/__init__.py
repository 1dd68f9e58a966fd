"""PostgreSQL under the log and under every service: pools, named queries, migrations, and which errors pass."""
