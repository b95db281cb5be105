"""Gives a node a transaction in a signed checkpoint, and prints its id: prepare.py URL TOKEN."""

import json
import sys
import urllib.request

URL, TOKEN = sys.argv[1:]
# More than the depth below which a checkpoint is signed.
BLOCKS = 10


def post(path, body):
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


identifier = post("/transactions", {"data": "a record"})["id"]
for _ in range(BLOCKS):
    post("/mine", {})
urllib.request.urlopen(f"{URL}/receipts/{identifier}", timeout=10).close()
print(identifier)
