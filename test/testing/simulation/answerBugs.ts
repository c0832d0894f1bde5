/** Bugs in dry runs and in commands for one version. */
import { bug, change, foundBy, type PlantedBug } from "./plantedBug.ts"

export const answers: ReadonlyArray<PlantedBug> = [
  bug(
    "a dry run is done",
    change("actors/BatchPlan.ts", `_tag: envelope.dryRun ? "Tried" : "Accepted"`, `_tag: "Accepted"`)
  ),
  foundBy(
    "test/engine/DryRun.test.ts",
    "what follows a dry run in its batch builds on it",
    change(
      "actors/BatchPlan.ts",
      `    if (verdict._tag !== "Accepted") continue\n`,
      `    if (verdict._tag === "Tried") wallet = verdict.wallet\n    if (verdict._tag !== "Accepted") continue\n`
    )
  ),
  bug(
    "a dry run with a key that was used is judged anew",
    change(
      "actors/BatchPlan.ts",
      "  const seen = context.seen(envelope.key)\n",
      "  const seen = envelope.dryRun ? undefined : context.seen(envelope.key)\n"
    )
  ),
  bug(
    "the version that a command is for is compared before its key is looked up",
    change(
      "actors/BatchPlan.ts",
      "  const seen = context.seen(envelope.key)\n",
      "  const seen = envelope.ifVersion !== null && envelope.ifVersion !== wallet?.version ? undefined : context.seen(envelope.key)\n"
    )
  ),
  bug(
    "the version that a command is for is that before its batch",
    change("actors/BatchPlan.ts", "wallet.version !== envelope.ifVersion", "batchStart !== envelope.ifVersion"),
    change(
      "actors/BatchPlan.ts",
      "    const overtaken = overtakenKeys(batch, context)\n",
      "    const overtaken = overtakenKeys(batch, context)\n    batchStart = this.current.wallet?.version\n"
    ),
    change("actors/BatchPlan.ts", "const judge = (", "let batchStart: number | undefined\nconst judge = (")
  )
]
