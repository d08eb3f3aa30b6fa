"""API Gateway REST APIs (v1). Read ``routes.py`` first: a request on its way from a stage's address to an integration.

At work: ``method_request.py`` is that request. ``resource_paths.py`` finds its method; ``authorizers.py``,
``iam_authorization.py``, ``resource_policy.py``, ``usage_plans.py`` and ``validation.py`` let it pass or raise a
``gateway_error.py``, which leaves by ``gateway_responses.py``; else one of the ``*_integration.py`` answers it.

Being set up: moto keeps the APIs and ``control_plane.py`` corrects it. The ``*_checks.py`` refuse what AWS refuses,
``answers.py`` shows what AWS shows; ``import_rest_api.py`` and the ``openapi_*.py`` make an API of a document.
"""
