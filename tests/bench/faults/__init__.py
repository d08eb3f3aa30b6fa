"""The application under faults: ``python -m tests.bench.faults --visits 10000``."""
