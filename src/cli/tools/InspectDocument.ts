/**
 * The report of `inspect` as a document: what `--json` prints and what the service
 * replies. Amounts and positions are decimal texts, times RFC 3339, ages milliseconds.
 * And its lines for people: the stores side by side, then what is under way.
 */
import * as Schema from "effect/Schema"
import type { InspectReport, NodeSide } from "../../engine/Inspect.ts"
import { formatTime } from "../../http/api/SchemaValues.ts"
import type { WalletView } from "../../stores/Persistence.ts"
import { counted } from "../Output.ts"

const Time = Schema.String
const Amount = Schema.String

const WalletSide = Schema.Struct({
  version: Schema.Number,
  status: Schema.String,
  freeze: Schema.NullOr(
    Schema.Struct({ direction: Schema.String, reason: Schema.NullOr(Schema.String), until: Schema.NullOr(Time) })
  ),
  ownerId: Schema.String,
  currency: Schema.String,
  balance: Amount,
  held: Amount,
  available: Amount,
  overdraftLimit: Amount,
  updatedAt: Time
})

const Actor = Schema.Struct({
  version: Schema.Number,
  persistedVersion: Schema.NullOr(Schema.Number),
  /** In the log, and not decided on by Persistence as far as the actor was told. */
  unpersistedEvents: Schema.Number,
  waiting: Schema.Number,
  waitingBytes: Schema.Number,
  running: Schema.Number,
  submitted: Schema.Boolean,
  parked: Schema.Boolean,
  undecided: Schema.Boolean,
  snapshotVersion: Schema.Number,
  lastUsedAt: Time
})

const Node = Schema.Struct({
  partition: Schema.Number,
  epoch: Schema.NullOr(Schema.Number),
  actor: Schema.NullOr(Actor),
  pipeline: Schema.NullOr(
    Schema.Struct({ queuedEvents: Schema.Number, lagMillis: Schema.Number, failure: Schema.NullOr(Schema.String) })
  ),
  blocked: Schema.NullOr(Schema.String)
})

const IndexSide = Schema.Struct({
  /** Why it could not be looked at. */
  failure: Schema.NullOr(Schema.String),
  checkpoint: Schema.NullOr(Schema.String),
  /** As of the wallet's last versions, as the log and the rows have them. */
  documents: Schema.Number,
  flaws: Schema.Array(
    Schema.Struct({ kind: Schema.String, id: Schema.String, expected: Schema.String, found: Schema.String })
  ),
  deadLetters: Schema.Array(
    Schema.Struct({
      kind: Schema.String,
      id: Schema.String,
      version: Schema.Number,
      reason: Schema.String,
      time: Time
    })
  )
})

export const InspectDocument = Schema.Struct({
  walletId: Schema.String,
  time: Time,
  log: Schema.Struct({
    id: Schema.String,
    head: Schema.String,
    lastEvent: Schema.NullOr(
      Schema.Struct({
        version: Schema.Number,
        type: Schema.String,
        time: Time,
        id: Schema.String,
        epoch: Schema.Number
      })
    ),
    wallet: Schema.NullOr(WalletSide),
    snapshots: Schema.Array(Schema.Struct({ version: Schema.Number, time: Time }))
  }),
  node: Schema.NullOr(Node),
  persistence: Schema.Struct({
    version: Schema.NullOr(Schema.Number),
    eventId: Schema.NullOr(Schema.String),
    wallet: Schema.NullOr(WalletSide),
    lagEvents: Schema.Number,
    lagMillis: Schema.Number,
    /** Events that the log has not. */
    aheadEvents: Schema.Number,
    /** Another event than the log's at the same version. */
    diverged: Schema.Boolean,
    refusals: Schema.Array(
      Schema.Struct({
        version: Schema.Number,
        eventId: Schema.String,
        reason: Schema.String,
        reversedVersion: Schema.NullOr(Schema.Number),
        /** In the log, whether its row has come or not. */
        reversal: Schema.NullOr(Schema.Number)
      })
    ),
    marks: Schema.Array(Schema.Struct({ owner: Schema.String, position: Schema.String }))
  }),
  readModel: Schema.Struct({
    wallet: Schema.NullOr(WalletSide),
    /** Of an index of its own. */
    index: Schema.NullOr(IndexSide)
  }),
  openHoldCount: Schema.Number,
  openHolds: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      remaining: Amount,
      expiresAt: Schema.NullOr(Time),
      overdueMillis: Schema.NullOr(Schema.Number),
      row: Schema.NullOr(Schema.String)
    })
  ),
  transfersInFlightCount: Schema.Number,
  transfersInFlight: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      to: Schema.String,
      amount: Amount,
      ageMillis: Schema.Number,
      row: Schema.NullOr(Schema.String)
    })
  ),
  legsPreparedCount: Schema.Number,
  /** Of transfers of several legs: what this wallet has promised, or at its home what others do not know yet. */
  legsPrepared: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      home: Schema.String,
      legs: Schema.Number,
      held: Amount,
      decision: Schema.NullOr(Schema.String),
      ageMillis: Schema.Number,
      row: Schema.NullOr(Schema.String)
    })
  )
})

export type InspectDocument = typeof InspectDocument.Type

const walletSide = (view: WalletView | null): typeof WalletSide.Type | null =>
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

const nodeDocument = ({ actor, ...node }: NodeSide): typeof Node.Type => ({
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

const indexSide = (search: InspectReport["search"]): typeof IndexSide.Type | null => {
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

export const inspectDocument = (report: InspectReport): InspectDocument => ({
  walletId: report.walletId,
  time: formatTime(report.time),
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

type Side = InspectDocument["log"]["wallet"]

const frozenText = ({ direction, until }: NonNullable<NonNullable<Side>["freeze"]>): string =>
  `frozen (${direction}${until === null ? "" : ` until ${until}`})`

const columns: ReadonlyArray<readonly [name: string, of: (side: NonNullable<Side>) => string]> = [
  ["version", ({ version }) => String(version)],
  ["status", ({ freeze, status }) => (freeze === null ? status : frozenText(freeze))],
  ["balance", ({ balance }) => balance],
  ["held", ({ held }) => held],
  ["available", ({ available }) => available],
  ["overdraft", ({ overdraftLimit }) => overdraftLimit],
  ["updated", ({ updatedAt }) => updatedAt]
]

const table = (rows: ReadonlyArray<readonly [name: string, side: Side]>): ReadonlyArray<string> => {
  const cells = [
    ["", ...columns.map(([name]) => name)],
    ...rows.map(([name, side]) => [name, ...columns.map(([, of]) => (side === null ? "-" : of(side)))])
  ]
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)))
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd()
  )
}

const age = (millis: number): string => (millis < 10_000 ? `${millis} ms` : `${Math.round(millis / 1000)} s`)

const logLines = ({ log }: InspectDocument): ReadonlyArray<string> => {
  const { lastEvent, snapshots } = log
  const last =
    lastEvent === null
      ? "none"
      : `${lastEvent.version} ${lastEvent.type} at ${lastEvent.time}, id ${lastEvent.id}, claim ${lastEvent.epoch}`
  return [
    `last event: ${last}`,
    `snapshots at versions: ${snapshots.length === 0 ? "none" : snapshots.map(({ version }) => version).join(", ")}`,
    `log ${log.id}, head ${log.head}`
  ]
}

/** How PostgreSQL stands to the log, of what it has of the wallet. */
const standing = ({ aheadEvents, diverged, lagEvents, lagMillis }: InspectDocument["persistence"]): string => {
  if (aheadEvents > 0) return `${counted(aheadEvents, "event")} AHEAD of the log, which was put back, or is another one`
  if (diverged) return "with ANOTHER event than the log's at that version"
  return lagEvents === 0 ? "up to the log" : `${counted(lagEvents, "event")} (${age(lagMillis)}) behind the log`
}

/** What is not as it can be by itself; `undefined`: nothing. */
export const inspectFinding = ({ persistence, walletId }: InspectDocument): string | undefined =>
  persistence.aheadEvents > 0 || persistence.diverged
    ? `PostgreSQL has wallet ${walletId} ${standing(persistence)}: run wallet verify, and see docs/BACKUP.md`
    : undefined

const reversalLine = ({ reversal, reversedVersion }: InspectDocument["persistence"]["refusals"][number]): string => {
  if (reversal === null) return "not reversed yet"
  const byEvent = `reversed by event ${reversal}`
  return reversedVersion === null ? `${byEvent}, whose row has not come yet` : byEvent
}

const persistenceLines = ({ persistence }: InspectDocument): ReadonlyArray<string> => {
  const { eventId, marks, refusals, version } = persistence
  const damaged = eventId === "" ? "; the row of its last event is missing" : ""
  return [
    version === null
      ? "PostgreSQL: nothing of it"
      : `PostgreSQL: version ${version}, ${standing(persistence)}${damaged}`,
    ...refusals.map((one) => `refused: event ${one.version}, ${reversalLine(one)}: ${one.reason}`),
    ...(marks.length === 0
      ? []
      : [`marks: ${marks.map(({ owner, position }) => `${owner} at ${position}`).join(", ")}`])
  ]
}

const searchLines = ({ readModel: { index } }: InspectDocument): ReadonlyArray<string> => {
  if (index === null) return []
  if (index.failure !== null) return [`search: ${index.failure}`]
  const { checkpoint, deadLetters, documents, flaws } = index
  return [
    `search: checkpoint ${checkpoint}, ${counted(documents, "document")} of the last versions as they are`,
    ...flaws.map(
      ({ expected, found, id, kind }) => `  not, or not yet: ${kind} ${id}: expected ${expected}; found ${found}`
    ),
    ...deadLetters.map(
      ({ id, kind, reason, time, version }) =>
        `  refused by search: ${kind} ${id} as of version ${version}, ${time}: ${reason}`
    )
  ]
}

const nodeLines = ({ node }: InspectDocument): ReadonlyArray<string> => {
  if (node === null) return ["actor: not asked; name a service by --url"]
  const { actor, blocked, epoch, partition, pipeline } = node
  const owner = epoch === null ? "not owned by this node" : `owned by this node under claim ${epoch}`
  return [
    `partition ${partition}: ${owner}`,
    actor === null
      ? "actor: not resident"
      : `actor: version ${actor.version}, ${actor.waiting} waiting (${actor.waitingBytes} bytes), ` +
        `${actor.running} in hand${actor.submitted ? ", on the way to the log" : ""}` +
        `${actor.parked ? ", parked until PostgreSQL has answered" : ""}` +
        `${actor.undecided ? ", holding what may still be undone" : ""}, ` +
        `${counted(actor.unpersistedEvents, "unpersisted event")}, last used ${actor.lastUsedAt}`,
    ...(pipeline === null
      ? []
      : [
          `pipeline: ${counted(pipeline.queuedEvents, "event")} queued, ${age(pipeline.lagMillis)} behind` +
            (pipeline.failure === null ? "" : `: ${pipeline.failure}`)
        ]),
    ...(blocked === null ? [] : [`writing has STOPPED: ${blocked}`])
  ]
}

const workLines = (document: InspectDocument): ReadonlyArray<string> => {
  const { legsPrepared, legsPreparedCount, openHoldCount, openHolds, transfersInFlight, transfersInFlightCount } =
    document
  return [
    counted(openHoldCount, "open hold"),
    ...openHolds.map(
      ({ expiresAt, id, overdueMillis, remaining, row }) =>
        `  ${id}: ${remaining} remaining, ${expiresAt === null ? "never expires" : `expires ${expiresAt}`}` +
        `${overdueMillis === null ? "" : `, ${age(overdueMillis)} OVERDUE`}, row ${row ?? "none"}`
    ),
    `${counted(transfersInFlightCount, "transfer")} in flight`,
    ...transfersInFlight.map(
      ({ ageMillis, amount, id, row, to }) => `  ${id}: ${amount} to ${to}, for ${age(ageMillis)}, row ${row ?? "none"}`
    ),
    `${counted(legsPreparedCount, "transfer")} of several legs in flight`,
    ...legsPrepared.map(
      ({ ageMillis, decision, held, home, id, legs, row }) =>
        `  ${id} of ${home}: ${counted(legs, "leg")}, ${held} held, ${decision ?? "not decided"}, for ${age(ageMillis)}, ` +
        `row ${row ?? "none"}`
    )
  ]
}

export const inspectLines = (document: InspectDocument): ReadonlyArray<string> => {
  const { log, persistence, readModel, time, walletId } = document
  const wallet = log.wallet ?? persistence.wallet
  return [
    `wallet ${walletId}${wallet === null ? "" : `, ${wallet.currency} of ${wallet.ownerId}`}, ${time}`,
    ...table([
      ["log", log.wallet],
      ["PostgreSQL", persistence.wallet],
      ["search", readModel.wallet]
    ]),
    ...logLines(document),
    ...persistenceLines(document),
    ...searchLines(document),
    ...nodeLines(document),
    ...workLines(document)
  ]
}
