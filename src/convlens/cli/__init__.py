"""The command line: one file a verb, which parses, calls `convlens.api` and prints."""
