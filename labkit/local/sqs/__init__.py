"""SQS, whole: standard and FIFO queues. Read ``queue.py`` first: what waits in a queue, is in flight, or is delayed.

``waiting_lines.py`` is the order in which messages wait, ``fifo.py`` what a FIFO queue has beyond the rest.
``queues.py`` keeps the queues and answers the operations on them, ``messages.py`` those on messages
(``new_message.py`` and ``received_message.py``: from request to message and back), ``move_tasks.py`` brings messages
of a dead-letter queue back. ``api.py`` is all of it as the wiring sees it.
"""
