"""Fixtures of the contract tests: ``function`` and ``queue``, wherever they are needed."""

from tests.contract.test_pipeline import function, queue  # noqa: F401  fixtures
