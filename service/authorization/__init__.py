"""From a code to a stored authorization, and who a browser is afterwards."""
