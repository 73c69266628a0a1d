"""The service's implementations of the protocols of `admin.services`, by which the dashboard uses it."""
