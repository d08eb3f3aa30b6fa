"""The one door to moto: recognise a call, serialise an answer, and read or write what moto keeps.

moto is not thread-safe, so everything that touches its backends runs in one worker thread (:meth:`MotoApp.run`).
No module outside this package imports moto. ``protocols`` recognises and serialises, ``app`` lets moto answer a call,
and the other modules, one per service, read and write moto's state for our own features.
"""
