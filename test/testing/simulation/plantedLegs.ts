/** Bugs of transfers of several legs, of the form of `plantedBugs.ts`. */

const bug = (name: string, file: string, text: string, by: string) => ({
  name,
  replacements: [{ file: `src/${file}`, text, by }],
  foundBy: undefined
})

export const plantedLegs = [
  bug(
    "legs are told to a wallet before their home has decided",
    "engine/TransferRun.ts",
    "  const decided = yield* attempt(steps.decide(transfer, lowestLeg(promised)))\n",
    `  for (const one of promised) {
    if (one._tag !== "Prepared" || lowestLeg(promised) === undefined) continue
    yield* attempt(steps.tell(transfer, one.walletId, { _tag: "Released", leg: 0, reason: "early" }))
  }
  const decided = yield* attempt(steps.decide(transfer, lowestLeg(promised)))\n`
  ),
  bug(
    "legs: what a wallet has answered, and nobody knows, is taken for a refusal",
    "engine/LegsSteps.ts",
    "      if (!isRefusal(error)) return Effect.fail(error)\n",
    `      if (error._tag === "OutcomeUnknown" || error._tag === "StoreUnavailable") {
        return Effect.succeed<Promised>({ _tag: "Refused", leg: first, reason: error.message })
      }
      if (!isRefusal(error)) return Effect.fail(error)\n`
  ),
  bug(
    "legs: a wallet's refusal is not put on record there",
    "engine/LegsSteps.ts",
    "refuse(legOf(error) ?? first, `${error._tag}: ${error.message}`),",
    `Effect.succeed<Promised>({ _tag: "Refused", leg: legOf(error) ?? first, reason: error.message }),`
  ),
  bug(
    "legs are settled before all wallets know",
    "engine/TransferRun.ts",
    `    promised.flatMap((one) => (one._tag === "Prepared" ? [one.walletId] : [])),\n`,
    `    promised.flatMap((one) => (one._tag === "Prepared" ? [one.walletId] : [])).slice(1),\n`
  ),
  bug(
    "legs: what has been applied stays prepared, and is applied again",
    "domain/LegsEvents.ts",
    "  return prepared === undefined || prepared.begun === null\n",
    "  if (prepared !== undefined && prepared.begun === null) return withPrepared(wallet, recorded, prepared)\n  return prepared === undefined || prepared.begun === null\n"
  ),
  bug(
    "legs: the decision has a key for each outcome, so that it is changed after a crash",
    "engine/LegsSteps.ts",
    "wallets.ask(outcome(transfer, walletId, refused), endKey(transfer), engineOrigin)",
    "wallets.ask(outcome(transfer, walletId, refused), `e:end:${transfer.id}:${refused === undefined}`, engineOrigin)"
  ),
  bug(
    "legs: a wallet that has promised can be closed",
    "domain/LifecycleRules.ts",
    "HashMap.size(wallet.transfers) + HashMap.size(wallet.prepared)\n",
    "HashMap.size(wallet.transfers)\n"
  ),
  bug(
    "legs: a wallet holds in transit what all of them come to, not what the deepest point needs",
    "domain/Legs.ts",
    "    if (-at > deepest) deepest = -at\n    if (at > highest) highest = at\n  }\n",
    "    if (at > highest) highest = at\n  }\n  if (at < 0n) deepest = -at\n"
  ),
  bug(
    "legs: a later leg counts for an earlier one",
    "domain/LegsRules.ts",
    "  let funds = available(wallet)\n  for (const one of legs) {\n",
    "  let funds = available(wallet) + legs.reduce((sum, one) => sum + (legChange(one) > 0n ? one.amount : 0n), 0n)\n  for (const one of legs) {\n"
  ),
  bug(
    "legs: a decided transfer is not taken up again after a crash",
    "engine/LegsSteps.ts",
    "  begun === null\n    ? undefined\n",
    "  begun === null || id.length > 0\n    ? undefined\n"
  )
]
