"""IAM and STS: who holds which keys, and may do what; read ``authorisation`` first.

The store of users, roles and policies is moto's. The language of policies is ``labkit.local.policy``.
"""
