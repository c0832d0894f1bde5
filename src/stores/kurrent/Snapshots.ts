/**
 * Snapshots on KurrentDB: a stream per wallet, all kept, versions never going down
 * along it. So the latest is one read, and any other a binary search.
 */
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import { isJsonObject } from "../../domain/Codec.ts"
import type { EventStore, Snapshot, SnapshotBound } from "../EventStore.ts"
import type { KurrentConnection } from "./Connection.ts"
import { logDefect, logUnavailable } from "./Failure.ts"
import { type KurrentNames, walletSnapshot } from "./Names.ts"
import type { KurrentReads } from "./Reads.ts"
import { jsonRecord, type KurrentRecord } from "./Records.ts"
import { check, send } from "./Send.ts"

/** How often other snapshots of the same wallet may come in between. */
const maxTries = 8

/** `undefined`: not one of ours, and passed over; a snapshot is only ever a shortcut. */
const snapshotOf = (walletId: string, record: KurrentRecord | undefined): Snapshot | undefined => {
  const data = record?.data
  if (!isJsonObject(data)) return undefined
  const { state, time, version } = data
  return typeof state === "string" && Number.isSafeInteger(time) && Number.isSafeInteger(version)
    ? { walletId, version: Number(version), time: Number(time), data: state }
    : undefined
}

const isWithin = (snapshot: Snapshot, { time, version }: SnapshotBound): boolean =>
  (version === undefined || snapshot.version <= version) && (time === undefined || snapshot.time <= time)

export const make = (
  connection: KurrentConnection,
  names: KurrentNames,
  reads: KurrentReads
): Pick<EventStore["Service"], "saveSnapshot" | "loadSnapshot"> => {
  const last = (walletId: string) =>
    Effect.map(reads.stream(names.snapshots(walletId), { from: "end", maxCount: 1 }), (records) => records?.[0])

  /** The snapshot at the revision or, where a server's rule has removed it, the next one. */
  const at = (walletId: string, revision: bigint) =>
    Effect.map(reads.stream(names.snapshots(walletId), { from: revision, maxCount: 1 }), (records) => records?.[0])

  /** The last of those below `end` that is within the bound. */
  const search = Effect.fnUntraced(function* (walletId: string, bound: SnapshotBound, end: bigint) {
    let nearest: Snapshot | undefined
    let low = 0n
    let high = end
    // Halves every time: at most 63 reads.
    while (low < high) {
      const middle = (low + high) / 2n
      const record = yield* at(walletId, middle)
      const snapshot = snapshotOf(walletId, record)
      if (record === undefined || snapshot === undefined || !isWithin(snapshot, bound)) {
        high = middle
      } else {
        nearest = snapshot
        low = record.revision + 1n
      }
    }
    return nearest
  })

  return {
    loadSnapshot: Effect.fnUntraced(function* (walletId, bound = {}) {
      const record = yield* last(walletId)
      if (record === undefined) return undefined
      const latest = snapshotOf(walletId, record)
      return latest !== undefined && isWithin(latest, bound) ? latest : yield* search(walletId, bound, record.revision)
    }),

    saveSnapshot: Effect.fnUntraced(function* (snapshot) {
      const { data, time, version, walletId } = snapshot
      const stream = names.snapshots(walletId)
      const record = jsonRecord(stream, randomUUID(), walletSnapshot, { walletId, version, time, state: data })
      for (let tries = 0; tries < maxTries; tries++) {
        const latest = yield* last(walletId)
        // A slow writer's, of a state that is behind: worth less than the order of the stream.
        if ((snapshotOf(walletId, latest)?.version ?? -1) > version) return
        const sending = send(connection, [record], [check(stream, latest?.revision ?? "no_stream")])
        const sent = yield* Effect.mapError(sending, (error) =>
          error._tag === "AppendUnknown" ? logUnavailable(error.reason) : error
        )
        if (sent._tag === "Written") return
        if (sent._tag !== "Violated") return yield* logDefect(`snapshot of wallet ${walletId}: ${sent.reason}`)
      }
      return yield* logUnavailable(`snapshots of wallet ${walletId} were written ${maxTries} times during one write`)
    })
  }
}
