/**
 * The report of `inspect` as a document: what `--json` prints and what the service
 * replies. Amounts and positions are decimal texts, times RFC 3339, ages milliseconds.
 * And its lines for people: the stores side by side, then what is under way.
 */
import * as Schema from "effect/Schema"
import { WalletStoresJson } from "../../http/api/InspectionSchemas.ts"
import { counted } from "../Output.ts"

export const InspectDocument = Schema.toEncoded(WalletStoresJson)

export type InspectDocument = typeof InspectDocument.Type

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
