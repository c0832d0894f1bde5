/** What was looked at and compared of one wallet, as documents of the wire. */
import type { ActorsView } from "../engine/EngineInspection.ts"
import type { InspectReport, NodeSide } from "../engine/Inspect.ts"
import { storeDifferences } from "../engine/StoreDifferences.ts"
import type { VerifyReport } from "../engine/verify/Report.ts"
import type { WalletView } from "../stores/Persistence.ts"
import type { ActorsJson, VerificationJson, WalletStoresJson } from "./api/InspectionSchemas.ts"
import { formatTime } from "./api/SchemaValues.ts"

type Encoded = typeof WalletStoresJson.Encoded

const walletSide = (view: WalletView | null): Encoded["log"]["wallet"] =>
  view && {
    version: view.version,
    status: view.status,
    freeze: view.freeze && {
      ...view.freeze,
      until: view.freeze.until === null ? null : formatTime(view.freeze.until)
    },
    ownerId: view.ownerId,
    currency: view.currency,
    balance: String(view.balance),
    held: String(view.held),
    available: String(view.balance - view.held + view.overdraftLimit),
    overdraftLimit: String(view.overdraftLimit),
    updatedAt: formatTime(view.updatedAt)
  }

const nodeDocument = ({ actor, ...node }: NodeSide): NonNullable<Encoded["node"]> => ({
  ...node,
  actor: actor && {
    ...actor,
    unpersistedEvents: actor.persistedVersion === null ? 0 : Math.max(0, actor.version - actor.persistedVersion),
    lastUsedAt: formatTime(actor.lastUsedAt)
  }
})

const holdDocument = (report: InspectReport) =>
  report.openHolds.map(({ expiresAt, id, remaining, row }) => ({
    id,
    remaining: String(remaining),
    expiresAt: expiresAt === null ? null : formatTime(expiresAt),
    overdueMillis: expiresAt === null || expiresAt > report.time ? null : report.time - expiresAt,
    row
  }))

const transferDocument = (report: InspectReport) =>
  report.transfersInFlight.map(({ amount, createdAt, id, row, to }) => ({
    id,
    to,
    amount: String(amount),
    ageMillis: Math.max(0, report.time - createdAt),
    row
  }))

const legsDocument = (report: InspectReport) =>
  report.legsPrepared.map(({ createdAt, decision, held, home, id, legs, row }) => ({
    id,
    home,
    legs,
    held: String(held),
    decision,
    ageMillis: Math.max(0, report.time - createdAt),
    row
  }))

const indexSide = (search: InspectReport["search"]): Encoded["readModel"]["index"] => {
  if (search === null) return null
  if (typeof search === "string") {
    return { failure: search, checkpoint: null, documents: 0, flaws: [], deadLetters: [] }
  }
  const { checkpoint, deadLetters, documents, flaws } = search
  return {
    failure: null,
    checkpoint: String(checkpoint),
    documents,
    flaws,
    deadLetters: deadLetters.map(({ id, kind, reason, time, version }) => ({
      kind,
      id,
      version,
      reason,
      time: formatTime(time)
    }))
  }
}

export const storesJson = (report: InspectReport): Encoded => ({
  walletId: report.walletId,
  time: formatTime(report.time),
  differences: storeDifferences(report),
  log: {
    id: report.logId,
    head: String(report.head),
    lastEvent: report.lastEvent && { ...report.lastEvent, time: formatTime(report.lastEvent.time) },
    wallet: walletSide(report.state),
    snapshots: report.snapshots.map(({ time, version }) => ({ version, time: formatTime(time) }))
  },
  node: report.node && nodeDocument(report.node),
  persistence: {
    version: report.persisted?.version ?? null,
    eventId: report.persisted?.eventId ?? null,
    wallet: walletSide(report.row),
    lagEvents: report.lag.events,
    lagMillis: report.lag.millis,
    aheadEvents: report.ahead,
    diverged: report.diverged,
    refusals: report.refusals.map(({ eventId, reason, reversal, reversedVersion, version }) => ({
      version,
      eventId,
      reason,
      reversedVersion,
      reversal
    })),
    marks: report.checkpoints.map(({ owner, position }) => ({ owner, position: String(position) }))
  },
  readModel: { wallet: walletSide(report.document), index: indexSide(report.search) },
  openHoldCount: report.openHoldCount,
  openHolds: holdDocument(report),
  transfersInFlightCount: report.transfersInFlightCount,
  transfersInFlight: transferDocument(report),
  legsPreparedCount: report.legsPreparedCount,
  legsPrepared: legsDocument(report)
})

export const verificationJson = (walletId: string, report: VerifyReport): typeof VerificationJson.Encoded => ({
  walletId,
  logId: report.logId,
  position: String(report.position),
  events: report.events,
  transactions: report.transactions,
  holds: report.holds,
  transfers: report.transfers,
  keys: report.keys,
  refusals: report.refusals,
  openRefusals: report.openRefusals,
  lagging: report.lagging > 0,
  searched: report.searched > 0 && report.notSearched === 0,
  documents: report.documents,
  deadLetters: report.deadLetters,
  repaired: report.repaired > 0,
  differenceCount: report.differenceCount,
  differences: report.differences.map(({ expected, found, store, what }) => ({ store, what, expected, found })),
  warnings: report.warnings,
  durationMillis: report.durationMillis
})

export const actorsJson = (
  { activity, deepest, load, time, ...view }: ActorsView,
  head: bigint | undefined
): typeof ActorsJson.Encoded => ({
  time: formatTime(time),
  incarnation: view.incarnation,
  head: head === undefined ? null : String(head),
  partitions: view.partitions,
  owned: view.owned,
  resident: { wallets: load.residentWallets, bytes: Math.round(load.residentBytes), maxBytes: view.maxResidentBytes },
  mailboxes: {
    busyWallets: load.busyWallets,
    waiting: load.waitingCommands,
    waitingBytes: load.waitingBytes,
    maxPerWallet: view.maxMailbox,
    deepest: deepest.map(([walletId, { running, version, waiting, waitingBytes }]) => ({
      walletId,
      version,
      waiting,
      waitingBytes,
      running
    }))
  },
  appends: {
    since: formatTime(activity.since),
    count: activity.appends,
    events: activity.events,
    wallets: activity.wallets,
    sizes: activity.sizes.map(({ appends, atMost }) => ({ atMostWallets: atMost, count: appends }))
  },
  hottest: {
    error: activity.error,
    wallets: activity.hottest.map(({ name, weight }) => ({ walletId: name, events: weight }))
  }
})
