"""API Gateway REST APIs (v1): what answers on a stage's address. Their control plane is moto's, corrected."""
