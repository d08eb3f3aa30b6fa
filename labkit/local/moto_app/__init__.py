"""The one door to moto: no module outside this package imports it. Read ``app`` first.

moto is not thread-safe, so everything that touches its backends goes through :meth:`MotoApp.run`, one at a time.

- A call: ``recognise`` reads it from the request, ``operations`` says whether moto may answer it, ``app`` lets moto
  answer, ``answers`` serialises what we answer ourselves, and ``unfit`` says what AWS has for a call that somebody
  tripped over. ``json_types``, ``constraints``, ``xml_document`` and ``sqs_query`` know what a call may look like.
- A module per service (``s3``, ``s3_objects``, ``dynamodb_items``, ``streams``, ``kinesis``, ``logs``,
  ``iam``, ``aws_managed_policies``, ``rest_…``) reads and writes moto's state for our own features, or answers in
  moto's place where moto is slow or wrong.
- ``state`` keeps moto's state in the journal, by way of ``state_changes`` and ``containers``.
"""
