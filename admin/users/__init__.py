"""The pages about users: the list and one user."""
