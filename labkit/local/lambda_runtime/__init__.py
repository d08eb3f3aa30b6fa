"""Lambda: functions, their policies, their execution environments and the three ways to invoke them."""
