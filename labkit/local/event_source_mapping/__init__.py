"""Event source mappings: queues and streams read by Lambda, which invokes with batches."""
