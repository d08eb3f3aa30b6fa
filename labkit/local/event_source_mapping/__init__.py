"""Event source mappings: queues and streams read by Lambda, which invokes with batches.

``mappings.py`` has the operations of the API: read it first. ``event_sources.py`` looks at the source of a new one, and
``mapping_settings.py`` at what is asked for. ``pollers.py`` runs a poller for each mapping that is enabled: ``sqs.py``
for a queue; for a stream ``stream_poller.py``, which reads it, and ``stream_batch.py``, which says what becomes of a
batch. What differs between the streams stands in ``dynamodb_streams.py`` and ``kinesis.py``.
"""
