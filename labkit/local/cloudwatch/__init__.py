"""CloudWatch: the metrics that services publish, and what moto leaves out of CloudWatch Logs."""
