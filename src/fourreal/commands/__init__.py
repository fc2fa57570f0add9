"""The fronts behind the command line: parse, call, show. No mathematics here."""
