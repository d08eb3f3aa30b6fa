"""SNS: topics, subscriptions, and the way of a message to each of them."""
