"""EventBridge: rules, their event patterns and their targets."""
