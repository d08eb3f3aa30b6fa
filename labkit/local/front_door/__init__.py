"""The front door: an HTTP request comes in and is answered.

``server`` tells whom an address belongs to; ``gateway`` is the way of an AWS call, read it second; ``identify`` and the
modules of signatures tell who calls.
"""
