"""CloudTrail: what every call leaves behind, in the history, in a trail's bucket and on EventBridge.

``api`` is told of every call: ``record`` makes the record of it, which goes into the ``event_history`` and to each of
the ``trails`` whose ``event_selectors`` let it through. ``delivery`` brings it from there into the ``trail_bucket`` and
to the rules of EventBridge, later.
"""
