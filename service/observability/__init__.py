"""What the service tells about itself: logs without credentials, and metrics."""
