"""A committed function (``application.py`` in the same zip) with trouble put before it.

A visit says in its Category which trouble happens where: ``fault handler hangs 17``. It happens once; a file in COUNTS,
made before, remembers and counts it. ``poison`` is always unreadable to the handler, ``sour`` to the lake's function.
"""

import json
import os
import re
import subprocess
import sys
import time

import application

PLACE, COUNTS = os.environ["PLACE"], os.environ["COUNTS"]
TROUBLE = re.compile(r"fault (\w+) (\w+) (\d+)")
LEAK = []


def lambda_handler(event, context):
    chosen = [
        kind
        for place, kind, number in TROUBLE.findall(json.dumps(event))
        if place == PLACE and happens_first(f"{kind}-{place}-{number}")
    ]
    for kind in chosen:
        if kind != "exits_afterwards":
            globals()[kind]()
    for record in event.get("Records", []):
        spoil(record)
    answer = application.lambda_handler(event, context)
    if "exits_afterwards" in chosen:
        os._exit(4)
    return answer


def happens_first(name):
    """Take note of a trouble before it happens; say whether it has not happened yet."""
    try:
        os.close(os.open(os.path.join(COUNTS, name), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def spoil(record):
    """Make unreadable what is to fail whenever it comes."""
    if PLACE == "handler" and "poison" in record["body"]:
        record["body"] = "no JSON"
    if PLACE == "lake" and "sour" in record["dynamodb"]["NewImage"]["Category"]["S"]:
        record["dynamodb"]["NewImage"] = {}


def hangs():
    time.sleep(600)


def raises():
    raise RuntimeError("as it was told")


def exits():
    os._exit(3)


def leaks():
    """Keep 30 MB for good; end as Lambda ends what has no memory left."""
    LEAK.append(bytes(30 * 2**20))
    if len(LEAK) > 3:
        os.kill(os.getpid(), 9)


def forks():
    """Leave a child behind that holds the output's pipe open."""
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3)"])


def prints():
    for _ in range(40):
        print("x" * 100_000)
    print("y" * 3_000_000, end="")


def dawdles():
    time.sleep(0.3)
