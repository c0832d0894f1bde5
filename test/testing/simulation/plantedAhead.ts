/** Bugs of what a wallet decides while its append is in flight, of the form of `plantedBugs.ts`. */
import { bug, change, foundBy } from "./plantedBug.ts"

const ahead = (name: string, text: string, by: string) =>
  bug(`ahead: ${name}`, change("actors/DecideAhead.ts", text, by))

export const plantedAhead = [
  // Each of the two stands in for the other.
  bug(
    "ahead: what rests on an append that has failed is appended",
    change(
      "actors/DecideAhead.ts",
      "const isNext = actor.wallet === next.wallet && actor.facts === next.facts && actor.spent === next.spent",
      "const isNext = true"
    ),
    change("actors/CommandBatch.ts", "  else dropAhead(actor)\n", "  else stopAhead(actor)\n")
  ),
  ahead(
    "a command whose key is in flight is decided as a new one",
    "isPlain(message, actor, context) && !this.keysInFlight.has(message.key)",
    "isPlain(message, actor, context)"
  ),
  foundBy(
    "test/actors/DecideAhead.test.ts",
    "ahead: what was decided for others is told to those in hand",
    change(
      "actors/DecideAhead.ts",
      "    for (let at = 0; at < batch.length; at++) if (batch[at] !== running[at]) return undefined\n",
      ""
    )
  ),
  ahead(
    "what is dropped counts as on its way",
    "    for (const { event } of this.plan?.events ?? []) this.provisional.remove(event)\n",
    ""
  ),
  ahead(
    "behind a log apart a key in doubt is taken for a new one",
    "!(pipeline.separate && isInDoubt(keys!, key))",
    "keys !== undefined && pipeline !== undefined && key !== undefined"
  ),
  ahead("nobody is asked of keys in doubt", "this.unsure.push(command.key)", "void command.key"),
  bug(
    "ahead: what it leads to is told before it is in the log",
    change(
      "actors/CommandBatch.ts",
      "    if (!actor.ahead.goOn(actor, context, now)) stopAhead(actor)\n",
      "    if (!actor.ahead.goOn(actor, context, now)) stopAhead(actor)\n    actor.wallet = next.wallet\n"
    )
  ),
  foundBy(
    "test/actors/DecideAhead.test.ts",
    "ahead: what was decided long ago is sent",
    change("actors/DecideAhead.ts", " || age < 0 || age > context.bounds.aheadMillis", "")
  )
]
