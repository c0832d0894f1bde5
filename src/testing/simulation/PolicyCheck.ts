/**
 * Policies against the log: whatever was done had nothing against it, by all the events before it; what was
 * rejected had, at some moment of the call. The facts are folded here from the whole log, by the policy's
 * own fold and nothing of the engine's.
 */
import type { Command } from "../../domain/Command.ts"
import { evolve } from "../../domain/Evolve.ts"
import type { RecordedEvent } from "../../domain/Event.ts"
import type { Fact } from "../../domain/Fact.ts"
import { noMetadata } from "../../domain/Limits.ts"
import { type AnyPolicy, type PolicyQuestion, questionsOf } from "../../domain/Policy.ts"
import type { Wallet } from "../../domain/Wallet.ts"
import { type Answered, oldestVersion, toldVersion } from "./Answered.ts"
import { soundMillis } from "./FaultPlan.ts"
import { foreignKey } from "./ForeignWriter.ts"
import type { Operation } from "./History.ts"
import type { Account } from "./LogCheck.ts"
import { isSame } from "./PlainData.ts"
import type { Trial } from "./Trial.ts"

/** A wallet and what each policy knows of it, after a version. */
interface Known {
  readonly wallet: Wallet | undefined
  readonly facts: ReadonlyArray<Fact>
}

const start = (policies: ReadonlyArray<AnyPolicy>): Known => ({
  wallet: undefined,
  facts: policies.map(({ facts }) => facts?.initial ?? null)
})

const follow = (policies: ReadonlyArray<AnyPolicy>, { facts, wallet }: Known, recorded: RecordedEvent): Known => ({
  wallet: evolve(wallet, recorded),
  facts: policies.map((policy, index) => policy.facts?.fold(facts[index]!, recorded) ?? null)
})

/** After each version, from before the first on. */
const knownOf = (trial: Trial, walletId: string): ReadonlyArray<Known> => {
  const { knownByPolicies, policies, state } = trial
  const found = knownByPolicies.get(walletId)
  if (found !== undefined) return found
  const known = [start(policies)]
  for (const recorded of state.streams.get(walletId) ?? []) known.push(follow(policies, known.at(-1)!, recorded))
  knownByPolicies.set(walletId, known)
  return known
}

/** What one of the policies, or `only` one of them, has against one of the questions. */
const against = (
  policies: ReadonlyArray<AnyPolicy>,
  questions: ReadonlyArray<PolicyQuestion>,
  now: number,
  facts: ReadonlyArray<Fact>,
  only?: string
): { readonly policy: string; readonly leg: number | null; readonly reason: string } | undefined => {
  for (const { command, wallet } of questions) {
    for (const [index, policy] of policies.entries()) {
      if (only !== undefined && policy.name !== only) continue
      const verdict = policy.judge(wallet, command, now, facts[index]!)
      const leg = "leg" in command ? command.leg : null
      if (verdict !== undefined) return { policy: policy.name, leg, reason: verdict.reason }
    }
  }
  return undefined
}

/** What bounds a refund is no policy's concern: its amount is known. */
const unbounded = { amount: 0n, refunded: 0n, version: 0 }
const unrefunded = <L extends object>(leg: L): L & { readonly refund: null } => ({ ...leg, refund: null })

/** The command that the events are of, as far as they tell; `undefined`: one that policies are not asked of, or that changed nothing. */
const commandOf = (events: ReadonlyArray<RecordedEvent>): Command | undefined => {
  const [{ event, walletId }] = events as readonly [RecordedEvent]
  switch (event._tag) {
    case "WalletCreated":
      return { ...event, _tag: "CreateWallet", walletId }
    case "WalletCredited":
      return { ...event, _tag: "Credit", walletId }
    case "WalletDebited":
      return { ...event, _tag: "Debit", walletId, force: event.forced }
    case "HoldPlaced":
      return { ...event, _tag: "PlaceHold", walletId }
    case "HoldCaptured":
      return { ...event, _tag: "CaptureHold", walletId, final: event.released > 0n }
    case "HoldCapturedTo":
      return { ...event, _tag: "CaptureHoldTo", walletId, final: event.rest > 0n, destination: null }
    case "HoldChanged":
      return {
        _tag: "ChangeHold",
        walletId,
        holdId: event.holdId,
        amount: event.amount,
        expiry: { at: event.expiresAt }
      }
    case "HoldReleased":
      return { _tag: "ReleaseHold", walletId, holdId: event.holdId }
    case "TransferSent":
      return { ...event, _tag: "SendTransfer", walletId, destination: null, refund: null }
    case "RefundReceived":
    case "RefundPaid": {
      const { refundOf: transactionId, ...refund } = event
      const direction = event._tag === "RefundReceived" ? "in" : "out"
      return { ...refund, _tag: "RefundTransaction", walletId, transactionId, direction, bound: unbounded }
    }
    case "TransferReceived":
      return { ...event, _tag: "ReceiveTransfer", walletId, currency: "" }
    case "LegsBegun":
      return { ...event, _tag: "BeginLegs", walletId, parties: [], legs: event.legs.map(unrefunded) }
    case "LegsPrepared":
      return { ...event, _tag: "PrepareLegs", walletId, currency: "", legs: event.legs.map(unrefunded) }
    case "WalletFrozen":
      return { ...event, _tag: "Freeze", walletId }
    case "WalletUnfrozen":
      return { ...event, _tag: "Unfreeze", walletId }
    case "WalletClosed":
      return { ...event, _tag: "Close", walletId }
    case "OverdraftLimitChanged":
    case "MetadataChanged": {
      const limit = events.find((one) => one.event._tag === "OverdraftLimitChanged")?.event
      const metadata = events.find((one) => one.event._tag === "MetadataChanged")?.event
      return {
        _tag: "UpdateWallet",
        walletId,
        overdraftLimit: limit?._tag === "OverdraftLimitChanged" ? limit.overdraftLimit : null,
        metadata: metadata?._tag === "MetadataChanged" ? metadata.metadata : null
      }
    }
    case "NothingChanged":
    case "FreezeExpired":
    case "HoldExpired":
    case "TransferRefused":
    case "TransferSettled":
    case "TransferReversed":
    case "LegsRefused":
    case "LegsApplied":
    case "LegsReleased":
    case "LegsSettled":
    case "OperationReversed":
      return undefined
  }
}

/** Whatever was done had nothing against it; and what holds of the events alone does. */
export const checkPolicies = (trial: Trial, account: Account): void => {
  const { history, policies, policyLaws, state } = trial
  for (const [walletId, events] of state.streams) {
    for (const law of policyLaws) {
      const broken = law(events)
      if (broken !== undefined) history.violated(`${walletId}: ${broken}`)
    }
  }
  if (policies.length === 0) return
  for (const { events, key, walletId } of Array.from(account.commands.values()).flat()) {
    const command = key.startsWith(foreignKey) ? undefined : commandOf(events)
    if (command === undefined) continue
    const [{ event, time, version }] = events as readonly [RecordedEvent]
    const { facts, wallet } = knownOf(trial, walletId)[version]!
    const questions = questionsOf(wallet, command)
    trial.asked.commands++
    const found = against(policies, questions, time, facts)
    const place = `${event._tag} at version ${version} of ${walletId}`
    if (found !== undefined) history.violated(`${place}: policy ${found.policy} is against it: ${found.reason}`)
    if (!isSame(found, against(policies, questions, time, facts))) {
      history.violated(`${place}: a policy does not say the same when it is asked again`)
    }
  }
}

/** At the hold's wallet, or at the one that the money goes to. */
const capturedBy = (operation: Extract<Operation, { readonly kind: "capture" }>, walletId: string): Command => {
  const { to, ...asked } = operation
  if (to === null) return { ...asked, _tag: "CaptureHold" }
  if (walletId === asked.walletId) {
    return { ...asked, _tag: "CaptureHoldTo", transferId: "", to, currency: "", destination: null }
  }
  const { amount, effectiveAt, walletId: from } = asked
  const note = { reference: null, metadata: noMetadata }
  return {
    ...note,
    _tag: "ReceiveTransfer",
    walletId,
    transferId: "",
    from,
    amount: amount ?? 0n,
    currency: "",
    effectiveAt
  }
}

/** What a client asked of a wallet. */
const askedOf = (operation: Operation, walletId: string): Command | undefined => {
  const note = { reference: null, metadata: noMetadata }
  switch (operation.kind) {
    case "create":
      return { ...operation, _tag: "CreateWallet" }
    case "credit":
      return { ...operation, _tag: "Credit" }
    case "debit":
      return { ...operation, _tag: "Debit" }
    case "hold":
      return { ...operation, _tag: "PlaceHold", holdId: "", metadata: noMetadata }
    case "capture":
      return capturedBy(operation, walletId)
    case "change": {
      const { amount, expiresAt, holdId } = operation
      return {
        _tag: "ChangeHold",
        walletId,
        holdId,
        amount,
        expiry: expiresAt === undefined ? null : { at: expiresAt }
      }
    }
    case "release":
      return { ...operation, _tag: "ReleaseHold" }
    case "freeze":
      return { ...operation, _tag: "Freeze" }
    case "unfreeze":
      return { ...operation, _tag: "Unfreeze" }
    case "close":
      return { ...operation, _tag: "Close" }
    case "update":
      return { ...operation, _tag: "UpdateWallet" }
    case "transfer": {
      const { amount, effectiveAt, reference, to, walletId: from } = operation
      const sent = { walletId, transferId: "", amount, reference, metadata: noMetadata, effectiveAt, currency: "" }
      return walletId === from
        ? { ...sent, _tag: "SendTransfer", to, destination: null, refund: null }
        : { ...sent, _tag: "ReceiveTransfer", from }
    }
    case "legs": {
      const legs = operation.legs.map((leg) => ({ ...leg, metadata: noMetadata, refund: null }))
      return {
        ...note,
        _tag: "BeginLegs",
        walletId,
        transferId: "",
        legs,
        parties: [],
        effectiveAt: null,
        refundOf: null
      }
    }
    case "refund":
    case "refundTransfer":
    case "read":
    case "past":
      return undefined
  }
}

/** Whether a policy was against it at some moment of the call; of a transfer, at the wallet that is named. */
export const wasAgainst = (
  trial: Trial,
  account: Account,
  attempt: Answered,
  walletId: string,
  policy?: string
): boolean => {
  const { calledAt, clockUnknown, operation, truth } = attempt
  // How much of an original is left shows from the log of another wallet: any policy may have been against it.
  if (operation.kind === "refund" || operation.kind === "refundTransfer") return trial.policies.length > 0
  const command = askedOf(operation, walletId)
  if (command === undefined) return false
  const ledger = account.ledgers.get(walletId)
  const own = walletId === operation.walletId
  const oldest = own ? oldestVersion(trial, attempt, ledger) : toldVersion(attempt, walletId)
  const newest = truth.versions.get(walletId) ?? -1
  const known = knownOf(trial, walletId)
  const times = [calledAt - soundMillis, calledAt, truth.time, truth.time + soundMillis]
  // A node that could not compare its clock judges by whatever time: then which of them is the first does not show either.
  if (clockUnknown) times.push(0)
  const only = clockUnknown ? policy : undefined
  for (let version = Math.max(-1, oldest); version <= newest; version++) {
    const { facts, wallet } = known[version + 1]!
    // Legs are of wallets that are there: of others no policy is asked.
    if (wallet === undefined && (command._tag === "BeginLegs" || command._tag === "PrepareLegs")) continue
    const questions = questionsOf(wallet, command)
    for (const time of times) {
      const found = against(trial.policies, questions, Math.max(time, wallet?.updatedAt ?? 0), facts, only)
      if (found !== undefined && (policy === undefined || found.policy === policy)) return true
    }
  }
  return false
}
