"""The four services that write facts, and the auditors' desk that only reads them."""
