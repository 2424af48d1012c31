ebs-snapshot serve --data ./snapshots     # prints: listening on http://127.0.0.1:PORT
