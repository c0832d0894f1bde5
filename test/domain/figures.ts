/**
 * `node test/domain/figures.ts`: what the domain costs, in nanoseconds of CPU per call, the
 * best of nine rounds. All of one machine and one run: ratios say something, the numbers
 * themselves little.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { codecOf } from "../../src/domain/Codec.ts"
import { decodeCommand, encodeCommand } from "../../src/domain/CommandCodec.ts"
import { decide, defaultLimits } from "../../src/domain/Decide.ts"
import { decodeEventData, encodeEvent, eventData } from "../../src/domain/EventCodec.ts"
import { evolve } from "../../src/domain/Evolve.ts"
import { OpenHold } from "../../src/domain/Hold.ts"
import { MovementCommand, MovementEvent } from "../../src/domain/Movement.ts"
import { holdChanges, transactionOf, transferChanges } from "../../src/domain/EventKinds.ts"
import type { Wallet } from "../../src/domain/Wallet.ts"
import { command, event, record, walletOf } from "./Examples.ts"

const exact = { onExcessProperty: "error" } as const
// Of one case, which is quicker than of the union.
const { WalletCredited } = MovementEvent.cases
const { Credit } = MovementCommand.cases
const [readEvent, writeEvent] = [Schema.decodeUnknownResult(WalletCredited, exact), Schema.encodeSync(WalletCredited)]
const [readCommand, writeCommand] = [Schema.decodeUnknownResult(Credit, exact), Schema.encodeSync(Credit)]
const [readHold, writeHold] = [Schema.decodeUnknownResult(OpenHold, exact), Schema.encodeSync(OpenHold)]

const credited = event("WalletCredited", { amount: 1_234n, balanceAfter: 99_999n })
const credit = command("Credit")
const { amount, expiresAt, metadata, reference } = event("HoldPlaced")
const hold: OpenHold = {
  id: "hold-1",
  amount,
  captured: 0n,
  remaining: amount,
  expiresAt,
  reference,
  metadata,
  createdAt: 7,
  inFlight: null,
  ended: null
}
const data = eventData(credited)
const eventJson = { _tag: "WalletCredited", ...data }
const commandJson = encodeCommand(credit)
const taggedJson = writeCommand(credit)
const holds = codecOf(OpenHold)
const holdJson = holds.encode(hold)
const recorded = record(4, credited)
const commit = { events: [recorded] }

let wallet: Wallet = walletOf([event("WalletCreated")])
const live = (): void => {
  const decided = decide(wallet, credit, { time: 0, limits: defaultLimits })
  for (const one of Result.getOrThrow(decided)) wallet = evolve(wallet, record(wallet.version + 1, one))
}

const calls: { readonly [name: string]: () => unknown } = {
  "credit: decided and evolved": live,
  "credit: projected": () => [holdChanges(commit), transferChanges(commit), transactionOf(recorded, wallet)],
  "credit: written by hand, as text": () => encodeEvent(credited),
  "credit: written along the schema, as text": () => JSON.stringify(eventData(credited)),
  "credit: written by the schema's parser, as text": () => JSON.stringify(writeEvent(credited)),
  "credit: read by hand": () => decodeEventData("WalletCredited", data),
  "credit: read by the schema's parser": () => readEvent(eventJson),
  "command: written by hand": () => encodeCommand(credit),
  "command: written by the schema's parser": () => writeCommand(credit),
  "command: read by hand": () => decodeCommand(commandJson),
  "command: read by the schema's parser": () => readCommand(taggedJson),
  "hold of a snapshot: written by hand": () => holds.encode(hold),
  "hold of a snapshot: written by the schema's parser": () => writeHold(hold),
  "hold of a snapshot: read by hand": () => holds.decode(holdJson),
  "hold of a snapshot: read by the schema's parser": () => readHold(holdJson)
}

const rounds = 9
const perRound = 50_000

const best = new Map<string, number>()
let kept: unknown
for (let round = 0; round < rounds; round++) {
  for (const [name, call] of Object.entries(calls)) {
    const before = process.cpuUsage()
    for (let count = 0; count < perRound; count++) kept = call()
    const { system, user } = process.cpuUsage(before)
    best.set(name, Math.min(best.get(name) ?? Infinity, ((user + system) * 1_000) / perRound))
  }
}
if (kept === undefined) console.log("nothing was measured")
for (const [name, nanoseconds] of best) console.log(`${name.padEnd(52)} ${nanoseconds.toFixed(0)} ns`)
