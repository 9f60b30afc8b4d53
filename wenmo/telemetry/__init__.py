"""What runs and what it takes, live: memory of the process and of each GPU, events, durations, the machine."""
