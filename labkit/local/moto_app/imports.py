"""Import moto's modules when they are first needed, and without what takes long and is not used."""

from __future__ import annotations

import importlib
import sys
import types

VALIDATOR = "openapi_spec_validator"


def import_responses(service: str) -> types.ModuleType:
    """Return moto's module that answers calls of *service*.

    ``openapi_spec_validator`` is kept from coming with API Gateway, since that alone takes two seconds: moto calls it
    in ImportRestApi and PutRestApi only, which never reach moto (``rest_api_import`` writes what they make).
    """
    names = (VALIDATOR, f"{VALIDATOR}.validation", f"{VALIDATOR}.validation.exceptions")
    absent = [name for name in names if service == "apigateway" and name not in sys.modules]
    for name in absent:
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(validate=None, OpenAPIValidationError=Exception)
    try:
        return importlib.import_module(f"moto.{service}.responses")
    finally:
        for name in absent:
            del sys.modules[name]
