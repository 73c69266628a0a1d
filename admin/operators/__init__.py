"""Who may use the dashboard and the internal API: operators, their sign-in and own account, API keys."""
