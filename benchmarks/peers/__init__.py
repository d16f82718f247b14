"""Peers: each module is run in a process of its own by `benchmarks.harness.run_peer`."""
