"""The local cloud: one process, ``python -m labkit.local``; ``wiring.py`` shows how it is put together."""
