/** The policies of an engine: asks them, folds their facts, and keeps those in snapshots. Pure. */
import { isJsonObject, type Json } from "./Codec.ts"
import type { RecordedEvent } from "./Event.ts"
import { decodeFact, encodeFact, type Fact, factBytes } from "./Fact.ts"
import { isText, maxTextLength, toText } from "./Limits.ts"
import type { AnyPolicy, PolicyFacts, PolicyQuestion } from "./Policy.ts"
import { PolicyRejected } from "./Rejection.ts"

/** What the policies know of one wallet. */
export interface WalletFacts {
  /** In the order of the policies; `undefined`: they could not be folded, and the policy cannot judge the wallet any more. */
  readonly values: ReadonlyArray<Fact | undefined>
  /** What each takes as JSON, bytes, at most. */
  readonly sizes: ReadonlyArray<number>
}

/** Of all facts of a wallet, bytes. */
export const factsSize = ({ sizes }: WalletFacts): number => sizes.reduce((sum, size) => sum + size, 0)

/** A policy has thrown, or has answered what is no answer. */
export class PolicyFault {
  readonly policy: string
  readonly cause: unknown
  constructor(policy: string, cause: unknown) {
    this.policy = policy
    this.cause = cause
  }
}

export interface Folded {
  readonly facts: WalletFacts
  /** Of policies that cannot judge the wallet from now on. */
  readonly faults: ReadonlyArray<PolicyFault>
}

/** What a snapshot says of the facts. */
export interface KeptFacts {
  readonly facts: WalletFacts
  /** Policies that it says nothing of: theirs are to be folded from the wallet's history. Their numbers. */
  readonly missing: ReadonlyArray<number>
}

/** Policies of one engine, at most: each is asked of every command. */
export const maxPolicies = 16

/** Of one policy at one wallet, as JSON: a snapshot has room for all of them beside the largest state. */
export const maxFactsBytes = 65_536

/** Of a policy, and of its version, characters. */
const maxNameLength = 64

/** Of one policy's place in a snapshot beside its facts, bytes: name and version in the longest characters. */
const keptBytes = 2 * (maxNameLength * 6 + 2) + 40

const noFaults: ReadonlyArray<never> = []

export class PolicySet {
  readonly policies: ReadonlyArray<AnyPolicy>
  readonly initial: WalletFacts
  /** All facts of a wallet in a snapshot, at most. */
  readonly maxBytes: number

  /** Throws where one of them has no proper name, version or bound. */
  constructor(policies: ReadonlyArray<AnyPolicy>) {
    this.policies = [...policies]
    const wrong = wrongPolicies(this.policies)
    if (wrong !== undefined) throw new Error(wrong)
    this.initial = {
      values: this.policies.map(({ facts }) => facts?.initial ?? null),
      sizes: this.policies.map(({ facts }) => (facts === undefined ? 0 : factBytes(facts.initial, facts.maxBytes)))
    }
    this.maxBytes = this.policies.reduce((bytes, { facts }) => bytes + keptBytes + (facts?.maxBytes ?? 0), 0)
  }

  /** The first thing that a policy has against what it is asked (`questionsOf`). */
  judge(
    questions: ReadonlyArray<PolicyQuestion>,
    now: number,
    facts: WalletFacts
  ): PolicyRejected | PolicyFault | undefined {
    for (const question of questions) {
      for (const [index, policy] of this.policies.entries()) {
        const verdict = ask(policy, question, now, facts.values[index])
        if (verdict !== undefined) return verdict
      }
    }
    return undefined
  }

  /** The facts after `recorded`, of all policies or of some. */
  fold(facts: WalletFacts, recorded: RecordedEvent, only?: ReadonlyArray<number>): Folded {
    let after: { values: Array<Fact | undefined>; sizes: Array<number> } | undefined
    let faults: Array<PolicyFault> | undefined
    for (const [index, { facts: kept, name }] of this.policies.entries()) {
      const before = facts.values[index]
      if (kept === undefined || before === undefined || only?.includes(index) === false) continue
      const folded = next(name, kept, before, recorded)
      if (folded === undefined) continue
      after ??= { values: [...facts.values], sizes: [...facts.sizes] }
      const isFault = folded instanceof PolicyFault
      if (isFault) (faults ??= []).push(folded)
      after.values[index] = isFault ? undefined : folded.value
      after.sizes[index] = isFault ? 0 : folded.size
    }
    return { facts: after ?? facts, faults: faults ?? noFaults }
  }

  /** … after all of `events`. */
  foldAll(facts: WalletFacts, events: ReadonlyArray<RecordedEvent>): Folded {
    let after = facts
    let faults: ReadonlyArray<PolicyFault> = noFaults
    for (const recorded of events) {
      const folded = this.fold(after, recorded)
      after = folded.facts
      if (folded.faults.length > 0) faults = [...faults, ...folded.faults]
    }
    return { facts: after, faults }
  }

  /** For a snapshot. */
  encode(facts: WalletFacts): ReadonlyArray<Json> {
    return this.policies.flatMap(({ facts: kept, name, version }, index): ReadonlyArray<Json> => {
      if (kept === undefined) return []
      const value = facts.values[index]
      return [value === undefined ? { name, version, broken: true } : { name, version, value: encodeFact(value) }]
    })
  }

  /** Whatever a snapshot has; what is not of today's version, or damaged, is missing. */
  decode(json: unknown): KeptFacts {
    const records = Array.isArray(json) ? json.filter(isJsonObject) : []
    const values = [...this.initial.values]
    const sizes = [...this.initial.sizes]
    const missing: Array<number> = []
    for (const [index, { facts: kept, name, version }] of this.policies.entries()) {
      if (kept === undefined) continue
      const record = records.find((one) => one.name === name && one.version === version)
      const isBroken = record?.broken === true
      const value = record === undefined || isBroken ? undefined : decodeFact(record.value)
      const size = value === undefined ? 0 : sizeOf(value, kept)
      if (!isBroken && size === 0) missing.push(index)
      else {
        values[index] = value
        sizes[index] = size
      }
    }
    return { facts: { values, sizes }, missing }
  }

  /** How far before the last event of a wallet those policies look, ms. */
  reachOf(numbers: ReadonlyArray<number>): number {
    return Math.max(...numbers.map((index) => this.policies[index]!.facts?.reachMillis ?? Infinity))
  }
}

/** `0`: larger than it may be. */
const sizeOf = (value: Fact, { maxBytes }: PolicyFacts<Fact>): number => {
  try {
    return factBytes(value, maxBytes)
  } catch {
    return 0
  }
}

/** `undefined`: the event makes no difference. */
const next = (
  name: string,
  kept: PolicyFacts<Fact>,
  before: Fact,
  recorded: RecordedEvent
): { readonly value: Fact; readonly size: number } | PolicyFault | undefined => {
  try {
    const value = kept.fold(before, recorded)
    return value === before ? undefined : { value, size: factBytes(value, kept.maxBytes) }
  } catch (cause) {
    return new PolicyFault(name, cause)
  }
}

const ask = (
  policy: AnyPolicy,
  { command, wallet }: PolicyQuestion,
  now: number,
  facts: Fact | undefined
): PolicyRejected | PolicyFault | undefined => {
  const { name } = policy
  if (facts === undefined) return new PolicyFault(name, new Error("its facts of this wallet could not be folded"))
  try {
    const verdict: unknown = policy.judge(wallet, command, now, facts)
    if (verdict === undefined) return undefined
    const reason = (verdict as { readonly reason?: unknown } | null)?.reason
    if (typeof reason !== "string") throw new Error("it has answered neither undefined nor a reason")
    const leg = "leg" in command && command.leg !== null ? { leg: command.leg } : {}
    return new PolicyRejected({
      walletId: command.walletId,
      policy: name,
      reason: toText(reason, maxTextLength),
      ...leg
    })
  } catch (cause) {
    return new PolicyFault(name, cause)
  }
}

const isName = (name: unknown): boolean => typeof name === "string" && name !== "" && isText(name, maxNameLength)

const wrongPolicies = (policies: ReadonlyArray<AnyPolicy>): string | undefined => {
  if (policies.length > maxPolicies) return `more than ${maxPolicies} policies`
  const names = new Set<string>()
  for (const { facts, name, version } of policies) {
    if (!isName(name)) return `a policy's name is not a text of 1 to ${maxNameLength} characters`
    if (!isName(version)) return `policy ${name}: its version is not a text of 1 to ${maxNameLength} characters`
    if (names.has(name)) return `two policies are called ${name}`
    names.add(name)
    const wrong = facts && wrongFacts(facts)
    if (wrong !== undefined) return `policy ${name}: ${wrong}`
  }
  return undefined
}

const wrongFacts = ({ initial, maxBytes, reachMillis = 0 }: PolicyFacts<Fact>): string | undefined => {
  if (!(Number.isInteger(maxBytes) && maxBytes > 0 && maxBytes <= maxFactsBytes))
    return `maxBytes is not a whole number of 1 to ${maxFactsBytes}`
  if (!(reachMillis >= 0)) return "reachMillis is not a time"
  try {
    factBytes(initial, maxBytes)
  } catch (error) {
    return String(error)
  }
  return undefined
}
