"""Lambda: functions, their policies, their execution environments and the three ways to invoke them.

``api.py`` puts the parts together: read it first. A call is about the functions (``functions.py``, each a
``function.py``), about what belongs to one (``versions.py``, ``permissions.py``, ``concurrency.py``, ``tags.py``,
``event_invoke_config.py``, ``layers.py``), or it is an Invoke. ``invocation.py`` takes an environment from
``environments.py`` and lets it run the function: ``environment.py`` starts a ``process.py``, in which ``worker.py`` or
``worker.mjs`` speaks with ``runtime_api.py``. Asynchronous events wait in ``async_invocation.py``.
"""
