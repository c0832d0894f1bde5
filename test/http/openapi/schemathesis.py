"""
For a run of Schemathesis by hand against a service (docs/GUIDE.md has the command): what no schema can say is no
failure. A text is listed here for a rule between members, for what only an earlier answer gives, and for the state of
the service; all else that Schemathesis finds counts. `Requests.test.ts` has the same list for our own drawn requests.
"""

import json
import re

import schemathesis

UNSAYABLE = re.compile(
    "|".join(
        [
            r"^cursor: not one that a list of this kind has answered$",
            r"^at most one of minVersion, atVersion and at can be asked for$",
            r"^timezone: not an IANA name",
            r"^from: (after to|not after)",
            r"^restriction: a key with the scope admin cannot have one$",
            r"^expiresAt: not in the future$",
            r"of which the first is from walletId",
            r"^leg: the transfer has \d+",
            # The same keys are drawn again and again.
            r"^the idempotency key was used for another command",
            # 503, as documented: of a version that is still to come.
            r"has not reached version \d+$",
            r"^position \d+ is beyond the head of the log",
        ]
    )
)


def is_dry_run(case) -> bool:
    return str((case.query or {}).get("dryRun")).lower() == "true"


@schemathesis.hook
def filter_failure(context, failure, case, response) -> bool:
    try:
        body = json.loads(response.content)
    except ValueError:
        return True
    if UNSAYABLE.search(str(body.get("detail"))):
        return False
    # A dry run may be without a key, and an empty one is none.
    if is_dry_run(case) and not (case.headers or {}).get("Idempotency-Key"):
        return False
    # Of a batch each command is judged by itself: a malformed one has a 400 of its own in the answer.
    results = body.get("results")
    return not (results and all(one["status"] == 400 for one in results))
