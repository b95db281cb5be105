"""Prints what the Autobahn test suite found, one case a line: the case, then what it says of the listener and of the
dialler, of the messages and of the end of the connection. Fails where either has failed.

Usage: python verdicts.py <directory of the two reports>
"""

import json
import os
import sys

AGENTS = ["listener", "dialler"]
FAILURES = ["FAILED", "WRONG CODE", "UNCLEAN", "FAILED BY CLIENT", "UNIMPLEMENTED"]


def verdicts(agent):
    with open(os.path.join(sys.argv[1], agent, "index.json")) as report:
        cases = json.load(report)[agent]
    return {case: (verdict["behavior"], verdict["behaviorClose"]) for case, verdict in cases.items()}


by_agent = [verdicts(agent) for agent in AGENTS]
cases = sorted(set().union(*by_agent), key=lambda case: [int(number) for number in case.split(".")])
print("# case: listener, end of its connection; dialler, end of its connection")
failed = 0
for case in cases:
    found = [by.get(case, ("MISSING", "MISSING")) for by in by_agent]
    failed += sum(verdict in FAILURES + ["MISSING"] for pair in found for verdict in pair)
    print("%s: %s" % (case, "; ".join(", ".join(pair) for pair in found)))
print("# %d cases, %d failures" % (len(cases), failed))
sys.exit(failed > 0)
