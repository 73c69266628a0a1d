"""What the dashboard is handed of the service: the protocols of `admin.services`, implemented."""
