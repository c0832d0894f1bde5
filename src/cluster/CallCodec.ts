/**
 * What nodes say to one another about wallets, as JSON texts.
 *
 * A batch holds calls on any wallets of one node; its reply an answer for each, in
 * order. A state that several answers share is written once: a batch on one wallet
 * carries its first state and the events, and the states between are made again by
 * `evolve`. Every text begins with the version of this form; a text of another
 * version, or a damaged one, is refused whole.
 */
import * as Result from "effect/Result"
import type { CommandError } from "../actors/EngineError.ts"
import type { Await, Reply } from "../actors/Mailbox.ts"
import { decodeCommand, encodeCommand } from "../domain/CommandCodec.ts"
import type { CommandKey, RecordedEvent } from "../domain/Event.ts"
import { fold } from "../domain/Evolve.ts"
import { decodeRecorded, encodeRecorded } from "../domain/EventCodec.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { decodeWallet, encodeWallet } from "../domain/WalletCodec.ts"
import { isJsonObject, type JsonObject, parseJson } from "../domain/Codec.ts"
import type { WalletCall } from "../engine/WalletCalls.ts"
import { decodeError, encodeError } from "./ErrorCodec.ts"

/** Raised with a change that the release before cannot read. */
const form = 1

/** The calls on one wallet, in order. */
export interface WalletCallsOf {
  readonly walletId: string
  /**
   * Earlier calls of the same sender are in the owner's hands under this epoch and not
   * answered: under another one these would overtake them, and are refused. `null`: none are.
   */
  readonly after: number | null
  readonly calls: ReadonlyArray<{
    readonly call: WalletCall
    /** How long the caller has waited already, milliseconds. */
    readonly waitedMillis: number
    /** It was sent before, and no answer came. */
    readonly again: boolean
  }>
}

/**
 * - `NotOwner`: nothing has happened.
 * - `Pending`: it is in the owner's hands; the reply's token asks for it again.
 * - `Defect`: it may have happened.
 */
export type Answer =
  | Reply
  | { readonly _tag: "Failed"; readonly error: CommandError }
  | { readonly _tag: "NotOwner" }
  | { readonly _tag: "Pending" }
  | { readonly _tag: "Defect"; readonly reason: string }

export interface BatchReply {
  /** The process that answers; another one at every start. */
  readonly node: string
  /** For what is pending. */
  readonly token: string | null
  /** Per wallet of the batch: the epoch under which its calls were taken; `null`: they were not. */
  readonly epochs: ReadonlyArray<number | null>
  /** Per call, in the batch's order. */
  readonly answers: ReadonlyArray<Answer>
}

export const encodeBatch = (wallets: ReadonlyArray<WalletCallsOf>): string =>
  JSON.stringify({
    form,
    wallets: wallets.map(({ after, calls, walletId }) => ({
      walletId,
      after,
      calls: calls.map(({ again, call, waitedMillis }) => ({
        command: encodeCommand(call.command),
        key: call.key,
        actor: call.actor,
        correlationId: call.correlationId,
        await: call.await,
        bytes: call.bytes,
        waitedMillis,
        ...(again ? { again } : {})
      }))
    }))
  })

export const decodeBatch = (text: string): Result.Result<ReadonlyArray<WalletCallsOf>, string> => {
  const batch = parseJson(text)
  if (!isJsonObject(batch) || !Array.isArray(batch.wallets)) return Result.fail("a batch: unreadable")
  if (batch.form !== form) return Result.fail(`a batch of form ${String(batch.form)}: unknown`)
  const wallets: Array<WalletCallsOf> = []
  for (const item of batch.wallets) {
    const wallet = readWalletCalls(item)
    if (typeof wallet === "string") return Result.fail(wallet)
    wallets.push(wallet)
  }
  return Result.succeed(wallets)
}

const readWalletCalls = (value: unknown): WalletCallsOf | string => {
  if (!isJsonObject(value) || typeof value.walletId !== "string" || !Array.isArray(value.calls)) {
    return "a wallet's calls: unreadable"
  }
  const { after, walletId } = value
  if (after !== null && !isCount(after)) return "a wallet's calls: unreadable"
  const calls: Array<WalletCallsOf["calls"][number]> = []
  for (const item of value.calls) {
    const call = readCall(item, walletId)
    if (typeof call === "string") return call
    calls.push(call)
  }
  return { walletId, after, calls }
}

const readCall = (value: unknown, walletId: string): WalletCallsOf["calls"][number] | string => {
  if (!isJsonObject(value)) return "a call: not an object"
  const { actor, bytes, correlationId, key, waitedMillis } = value
  const command = decodeCommand(value.command)
  if (Result.isFailure(command)) return command.failure
  if (command.success.walletId !== walletId) return "a call: on another wallet than its neighbours"
  if (!isKey(key) || !isTextOrNull(actor) || !isTextOrNull(correlationId)) return "a call: its origin is unreadable"
  if (!isAwait(value.await) || !isCount(bytes) || !isCount(waitedMillis)) {
    return "a call: unreadable"
  }
  const call = { command: command.success, key, actor, correlationId, await: value.await, bytes }
  return { call, waitedMillis, again: value.again === true }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isTextOrNull = (value: unknown): value is string | null => value === null || typeof value === "string"
const isKey = (value: unknown): value is CommandKey =>
  typeof value === "string" && (value.startsWith("c:") || value.startsWith("e:"))
const isAwait = (value: unknown): value is Await =>
  value === "committed" || value === "persisted" || value === "indexed"

/** The states that a reply tells of, each once: written out, or made on the other side from an answer's events. */
class StateTable {
  readonly written: Array<JsonObject> = []
  private readonly numbers = new Map<Wallet, number>()

  /** Of a state that has to be known. */
  numberOf(wallet: Wallet): number {
    const known = this.numbers.get(wallet)
    if (known !== undefined) return known
    const number = this.follows(wallet)
    this.written.push({ number, wallet: encodeWallet(wallet) })
    return number
  }

  /** Of a state that the other side can make. */
  follows(wallet: Wallet): number {
    let number = this.numbers.get(wallet)
    if (number === undefined) this.numbers.set(wallet, (number = this.numbers.size))
    return number
  }
}

const encodeAnswer = (answer: Answer, states: StateTable): JsonObject => {
  switch (answer._tag) {
    case "Done": {
      const { before, events, persisted, replayed, wallet } = answer
      return {
        type: "Done",
        before: before === undefined ? null : states.numberOf(before),
        after: events.length === 0 ? states.numberOf(wallet) : states.follows(wallet),
        events: events.map(encodeRecorded),
        replayed,
        persisted
      }
    }
    case "Seen":
      return {
        type: "Seen",
        version: answer.version,
        current: states.numberOf(answer.current),
        profileVersion: answer.profileVersion,
        persisted: answer.persisted
      }
    case "Failed":
      return { type: "Failed", error: encodeError(answer.error) }
    case "NotOwner":
    case "Pending":
      return { type: answer._tag }
    case "Defect":
      return { type: "Defect", reason: answer.reason }
  }
}

export const encodeReply = ({ answers, epochs, node, token }: BatchReply): string => {
  const states = new StateTable()
  const written = answers.map((answer) => encodeAnswer(answer, states))
  return JSON.stringify({ form, node, token, epochs, states: states.written, answers: written })
}

/** The failure says what cannot be read; the calls may have happened. */
export const decodeReply = (text: string): Result.Result<BatchReply, string> => {
  const reply = parseJson(text)
  if (!isJsonObject(reply) || reply.form !== form) return Result.fail("a reply: unreadable")
  const { epochs, node, token } = reply
  if (typeof node !== "string" || !isTextOrNull(token)) return Result.fail("a reply: unreadable")
  if (!Array.isArray(epochs) || !epochs.every((epoch) => epoch === null || isCount(epoch))) {
    return Result.fail("a reply: its epochs are unreadable")
  }
  if (!Array.isArray(reply.states) || !Array.isArray(reply.answers)) return Result.fail("a reply: unreadable")
  const states = new Map<number, Wallet>()
  for (const state of reply.states) {
    const wallet = isJsonObject(state) ? decodeWallet(state.wallet) : Result.fail("a state: not an object")
    if (Result.isFailure(wallet)) return Result.fail(wallet.failure)
    if (!isJsonObject(state) || !isCount(state.number)) return Result.fail("a state: unreadable")
    states.set(state.number, wallet.success)
  }
  const answers: Array<Answer> = []
  for (const item of reply.answers) {
    const answer = readAnswer(item, states)
    if (typeof answer === "string") return Result.fail(answer)
    answers.push(answer)
  }
  return Result.succeed({ node, token, epochs, answers })
}

type States = Map<number, Wallet>

const readAnswer = (value: unknown, states: States): Answer | string => {
  if (!isJsonObject(value)) return "an answer: not an object"
  switch (value.type) {
    case "Done":
      return readDone(value, states)
    case "Seen":
      return readSeen(value, states)
    case "Failed": {
      const error = decodeError(value.error)
      return error === undefined ? "an answer: its error is unreadable" : { _tag: "Failed", error }
    }
    case "NotOwner":
    case "Pending":
      return { _tag: value.type }
    case "Defect":
      return { _tag: "Defect", reason: String(value.reason) }
    default:
      return "an answer: unknown type"
  }
}

const readDone = (value: Readonly<Record<string, unknown>>, states: States): Answer | string => {
  const { after, persisted, replayed } = value
  if (!Array.isArray(value.events) || !isCount(after)) return "an answer: unreadable"
  if (typeof replayed !== "boolean" || typeof persisted !== "boolean") return "an answer: unreadable"
  const before = isCount(value.before) ? states.get(value.before) : undefined
  if (before === undefined && value.before !== null) return "an answer: its state is missing"
  const events: Array<RecordedEvent> = []
  for (const item of value.events) {
    const recorded = decodeRecorded(item)
    if (Result.isFailure(recorded)) return recorded.failure
    events.push(recorded.success)
  }
  const wallet = states.get(after) ?? folded(before, events)
  if (wallet === undefined) return "an answer: its events do not continue its state"
  states.set(after, wallet)
  return { _tag: "Done", before, wallet, events, replayed, persisted }
}

/** `evolve` takes what is no stream of ours for a defect; here it is a damaged text. */
const folded = (before: Wallet | undefined, events: ReadonlyArray<RecordedEvent>): Wallet | undefined => {
  try {
    return fold(before, events)
  } catch {
    return undefined
  }
}

const readSeen = (value: Readonly<Record<string, unknown>>, states: States): Answer | string => {
  const { persisted, profileVersion, version } = value
  const current = isCount(value.current) ? states.get(value.current) : undefined
  if (current === undefined) return "an answer: its state is missing"
  if (!isCount(version) || !Number.isSafeInteger(profileVersion) || typeof persisted !== "boolean") {
    return "an answer: unreadable"
  }
  return { _tag: "Seen", version, current, profileVersion: profileVersion as number, persisted }
}

/** A read of the current state. */
export interface Question {
  readonly walletId: string
  /** `-1`: any. */
  readonly minVersion: number
}

export const encodeQuestion = ({ minVersion, walletId }: Question): string =>
  JSON.stringify({ form, walletId, minVersion })

/** `undefined`: unreadable. */
export const decodeQuestion = (text: string): Question | undefined => {
  const value = parseJson(text)
  if (!isJsonObject(value) || value.form !== form) return undefined
  const { minVersion, walletId } = value
  if (typeof walletId !== "string" || !Number.isSafeInteger(minVersion)) return undefined
  return { walletId, minVersion: minVersion as number }
}

/** The answer to a read; `null`: there is no such wallet. */
export type Current =
  | { readonly _tag: "Current"; readonly wallet: Wallet | null }
  | Exclude<Answer, Reply | { readonly _tag: "Pending" }>

export const encodeCurrent = (current: Current): string =>
  JSON.stringify(
    current._tag === "Current"
      ? { form, type: "Current", wallet: current.wallet === null ? null : encodeWallet(current.wallet) }
      : { form, ...encodeAnswer(current, new StateTable()) }
  )

/** The failure says what cannot be read. */
export const decodeCurrent = (text: string): Result.Result<Current, string> => {
  const value = parseJson(text)
  if (!isJsonObject(value) || value.form !== form) return Result.fail("a state: unreadable")
  if (value.type === "Current") {
    if (value.wallet === null) return Result.succeed({ _tag: "Current", wallet: null })
    return Result.map(decodeWallet(value.wallet), (wallet) => ({ _tag: "Current", wallet }))
  }
  const answer = readAnswer(value, new Map())
  if (typeof answer === "string") return Result.fail(answer)
  return answer._tag === "Failed" || answer._tag === "NotOwner" || answer._tag === "Defect"
    ? Result.succeed(answer)
    : Result.fail("a state: an answer of another kind")
}
