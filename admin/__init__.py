"""The dashboard for operators. It knows storage; what it needs of the service is handed to `make_admin_routes`."""
