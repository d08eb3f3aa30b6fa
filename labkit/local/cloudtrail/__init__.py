"""CloudTrail: what every call leaves behind, in the history, in a trail's bucket and on EventBridge."""
