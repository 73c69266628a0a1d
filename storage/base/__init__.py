"""What everything in storage stands on: errors, the clock, tasks, passwords."""
