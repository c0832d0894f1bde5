/** Bugs of policies, of the form of `plantedBugs.ts`. */
import { bug, change, foundBy, type PlantedBug } from "./plantedBug.ts"

export const plantedPolicies: ReadonlyArray<PlantedBug> = [
  bug(
    "what policies know is lost with a restart",
    change("actors/WalletHistory.ts", "policies.decode(keptFacts)", "{ facts: policies.initial, missing: [] }")
  ),
  bug(
    "a new version of a policy begins with nothing",
    change(
      "domain/PolicySet.ts",
      "if (!isBroken && size === 0) missing.push(index)",
      "if (!isBroken && size === 0) continue"
    )
  ),
  bug(
    "a new version of a policy folds too little of the history that it reaches",
    change("actors/FactsHistory.ts", "updatedAt - reach,", "updatedAt - reach / 4,")
  ),
  bug(
    "a new version of a policy counts twice what came since the snapshot",
    change("actors/FactsHistory.ts", "each({ after, upTo: version }", "each({ after, upTo: Infinity }")
  ),
  bug(
    "what policies know does not move with what is done",
    change("actors/CommittedBatch.ts", "  actor.facts = plan.facts\n", "")
  ),
  bug(
    "policies count what was planned, and not appended",
    change(
      "actors/CommandBatch.ts",
      "  if (plan.verdicts.length === 0) {\n",
      "  actor.facts = plan.facts\n  if (plan.verdicts.length === 0) {\n"
    )
  ),
  foundBy(
    "test/engine/Policies.test.ts",
    "a dry run counts for policies",
    change(
      "actors/BatchPlan.ts",
      "    verdicts.push(verdict)\n",
      '    verdicts.push(verdict)\n    if (verdict._tag === "Tried") current = { ...current, facts: verdict.facts }\n'
    )
  ),
  bug(
    "policies see each leg of a transfer as if it were alone",
    change(
      "domain/Policy.ts",
      "wallet: index === 0 ? wallet : afterLegs(wallet, asked, asked.legs.slice(0, index))",
      "wallet: index < asked.legs.length ? wallet : afterLegs(wallet, asked, asked.legs.slice(0, index))"
    )
  ),
  bug(
    "policies are not asked of legs that another wallet's owner begins",
    change("domain/Policy.ts", "      return legByLeg(wallet!, command)\n", "      return nothing\n")
  ),
  bug(
    "velocity: what is promised to legs does not count until it has left",
    change("domain/Policies.ts", "size, now) + promisedBy(wallet)", "size, now) + (promisedBy(wallet) & 0n)")
  ),
  bug(
    "velocity: a bucket is out of the window with its first moment",
    change("domain/RollingSum.ts", "  (bucket + 1) * bucketMillis <=", "  bucket * bucketMillis <=")
  ),
  foundBy(
    "test/engine/Policies.test.ts",
    "a policy is asked about what the engine does by itself",
    change(
      "domain/Policy.ts",
      '    case "ExpireHold":\n',
      '    case "ExpireHold":\n      return [{ wallet, command: { ...command, _tag: "ReleaseHold" } }]\n'
    )
  )
]
