"""EventBridge: rules, their event patterns and their targets.

``api.py`` takes an event and hands it to the rules that match: read it first. Buses are in ``event_buses.py``, rules
with their targets in ``rules.py``, the time of scheduled ones in ``schedule_expression.py`` and ``schedules.py``.
``delivery.py`` brings an event to a target on a way of ``targets.py``, as ``input_transformer.py`` makes it.
"""
