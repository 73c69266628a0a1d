"""What goes on beside the requests: counting, heartbeats, trimming."""
