"""SQS: queues and their messages, whole."""
