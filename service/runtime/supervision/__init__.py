"""Several serving processes, and what the service manager of the machine is told of them."""
