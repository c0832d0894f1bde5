/** Bugs of transfers whose wallets are appended to together, of the form of `plantedBugs.ts`. */
import { bug, change, foundBy } from "./plantedBug.ts"

const joint = (name: string, file: string, text: string, by: string) => bug(`joint: ${name}`, change(file, text, by))

/** That something stands against one of the wallets just then is rare in the simulation. */
const byTests = (test: string, name: string, file: string, text: string, by: string) =>
  foundBy(test, `joint: ${name}`, change(file, text, by))

export const plantedJoint = [
  joint(
    "a borrowed wallet goes on with its mailbox",
    "actors/Supervision.ts",
    "      if (actor.borrowed !== undefined) {\n",
    "      if (actor.borrowed !== undefined && actor.stopped) {\n"
  ),
  joint(
    "a borrowed wallet moves whatever the log has decided",
    "actors/JointTransfers.ts",
    `if (outcome._tag === "Appended" && !actor.stopped) {`,
    `if (outcome._tag !== "Fenced" && !actor.stopped) {`
  ),
  joint(
    "a borrowed wallet is left as it was",
    "actors/JointTransfers.ts",
    "        moveState(actor, { ...current, events }, context)\n",
    ""
  ),
  joint(
    "of a borrowed wallet only the last step is remembered",
    "actors/JointTransfers.ts",
    "{ ...current, events }",
    "{ ...current, events: events.slice(-1) }"
  ),
  joint(
    "a wallet is borrowed that is busy",
    "actors/Residency.ts",
    "|| this.isStopping || !isFree(actor, this.atWork.has(actor))) return undefined",
    "|| this.isStopping) return undefined"
  ),
  joint(
    "who is let in is not told",
    "actors/LogWriter.ts",
    "      this.line.delete(resume)\n      resume(Effect.void)\n",
    "      this.line.delete(resume)\n"
  ),
  byTests(
    "test/engine/JointTransfers.test.ts",
    "a step that its wallet does not take stays in the order of the log",
    "actors/JointTransfers.ts",
    "      this.order.length = ordered\n",
    ""
  ),
  joint(
    "what a step that is not taken had begun stays at the other wallets",
    "actors/JointTransfers.ts",
    "        draft.current = before[index]!.current\n        draft.events.length = before[index]!.length\n",
    ""
  ),
  joint(
    "the transfer is settled before it is received",
    "actors/JointTransfers.ts",
    `    const received = this.take({ command: receiving(transfer), key: arriveKey(transfer) })
    this.take({ command: settling(transfer), key: endKey(transfer) })\n`,
    `    this.take({ command: settling(transfer), key: endKey(transfer) })
    const received = this.take({ command: receiving(transfer), key: arriveKey(transfer) })\n`
  ),
  byTests(
    "test/stores/memory/MemoryStores.test.ts",
    "the other wallets are not looked at before an append: a claim of their partition does not fence it",
    "stores/memory/MemoryEventStore.ts",
    "        members.map((member) => refusal(state, member))\n",
    "        members.map((member, index) => (index === 0 ? refusal(state, member) : undefined))\n"
  ),
  byTests(
    "test/stores/memory/MemoryStores.test.ts",
    "what belongs together is split: the others are left out, the source's part is written",
    "stores/memory/MemoryEventStore.ts",
    "      if (refused.success !== undefined) continue\n",
    `      if (refused.success?._tag === "Withheld") {
        write(state, { walletId: commit.walletId, partition: commit.partition, epoch: commit.epoch, expectedVersion: commit.expectedVersion, events: commit.events, wallet: commit.wallet })
        continue
      }
      if (refused.success !== undefined) continue\n`
  ),
  byTests(
    "test/engine/JointTransfers.test.ts",
    "the answer of a transfer that is not taken at once says that it is completed",
    "actors/JointTransfers.ts",
    `    if (completion !== undefined && verdict._tag === "Accepted") verdicts[index] = { ...verdict, completion }\n`,
    `    const wrong = completion ?? { updatedAt: one.recorded.time, transactions: one.transfer.legs.map(() => ({ sent: one.recorded.id, received: one.recorded.id })) }
    if (verdict._tag === "Accepted") verdicts[index] = { ...verdict, completion: wrong }\n`
  )
]
