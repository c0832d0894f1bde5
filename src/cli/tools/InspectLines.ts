/** What `wallet inspect` prints for people: the stores side by side, then what is under way. */
import type { InspectDocument } from "./InspectDocument.ts"
import { count } from "./VerifyDocument.ts"

type Side = InspectDocument["log"]["wallet"]

const columns: ReadonlyArray<readonly [name: string, of: (side: NonNullable<Side>) => string]> = [
  ["version", ({ version }) => String(version)],
  ["status", ({ status }) => status],
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

const persistenceLines = ({ persistence }: InspectDocument): ReadonlyArray<string> => {
  const { eventId, lagEvents, lagMillis, checkpoints, refusals, version } = persistence
  const damaged = eventId === "" ? "; the row of its last event is missing" : ""
  const lag = lagEvents === 0 ? "up to the log" : `${count(lagEvents, "event")} (${age(lagMillis)}) behind the log`
  return [
    version === null ? "PostgreSQL: nothing of it" : `PostgreSQL: version ${version}, ${lag}${damaged}`,
    ...refusals.map(
      (one) =>
        `refused: event ${one.version}, ` +
        `${one.reversedVersion === null ? "not reversed yet" : `reversed by event ${one.reversedVersion}`}: ${one.reason}`
    ),
    ...(checkpoints.length === 0
      ? []
      : [`checkpoints: ${checkpoints.map(({ owner, position }) => `${owner} at ${position}`).join(", ")}`])
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
        `${count(actor.unpersistedEvents, "unpersisted event")}, last used ${actor.lastUsedAt}`,
    ...(pipeline === null
      ? []
      : [
          `pipeline: ${count(pipeline.queuedEvents, "event")} queued, ${age(pipeline.lagMillis)} behind` +
            (pipeline.failure === null ? "" : `: ${pipeline.failure}`)
        ]),
    ...(blocked === null ? [] : [`writing has STOPPED: ${blocked}`])
  ]
}

const workLines = (document: InspectDocument): ReadonlyArray<string> => {
  const { openHoldCount, openHolds, transfersInFlight, transfersInFlightCount } = document
  return [
    count(openHoldCount, "open hold"),
    ...openHolds.map(
      ({ expiresAt, id, overdueMillis, remaining, row }) =>
        `  ${id}: ${remaining} remaining, ${expiresAt === null ? "never expires" : `expires ${expiresAt}`}` +
        `${overdueMillis === null ? "" : `, ${age(overdueMillis)} OVERDUE`}, row ${row ?? "none"}`
    ),
    `${count(transfersInFlightCount, "transfer")} in flight`,
    ...transfersInFlight.map(
      ({ ageMillis, amount, id, row, to }) => `  ${id}: ${amount} to ${to}, for ${age(ageMillis)}, row ${row ?? "none"}`
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
    ...nodeLines(document),
    ...workLines(document)
  ]
}
