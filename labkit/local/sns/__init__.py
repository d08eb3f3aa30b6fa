"""SNS: topics, subscriptions, and the way of a message to each of them.

``api`` puts the parts together: ``topics`` and ``subscriptions`` are what there is, ``publishing`` decides who gets a
message, and ``delivery`` brings it there, tries again, and turns to the dead-letter queue in the end. What a message
looks like on its way is in ``notification`` (JSON) and ``email``.
"""
