/**
 * Reads the two texts that every command between nodes is in, batches and replies, without
 * their schemas. Measured with 30 credits on one wallet: 0.10 ms instead of 0.30 ms for the
 * batch, 0.19 ms instead of 0.45 ms for its reply, or 15 µs of CPU less per command.
 *
 * Answers exactly what the schema makes of the same JSON, and `undefined` for all that it
 * would refuse: then `CallCodec` asks the schema, which says what is wrong. A test holds
 * the two against each other.
 */
import * as Result from "effect/Result"
import { isJsonObject } from "../domain/Codec.ts"
import { decodeCommand } from "../domain/CommandCodec.ts"
import { decodeRecorded } from "../domain/EventCodec.ts"
import { decodeWallet } from "../domain/WalletCodec.ts"
import * as CallSchema from "./CallSchema.ts"

type Batch = typeof CallSchema.Batch.Type
type WalletCalls = Batch["wallets"][number]
type Call = WalletCalls["calls"][number]
type Reply = typeof CallSchema.Reply.Type
type State = Reply["states"][number]
type Answer = Reply["answers"][number]

const isInteger = (value: unknown): value is number => Number.isSafeInteger(value)
const isCount = (value: unknown): value is number => isInteger(value) && value >= 0
const isTextOrNull = (value: unknown): value is string | null => value === null || typeof value === "string"
const isCountOrNull = (value: unknown): value is number | null => value === null || isCount(value)
const isAwait = (value: unknown): value is Call["await"] =>
  value === "committed" || value === "persisted" || value === "indexed"

/** `undefined` when one of them cannot be read. */
const readAll = <A>(values: unknown, read: (value: unknown) => A | undefined): Array<A> | undefined => {
  if (!Array.isArray(values)) return undefined
  const all: Array<A> = []
  for (const value of values) {
    const one = read(value)
    if (one === undefined) return undefined
    all.push(one)
  }
  return all
}

// --- Batches -------------------------------------------------------------------

export const readBatch = (json: unknown): Batch | undefined => {
  if (!isJsonObject(json)) return undefined
  const { form } = json
  if (form !== CallSchema.form && form !== CallSchema.limitedForm) return undefined
  const wallets = readAll(json.wallets, readWalletCalls)
  return wallets && { form, wallets }
}

const readWalletCalls = (json: unknown): WalletCalls | undefined => {
  if (!isJsonObject(json)) return undefined
  const { after, walletId } = json
  if (typeof walletId !== "string" || !isCountOrNull(after)) return undefined
  const calls = readAll(json.calls, readCall)
  if (calls === undefined || !calls.every(({ command }) => command.walletId === walletId)) return undefined
  return { walletId, after, calls }
}

const readCall = (json: unknown): Call | undefined => {
  if (!isJsonObject(json)) return undefined
  // What few calls have is left to the schema.
  if (json.limit !== undefined) return undefined
  const { actor, again, await: wait, bytes, correlationId, dryRun, ifVersion, key, waitedMillis } = json
  if (!CallSchema.isCommandKey(key) || !isTextOrNull(actor) || !isTextOrNull(correlationId)) return undefined
  if (!isAwait(wait) || !isCount(bytes) || !isCount(waitedMillis)) return undefined
  const command = Result.getOrUndefined(decodeCommand(json.command))
  if (command === undefined) return undefined
  const call = { command, key, actor, correlationId, await: wait, bytes, waitedMillis }
  return again === undefined && dryRun === undefined && ifVersion === undefined
    ? call
    : withRarities(call, again, dryRun, ifVersion)
}

/** What most calls do not say. */
const withRarities = (call: Call, again: unknown, dryRun: unknown, ifVersion: unknown): Call | undefined => {
  if (again !== undefined && typeof again !== "boolean") return undefined
  if (dryRun !== undefined && typeof dryRun !== "boolean") return undefined
  if (ifVersion !== undefined && !isCount(ifVersion)) return undefined
  return {
    ...call,
    ...(again === undefined ? {} : { again }),
    ...(dryRun === undefined ? {} : { dryRun }),
    ...(ifVersion === undefined ? {} : { ifVersion })
  }
}

// --- Replies -------------------------------------------------------------------

export const readReply = (json: unknown): Reply | undefined => {
  if (!isJsonObject(json) || json.form !== CallSchema.form) return undefined
  const { epochs, node, token, url } = json
  if (typeof node !== "string" || !isTextOrNull(token)) return undefined
  if (url !== undefined && typeof url !== "string") return undefined
  if (!Array.isArray(epochs) || !epochs.every(isCountOrNull)) return undefined
  const states = readAll(json.states, readState)
  const answers = readAll(json.answers, readAnswer)
  if (states === undefined || answers === undefined) return undefined
  const place = url === undefined ? {} : { url }
  return { form: CallSchema.form, node, ...place, token, epochs, states, answers }
}

const readState = (json: unknown): State | undefined => {
  if (!isJsonObject(json) || !isCount(json.number)) return undefined
  const wallet = Result.getOrUndefined(decodeWallet(json.wallet))
  return wallet && { number: json.number, wallet }
}

const readAnswer = (json: unknown): Answer | undefined => {
  if (!isJsonObject(json)) return undefined
  switch (json.type) {
    case "Done":
      return readDone(json)
    case "Seen":
      return readSeen(json)
    case "NotOwner":
    case "Pending":
      return { type: json.type }
    case "Failed": {
      const error = CallSchema.decodeError(json.error)
      return error && { type: "Failed", error }
    }
    case "Defect":
      return typeof json.reason === "string" ? { type: "Defect", reason: json.reason } : undefined
    default:
      return undefined
  }
}

const readTransactions = (json: unknown) =>
  isJsonObject(json) && typeof json.sent === "string" && typeof json.received === "string"
    ? { sent: json.sent, received: json.received }
    : undefined

const readCompletion = (json: unknown) => {
  if (!isJsonObject(json) || !isCount(json.updatedAt)) return undefined
  const transactions = readAll(json.transactions, readTransactions)
  return transactions && { updatedAt: json.updatedAt, transactions }
}

const readDone = (json: Readonly<Record<string, unknown>>) => {
  const { after, before, events, persisted, replayed } = json
  if (!isCountOrNull(before) || !isCount(after)) return undefined
  if (typeof replayed !== "boolean" || typeof persisted !== "boolean") return undefined
  const read = readAll(events, (event) => Result.getOrUndefined(decodeRecorded(event)))
  if (read === undefined) return undefined
  const done = { type: "Done" as const, before, after, events: read, replayed, persisted }
  if (json.completion === undefined) return done
  const completion = readCompletion(json.completion)
  return completion && { ...done, completion }
}

const readSeen = ({ current, persisted, profileVersion, version }: Readonly<Record<string, unknown>>) => {
  if (!isCount(version) || !isCount(current) || !isInteger(profileVersion) || typeof persisted !== "boolean") {
    return undefined
  }
  return { type: "Seen" as const, version, current, profileVersion, persisted }
}
