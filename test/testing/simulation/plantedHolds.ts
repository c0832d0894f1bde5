/** Bugs of holds that change, captures to wallets, forced debits and freezes, of the form of `plantedBugs.ts`. */

const bug = (name: string, ...changes: ReadonlyArray<readonly [file: string, text: string, by: string]>) => ({
  name,
  replacements: changes.map(([file, text, by]) => ({ file: `src/${file}`, text, by })),
  foundBy: undefined
})

/** So rare in the simulation that unit tests have to see it. */
const byTests = (name: string, foundBy: string, change: Parameters<typeof bug>[1]) => ({
  ...bug(name, change),
  foundBy
})

export const plantedHolds = [
  bug("a hold is raised without funds", [
    "domain/HoldRules.ts",
    "    (raised > 0n ? insufficient(wallet, raised) : undefined)\n",
    "    undefined\n"
  ]),
  bug("a hold is lowered below what is captured of it", [
    "domain/HoldRules.ts",
    "    (amount < hold.captured\n",
    "    (amount < 0n\n"
  ]),
  bug("a hold that was changed has its old amount in its row", [
    "domain/HoldEvents.ts",
    'event._tag === "HoldChanged" ? { ...change, status, terms } : { ...change, status }',
    "{ ...change, status }"
  ]),
  byTests("a hold expires while a capture of it is under way", "test/domain/HoldsAndFreezes.test.ts", [
    "domain/HoldRules.ts",
    "  if (hold.inFlight !== null) return Result.fail(invalid(`of hold ${hold.id} something is in flight`))\n",
    ""
  ]),
  bug("what a final capture to a wallet releases is free before that has received", [
    "domain/HoldRules.ts",
    "      heldAfter: wallet.held - amount\n",
    "      heldAfter: wallet.held - amount - rest\n"
  ]),
  bug("money of a refused capture comes back without being held", [
    "domain/TransferRules.ts",
    "? { captured, remaining: hold.remaining + amount + rest, heldChange: amount }",
    "? { captured, remaining: hold.remaining, heldChange: -rest }"
  ]),
  byTests("money of a refused capture is held again although its hold was released", "test/engine/CaptureTo.test.ts", [
    "domain/HoldEvents.ts",
    "({ remaining: 0n, ended: true })",
    "({ remaining: 0n })"
  ]),
  bug("a hold forgets what is in flight of it, and is gone when that comes back", [
    "domain/HoldEvents.ts",
    "    inFlight: (hold.inFlight ?? 0n) + amount\n",
    "    inFlight: hold.inFlight\n"
  ]),
  bug("a debit that is not forced asks for no funds", [
    "domain/MovementRules.ts",
    "const forced = command.force === true",
    "const forced = command.force !== null"
  ]),
  bug("a forced debit does not say so in the log", [
    "domain/MovementRules.ts",
    "forced: forced || null,",
    "forced: null,"
  ]),
  bug("force is no part of the fingerprint", ["domain/Fingerprint.ts", 'command.force === true ? "|force" : ""', '""']),
  bug("a freeze stops credits in any direction", [
    "domain/Wallet.ts",
    'direction === "all" || direction === way',
    'direction === "all" || direction === way || way === "credits"'
  ]),
  bug("a wallet that is frozen for credits receives transfers", [
    "domain/TransferRules.ts",
    '    closedOrFrozen(wallet, "credits", context) ??\n',
    '    (wallet.status === "closed" ? closedOrFrozen(wallet, "credits", context) : undefined) ??\n'
  ]),
  bug(
    "a freeze ends before its time",
    ["domain/LifecycleRules.ts", "|| time < until)", "|| time < until - 500)"],
    [
      "engine/Sweepers.ts",
      "persistence.dueFreezes({ now, limit })",
      "persistence.dueFreezes({ now: now + 500, limit })"
    ]
  ),
  bug("a freeze that is over counts until its end is written", [
    "domain/Decision.ts",
    "return until !== null && time >= until ? undefined :",
    "return until !== null && time < 0 ? undefined :"
  ]),
  bug("nobody ends freezes", [
    "engine/Sweepers.ts",
    "      yield* Effect.forkScoped((yield* dueFreezes(bounds)).run)\n",
    ""
  ]),
  bug("a second freeze does not replace the first", [
    "domain/LifecycleRules.ts",
    "if (sameFreeze(wallet.freeze, { direction: given, reason, until }))",
    'if (wallet.status === "frozen")'
  ])
]
