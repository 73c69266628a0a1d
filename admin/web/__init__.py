"""What all pages of the dashboard share: the handler, its checks, languages, notices, and how arguments are read."""
