"""S3 in front of moto, which keeps the buckets and the objects (``moto_app/s3.py``).

Each module stands before the calls or the requests that its name says, and refuses or adds what moto does not. A
request passes ``cors``, ``post_object`` and the gateway, which asks ``access`` who may; then comes what stands before
its operation. Read ``interceptors`` first: ``object_checks`` where an object is stored, ``listing`` in place of moto,
``notifications`` around every change of an object. ``website`` is an endpoint of its own. Presigned addresses, which
other services have, too, are in ``front_door/presigned_url.py``.
"""
